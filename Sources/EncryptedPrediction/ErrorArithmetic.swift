/// What is known of each value: the model's own lies between two numbers, and what is computed on shares is at most so far from it.
struct KnownValues: Sendable {
    var low: [Double]
    var high: [Double]
    var error: [Double]

    /// The largest magnitude of each.
    var magnitudes: [Double] { zip(low, high).map { max(abs($0), abs($1)) } }
}

/// How far fixed point is from the model in float32, element by element, for every row within the bound of which no limit cuts an activation.
///
/// **Argument.** Let a be what the model computes in float32 and a' what stands on shares, |a' - a| <= e. A linear step gives sum w' a' + b' with w' = w + d: it differs from sum w a + b by at most
/// sum |w| e + sum |d| (|a| + e) + |b' - b|. The model's own float32 sum of n products differs from the real one, in whichever order it is added, by u = 2^-24 times each product and each partial sum (Higham
/// 2002, section 4.2); a partial sum lies between the sum of all products that can be negative and that of all that can be positive, so that g_n times the larger one of both is enough, g_n = n u / (1 - n u),
/// beside what is below a float32's normal range. max(x, 0), min(x, limit) where the limit cuts neither, and maxima do not lengthen distances; a division adds less than one unit, an exact one half; averages average.
/// |a| is bounded by intervals through the same weights, and by the limits. All terms are nonnegative sums in float64, and a last factor covers their own rounding.
struct ErrorArithmetic: PlanArithmetic {
    let folded: [FoldedLayer]
    let integers: [LayerIntegers]
    let layers: [LayerTerms]
    let limits: [Int?]
    let fractionBits: Int

    private static let roundoff = 0x1p-24

    /// g_n.
    private static func gamma(_ count: Int) -> Double {
        let n = Double(count) * roundoff
        return n < 1 ? n / (1 - n) : .infinity
    }

    mutating func linear(
        _ value: KnownValues, _ step: PlannedLinear, divisor: Int
    ) throws(PredictionError) -> (value: KnownValues, bits: Int) {
        let (layer, integer, terms) = (folded[step.number], integers[step.number], layers[step.number])
        let unit = LayerTerms.power(-terms.bits) * Double(divisor)
        var rounding = zip(layer.weights, integer.weights).map { abs(Double($1) * unit - $0) }
        // The weights' own folding rounds in float64.
        for place in rounding.indices { rounding[place] += abs(layer.weights[place]) * 0x1p-50 }
        let (above, below) = (layer.weights.map { max($0, 0) }, layer.weights.map { min($0, 0) })
        let magnitudes = value.magnitudes
        var result = KnownValues(
            low: plus(step.applied(above, to: value.low), step.applied(below, to: value.high)),
            high: plus(step.applied(above, to: value.high), step.applied(below, to: value.low)),
            error: plus(
                step.applied(layer.weights.map(abs), to: value.error),
                step.applied(rounding, to: plus(magnitudes, value.error))))
        let sums = step.applied(layer.weights.map(abs), to: magnitudes)
        let (least, most) = (value.low.map { min($0, 0) }, value.high.map { max($0, 0) })
        let positive = plus(step.applied(above, to: most), step.applied(below, to: least))
        let negative = plus(step.applied(above, to: least), step.applied(below, to: most))
        let gamma = Self.gamma(step.terms + 8)
        let biasUnit = LayerTerms.power(-terms.bits - fractionBits)
        for place in result.error.indices {
            let output = step.output(of: place)
            let bias = layer.bias[output]
            let partial = max(positive[place], -negative[place]) + layer.offsets[output]
            let own =
                gamma * partial + Self.gamma(8) * (sums[place] + layer.offsets[output])
                + Double(step.terms + 8) * Double(Float.leastNormalMagnitude)
            let slack = own + 1e-12 * sums[place]
            result.low[place] += bias - slack
            result.high[place] += bias + slack
            if step.hasBias { result.error[place] += abs(Double(integer.bias[output]) * biasUnit - bias) }
            result.error[place] += own
        }
        return (result, terms.bits)
    }

    mutating func relu(_ value: KnownValues, number: Int, _ scaling: Scaling) throws(PredictionError) -> KnownValues {
        var result = value
        let unit = scaling.bits > 0 ? scaling.unit : 0
        let limit = limits[number].map { LayerTerms.power($0) * scaling.unit } ?? .infinity
        for place in result.error.indices {
            // What is below zero for both is zero for both.
            result.error[place] = value.high[place] + value.error[place] < 0 ? 0 : value.error[place] + unit
            result.low[place] = min(max(value.low[place], 0), limit)
            result.high[place] = min(max(value.high[place], 0), limit)
        }
        return result
    }

    mutating func truncated(
        _ value: KnownValues, exactly: Bool, _ scaling: Scaling
    ) throws(PredictionError) -> KnownValues {
        var result = value
        for place in result.error.indices { result.error[place] += exactly ? scaling.unit / 2 : scaling.unit }
        return result
    }

    mutating func maximum(_ value: KnownValues, _ windows: PlannedWindows) throws(PredictionError) -> KnownValues {
        KnownValues(
            low: windows.largest(value.low), high: windows.largest(value.high), error: windows.largest(value.error))
    }

    mutating func sum(_ value: KnownValues, _ windows: PlannedWindows) throws(PredictionError) -> KnownValues {
        let gamma = Self.gamma(windows.area + 1)
        let own = windows.averages(value.magnitudes).map { gamma * $0 }
        return KnownValues(
            low: zip(windows.averages(value.low), own).map { $0 - $1 },
            high: plus(windows.averages(value.high), own), error: plus(windows.averages(value.error), own))
    }

    mutating func shaped(_ value: KnownValues, _ shape: [Int]) throws(PredictionError) -> KnownValues { value }

    mutating func added(
        _ a: (value: KnownValues, shift: Int), _ b: (value: KnownValues, shift: Int), title: String
    ) throws(PredictionError) -> KnownValues {
        let sum = KnownValues(
            low: plus(a.value.low, b.value.low), high: plus(a.value.high, b.value.high),
            error: plus(a.value.error, b.value.error))
        let own = sum.magnitudes.map { $0 * Self.roundoff * 2 }
        return KnownValues(
            low: zip(sum.low, own).map { $0 - $1 }, high: plus(sum.high, own), error: plus(sum.error, own))
    }

    private func plus(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }
}
