/// A table of text with aligned columns; the last left-aligned column wraps at the terminal's edge.
struct TextTable {
    struct Column {
        var title: String
        var alignsRight = false
    }

    var columns: [Column]
    var rows: [[String]] = []
    var indent = 0

    /// Cells are escaped here, once; nothing that was drawn from data reaches the terminal another way.
    init(_ columns: [Column], rows: [[String]] = [], indent: Int = 0) {
        self.columns = columns.map { Column(title: PrintableText.escape($0.title), alignsRight: $0.alignsRight) }
        self.rows = rows.map { $0.map(PrintableText.escape) }
        self.indent = indent
    }

    init(titles: [String], rows: [[String]] = [], indent: Int = 0) {
        self.init(titles.map { Column(title: $0) }, rows: rows, indent: indent)
    }

    mutating func append(_ row: [String]) {
        rows.append(row.map(PrintableText.escape))
    }

    func render(on terminal: Terminal) -> String {
        let widths = columnWidths(terminal.width)
        var lines: [String] = []
        if columns.contains(where: { !$0.title.isEmpty }) {
            for line in rendered(columns.map(\.title), widths) { lines.append(terminal.styled(line, .bold)) }
            let rules = zip(columns, widths).map {
                $0.title.isEmpty ? String(repeating: " ", count: $1) : terminal.rule($1)
            }
            lines.append(terminal.styled(margin + rules.joined(separator: "  "), .dim))
        }
        for row in rows { lines += rendered(row, widths) }
        return lines.map { $0 + "\n" }.joined()
    }

    private var margin: String { String(repeating: " ", count: indent) }

    private func columnWidths(_ available: Int) -> [Int] {
        var widths = columns.indices.map { index in
            rows.reduce(PrintableText.width(columns[index].title)) {
                max($0, index < $1.count ? PrintableText.width($1[index]) : 0)
            }
        }
        guard let last = columns.last, !last.alignsRight else { return widths }
        let others = widths.dropLast().reduce(indent) { $0 + $1 + 2 }
        let lastIndex = widths.count - 1
        widths[lastIndex] = min(widths[lastIndex], max(24, available - others))
        return widths
    }

    private func rendered(_ row: [String], _ widths: [Int]) -> [String] {
        let lastIndex = columns.count - 1
        let last = lastIndex < row.count ? row[lastIndex] : ""
        let wrapped =
            PrintableText.width(last) > widths[lastIndex] ? PrintableText.wrapped(last, to: widths[lastIndex]) : [last]
        return wrapped.enumerated().map { number, text in
            var cells: [String] = []
            for index in columns.indices {
                let cell = index == lastIndex ? text : number == 0 && index < row.count ? row[index] : ""
                cells.append(PrintableText.padded(cell, to: widths[index], right: columns[index].alignsRight))
            }
            let line = margin + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
