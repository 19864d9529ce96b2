internal import ModularArithmetic

/// The carry of s + t out of its lowest bits, for some t: what comparisons and exact truncations rest on.
///
/// **First round.** The lead sends its share of H(v) of each block of s (``CarryBlocks``) to the party behind it; the other share both it and the party before it draw from their key. One message
/// serves for all t. **Second round.** Both others look up what blocks give, and share it anew, so that all three have it. **Then** a layer of the tree a round: (g, p) of two neighbours is
/// (g_high + p_high g_low, p_high p_low), where + is exclusive or and products are those of Araki et al., one bit a gate and party.
///
/// **Privacy.** All that is sent is under a bit that its receiver cannot know: from the key of lead and last party in the first round, the sender's other key in the second, a share of zero then.
struct CarryShape: ReplicatedShape {
    let elements: LeadParts
    let bits: Int
    /// How many t.
    let trees: Int
    let blocks: CarryBlocks

    init(_ elements: LeadParts, bits: Int, trees: Int) {
        (self.elements, self.bits, self.trees, blocks) = (elements, bits, trees, CarryBlocks(bits: bits))
    }

    var rounds: Int { 2 + blocks.layers }

    func traffic(_ round: Int, of party: ComputingParty) -> Traffic {
        elements.parts.reduce(Traffic()) { $0 + traffic(round, of: party, part: $1) }
    }

    func traffic(_ round: Int, of party: ComputingParty, part: LeadParts.Part) -> Traffic {
        let looked = trees * blocks.outputs * part.words
        return switch (round, part.role(of: party)) {
        case (0, .lead): Traffic(next: blocks.planes * part.words)
        case (0, _), (1, .lead): Traffic()
        case (1, .middle): Traffic(next: looked)
        case (1, .last): Traffic(previous: looked)
        default: Traffic(previous: trees * CarryBlocks.gates(blocks.blocks(before: round - 2)) * part.words)
        }
    }
}

/// The carry of each element, for each t.
struct CarryStep: Sendable {
    let shape: CarryShape
    let party: ComputingParty
    let keys: PairwiseKeys
    private var states: [State]

    /// One part of the elements.
    private struct State: Sendable {
        let part: LeadParts.Part
        let role: LeadParts.Role
        /// At the lead: its bit planes. At the others: the planes of each t.
        var known: [[UInt64]]
        /// What a party holds of blocks, tree by tree: of the lead's planes at first.
        var values = ReplicatedWords(own: [], next: [])
        /// What is sent, of what it is a part.
        var sent: [UInt64] = []
    }

    /// - Parameter offsets: What is added to t, one for each tree.
    init(
        _ shape: CarryShape, _ value: ReplicatedWords, offsets: [UInt64], party: ComputingParty, keys: PairwiseKeys
    ) {
        (self.shape, self.party, self.keys) = (shape, party, keys)
        states = shape.elements.parts.map { part in
            let role = part.role(of: party)
            let planes = min(shape.bits + 1, 64)
            switch role {
            case .lead:
                let sum = zip(value.own[part.range], value.next[part.range]).map { $0 &+ $1 }
                return State(part: part, role: role, known: [BitPlanes.planes(planes, of: sum)])
            case .middle, .last:
                let t = role == .middle ? value.next[part.range] : value.own[part.range]
                let known = offsets.map { offset in
                    offset == 0
                        ? BitPlanes.planes(planes, of: t) : BitPlanes.planes(planes, of: t.map { $0 &+ offset })
                }
                return State(part: part, role: role, known: known)
            }
        }
    }

    private func stream(_ purpose: MaskStream.Purpose, layer: Int = 0, _ part: LeadParts.Part) -> MaskStream {
        MaskStream(shape.elements.place, purpose, layer: layer, part: part.number)
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) {
        for number in states.indices where !states[number].part.range.isEmpty {
            switch round {
            case 0: sendPlanes(&states[number], to: &outgoing)
            case 1: sendBlocks(&states[number], to: &outgoing)
            default: sendGates(&states[number], layer: round - 2, to: &outgoing)
            }
        }
    }

    private func sendPlanes(_ state: inout State, to outgoing: inout Outgoing) {
        let words = state.part.words
        let count = shape.blocks.planes * words
        switch state.role {
        case .lead:
            var planes = shape.blocks.comparisons(state.known[0], words: words)
            let mask = keys.own.words(count, stream(.planes, state.part))
            for i in planes.indices { planes[i] ^= mask[i] }
            outgoing.next += planes
        case .middle: break
        case .last: state.values.own = keys.next.words(count, stream(.planes, state.part))
        }
    }

    private func sendBlocks(_ state: inout State, to outgoing: inout Outgoing) {
        let words = state.part.words
        let count = shape.trees * shape.blocks.outputs * words
        let stream = stream(.blocks, state.part)
        switch state.role {
        case .lead:
            state.values = ReplicatedWords(own: keys.own.words(count, stream), next: keys.next.words(count, stream))
        case .middle, .last:
            let isMiddle = state.role == .middle
            var shares: [UInt64] = []
            shares.reserveCapacity(count)
            for others in state.known {
                shares += shape.blocks.lookup(
                    state.values.own, others: others, words: words, ones: isMiddle ? ~0 : 0)
            }
            let mask = (isMiddle ? keys.own : keys.next).words(count, stream)
            for i in shares.indices { shares[i] ^= mask[i] }
            if isMiddle { outgoing.next += shares } else { outgoing.previous += shares }
            state.sent = shares
            state.values = isMiddle ? ReplicatedWords(own: mask, next: []) : ReplicatedWords(own: [], next: mask)
        }
    }

