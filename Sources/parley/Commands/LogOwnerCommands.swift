import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Foundation
import Logging
import TransparencyLog

struct LogWitnessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness", abstract: "Cosign logs that only grow, until Ctrl-C.",
        discussion: """
            Whoever runs it apart from a site's operator keeps the site from showing two people two histories. A witness never signs two roots of one size, also across crashes: its \
            folder must not be put back from a backup. It sees sizes and hashes, and no entry.

            It cosigns the logs that it was told of, and no other: not a later log of a site that was put back either (NAME/2), which is shown here, and cosigned once --log names it. \
            The earlier log has ended then.

              parley log witness --state ./witness --name witness.example.org --log LOGKEY --log LOGKEY
              parley log witness --state ./witness --show-key      # also while it runs
            """)

    @Option(
        help: ArgumentHelp("Where its key is kept, and what it cosigned.", valueName: "folder"), completion: .directory)
    var state: String
    @Option(help: "Its name, which its key bears: at the first start.") var name: String?
    @Option(parsing: .singleValue, help: ArgumentHelp("A log to cosign from now on: parley log key.", valueName: "key"))
    var log: [String] = []
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port; 0 takes a free one.") var port = 8790
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false
    @Flag(help: "Print its key, and end.") var showKey = false

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("A port is a number from 0 to 65535.") }
    }

    func run() async throws {
        if showKey, log.isEmpty, let key = try WitnessFolder.key(in: state) { return Terminal.output.line(key) }
        for key in log {
            guard case .site = try LogKey(key, option: "--log") else { continue }
            throw Failure(
                "--log is a site's key, which signs its receipts: a witness is told a log's.",
                next: "parley log key shows it, at the site.")
        }
        let witness = try WitnessFolder(
            path: state, name: name, tell: { Terminal.diagnostics.line(PrintableText.escape($0)) })
        for key in log { try witness.add(key) }
        Terminal.output.line(witness.key)
        if showKey { return }
        if witness.knowsNoLog {
            Terminal.diagnostics.line(
                "WARNING: this witness was told of no log, and cosigns nothing: --log LOGKEY, which `parley log key` shows at a site"
            )
        }
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        let configuration = DatasiteServerConfiguration(
            host: host, port: port, certificate: certificate, isBehindProxy: behindProxy,
            logger: Logger(label: "witness") { _ in SwiftLogNoOpLogHandler() })
        let (host, scheme) = (host, certificate == nil ? "http" : "https")
        try await serveWitness(configuration, witness: witness) { port in
            let shown = host.contains(":") ? "[\(host)]" : host
            Terminal.output.line("Witness listening on \(scheme)://\(shown):\(port)")
        }
    }
}

struct LogExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say what an entry of a datasite's own log is about.",
        discussion: """
            The log holds commitments in the place of names; their owner's journal has the names, and what opens the commitments. With --output what opens this one entry goes \
            into a file, for whom you tell the names in it: whoever has the file can prove them to anybody.

              parley log explain 12 --output opening.tlog-proof --only datasets
              parley log verify opening.tlog-proof --key KEY                 # whoever gets it, offline
            """
    )

    enum Names: String, ExpressibleByArgument, CaseIterable {
        case datasets, actor
    }

    @Argument(help: "The entry's place in the log, from 0.", transform: WholeNumberText.parse) var place: Int
    @OptionGroup var site: SiteOptions
    @Option(
        help: ArgumentHelp("Where what opens the entry goes, with the proof that the log has it.", valueName: "file"),
        completion: .file())
    var output: String?
    @Option(
        help: "Open only the datasets' names, or only who did it (actor).")
    var only: Names?

    func validate() throws {
        guard only == nil || output != nil else {
            throw ValidationError("--only says what goes into a file: --output FILE.")
        }
    }

    func run() async throws {
        let site = try site.open()
        guard let output else {
            for line in try site.explainLog(place) { Terminal.output.line(PrintableText.escape(line)) }
            return
        }
        try SavedFile.check(output)
        for line in try site.explainLog(place) { Terminal.output.line(PrintableText.escape(line)) }
        try SavedFile.write(
            site.logOpening(of: place, datasets: only != .actor, actor: only != .datasets), to: output)
        Terminal.output.line(
            "What opens entry \(place) is in \(PrintableText.escape(output)): whoever has the file can prove the names in it to anybody."
        )
    }
}

struct LogFsckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck",
        abstract:
            "Compare a datasite's log with its journal, entry by entry, and each of its files with what was signed.")

    @OptionGroup var site: SiteOptions
    @Flag(help: "Make damaged files anew from the journal; what was signed must come out again.") var repair = false

    func run() async throws {
        let site = try site.open()
        for line in try site.checkLog(repairing: repair) { Terminal.output.line(PrintableText.escape(line)) }
        if let stands = site.suspension { throw stands }
    }
}

