internal import SecureComputation

/// What an owner asks for.
struct PredictionWish {
    let inputs: ClosedRange<Double>
    let output: PredictionTerms.Output
    let comparison: ComparisonForm
    let fractionBits: Int?

    /// A row's values, held to the range.
    func held(_ row: ArraySlice<Float>) -> [Double] {
        row.map { min(max(Double($0), inputs.lowerBound), inputs.upperBound) }
    }
}

extension PredictionPlan {
    /// Elements of a row.
    var inputCount: Int { inputShape.reduce(1, *) }

    /// The largest value behind each ReLU.
    ///
    /// - Parameter values: Rows, one behind the other.
    func largestActivations(
        _ folded: [FoldedLayer], _ values: [Float], _ wish: PredictionWish
    ) throws(PredictionError) -> [Double] {
        guard !values.isEmpty, values.count.isMultiple(of: inputCount), values.allSatisfy(\.isFinite) else {
            throw .input(
                "\(values.count) values of calibration",
                expected: "\(inputCount) a row, at least one row, finite numbers")
        }
        var arithmetic = RealArithmetic(folded: folded, seen: [Double](repeating: 0, count: activations))
        for start in stride(from: 0, to: values.count, by: inputCount) {
            let row = wish.held(values[start..<start + inputCount])
            _ = try walk(row, fractionBits: 16, outputBits: 16, &arithmetic)
        }
        return arithmetic.seen
    }

    /// The most bits behind the point with which nothing can pass the ring: without limits where there was no calibration, or else with them.
    func range(
        _ folded: [FoldedLayer], seen: [Double]?, _ wish: PredictionWish
    ) throws(PredictionError) -> (range: PredictionRange, integers: [LayerIntegers]) {
        var last: PredictionError?
        for attempt in Self.attempts(isCalibrated: seen != nil, wish.fractionBits) {
            var arithmetic = BoundArithmetic(choosing: RangeChoice(folded: folded, seen: seen, attempt))
            let bits = attempt.fractionBits
            let outputBits = wish.output == .label ? bits : min(bits, Self.scoreBits)
            do {
                let bound = (wish.inputs.upperBound * LayerTerms.power(bits)).rounded(.up)
                _ = try walk(bound, fractionBits: bits, outputBits: outputBits, &arithmetic)
            } catch {
                guard case .overflow = error else { throw error }
                last = error
                continue
            }
            let range = PredictionRange(
                fractionBits: bits, outputBits: outputBits, inputBound: wish.inputs.upperBound,
                inputsAreNonNegative: wish.inputs.lowerBound == 0, comparison: wish.comparison,
                layers: arithmetic.layers, limits: arithmetic.limits)
            return (range, arithmetic.integers)
        }
        throw last ?? .parameter("bits behind the point", expected: "8 to 20")
    }

    /// Weights with at least sixteen bits first; then limits; then fewer bits, rather than none.
    private static func attempts(isCalibrated: Bool, _ fractionBits: Int?) -> [RangeChoice.Attempt] {
        let all = fractionBits.map { [$0] } ?? Array((8...20).reversed())
        let clamps = isCalibrated ? [nil] : [nil, RangeChoice.clamp]
        let fine = clamps.flatMap { clamp in all.filter { $0 >= 12 || $0 == fractionBits }.map { ($0, 16, clamp) } }
        let coarse = all.map { ($0, 8, clamps[clamps.count - 1]) }
        return (fine + coarse).flatMap { bits, least, clamp in
            [59, 52, 45].map { RangeChoice.Attempt(fractionBits: bits, leastBits: least, clamp: clamp, room: $0) }
        }
    }

    /// Behind the point of scores that are opened: what is below would tell more of the weights than of the row.
    private static let scoreBits = 10

    /// How far a score is at most from the model's own.
    func error(
        _ folded: [FoldedLayer], _ chosen: (range: PredictionRange, integers: [LayerIntegers]), _ wish: PredictionWish
    ) throws(PredictionError) -> Double {
        let range = chosen.range
        var arithmetic = ErrorArithmetic(
            folded: folded, integers: chosen.integers, layers: range.layers, limits: range.limits,
            fractionBits: range.fractionBits)
        func all(_ number: Double) -> [Double] { [Double](repeating: number, count: inputCount) }
        let inputs = KnownValues(
            low: all(wish.inputs.lowerBound), high: all(wish.inputs.upperBound),
            error: all(LayerTerms.power(-range.fractionBits - 1)))
        let known = try walk(
            inputs, fractionBits: range.fractionBits, outputBits: range.outputBits, &arithmetic)
        let bound = known.value.error.reduce(0) { $1.isNaN ? .infinity : max($0, $1) } * (1 + 1e-6)
        guard bound.isFinite else {
            throw .parameter("the error's bound", expected: "a finite number: smaller weights")
        }
        return bound
    }
}
