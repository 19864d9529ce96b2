public import ArgumentParser
public import Datasite
import DatasiteProtocol
import Foundation

extension OnError: ExpressibleByArgument {}

struct DataDescribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Draft a manifest for a table: names and types only.",
        discussion: """
            Bounds, domains, the privacy unit and the policy are yours to declare, from what is publicly known of the \
            table, not from its rows: they are shown to researchers. A manifest is refused until they are set.

            Types are those that read the whole file, as "data add" will. What else the file might mean is told here, and \
            drafted only where you say it:

              parley data describe visits.csv > manifest.yaml
              parley data describe visits.csv --missing NA --missing=-9 > manifest.yaml
              parley data describe besuche.csv --decimal , --thousands . > manifest.yaml

            Images and other arrays, one a row, stand in files of their own:

              parley data describe labels.csv --array image=images.npy > manifest.yaml

            A public table to be joined, such as codes and their names, needs none of that:

              parley data describe codes.csv --lookup > codes.yaml
            """)

    @Argument(
        help: "CSV or NDJSON, plain or gzipped, or Parquet. Not needed where arrays hold all columns.",
        completion: .file())
    var file: String?
    @OptionGroup var arrays: ArrayOptions
    @Option(parsing: .unconditionalSingleValue, help: "What stands for a missing value; may be given several times.")
    var missing: [String] = []
    @Option(help: "The decimal point of the file's numbers: . or ,") var decimal: String?
    @Option(help: "What separates thousands in the file's numbers.") var thousands: String?
    @Option(help: "How bytes are characters: utf-8, utf-16 or windows-1252.") var encoding: String?
    @Flag(help: "Draft a public lookup table: its rows are shown to everybody, and it protects nobody.")
    var lookup = false

    func run() async throws {
        var options = DraftOptions()
        (options.missing, options.decimal) = (missing, decimal)
        (options.thousands, options.encoding) = (thousands, encoding)
        options.isLookup = lookup
        let draft = try Datasite.describe(file, arrays: arrays.files, options: options)
        Terminal.output.write(draft.text)
        let terminal = Terminal.diagnostics
        for note in draft.notes { terminal.line(terminal.styled("note: ", .yellow) + PrintableText.escape(note)) }
    }
}

struct DataAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Put a table on the datasite.",
        discussion: """
            Images and other arrays, one a row, come from files of their own, for each that the manifest declares; so may \
            columns:

              parley data add visits.csv --manifest visits.yaml
              parley data add labels.csv --manifest xrays.yaml --array image=images.npy
              parley data add labels.csv --manifest xrays.yaml --array image=folder-of-png
              parley data add --manifest digits.yaml --array image=train-images.idx.gz --array label=train-labels.idx.gz
              parley data add --manifest chest.yaml --array image=chest.npz:images --array label=chest.npz:labels

            Row after row, a file's numbers belong to the table's rows. Of a folder of PNG the table's column "file" names \
            each row's image.
            """)

    @OptionGroup var site: SiteOptions
    @Argument(
        help: "CSV or NDJSON, plain or gzipped, or Parquet. Not needed where arrays hold all columns.",
        completion: .file())
    var file: String?
    @OptionGroup var arrays: ArrayOptions
    @Option(help: ArgumentHelp("What you declare of the table.", valueName: "file"), completion: .file())
    var manifest: String
    @Option(help: "What to do with a row that is not as declared: refuse (nothing is loaded), null or skip-unit.")
    var onError: OnError = .refuse
    @OptionGroup var confirmation: ConfirmationOptions

    func run() async throws {
        let text = try readText(manifest)
        let site = try site.open()
        try await naming(manifest) { try confirmation.confirm(try site.consequences(of: .add(manifest: text))) }
        let progress = Progress("Adding")
        defer { progress.finish() }
        let (file, arrays, onError) = (file, try arrays.files, onError)
        let report = try await naming(manifest) {
            try await Interruption.watching { check in
                try site.addDataset(file: file, arrays: arrays, manifestText: text, onError: onError) { fraction in
                    try check()
                    progress.update(fraction)
                }
            }
        }
        progress.finish()
        show(report, "Added")
    }
}

struct DataVersion: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Replace a dataset's rows by a new version of its table.",
        discussion: "The people stay the same, and so does what has been spent of their budget.")

    @OptionGroup var site: SiteOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @Argument(
        help: "CSV or NDJSON, plain or gzipped, or Parquet. Not needed where arrays hold all columns.",
        completion: .file())
    var file: String?
    @OptionGroup var arrays: ArrayOptions
    @Option(help: ArgumentHelp("A new manifest (default: the present one).", valueName: "file"), completion: .file())
    var manifest: String?
    @Option(help: "What to do with a row that is not as declared: refuse (nothing is loaded), null or skip-unit.")
    var onError: OnError = .refuse
    @OptionGroup var confirmation: ConfirmationOptions

    func run() async throws {
        let text = try manifest.map { try readText($0) }
        let site = try site.open()
        try await naming(manifest) {
            try confirmation.confirm(try site.consequences(of: .version(dataset: self.dataset, manifest: text)))
        }
        let progress = Progress("Adding")
        defer { progress.finish() }
        let (dataset, file, arrays, onError) = (dataset, file, try arrays.files, onError)
        let report = try await naming(manifest) {
            try await Interruption.watching { check in
                try site.addVersion(
                    of: dataset, file: file, arrays: arrays, manifestText: text, onError: onError
                ) { fraction in
                    try check()
                    progress.update(fraction)
                }
            }
        }
        progress.finish()
        show(report, "Replaced")
    }
}

