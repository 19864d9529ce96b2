internal import ModularArithmetic

/// What rests on a carry: its tree, where there is one, and functions behind it, where they are wanted.
struct LeadShape: ReplicatedShape {
    let carry: CarryShape?
    let function: FunctionShape?
    /// The numbers that are compared with where no functions say them.
    var thresholds: [UInt64] = [0]

    var rounds: Int { (carry?.rounds ?? 0) + (function?.rounds ?? 0) }

    func traffic(_ round: Int, of party: ComputingParty) -> Traffic {
        if let carry, round < carry.rounds { return carry.traffic(round, of: party) }
        return function?.traffic(round - (carry?.rounds ?? 0), of: party) ?? Traffic()
    }

    /// A comparison of a value, below 2^bits in magnitude with all of its differences, with numbers.
    static func sign(
        _ elements: LeadParts, bits: Int, thresholds: [UInt64], results: [SignOperation.Result]
    ) -> LeadShape {
        LeadShape(
            carry: CarryShape(elements, bits: bits, trees: thresholds.count),
            function: FunctionShape(elements: elements, kind: .sign(thresholds: thresholds, results: results)))
    }

    /// A division by 2^bits.
    static func truncation(_ elements: LeadParts, bits: Int, isExact: Bool) -> LeadShape {
        LeadShape(
            carry: isExact ? CarryShape(elements, bits: bits, trees: 1) : nil,
            function: FunctionShape(elements: elements, kind: .truncation(bits: bits, isExact: isExact)))
    }
}

/// A carry's tree, and functions behind it.
struct LeadStep: ReplicatedStep {
    let shape: LeadShape
    let value: ReplicatedWords
    let carried: ReplicatedWords?
    let party: ComputingParty
    let keys: PairwiseKeys
    private var carry: CarryStep?
    private var function: FunctionStep?
    /// Of a comparison without functions: the bits.
    private(set) var bits: LeadBits?

    /// - Parameter bits: Where they are known before, and there is no tree.
    init(
        _ shape: LeadShape, _ value: ReplicatedWords, carried: ReplicatedWords? = nil, bits: LeadBits? = nil,
        party: ComputingParty, keys: PairwiseKeys
    ) {
        (self.shape, self.value, self.carried, self.bits) = (shape, value, carried, bits)
        (self.party, self.keys) = (party, keys)
        if let carryShape = shape.carry {
            carry = CarryStep(carryShape, value, offsets: shape.offsets, party: party, keys: keys)
        } else {
            beginFunctions()
        }
    }

    private var carryRounds: Int { shape.carry?.rounds ?? 0 }

    private mutating func beginFunctions() {
        guard let functionShape = shape.function else { return }
        let dither =
            functionShape.kind.isRough
            ? keys.common.words(value.count, MaskStream(functionShape.elements.place, .fresh)) : []
        let operands = LeadOperands(value: value, carried: carried, bits: bits, dither: dither)
        function = FunctionStep(functionShape, operands, party: party, keys: keys)
    }

    mutating func send(_ round: Int, to outgoing: inout Outgoing) {
        let before = carryRounds
        if round < before {
            carry?.send(round, to: &outgoing)
        } else {
            function?.send(round - before, to: &outgoing)
        }
    }

    mutating func receive(_ round: Int, _ incoming: Incoming) {
        let before = carryRounds
        guard round < before else {
            function?.receive(round - before, incoming)
            return
        }
        carry?.receive(round, incoming)
        guard round == before - 1 else { return }
        bits = shape.isComparison ? carry?.notNegative : carry?.carries
        carry = nil
        beginFunctions()
    }

    /// Of a comparison without functions: the value itself.
    var result: ReplicatedWords { function?.result ?? value }
}

extension LeadShape {
    /// Whether the sign is wanted, and not the carry.
    var isComparison: Bool {
        if case .truncation = function?.kind { return false }
        return true
    }

    /// What is added to t, tree by tree.
    var offsets: [UInt64] {
        switch function?.kind {
        case .truncation(let bits, let isExact): [LeadFunctions.offset(bits, isExact: isExact)]
        case .sign(let thresholds, _): thresholds.map { 0 &- $0 }
        case nil: thresholds.map { 0 &- $0 }
        }
    }
}
