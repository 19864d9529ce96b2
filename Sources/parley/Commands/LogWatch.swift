import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation
import TransparencyLog

/// Looks at a served log, and at what was seen of it before.
struct LogWatch: Sendable {
    let place: String
    let trust: LogTrust
    let certificateAuthority: String?
    /// The file in which what was seen is kept.
    let state: String
    /// Whether new entries are told, and a log that was begun anew ends the watch.
    let tells: Bool

    private var evidence: LogEvidence { LogEvidence(state: state) }

    /// How often one looks at what stays behind, or cannot be judged, before it is called so.
    static let patience = 5
    private var looks = 0

    init(place: String, trust: LogTrust, certificateAuthority: String?, state: String, tells: Bool) {
        (self.place, self.trust, self.certificateAuthority) = (place, trust, certificateAuthority)
        (self.state, self.tells) = (state, tells)
    }

    /// A log at what was seen of it, or beyond.
    struct Seen: Sendable {
        let words: String
    }

    private enum Look: Sendable {
        case seen(Seen)
        /// It may be there at the next look.
        case notYet(Failure)
        /// The log shows less than was seen, or what was seen is no part of it.
        case wrong(Wrong)
        /// The site has begun another log.
        case another(Failure)
    }

    private struct Wrong: Sendable {
        let words: String
        /// The two checkpoints.
        let pair: [SignedCheckpoint]
        /// What proves it to anybody; nil: it may be an old copy yet.
        let split: SplitView?
        /// Whether the site's own word is asked for first.
        let mayCatchUp: Bool
    }

    /// Looks until the log is at what was seen, or beyond. What is wrong is kept as evidence, and told the site, which stops.
    ///
    /// - Parameter pause: Between looks, in seconds.
    /// - Throws: A `Failure` in words: the log went back, shows two histories, or stays behind; or it cannot be judged. `TransportError`: it cannot be reached.
    mutating func settled(pause: Double) async throws -> Seen {
        while true {
            let (failure, seen) = try await looked()
            guard let failure else {
                looks = 0
                return seen
            }
            looks += 1
            guard looks < Self.patience else { throw failure }
            if looks == 1 { Terminal.diagnostics.line(PrintableText.escape("\(failure.what) It is looked at again.")) }
            try await Task.sleep(for: .seconds(pause))
        }
    }

    /// - Returns: What is wrong as far as it may pass; nil: all is well.
    private func looked() async throws -> (Failure?, Seen) {
        let client = try LogClient(
            url: LogPlace.prefix(place), options: ClientOptions(certificateAuthority: certificateAuthority))
        let result: Result<(Failure?, Seen), any Error>
        do { result = .success(try await look(client)) } catch { result = .failure(error) }
        try? await client.close()
        return try result.get()
    }

    private func look(_ client: LogClient) async throws -> (Failure?, Seen) {
        let found = try await LogSource.waiting { try step() }
        var (passing, seen) = (Failure?.none, Seen(words: ""))
        switch found.look {
        case .seen(let words): seen = words
        case .notYet(let failure): passing = failure
        case .another(let failure):
            if let origin = found.origin { try await showKept(of: origin, client) }
            throw failure
        case .wrong(let wrong):
            let answer = try await tell(wrong.pair, client)
            let maySettle = wrong.mayCatchUp && !answer.stops
            let failure = try failure(wrong, answer, keeping: !maySettle || looks + 1 >= Self.patience)
            guard maySettle else { throw failure }
            passing = failure
        }
        if let origin = found.origin { try await showKept(of: origin, client) }
        return (passing, seen)
    }

    private func failure(_ wrong: Wrong, _ answer: SiteAnswer, keeping: Bool) throws -> Failure {
        guard keeping else { return Failure("\(wrong.words) \(answer.words)", status: ExitStatus.contradicted) }
        var words = "\(wrong.words) \(answer.words)"
        var next = [
            "Rely on no answer of the site's since. Its owner can say what was put back, and goes on with: parley verify --accept-restore"
        ]
        do {
            let kept = try evidence.keep(wrong.split, pair: wrong.pair)
            next.append(
                kept.map { "Both signed checkpoints are in \($0), which proves it to anybody: keep it." }
                    ?? "\(LogEvidence.most) pairs of checkpoints are in \(state).evidence and its neighbours already.")
        } catch {
            // That the log went back is said whatever the disk does.
            words += " The evidence could not be kept: \(error)"
        }
        return Failure(words, next: next.joined(separator: "\n"), status: ExitStatus.contradicted)
    }

