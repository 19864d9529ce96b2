public import ModularArithmetic

/// How a sign's key is traded for rounds.
public enum ComparisonForm: Sendable, Hashable {
    /// One round and 8 bytes an element each way; 2,032 bytes of key an element for ReLU, 1,520 for the bit, 2,544 for ReLU with truncation.
    case oneRound
    /// Two rounds and 8 bytes an element each way, beside 1/8 for each number compared with; 912 bytes of key an element. What carries another value (``ProgramBuilder/argmax(_:)``) stays at one round.
    case twoRounds
}

/// Makes a ``Program``: what is added follows what was added before it.
///
/// Every value carries a bound on its magnitude that follows from the declared bounds of the inputs and weights, whatever they hold: inputs are held to theirs when a run begins,
/// weights beyond theirs are refused. What could pass 2^62 is refused here, with the step and the bits that it would need: a run never gives a number that wrapped.
public struct ProgramBuilder: Sendable {
    /// What no magnitude reaches.
    static let limit = 0x1p62

    private var steps: [Program.Step] = []
    /// How ReLU, and what is made of it, is computed from here on: maxima, pooling and ``isAtLeast(_:_:)-(Value,Int64)``.
    public var comparisons = ComparisonForm.oneRound
    private var weights: [Weights] = []
    /// Places one behind the other, which many steps of a long program share.
    private var consecutive: [Range<Int>: [Int]] = [:]

    /// Of no steps.
    public init() {}

    /// The program of what was added.
    public func program() -> Program { Program(steps: steps, weights: weights) }

    /// Adds a step.
    mutating func add(
        _ operation: Operation, shape: [Int], bound: Double, named name: String, isNonNegative: Bool = false,
        isRough: Bool? = nil
    ) throws(ComputationError) -> Value {
        guard bound < Self.limit else {
            throw .overflow("step \(steps.count) (\(name))", bits: bound.isFinite ? bound.exponent + 2 : 1024)
        }
        do { _ = try RingTensor.count(shape) } catch {
            throw .shapes("\(name) of shape \(shape)", expected: "\(error)")
        }
        for operand in operation.operands {
            guard steps.indices.contains(operand.place), steps[operand.place].value == operand else {
                throw .parameter("an operand of \(name)", expected: "a value of this program")
            }
            if case .reveal = steps[operand.place].operation {
                throw .parameter("an operand of \(name)", expected: "a secret value, not an opened one")
            }
        }
        let rough = isRough ?? operation.operands.contains(where: \.isRough)
        let value = Value(
            place: steps.count, shape: shape, bound: bound, isNonNegative: isNonNegative, isRough: rough)
        steps.append(Program.Step(operation: operation, value: value))
        return value
    }

    /// A party's input, whose magnitudes are held to `bound` when a run begins.
    ///
    /// - Parameter bound: As an integer of the ring, as ``FixedPoint/integerBound``.
    /// - Throws: ``ComputationError``.
    public mutating func input(from party: ComputingParty, shape: [Int], bound: Int64) throws(ComputationError) -> Value
    {
        guard bound >= 0 else { throw .parameter("an input's bound", expected: "0 or more") }
        return try add(.input(party), shape: shape, bound: Double(bound), named: "input")
    }

