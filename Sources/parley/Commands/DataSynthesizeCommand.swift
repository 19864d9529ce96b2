import ArgumentParser
import Datasite
import DatasiteProtocol
import Synchronization

struct DataSynthesize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synthesize",
        abstract: "Release a synthetic table, from which mock answers come instead of made-up rows.",
        discussion: """
            The table is drawn from noisy counts of columns and pairs of columns. It is a release: charged for good to the \
            budget of the dataset's population, before the first row is read, signed, journaled, and the same for all. Each \
            run that ends is a new table with a new charge; the same command completes one that was cut short. \
            Columns without a declared domain or bounds stay made up. A new version of the dataset goes back to made-up rows.

            parley data synthesize randhie --epsilon 1
            """)

    @OptionGroup var site: SiteOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @Option(
        parsing: .unconditional,
        help: "What it costs; under zcdp and renyi, the largest rho that converts to at most this epsilon.")
    var epsilon: Double?
    @Option(parsing: .unconditional, help: "What it costs, under zcdp and renyi.") var rho: Double?
    @Option(
        parsing: .unconditional,
        help: "The number of rows (default: the noisy number of the dataset's; at most 100,000, and a million values).",
        transform: WholeNumberText.parse)
    var rows: Int?
    @Option(
        parsing: .unconditional,
        help: "Count only so many rows of a unit: less noise (default: the manifest's bound).",
        transform: WholeNumberText.parse)
    var rowsPerUnit: Int?
    @Option(help: ArgumentHelp("Only these columns, separated by commas.", valueName: "names")) var columns: String?

    func validate() throws {
        guard (epsilon == nil) != (rho == nil) else {
            throw ValidationError(Self.noBudget)
        }
        for (name, value) in [("epsilon", epsilon), ("rho", rho)] {
            if let value, !(value > 0 && value.isFinite) {
                throw ValidationError("--\(name) must be a positive number.")
            }
        }
        for (name, value) in [("rows", rows), ("rows-per-unit", rowsPerUnit)] {
            if let value, value < 1 { throw ValidationError("--\(name) must be at least 1.") }
        }
    }

    private static let noBudget = "Say what the table may cost: --epsilon 1, or --rho 0.02."

    private var budget: Budget? { epsilon.map(Budget.epsilon) ?? rho.map(Budget.rho) }

    func run() async throws {
        guard let budget else { throw ValidationError(Self.noBudget) }
        let names = columns.map { $0.split(separator: ",").map { String($0).trimmingPrefix(" ").description } }
        let site = try site.open()
        let following = Mutex<Task<Void, any Error>?>(nil)
        let report = try await site.synthesize(
            SynthesisRequest(
                dataset: dataset, budget: budget, rows: rows, rowsPerUnit: rowsPerUnit, columns: names)
        ) { request, charge, isResumed in
            let terminal = Terminal.diagnostics
            terminal.line(
                isResumed
                    ? "An earlier run was cut short: it is completed under its charge, \(charge.chargeText)."
                    : "Charged \(charge.chargeText), for good. Were this cut short, the same command would complete it under this charge."
            )
            let task = Task { _ = try await Following(.steps).follow(site.events(of: request)) }
            following.withLock { $0 = task }
        }
        // The bar is gone before the report is shown.
        let bar = following.withLock { $0 }
        bar?.cancel()
        _ = try? await bar?.value
        let terminal = Terminal.output
        terminal.line(
            "Released a synthetic table of \(NumberText.integer(report.rows)) rows, charged \(report.charge.chargeText); request \(report.request)."
        )
        if let wanted = report.wantedRows {
            terminal.line(
                terminal.styled("cut: ", .yellow)
                    + "it would have had \(NumberText.integer(wanted)) rows, and a synthetic table has at most 100,000, and a "
                    + "million values. Fewer columns leave more rows: --columns.")
        }
        terminal.line("Mock answers on \(PrintableText.escape(dataset)) come from it now.")
        terminal.line("Researchers fetch it with: parley data synthetic \(PrintableText.escape(dataset)) --csv")
        let pairs = report.pairs.map { $0.joined(separator: " with ") }.joined(separator: ", ")
        terminal.line(
            pairs.isEmpty
                ? "Its columns are independent: no pair was worth its noise."
                : "Pairs of columns that were measured: \(PrintableText.escape(pairs)).")
        for column in report.madeUp {
            terminal.line(terminal.styled("made up: ", .yellow) + PrintableText.escape(column))
        }
    }
}
