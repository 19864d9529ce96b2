/// How a federated model came along: a point a round.
public struct RoundCurve: Sendable {
    /// A round's end.
    public struct Point: Sendable {
        /// From 1 on.
        public var round: Int
        /// Rounds begun so far, void ones too.
        public var attempts: Int
        /// Since the first one began, in seconds.
        public var seconds: Double
        /// Of the attempts so far; nil: without privacy.
        public var epsilon: Double?
        /// What was measured of the weights behind the round: a name and a value, or none where it has none.
        public var measured: [(metric: Metric, value: Double?)]

        /// A point.
        public init(
            round: Int, attempts: Int, seconds: Double, epsilon: Double? = nil,
            measured: [(metric: Metric, value: Double?)]
        ) {
            (self.round, self.attempts, self.seconds) = (round, attempts, seconds)
            (self.epsilon, self.measured) = (epsilon, measured)
        }

        /// An object in one line. A value that there is none of is null.
        public var json: String {
            func text(_ value: Double?) -> String { value.flatMap { $0.isFinite ? "\($0)" : nil } ?? "null" }
            let values = measured.map { "\"\($0.metric.rawValue)\": \(text($0.value))" }.joined(separator: ", ")
            return "{\"round\": \(round), \"attempts\": \(attempts), \"seconds\": \(text(seconds)), "
                + (epsilon.map { "\"epsilon\": \(text($0)), " } ?? "") + "\"validation\": {\(values)}}"
        }
    }

    /// In order.
    public var points: [Point] = []

    /// No point yet.
    public init() {}

    /// JSON lines: a point a line.
    public var jsonLines: String { points.map { $0.json + "\n" }.joined() }

    /// A plot: what was measured above, losses apart, and epsilon below, over rounds.
    public func svg(title: String) -> String {
        let metrics = points.first?.measured.map(\.metric) ?? []
        func line(_ metric: Metric) -> (String, [Double?]) {
            (metric.rawValue, points.map { point in point.measured.first { $0.metric == metric }?.value ?? nil })
        }
        var panels: [(String, [(name: String, values: [Double?])])] = []
        let others = metrics.filter { $0 != .loss }.map(line)
        if !others.isEmpty { panels.append(("measured", others)) }
        if metrics.contains(.loss) { panels.append(("loss", [line(.loss)])) }
        if points.contains(where: { $0.epsilon != nil }) {
            panels.append(("epsilon so far", [("epsilon", points.map(\.epsilon))]))
        }
        if panels.isEmpty { panels.append(("rounds begun", [("attempts", points.map { Double($0.attempts) })])) }
        return CurvePanel.plot(title, panels, along: points.map(\.round), unit: "round")
    }
}
