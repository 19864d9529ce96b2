import DatasiteProtocol

/// An answer drawn for the terminal: keys as they are, each estimate with the 95 % interval of its privacy noise. A histogram is
/// a table of its own with a row for each bin, since a column for each would not fit.
struct AnswerTable {
    let answer: Answer
    /// The columns that are no bins, if there are any but keys; then a histogram each.
    private let parts: [Part]

    init(_ answer: Answer) {
        self.answer = answer
        var histograms: [[Int]] = []
        for index in answer.columns.indices {
            guard let bin = answer.columns[index].bin else { continue }
            if let last = histograms.last?.last, last == index - 1,
                answer.columns[last].bin?.isFollowed(by: bin) == true
            {
                histograms[histograms.count - 1].append(index)
            } else {
                histograms.append([index])
            }
        }
        let others = answer.columns.indices.filter { answer.columns[$0].bin == nil }
        let isAlone = histograms.isEmpty || others.contains { !answer.columns[$0].isKey }
        parts = (isAlone ? [Part(answer, others)] : []) + histograms.map { Part(answer, keys: others, bins: $0) }
    }

    /// As they are printed, one below the other.
    var tables: [TextTable] { parts.map(\.table) }

    func render(on terminal: Terminal) -> String {
        tables.map { $0.render(on: terminal) }.joined(separator: "\n")
    }

    /// One plot an estimate, in the order of the answer's rows; the bins of a histogram share one.
    func plots() -> [BarPlot] { parts.flatMap { $0.plots() } }

    /// What the marks behind the values stand for, a line each; none where nothing is marked.
    func legend() -> [String] {
        CellMark.all.filter { mark in answer.rows.contains { $0.contains { $0.flags?.contains(mark.flag) ?? false } } }
            .map { "\($0.sign) \($0.words)" }
    }

    /// CSV with the ends of each interval and the flags in columns of their own, in full precision. Which columns there are follows
    /// from the question alone: a program that reads them must not depend on what was answered.
    func commaSeparated() -> String {
        var header: [String] = []
        for index in answer.columns.indices {
            let name = CommaSeparated.text(answer.columns[index].name)
            header += answer.columns[index].isKey ? [name] : [name, name + "_lower", name + "_upper", name + "_flags"]
        }
        var result = CommaSeparated.line(header)
        for row in answer.rows {
            var fields: [String?] = []
            for index in row.indices {
                let cell = row[index]
                fields.append(cell.value.commaSeparated)
                if !answer.columns[index].isKey {
                    let flags = cell.flags.map { CommaSeparated.text($0.joined(separator: " ")) }
                    fields += [cell.lower?.commaSeparated ?? nil, cell.upper?.commaSeparated ?? nil, flags]
                }
            }
            result += CommaSeparated.line(fields)
        }
        return result
    }
}

/// Rows with what they are about and its estimates: a table of its own.
private struct Part {
    private enum Column {
        case key(TextTable.Column, [String])
        case estimate(title: String, EstimateColumn)
    }

    private var columns: [Column]
    private let count: Int

    /// The columns of an answer that have those places.
    init(_ answer: Answer, _ places: [Int]) {
        count = answer.rows.count
        columns = places.map { place in
            let cells = answer.rows.map { $0[place] }
            let column = answer.columns[place]
            return column.isKey ? Self.key(column, cells) : .estimate(title: column.name, EstimateColumn(cells))
        }
    }

    /// A histogram: a row for each group and bin.
    init(_ answer: Answer, keys: [Int], bins: [Int]) {
        count = answer.rows.count * bins.count
        columns = keys.filter { answer.columns[$0].isKey }.map { place in
            Self.key(answer.columns[place], answer.rows.flatMap { row in bins.map { _ in row[place] } })
        }
        let labels = bins.map { place in
            answer.columns[place].bin.map { $0.words(isLast: place == bins.last) } ?? ""
        }
        let name = bins.first.flatMap { answer.columns[$0].bin?.histogram } ?? ""
        columns.append(.key(TextTable.Column(title: name), answer.rows.flatMap { _ in labels }))
        let cells = answer.rows.flatMap { row in bins.map { row[$0] } }
        columns.append(.estimate(title: "count", EstimateColumn(cells)))
    }

    private static func key(_ column: Answer.Column, _ cells: [Answer.Cell]) -> Column {
        .key(
            TextTable.Column(title: column.name, alignsRight: ["integer", "real"].contains(column.type)),
            cells.map(\.value.text))
    }

    var table: TextTable {
        let titles = columns.flatMap { column -> [TextTable.Column] in
            switch column {
            case .key(let title, _): return [title]
            case .estimate(let title, let estimate):
                let value = TextTable.Column(title: title, alignsRight: true)
                return estimate.hasIntervals ? [value, TextTable.Column(title: "95 % interval")] : [value]
            }
        }
        let rows = (0..<count).map { number in
            columns.flatMap { column -> [String] in
                switch column {
                case .key(_, let texts): return [texts[number]]
                case .estimate(_, let estimate):
                    let value = estimate.value(number)
                    return estimate.hasIntervals ? [value, estimate.interval(number)] : [value]
                }
            }
        }
        return TextTable(titles, rows: rows)
    }

    func plots() -> [BarPlot] {
        let name = columns.compactMap { column in
            if case .key(let title, _) = column { title.title } else { nil }
        }.last
        return columns.compactMap { column in
            guard case .estimate(let title, let estimate) = column, count > 0 else { return nil }
            return BarPlot(
                title: title == "count" ? "\(title) of \(name ?? "")" : title,
                bars: (0..<count).map { estimate.bar($0, label: label($0)) })
        }
    }

