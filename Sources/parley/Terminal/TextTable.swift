/// A table of text with aligned columns, no line of which is wider than the terminal: its cells fold, or each row is printed as a
/// record, a line for each column, where folding would not fit or would be harder to read.
struct TextTable {
    struct Column {
        var title: String
        var alignsRight = false
        /// Whether what does not fit is cut off, since it is read whole elsewhere.
        var isCut = false
    }

    var columns: [Column]
    var rows: [[String]] = []
    var indent = 0

    /// Cells are escaped here, once; nothing that was drawn from data reaches the terminal another way.
    init(_ columns: [Column], rows: [[String]] = [], indent: Int = 0) {
        self.columns = columns.map {
            Column(title: PrintableText.escape($0.title), alignsRight: $0.alignsRight, isCut: $0.isCut)
        }
        self.rows = rows.map { $0.map(PrintableText.escape) }
        self.indent = indent
    }

    init(titles: [String], rows: [[String]] = [], indent: Int = 0) {
        self.init(titles.map { Column(title: $0) }, rows: rows, indent: indent)
    }

    mutating func append(_ row: [String]) {
        rows.append(row.map(PrintableText.escape))
    }

    func render(on terminal: Terminal) -> String { cut(on: terminal).whole(on: terminal) }

    /// A cell is cut to this width, or to a wider one where the terminal has room for it beside the other columns.
    static let cutWidth = 60

    /// The same with cells cut where columns say so.
    func cut(on terminal: Terminal) -> TextTable {
        var table = self
        for index in columns.indices where columns[index].isCut {
            let others = total(columns.indices.map { $0 == index ? 0 : widest($0) })
            let width = terminal.isWidthKnown ? max(Self.cutWidth, terminal.width - others) : Self.cutWidth
            for row in rows.indices where index < rows[row].count {
                table.rows[row][index] = PrintableText.cut(
                    rows[row][index], to: width, ellipsis: terminal.usesUnicode ? "…" : "...")
            }
        }
        return table
    }

    private func whole(on terminal: Terminal) -> String {
        let natural = columns.indices.map { widest($0) }
        if total(natural) <= terminal.width { return aligned(natural, on: terminal) }
        if let widths = foldedWidths(natural, on: terminal) { return aligned(widths, on: terminal) }
        // Nobody says how wide a pipe is, and what reads from one reads a row a line.
        return terminal.isWidthKnown ? records(on: terminal) : aligned(natural, on: terminal)
    }

    /// Whether the rows fit with no cell folded.
    func fits(_ width: Int) -> Bool { total(columns.indices.map { widest($0) }) <= width }

    private var margin: String { String(repeating: " ", count: indent) }

    private var hasTitles: Bool { columns.contains { !$0.title.isEmpty } }

    // MARK: Widths

    /// A column of prose is not made narrower than this: a word or two a line.
    private static let leastProse = 16

    private func total(_ widths: [Int]) -> Int { widths.reduce(indent + 2 * max(0, widths.count - 1), +) }

    private func cells(_ index: Int) -> some Sequence<String> {
        rows.lazy.compactMap { index < $0.count ? $0[index] : nil }
    }

    private func widest(_ index: Int) -> Int {
        cells(index).reduce(PrintableText.width(columns[index].title)) { max($0, PrintableText.width($1)) }
    }

    /// Columns are narrowed, the widest first, as far as their words allow; nil where that does not fit, or where a row would
    /// take more lines than its record does.
    private func foldedWidths(_ natural: [Int], on terminal: Terminal) -> [Int]? {
        let least = columns.indices.map { leastWidth($0, natural[$0], terminal.width) }
        guard total(least) <= terminal.width else { return nil }
        var widths = natural.map { min($0, terminal.width) }
        while total(widths) > terminal.width {
            let narrower = widths.indices.filter { widths[$0] > least[$0] }
            guard let widest = narrower.max(by: { widths[$0] < widths[$1] }) else { return nil }
            widths[widest] -= 1
        }
        guard hasTitles, rows.contains(where: { height($0, widths) > recordHeight($0, terminal.width) }) else {
            return widths
        }
        return nil
    }

    /// A number is never broken, nor a word of a column that has a title, such as an id: both are copied.
    private func leastWidth(_ index: Int, _ natural: Int, _ available: Int) -> Int {
        if !hasTitles {
            return index == columns.count - 1 ? min(natural, Self.leastProse) : min(natural, available / 2)
        }
        let title = PrintableText.widestWord(columns[index].title)
        if columns[index].alignsRight { return cells(index).reduce(title) { max($0, PrintableText.width($1)) } }
        let word = cells(index).reduce(title) { max($0, PrintableText.widestWord($1)) }
        return max(word, min(natural, Self.leastProse))
    }

    private func height(_ row: [String], _ widths: [Int]) -> Int {
        zip(row, widths).map { PrintableText.wrapped($0, to: $1).count }.max() ?? 0
    }

    private func recordHeight(_ row: [String], _ available: Int) -> Int {
        let width = recordWidths(available).value
        return row.reduce(1) { $1.isEmpty ? $0 : $0 + PrintableText.wrapped($1, to: width).count }
    }

    // MARK: Rows

    private func aligned(_ widths: [Int], on terminal: Terminal) -> String {
        var lines: [String] = []
        if hasTitles {
            for line in folded(columns.map(\.title), widths) { lines.append(terminal.styled(line, .bold)) }
            let rules = zip(columns, widths).map {
                $0.title.isEmpty ? String(repeating: " ", count: $1) : terminal.rule($1)
            }
            let rule = PrintableText.withoutTrailingSpaces(margin + rules.joined(separator: "  "))
            lines.append(terminal.styled(rule, .dim))
        }
        for row in rows { lines += folded(row, widths) }
        return lines.map { $0 + "\n" }.joined()
    }

    private func folded(_ row: [String], _ widths: [Int]) -> [String] {
        let cells = columns.indices.map { index -> [String] in
            let cell = index < row.count ? row[index] : ""
            return PrintableText.width(cell) > widths[index]
                ? PrintableText.wrapped(cell, to: widths[index]) : [cell]
        }
        return (0..<(cells.map(\.count).max() ?? 0)).map { number in
            let texts = columns.indices.map { index in
                let text = number < cells[index].count ? cells[index][number] : ""
                return PrintableText.padded(text, to: widths[index], right: columns[index].alignsRight)
            }
            return PrintableText.withoutTrailingSpaces(margin + texts.joined(separator: "  "))
        }
    }

    // MARK: Records

    private func recordWidths(_ available: Int) -> (title: Int, value: Int) {
        let title = min(columns.map { PrintableText.width($0.title) }.max() ?? 0, max(8, available / 3))
        return (title, max(8, available - indent - title - 2))
    }

    /// A row in lines of its own, a line for each column that has a value.
    private func records(on terminal: Terminal) -> String {
        let width = recordWidths(terminal.width)
        let records = rows.map { row -> String in
            let lines = zip(columns, row).filter { !$1.isEmpty }.flatMap { column, value -> [String] in
                let titles = PrintableText.wrapped(column.title, to: width.title)
                let values = PrintableText.wrapped(value, to: width.value)
                return (0..<max(titles.count, values.count)).map { number in
                    let title = PrintableText.padded(number < titles.count ? titles[number] : "", to: width.title)
                    let value = number < values.count ? values[number] : ""
                    let line = PrintableText.withoutTrailingSpaces(value)
                    return margin + terminal.styled(title, .bold) + (line.isEmpty ? "" : "  " + line)
                }
            }
            return lines.map { $0 + "\n" }.joined()
        }
        return records.joined(separator: "\n")
    }
}
