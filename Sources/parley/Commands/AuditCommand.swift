import ArgumentParser
import DatasiteProtocol

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who asked what, when and for how much; what was refused, and why.")

    @OptionGroup var options: PlaceOptions
    @Option(help: "Begin at this entry of the journal.") var from: Int64 = 1
    @Option(help: "Show at most that many entries.") var limit = 1000
    @Flag(help: "Show the journal's hash at each entry.") var hashes = false

    func validate() throws {
        guard from >= 0, limit > 0 else { throw ValidationError("--from and --limit must be positive.") }
    }

    func run() async throws {
        let place = try options.place()
        let (from, limit) = (from, limit)
        let entries = try await place.audit(from: from, limit: limit)
        guard !entries.isEmpty else {
            Terminal.output.line("The journal has no entry from \(from) on.")
            return
        }
        var titles: [TextTable.Column] = [
            .init(title: "#", alignsRight: true), .init(title: "when"), .init(title: "who"), .init(title: "what"),
            .init(title: "dataset"), .init(title: "cost"),
        ]
        if hashes { titles.append(.init(title: "journal hash")) }
        titles.append(.init(title: "detail"))
        let rows = entries.map { entry in
            var row = [
                String(entry.index), entry.time, entry.actor, entry.action, entry.dataset ?? "",
                entry.charge?.shortText ?? "",
            ]
            if hashes { row.append(entry.hash) }
            return row + [RequestView.oneLine(entry.detail)]
        }
        Terminal.output.write(TextTable(titles, rows: rows).render(on: .output))
    }
}
