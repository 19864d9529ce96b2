import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation

struct DataCommit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit",
        abstract: "Commit to the rows that models' final scores are measured on, as a market's sponsor does.",
        discussion: """
            The digest goes into your task's terms before you fund it (`validation` of its goal): from then on you cannot show other rows in a dispute. It tells nothing of the rows: each \
            has a salt of its own, which follows from this site's secret. Of one version and the same columns it is the same whenever you ask; of another version it is another, so \
            leave the table as it is until the task is settled. What the policy says beside it, so that a referee may open rows: docs/guide/manifest.md.

              parley data commit xrays --columns image,ill
              parley data commit xrays --columns image,ill --json
            """)

    @Argument(help: "The dataset.") var dataset: String
    @Option(
        help:
            "The columns and arrays that a dispute may open, in their order, with commas between: what goes into a model, and the label."
    )
    var columns: String
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var site: SiteOptions

    func run() async throws {
        let names = columns.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        let made = try site.open().commitValidation(of: dataset, columns: names, as: .localOwner)
        let terminal = Terminal.output
        guard !json else { return try terminal.json(made) }
        terminal.line("Commitment \(made.commitment)")
        terminal.line()
        terminal.paragraph(
            "The same, as the policy has it. No row is opened before you add the market, its keys, the referees and how many: see docs/guide/manifest.md.",
            .dim)
        terminal.line("engines:")
        terminal.line("  opened-rows:")
        terminal.line(PrintableText.escape("    columns: [\(made.columns.joined(separator: ", "))]"))
        terminal.line(PrintableText.escape("    version: \(made.version)"))
        terminal.line("    commitment: \(made.commitment)")
    }
}
