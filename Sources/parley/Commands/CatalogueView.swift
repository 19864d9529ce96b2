import Datasite
import DatasiteProtocol

/// A dataset's public page: what it holds, what one person contributes, what may be asked at what price.
struct CatalogueView {
    let detail: DatasetDetail

    static func table(_ datasets: [DatasetSummary]) -> TextTable {
        TextTable(
            [
                .init(title: "dataset"), .init(title: "kind"), .init(title: "columns", alignsRight: true),
                .init(title: "privacy unit"), .init(title: "population"), .init(title: "title"),
            ],
            rows: datasets.map {
                [$0.name, $0.kind, NumberText.integer($0.columns), $0.unit, $0.population, $0.title]
            })
    }

    func show(on terminal: Terminal) {
        terminal.line(terminal.styled(PrintableText.escape(detail.summary.title), .bold))
        for paragraph in detail.description.split(separator: "\n", omittingEmptySubsequences: false) {
            terminal.paragraph(String(paragraph))
        }
        terminal.line()
        terminal.write(facts.render(on: terminal))
        terminal.line()
        terminal.write(dictionary().render(on: terminal))
        if let arrays = detail.arrays {
            terminal.line()
            terminal.write(Self.arrays(arrays).render(on: terminal))
        }
        guard !detail.mockRows.isEmpty else { return }
        let source =
            detail.mockSource.map(PrintableText.escape) ?? "made up from what is declared above, not from the data"
        terminal.line("\n\(detail.summary.kind == "lookup" ? "Rows" : "Mock rows") (\(source)):")
        showMockRows(on: terminal)
    }

    /// The facts that decide what a question may be and cost.
    private var facts: TextTable {
        var rows = [["dataset", "\(detail.summary.name) (\(detail.summary.kind)), version \(detail.summary.version)"]]
        if detail.summary.kind != "lookup" {
            let unit = detail.summary.unit
            rows.append([
                "privacy unit",
                "\(unit): at most \(counted(detail.rowsPerUnit, "row")), \(counted(detail.groupsPerUnit, "group"))",
            ])
            rows.append(["population", detail.summary.population])
            rows.append([
                "capacity",
                "\(NumberText.integer(detail.capacityRows)) rows, \(NumberText.integer(detail.capacityUnits)) units (declared; the true numbers are private)",
            ])
        }
        if let total = detail.total { rows.append(["budget, all", total.text]) }
        if let meaning = detail.meaning { rows.append(["that is", meaning.words]) }
        for (label, loss) in [
            ("budget, \(detail.ownLimit == nil ? "each" : "yours")", detail.ownLimit ?? detail.perResearcher),
            ("a question", detail.perQuestion),
            ("at least", detail.leastCharge.flatMap { $0.amount > 0 ? $0 : nil }),
        ] {
            if let loss { rows.append([label, label == "at least" ? loss.leastText : loss.text]) }
        }
        if !detail.windows.isEmpty { rows.append(["rate limits", detail.windows.joined(separator: "; ")]) }
        if detail.summary.kind != "lookup" {
            rows.append(["approval", detail.approval])
            for (index, work) in (detail.work ?? []).enumerated() { rows.append([index == 0 ? "work" : "", work]) }
            rows.append(["aggregates", detail.allowedAggregates.joined(separator: ", ")])
        }
        return TextTable(titles: ["", ""], rows: rows)
    }

    private func counted(_ count: Int, _ noun: String) -> String {
        "\(NumberText.integer(count)) \(noun)\(count == 1 ? "" : "s")"
    }

    func dictionary(limitedTo names: [String]? = nil) -> TextTable {
        let columns = names.map { names in detail.columns.filter { names.contains($0.name) } } ?? detail.columns
        return TextTable(
            titles: ["column", "type", "values", "description"],
            rows: columns.map { column in
                let type = column.type + (column.nullable ? "?" : "") + (column.role.map { " (\($0))" } ?? "")
                return [column.name, type, Self.values(column), column.description]
            })
    }

    /// What models are trained on beside columns.
    private static func arrays(_ arrays: [DatasetDetail.Array]) -> TextTable {
        TextTable(
            titles: ["array", "type", "values", "description"],
            rows: arrays.map { array in
                let shape = array.shape.prefix(8).map(String.init).joined(separator: "x")
                let bounds = [array.lower, array.upper].map { NumberText.significant($0, digits: 6) }
                return [array.name, "\(array.type) \(shape)", bounds.joined(separator: " to "), array.description]
            })
    }

    static func values(_ column: DatasetDetail.Column) -> String {
        if let domain = column.domain {
            let shown = domain.prefix(6).map(\.text).joined(separator: ", ")
            let values = domain.count > 6 ? shown + ", … (\(domain.count))" : shown
            return column.other.map { "\(values); others become \($0.text)" } ?? values
        }
        guard let range = range(column) else { return "" }
        return range + steps(column)
    }

    private static func range(_ column: DatasetDetail.Column) -> String? {
        if let earliest = column.earliest, let latest = column.latest { return "\(earliest) to \(latest)" }
        guard let lower = column.lower, let upper = column.upper else { return nil }
        return [lower, upper].map { bound -> String in
            switch column.type {
            // As an earlier site has them.
            case "date", "timestamp": DisplayedTime.text(bound, isDate: column.type == "date")
            // A year has no comma.
            case "integer" where abs(bound) < 10_000: "\(Int(bound))"
            default: NumberText.significant(bound, digits: 6)
            }
        }.joined(separator: " to ")
    }

    /// The grid of the values, where it is not that of all such numbers.
    private static func steps(_ column: DatasetDetail.Column) -> String {
        guard let step = column.resolution else { return "" }
        let number = NumberText.significant(step, digits: 6)
        switch column.type {
        case "integer" where step == 1, "date" where step == 1, "timestamp" where step == 1: return ""
        case "date": return ", in steps of \(number) days"
        case "timestamp": return ", in steps of \(number) s"
        default: return ", in steps of \(number)"
        }
    }

    /// The mock rows, as many columns as fit.
    func showMockRows(on terminal: Terminal, columns names: [String]? = nil) {
        var chosen = detail.columns.indices.filter { names?.contains(detail.columns[$0].name) ?? true }
        var table = mockTable(chosen)
        while chosen.count > 1, !table.fits(terminal.width) {
            chosen.removeLast()
            table = mockTable(chosen)
        }
        terminal.write(table.render(on: terminal))
        let left = (names?.count ?? detail.columns.count) - chosen.count
        if left > 0 { terminal.line(terminal.styled("(\(left) more columns)", .dim)) }
    }

    private func mockTable(_ chosen: [Int]) -> TextTable {
        TextTable(
            chosen.map {
                .init(
                    title: detail.columns[$0].name, alignsRight: ["integer", "real"].contains(detail.columns[$0].type))
            },
            rows: detail.mockRows.map { row in chosen.map { $0 < row.count ? row[$0].text : "" } })
    }
}
