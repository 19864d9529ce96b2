import ArgumentParser
import Foundation

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, csv, json
}

/// How an answer is shown, and where it and its receipt are saved.
struct OutputOptions: ParsableArguments, Sendable {
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

    @Flag(help: "Only the answer: no notes, no cost.") var quiet = false

    func validate() throws {
        guard receipt != "-", answer != "-" else {
            throw ValidationError(
                "--receipt and --answer name files; for the answer on standard output: --format json.")
        }
    }

    /// Finds out before anything is asked whether the files can be written.
    func checkDestinations() throws(Failure) {
        for path in [answer, receipt].compactMap(\.self) {
            do { try SavedFile.check(path) } catch {
                throw Failure(error.what, next: "Nothing was asked. Name a file that can be written.")
            }
        }
    }

    func save(answerBytes: [UInt8], receiptBytes: [UInt8]?) throws(Failure) {
        if let answer { try SavedFile.write(answerBytes, to: answer) }
        if let receipt, let receiptBytes { try SavedFile.write(receiptBytes, to: receipt) }
    }
}