    // MARK: What the site is told

    /// What a site said when a checkpoint was shown to it.
    private struct SiteAnswer {
        let words: String
        /// Whether it answers no more.
        let stops: Bool
    }

    /// Shows checkpoints to the site: one that its journal does not lead to stops it.
    private func tell(_ checkpoints: [SignedCheckpoint], _ client: LogClient) async throws -> SiteAnswer {
        var refusal: String?
        for checkpoint in checkpoints {
            do {
                let (status, body) = try await client.post("checkpoint", checkpoint.bytes)
                if status == 200 { continue }
                let problem = try? JSONDecoder().decode(Problem.self, from: Data(body))
                let detail = problem?.detail ?? "status \(status)"
                if problem?.kind == .siteUnavailable {
                    return SiteAnswer(words: "The site was told, and stops: \(detail).", stops: true)
                }
                refusal = detail
            } catch let error as TransportError {
                // What it shows is held against it all the same.
                return SiteAnswer(words: "The site could not be told: \(error.detail).", stops: false)
            }
        }
        if let refusal {
            return SiteAnswer(words: "The site was told, and does not hear it: \(refusal).", stops: false)
        }
        return SiteAnswer(words: "The site was told, and says that its log leads to what was seen.", stops: false)
    }

    /// What is kept as evidence is shown again: the copy that was put back since may not know of it. It is settled where the site has begun a later log.
    private func showKept(of origin: LogOrigin, _ client: LogClient) async throws {
        // All of it, the latest log's first: the site goes on with a number above all that it was shown.
        var stopped: (file: String, answer: SiteAnswer)?
        for (file, pair) in evidence.kept().sorted(by: { $0.pair.latestLog > $1.pair.latestLog }) {
            for checkpoint in pair where checkpoint.concerns(origin) {
                let answer = try await tell([checkpoint], client)
                if answer.stops, stopped == nil { stopped = (file, answer) }
            }
        }
        if let (file, answer) = stopped {
            throw Failure(
                "The log had gone back, or shown two histories, when it was looked at before, and does not lead to all that it signed then. \(answer.words)",
                next:
                    "Its owner goes on with: parley verify --accept-restore. The checkpoints are in \(file): they are shown to the site until it has begun another log.",
                status: ExitStatus.contradicted)
        }
    }

    // MARK: What is seen

    private func step() throws -> (look: Look, origin: LogOrigin?) {
        let source = try LogSource(place, certificateAuthority: certificateAuthority)
        var origin: LogOrigin?
        do {
            let new = try source.checkpoint()
            let verified = try trust.verified(new, trust.read())
            origin = new.checkpoint.origin
            // Lines of others may be as many as to make it too long to be shown to the site again.
            let own = new.note.signatures.filter { $0.name == verified.logKey.name && $0.id == verified.logKey.id }
            let kept = try SignedCheckpoint(SignedNote(text: new.note.text, signatures: Array(own.prefix(1))))
            return (try look(at: kept, LogIdentity(key: verified.logKey), source), origin)
        } catch let error where error is Failure || error is TransportError || error is Problem {
            throw error
        } catch {
            return (.notYet(Failure("\(source.name): the log cannot be judged: \(error)")), origin)
        }
    }

    private func look(at new: SignedCheckpoint, _ log: LogIdentity, _ source: LogSource) throws -> Look {
        var follower = LogFollower(log: log)
        if let bytes = FileManager.default.contents(atPath: state) {
            guard let kept = try? JSONDecoder().decode(LogFollower.self, from: bytes) else {
                throw Failure(
                    "\(state) is not what a monitor keeps.",
                    next: "Name another file: what it has seen is forgotten then.")
            }
            if kept.log.origin == log.origin {
                follower = kept
            } else if let other = anotherLog(kept, new) {
                return other
            }
        }
        let (time, size) = (DisplayedTime.text(Date.now.timeIntervalSince1970, isDate: false), count(new))
        switch try follower.step(to: new, latestTime: LogClock.latest, read: source.tile) {
        case .same: return .seen(Seen(words: "\(size) entries at \(time), none new: as they were seen before"))
        case .first(let next):
            try keep(next)
            return .seen(Seen(words: "\(size) entries at \(time): followed from here on"))
        case .grew(let next, let entries):
            if tells { try tell(entries, of: new, in: source) }
            try keep(next)
            return .seen(
                Seen(words: "\(size) entries at \(time), \(entries.count) new: they go on from what was seen before"))
        case .wentBack(let seen, let shown, _):
            // A cache may have kept an old one: the site itself says whether it leads to the newer.
            let words = "The log went back: it had \(count(seen)) entries, and shows \(count(shown))."
            return .wrong(Wrong(words: words, pair: [seen, shown], split: nil, mayCatchUp: true))
        case .splitView(let split):
            return .wrong(
                Wrong(
                    words: "The log shows two histories: what was seen before is no part of it.",
                    pair: [split.smaller, split.larger], split: split, mayCatchUp: false))
        }
    }

