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
        do {
            return try read().verify(
                checkpoint, of: log(of: checkpoint.checkpoint.origin), latestTime: LogClock.latest)
        } catch let error as PolicyError { throw Failure("The checkpoint is not to be trusted: \(error)") }
    }

    /// A log's checkpoint that is trusted; the calling thread waits for witnesses that have not cosigned yet.
    func verify(_ source: LogSource, until end: ContinuousClock.Instant) throws -> VerifiedCheckpoint {
        while true {
            do { return try verify(source.checkpoint()) } catch {
                guard ContinuousClock.now < end else { throw error }
                Thread.sleep(forTimeInterval: 1)
            }
        }
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

    func get(_ path: String) throws -> [UInt8] {
        guard let client else {
            guard let bytes = FileManager.default.contents(atPath: folder + "/" + path) else {
                throw Failure("\(name) has no file \(path) of a log.")
            }
            return Array(bytes)
        }
        let result = Mutex<Result<[UInt8]?, any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        Task {
            do {
                let bytes = try await client.get(path)
                result.withLock { $0 = .success(bytes) }
            } catch { result.withLock { $0 = .failure(error) } }
            isThere.signal()
        }
        isThere.wait()
        guard let bytes = try result.withLock({ $0 })?.get() else { throw Failure("\(name) has no \(path) of a log.") }
        return bytes
    }

    func checkpoint() throws -> SignedCheckpoint {
        do { return try SignedCheckpoint(parsing: get("checkpoint")) } catch let error as NoteError {
            throw Failure("\(name): \(error)")
        }
    }

    func tile(_ path: TilePath) throws -> [UInt8] {
        // The site keeps the widest of partial tiles alone, which begins with the others.
        if client == nil, let bytes = Datasite.logTile("\(path)", in: folder) { return bytes }
        do { return try get("\(path)") } catch {
            guard path.isPartial, let full = try? TilePath(path.content, index: path.index) else { throw error }
            return try get("\(full)")
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
        discussion:
            "Each entry is hashed, the hashes lead to the signed root, and each release was charged before. An export, and what opens an entry (parley log explain), are checked without asking anybody."
    )

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
        guard let site = SiteLogOrigin("\(origin)") else { return terminal.line("The log is \(shown).") }
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

struct LogMonitorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Follow a log: tell what is new, and notice when it goes back or splits.",
        discussion: """
            What was seen is kept in --state, so that a log that lost entries, or shows another history, is found out also after weeks; both signed checkpoints are kept then. \
            A site that is behind what was seen is told so, and stops until its owner acts.
            """)

    @Argument(help: "The datasite's URL.") var place: String
    @OptionGroup var trust: LogTrust
    @Option(help: ArgumentHelp("Where what was seen is kept.", valueName: "file"), completion: .file()) var state:
        String
    @Flag(help: "Look once, and end.") var once = false
    @Option(help: ArgumentHelp("How often to look, in seconds.", valueName: "seconds")) var interval = 60.0
    @Option(
        help: ArgumentHelp("Trust the certificate authorities in this PEM file.", valueName: "file"),
        completion: .file())
    var ca: String?

    func validate() throws {
        guard (1...86_400).contains(interval) else { throw ValidationError("--interval is from 1 to 86400.") }
    }

    func run() async throws {
        while true {
            try await LogWatch(place: place, trust: trust, certificateAuthority: ca, state: state, tells: true).look()
            guard !once else { return }
            try await Task.sleep(for: .seconds(interval))
        }
    }
}

/// Looks at a served log, and at what was seen of it before.
struct LogWatch: Sendable {
    let place: String
    let trust: LogTrust
    let certificateAuthority: String?
    /// The file in which what was seen is kept.
    let state: String
    /// Whether new entries are told.
    let tells: Bool

    /// What is wrong is kept as evidence, and told the site, which stops.
    ///
    /// - Throws: A `Failure` in words: the log went back, or shows two histories; or it cannot be read.
    func look() async throws {
        guard let found = try await LogSource.waiting({ try step() }) else { return }
        let client = try LogClient(
            url: LogPlace.prefix(place), options: ClientOptions(certificateAuthority: certificateAuthority))
        _ = try? await client.post("checkpoint", found.checkpoint)
        try? await client.close()
        throw Failure(found.words, next: "Both checkpoints are kept in \(state).evidence: they prove it to anybody.")
    }

    /// - Returns: nil: all is well. Otherwise what is wrong, and the checkpoint that the log does not lead to.
    private func step() throws -> (words: String, checkpoint: [UInt8])? {
        let source = try LogSource(place, certificateAuthority: certificateAuthority)
        let new = try source.checkpoint()
        let verified = try trust.verify(new)
        let follower: LogFollower
        if let bytes = FileManager.default.contents(atPath: state) {
            guard let kept = try? JSONDecoder().decode(LogFollower.self, from: bytes) else {
                throw Failure(
                    "\(state) is not what a monitor keeps.",
                    next: "Name another file: what it has seen is forgotten then.")
            }
            guard kept.log.origin == new.checkpoint.origin else {
                throw Failure(
                    "The site has begun another log, \(PrintableText.escape("\(new.checkpoint.origin)")): what was seen is of \(PrintableText.escape("\(kept.log.origin)")).",
                    next:
                        "Its owner can say why, and which requests were lost: a restore that she accepted. To go on with the new one, remove \(state)."
                )
            }
            follower = kept
        } else {
            follower = LogFollower(log: LogIdentity(key: verified.logKey))
        }
        let terminal = Terminal.output
        func keep(_ evidence: some Encodable) throws {
            try PrivateFile.write(Array(JSONEncoder().encode(evidence)), to: state + ".evidence")
        }
        switch try follower.step(to: new, latestTime: LogClock.latest, read: source.tile) {
        case .same: return nil
        case .first(let next):
            try PrivateFile.write(Array(JSONEncoder().encode(next)), to: state)
            if tells { terminal.line("\(NumberText.integer(Int(new.head.size))) entries: followed from here on") }
            return nil
        case .grew(let next, let entries):
            if tells { try tell(entries, of: new, in: source) }
            try PrivateFile.write(Array(JSONEncoder().encode(next)), to: state)
            return nil
        case .wentBack(let seen, let shown, let isPrefix):
            // A cache may have kept an old one.
            guard isPrefix != true else { return nil }
            try keep([seen, shown])
            return ("The log went back: it had \(seen.head.size) entries, and shows \(shown.head.size).", seen.bytes)
        case .splitView(let evidence):
            try keep(evidence)
            return ("The log shows two histories: what was seen before is no part of it.", evidence.smaller.bytes)
        }
    }

    private func tell(_ entries: Range<UInt64>, of checkpoint: SignedCheckpoint, in source: LogSource) throws {
        var tiles = try VerifiedTiles(head: checkpoint.head, read: source.tile)
        for bundle in entries.lowerBound >> 8...(entries.upperBound - 1) >> 8 {
            let verified = try tiles.entries(bundle: bundle)
            for entry in max(entries.lowerBound, bundle << 8)..<min(entries.upperBound, (bundle + 1) << 8) {
                let words = (try? LogEntry(decoding: Array(verified[Int(entry & 255)]))).map(LogWords.entry)
                Terminal.output.line("\(entry)  \(words ?? "an entry that this version does not know")")
            }
        }
    }
}

enum LogPlace {
    static func isServed(_ place: String) -> Bool { place.hasPrefix("http://") || place.hasPrefix("https://") }

    static func prefix(_ place: String) -> String {
        let base = place.hasSuffix("/") ? String(place.dropLast()) : place
        return base.hasSuffix("/log") ? base : base + "/log"
    }
}
