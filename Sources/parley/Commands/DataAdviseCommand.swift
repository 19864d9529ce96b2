import ArgumentParser
import Datasite

struct DataAdvise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "advise", abstract: "Weigh what bounds would cut of a file against the noise that they cost.",
        discussion: """
            For a manifest that is being written: of a draft the column that names the unit must be set, the rest is read as if it \
            allowed everything. Errors are those of a question at --epsilon, in a group of --group-size rows.

            The figures are exact and for your eyes alone. Bounds that you choose by them are chosen from the rows: everybody reads \
            them, and no guarantee covers that. Where a study's design or a code book says them, take them from there.

              parley data describe visits.csv > visits.yaml      # then set unit: {column: patient, ...}
              parley data advise visits.csv --manifest visits.yaml
              parley data advise visits.csv --manifest visits.yaml --group-size 500 --epsilon 0.5
            """)

    @Argument(help: "CSV or NDJSON, plain or gzipped, or Parquet.", completion: .file()) var file: String
    @Option(help: ArgumentHelp("The manifest, or a draft of one.", valueName: "file"), completion: .file())
    var manifest: String
    @Option(
        parsing: .unconditional, help: "The rows of a group of interest (default: a twentieth of all rows).",
        transform: WholeNumberText.parse)
    var groupSize: Int?
    @Option(parsing: .unconditional, help: "What a question may cost.") var epsilon = 1.0
    @Option(help: "What to do with a row that is not as declared: refuse, null or skip-unit.") var onError: OnError =
        .refuse
    @Flag(help: "As JSON.") var json = false

    func validate() throws {
        guard groupSize.map({ $0 >= 1 }) ?? true else { throw ValidationError("--group-size must be at least 1.") }
        guard epsilon > 0, epsilon <= 100 else { throw ValidationError("--epsilon must be above 0 and at most 100.") }
    }

    func run() async throws {
        let text = try readText(manifest)
        let progress = Progress("Reading")
        defer { progress.finish() }
        let (file, groupSize, epsilon, onError) = (file, groupSize, epsilon, onError)
        let advice = try await naming(manifest) {
            try await Interruption.watching { check in
                try Datasite.advise(
                    on: file, manifestText: text, groupSize: groupSize, epsilon: epsilon, onError: onError
                ) { fraction in
                    try check()
                    progress.update(fraction)
                }
            }
        }
        progress.finish()
        guard json else { return AdviceView(advice: advice).show(on: Terminal.output) }
        try Terminal.output.json(advice)
    }
}

/// The advice as tables: one for each place of the manifest.
struct AdviceView {
    let advice: Advice

    func show(on terminal: Terminal) {
        terminal.paragraph(
            "\(NumberText.integer(advice.rows)) rows of \(NumberText.integer(advice.units)) privacy units. Errors below are of a "
                + "group of \(NumberText.integer(advice.groupSize)) rows, asked at ε \(NumberText.significant(advice.epsilon)): what "
                + "bounding moves (bias), and the half-width of the 95 % interval (noise).")
        if advice.choices.contains(where: { $0.kind == .numbers || $0.kind == .weights }), !advice.isUnitRowsDeclared {
            let rows = "\(NumberText.integer(advice.unitRows)) \(advice.unitRows == 1 ? "row" : "rows")"
            terminal.paragraph(
                "The manifest does not say yet how many rows a unit may have in a group: the noise of numbers and weights is that of "
                    + "\(rows), which 99 % of the units have at most. It grows with the number that you declare.")
        }
        for choice in advice.choices { show(choice, on: terminal) }
        for (column, share) in advice.outsideDomain.sorted(by: { $0.key < $1.key }) {
            terminal.line()
            terminal.paragraph("\(column): \(Self.percent(share)) of rows are outside the declared domain.")
        }
        terminal.line()
        terminal.paragraph(
            "For your eyes alone: bounds that are chosen by these figures are chosen from the rows, everybody reads them, and no "
                + "guarantee covers that. Take them from the study's design where it says them. Or declare the widest that are "
                + "plausible, add the table, and ask for narrower ones as a question that is charged: SELECT MIN(x), MAX(x) FROM ..."
        )
    }

    private func show(_ choice: Advice.Choice, on terminal: Terminal) {
        terminal.line()
        terminal.paragraph(Self.title(choice), .bold)
        let ranks = zip(["half", "90 %", "99 %", "99.9 %", "all"], choice.quantiles)
        terminal.paragraph("At most: " + ranks.map { "\($0) \(number($1))" }.joined(separator: ", "))
        var table = TextTable(
            [
                .init(title: ""), .init(title: "bound", alignsRight: true), .init(title: "cut", alignsRight: true),
                .init(title: "bias", alignsRight: true), .init(title: "noise", alignsRight: true),
                .init(title: "error", alignsRight: true),
            ], indent: 2)
        if let declared = choice.declared { table.append(row(declared, choice, "declared")) }
        // From the one that is suggested, as many tighter and wider ones as still fit on a screen.
        let shown = max(0, choice.suggested - 4)..<min(choice.candidates.count, choice.suggested + 5)
        for place in shown {
            table.append(row(choice.candidates[place], choice, place == choice.suggested ? "suggested" : ""))
        }
        terminal.write(table.render(on: terminal))
    }

    private func row(_ candidate: Advice.Candidate, _ choice: Advice.Choice, _ word: String) -> [String] {
        let bound = candidate.bounds.map(number).joined(separator: " to ")
        let errors = [candidate.bias, candidate.noise, candidate.error].map {
            choice.kind == .numbers ? number($0) : Self.percent($0)
        }
        return [word, bound, Self.percent(candidate.cut)] + errors
    }

    private static func title(_ choice: Advice.Choice) -> String {
        let column = choice.column ?? ""
        return switch choice.kind {
        case .rows: "unit: rows (error of COUNT(*))"
        case .groups: "unit: groups, by \(column) (error of COUNT(DISTINCT unit))"
        case .numbers: "\(column): bounds (error of AVG(\(column)))"
        case .weights: "\(column): bounds of the weight (error of COUNT(*) WEIGHTED)"
        }
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e12
            ? NumberText.fixed(value, decimals: 0) : NumberText.significant(value, digits: 3)
    }

    private static func percent(_ share: Double) -> String {
        share == 0 ? "0 %" : NumberText.significant(share * 100, digits: share < 0.001 ? 1 : 2) + " %"
    }
}
