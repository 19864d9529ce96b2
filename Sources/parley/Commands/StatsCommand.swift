import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation

struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Describe a dataset that several sites have, by one sum with one noise.",
        discussion: """
            Before a model is trained together: whether the sites declare the same, and what their rows together look like. Columns that are declared differently \
            are listed and left out; of the others come counts, missing values, means, deviations, quantiles, histograms and levels, all from one question to \
            all sites, at one cost. It divides the budget among all that it measures: fewer --columns come out more precisely.

              parley stats https://a.example.org,https://b.example.org,https://c.example.org --dataset visits --dry-run --epsilon 1 \\
                  --address https://questions.example.org:8900
              parley stats https://a.example.org,... --dataset visits --columns age,ward --epsilon 0.5 --address ...
            """)

    @OptionGroup var spending: SpendingOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup(title: "Several sites") var together: TogetherOptions

    @Argument(help: "The sites, with commas between: URLs that you are logged in to.") var sites: String
    @Option(help: "The dataset, which each site has.") var dataset: String
    @Option(help: ArgumentHelp("Only these columns, with commas between.", valueName: "names")) var columns: String?
    @Option(help: "Say what it is for: owners who decide read it.") var purpose: String?
    @Flag(help: "Show what differs, the question, its cost and expected errors, and spend nothing.") var dryRun = false

    func validate() throws {
        guard spending.budget != nil else {
            throw ValidationError(
                "Say what it may cost: --epsilon 0.5, --rho 0.01, or --error 2% --group-size N.")
        }
        guard spending.selectionDelta == nil, spending.groupsPerUnit == nil else {
            throw ValidationError(
                "There is one group, whose key nobody selects: leave out --selection-delta and --groups-per-unit.")
        }
    }

    func run() async throws {
        let asking = try SitesAsked(sites)
        let named = try await asking.sites()
        let details = try await asking.each { try await $0.client.dataset(dataset).detail() }
        let wanted = columns.map { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
        let statistics = try JointStatistics(
            dataset, zip(named.map(\.name), details).map { ($0, $1) }, columns: wanted)
        for line in statistics.differences { Terminal.diagnostics.paragraph(line, .yellow) }
        if dryRun, !output.quiet { Terminal.output.paragraph(statistics.sql, .dim) }
        var request = spending.request(
            dataset: dataset, sql: statistics.sql, budget: spending.budget ?? .epsilon(1))
        request.purpose = purpose
        var together = AskingTogether(
            sites: sites, request: request, rounds: together.rounds, colluders: together.colluders ?? 1,
            patience: together.patience ?? TogetherOptions.usualPatience, output: output)
        together.draw = { answer in statistics.show(answer, on: .output) }
        try await together.run(isDry: dryRun)
    }
}

/// What is asked of several sites to describe a dataset, and how its answer is read: from what they declare alone.
struct JointStatistics: Sendable {
    enum Kind: Sendable, Hashable {
        /// With the edges of ten bins.
        case number([Double])
        /// Dates and timestamps.
        case time
        case levels([Scalar])
    }

    struct Column: Sendable, Hashable {
        let name: String
        let kind: Kind
        let isNullable: Bool
        let computed: DatasetDetail.Column.ArrayStatistic?
    }

    let dataset: String
    let columns: [Column]
    /// What sites declare differently, a line each.
    let differences: [String]

    /// More levels than that are no table that one reads.
    static let mostLevels = 200

    /// - Parameter columns: Only these; nil: all.
    /// - Throws: A `Failure`: nothing is left to be asked.
    init(_ dataset: String, _ sites: [(name: String, detail: DatasetDetail)], columns: [String]?) throws(Failure) {
        self.dataset = dataset
        guard let first = sites.first else { throw Failure("There is no site.") }
        for (name, detail) in sites
        where detail.rowsPerUnit != first.detail.rowsPerUnit || detail.groupsPerUnit != first.detail.groupsPerUnit {
            throw Failure(
                "At \(first.name) one unit has up to \(first.detail.rowsPerUnit) rows in \(first.detail.groupsPerUnit) groups, at \(name) "
                    + "\(detail.rowsPerUnit) in \(detail.groupsPerUnit): the same noise cannot hide both.",
                next: "Their owners may agree on the bounds of a unit.")
        }
        var names: [String] = []
        for (_, detail) in sites {
            for column in detail.columns where !names.contains(column.name) { names.append(column.name) }
        }
        if let missing = columns?.first(where: { !names.contains($0) }) {
            throw Failure("No site has a column \(missing).", next: "They have \(names.joined(separator: ", ")).")
        }
        var (kept, differences): ([Column], [String]) = ([], [])
        var wanted: [String] = []
        for name in columns ?? names where !wanted.contains(name) { wanted.append(name) }
        for name in wanted {
            let declared = sites.map { site in (site.name, site.detail.columns.first { $0.name == name }) }
            if declared.contains(where: { $0.1?.role == "unit" }) {
                if columns != nil { differences.append("\(name) is left out: it says whose rows they are.") }
                continue
            }
            let words = declared.map { $0.1.map(Self.words) ?? "is not there" }
            guard Set(words).count == 1, let column = declared[0].1 else {
                differences.append(
                    "\(name) is left out: " + zip(declared, words).map { "at \($0.0) it \($1)" }.joined(separator: "; ")
                        + ".")
                continue
            }
            guard let kind = Self.kind(column) else {
                differences.append(
                    "\(name) is left out: it has neither a domain nor bounds between which noise and ten bins have room."
                )
                continue
            }
            kept.append(Column(name: name, kind: kind, isNullable: column.nullable, computed: column.computed))
        }
        guard !kept.isEmpty else {
            throw Failure(
                "No column of \(dataset) is left to be described. " + differences.joined(separator: " "),
                next: "Their owners may agree on names, types, bounds and domains.")
        }
        let items = kept.reduce(1) { total, column in
            switch column.kind {
            case .number: total + 7
            case .time: total + 4
            case .levels: total + 1
            }
        }
        guard items <= 256 else {
            throw Failure(
                "\(kept.count) columns are too many for one question.",
                next: "Name some: --columns \(kept.prefix(3).map(\.name).joined(separator: ","))")
        }
        (self.columns, self.differences) = (kept, differences)
    }