struct DataAppend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "append", abstract: "Add a file's rows to a dataset's, as a new version of its table.",
        discussion: """
            What one person has in the old rows and in the new counts together against the most that she may have. What \
            has been spent of the people's budget stays spent. Rows that are in both files are there twice. A synthetic \
            table of the old rows is dropped, and requests that wait for approval lapse: you are asked first.

              parley data append visits december.csv
            """)

    @OptionGroup var site: SiteOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @Argument(help: "CSV or NDJSON, plain or gzipped, or Parquet, as its manifest declares it.", completion: .file())
    var file: String
    @Option(help: "What to do with a row that is not as declared: refuse (nothing is loaded), null or skip-unit.")
    var onError: OnError = .refuse
    @OptionGroup var confirmation: ConfirmationOptions

    func run() async throws {
        let site = try site.open()
        try confirmation.confirm(try site.consequences(of: .append(dataset: dataset)))
        let progress = Progress("Appending")
        defer { progress.finish() }
        let (dataset, file, onError) = (dataset, file, onError)
        let report = try await Interruption.watching { check in
            try site.append(to: dataset, file: file, onError: onError) { fraction in
                try check()
                progress.update(fraction)
            }
        }
        progress.finish()
        show(report, "Appended to")
    }
}

struct DataPolicy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Change a dataset's policy.",
        discussion: """
            The file holds the policy alone, as under "policy:" in a manifest. Raising a budget is journaled and shown \
            to researchers; the unit of loss and delta cannot change after the first release. You are told whom the change \
            touches, and what of it protects nobody, and asked whether it is meant.
            """)

    @OptionGroup var site: SiteOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @Argument(help: "The new policy (YAML).", completion: .file()) var file: String
    @OptionGroup var confirmation: ConfirmationOptions

    func run() async throws {
        let text = try readText(file)
        let site = try site.open()
        let dataset = dataset
        try await naming(file) {
            try confirmation.confirm(try site.consequences(of: .policy(dataset: dataset, policy: text)))
            try site.setPolicy(of: dataset, policyText: text)
        }
        Terminal.output.line(
            "\(PrintableText.escape(dataset)) has a new policy; see it with: parley data show \(PrintableText.escape(dataset))"
        )
    }
}

struct DataRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a dataset and its rows.",
        discussion: """
            What was spent of its people's budget stays spent, whatever is added about them later. You are told whom it \
            touches, and asked.
            """)

    @OptionGroup var site: SiteOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @OptionGroup var confirmation: ConfirmationOptions

    func run() async throws {
        let site = try site.open()
        var consequences = try site.consequences(of: .remove(dataset: dataset))
        consequences.touched.append("\(dataset) and its rows are removed from this datasite for good")
        try confirmation.confirm(consequences)
        try site.removeDataset(dataset)
        Terminal.output.line("Removed \(PrintableText.escape(dataset)). Its population's ledger stays.")
    }
}

func readText(_ path: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: path) else { throw Failure("Cannot read \(path).") }
    guard let text = String(validating: data, as: UTF8.self) else { throw Failure("\(path) is not UTF-8 text.") }
    return text
}

/// Names the file in what is wrong with the manifest, or the policy, that it holds; nil: it is the stored one.
func naming<Result>(_ file: String?, _ body: () async throws -> Result) async throws -> Result {
    do { return try await body() } catch let problem as Problem {
        guard let file, problem.kind == .invalidManifest else { throw problem }
        var named = problem
        named.detail = "\(file): \(problem.detail)"
        throw named
    }
}

/// The counts are private: they go to the owner's screen and nowhere else.
private func show(_ report: AdditionReport, _ verb: String) {
    let terminal = Terminal.output
    let counted =
        report.units.map { " of \(NumberText.integer($0)) privacy units (for you alone)" }
        ?? " of a public lookup table"
    terminal.line("\(verb): \(NumberText.integer(report.rows)) rows\(counted), version \(report.version).")
    for fact in report.facts { terminal.paragraph(fact) }
    if let time = report.time { terminal.paragraph(time) }
    for warning in report.warnings {
        terminal.line(terminal.styled("note: ", .yellow) + PrintableText.escape(warning))
    }
}
