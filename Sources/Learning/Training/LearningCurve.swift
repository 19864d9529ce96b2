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
        let height = 40 + panels.count * Panel.height
        let body = panels.enumerated().map { index, panel in
            Panel(title: panel.0, lines: panel.1, epochs: points.map(\.epoch), top: 40 + index * Panel.height).svg
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Panel.width)" height="\(height)" font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            <text x="20" y="24" font-size="15">\(Panel.escape(title))</text>
            \(body.joined(separator: "\n"))
            </svg>

            """
    }

    private var metrics: [Metric] { points.first?.validation.map(\.metric) ?? [] }
    private func values(_ metric: Metric) -> [Double?] {
        points.map { point in point.validation.first { $0.metric == metric }?.value ?? nil }
    }
}

/// Lines over epochs, with axes.
private struct Panel {
    static let width = 640
    static let height = 240
    private static let colours = [
        "#1b6ca8", "#c0392b", "#27803b", "#8e44ad", "#b9770e", "#148f87", "#7f5539", "#566573",
    ]

    let title: String
    let lines: [(name: String, values: [Double?])]
    let epochs: [Int]
    let top: Int

    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private var range: (low: Double, high: Double) {
        let all = lines.flatMap(\.values).compactMap(\.self).filter(\.isFinite)
        guard let low = all.min(), let high = all.max() else { return (0, 1) }
        return high > low ? (low, high) : (low - 0.5, high + 0.5)
    }

    private func place(_ index: Int, _ value: Double) -> (x: Double, y: Double) {
        let (low, high) = range
        let across = epochs.count < 2 ? 0.5 : Double(index) / Double(epochs.count - 1)
        return (70 + across * 400, Double(top + 190) - (value - low) / (high - low) * 160)
    }

    private static func text(_ value: Double) -> String {
        let rounded = (abs(value) * 10_000).rounded() / 10_000
        return (value < 0 ? "-" : "") + "\(rounded)"
    }

    private static func text(pixel: Double) -> String { "\((pixel * 10).rounded() / 10)" }

    var svg: String {
        let (low, high) = range
        var parts = [
            "<path d=\"M70 \(top + 20)V\(top + 190)H470\" fill=\"none\" stroke=\"black\"/>",
            "<text x=\"64\" y=\"\(top + 34)\" text-anchor=\"end\">\(Self.text(high))</text>",
            "<text x=\"64\" y=\"\(top + 194)\" text-anchor=\"end\">\(Self.text(low))</text>",
            "<text x=\"70\" y=\"\(top + 208)\">\(epochs.first ?? 0)</text>",
            "<text x=\"470\" y=\"\(top + 208)\" text-anchor=\"end\">epoch \(epochs.last ?? 0)</text>",
            "<text x=\"70\" y=\"\(top + 12)\">\(Self.escape(title))</text>",
        ]
        for (number, line) in lines.enumerated() {
            let colour = Self.colours[number % Self.colours.count]
            let points = line.values.enumerated().compactMap { index, value in value.map { place(index, $0) } }
            let path = points.map { "\(Self.text(pixel: $0.x)),\(Self.text(pixel: $0.y))" }.joined(separator: " ")
            parts.append("<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\"/>")
            if let last = points.last {
                parts.append(
                    "<circle cx=\"\(Self.text(pixel: last.x))\" cy=\"\(Self.text(pixel: last.y))\" r=\"2.5\" fill=\"\(colour)\"/>"
                )
            }
            parts.append(
                "<text x=\"490\" y=\"\(top + 34 + number * 18)\" fill=\"\(colour)\">\(Self.escape(line.name))</text>")
        }
        return parts.joined(separator: "\n")
    }
}