    private func count(_ checkpoint: SignedCheckpoint) -> String { NumberText.integer(Int(checkpoint.head.size)) }

    private func keep(_ follower: LogFollower) throws {
        try PrivateFile.write(Array(JSONEncoder().encode(follower)), to: state)
    }

    /// What it is that another log is shown than was seen: a site that was put back to one that had ended, or one that goes on after a restore that its owner accepted.
    ///
    /// - Returns: nil: the new one is followed.
    private func anotherLog(_ kept: LogFollower, _ new: SignedCheckpoint) -> Look? {
        let (before, now) = (
            PrintableText.escape("\(kept.log.origin)"), PrintableText.escape("\(new.checkpoint.origin)")
        )
        if let latest = kept.latest, latest.concerns(new.checkpoint.origin) {
            return .wrong(
                Wrong(
                    words: "The site went back to the log \(now), which had ended: it had begun \(before).",
                    pair: [latest, new], split: nil, mayCatchUp: false))
        }
        let words = "The site has begun another log, \(now): what was seen is of \(before)."
        guard tells else {
            Terminal.diagnostics.line(
                "note: \(words) Its owner can say which requests were lost: a restore that she accepted.")
            return nil
        }
        return .another(
            Failure(
                words,
                next:
                    "Its owner can say why, and which requests were lost: a restore that she accepted. To go on with the new one, move \(state) away.",
                status: ExitStatus.contradicted))
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

extension [SignedCheckpoint] {
    /// The highest number of a site's log that they are of.
    fileprivate var latestLog: Int { compactMap { SiteLogName("\($0.checkpoint.origin)")?.number }.max() ?? 0 }
}

extension SignedCheckpoint {
    /// Whether a site that shows the log of that origin must know of this checkpoint: it is of the same log, or of one that the site began later.
    fileprivate func concerns(_ origin: LogOrigin) -> Bool {
        if checkpoint.origin == origin { return true }
        guard let own = SiteLogName("\(checkpoint.origin)"), let shown = SiteLogName("\(origin)") else { return false }
        return own.site == shown.site && own.number > shown.number
    }
}

/// What a monitor keeps against a log: pairs of checkpoints that it signed, each in a file of its own, of which none is written over.
struct LogEvidence {
    /// The monitor's file, beside which they are.
    let state: String

    static let most = 16

    private func file(_ number: Int) -> String { state + ".evidence" + (number == 1 ? "" : ".\(number)") }

    /// Those that are there, with their files.
    func kept() -> [(file: String, pair: [SignedCheckpoint])] {
        (1...Self.most).compactMap { number in
            guard let bytes = FileManager.default.contents(atPath: file(number)) else { return nil }
            let decoder = JSONDecoder()
            if let split = try? decoder.decode(SplitView.self, from: bytes) {
                return (file(number), [split.smaller, split.larger])
            }
            return (file(number), (try? decoder.decode([SignedCheckpoint].self, from: bytes)) ?? [])
        }
    }

    /// Keeps a pair, if it is not there.
    ///
    /// - Parameter split: The proof that both cannot be of one log, where there is one.
    /// - Returns: Its file; nil: there are as many as are kept.
    func keep(_ split: SplitView?, pair: [SignedCheckpoint]) throws -> String? {
        // A fork that grows is one: the checkpoint that it does not lead to is kept already.
        let known = kept().first { kept in
            kept.pair.latestLog == pair.latestLog
                && kept.pair.contains { one in pair.contains { $0.checkpoint == one.checkpoint } }
        }
        if let known { return known.file }
        guard let free = (1...Self.most).map(file).first(where: { !FileManager.default.fileExists(atPath: $0) }) else {
            return nil
        }
        let bytes = try split.map { try JSONEncoder().encode($0) } ?? JSONEncoder().encode(pair)
        try PrivateFile.write(Array(bytes), to: free)
        return free
    }
}
