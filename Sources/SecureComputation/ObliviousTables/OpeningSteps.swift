/// An opening to all three: each gets the component that it lacks from the party before it.
struct OpenShape: ReplicatedShape {
    let count: Int

    var rounds: Int { 1 }
    func traffic(_ round: Int, of party: ComputingParty) -> Traffic { Traffic(next: count) }
}

/// An opening to all three, of what may be known: nothing but a place that a shuffle drew.
struct OpenStep: ReplicatedStep {
    private(set) var result: ReplicatedWords
    private(set) var opened: [UInt64] = []

    init(_ value: ReplicatedWords) { result = value }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) { outgoing.next += result.own }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        opened = Array(incoming.previous)
        for i in opened.indices { opened[i] &+= result.own[i] &+ result.next[i] }
    }
}

/// Comparisons whose bits all three see: three bits an element in one round behind the carry's.
struct OpenComparisonShape: ReplicatedShape {
    let carry: CarryShape

    var rounds: Int { carry.rounds + 1 }

    func traffic(_ round: Int, of party: ComputingParty) -> Traffic {
        guard round == carry.rounds else { return carry.traffic(round, of: party) }
        return carry.elements.parts.reduce(Traffic()) { $0 + bits($1, of: party) }
    }

    /// The lead gives its bits to both, and the party behind it those that both others have to the lead.
    func bits(_ part: LeadParts.Part, of party: ComputingParty) -> Traffic {
        switch part.role(of: party) {
        case .lead: Traffic(next: part.words, previous: part.words)
        case .middle: Traffic(previous: part.words)
        case .last: Traffic()
        }
    }
}

/// Whether elements are not negative, opened. That shows nothing where the order of elements is one that a shuffle drew.
struct OpenComparisonStep: ReplicatedStep {
    let shape: OpenComparisonShape
    let party: ComputingParty
    private var carry: CarryStep
    private var bits = LeadBits(parts: [])
    /// Packed: bits of 64 elements a word.
    private(set) var opened: [UInt64] = []

    init(_ shape: OpenComparisonShape, _ value: ReplicatedWords, party: ComputingParty, keys: PairwiseKeys) {
        (self.shape, self.party) = (shape, party)
        carry = CarryStep(shape.carry, value, offsets: [0], party: party, keys: keys)
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) {
        guard round == shape.carry.rounds else { return carry.send(round, to: &outgoing) }
        for part in shape.carry.elements.parts {
            let traffic = shape.bits(part, of: party)
            if traffic.next > 0 { outgoing.next += bits.parts[part.number] }
            if traffic.previous > 0 { outgoing.previous += bits.parts[part.number] }
        }
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        guard round == shape.carry.rounds else {
            carry.receive(round, incoming)
            if round == shape.carry.rounds - 1 { bits = carry.notNegative }
            return
        }
        var incoming = incoming
        for part in shape.carry.elements.parts {
            let taken = incoming.taken(
                next: shape.bits(part, of: party.next).previous, previous: shape.bits(part, of: party.previous).next)
            // Of the lead each of both others gets its bits: the last from behind, the middle from before.
            let received = part.role(of: party) == .middle ? taken.previous : taken.next
            opened += zip(bits.parts[part.number], received).map { $0 ^ $1 }
        }
    }

    var result: ReplicatedWords { ReplicatedWords(own: [], next: []) }
}
