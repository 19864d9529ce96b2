import ArgumentParser
import DatasiteProtocol
import Foundation

struct DataSynthetic: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synthetic", abstract: "Fetch a dataset's synthetic table, if its owner released one.",
        discussion: """
            It is drawn from a model of noisy counts, and no row of it is anybody's. It is a release that was charged once, the \
            same for all: fetching it costs nothing.

              parley data synthetic randhie
              parley data synthetic randhie --csv --output randhie.csv
            """)

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @Flag(help: "All rows, as CSV.") var csv = false
    @Flag(help: "All of it as JSON: the exact bytes, over which its receipt is.") var json = false
    @Option(help: ArgumentHelp("Write it to this file.", valueName: "file"), completion: .file()) var output: String?

    func validate() throws {
        if csv, json { throw ValidationError("Give either --csv or --json, not both.") }
        if output != nil, !csv, !json { throw ValidationError("Say what --output is to hold: --csv or --json.") }
    }

    func run() async throws {
        if let output { try SavedFile.check(output) }
        let place = try options.place()
        let bytes = try await place.syntheticTable(dataset)
        var answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
        answer.markMadeUp(try JSONDecoder().decode(MadeUpColumns.self, from: Data(bytes)))
        switch (csv || json, output) {
        case (false, _): show(answer, on: .output)
        case (true, let output?):
            try SavedFile.write(json ? bytes : Array(AnswerTable(answer).commaSeparated().utf8), to: output)
            Terminal.diagnostics.line(
                "\(NumberText.integer(answer.rows.count)) rows, request \(PrintableText.escape(answer.request)).")
        case (true, nil):
            if json { Terminal.output.json(bytes) } else { Terminal.output.write(AnswerTable(answer).commaSeparated()) }
        }
    }

    private func show(_ answer: Answer, on terminal: Terminal) {
        terminal.paragraph(
            "A synthetic table of \(answer.dataset): \(NumberText.integer(answer.rows.count)) rows of "
                + "\(answer.columns.count) columns, charged \(answer.charge.chargeText) once for all; request \(answer.request)."
        )
        terminal.line()
        let names = answer.columns.map {
            TextTable.Column(title: $0.name, alignsRight: ["integer", "real"].contains($0.type))
        }
        let rows = answer.rows.prefix(5).map { $0.map(\.value.text) }
        terminal.write(TextTable(names, rows: rows).render(on: terminal))
        for note in answer.notes { terminal.paragraph(note, .dim) }
        terminal.paragraph("All rows: parley data synthetic \(answer.dataset) --csv --output FILE", .dim)
    }
}

/// Columns of a synthetic table that are no part of the release: a member of its document, each with the reason.
struct MadeUpColumns: Decodable {
    var madeUp: [String]?
}

extension Answer {
    /// Says at the name of each such column that it is made up: a file has no other place that travels with it.
    mutating func markMadeUp(_ columns: MadeUpColumns) {
        for index in self.columns.indices {
            let name = self.columns[index].name
            let isMadeUp = columns.madeUp?.contains { $0.hasPrefix(name + ": ") } ?? false
            if isMadeUp { self.columns[index].name = name + " (made up)" }
        }
    }
}
