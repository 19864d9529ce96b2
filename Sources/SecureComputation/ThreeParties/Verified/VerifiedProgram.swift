internal import ModularArithmetic

/// A program as three parties run it with abort: every operation in steps of which conjunctions and products alone are computed in common, each of them to be verified before anything is opened.
///
/// **Comparisons.** A value is the sum of three components, each of which two parties know, so that its bits are shared without a message. One layer of conjunctions makes two numbers of the three (carry
/// save), and a tree of neighbours' (g, p) gives the carry. **A bit as a number** is b0 + b1 - 2 b0 b1 for two components, whose product the party that
/// knows both claims, and so on with the third, by a product.
///
/// **Divisions** are exact, also where the program allows less: x / 2^m = x0 / 2^m + x1 / 2^m + x2 / 2^m + what the low bits carry, 0, 1 or 2, - 2^(64 - m) times how often the sum passes 2^64, which
/// two high bits say since the value itself is below 2^63.
///
/// **Bounds.** Whoever gives an input or weights also claims the carries of their components' sums with the bounds, whose highest bits must then be zero: a conjunction a bit, which is verified with all others. So no input passes its bound, whoever gives it, and no value of the program its own.
struct VerifiedProgram: Sendable {
    let program: Program
    private(set) var steps: [VerifiedStep] = []
    /// Of each step: elements.
    private(set) var counts: [Int] = []
    /// Of each step: planes, of those of bits.
    private(set) var planes: [Int] = []
    /// What is opened, and to whom: the program's place and the step.
    private(set) var reveals: [(place: Int, step: Int, to: ComputingParty)] = []
    /// By the program's place, the step that has its value.
    private(set) var numbers: [Int: Int] = [:]
    /// By the program's weights, in their order, the step that has them.
    private var weightSteps: [Int] = []
    /// For each round, its interactive steps; for each number of rounds that are over, the local ones that can be taken.
    private(set) var rounds: [[Int]] = []
    private(set) var locals: [[Int]] = []
    /// After how many rounds a step's value is needed no more.
    private(set) var lastUse: [Int] = []

    /// - Throws: ``ComputationError/unverifiable(_:)`` where something cannot be verified.
    init(_ program: Program, weightsAreVerified: Bool) throws(ComputationError) {
        self.program = program
        for weights in program.weights { try addWeights(weights, areVerified: weightsAreVerified) }
        for place in program.steps.indices { try add(place) }
        schedule()
    }

    /// Adds a step, and gives its number.
    mutating func add(_ step: VerifiedStep, count: Int, planes: Int = 0) -> Int {
        steps.append(step)
        counts.append(count)
        self.planes.append(planes)
        return steps.count - 1
    }

    /// Words of a plane of a step.
    func words(_ step: Int) -> Int { PackedBits.words(counts[step]) }

    /// Words that a round is about: of each party for gates and products, of the owner for what it claims.
    func traffic(_ step: Int) -> Int {
        switch steps[step] {
        case .gates(let gates): gates.count * words(step)
        case .product(let map, _, _): map.resultCount
        case .carries: 63 * words(step)
        case .positives, .joint: counts[step]
        default: 0
        }
    }

    private mutating func add(_ place: Int) throws(ComputationError) {
        let value = program.steps[place].value
        switch program.operation(place) {
        case .input(let owner):
            let input = add(.local(place: place), count: value.count)
            numbers[place] = input
            addBounds(input, owner: owner, bound: UInt64(value.bound), count: value.count)
        case .shared: throw .unverifiable("shares of a table, which no run with abort made")
        case .product(let map, let left, let right):
            numbers[place] = add(.product(map, number(left), number(right)), count: value.count)
        case .weighted(let map, let left, let weights):
            numbers[place] = add(
                .product(map, number(left), weightSteps[weights.place]), count: value.count)
        case .truncation(let operand, let bits, _):
            numbers[place] = addQuotient(number(operand), bits: bits, count: operand.count)
        case .sign(let sign): numbers[place] = add(sign)
        // The bits are made where they are wanted.
        case .compactSign: break
        case .compactProduct(let product):
            guard case .compactSign(let operand, _) = program.operation(product.sign.place) else { return }
            numbers[place] = add(
                SignOperation(
                    value: operand, thresholds: product.thresholds, results: product.results, carried: nil))
        case .reveal(let value, let to): reveals.append((place, number(value), to))
        case .constant, .combination, .gather, .concatenation, .sums, .publicProduct, .masked:
            numbers[place] = add(.local(place: place), count: value.count)
        }
    }

    private func number(_ value: Value) -> Int { numbers[value.place] ?? 0 }

