import DatasiteProtocol
import Foundation
import Synchronization
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A witness that the owner has named in `parley.yaml`: who cosigns the log, and where it is asked.
public struct NamedWitness: Sendable, Hashable {
    /// Its key (c2sp.org/signed-note, type 0x04), as text.
    public let key: String
    /// Where it takes `add-checkpoint`.
    public let url: String

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping(["key", "url"])
        guard let key = keys["key"], let url = keys["url"] else {
            throw value.problem("expected {key: NAME+ID+KEY, url: https://...}")
        }
        (self.key, self.url) = (try key.text("a witness's key"), try url.text("a URL"))
        do {
            guard try VerifierKey(self.key).kind == .ed25519Cosignature else {
                throw key.problem("the key is of a log, not of a witness: its type is 0x04")
            }
        } catch let error as NoteError { throw key.problem("\(error)") }
        guard self.url.hasPrefix("https://") || self.url.hasPrefix("http://") else {
            throw url.problem("expected https://...")
        }
    }
}

/// How a site's process reaches a witness.
///
/// - Returns: The HTTP status, and the body.
public typealias WitnessPost = @Sendable (_ url: String, _ body: [UInt8]) async throws -> (status: Int, body: [UInt8])

extension Datasite {
    /// Those that `parley.yaml` names.
    public func witnesses() throws -> [NamedWitness] {
        try reportingProblems { try SiteConfiguration(path: folder.configuration).witnesses }
    }

    /// Looks at what a witness cosigned last of this log, if anything, and of later logs of this site, and at what it keeps as evidence: where the log does not lead to it, the
    /// site's folder was put back, and it answers no more.
    ///
    /// - Parameter fetch: Gets what is at a URL; nil: nothing.
    /// - Throws: A `Problem`: the site stops, for one; what `fetch` throws.
    public func compareLog(
        with witness: NamedWitness, fetching fetch: (_ url: String) async throws -> [UInt8]?
    ) async throws {
        let log = try await reading { try $0.openLog() }
        let own = try await fetch(log.path(of: log.name, at: witness, to: "checkpoint"))
        // All of it is looked at before one of them stops the site: the number of the latest log is not to be used again. What is no checkpoint of this site's at these places says nothing: a witness need not have them.
        var told: [[UInt8]] = []
        for name in log.laterNames {
            if let bytes = try await found(fetch, log.path(of: name, at: witness, to: "checkpoint")) {
                told.append(bytes)
            }
        }
        if let bytes = try await found(fetch, log.path(of: log.name, at: witness, to: "evidence")),
            let split = try? JSONDecoder().decode(SplitView.self, from: Data(bytes))
        {
            told += [split.smaller.bytes, split.larger.bytes]
        }
        for checkpoint in told { do { try await reading { try $0.compareLog(checkpoint) } } catch {} }
        if let own { try await reading { try $0.compareLog(own) } }
        if let suspension { throw suspension }
    }

    private func found(_ fetch: (String) async throws -> [UInt8]?, _ url: String) async throws -> [UInt8]? {
        do { return try await fetch(url) } catch is Problem { return nil }
    }

    /// Asks one witness to cosign the log as it is signed now, where it has not yet: nobody waits for that.
    ///
    /// - Parameters:
    ///   - post: Sends a body there.
    ///   - fetch: Gets what is there; nil: nothing.
    /// - Returns: Whether a cosignature was added.
    /// - Throws: A `Problem`: the witness refused, or holds more of the log than the site does, which then answers no more; what `post` throws.
    @discardableResult
    public func askWitness(
        _ witness: NamedWitness, by post: WitnessPost, fetching fetch: (_ url: String) async throws -> [UInt8]?
    ) async throws -> Bool {
        let log = try await reading { site in
            let log = try site.openLog()
            let cosigners = try site.witnesses().compactMap { try? VerifierKey($0.key) }
            log.recent.withLock { $0.cosigners = cosigners }
            return log
        }
        // A witness whose size was not known is asked once more from the one that it tells.
        for _ in 0..<2 {
            let asked = try await reading { _ in try log.request(to: witness) }
            guard let asked else { return false }
            let answer = try await post(witness.url + "/add-checkpoint", asked.body)
            switch try await reading({ _ in try log.receive(answer, from: witness, asked) }) {
            case .cosigned: return true
            case .askAgain: continue
            // Its word is no evidence: a checkpoint under the site's own key is.
            case .ahead(let size):
                try await compareLog(with: witness, fetching: fetch)
                throw Problem.unavailable(
                    "the witness \(witness.url) says that it cosigned \(size) entries, more than the log has")
            case .refused(let reply):
                try await compareLog(with: witness, fetching: fetch)
                throw Problem.unavailable(
                    "the witness \(witness.url) refused the checkpoint: status \(reply.status)",
                    hint: reply == .notFound
                        ? "it was not told of this log: its operator adds the log's key (`parley log key`) with --log"
                        : "its operator can say why")
            }
        }
        return false
    }
}

