import DatasiteProtocol

/// An answer drawn for the terminal: keys as they are, each estimate with the 95 % interval of its privacy noise.
struct AnswerTable {
    let answer: Answer
    private let estimates: [EstimateColumn?]

    init(_ answer: Answer) {
        self.answer = answer
        estimates = answer.columns.indices.map { index in
            answer.columns[index].isKey ? nil : EstimateColumn(answer.rows.map { $0[index] })
        }
    }

    func render(on terminal: Terminal) -> String {
        var table = TextTable(titles())
        for (number, row) in answer.rows.enumerated() {
            table.append(
                row.indices.flatMap { index -> [String] in
                    guard let estimate = estimates[index] else { return [row[index].value.text] }
                    let value = estimate.value(number)
                    return estimate.hasIntervals ? [value, estimate.interval(number)] : [value]
                })
        }
        return table.render(on: terminal)
    }

    private func titles() -> [TextTable.Column] {
        answer.columns.indices.flatMap { index -> [TextTable.Column] in
            let column = answer.columns[index]
            guard let estimate = estimates[index] else {
                return [TextTable.Column(title: column.name, alignsRight: ["integer", "real"].contains(column.type))]
            }
            let value = TextTable.Column(title: column.name, alignsRight: true)
            return estimate.hasIntervals ? [value, TextTable.Column(title: "95 % interval")] : [value]
        }
    }

    /// One plot an estimate, in the order of the answer's rows.
    func plots() -> [BarPlot] {
        answer.columns.indices.compactMap { index in
            guard let estimate = estimates[index] else { return nil }
            let bars = answer.rows.enumerated().compactMap { number, row in
                estimate.bar(number, label: label(row))
            }
            return bars.isEmpty ? nil : BarPlot(title: answer.columns[index].name, bars: bars)
        }
    }

    private func label(_ row: [Answer.Cell]) -> String {
        let keys = answer.columns.indices.filter { answer.columns[$0].isKey }.map { row[$0].value.text }
        return keys.isEmpty ? "all" : keys.joined(separator: ", ")
    }

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
            header += estimates[index] == nil ? [name] : [name, name + "_lower", name + "_upper", name + "_flags"]
        }
        var result = CommaSeparated.line(header)
        for row in answer.rows {
            var fields: [String?] = []
            for index in row.indices {
                let cell = row[index]
                fields.append(cell.value.commaSeparated)
                if estimates[index] != nil {
                    let flags = cell.flags.map { CommaSeparated.text($0.joined(separator: " ")) }
                    fields += [cell.lower?.commaSeparated ?? nil, cell.upper?.commaSeparated ?? nil, flags]
                }
            }
            result += CommaSeparated.line(fields)
        }
        return result
    }
}

/// A column of estimates, shown with as many decimals as its uncertainty justifies: two significant digits of the
/// median half-width.
private struct EstimateColumn {
    let cells: [Answer.Cell]
    let decimals: Int
    let hasIntervals: Bool
    /// The most marks that a value has: the others are filled up, so that digits stand below each other.
    private let marks: Int

    init(_ cells: [Answer.Cell]) {
        self.cells = cells
        marks = cells.map { CellMark.signs($0).count }.max() ?? 0
        hasIntervals = cells.contains { $0.lower != nil && $0.upper != nil }
        let areIntegers = cells.allSatisfy { if case .real = $0.value { false } else { true } }
        let halfWidths = cells.compactMap { cell -> Double? in
            guard let lower = cell.lower?.number, let upper = cell.upper?.number else { return nil }
            let halfWidth = (upper - lower) / 2
            return halfWidth.isFinite && halfWidth > 0 ? halfWidth : nil
        }.sorted()
        if areIntegers {
            decimals = 0
        } else if halfWidths.isEmpty {
            decimals = Self.decimals(showing: cells.compactMap(\.value.number))
        } else {
            decimals = NumberText.decimals(forHalfWidth: halfWidths[halfWidths.count / 2])
        }
    }

    /// Four significant digits of the largest value, where nothing says how certain it is.
    private static func decimals(showing values: [Double]) -> Int {
        NumberText.decimals(forHalfWidth: (values.map { abs($0) }.max() ?? 1) / 100)
    }

    func value(_ number: Int) -> String {
        let signs = CellMark.signs(cells[number])
        return text(number) + signs + String(repeating: " ", count: marks - signs.count)
    }

    private func text(_ number: Int) -> String {
        guard let value = cells[number].value.number else { return cells[number].value.text }
        return NumberText.fixed(value, decimals: decimals)
    }

    func interval(_ number: Int) -> String {
        guard let first = cells[number].lower, let last = cells[number].upper else { return "" }
        // The ends of a date's interval are dates.
        guard let lower = first.number, let upper = last.number else { return "\(first.text) to \(last.text)" }
        if lower == -.infinity, upper == .infinity { return "unbounded" }
        return "\(NumberText.fixed(lower, decimals: decimals)) to \(NumberText.fixed(upper, decimals: decimals))"
    }

    func bar(_ number: Int, label: String) -> BarPlot.Bar? {
        guard let value = cells[number].value.number, value.isFinite else { return nil }
        let interval = interval(number)
        return BarPlot.Bar(
            label: label, value: value, lower: cells[number].lower?.number, upper: cells[number].upper?.number,
            text: text(number) + CellMark.signs(cells[number]) + (interval.isEmpty ? "" : "  (\(interval))"))
    }
}

/// A sign behind a value whose interval may miss the truth more often than it says, and what it stands for.
private struct CellMark {
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
            words: "the group is shown although few of its size are: its values are biased upwards."),
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
