public import Learning
public import ModularArithmetic
public import TwoPartyComputation

/// The model owner's side: terms for all, and weights as integers for the owner alone.
public struct PreparedModel: Sendable, CustomStringConvertible, CustomReflectable {
    /// What is public.
    public let terms: PredictionTerms
    /// In the program's order.
    public let weights: [RingTensor]

    /// Chooses bits and limits so that no number can pass the ring, whatever the rows and within the terms' bounds, and states how far scores can be from the model's own.
    ///
    /// Each ReLU is held to twice the largest value that calibration saw, rounded up to a power of two, or, without calibration, to 1024 where the worst case could pass it and the ring has no room.
    /// ``PredictionTerms/errorBound`` is proven (``PredictionTerms/isErrorProven``) unless that bound is above 1 and there is a calibration: then it is eight times the largest error of its first rows, which
    /// is an estimate.
    ///
    /// - Parameters:
    ///   - inputBound: The largest magnitude of an input, above 0 and at most 2^24: what is beyond is held to it.
    ///   - inputsAreNonNegative: Whether inputs below 0 are held to 0, as pixels are: bounds of errors are smaller.
    ///   - calibration: Public rows, one behind the other: never private ones, since limits are public and follow from them.
    ///   - fractionBits: Behind the point of what goes into each linear step, 8 to 20; nil: the most that fit.
    ///   - threads: 1 or 2, for the estimate.
    /// - Throws: ``PredictionError``: layers that have no form on shares, ranges that do not fit, each with the layer.
    public init(
        _ model: Model, _ parameters: Parameters, inputBound: Double,
        inputsAreNonNegative: Bool = false, calibration: [Float]? = nil, output: PredictionTerms.Output,
        comparison: ComparisonForm = .oneRound, fractionBits: Int? = nil,
        threads: Int = 1
    ) throws(PredictionError) {
        do { try model.check(parameters) } catch { throw .model(error) }
        guard inputBound > 0, inputBound <= 0x1p24 else {
            throw .parameter("the bound of inputs", expected: "above 0 and at most 2^24")
        }
        guard fractionBits == nil || (8...20).contains(fractionBits ?? 0) else {
            throw .parameter("\(fractionBits ?? 0) bits behind the point", expected: "8 to 20")
        }
        let plan = try PredictionPlan(model)
        var folded: [FoldedLayer] = []
        for step in plan.linears { folded.append(try FoldedLayer(step, parameters)) }
        let size = plan.inputShape.reduce(1, *)
        let rows = (calibration?.count ?? 0) / size
        guard rows * size == calibration?.count ?? 0, calibration == nil || rows > 0 else {
            throw .input(
                "\(calibration?.count ?? 0) values of calibration", expected: "\(size) a row, at least one row")
        }
        let wish = Wish(
            inputs: (inputsAreNonNegative ? 0 : -inputBound)...inputBound, output: output, comparison: comparison,
            fractionBits: fractionBits)
        let seen = try calibration.map { (values) throws(PredictionError) in
            try Self.seen(plan, folded, values, wish)
        }
        let chosen = try Self.range(plan, folded, seen: seen, wish)
        var errors = ErrorArithmetic(
            folded: folded, integers: chosen.integers, layers: chosen.range.layers, limits: chosen.range.limits,
            fractionBits: chosen.range.fractionBits)
        let unit = LayerTerms.power(-chosen.range.fractionBits)
        let known = try plan.walk(
            KnownValues(
                low: [Double](repeating: wish.inputs.lowerBound, count: size),
                high: [Double](repeating: inputBound, count: size),
                error: [Double](repeating: unit / 2, count: size)),
            fractionBits: chosen.range.fractionBits, outputBits: chosen.range.outputBits, &errors)
        let proven = (known.value.error.max() ?? 0) * (1 + 1e-6)
        guard proven.isFinite, !proven.isNaN else {
            throw .parameter("the error's bound", expected: "a finite number: smaller weights")
        }
        let architecture = Architecture.json(model)
        func terms(_ bound: Double, _ isProven: Bool) -> PredictionTerms {
            PredictionTerms(
                output: output, plan: plan, architecture: architecture, range: chosen.range,
                error: (Self.roundedUp(bound), isProven))
        }
        weights = try Self.weights(plan, chosen.integers)
        guard proven > 1, let calibration else {
            self.terms = terms(proven, true)
            return
        }
        let trial = Self.Trial(model: model, parameters: parameters, weights: weights, threads: threads)
        let scored = PredictionTerms(
            output: .scores, plan: plan, architecture: architecture, range: chosen.range, error: (0, false))
        self.terms = terms(8 * (try trial.error(scored, Array(calibration.prefix(min(rows, 4) * size)))), false)
    }

    /// The twin: the same integers without cryptography.
    ///
    /// - Throws: ``PredictionError`` for rows that do not fit.
    public func clear(_ values: [Float], rows: Int, threads: Int = 1) throws(PredictionError) -> PredictionResults {
        let program = try terms.program(rows: rows)
        let inputs = try terms.inputs(values, rows: rows)
        let outputs = try computing("the model") { () throws(ComputationError) in
            try ClearText.run(program, inputs: inputs, weights: weights, threads: threads).outputs
        }
        return try terms.results(outputs, rows: rows)
    }

    /// What the owner asks for.
    private struct Wish {
        let inputs: ClosedRange<Double>
        let output: PredictionTerms.Output
        let comparison: ComparisonForm
        let fractionBits: Int?
    }