    private mutating func add(_ sign: SignOperation) -> Int {
        let (value, count) = (number(sign.value), sign.value.count)
        let bits = sign.value.bits(for: sign.thresholds)
        var parts: [Int] = []
        for threshold in sign.thresholds {
            let bit = addNumber(
                [addNotNegative(value, offset: 0 &- threshold, bits: bits, count: count)], count: count)
            for result in sign.results {
                switch result {
                case .bit: parts.append(bit)
                case .excess: parts.append(addExcess(bit, value, threshold, count: count))
                case .truncated(let by):
                    parts.append(
                        addQuotient(
                            addExcess(bit, value, threshold, count: count), bits: by, count: count, isNonNegative: true)
                    )
                case .carried:
                    let carried = sign.carried.map(number) ?? value
                    parts.append(add(.product(.elements(count), bit, carried), count: count))
                }
            }
        }
        return parts.count == 1 ? parts[0] : add(.concatenation(parts), count: parts.count * count)
    }

    /// The bit times the value less a number.
    private mutating func addExcess(_ bit: Int, _ value: Int, _ threshold: UInt64, count: Int) -> Int {
        let excess = add(
            .combination([VerifiedStep.Term(step: value, factor: 1)], constant: 0 &- threshold), count: count)
        return add(.product(.elements(count), bit, excess), count: count)
    }

    private mutating func schedule() {
        var level = [Int](repeating: 0, count: steps.count)
        lastUse = level
        for (number, step) in steps.enumerated() {
            let before = step.operands(program, numbers).map { operand in
                lastUse[operand] = max(lastUse[operand], 0)
                return level[operand]
            }
            level[number] = (before.max() ?? 0) + (step.isInteractive ? 1 : 0)
            lastUse[number] = level[number]
            for operand in step.operands(program, numbers) {
                lastUse[operand] = max(lastUse[operand], level[number])
            }
        }
        let depth = level.max() ?? 0
        rounds = [[Int]](repeating: [], count: depth)
        locals = [[Int]](repeating: [], count: depth + 1)
        for (number, step) in steps.enumerated() {
            if step.isInteractive {
                rounds[level[number] - 1].append(number)
            } else {
                locals[level[number]].append(number)
            }
        }
        for number in reveals.map(\.step) { lastUse[number] = depth + 1 }
    }

    private mutating func addWeights(_ weights: Weights, areVerified: Bool) throws(ComputationError) {
        let number = program.weights.filter { $0.owner == weights.owner }.prefix { $0.place != weights.place }.count
        let step = add(.weights(owner: weights.owner, number: number), count: weights.count)
        weightSteps.append(step)
        guard !areVerified else { return }
        let outputs = max(weights.shape.count == 2 ? weights.shape[1] : weights.shape.first ?? 1, 1)
        let terms = weights.count / outputs
        guard weights.bound < ProgramBuilder.limit else {
            throw .unverifiable("the weights \(weights.name), of up to \(weights.bound): a bound below 2^62")
        }
        guard weights.sumBound < weights.bound * Double(terms) else {
            addBounds(step, owner: weights.owner, bound: UInt64(weights.bound), count: weights.count)
            return
        }
        guard weights.bound * Double(terms) < 0x1p61 else {
            throw .unverifiable(
                "the weights \(weights.name), whose \(terms) magnitudes in an element could pass 2^61 together: a smaller bound"
            )
        }
        addMagnitudes(step, weights, outputs: outputs)
    }

    /// |w| is 2 p - w at most for some p with p and p - w not negative: the owner gives p, whose sums are then bounded.
    private mutating func addMagnitudes(_ step: Int, _ weights: Weights, outputs: Int) {
        let (owner, count) = (weights.owner, weights.count)
        let positive = add(.positives(of: step, owner: owner), count: count)
        let negative = add(
            .combination(
                [VerifiedStep.Term(step: positive, factor: 1), VerifiedStep.Term(step: step, factor: ~0)], constant: 0),
            count: count)
        for part in [positive, negative] { addRange(part, owner: owner, offset: 0, count: count, zeros: 2) }
        // Less the magnitudes, element by element and output by output.
        let rest = add(
            .combination(
                [VerifiedStep.Term(step: step, factor: 1), VerifiedStep.Term(step: positive, factor: 0 &- 2)],
                constant: 0),
            count: count)
        addRange(rest, owner: owner, offset: UInt64(weights.bound), count: count, zeros: 1)
        let total = add(
            .sums(of: rest, inColumns: weights.shape.count == 2), count: outputs)
        addRange(total, owner: owner, offset: UInt64(weights.sumBound), count: outputs, zeros: 1)
    }
}