struct LogExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a whole range of a log, with the proof that nothing in it was left out.",
        discussion: "parley log verify FILE --key KEY checks it without asking anybody.")

    @Argument(help: "A datasite's URL, its folder, or a copy of its log.") var place: String
    @Option(help: "The first entry.", transform: WholeNumberText.parse) var from: Int
    @Option(help: "The entry behind the last (default: all that are signed).", transform: WholeNumberText.parse) var to:
        Int?
    @Option(help: ArgumentHelp("Where it goes.", valueName: "file"), completion: .file()) var output: String
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?

    func run() async throws {
        try SavedFile.check(output)
        let (place, from, to, ca) = (place, from, to, ca)
        let export = try await LogSource.waiting {
            try LogExport(of: LogSource(place, certificateAuthority: ca), from: from, to: to)
        }
        try SavedFile.write(Array(JSONEncoder().encode(export)), to: output)
        Terminal.output.line("\(NumberText.integer(export.entries.count)) entries in \(PrintableText.escape(output))")
    }
}

/// Consecutive entries of a log, with what shows that these and no others stand there: the hashes of all before, and a proof that with the entries they begin
/// the tree that was signed.
struct LogExport: Codable, Sendable {
    let checkpoint: SignedCheckpoint
    let from: UInt64
    let before: MerkleFrontier
    let consistency: ConsistencyProof
    let entries: [String]

    init(of source: LogSource, from: Int, to: Int?) throws {
        checkpoint = try source.checkpoint()
        let size = checkpoint.head.size
        guard from >= 0, UInt64(from) < size, UInt64(to ?? Int(size)) <= size, from < to ?? Int(size) else {
            throw Failure(
                "The log has \(size) entries, from 0 to \(max(1, size) - 1): --from and --to name a part of them, --to the one behind the last."
            )
        }
        self.from = UInt64(from)
        var tiles = try VerifiedTiles(head: checkpoint.head, read: source.tile)
        before = try tiles.frontier(at: self.from)
        let end = UInt64(to ?? Int(size))
        consistency = try tiles.consistencyProof(from: end)
        var entries: [String] = []
        for bundle in self.from >> 8...(end - 1) >> 8 {
            let verified = try tiles.entries(bundle: bundle)
            for place in max(self.from, bundle << 8)..<min(end, (bundle + 1) << 8) {
                entries.append(String(decoding: verified[Int(place & 255)], as: UTF8.self))
            }
        }
        self.entries = entries
    }

    init(readingFrom path: String) throws {
        guard let bytes = FileManager.default.contents(atPath: path) else { throw Failure("Cannot read \(path).") }
        guard bytes.count <= 1 << 30, let export = try? JSONDecoder().decode(LogExport.self, from: bytes) else {
            throw Failure("\(path) is no export of a log.", next: "parley log export makes one.")
        }
        self = export
    }

    func show(_ trust: LogTrust) throws {
        let verified = try trust.verify(checkpoint)
        var (frontier, tally) = (before, LogTally())
        guard frontier.size == from, !entries.isEmpty else {
            throw Failure("The export does not begin where it says, or holds no entry.")
        }
        for (place, entry) in entries.enumerated() {
            try frontier.append(.leaf(Array(entry.utf8)))
            tally.take(from + UInt64(place), Array(entry.utf8))
        }
        do { try consistency.verify(from: frontier.head, to: verified.checkpoint.head) } catch {
            throw Failure("The entries are not those of the log that was signed: \(error)")
        }
        let terminal = Terminal.output
        tally.show(on: terminal)
        LogWords.log(verified.checkpoint.origin, tally, isWhole: false, on: terminal)
        terminal.line(
            "Entries \(from) to \(from + UInt64(entries.count) - 1), none left out, of \(verified.checkpoint.head.size) that were signed."
        )
        LogWords.cosignatures(verified, on: terminal)
    }
}

/// How a site's process reaches its witnesses.
enum WitnessCalls {
    /// Asks each witness each second whether there is something new to cosign, apart from the others, so that a slow one delays nobody; until cancelled.
    static func run(for site: Datasite, certificateAuthority: String?) async {
        let witnesses = (try? site.witnesses()) ?? []
        await withTaskGroup(of: Void.self) { group in
            for witness in witnesses {
                group.addTask { await ask(witness, for: site, certificateAuthority) }
            }
        }
    }

    private static func ask(_ witness: NamedWitness, for site: Datasite, _ authority: String?) async {
        guard let client = try? LogClient(url: witness.url, options: ClientOptions(certificateAuthority: authority))
        else { return }
        func fetch(_ url: String) async throws -> [UInt8]? {
            try await client.get(String(url.dropFirst(witness.url.count + 1)), largest: SignedNote.largestSize)
        }
        var (pause, told, isCompared) = (1.0, "", false)
        while !Task.isCancelled {
            do {
                // A folder that was put back knows nothing of what this witness has seen.
                if !isCompared { try await site.compareLog(with: witness, fetching: fetch) }
                isCompared = true
                try await site.askWitness(
                    witness, by: { _, body in try await client.post("add-checkpoint", body) }, fetching: fetch)
                (pause, told) = (1, "")
            } catch {
                let words = (error as? Problem)?.detail ?? (error as? TransportError)?.detail ?? "it cannot be reached"
                if words != told { Terminal.diagnostics.line(PrintableText.escape("witness \(witness.url): \(words)")) }
                (pause, told) = (min(60, 2 * pause), words)
            }
            try? await Task.sleep(for: .seconds(pause))
        }
    }
}