    private func sendGates(_ state: inout State, layer: Int, to outgoing: inout Outgoing) {
        let words = state.part.words
        let left = shape.blocks.blocks(before: layer)
        let gates = CarryBlocks.gates(left)
        var sent = keys.zeroBits(shape.trees * gates * words, stream(.gates, layer: layer, state.part))
        let outputs = 2 * left - 1
        for tree in 0..<shape.trees {
            for gate in 0..<gates {
                let (high, low) = Self.operands(gate)
                let target = (tree * gates + gate) * words
                Self.conjunction(
                    to: &sent, at: target, of: state.values,
                    operands: ((tree * outputs + high) * words, (tree * outputs + low) * words), words: words)
            }
        }
        outgoing.previous += sent
        state.sent = sent
    }

    /// Which of the planes g_0, g_1, p_1, g_2, p_2, ... a gate multiplies: gate 2 j - 1 joins the carries of pair j, gate 2 j what it passes on, and gate 0 the lowest pair's carries.
    private static func operands(_ gate: Int) -> (high: Int, low: Int) {
        let pair = (gate + 1) / 2
        let (low, high) = (2 * pair, 2 * pair + 1)
        return (2 * high, isPassing(gate) ? 2 * low : max(2 * low - 1, 0))
    }

    private static func isPassing(_ gate: Int) -> Bool { gate > 0 && gate % 2 == 0 }

    /// Adds this party's cross terms of x and y.
    private static func conjunction(
        to target: inout [UInt64], at place: Int, of values: ReplicatedWords, operands: (x: Int, y: Int), words: Int
    ) {
        let (x, y) = operands
        target.withUnsafeMutableBufferPointer { target in
            values.own.withUnsafeBufferPointer { own in
                values.next.withUnsafeBufferPointer { next in
                    for w in 0..<words {
                        let (a, b) = (own[x + w], own[y + w])
                        target[place + w] ^= (a & (b ^ next[y + w])) ^ (next[x + w] & b)
                    }
                }
            }
        }
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        var incoming = incoming
        for number in states.indices where !states[number].part.range.isEmpty {
            let part = states[number].part
            let fromNext = shape.traffic(round, of: party.next, part: part).previous
            let fromPrevious = shape.traffic(round, of: party.previous, part: part).next
            let taken = incoming.taken(next: fromNext, previous: fromPrevious)
            switch round {
            case 0: if states[number].role == .middle { states[number].values.own = Array(taken.previous) }
            case 1: takeBlocks(&states[number], taken)
            default: takeGates(&states[number], layer: round - 2, taken.next)
            }
        }
    }

    private func takeBlocks(_ state: inout State, _ incoming: Incoming) {
        guard state.role != .lead else { return }
        let isMiddle = state.role == .middle
        let received = isMiddle ? incoming.next : incoming.previous
        let joined = zip(state.sent, received).map { $0 ^ $1 }
        if isMiddle { state.values.next = joined } else { state.values.own = joined }
        state.sent = []
    }

    private func takeGates(_ state: inout State, layer: Int, _ received: ArraySlice<UInt64>) {
        let words = state.part.words
        let left = shape.blocks.blocks(before: layer)
        let own = joined(state.values.own, state.sent[...], blocks: left, words: words)
        let next = joined(state.values.next, received, blocks: left, words: words)
        state.values = ReplicatedWords(own: own, next: next)
        state.sent = []
    }

    /// Blocks behind a layer, of one component: g_high + p_high g_low, p_high p_low, and an odd last block as it is.
    private func joined(_ before: [UInt64], _ products: ArraySlice<UInt64>, blocks left: Int, words: Int)
        -> [UInt64]
    {
        let (outputs, gates) = (2 * left - 1, CarryBlocks.gates(left))
        var after: [UInt64] = []
        after.reserveCapacity(shape.trees * left * words)
        for tree in 0..<shape.trees {
            let start = tree * outputs * words
            for gate in 0..<gates {
                let product = products.startIndex + (tree * gates + gate) * words
                guard !Self.isPassing(gate) else {
                    after += products[product..<product + words]
                    continue
                }
                let carries = start + (Self.operands(gate).high - 1) * words
                for w in 0..<words { after.append(before[carries + w] ^ products[product + w]) }
            }
            if left % 2 == 1 { after += before[start + (outputs - 2) * words..<start + outputs * words] }
        }
        return after
    }

    /// Behind the last round: the carries, of which the lead knows a part, and both others the rest.
    var carries: LeadBits {
        LeadBits(
            parts: states.map { state in
                switch state.role {
                case .lead: zip(state.values.own, state.values.next).map { $0 ^ $1 }
                case .middle: state.values.next
                case .last: state.values.own
                }
            })
    }

    /// Whether each element's sum with t is not negative, where its magnitude is below 2^bits: its bit number `bits` is its sign, and is 0 then.
    var notNegative: LeadBits {
        var result = carries
        for (number, state) in states.enumerated() {
            let words = state.part.words
            for tree in 0..<shape.trees {
                let plane = state.known[state.role == .lead ? 0 : tree][(shape.bits * words)...]
                for w in 0..<words {
                    result.parts[number][tree * words + w] ^=
                        plane[plane.startIndex + w] ^ (state.role == .lead ? ~0 : 0)
                }
            }
        }
        return result
    }
}