    /// Numbers that all know.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func constant(_ tensor: RingTensor) throws(ComputationError) -> Value {
        let signed = tensor.words.map { Int64(bitPattern: $0) }
        return try add(
            .constant(tensor.words), shape: tensor.shape, bound: Double(signed.map(\.magnitude).max() ?? 0),
            named: "constant",
            isNonNegative: signed.allSatisfy { $0 >= 0 })
    }

    /// Weights of one party: rows of a right operand, or kernels of a convolution.
    ///
    /// - Parameters:
    ///   - bound: The largest magnitude of one.
    ///   - sumBound: The largest sum of magnitudes of those that meet in one element of the result. Both are public; weights beyond are refused when a run begins.
    /// - Throws: ``ComputationError``.
    public mutating func weights(
        _ name: String, of owner: ComputingParty, shape: [Int], bound: Int64, sumBound: Int64
    ) throws(ComputationError) -> Weights {
        guard bound >= 0, sumBound >= 0 else { throw .parameter("the bounds of \(name)", expected: "0 or more") }
        do { _ = try RingTensor.count(shape) } catch {
            throw .shapes("\(name) of shape \(shape)", expected: "\(error)")
        }
        let added = Weights(
            place: weights.count, name: name, owner: owner, shape: shape, bound: Double(bound),
            sumBound: Double(sumBound))
        weights.append(added)
        return added
    }

    /// The values, each times a number, added up. Shapes are the same.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func combined(_ terms: [(value: Value, factor: Int64)]) throws(ComputationError) -> Value {
        guard let shape = terms.first?.value.shape, terms.allSatisfy({ $0.value.shape == shape }) else {
            throw .shapes("a sum of \(terms.map(\.value.shape))", expected: "at least one value, all of one shape")
        }
        let bound = terms.reduce(0) { $0 + $1.value.bound * Double($1.factor.magnitude) }
        return try add(
            .combination(terms.map { Operation.Term(value: $0.value, factor: UInt64(bitPattern: $0.factor)) }),
            shape: shape,
            bound: bound, named: "sum", isNonNegative: terms.allSatisfy { $0.value.isNonNegative && $0.factor >= 0 })
    }

    /// a + b.
    public mutating func sum(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        try combined([(a, 1), (b, 1)])
    }

    /// a - b.
    public mutating func difference(_ a: Value, _ b: Value) throws(ComputationError) -> Value {
        try combined([(a, 1), (b, -1)])
    }

    /// The elements at some places, row-major; -1 is zero.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func gathered(_ value: Value, places: [Int], shape: [Int]) throws(ComputationError) -> Value {
        let count = value.count
        guard places.allSatisfy({ (-1..<count).contains($0) }), (try? RingTensor.count(shape)) == places.count else {
            throw .shapes(
                "\(places.count) places of \(count) for the shape \(shape)",
                expected: "places from -1 to \(count - 1), one an element")
        }
        return try add(
            .gather(value, places: places), shape: shape, bound: value.bound, named: "gather",
            isNonNegative: value.isNonNegative)
    }

    /// The same elements in another shape.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func reshaped(_ value: Value, to shape: [Int]) throws(ComputationError) -> Value {
        try gathered(value, places: 0..<value.count, shape: shape)
    }

    /// Elements that lie one behind the other.
    mutating func gathered(_ value: Value, places: Range<Int>, shape: [Int]) throws(ComputationError) -> Value {
        let all = consecutive[places] ?? Array(places)
        consecutive[places] = all
        return try gathered(value, places: all, shape: shape)
    }

    /// Values one behind the other, as one row.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func concatenated(_ values: [Value]) throws(ComputationError) -> Value {
        try add(
            .concatenation(values), shape: [values.reduce(0) { $0 + $1.count }], bound: values.map(\.bound).max() ?? 0,
            named: "concatenation", isNonNegative: values.allSatisfy(\.isNonNegative))
    }

    /// Sums of the last dimension.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func summed(_ value: Value) throws(ComputationError) -> Value {
        guard let last = value.shape.last, last >= 1 else {
            throw .shapes("a sum of the shape \(value.shape)", expected: "a last dimension of at least 1")
        }
        return try add(
            .sums(value, of: last), shape: Array(value.shape.dropLast()), bound: value.bound * Double(last),
            named: "sum",
            isNonNegative: value.isNonNegative)
    }

    /// Opens a value to a party.
    ///
    /// - Throws: ``ComputationError/inexactReveal`` where its low bits come from a truncation that is not exact.
    public mutating func reveal(_ value: Value, to party: ComputingParty) throws(ComputationError) -> Value {
        guard !value.isRough else { throw .inexactReveal }
        return try add(
            .reveal(value, to: party), shape: value.shape, bound: value.bound, named: "reveal",
            isNonNegative: value.isNonNegative)
    }
}
