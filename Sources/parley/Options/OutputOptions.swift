import ArgumentParser
import Foundation

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, csv, json
}

/// How an answer is shown, and where it and its receipt are saved.
struct OutputOptions: ParsableArguments {
    @Option(help: "table; csv; or json: the answer's exact bytes, over which its receipt is.")
    var format: OutputFormat = .table

    @Flag(help: "Draw each estimate as bars with the 95 % interval of its privacy noise.")
    var plot = false

    @Option(help: ArgumentHelp("Save the receipt to this file.", valueName: "file"), completion: .file())
    var receipt: String?

    @Option(
        help: ArgumentHelp(
            "Save the answer's exact bytes to this file, for: parley receipt verify.", valueName: "file"),
        completion: .file())
    var answer: String?

    func save(answerBytes: [UInt8], receiptBytes: [UInt8]?) throws {
        if let answer { try write(answerBytes, to: answer) }
        guard let receipt else { return }
        guard let receiptBytes else { throw Failure("A mock answer has no receipt: nothing was released.") }
        try write(receiptBytes, to: receipt)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw Failure("Cannot write \(path): \(error.localizedDescription)")
        }
    }
}