    /// The largest value behind each ReLU.
    private static func seen(
        _ plan: PredictionPlan, _ folded: [FoldedLayer], _ values: [Float], _ wish: Wish
    ) throws(PredictionError) -> [Double] {
        let size = plan.inputShape.reduce(1, *)
        guard values.allSatisfy(\.isFinite) else {
            throw .input("the calibration's values", expected: "finite numbers")
        }
        var arithmetic = RealArithmetic(folded: folded, seen: [Double](repeating: 0, count: plan.activations))
        for row in 0..<values.count / size {
            let input = values[row * size..<(row + 1) * size].map {
                min(max(Double($0), wish.inputs.lowerBound), wish.inputs.upperBound)
            }
            _ = try plan.walk(input, fractionBits: 16, outputBits: 12, &arithmetic)
        }
        return arithmetic.seen
    }

    /// The most bits behind the point with which nothing can pass the ring: without limits where there was no calibration, or else with them.
    private static func range(
        _ plan: PredictionPlan, _ folded: [FoldedLayer], seen: [Double]?, _ wish: Wish
    ) throws(PredictionError) -> (range: PredictionRange, integers: [LayerIntegers]) {
        let all = wish.fractionBits.map { [$0] } ?? Array((8...20).reversed())
        // Bits of weights first at least 16; then fewer, rather than none.
        var attempts: [(bits: Int, least: Int, clamp: Int?)] = []
        for clamp in seen == nil ? [nil, RangeChoice.clamp] : [nil] {
            attempts += all.filter { $0 >= 12 || $0 == wish.fractionBits }.map { ($0, 16, clamp) }
        }
        attempts += all.map { ($0, 8, seen == nil ? RangeChoice.clamp : nil) }
        var last: PredictionError?
        for attempt in attempts {
            let choice = RangeChoice(
                folded: folded, fractionBits: attempt.bits, leastBits: attempt.least, seen: seen, clamp: attempt.clamp)
            var arithmetic = BoundArithmetic(choosing: choice)
            let outputBits = wish.output == .label ? attempt.bits : min(attempt.bits, Self.scoreBits)
            do {
                let bound = (wish.inputs.upperBound * LayerTerms.power(attempt.bits)).rounded(.up)
                _ = try plan.walk(bound, fractionBits: attempt.bits, outputBits: outputBits, &arithmetic)
            } catch {
                guard case .overflow = error else { throw error }
                last = error
                continue
            }
            let range = PredictionRange(
                fractionBits: attempt.bits, outputBits: outputBits, inputBound: wish.inputs.upperBound,
                inputsAreNonNegative: wish.inputs.lowerBound == 0, comparison: wish.comparison,
                layers: arithmetic.layers, limits: arithmetic.limits)
            return (range, arithmetic.integers)
        }
        throw last ?? .parameter("bits behind the point", expected: "8 to 20")
    }

    /// Behind the point of scores that are opened: what is below would tell more of the weights than of the row.
    private static let scoreBits = 10

    private static func weights(
        _ plan: PredictionPlan, _ integers: [LayerIntegers]
    ) throws(PredictionError) -> [RingTensor] {
        var tensors: [RingTensor] = []
        for (step, layer) in zip(plan.linears, integers) {
            do {
                tensors.append(
                    try RingTensor(shape: step.weightShape, words: layer.weights.map { UInt64(bitPattern: $0) }))
                if step.hasBias {
                    tensors.append(
                        try RingTensor(shape: [1, step.outputs], words: layer.bias.map { UInt64(bitPattern: $0) }))
                }
            } catch { throw .input("weights of \(step.name)", expected: "\(error)") }
        }
        return tensors
    }

    /// With two digits, so that it tells little of the weights.
    static func roundedUp(_ bound: Double) -> Double {
        guard bound > 0 else { return 0 }
        var exponent = -320
        var power = Double("1e\(exponent)") ?? 0
        while bound / power > 99, exponent < 300 {
            exponent += 1
            power = Double("1e\(exponent)") ?? 0
        }
        return Double("\(Int((bound / power).rounded(.up)))e\(exponent)") ?? bound
    }

    /// The shape of the terms alone: weights are the owner's.
    public var description: String { "PreparedModel(\(terms.inputShape) to \(terms.classes))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension PreparedModel {
    /// A trial of the twin beside the model.
    private struct Trial {
        let model: Model
        let parameters: Parameters
        let weights: [RingTensor]
        let threads: Int

        /// The largest difference of a score, row by row.
        func error(_ terms: PredictionTerms, _ values: [Float]) throws(PredictionError) -> Double {
            let size = terms.inputShape.reduce(1, *)
            var largest = 0.0
            let program = try terms.program(rows: 1)
            for start in stride(from: 0, to: values.count, by: size) {
                let row = values[start..<start + size].map {
                    min(max($0, -Float(terms.inputBound)), Float(terms.inputBound))
                }
                let expected: [Float]
                do {
                    let scoring = try Model(
                        inputShape: model.inputShape, layers: PredictionPlan.scoring(model.layers))
                    expected = try scoring.predict(Tensor(shape: [1] + terms.inputShape, values: row), parameters)
                        .values
                } catch { throw .model(error) }
                let inputs = try terms.inputs(row, rows: 1)
                let outputs = try computing("the model") { () throws(ComputationError) in
                    try ClearText.run(program, inputs: inputs, weights: weights, threads: threads).outputs
                }
                let scores = try terms.results(outputs, rows: 1).scores?[0] ?? []
                for (score, own) in zip(scores, expected) { largest = max(largest, abs(score - Double(own))) }
            }
            return largest
        }
    }
}
