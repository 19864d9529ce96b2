import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import PredictionClient
import SecureComputation
import Synchronization

struct PredictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Predict with a model that you do not see, on rows that nobody else sees.",
        discussion: """
            You and the site compute on shares, with random numbers that a dealer makes. The site learns how many rows they are; you learn the labels (or scores), the architecture and bounds; the dealer learns who, \
            how many, and when. Whoever controls the dealer and one of you two sees everything: name a dealer that you trust (--dealer), which must be the one that the site uses.

              parley predict scans image.png --dealer https://dealer.example.org --explain    # rounds, bytes, error; nothing is sent or spent
              parley predict scans image.png --dealer https://dealer.example.org
              parley predict scans images.npz:test_images --rows 0,32 --dealer https://dealer.example.org --json

            Each prediction is a use of what the owner's policy allows you. What 'parley prepare' has prepared for as many rows is used first, and saves the time of being dealt to.
            """)

    @Argument(help: "The dataset whose policy the model has.", completion: DatasetNames.completion) var dataset: String
    @Argument(
        help: "The rows: PNG, .npy, IDX, or one array of an archive (FILE.npz:NAME).", completion: .file()) var input:
        String
    @Option(help: ArgumentHelp("The dealer that you trust.", valueName: "url")) var dealer: String
    @Option(help: ArgumentHelp("Only some of the rows: the first, and how many.", valueName: "first,count")) var rows:
        String?
    @Flag(help: "Show what it takes, and send nothing.") var explain = false
    @Flag(help: "Show the first bytes of what each side sent.") var peek = false
    @Option(help: "Say what it is for: owners who decide read it.") var purpose: String?
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let connection = try connection.connect()
        let served = try await connection.client.prediction(of: dataset)
        let terms = try Self.terms(served)
        let range = try Self.range(served)
        let (all, count) = try ModelFiles.rows(input, of: terms.inputShape, range: range)
        let chosen = try rows.map { try Self.rows($0, of: count) } ?? 0..<count
        guard !chosen.isEmpty else { throw Failure("\(PrintableText.escape(input)) has no rows.") }
        let width = terms.inputShape.reduce(1, *)
        let values = Array(all[chosen.lowerBound * width..<chosen.upperBound * width])
        warn(values, range)
        let sizes = Self.parts(chosen.count, served.rows)
        if explain {
            _ = try await Self.dealer(self.dealer, of: served, ca: connection.certificateAuthority)
            return try Self.explain(served, terms, rows: chosen.count, parts: sizes, on: .output)
        }
        // From here on no other process on this machine chooses these.
        let shelf = PreparedFolder.shelf()
        shelf.sweep(now: UInt64(max(0, Date().timeIntervalSince1970)))
        let ready = sizes.map { PreparedFolder.first(for: served, rows: $0, on: shelf) }
        let dealer = try await self.dealer(
            of: served, connection.certificateAuthority, isNeeded: ready.contains { $0 == nil })
        let weights = try await MaskedWeightsCache.weights(of: served, by: connection.client)
        let directory = FileManager.default.temporaryDirectory.path(percentEncoded: false)
        let waiting = WithdrawnWhenInterrupted(client: connection.client)
        var outcomes: [PredictionOutcome] = []
        var (done, ahead) = (0, Task<PreparedPrediction, any Error>?.none)
        for (place, size) in sizes.enumerated() {
            let progress = Progress("Predicting")
            do {
                let prepared = if let kept = ready[place] { kept } else { try await ahead?.value }
                ahead = nil
                if place + 1 < sizes.count, ready[place + 1] == nil {
                    // Both are dealt the next part while this one is computed.
                    ahead = Self.preparing(
                        rows: sizes[place + 1], with: served, dealer: dealer, in: directory, by: connection.client)
                }
                outcomes.append(
                    try await connection.client.predict(
                        Array(values[done * width..<(done + size) * width]), rows: size, with: served, weights: weights,
                        dealer: dealer, directory: directory, prepared: prepared, purpose: purpose,
                        progress: {
                            waiting.note($0)
                            Self.tell($0, on: progress)
                        }))
            } catch {
                progress.finish()
                if let unused = try? await ahead?.value { await connection.client.discard(unused.record) }
                // What came out is paid for.
                if !outcomes.isEmpty {
                    try show(outcomes, terms, from: chosen.lowerBound)
                    Terminal.diagnostics.line(
                        "\(done) of \(chosen.count) rows came out; go on with --rows \(chosen.lowerBound + done),\(chosen.count - done)"
                    )
                }
                throw error
            }
            done += size
            progress.finish()
        }
        try show(outcomes, terms, from: chosen.lowerBound)
    }

    /// The dealer; where all that it deals is here already, it may be away.
    private func dealer(
        of served: ServedPrediction, _ authority: String?, isNeeded: Bool
    ) async throws -> DealerClient {
        do { return try await Self.dealer(dealer, of: served, ca: authority) } catch let error as TransportError
            where error.kind == .unreachable && !isNeeded
        {
            Terminal.diagnostics.line("The dealer is away; what it dealt before is here.")
            // Should it be asked after all, its replies must be signed by the key that the site names.
            return try DealerClient(url: dealer, options: ClientOptions(certificateAuthority: authority))
        }
    }

    private static func preparing(
        rows: Int, with served: ServedPrediction, dealer: DealerClient, in directory: String, by client: DatasiteClient
    ) -> Task<PreparedPrediction, any Error> {
        Task {
            let prepared = try await client.prepare(rows: rows, with: served, dealer: dealer, in: .memory(directory))
            await prepared.close(dealer, served)
            return prepared
        }
    }

    private static func tell(_ step: PredictionProgress, on progress: Progress) {
        switch step {
        case .waiting(let id):
            progress.finish()
            Terminal.diagnostics.line(
                "Request \(PrintableText.escape(id)) waits for its owners (parley approve \(PrintableText.escape(id))). Keep this running: what it was asked with is in this process alone. Ctrl-C withdraws it."
            )
        case .charged(let id): progress.update(0, doing: "request \(id)")
        case .dealt(let bytes, let whole):
            progress.update(0.9 * Double(bytes) / Double(max(1, whole)), doing: "being dealt \(ByteText.of(whole))")
        case .round(let round, let rounds):
            progress.update(
                0.9 + 0.1 * Double(round) / Double(max(1, rounds)), doing: "round \(round) of \(rounds)")
        }
    }

    private static func rows(_ text: String, of count: Int) throws -> Range<Int> {
        let both = text.split(separator: ",").compactMap { Int($0) }
        guard both.count == 2, both[0] >= 0, both[1] > 0, both[0] <= count, both[1] <= count - both[0] else {
            throw ValidationError("--rows is the first and how many, of \(count): 0,32.")
        }
        return both[0]..<both[0] + both[1]
    }

    /// What becomes 0 and 1; nil: rows are as the model takes them.
    static func range(_ served: ServedPrediction) throws -> ClosedRange<Float>? {
        guard let range = served.range else { return nil }
        guard range.count == 2, range[0] < range[1], (range[1] - range[0]).isFinite else {
            throw Failure("What the site says of its model's range of numbers cannot be read.")
        }
        return range[0]...range[1]
    }

    /// Numbers that lie in a small part of what the model takes are likely in other units.
    private func warn(_ values: [Float], _ range: ClosedRange<Float>?) {
        guard let range, let least = values.min(), let most = values.max(), most - least < 0.02 else { return }
        Terminal.diagnostics.line(
            "warning: all numbers lie within 2 % of the range \(range.lowerBound) to \(range.upperBound) that the model takes: are they in its units?"
        )
    }

    private func show(_ outcomes: [PredictionOutcome], _ terms: PredictionTerms, from first: Int) throws {
        let results = outcomes.map(\.results)
        let labels = results.flatMap(\.labels)
        let scores = results.flatMap { $0.scores ?? [] }
        if json {
            struct Shown: Encodable {
                /// The first row's place in the file.
                var first: Int
                var labels: [Int]
                var scores: [[Double]]?
                var errorBound: Double
                var isErrorProven: Bool
                var requests: [String]
                var bytes: Int
                var rounds: Int
                var onlineSeconds: Double
                var dealingSeconds: Double
            }
            return try Terminal.output.json(
                Shown(
                    first: first, labels: labels, scores: scores.isEmpty ? nil : scores, errorBound: terms.errorBound,
                    isErrorProven: terms.isErrorProven, requests: outcomes.map(\.released.receipt.body.request),
                    bytes: outcomes.reduce(0) { $0 + $1.cost.bytes },
                    rounds: outcomes.reduce(0) { $0 + $1.cost.rounds },
                    onlineSeconds: outcomes.reduce(0) { $0 + $1.online / .seconds(1) },
                    dealingSeconds: outcomes.reduce(0) { $0 + $1.dealing / .seconds(1) }))
        }
        let terminal = Terminal.output
        terminal.line(terminal.styled("row, label" + (scores.isEmpty ? "" : ", scores"), .dim))
        for (row, label) in labels.enumerated() {
            let own =
                row < scores.count ? "  " + scores[row].map { NumberText.significant($0) }.joined(separator: "  ") : ""
            terminal.line("\(first + row)  \(label)\(own)")
        }
        if peek, let one = outcomes.first {
            terminal.line("What you sent begins with      \(Self.hex(one.peek.sent))")
            terminal.line("What the site sent begins with \(Self.hex(one.peek.received))")
        }
        let bytes = outcomes.reduce(0) { $0 + $1.cost.bytes }
        let online = outcomes.reduce(Duration.zero) { $0 + $1.online }
        terminal.line(
            terminal.styled(
                "\(outcomes.reduce(0) { $0 + $1.cost.rounds }) rounds, \(ByteText.of(bytes)) both ways, \(NumberText.significant(online / .milliseconds(1))) ms; \(labels.count) use\(labels.count == 1 ? "" : "s") counted.",
                .dim))
    }

    private static func hex(_ bytes: [UInt8]) -> String { hexadecimal(bytes.dropFirst(40).prefix(24)) }

    static func terms(_ served: ServedPrediction) throws -> PredictionTerms {
        do { return try PredictionTerms(bytes: Array(served.terms)) } catch {
            throw Failure("What the site says of its model cannot be read: \(error)")
        }
    }

    /// The dealer that the caller names, if it is the one that the site uses.
    static func dealer(_ url: String, of served: ServedPrediction, ca: String?) async throws -> DealerClient {
        let client = try DealerClient(url: url, options: ClientOptions(certificateAuthority: ca))
        let own = try await client.description().key
        guard own == served.dealer.key else {
            throw Failure(
                "The site's owner has another dealer than the one at \(PrintableText.escape(url)): \(PrintableText.escape(served.dealer.url)), with the key \(served.dealer.key.base64EncodedString()).",
                next: "If you trust that one not to collude with the site, name it with --dealer.")
        }
        guard own != served.site else {
            throw Failure("The site would deal for itself, and so see everything.", next: "Do not go on.")
        }
        return client
    }

    /// As many at a time as the policy allows.
    static func parts(_ count: Int, _ most: Int) -> [Int] {
        stride(from: 0, to: count, by: max(1, most)).map { min(max(1, most), count - $0) }
    }

    static func explain(
        _ served: ServedPrediction, _ terms: PredictionTerms, rows: Int, parts: [Int], on terminal: Terminal
    ) throws {
        var (rounds, bytes, dealt) = (0, 0, 0)
        for part in parts {
            let cost = try terms.program(rows: part).cost
            (rounds, bytes, dealt) = (rounds + cost.rounds, bytes + cost.bytes, dealt + cost.correlationBytesToFirst)
        }
        let program = try terms.program(rows: 1)
        terminal.line(
            "The model \(PrintableText.escape(served.model)) of \(PrintableText.escape(served.dataset)), version \(PrintableText.escape(served.version))"
        )
        terminal.line(
            "  \(rows) row\(rows == 1 ? "" : "s") in \(parts.count) request\(parts.count == 1 ? "" : "s"): \(rows) use\(rows == 1 ? "" : "s")"
        )
        terminal.line(
            "  \(rounds) rounds, \(ByteText.of(bytes)) both ways; \(ByteText.of(dealt)) dealt to you, kept on your disk until it serves, as on the site's"
        )
        terminal.line("  The masked weights, fetched once: \(ByteText.of(8 * program.weightCount))")
        terminal.line(
            "  A score is \(terms.isErrorProven ? "proven to be" : "estimated to be") within \(NumberText.significant(terms.errorBound)) of the model's own, for rows of which no limit cuts an activation"
        )
        if let range = try range(served) {
            terminal.line(
                "  Numbers from \(range.lowerBound) to \(range.upperBound) become 0 to 1; what is beyond is held to that"
            )
        } else {
            terminal.line("  Numbers go in as they are, held to \(NumberText.significant(terms.inputBound))")
        }
        terminal.line(
            "  You learn \(terms.output == .label ? "the label" : "the scores"); the site learns how many rows, and when; the dealer who, how many, and when"
        )
        let seconds = (Double(dealt) / 100e6, Double(rounds) * 0.001 + Double(bytes) / 100e6)
        terminal.line(
            "  At 100 MB a second and 1 ms away: about \(NumberText.significant(seconds.0)) s for what is dealt, \(NumberText.significant(seconds.1)) s of messages. parley mpc check measures your lines"
        )
        terminal.line("Nothing was sent or spent.")
    }
}

