import Foundation

/// Horizontal bars with error bars: the solid part reaches the lower end of the interval, the rest is what the noise
/// leaves open.
struct BarPlot {
    struct Bar {
        var label: String
        var value: Double
        var lower: Double?
        var upper: Double?
        /// What is printed at the right of the bar.
        var text: String
    }

    var title: String
    var bars: [Bar]

    func render(on terminal: Terminal) -> String {
        let shown = bars.filter(\.value.isFinite)
        guard !shown.isEmpty else { return "" }
        let labels = shown.map { PrintableText.escape($0.label) }
        let labelWidth = labels.map(PrintableText.width).max() ?? 0
        let textWidth = shown.map { PrintableText.width($0.text) }.max() ?? 0
        let columns = max(16, min(60, terminal.width - labelWidth - textWidth - 6))
        let scale = Scale(shown, columns: columns)
        var result = terminal.styled(PrintableText.escape(title), .bold) + "\n"
        for (bar, label) in zip(shown, labels) {
            let cells = scale.cells(bar, unicode: terminal.usesUnicode)
            let line = "  \(PrintableText.padded(label, to: labelWidth))  \(terminal.styled(cells, .cyan))  \(bar.text)"
            result += line + "\n"
        }
        return result
    }

    /// Maps values to columns; zero is always on the scale, since a bar's length is its meaning.
    private struct Scale {
        let least: Double
        let greatest: Double
        let columns: Int

        init(_ bars: [Bar], columns: Int) {
            // An interval that dwarfs every estimate is cut at the edge, or no bar would be seen.
            let magnitude = bars.map { abs($0.value) }.max() ?? 0
            let ends = bars.flatMap { [$0.value, $0.lower ?? $0.value, $0.upper ?? $0.value] }
                .map { min(max($0, -3 * magnitude), 3 * magnitude) }
            least = min(0, ends.min() ?? 0)
            greatest = max(max(0, ends.max() ?? 0), least + .leastNormalMagnitude)
            self.columns = columns
        }

        func position(_ value: Double) -> Int {
            let fraction = (min(max(value, least), greatest) - least) / (greatest - least)
            return min(columns - 1, max(0, Int((fraction * Double(columns - 1)).rounded())))
        }

        func cells(_ bar: Bar, unicode: Bool) -> String {
            var cells = [Character](repeating: " ", count: columns)
            let zero = position(0)
            let value = position(bar.value)
            for index in min(zero, value)...max(zero, value) { cells[index] = unicode ? "█" : "#" }
            if let lower = bar.lower, let upper = bar.upper {
                let (first, last) = (position(lower), position(upper))
                for index in first...max(first, last) { cells[index] = unicode ? "─" : "-" }
                cells[first] = unicode ? "├" : "|"
                cells[last] = unicode ? "┤" : "|"
                if lower < least { cells[first] = unicode ? "◂" : "<" }
                if upper > greatest { cells[last] = unicode ? "▸" : ">" }
                cells[value] = unicode ? "●" : "o"
            }
            return String(cells)
        }
    }
}