/// What a witness is asked.
struct WitnessCall: Sendable {
    let body: [UInt8]
    let checkpoint: SignedCheckpoint
    let contact: WitnessContact
}

extension SiteLog {
    private func contacts() -> [String: WitnessContact] {
        guard let bytes = FileManager.default.contents(atPath: folder.witnesses) else { return [:] }
        // What is not known is asked for.
        return (try? JSONDecoder().decode([String: WitnessContact].self, from: bytes)) ?? [:]
    }

    var name: String { "\(identity.origin)" }

    /// Logs that the site may have begun behind this one, before it was put back; the latest first.
    var laterNames: [String] {
        guard let own = SiteLogName(name) else { return [] }
        return (1...4).reversed().map { "\(own.later(by: $0))" }
    }

    /// Where a witness shows what it cosigned last of a log (c2sp.org/tlog-witness, monitor retrieval), and what it keeps as evidence against it.
    func path(of name: String, at witness: NamedWitness, to file: String) -> String {
        "\(witness.url)/\(sha256Hex(Array(name.utf8)))/\(file)"
    }

    /// nil: it has cosigned what it was offered.
    func request(to witness: NamedWitness) throws -> WitnessCall? {
        do {
            let key = try VerifierKey(witness.key)
            let known = try latest()
            let offered = recent.withLock { recent in
                if let known { recent.add(known, at: .now) }
                return recent.offer(to: key, at: .now)
            }
            guard let checkpoint = offered, checkpoint.head.size > 0 else { return nil }
            var contact = try contacts()[witness.key] ?? WitnessContact(key: key)
            // A log that a restore began anew is smaller.
            if contact.size > checkpoint.head.size { contact = try WitnessContact(key: key) }
            var tiles = try VerifiedTiles(head: checkpoint.head, read: folder.read)
            return WitnessCall(
                body: try contact.request(for: checkpoint, tiles: &tiles).bytes, checkpoint: checkpoint,
                contact: contact)
        } catch let problem as Problem { throw problem } catch { throw Problem.unavailable("\(error)") }
    }

    func receive(
        _ answer: (status: Int, body: [UInt8]), from witness: NamedWitness, _ call: WitnessCall
    ) throws -> WitnessContact.Outcome {
        var contact = call.contact
        let outcome: WitnessContact.Outcome
        do {
            let now = UInt64(max(0, Timestamp.systemSeconds()))
            // Clocks may differ by some minutes.
            outcome = try contact.receive(
                WitnessReply(status: answer.status, body: answer.body), for: call.checkpoint, latestTime: now + 300)
        } catch { throw Problem.unavailable("the witness \(witness.url): \(error)") }
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        var known = contacts()
        known[witness.key] = contact
        try folder.replace(folder.witnesses, with: Array(JSONEncoder().encode(known)))
        guard case .cosigned(let line, _) = outcome else { return outcome }
        do {
            guard let cosigned = try recent.withLock({ try $0.add(line, to: call.checkpoint.head) }) else {
                return outcome
            }
            if try latest()?.head == cosigned.head { try folder.replace(folder.checkpoint, with: cosigned.bytes) }
            let before = try? checkpoint(folder.cosigned)
            if cosigned.note.signatures.count >= before?.note.signatures.count ?? 0 {
                try folder.replace(folder.cosigned, with: cosigned.bytes)
            }
        } catch let error as NoteError { throw Problem.unavailable("\(error)") }
        return outcome
    }
}
