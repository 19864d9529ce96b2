/// A row's real numbers through the model's weights in float64, without limits: what calibration looks at.
struct RealArithmetic: PlanArithmetic {
    let folded: [FoldedLayer]
    /// The largest value behind each ReLU so far.
    var seen: [Double]

    mutating func linear(
        _ value: [Double], _ step: PlannedLinear, divisor: Int
    ) throws(PredictionError) -> (value: [Double], bits: Int) {
        var result = step.applied(folded[step.number].weights, to: value)
        let bias = folded[step.number].bias
        for place in result.indices { result[place] += bias[step.output(of: place)] }
        return (result, RangeChoice.mostBits)
    }

    mutating func relu(_ value: [Double], number: Int, _ scaling: Scaling) throws(PredictionError) -> [Double] {
        let result = value.map { max($0, 0) }
        seen[number] = result.reduce(seen[number], max)
        return result
    }

    mutating func truncated(_ value: [Double], exactly: Bool, _ scaling: Scaling) throws(PredictionError) -> [Double] {
        value
    }

    mutating func maximum(_ value: [Double], _ windows: PlannedWindows) throws(PredictionError) -> [Double] {
        windows.largest(value)
    }

    mutating func sum(_ value: [Double], _ windows: PlannedWindows) throws(PredictionError) -> [Double] {
        windows.averages(value)
    }

    mutating func shaped(_ value: [Double], _ shape: [Int]) throws(PredictionError) -> [Double] { value }

    mutating func added(
        _ a: (value: [Double], shift: Int), _ b: (value: [Double], shift: Int), title: String
    ) throws(PredictionError) -> [Double] {
        zip(a.value, b.value).map { $0 + $1 }
    }
}

extension PlannedWindows {
    /// The largest number of each window; where a ReLU follows, what lies outside counts as zero.
    func largest(_ values: [Double]) -> [Double] { reduced(values, from: -.infinity) { max($0, $1) } }

    /// The average of each window; what lies outside counts as zero.
    func averages(_ values: [Double]) -> [Double] {
        reduced(values, from: 0) { $0 + $1 }.map { $0 / Double(area) }
    }

    private func reduced(_ values: [Double], from start: Double, _ body: (Double, Double) -> Double) -> [Double] {
        let plane = outputHeight * outputWidth
        var result = [Double](repeating: start, count: shape[0] * plane)
        for place in 0..<area {
            let places = places(place / width, place % width)
            for channel in 0..<shape[0] {
                for (target, source) in places.enumerated() {
                    let value = source < 0 ? 0 : values[channel * shape[1] * shape[2] + source]
                    result[channel * plane + target] = body(result[channel * plane + target], value)
                }
            }
        }
        return result
    }
}