    private static func words(_ column: DatasetDetail.Column) -> String {
        if let declared = column.declared { return "is declared as \(declared)" }
        var words = ["is \(column.type)"]
        if let lower = column.lower, let upper = column.upper {
            words.append("from \(NumberText.significant(lower)) to \(NumberText.significant(upper))")
        }
        if let earliest = column.earliest, let latest = column.latest { words.append("from \(earliest) to \(latest)") }
        if let domain = column.domain { words.append("one of " + domain.map(text).joined(separator: ", ")) }
        if let other = column.other { words.append("others as \(text(other))") }
        if let resolution = column.resolution { words.append("in steps of \(NumberText.significant(resolution))") }
        if column.nullable { words.append("may be missing") }
        if let computed = column.computed { words.append("the \(computed.statistic) of \(computed.array)") }
        return words.joined(separator: ", ")
    }

    private static func text(_ value: Scalar) -> String {
        switch value {
        case .null: "nothing"
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let value): value
        }
    }

    private static func kind(_ column: DatasetDetail.Column) -> Kind? {
        if column.type == "boolean" { return .levels([.boolean(false), .boolean(true)]) }
        if let domain = column.domain {
            var levels = domain.filter { $0 != .null }
            if let other = column.other, !levels.contains(other), other != .null { levels.append(other) }
            return (1...mostLevels).contains(levels.count) ? .levels(levels) : nil
        }
        if column.type == "date" || column.type == "timestamp" { return column.earliest == nil ? nil : .time }
        guard column.type == "integer" || column.type == "real", let lower = column.lower, let upper = column.upper,
            lower < upper
        else { return nil }
        let edges = (0...10).map { lower + (upper - lower) * Double($0) / 10 }
        guard abs(lower) < 1e15, abs(upper) < 1e15, upper - lower > 1e-9 * max(abs(lower), abs(upper)),
            upper - lower > 1e-30,
            zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
        return .number(edges)
    }

    // MARK: The question

    var sql: String {
        let items = columns.flatMap { column -> [String] in
            let name = Self.quoted(column.name)
            let count =
                column.isNullable ? ["COUNT(*) - COUNT(\(name)) AS \(Self.quoted(column.name + " missing"))"] : []
            switch column.kind {
            case .number(let edges):
                return count + [
                    "AVG(\(name)) AS \(Self.quoted(column.name + " mean"))",
                    "STDDEV(\(name)) AS \(Self.quoted(column.name + " deviation"))",
                    "QUANTILE(\(name), 0.05) AS \(Self.quoted(column.name + " 5 %"))",
                    "MEDIAN(\(name)) AS \(Self.quoted(column.name + " median"))",
                    "QUANTILE(\(name), 0.95) AS \(Self.quoted(column.name + " 95 %"))",
                    "HISTOGRAM(\(name), \(edges.map { "\($0)" }.joined(separator: ", "))) AS \(name)",
                ]
            case .time:
                return count + [
                    "QUANTILE(\(name), 0.05) AS \(Self.quoted(column.name + " 5 %"))",
                    "MEDIAN(\(name)) AS \(Self.quoted(column.name + " median"))",
                    "QUANTILE(\(name), 0.95) AS \(Self.quoted(column.name + " 95 %"))",
                ]
            case .levels(let levels):
                // A row is at one level, so that all of them cost as much as one.
                var cases = levels.enumerated().map { "WHEN \(name) = \(Self.literal($1)) THEN \($0)" }
                if column.isNullable { cases.append("WHEN \(name) IS NULL THEN \(levels.count)") }
                let edges = (0...cases.count).map { "\($0)" }.joined(separator: ", ")
                return ["HISTOGRAM(CASE \(cases.joined(separator: " ")) END, \(edges)) AS \(name)"]
            }
        }
        return "SELECT COUNT(*) AS rows, \(items.joined(separator: ", ")) FROM \(Self.quoted(dataset))"
    }

    private static func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }

    private static func literal(_ value: Scalar) -> String {
        if case .text(let text) = value { return "'\(text.replacing("'", with: "''"))'" }
        return text(value)
    }

    // MARK: The answer

    /// Tables: of numbers a row a column; of levels and histograms a row each.
    func show(_ answer: Answer, on terminal: Terminal) {
        guard let row = answer.rows.first else { return }
        var cells: [String: Answer.Cell] = [:]
        for (column, cell) in zip(answer.columns, row) where column.bin == nil { cells[column.name] = cell }
        if let rows = cells["rows"] { terminal.line("\(Self.words(rows)) rows at all sites together") }
        var numbers = TextTable([
            .init(title: "column"), .init(title: "missing", alignsRight: true), .init(title: "mean", alignsRight: true),
            .init(title: "deviation", alignsRight: true), .init(title: "5 %", alignsRight: true),
            .init(title: "median", alignsRight: true), .init(title: "95 %", alignsRight: true),
        ])
        for column in columns {
            if case .levels = column.kind { continue }
            numbers.append(
                [column.name, missing(column, cells)]
                    + ["mean", "deviation", "5 %", "median", "95 %"].map { part in
                        cells["\(column.name) \(part)"].map(Self.words) ?? ""
                    })
        }
        if !numbers.rows.isEmpty { terminal.write(numbers.render(on: terminal)) }
        for column in columns {
            let bins = zip(answer.columns, row).filter { $0.0.bin?.histogram == column.name }
            guard !bins.isEmpty else { continue }
            var table = TextTable([.init(title: column.name), .init(title: "rows", alignsRight: true)])
            for (place, (binned, cell)) in bins.enumerated() {
                if case .levels(let levels) = column.kind {
                    table.append([place < levels.count ? Self.text(levels[place]) : "(missing)", Self.words(cell)])
                } else if let bin = binned.bin {
                    table.append([
                        "\(NumberText.significant(bin.lower)) to \(NumberText.significant(bin.upper))",
                        Self.words(cell),
                    ])
                }
            }
            terminal.line()
            terminal.write(table.render(on: terminal))
        }
        if let features = features(cells) {
            terminal.line()
            terminal.paragraph(
                "For a plan that trains on them, where what is missing counts as the mean: \(features)", .dim)
        }
        for (array, scale) in scales(cells) {
            terminal.line()
            terminal.paragraph("For a plan that trains on \(array): \(scale)", .dim)
        }
    }

    private func missing(_ column: Column, _ cells: [String: Answer.Cell]) -> String {
        guard column.isNullable, let missing = cells["\(column.name) missing"] else { return "none" }
        return Self.words(missing)
    }

    private func features(_ cells: [String: Answer.Cell]) -> String? {
        let items = columns.compactMap { column -> String? in
            guard column.computed == nil, case .number = column.kind,
                let mean = cells["\(column.name) mean"].flatMap(Self.number)
            else {
                return nil
            }
            // Without the commas that people read.
            let name =
                column.name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) == nil ? Self.quoted(column.name) : column.name
            return "{column: \(name), missing: \(NumberText.significant(mean).replacing(",", with: ""))}"
        }
        return items.isEmpty ? nil : "features: [\(items.joined(separator: ", "))]"
    }

    /// For each array whose rows' mean and deviation are columns, the mean and deviation of all its numbers: their variance is that between rows and the mean
    /// of those within one.
    private func scales(_ cells: [String: Answer.Cell]) -> [(array: String, scale: String)] {
        func moments(_ statistic: String, _ array: String) -> (mean: Double, deviation: Double)? {
            let column = columns.first { $0.computed == .init(statistic: statistic, array: array) }
            guard let column, let mean = cells["\(column.name) mean"].flatMap(Self.number),
                let deviation = cells["\(column.name) deviation"].flatMap(Self.number)
            else { return nil }
            return (mean, deviation)
        }
        return columns.compactMap { column in
            guard let computed = column.computed, computed.statistic == "mean",
                let between = moments("mean", computed.array), let within = moments("deviation", computed.array)
            else { return nil }
            let deviation =
                (between.deviation * between.deviation + within.mean * within.mean + within.deviation * within.deviation)
                .squareRoot()
            guard deviation > 0 else { return nil }
            let numbers = [between.mean, deviation].map { NumberText.significant($0).replacing(",", with: "") }
            return (computed.array, "scale: {mean: \(numbers[0]), deviation: \(numbers[1])}")
        }
    }

    private static func number(_ cell: Answer.Cell) -> Double? {
        switch cell.value {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    private static func words(_ cell: Answer.Cell) -> String {
        func short(_ value: Scalar) -> String {
            switch value {
            case .integer(let value): NumberText.integer(Int(value))
            case .real(let value): NumberText.significant(value)
            default: text(value)
            }
        }
        let marks = CellMark.signs(cell)
        guard let lower = cell.lower, let upper = cell.upper else { return short(cell.value) + marks }
        return "\(short(cell.value))\(marks) (\(short(lower)) to \(short(upper)))"
    }
}
