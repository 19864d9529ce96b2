internal import ModularArithmetic

/// What is made of bits and of s and t, element by element: a sum of products, each of a function of what the lead knows and of one of what both others know.
///
/// **First round.** The lead shares its functions between the other two: one draws a share from their key, the other is sent the rest. Each of both then has a share of the result, by its own means.
/// **Second round.** Both share the sum with the lead: their common component is the sum less a mask of each, of which the lead has both from keys.
///
/// **Privacy.** What a party receives is under a mask from a key that it lacks. **Cost.** 8 bytes for each function and 16 for each result of an element, all parties together.
struct FunctionShape: ReplicatedShape {
    let elements: LeadParts
    let kind: LeadFunctions

    var rounds: Int { 2 }

    func traffic(_ round: Int, of party: ComputingParty) -> Traffic {
        elements.parts.reduce(Traffic()) { $0 + traffic(round, of: party, part: $1) }
    }

    func traffic(_ round: Int, of party: ComputingParty, part: LeadParts.Part) -> Traffic {
        switch (round, part.role(of: party)) {
        case (0, .lead): Traffic(next: kind.functions * part.range.count)
        case (1, .middle): Traffic(next: kind.results * part.range.count)
        case (1, .last): Traffic(previous: kind.results * part.range.count)
        default: Traffic()
        }
    }
}

/// A step of functions under way.
struct FunctionStep: ReplicatedStep {
    let shape: FunctionShape
    let party: ComputingParty
    let keys: PairwiseKeys
    let operands: LeadOperands
    private var states: [State]
    private(set) var result: ReplicatedWords

    private struct State: Sendable {
        let part: LeadParts.Part
        let role: LeadParts.Role
        /// A share of the lead's functions, one behind the other.
        var functions: [UInt64] = []
        var sent: [UInt64] = []
    }

    init(_ shape: FunctionShape, _ operands: LeadOperands, party: ComputingParty, keys: PairwiseKeys) {
        (self.shape, self.operands, self.party, self.keys) = (shape, operands, party, keys)
        states = shape.elements.parts.map { State(part: $0, role: $0.role(of: party)) }
        result = ReplicatedWords(zeros: shape.kind.results * shape.elements.count)
    }

    private func stream(_ purpose: MaskStream.Purpose, _ part: LeadParts.Part) -> MaskStream {
        MaskStream(shape.elements.place, purpose, part: part.number)
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) {
        for number in states.indices where !states[number].part.range.isEmpty {
            let part = states[number].part
            let role = states[number].role
            let count = shape.kind.functions * part.range.count
            switch (round, role) {
            case (0, .lead):
                var functions = shape.kind.functions(operands, part)
                let mask = keys.own.words(count, stream(.functions, part))
                for i in functions.indices { functions[i] &-= mask[i] }
                outgoing.next += functions
            case (0, .last): states[number].functions = keys.next.words(count, stream(.functions, part))
            case (1, .middle), (1, .last):
                let isMiddle = role == .middle
                var shares = shape.kind.shares(operands, part, functions: states[number].functions, isMiddle: isMiddle)
                let mask = (isMiddle ? keys.own : keys.next).words(shares.count, stream(.results, part))
                for i in shares.indices { shares[i] &-= mask[i] }
                if isMiddle { outgoing.next += shares } else { outgoing.previous += shares }
                states[number].functions = mask
                states[number].sent = shares
            default: break
            }
        }
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        var incoming = incoming
        for number in states.indices where !states[number].part.range.isEmpty {
            let part = states[number].part
            let taken = incoming.taken(
                next: shape.traffic(round, of: party.next, part: part).previous,
                previous: shape.traffic(round, of: party.previous, part: part).next)
            switch (round, states[number].role) {
            case (0, .middle): states[number].functions = Array(taken.previous)
            case (1, .lead):
                let count = shape.kind.results * part.range.count
                place(keys.own.words(count, stream(.results, part))[...], part, \.own)
                place(keys.next.words(count, stream(.results, part))[...], part, \.next)
            case (1, .middle):
                place(states[number].functions[...], part, \.own)
                place(states[number].sent[...], part, \.next)
                place(taken.next, part, \.next, adding: true)
            case (1, .last):
                place(states[number].functions[...], part, \.next)
                place(states[number].sent[...], part, \.own)
                place(taken.previous, part, \.own, adding: true)
            default: break
            }
        }
    }

    /// Writes a part's words, result behind result, to where they stand among all elements.
    private mutating func place(
        _ words: ArraySlice<UInt64>, _ part: LeadParts.Part,
        _ component: WritableKeyPath<ReplicatedWords, [UInt64]>, adding: Bool = false
    ) {
        let count = part.range.count
        for number in 0..<shape.kind.results {
            let target = number * shape.elements.count + part.range.lowerBound
            let source = words.startIndex + number * count
            result[keyPath: component].withUnsafeMutableBufferPointer { result in
                if adding {
                    for i in 0..<count { result[target + i] &+= words[source + i] }
                } else {
                    for i in 0..<count { result[target + i] = words[source + i] }
                }
            }
        }
    }
}

/// What functions are made of: at the lead and at the others, each what it knows.
struct LeadOperands: Sendable {
    /// x.
    let value: ReplicatedWords
    /// What a bit multiplies beside x.
    let carried: ReplicatedWords?
    /// The bits, tree by tree, where there are any.
    let bits: LeadBits?
    /// Where a division is not exact, numbers that all know: the lead adds them to s, the others take them from t, so that how it is rounded does not depend on how the value was shared.
    let dither: [UInt64]
}
