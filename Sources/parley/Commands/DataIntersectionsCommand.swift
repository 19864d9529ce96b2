import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation

struct DataIntersections: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "intersections", abstract: "What is known here of who is at other sites too: for owners alone.",
        discussion: """
            Each intersection that was charged, with what came of it where this site's owners were to learn it. Numbers are exact: they are for you, not for \
            researchers. Of one request, by its id, which identifiers are at both sites comes as CSV or JSON, in an order that both sites' owners have.

              parley data intersections --site ./hospital-a
              parley data intersections 7KQ2...X --site ./hospital-a --output both.csv
            """)

    @Argument(help: "A request's id: which identifiers are at both sites, as CSV.") var request: String?
    @Option(
        help: ArgumentHelp("Write them to this file, for you alone (default: print them).", valueName: "file"),
        completion: .file())
    var output: String?
    @Flag(
        help:
            "Write JSON: each value to the letter, where a spreadsheet's CSV has an apostrophe before what it would take for a formula."
    )
    var json = false
    @OptionGroup var site: SiteOptions

    func validate() throws {
        guard (output == nil && !json) || request != nil else {
            throw ValidationError(
                "Of which intersection? Name its request: parley data intersections REQUEST --output FILE")
        }
    }

    func run() async throws {
        let site = try site.open()
        if let request { return try show(try site.matches(of: request, as: .localOwner)) }
        let found = try site.intersections(as: .localOwner)
        let terminal = Terminal.output
        guard !found.isEmpty else {
            return terminal.line("No dataset of this site was intersected with another site's.")
        }
        for (number, one) in found.enumerated() {
            if number > 0 { terminal.line() }
            terminal.paragraph(
                PrintableText.escape(
                    "\(one.dataset) by \(one.columns.joined(separator: ", ")), with the site \(one.peer)"), .bold)
            terminal.line(
                PrintableText.escape("  \(one.time), asked by \(one.researcher), request \(one.request)"))
            terminal.line("  Made known: \(one.known).")
            if let size = one.size {
                terminal.line("  \(NumberText.integer(size)) of your identifiers are there too.")
            }
            if one.isKept { terminal.line("  Which: parley data intersections \(PrintableText.escape(one.request))") }
            if let leftOut = one.leftOut, leftOut > 0 {
                terminal.line(
                    "  \(NumberText.integer(leftOut)) of your identifiers lie beyond the policy's `capacity` and were not compared."
                )
            }
            switch one.state {
            case "reserved":
                terminal.line(
                    "  It has not ended here: what the other site was to learn it may know. Where it stands: parley jobs --all"
                )
            case "cancelled": terminal.line("  It was cancelled; what the other site was to learn it may know.")
            default: break
            }
        }
    }

    private func show(_ found: (columns: [String], rows: [[String]])) throws {
        struct Matches: Encodable {
            let columns: [String]
            let rows: [[String]]
        }
        let lines = ([found.columns] + found.rows).map { CommaSeparated.line($0.map(CommaSeparated.text)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes =
            try json
            ? Array(encoder.encode(Matches(columns: found.columns, rows: found.rows))) + [0x0A]
            : Array(lines.joined().utf8)
        guard let output else { return Terminal.output.write(bytes) }
        guard !FileManager.default.fileExists(atPath: output) else {
            throw Failure("\(output) is there already.", next: "Name another file.")
        }
        try PrivateFile.write(bytes, to: output)
        Terminal.output.line(
            "\(PrintableText.escape(output)): \(NumberText.integer(found.rows.count)) identifiers that are at both sites"
        )
    }
}
