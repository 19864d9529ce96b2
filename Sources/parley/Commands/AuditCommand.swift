import ArgumentParser
import DatasiteProtocol

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who asked what, when and for how much; what was refused, and why.")

    @OptionGroup var options: PlaceOptions
    @Option(
        parsing: .unconditional, help: "Begin at this entry of the journal (default: so that the newest are shown).")
    var from: Int64?
    @Option(
        parsing: .unconditional, help: "Show at most that many entries (up to 1000).", transform: WholeNumberText.parse)
    var limit = 1000
    @Flag(help: "Show the journal's hash at each entry.") var hashes = false

    func validate() throws {
        guard from ?? 1 >= 1, (1...1000).contains(limit) else {
            throw ValidationError("--from is at least 1, --limit from 1 to 1000.")
        }
    }

    func run() async throws {
        let place = try options.place()
        let (from, limit) = (from, limit)
        let entries = try await place.audit(from: from, limit: limit)
        guard !entries.isEmpty else {
            Terminal.output.line("The journal has no entry from \(from ?? 1) on.")
            return
        }
        Terminal.output.write(Self.table(entries, hashes: hashes).render(on: .output))
        if let first = entries.first, first.index > 1, from == nil {
            Terminal.diagnostics.line(
                "The newest entries are shown; for earlier ones: --from \(max(1, first.index - Int64(limit)))")
        } else if let last = entries.last, entries.count == limit, from != nil {
            Terminal.diagnostics.line("There may be more: --from \(last.index + 1)")
        }
    }

    static func table(_ entries: [AuditEntry], hashes: Bool) -> TextTable {
        var titles: [TextTable.Column] = [
            .init(title: "#", alignsRight: true), .init(title: "when"), .init(title: "who"), .init(title: "what"),
            .init(title: "dataset"), .init(title: "cost"),
        ]
        if hashes { titles.append(.init(title: "journal hash")) }
        titles.append(.init(title: "detail"))
        let rows = entries.map { entry in
            var row = [
                String(entry.index), entry.time, entry.actor, entry.action, entry.dataset ?? "",
                entry.charge?.meaningText ?? "",
            ]
            if hashes { row.append(entry.hash) }
            return row + [RequestView.oneLine(entry.detail)]
        }
        return TextTable(titles, rows: rows)
    }
}
