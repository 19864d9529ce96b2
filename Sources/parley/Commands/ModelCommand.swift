public import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
public import EncryptedPrediction
import Foundation
import PredictionClient
import SecureComputation

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Let others predict with a model of yours that they do not see, on rows that you do not see.",
        discussion: """
            A model has the policy of the rows that it was made from: what it answers follows from them. Whoever the policy allows asks with `parley predict`; both sides compute on shares, with random numbers that a \
            dealer makes (parley dealer), which neither of you runs.

              parley model add chest --of scans --model weights.safetensors --range 0,255 --dealer https://dealer.example.org --site ./company
              parley data policy scans policy.yaml --site ./company      # engines: {prediction: {model: chest, version: ..., uses: 10000, uses-per-researcher: 500}}
              parley serve --site ./company
            """,
        subcommands: [ModelAddCommand.self, ModelListCommand.self, ModelShowCommand.self, ModelRemoveCommand.self])
}

struct ModelAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a trained model, and have a mask for its weights made.",
        discussion: """
            Numbers become integers, with bounds that hold whatever is put in. With public rows to calibrate on (--calibrate), activations are held to what such rows reach, twice over; without, worst cases are \
            taken, which large models do not fit.

              parley model add chest --of scans --model weights.safetensors --range 0,255 --dealer https://dealer.example.org
              parley model add chest --of scans --model weights.safetensors --range 0,255 --calibrate public.npz:images --output scores --dealer http://127.0.0.1:8970
            """)

    @Argument(help: "What to call it.") var name: String
    @Option(
        name: .customLong("of"),
        help: ArgumentHelp("The dataset whose rows it was made from: its policy holds.", valueName: "dataset"))
    var dataset: String
    @Option(help: ArgumentHelp("The weights (safetensors).", valueName: "file"), completion: .file()) var model: String
    @Option(
        help: ArgumentHelp("The architecture (default: architecture.json beside the weights).", valueName: "file"),
        completion: .file()) var architecture: String?
    @Option(help: ArgumentHelp("The dealer's URL; the site must be admitted there.", valueName: "url")) var dealer:
        String
    @Option(
        help: ArgumentHelp(
            "The dealer's key in base64, where its operator told you (default: the one that answers at the URL).",
            valueName: "key"))
    var dealerKey: String?
    @Option(help: ArgumentHelp("Raw numbers' least and largest, which become 0 and 1: 0,255.", valueName: "low,high"))
    var range: String?
    @Option(parsing: .unconditional, help: "The largest magnitude of a number that goes in, where there is no --range.")
    var bound = 1.0
    @Flag(help: "Without --range: what goes in is never negative (bounds of errors are smaller).") var nonNegative =
        false
    @Flag(help: "Trade a round more a layer for less than half of what is dealt.") var twoRounds = false
    @Option(
        help: ArgumentHelp(
            "Public rows (.npy, IDX, FILE.npz:NAME) that say what activations reach.", valueName: "file"),
        completion: .file()) var calibrate: String?
    @Option(help: "What is opened to whoever asks: label, or scores (which tell more of the model).")
    var output: PredictionTerms.Output = .label
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?
    @OptionGroup var site: SiteOptions

    func run() async throws {
        let site = try site.open()
        let range = try range.map(Self.range)
        let file =
            architecture
            ?? URL(filePath: model).deletingLastPathComponent().appending(path: "architecture.json").path(
                percentEncoded: false)
        var settings = ModelFiles.Settings()
        settings.output = output
        settings.inputBound = range == nil ? bound : 1
        settings.inputsAreNonNegative = range != nil || nonNegative
        settings.comparison = twoRounds ? .twoRounds : .oneRound
        if let calibrate {
            let shape = try ModelFiles.inputShape(architecture: file)
            settings.calibration = try ModelFiles.rows(calibrate, of: shape, range: range).values
        }
        let prepared = try ModelFiles.prepare(architecture: file, weights: model, settings)
        let key = try await dealersKey()
        let added = try await site.addModel(
            prepared, AddedModel(name: name, dataset: dataset, range: range),
            dealer: ServedPrediction.Dealer(url: dealer, key: key), over: CoordinatorCalls(certificateAuthority: ca))
        let terminal = Terminal.output
        terminal.line("The model \(name), version \(added.version)")
        try ModelView.show(added, on: terminal)
        terminal.line("Allow it in the policy of \(PrintableText.escape(dataset)):")
        terminal.line(
            "  engines: {prediction: {model: \(name), version: \(added.version), rows: 32, uses: 10000, uses-per-researcher: 500, approval: automatic}}"
        )
    }

    private func dealersKey() async throws -> Data {
        if let dealerKey {
            guard let key = Data(base64Encoded: dealerKey), key.count == 32 else {
                throw ValidationError("--dealer-key is 32 bytes in base64: parley dealer list prints it.")
            }
            return key
        }
        return try await DealerClient(url: dealer, options: ClientOptions(certificateAuthority: ca)).description().key
    }

    static func range(_ text: String) throws -> ClosedRange<Float> {
        let ends = text.split(separator: ",").compactMap { Float($0.trimmingCharacters(in: .whitespaces)) }
        guard ends.count == 2, ends[0] < ends[1], ends.allSatisfy(\.isFinite) else {
            throw ValidationError("--range is two numbers, the lower first: 0,255.")
        }
        return ends[0]...ends[1]
    }
}

