internal import ModularArithmetic

extension Value {
    /// So many bits that no magnitude of the value, less or plus such a number, reaches 2^bits: 1 to 63. (Bounds are rounded, each sum and product by a part in 2^53 at most.)
    func bits(with largest: Double) -> Int {
        let all = (bound + largest) * (1 + 0x1p-30) + 1
        return min(max(all.exponent + 1, 1), 63)
    }

    /// The same, of the largest of some numbers.
    func bits(for thresholds: [UInt64]) -> Int {
        bits(with: thresholds.map { Double(Int64(bitPattern: $0).magnitude) }.max() ?? 0)
    }
}

extension Program {
    /// What of a step is public when three compute it; nil for a local one.
    func replicatedShape(_ place: Int) -> (any ReplicatedShape)? {
        switch operation(place) {
        case .product(let map, _, _), .weighted(let map, _, _): ProductShape(count: map.resultCount)
        case .reveal(let value, let to): RevealShape(count: value.count, to: to)
        default: leadShape(place)
        }
    }

    /// What of a comparison or truncation is public.
    func leadShape(_ place: Int) -> LeadShape? {
        switch operation(place) {
        case .truncation(let value, let bits, let isExact):
            return .truncation(LeadParts(count: value.count, place: place), bits: bits, isExact: isExact)
        case .sign(let sign):
            return .sign(
                LeadParts(count: sign.value.count, place: place), bits: sign.value.bits(for: sign.thresholds),
                thresholds: sign.thresholds, results: sign.results)
        case .compactSign(let value, let thresholds):
            let elements = LeadParts(count: value.count, place: place)
            return LeadShape(
                carry: CarryShape(elements, bits: value.bits(for: thresholds), trees: thresholds.count),
                function: nil, thresholds: thresholds)
        case .compactProduct(let product):
            // The parts of the sign's elements, and streams of its own.
            let elements = LeadParts(count: product.count, place: place, rotation: product.sign.place)
            return LeadShape(
                carry: nil,
                function: FunctionShape(
                    elements: elements, kind: .sign(thresholds: product.thresholds, results: product.results)))
        default: return nil
        }
    }
}

/// When three parties take each step of a program: as soon as its operands are there, steps side by side.
struct ThreePartyPlan: Sendable {
    /// For each round, the interactive steps that send in it, in the order in which their words stand, each with its own round. The first round shares keys and inputs.
    let rounds: [[(place: Int, round: Int)]]
    /// For each number of rounds that are over, the steps that begin: local ones are taken, the others prepared.
    let begun: [[Int]]
    /// After how many rounds a step's value is needed no more; one more than there are rounds for those that stay.
    let lastUse: [Int]
    let shapes: [Int: any ReplicatedShape]
    /// For each round, what each party sends.
    private let traffic: [[Traffic]]

    init(_ program: Program) {
        var ready = [Int](repeating: 0, count: program.steps.count)
        var start = ready
        var last = ready
        var shapes: [Int: any ReplicatedShape] = [:]
        for (place, step) in program.steps.enumerated() {
            var first = step.operation.operands.map { ready[$0.place] }.max() ?? 0
            if case .input = step.operation { first = 1 }
            shapes[place] = program.replicatedShape(place)
            if shapes[place] != nil { first = max(first, 1) }
            start[place] = first
            ready[place] = first + (shapes[place]?.rounds ?? 0)
            last[place] = ready[place]
            for operand in step.operation.operands { last[operand.place] = max(last[operand.place], first) }
        }
        let depth = max(ready.max() ?? 0, 1)
        var rounds = [[(place: Int, round: Int)]](repeating: [], count: depth)
        var begun = [[Int]](repeating: [], count: depth + 1)
        for place in program.steps.indices {
            begun[start[place]].append(place)
            for round in 0..<(shapes[place]?.rounds ?? 0) { rounds[start[place] + round].append((place, round)) }
        }
        for (place, step) in program.steps.enumerated() {
            if case .reveal = step.operation { last[place] = depth + 1 }
        }
        (self.rounds, self.begun, self.shapes, lastUse) = (rounds, begun, shapes, last)
        traffic = rounds.enumerated().map { number, steps in
            ComputingParty.three.map { party in
                guard number > 0 else { return Self.first(program, of: party) }
                return steps.reduce(Traffic()) { $0 + (shapes[$1.place]?.traffic($1.round, of: party) ?? Traffic()) }
            }
        }
    }

    /// Of the first round: the seed of a key, and masked inputs.
    private static func first(_ program: Program, of party: ComputingParty) -> Traffic {
        let own = program.inputs.filter { program.operation($0.place) == .input(party) }
        return Traffic(next: own.reduce(0) { $0 + $1.count }, previous: ThreePartyRounds.seedWords)
    }

    /// Words that a party sends in a round.
    func traffic(_ round: Int, of party: ComputingParty) -> Traffic { traffic[round][party.rawValue] }
}

/// What a run of three parties costs: counted while it runs, or beforehand from the program.
public struct ThreePartyCost: Sendable, Hashable, CustomStringConvertible {
    /// Rounds: in each, each party sends a message to each of the two others, and all cross.
    public var rounds = 0
    /// Bytes that each party sends, headers included: of the first, the second, the third.
    public var bytesFrom = [0, 0, 0]
    /// Bytes of the longest message, header included.
    public private(set) var largestMessage = 0

    /// Nothing yet.
    public init() {}

    /// All parties together.
    public var bytes: Int { bytesFrom.reduce(0, +) }

    /// One run behind the other.
    public static func + (a: ThreePartyCost, b: ThreePartyCost) -> ThreePartyCost {
        var sum = a
        sum.rounds += b.rounds
        sum.bytesFrom = zip(a.bytesFrom, b.bytesFrom).map(+)
        sum.largestMessage = max(a.largestMessage, b.largestMessage)
        return sum
    }

    mutating func send(_ words: Int, from party: ComputingParty) {
        let bytes = ThreePartyMessage.headerBytes + 8 * words
        bytesFrom[party.rawValue] += bytes
        largestMessage = max(largestMessage, bytes)
    }

    /// All of it.
    public var description: String {
        "\(rounds) rounds, \(bytesFrom.map(String.init).joined(separator: " + ")) bytes"
    }
}

extension Program {
    /// What a run of three parties costs with abort, known before anything is sent.
    ///
    /// - Parameter weightsAreVerified: Whether an earlier run has proved all weights to be within their bounds.
    /// - Throws: ``ComputationError/unverifiable(_:)``.
    public func threePartyCostWithAbort(weightsAreVerified: Bool = false) throws(ComputationError) -> ThreePartyCost {
        let plan = try VerifiedPlan(self, weightsAreVerified: weightsAreVerified)
        let first = ThreePartyPlan(self)
        var cost = ThreePartyCost()
        for round in 0...plan.rounds {
            cost.rounds += 1
            for party in ComputingParty.three {
                let traffic = round == 0 ? first.traffic(0, of: party) : plan.traffic(round - 1, of: party)
                cost.send(traffic.next, from: party)
                cost.send(traffic.previous, from: party)
            }
        }
        return cost
    }

    /// What a run of three parties costs, known before anything is sent.
    public var threePartyCost: ThreePartyCost {
        let plan = ThreePartyPlan(self)
        var cost = ThreePartyCost()
        for round in plan.rounds.indices {
            cost.rounds += 1
            for party in ComputingParty.three {
                let traffic = plan.traffic(round, of: party)
                cost.send(traffic.next, from: party)
                cost.send(traffic.previous, from: party)
            }
        }
        return cost
    }
}
