import Foundation

/// Horizontal bars with error bars: the solid part reaches the lower end of the interval, the rest is what the noise
/// leaves open.
struct BarPlot {
    struct Bar {
        var label: String
        /// nil where there is nothing to draw: the row is printed all the same.
        var value: Double?
        var lower: Double?
        var upper: Double?
        /// What is printed at the right of the bar.
        var text: String
    }

    var title: String
    var bars: [Bar]

    func render(on terminal: Terminal) -> String {
        guard !bars.isEmpty else { return "" }
        let labels = bars.map { PrintableText.escape($0.label) }
        let texts = bars.map { PrintableText.escape($0.text) }
        // Labels and values fold at their spaces, so that something is left for the bars.
        func width(_ texts: [String]) -> Int {
            let word = min(texts.map(PrintableText.widestWord).max() ?? 0, terminal.width / 2 - 5)
            return min(texts.map { PrintableText.width($0) }.max() ?? 0, max(word, terminal.width / 3))
        }
        let (labelWidth, textWidth) = (width(labels), width(texts))
        let columns = max(4, min(60, terminal.width - labelWidth - textWidth - 6))
        let scale = Scale(bars, columns: columns)
        var result = PrintableText.wrapped(PrintableText.escape(title), to: terminal.width)
            .map { terminal.styled($0, .bold) + "\n" }.joined()
        for (index, bar) in bars.enumerated() {
            let label = PrintableText.wrapped(labels[index], to: labelWidth)
            let text = PrintableText.wrapped(texts[index], to: textWidth)
            for number in 0..<max(label.count, text.count) {
                let left = PrintableText.padded(number < label.count ? label[number] : "", to: labelWidth)
                let right = number < text.count ? text[number] : ""
                let cells =
                    number == 0
                    ? terminal.styled(scale.cells(bar, unicode: terminal.usesUnicode), .cyan)
                    : String(repeating: " ", count: columns)
                result += PrintableText.withoutTrailingSpaces("  \(left)  \(cells)  \(right)") + "\n"
            }
        }
        return result
    }

    /// Maps values to columns; zero is always on the scale, since a bar's length is its meaning.
    private struct Scale {
        let least: Double
        let greatest: Double
        let columns: Int

        init(_ bars: [Bar], columns: Int) {
            let values = bars.compactMap(\.value)
            // An interval that dwarfs every estimate is cut at the edge, or no bar would be seen.
            let magnitude = 3 * (values.map { abs($0) }.max() ?? 0)
            let ends = Self.ends(bars).map { min(max($0, -magnitude), magnitude) } + values
            least = min(0, ends.min() ?? 0)
            greatest = max(max(0, ends.max() ?? 0), least + .leastNormalMagnitude)
            self.columns = columns
        }

        /// Ends of intervals that the scale must hold: not of one that is unbounded, or far wider than the others, which would
        /// squeeze their bars; it is cut at the edge.
        private static func ends(_ bars: [Bar]) -> [Double] {
            let intervals = bars.compactMap { bar -> (lower: Double, upper: Double)? in
                guard bar.value != nil, let lower = bar.lower, let upper = bar.upper, (upper - lower).isFinite else {
                    return nil
                }
                return (lower, upper)
            }
            let widths = intervals.map { $0.upper - $0.lower }.sorted()
            guard !widths.isEmpty else { return [] }
            let widest = 4 * widths[(widths.count - 1) / 2]
            return intervals.filter { $0.upper - $0.lower <= widest }.flatMap { [$0.lower, $0.upper] }
        }

        func position(_ value: Double) -> Int {
            let fraction = (min(max(value, least), greatest) - least) / (greatest - least)
            return min(columns - 1, max(0, Int((fraction * Double(columns - 1)).rounded())))
        }

        func cells(_ bar: Bar, unicode: Bool) -> String {
            var cells = [Character](repeating: " ", count: columns)
            guard let number = bar.value else { return String(cells) }
            let zero = position(0)
            let value = position(number)
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
