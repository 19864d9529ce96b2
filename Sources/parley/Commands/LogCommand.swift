import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Dispatch
import Foundation
import Synchronization
import TransparencyLog

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Verify, follow and witness a datasite's transparency log.",
        discussion: """
            What a datasite grants and lets out, and what its owners change, stands in a log that only grows: without names, rows or texts, for everybody to read. \
            Witnesses cosign it, so that it cannot show two people two histories.

              parley log verify https://site.example.org --key KEY          # reads all of it
              parley log monitor https://site.example.org --key KEY --state seen.json
              parley log witness --state ./witness --name witness.example.org --log LOGKEY
              parley log explain 12 --site ./site                           # an owner's own log, in words
            """,
        subcommands: [
            LogKeyCommand.self, LogVerifyCommand.self, LogMonitorCommand.self, LogWitnessCommand.self,
            LogExplainCommand.self, LogExportCommand.self, LogFsckCommand.self,
        ])
}

/// Whom a reader of a log trusts.
struct LogTrust: ParsableArguments {
    @Option(help: "The site's public key (base64), from its owner, or the log's own (NAME+ID+KEY).") var key: String?
    @Option(
        help: ArgumentHelp(
            "Which logs and witnesses are trusted, and how many must have cosigned (c2sp.org/tlog-policy).",
            valueName: "file"), completion: .file())
    var policy: String?

    init() {}

    init(key: String?, policy: String?) { (self.key, self.policy) = (key, policy) }

    func validate() throws {
        guard key != nil || policy != nil else {
            throw ValidationError("Say whom to trust: --key KEY, --policy FILE, or both.")
        }
    }

    /// The policy that is asked for, and whether it asks for witnesses.
    func read() throws -> LogPolicy {
        guard let policy else { return try LogPolicy("quorum none\n") }
        do { return try LogPolicy(parsing: Array(try readText(policy).utf8)) } catch let error as PolicyError {
            throw Failure("\(policy): \(error)")
        }
    }

    /// The log that a checkpoint says it is of, if the key is its.
    func log(of origin: LogOrigin) throws -> LogIdentity? { try key.map { try LogKey($0).log(of: origin) } }

    /// A checkpoint that is trusted.
    func verify(_ checkpoint: SignedCheckpoint) throws -> VerifiedCheckpoint {
        do { return try verified(checkpoint, read()) } catch let error as PolicyError {
            throw failure(error)
        }
    }

    /// Why a checkpoint is not taken, and what to do about it: that a witness is missing is no fraud.
    func failure(_ error: PolicyError) -> Failure {
        switch error {
        case .noQuorumOfWitnesses(let shortfall):
            Failure(
                PrintableText.escape("Too few of your witnesses have cosigned what it shows: \(shortfall)."),
                next: "Ask again later. A witness that is gone for good is replaced in the policy.")
        case .notSignedByLog(let origin) where key == nil:
            Failure(
                PrintableText.escape("The policy accepts no log \(origin)."),
                next:
                    "Add --key KEY, the site's, or a line \"log LOGKEY\" to the policy. A site that was put back, and whose owner accepted that, has a log with another key."
            )
        default: Failure("The checkpoint is not to be trusted: \(error)")
        }
    }

    /// - Throws: `PolicyError`; a `Failure`: the checkpoint is of another log than the key's.
    func verified(_ checkpoint: SignedCheckpoint, _ policy: LogPolicy) throws -> VerifiedCheckpoint {
        try policy.verify(checkpoint, of: log(of: checkpoint.checkpoint.origin), latestTime: LogClock.latest)
    }

    /// A log's checkpoint that is trusted; the calling thread waits for witnesses that have not cosigned yet, and for nothing else.
    func verify(_ source: LogSource, until end: ContinuousClock.Instant) throws -> VerifiedCheckpoint {
        let policy = try read()
        var waiting = LogWaiting(policy, until: end)
        while true {
            do { return try verified(source.checkpoint(), policy) } catch let error as PolicyError {
                guard waiting.goesOn(after: error) else { throw failure(error) }
                Thread.sleep(forTimeInterval: 1)
            }
        }
    }
}

/// How long those who have not cosigned yet are waited for.
struct LogWaiting {
    private let canBeMet: Bool
    private let end: ContinuousClock.Instant
    private var said = ""

