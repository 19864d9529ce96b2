/// How private training came along: all of it follows from noisy sums, and costs nothing. There is no loss in it: that would tell of rows.
public struct PrivateCurve: Sendable, Equatable {
    /// Where it stood after some step.
    public struct Point: Sendable, Equatable {
        /// Steps taken so far.
        public var step: Int
        /// What these steps come to, by the accountant that whoever draws the curve goes by; nil: it was not asked.
        public var epsilon: Double?
        /// Of the next step.
        public var clippingNorm: Double
        /// The L2 norm of the step's noisy mean gradient.
        public var gradientNorm: Double

        /// A point.
        public init(step: Int, epsilon: Double? = nil, clippingNorm: Double, gradientNorm: Double) {
            self.step = step
            self.epsilon = epsilon
            self.clippingNorm = clippingNorm
            self.gradientNorm = gradientNorm
        }
    }

    /// In order.
    public var points: [Point] = []

    /// A curve of those points.
    public init(_ points: [Point] = []) { self.points = points }

    /// JSON lines: a point a line. What there is none of is null.
    public var jsonLines: String {
        func text(_ value: Double?) -> String { value.flatMap { $0.isFinite ? "\($0)" : nil } ?? "null" }
        return points.map {
            "{\"step\": \($0.step), \"epsilon\": \(text($0.epsilon)), \"clipping-norm\": \(text($0.clippingNorm)), "
                + "\"gradient-norm\": \(text($0.gradientNorm))}\n"
        }.joined()
    }

    /// A plot over steps: epsilon, the noisy gradient's norm, and the clipping norm where it changed.
    public func svg(title: String) -> String {
        var panels: [(String, [(name: String, values: [Double?])])] = [
            ("epsilon so far", [("epsilon", points.map(\.epsilon))]),
            ("norm of the noisy gradient", [("gradient", points.map { $0.gradientNorm })]),
        ]
        if Set(points.map(\.clippingNorm)).count > 1 {
            panels.append(("clipping norm", [("clipping norm", points.map { $0.clippingNorm })]))
        }
        return CurvePanel.plot(title, panels, along: points.map(\.step), unit: "step")
    }
}
