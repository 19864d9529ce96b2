internal import ModularArithmetic

/// A secret value of a program: a place, a shape, and a bound that holds whatever the inputs are.
public struct Value: Sendable, Hashable {
    /// Its place in the program.
    public let place: Int
    /// Its sizes.
    public let shape: [Int]
    /// The largest magnitude that it can have, as an integer of the ring.
    public let bound: Double
    /// Whether it is never negative.
    public let isNonNegative: Bool
    /// Whether some element went through a truncation that is not exact, and through no exact one since.
    public let isRough: Bool

    /// How many elements it has.
    public var count: Int { shape.reduce(1, *) }
}

/// Weights that one party has, of a declared bound.
public struct Weights: Sendable, Hashable {
    /// Its place among the program's weights.
    public let place: Int
    /// For messages.
    public let name: String
    /// Whose they are.
    public let owner: ComputingParty
    /// Its sizes.
    public let shape: [Int]
    /// The largest magnitude of one, as an integer of the ring.
    public let bound: Double
    /// The largest sum of magnitudes in an output.
    public let sumBound: Double

    var count: Int { shape.reduce(1, *) }
}

/// What parties compute, known to all of them, and to the dealer where there is one: operations in an order in which each follows its operands. Made by a ``ProgramBuilder``.
public struct Program: Sendable {
    struct Step: Sendable, Hashable {
        let operation: Operation
        let value: Value
    }

    let steps: [Step]
    /// The weights that it multiplies by.
    public let weights: [Weights]
    /// The inputs, in their order, and what is shared already among them.
    public let inputs: [Value]
    /// The values that are opened, each with whom it is opened to.
    public let outputs: [(value: Value, to: ComputingParty)]
    /// For each round, its interactive steps.
    let rounds: [[Int]]
    /// For each number of rounds that are over, the local steps that can be taken.
    let locals: [[Int]]
    /// After which round a step's value is needed no more; its place in `rounds`, and one more for those that stay.
    let lastUse: [Int]
    /// A digest of all of it (SHA-256): both parties and the dealer mean the same.
    public let digest: [UInt8]

    init(steps: [Step], weights: [Weights]) {
        self.steps = steps
        self.weights = weights
        var level = [Int](repeating: 0, count: steps.count)
        var last = [Int](repeating: 0, count: steps.count)
        for (place, step) in steps.enumerated() {
            let before = step.operation.operands.map { level[$0.place] }.max() ?? 0
            level[place] = before + (step.operation.isInteractive ? 1 : 0)
            for operand in step.operation.operands {
                last[operand.place] = max(last[operand.place], level[place])
                // What was opened of an operand that is masked once stays for as long as what was gathered from it.
                var source = operand.place
                while case .gather(let earlier, _) = steps[source].operation { source = earlier.place }
                if case .masked = steps[source].operation { last[source] = max(last[source], level[place]) }
            }
        }
        let depth = level.max() ?? 0
        var rounds = [[Int]](repeating: [], count: depth)
        var locals = [[Int]](repeating: [], count: depth + 1)
        for (place, step) in steps.enumerated() {
            if step.operation.isInteractive {
                rounds[level[place] - 1].append(place)
            } else {
                locals[level[place]].append(place)
            }
        }
        inputs = steps.compactMap { step in
            switch step.operation {
            case .input, .shared: step.value
            default: nil
            }
        }
        outputs = steps.compactMap { if case .reveal(_, let to) = $0.operation { ($0.value, to) } else { nil } }
        for (value, _) in outputs { last[value.place] = depth + 1 }
        self.rounds = rounds
        self.locals = locals
        lastUse = last
        digest = Self.digest(steps, weights)
    }

    /// SHA-256 of the canonical words of all weights and steps.
    private static func digest(_ steps: [Step], _ weights: [Weights]) -> [UInt8] {
        var words = CanonicalWords("parley/two-party-program/1")
        words.append(weights.count)
        for one in weights {
            words.append(one.name)
            words.append([one.place, one.owner.rawValue])
            words.append(one.shape)
            words.append([one.bound.bitPattern, one.sumBound.bitPattern])
        }
        for step in steps {
            words.append(step.value.shape)
            words.append([step.value.bound.bitPattern])
            words.append(step.operation)
        }
        return words.digest
    }

    /// Whether a third party gives or gets anything: such a program needs a ``ThreePartyMachine``.
    public var namesThirdParty: Bool {
        weights.contains { $0.owner == .third }
            || steps.contains { step in
                switch step.operation {
                case .input(let party), .reveal(_, let party): party == .third
                case .shared: true
                default: false
                }
            }
    }

    /// - Throws: ``ComputationError/thirdParty`` where it names more parties than two.
    func checkTwoParties() throws(ComputationError) {
        guard !namesThirdParty else { throw .thirdParty }
    }

    /// The step's operation.
    func operation(_ place: Int) -> Operation { steps[place].operation }

    /// Words that a party opens in a step.
    func openedWords(_ place: Int, by party: ComputingParty) -> Int {
        switch steps[place].operation {
        case .product(let map, let left, let right):
            (maskedOperand(left) == nil ? map.leftCount : 0) + (maskedOperand(right) == nil ? map.rightCount : 0)
        case .masked(let value): value.count
        case .weighted(let map, _, let weights): party == weights.owner ? 0 : map.leftCount
        case .truncation(let value, _, _): value.count
        case .sign(let sign): sign.value.count * (sign.carried == nil ? 1 : 2)
        case .compactSign(let value, _): value.count
        case .compactProduct(let product): PackedBits.words(product.bitCount)
        case .reveal(let value, let to): party == to ? 0 : value.count
        default: 0
        }
    }

    /// Words that a party sends in a round.
    func openedWords(round: Int, by party: ComputingParty) -> Int {
        rounds[round].reduce(0) { $0 + openedWords($1, by: party) }
    }
}