    private func label(_ number: Int) -> String {
        let keys = columns.compactMap { column in
            if case .key(_, let texts) = column { texts[number] } else { nil }
        }
        return keys.isEmpty ? "all" : keys.joined(separator: ", ")
    }
}

extension Answer.Column.Bin {
    fileprivate func isFollowed(by next: Self) -> Bool { histogram == next.histogram && upper == next.lower }

    fileprivate func words(isLast: Bool) -> String {
        "[\(Scalar.real(lower).text), \(Scalar.real(upper).text)\(isLast ? "]" : ")")"
    }
}

/// A column of estimates, shown with as many decimals as its uncertainty justifies: two significant digits of the
/// median half-width, or of its own where that is far less, as of coefficients in other units.
private struct EstimateColumn {
    let cells: [Answer.Cell]
    private let decimals: [Int]
    let hasIntervals: Bool
    /// The most marks that a value has: the others are filled up, so that digits stand below each other.
    private let marks: Int

    init(_ cells: [Answer.Cell]) {
        self.cells = cells
        marks = cells.map { CellMark.signs($0).count }.max() ?? 0
        hasIntervals = cells.contains { $0.lower != nil && $0.upper != nil }
        let areIntegers = cells.allSatisfy { if case .real = $0.value { false } else { true } }
        let halfWidths = cells.map(Self.halfWidth)
        let sorted = halfWidths.compactMap(\.self).sorted()
        if areIntegers {
            decimals = cells.map { _ in 0 }
        } else if sorted.isEmpty {
            // Four significant digits of the largest value, where nothing says how certain it is, and two of the others.
            let values = cells.map { abs($0.value.number ?? 0) }
            let least = NumberText.decimals(forHalfWidth: (values.max() ?? 1) / 100)
            decimals = values.map { $0 > 0 ? max(least, NumberText.decimals(forHalfWidth: $0)) : least }
        } else {
            let median = sorted[sorted.count / 2]
            decimals = halfWidths.map { own in
                NumberText.decimals(forHalfWidth: own.map { $0 < median / 30 ? $0 : median } ?? median)
            }
        }
    }

    private static func halfWidth(_ cell: Answer.Cell) -> Double? {
        guard let lower = cell.lower?.number, let upper = cell.upper?.number else { return nil }
        let halfWidth = (upper - lower) / 2
        return halfWidth.isFinite && halfWidth > 0 ? halfWidth : nil
    }

    func value(_ number: Int) -> String {
        let signs = CellMark.signs(cells[number])
        return text(number) + signs + String(repeating: " ", count: marks - signs.count)
    }

    private func text(_ number: Int) -> String {
        guard let value = cells[number].value.number else { return cells[number].value.text }
        return NumberText.fixed(value, decimals: decimals[number])
    }

    func interval(_ number: Int) -> String {
        guard let lower = cells[number].lower, let upper = cells[number].upper else { return "" }
        if lower.number == -.infinity, upper.number == .infinity { return "unbounded" }
        return "\(end(lower, decimals[number])) to \(end(upper, decimals[number]))"
    }

    /// A number, or a date.
    private func end(_ end: Scalar, _ decimals: Int) -> String {
        end.number.map { NumberText.fixed($0, decimals: decimals) } ?? end.text
    }

    /// A row without a value, or with a date, has no bar, but stays.
    func bar(_ number: Int, label: String) -> BarPlot.Bar {
        let cell = cells[number]
        let interval = interval(number)
        let value = cell.value == .null ? "no value" : text(number)
        return BarPlot.Bar(
            label: label, value: cell.value.number.flatMap { $0.isFinite ? $0 : nil }, lower: cell.lower?.number,
            upper: cell.upper?.number, text: value + CellMark.signs(cell) + (interval.isEmpty ? "" : "  (\(interval))"))
    }
}

/// A sign behind a value whose interval may miss the truth more often than it says, and what it stands for.
struct CellMark {
    var flag: String
    var sign: Character
    var words: String

    static let all = [
        CellMark(
            flag: "bounded", sign: "*",
            words: "bounding left out rows or units: the table's own value may lie outside the interval."),
        CellMark(
            flag: "selected", sign: "^",
            words: "the row was chosen by noisy values: it is partly there by luck, which the interval does not hold."),
        CellMark(
            flag: "thresholded", sign: "~",
            words:
                "groups of about its size are seldom shown: that this one is, is luck, and others like it are missing."),
        CellMark(
            flag: "clipped", sign: "|",
            words:
                "it lies, or may lie, at a declared bound, to which values beyond were clipped: the truth may lie beyond."
        ),
    ]

    static func signs(_ cell: Answer.Cell) -> String {
        guard let flags = cell.flags else { return "" }
        return String(all.filter { flags.contains($0.flag) }.map(\.sign))
    }
}

extension Scalar {
    /// As text for people.
    var text: String {
        switch self {
        case .null: "(null)"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .real(let value): value.rounded() == value && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
        case .text(let value): value
        }
    }

    /// The number, where it is one; an unbounded end of an interval is the text that JSON can carry.
    var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        case .text("Infinity"): .infinity
        case .text("-Infinity"): -.infinity
        case .null, .boolean, .text: nil
        }
    }

    fileprivate var commaSeparated: String? {
        switch self {
        case .null: nil
        case .real(let value): "\(value)"
        case .text("-Infinity"): "-Infinity"
        case .text(let value): CommaSeparated.text(value)
        case .boolean, .integer: text
        }
    }
}
