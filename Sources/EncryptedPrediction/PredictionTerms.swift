internal import Learning
public import ModularArithmetic
public import SecureComputation

/// What is public of a model that is predicted with on shares: architecture, how numbers become integers, bounds. Both parties and the dealer make the same program of it.
///
/// Bounds of weights are powers of two, and so are the limits of activations, so that they tell little.
public struct PredictionTerms: Sendable, Hashable, CustomStringConvertible {
    /// What is opened to who asks.
    public enum Output: String, Sendable, Hashable, CaseIterable {
        /// The number of the largest score alone.
        case label
        /// The outputs before softmax.
        case scores
    }

    /// What is opened to who asks.
    public let output: Output
    /// Of one row.
    public let inputShape: [Int]
    /// How many scores a row has; with one, it is log odds, and labels are 0 and 1.
    public let classes: Int
    /// Bits behind the point of what goes into each linear step.
    public let fractionBits: Int
    /// Bits behind the point of the scores that are opened, or compared.
    public let outputBits: Int
    /// The largest magnitude of an input: what is beyond is held to it.
    public let inputBound: Double
    /// Whether inputs below 0 are held to 0.
    public let inputsAreNonNegative: Bool
    /// How far a score, in front of a softmax or sigmoid at the end, is at most from what the model itself computes in float32, for rows within the bound of which no limit cuts an activation; as the owner computed and states it.
    public let errorBound: Double
    /// Whether ``errorBound`` was proven, or estimated from what was seen on the calibration's rows.
    public let isErrorProven: Bool
    /// How keys of comparisons are traded for rounds.
    public let comparison: ComparisonForm
    /// The model as Learning's `Architecture` writes it.
    public let architecture: [UInt8]
    let layers: [LayerTerms]
    /// For each ReLU, the exponent of what it is held to; nil where it is not held.
    let limits: [Int?]

    init(
        output: Output, plan: PredictionPlan, architecture: [UInt8], range: PredictionRange,
        error: (bound: Double, isProven: Bool)
    ) {
        self.output = output
        (inputShape, classes) = (plan.inputShape, plan.outputs)
        (fractionBits, outputBits) = (range.fractionBits, range.outputBits)
        (inputBound, inputsAreNonNegative) = (range.inputBound, range.inputsAreNonNegative)
        (errorBound, isErrorProven) = (error.bound, error.isProven)
        (comparison, self.architecture) = (range.comparison, architecture)
        (layers, limits) = (range.layers, range.limits)
    }

    /// The most rows of one program.
    public static let largestRows = 4096
    /// The most values of all rows in all steps.
    private static let largestWork = 1 << 27

    /// Shape, scores and the error's bound.
    public var description: String {
        "PredictionTerms(\(inputShape) to \(classes), opening \(output.rawValue), within \(errorBound), \(isErrorProven ? "proven" : "estimated"))"
    }

    func plan() throws(PredictionError) -> PredictionPlan {
        let model: Model
        do { model = try Architecture.model(json: architecture) } catch { throw .model(error) }
        return try PredictionPlan(model)
    }

    /// The largest magnitude of an input, as an integer.
    var inputIntegerBound: Int64 { Int64((inputBound * LayerTerms.power(fractionBits)).rounded(.up)) }

    /// The program for so many rows at once: inputs [rows, ...] of the first party, weights of the second, outputs opened to the first. Deterministic.
    ///
    /// Scores are divided exactly before they are opened or compared: what rests on a division that is not exact alone would show low bits (``ComputationError/inexactReveal``), and the number of the
    /// largest of such scores as well.
    ///
    /// - Throws: ``PredictionError`` where there are no rows, or too many.
    public func program(rows: Int) throws(PredictionError) -> Program {
        let plan = try plan()
        try check(rows: rows, plan)
        var arithmetic = ProgramArithmetic(rows: rows, layers: layers, limits: limits, comparison: comparison)
        let input = try computing("the input") { () throws(ComputationError) in
            try arithmetic.builder.input(from: .first, shape: [rows] + inputShape, bound: inputIntegerBound)
        }
        let scores = try plan.walk(input, fractionBits: fractionBits, outputBits: outputBits, &arithmetic).value
        return try computing("the scores") { () throws(ComputationError) in
            var opened = scores
            if output == .label {
                opened =
                    classes == 1
                    ? try arithmetic.builder.reshaped(try arithmetic.builder.isAtLeast(scores), to: [rows])
                    : try arithmetic.builder.argmax(scores)
            }
            _ = try arithmetic.builder.reveal(opened, to: .first)
            return arithmetic.builder.program()
        }
    }

