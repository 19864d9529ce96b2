/// Lines over epochs or steps, with axes.
struct CurvePanel {
    static let width = 640
    static let height = 240
    private static let colours = [
        "#1b6ca8", "#c0392b", "#27803b", "#8e44ad", "#b9770e", "#148f87", "#7f5539", "#566573",
    ]

    let title: String
    let lines: [(name: String, values: [Double?])]
    let places: [Int]
    /// Of the places.
    let unit: String
    let top: Int

    /// Panels below each other.
    static func plot(
        _ title: String, _ panels: [(String, [(name: String, values: [Double?])])], along places: [Int], unit: String
    ) -> String {
        let body = panels.enumerated().map { index, panel in
            CurvePanel(title: panel.0, lines: panel.1, places: places, unit: unit, top: 40 + index * height).svg
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(40 + panels.count * height)" font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="white"/>
            <text x="20" y="24" font-size="15">\(escape(title))</text>
            \(body.joined(separator: "\n"))
            </svg>

            """
    }

    private static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private var range: (low: Double, high: Double) {
        let all = lines.flatMap(\.values).compactMap(\.self).filter(\.isFinite)
        guard let low = all.min(), let high = all.max() else { return (0, 1) }
        return high > low ? (low, high) : (low - 0.5, high + 0.5)
    }

    private func place(_ index: Int, _ value: Double) -> (x: Double, y: Double) {
        let (low, high) = range
        let across = places.count < 2 ? 0.5 : Double(index) / Double(places.count - 1)
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
            "<text x=\"70\" y=\"\(top + 208)\">\(places.first ?? 0)</text>",
            "<text x=\"470\" y=\"\(top + 208)\" text-anchor=\"end\">\(unit) \(places.last ?? 0)</text>",
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