    init(_ policy: LogPolicy, until end: ContinuousClock.Instant) {
        (canBeMet, self.end) = (policy.canBeMet, end)
    }

    /// Whether more cosignatures may help, and there is time; whom it waits for is said, whenever that has changed.
    mutating func goesOn(after error: PolicyError) -> Bool {
        guard case .noQuorumOfWitnesses(let shortfall) = error, canBeMet else { return false }
        return goesOn(saying: "\(shortfall)")
    }

    /// The same of what is waited for in other words.
    mutating func goesOn(saying words: String) -> Bool {
        let left = ContinuousClock.now.duration(to: end)
        guard left > .zero else { return false }
        if words != said {
            Terminal.diagnostics.line(
                PrintableText.escape("Waiting, \(left.components.seconds + 1) s at most: \(words)."))
        }
        said = words
        return true
    }
}

enum LogClock {
    /// Clocks may differ by five minutes.
    static var latest: UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) + 300 }
}

/// A log's files, at a site or in a folder, read on a thread that waits.
final class LogSource: Sendable {
    private let client: LogClient?
    private let folder: String
    /// How it is called in messages.
    let name: String

    /// A file that is not there, or is none of a log.
    struct Missing: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    init(_ place: String, certificateAuthority: String?) throws {
        name = PrintableText.escape(place)
        guard LogPlace.isServed(place) else {
            let inSite = place + "/log"
            folder = FileManager.default.fileExists(atPath: inSite + "/checkpoint") ? inSite : place
            client = nil
            return
        }
        folder = ""
        client = try LogClient(
            url: LogPlace.prefix(place), options: ClientOptions(certificateAuthority: certificateAuthority))
    }

    private func get(_ path: String, largest: Int) throws -> [UInt8] {
        guard let client else {
            guard let bytes = FileManager.default.contents(atPath: folder + "/" + path) else {
                throw Missing("\(name) has no file \(path) of a log.")
            }
            return Array(bytes)
        }
        let result = Mutex<Result<[UInt8]?, any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        Task {
            do {
                let bytes = try await client.get(path, largest: largest)
                result.withLock { $0 = .success(bytes) }
            } catch { result.withLock { $0 = .failure(error) } }
            isThere.signal()
        }
        isThere.wait()
        guard let bytes = try result.withLock({ $0 })?.get() else { throw Missing("\(name) has no \(path) of a log.") }
        return bytes
    }

    func checkpoint() throws -> SignedCheckpoint {
        do { return try SignedCheckpoint(parsing: get("checkpoint", largest: SignedNote.largestSize)) } catch let error
            as NoteError
        {
            throw Missing("\(name): \(error)")
        }
    }

    func tile(_ path: TilePath) throws -> [UInt8] {
        // The site keeps the widest of partial tiles alone, which begins with the others.
        if client == nil, let bytes = Datasite.logTile("\(path)", in: folder) { return bytes }
        // 256 hashes, or as many entries of two bytes and 65,535 at most.
        let largest = if case .entries = path.content { 1 << 25 } else { 1 << 13 }
        do { return try get("\(path)", largest: largest) } catch {
            guard path.isPartial, let full = try? TilePath(path.content, index: path.index) else { throw error }
            return try get("\(full)", largest: largest)
        }
    }

    /// Entries, each with its place, bundle by bundle; what they are worth is for the caller to see.
    func forEachEntry(_ range: Range<UInt64>, of size: UInt64, _ body: (UInt64, [UInt8]) throws -> Void) throws {
        guard !range.isEmpty else { return }
        for bundle in range.lowerBound >> 8...(range.upperBound - 1) >> 8 {
            let path = try TilePath(.entries, index: bundle, ofTreeWithSize: size)
            let bytes = try tile(path)
            let entries =
                try (try? EntryBundle(bytes, at: path)) ?? EntryBundle(bytes, at: TilePath(.entries, index: bundle))
            for place in max(range.lowerBound, bundle << 8)..<min(range.upperBound, (bundle + 1) << 8) {
                try body(place, Array(entries[Int(place & 255)]))
            }
        }
    }

    /// Runs on a thread of its own what waits for the network.
    static func waiting<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}