extension PredictionTerms.Output: ExpressibleByArgument {}

struct ModelListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the models that are here.",
        discussion: """
              parley model list --site ./company
            """)

    @OptionGroup var site: SiteOptions

    func run() throws {
        let site = try site.open()
        for name in site.servedModels() {
            let model = try site.servedModel(name)
            Terminal.output.line("\(name)  of \(model.dataset), version \(model.version)")
        }
        if site.servedModels().isEmpty { Terminal.output.line("There is none: parley model add") }
    }
}

struct ModelShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what is public of a model, and what a prediction takes.",
        discussion: """
              parley model show chest --site ./company
            """)

    @Argument(help: "The model.") var name: String
    @OptionGroup var site: SiteOptions

    func run() throws {
        let site = try site.open()
        let model = try site.servedModel(name)
        Terminal.output.line("The model \(name) of \(model.dataset), version \(model.version)")
        try ModelView.show(model, on: .output)
        let prepared = site.prepared(for: model)
        if prepared.count > 0 {
            Terminal.output.line(
                "  \(prepared.count) request\(prepared.count == 1 ? " is" : "s are") prepared for: \(ByteText.of(prepared.bytes)) on the disk"
            )
        }
    }
}

struct ModelRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a model, its weights and its mask.",
        discussion: """
              parley model remove chest --site ./company
            """)

    @Argument(help: "The model.") var name: String
    @OptionGroup var site: SiteOptions
    @OptionGroup var confirmation: ConfirmationOptions

    func run() throws {
        let site = try site.open()
        let model = try site.servedModel(name)
        try confirmation.confirm(
            Consequences(touched: [
                "Nobody predicts with the model \(name) of \(model.dataset) any more, and its version \(model.version) does not come back"
            ]))
        try site.removeModel(name)
        Terminal.output.line("\(name) is removed.")
    }
}

/// A model in words.
private enum ModelView {
    static func show(_ model: ServedModel, on terminal: Terminal) throws {
        let terms = model.terms
        let program = try terms.program(rows: 1)
        let cost = program.cost
        terminal.line(
            "  Takes rows of \(terms.inputShape.map(String.init).joined(separator: " x ")), opens \(terms.output == .label ? "the label" : "the scores") of \(terms.classes) classes."
        )
        terminal.line(
            "  Numbers have \(terms.fractionBits) binary places; a score is \(terms.isErrorProven ? "proven to be" : "estimated to be") within \(NumberText.significant(terms.errorBound)) of the model's own, for rows of which no limit cuts an activation."
        )
        terminal.line(
            "  One prediction: \(cost.rounds) rounds, \(ByteText.of(cost.bytes)) both ways; \(ByteText.of(cost.correlationBytesToFirst)) dealt to whoever asks, \(ByteText.of(cost.correlationBytesToSecond)) here."
        )
        terminal.line("  The masked weights, fetched once by whoever asks: \(ByteText.of(8 * program.weightCount)).")
        terminal.line(
            "  Dealer \(PrintableText.escape(model.dealer.url)), key \(model.dealer.key.base64EncodedString())")
    }
}

/// Bytes for people.
enum ByteText {
    static func of(_ bytes: Int) -> String {
        switch bytes {
        case ..<1_000: "\(bytes) bytes"
        case ..<1_000_000: "\(NumberText.significant(Double(bytes) / 1e3)) kB"
        case ..<1_000_000_000: "\(NumberText.significant(Double(bytes) / 1e6)) MB"
        default: "\(NumberText.significant(Double(bytes) / 1e9)) GB"
        }
    }
}