/// A request that waits for its owners cannot be computed without the process that asked: Ctrl-C withdraws it.
private final class WithdrawnWhenInterrupted: Sendable {
    private let client: DatasiteClient
    private let state = Mutex((id: String?.none, isListening: false))

    init(client: DatasiteClient) { self.client = client }

    func note(_ step: PredictionProgress) {
        let begins = state.withLock { state in
            if case .waiting(let id) = step { state.id = id } else { state.id = nil }
            defer { state.isListening = state.isListening || state.id != nil }
            return state.id != nil && !state.isListening
        }
        guard begins else { return }
        Task {
            await Interruption.wait()
            if let id = self.state.withLock({ $0.id }) {
                let isWithdrawn = (try? await self.client.cancelJob(id)) != nil
                Terminal.diagnostics.line(
                    isWithdrawn
                        ? "Request \(PrintableText.escape(id)) is withdrawn."
                        : "Request \(PrintableText.escape(id)) may wait still: parley jobs cancel \(PrintableText.escape(id))"
                )
            }
            Foundation.exit(130)
        }
    }
}

/// Masked weights are the same for all predictions with a version: they are fetched once.
enum MaskedWeightsCache {
    static func weights(of served: ServedPrediction, by client: DatasiteClient) async throws -> [UInt8] {
        let folder = Logins.folder() + "/masked-weights"
        // By what is in it: no other site's, nor what was damaged, is taken for it.
        let file = folder + "/" + served.weights.filter { $0.isASCII && $0.isHexDigit }.prefix(64)
        if let known = try? PrivateFile.read(file), served.hasWeights(known) { return known }
        let bytes = try await client.maskedWeights(of: served)
        // Nothing depends on it: where it cannot be kept it is fetched again.
        try? PrivateFile.makeFolder(folder)
        try? PrivateFile.write(bytes, to: file)
        return bytes
    }
}