/// What a log's entries come to.
struct LogTally: Sendable {
    private(set) var kinds: [String: Int] = [:]
    private var granted: Set<String> = []
    private(set) var wrong: [String] = []
    /// Which entries say how an earlier log of the site ended.
    private(set) var ended: [(place: UInt64, log: LogEntry.EndedLog)] = []

    mutating func take(_ place: UInt64, _ bytes: [UInt8]) {
        guard let entry = try? LogEntry(decoding: bytes) else {
            wrong.append("entry \(place) is none that this version knows")
            return
        }
        kinds[entry.kind, default: 0] += 1
        if let log = entry.ended { ended.append((place, log)) }
        guard let request = entry.request else { return }
        if entry.kind == "reserved" { granted.insert(request) }
        guard !granted.contains(request) else { return }
        switch entry.kind {
        case "released": wrong.append("entry \(place) lets out request \(request), which was never charged")
        case "round": wrong.append("entry \(place) is a round of request \(request), which was never charged")
        default: break
        }
    }

    func show(on terminal: Terminal) {
        let rows = kinds.sorted { $0.key < $1.key }.map {
            [PrintableText.escape($0.key), NumberText.integer($0.value)]
        }
        terminal.write(
            TextTable([.init(title: "kind of entry"), .init(title: "entries", alignsRight: true)], rows: rows).render(
                on: terminal))
    }
}

struct LogKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Show the key by which readers and witnesses know a datasite's log.")

    @OptionGroup var site: SiteOptions

    func run() async throws { Terminal.output.line(try site.open().logKey()) }
}

struct LogVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read a whole log, and check that it is what was signed.",
        discussion: """
            Each entry is hashed, the hashes lead to the signed root, and each release was charged before. With --policy it waits for witnesses that have not cosigned yet, and says whom for.
            An export, and what opens an entry (parley log explain), are checked without asking anybody.

              parley log verify https://site.example.org --key KEY --policy POLICY --wait 60
              parley log verify range.json --key KEY              # an export
            """)

    @Argument(help: "A datasite's URL, its folder, a copy of its log, an exported file, or one that opens an entry.")
    var place: String
    @OptionGroup var trust: LogTrust
    @Option(
        help: ArgumentHelp(
            "How long to wait for the witnesses that the policy asks for, which a log that just grew lacks for some seconds.",
            valueName: "seconds")) var wait = 30.0
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?

    func run() async throws {
        let (place, trust, ca) = (place, trust, ca)
        let end = ContinuousClock.now + .seconds(LogPlace.isServed(place) && trust.policy != nil ? wait : 0)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: place, isDirectory: &isFolder), !isFolder.boolValue {
            return try Self.verify(file: place, trust)
        }
        let (checkpoint, tally) = try await LogSource.waiting { () throws -> (VerifiedCheckpoint, LogTally) in
            let source = try LogSource(place, certificateAuthority: ca)
            let checkpoint = try trust.verify(source, until: end)
            let head = checkpoint.checkpoint.head
            var (frontier, tally) = (MerkleFrontier(), LogTally())
            let progress = Progress("Reading the log")
            defer { progress.finish() }
            try source.forEachEntry(0..<head.size, of: head.size) { place, bytes in
                try frontier.append(.leaf(bytes))
                tally.take(place, bytes)
                if place & 0xFFF == 0 { progress.update(Double(place) / Double(head.size)) }
            }
            guard frontier.head == head else {
                throw Failure("The entries do not lead to the root that was signed: the log was changed.")
            }
            return (checkpoint, tally)
        }
        let terminal = Terminal.output
        tally.show(on: terminal)
        for wrong in tally.wrong.prefix(20) { terminal.line(terminal.styled("WRONG  ", .bold, .red) + wrong) }
        guard tally.wrong.isEmpty else { throw ExitStatus.failed }
        terminal.line("\(NumberText.integer(Int(checkpoint.checkpoint.head.size))) entries lead to the signed root.")
        LogWords.log(checkpoint.checkpoint.origin, tally, isWhole: true, on: terminal)
        LogWords.cosignatures(checkpoint, on: terminal)
    }

    /// An export, or what opens an entry.
    private static func verify(file: String, _ trust: LogTrust) throws {
        guard let bytes = FileManager.default.contents(atPath: file) else { throw Failure("Cannot read \(file).") }
        guard bytes.starts(with: Array("c2sp.org/tlog-proof".utf8)) else {
            return try LogExport(readingFrom: file).show(trust)
        }
        let proof: LogProof
        do { proof = try LogProof(parsing: Array(bytes)) } catch { throw Failure("The proof is not valid: \(error)") }
        guard (try? ReceiptProof(decoding: proof.extra ?? [])) == nil else {
            throw Failure(
                "\(file) is the proof of a receipt.", next: "parley receipt verify \(file) --key KEY checks it.")
        }
        let (opening, checkpoint): (LogOpening, VerifiedCheckpoint)
        do {
            opening = try LogOpening(decoding: proof.extra ?? [])
            checkpoint = try proof.verify(
                .leaf(opening.entry.bytes), policy: trust.read(),
                log: trust.log(of: proof.checkpoint.checkpoint.origin),
                latestTime: LogClock.latest)
        } catch let failure as Failure { throw failure } catch {
            throw Failure("What opens the entry is not valid: \(error)")
        }
        let terminal = Terminal.output
        terminal.line(
            "Entry \(proof.index) of \(checkpoint.checkpoint.head.size) that were signed: \(LogWords.entry(opening.entry))"
        )
        for (words, name) in [("datasets", opening.datasets), ("by", opening.actor)] {
            guard let name else { continue }
            terminal.line("\(words): \(PrintableText.escape(name.text.replacing("\n", with: ", ")))")
        }
        LogWords.log(checkpoint.checkpoint.origin, LogTally(), isWhole: false, on: terminal)
        LogWords.cosignatures(checkpoint, on: terminal)
    }
}