    private func check(rows: Int, _ plan: PredictionPlan) throws(PredictionError) {
        let most = min(Self.largestRows, Self.largestWork / plan.values)
        guard rows >= 1, rows <= most else { throw .parameter("\(rows) rows at once", expected: "1 to \(most)") }
    }

    /// The client's side: values of rows, one row behind the other, as the program's inputs. What is beyond the bound is held to it.
    ///
    /// Values are as the model takes them: a scaling that is public (`InputScaling`) the client applies before.
    ///
    /// - Throws: ``PredictionError/input(_:expected:)`` where there are not as many values as rows have, or one is no number: its place.
    public func inputs(_ values: [Float], rows: Int) throws(PredictionError) -> [RingTensor] {
        let size = inputShape.reduce(1, *)
        guard rows >= 1, rows <= Self.largestRows, values.count == rows * size else {
            throw .input(
                "\(values.count) values of \(rows) rows", expected: "\(size) a row, of 1 to \(Self.largestRows)")
        }
        if let place = values.firstIndex(where: \.isNaN) {
            throw .input("value \(place % size) of row \(place / size)", expected: "a number: fill in what is missing")
        }
        let limit = inputIntegerBound
        let scale = LayerTerms.power(fractionBits)
        let words = values.map { value in
            let held = min(max(Double(value), inputsAreNonNegative ? 0 : -inputBound), inputBound)
            return UInt64(bitPattern: min(max(Int64((held * scale).rounded()), -limit), limit))
        }
        do { return [try RingTensor(shape: [rows] + inputShape, words: words)] } catch {
            throw .input("the rows", expected: "\(error)")
        }
    }

    /// What was opened, as labels or scores by row.
    ///
    /// - Throws: ``PredictionError/input(_:expected:)`` where it is not what the program opens.
    public func results(_ outputs: [RingTensor], rows: Int) throws(PredictionError) -> PredictionResults {
        let shape = output == .label ? [rows] : [rows, classes]
        guard outputs.map(\.shape) == [shape] else {
            throw .input("outputs of shapes \(outputs.map(\.shape))", expected: "[\(shape)]")
        }
        let words = outputs[0].words.map { Int64(bitPattern: $0) }
        guard output == .scores else {
            guard words.allSatisfy({ (0..<Int64(max(classes, 2))).contains($0) }) else {
                throw .input("a label that was opened", expected: "0 to \(max(classes, 2) - 1)")
            }
            return PredictionResults(labels: words.map(Int.init))
        }
        let range = try range()
        guard words.allSatisfy({ Double($0.magnitude) <= range.value }) else {
            throw .input(
                "a score that was opened", expected: "one that the model can give: somebody did not do their part")
        }
        let unit = range.unit
        return PredictionResults(
            scores: (0..<rows).map { row in words[row * classes..<(row + 1) * classes].map { Double($0) * unit } })
    }

    /// The bound of the scores, as integers and as real numbers.
    ///
    /// - Throws: ``PredictionError/overflow(layer:bits:)``.
    func range() throws(PredictionError) -> Scaled<Double> { try range(encoding: nil).scores }

    /// As ``range()``, with the owner's weights as integers on the way.
    func range(
        encoding weights: [FoldedLayer]?
    ) throws(PredictionError) -> (scores: Scaled<Double>, integers: [LayerIntegers]) {
        var arithmetic = BoundArithmetic(
            layers: layers, limits: limits, encoding: weights.map { ($0, fractionBits) })
        let scores = try plan().walk(
            Double(inputIntegerBound), fractionBits: fractionBits, outputBits: outputBits, &arithmetic)
        return (scores, arithmetic.integers)
    }
}

/// What the range analysis chose.
struct PredictionRange {
    let fractionBits: Int
    let outputBits: Int
    let inputBound: Double
    let inputsAreNonNegative: Bool
    let comparison: ComparisonForm
    let layers: [LayerTerms]
    let limits: [Int?]
}
