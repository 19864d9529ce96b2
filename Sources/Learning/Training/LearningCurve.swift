/// How a model came along: a point an epoch.
public struct LearningCurve: Sendable, Equatable {
    /// One epoch's end.
    public struct Point: Sendable, Equatable {
        /// From 1 on.
        public var epoch: Int
        /// Steps taken so far.
        public var step: Int
        /// The mean loss of the epoch's rows, each on the weights before its step.
        public var trainingLoss: Double
        /// What was measured on the validation rows after the epoch: a name and a value, or none where it has none.
        public var validation: [(metric: Metric, value: Double?)]

        /// A point.
        public init(epoch: Int, step: Int, trainingLoss: Double, validation: [(metric: Metric, value: Double?)]) {
            self.epoch = epoch
            self.step = step
            self.trainingLoss = trainingLoss
            self.validation = validation
        }

        public static func == (a: Point, b: Point) -> Bool { a.json == b.json }

        /// An object in one line. A value that there is none of is null.
        public var json: String {
            let values = validation.map { "\"\($0.metric.rawValue)\": \(Self.text($0.value))" }.joined(separator: ", ")
            return "{\"epoch\": \(epoch), \"step\": \(step), \"training-loss\": \(Self.text(trainingLoss)), "
                + "\"validation\": {\(values)}}"
        }

        private static func text(_ value: Double?) -> String {
            guard let value, value.isFinite else { return "null" }
            return "\(value)"
        }
    }

    /// In order.
    public var points: [Point] = []

    /// No point yet.
    public init() {}

    /// JSON lines: a point a line.
    public var jsonLines: String { points.map { $0.json + "\n" }.joined() }

    /// A plot: the losses above, the other metrics below, over epochs.
    public func svg(title: String) -> String {
        let losses =
            [("training", points.map { Optional($0.trainingLoss) })]
            + metrics.filter { $0 == .loss }.map { ("validation", values($0)) }
        let others = metrics.filter { $0 != .loss }.map { ($0.rawValue, values($0)) }
        let panels = [("loss", losses)] + (others.isEmpty ? [] : [("validation", others)])
        return CurvePanel.plot(title, panels, along: points.map(\.epoch), unit: "epoch")
    }

    private var metrics: [Metric] { points.first?.validation.map(\.metric) ?? [] }
    private func values(_ metric: Metric) -> [Double?] {
        points.map { point in point.validation.first { $0.metric == metric }?.value ?? nil }
    }
}