enum LogWords {
    /// Which of a site's logs it is, and how those before it ended.
    ///
    /// - Parameter isWhole: Whether all entries were read.
    static func log(_ origin: LogOrigin, _ tally: LogTally, isWhole: Bool, on terminal: Terminal) {
        let shown = PrintableText.escape("\(origin)")
        guard let site = SiteLogName("\(origin)") else { return terminal.line("The log is \(shown).") }
        guard site.number > 1 else { return terminal.line("The log is \(shown), the site's first.") }
        terminal.paragraph(
            "The log is \(shown), the site's log number \(site.number): before it the owner accepted that the site was put back from a backup and lost entries, and the earlier log ended."
        )
        for (place, log) in tally.ended {
            terminal.paragraph(
                "Entry \(place): its log \(log.number) ended at \(log.size) entries, with the root \(log.root). What that log had behind the entries that both share was lost here."
            )
        }
        if isWhole, !tally.ended.contains(where: { $0.log.number == site.number - 1 }) {
            terminal.paragraph(
                "No entry says how log \(site.number - 1) ended: it was ended by an earlier version, or its files were lost."
            )
        }
    }

    static func cosignatures(_ checkpoint: VerifiedCheckpoint, on terminal: Terminal) {
        guard !checkpoint.cosignatures.isEmpty else {
            return terminal.line(
                "No witness of yours cosigned it: the site alone vouches that others see the same log.")
        }
        for cosignature in checkpoint.cosignatures {
            let time = DisplayedTime.text(Double(cosignature.time), isDate: false)
            terminal.line("Cosigned by \(PrintableText.escape("\(cosignature.witness)")) at \(time)")
        }
    }

    static func entry(_ entry: LogEntry) -> String {
        if let count = entry.count { return PrintableText.escape("\(count.number) refusals on \(count.day)") }
        if let log = entry.ended { return "\(entry.kind), log \(log.number) of the site at \(log.size) entries" }
        var words = [entry.kind]
        if let request = entry.request { words.append("request \(request)") }
        if let version = entry.version { words.append("version \(version)") }
        if entry.charge.kind != nil || entry.charge.uses > 0 { words.append("charge \(entry.charge.words)") }
        if let answer = entry.answer { words.append("answer \(answer.prefix(16))…") }
        return PrintableText.escape(words.joined(separator: ", "))
    }
}

enum LogPlace {
    static func isServed(_ place: String) -> Bool { place.hasPrefix("http://") || place.hasPrefix("https://") }

    static func prefix(_ place: String) -> String {
        let base = place.hasSuffix("/") ? String(place.dropLast()) : place
        return base.hasSuffix("/log") ? base : base + "/log"
    }
}
