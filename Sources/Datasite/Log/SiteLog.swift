import Crypto
import DatasiteProtocol
import Foundation
import GRDB
import Synchronization
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The datasite's transparency log: brings its files up to the journal, and signs.
///
/// **What it promises.** Everybody who asks sees one log, which only grows, under the site's own key: what stands in it can be proved by anybody, and what is
/// taken out or changed shows to who saw it before (docs/privacy.md, rule 36). Alone the site could show two logs to two people: witnesses cosign what they
/// have seen to grow, and a policy says how many of them a reader asks for.
///
/// **Crashes.** Entries follow from the journal's, which are durable first. Tiles are written, then the index, then the head, and only then is it signed: so that
/// there are never two roots for one size, wherever a process ends. What was written for a head that was not stored is written over, with the same bytes.
///
/// **Restores.** A journal that does not lead to the log that was signed is an older one that was put back: nothing is signed then, and the site stops.
final class SiteLog: Sendable {
    private struct State {
        var writer = TileWriter()
        var leaves = LogLeaves()
        /// The journal's entry to go on with.
        var next: Int64 = 1
    }

    /// The journal does not lead to the log that was signed.
    struct WentBack: Error {}

    /// Another process has ended this log, and begun the next.
    struct Ended: Error {}

    let folder: LogFolder
    let identity: LogIdentity
    /// Which of the site's logs it is, from 1 on.
    let number: Int
    private let signer: NoteSigner
    private let state = Mutex<State?>(nil)
    let recent = Mutex(RecentCheckpoints())

    /// How many entries of the journal are read at a time.
    private static let batch = 8_192

    /// Opens the log in a site's folder, or begins it.
    ///
    /// - Parameter next: Which of the site's logs it is then.
    init(site: SiteFolder, key: Curve25519.Signing.PrivateKey, next: () throws -> Int) throws {
        folder = LogFolder(path: site.log)
        if !folder.exists { try Self.begin(folder, key: key, number: next()) }
        guard let origin = FileManager.default.contents(atPath: folder.origin) else {
            throw Problem.unavailable("\(folder.origin) cannot be read")
        }
        guard let number = SiteLogName(String(decoding: origin, as: UTF8.self))?.number,
            "\(SiteLogName(publicKey: key.publicKey.rawRepresentation, number: number))".utf8.elementsEqual(origin)
        else {
            throw Problem.unavailable(
                "\(folder.origin) is damaged, or of another key than this site's",
                hint: "a site keeps its key for ever: put site.key back; with another key it is another site")
        }
        do {
            let verifier = try Self.verifier(of: key, number: number)
            identity = LogIdentity(key: verifier)
            self.number = number
            signer = NoteSigner(key: verifier) { message in Array(try key.signature(for: message)) }
        } catch { throw Problem.unavailable("\(folder.origin) is damaged") }
    }

    /// Makes the folder of a log in which nothing is yet.
    static func begin(_ folder: LogFolder, key: Curve25519.Signing.PrivateKey, number: Int) throws {
        if mkdir(folder.path, 0o700) != 0, errno != EEXIST {
            throw Problem.unavailable("\(folder.path) cannot be made: \(SiteFolder.reason())")
        }
        let name = SiteLogName(publicKey: key.publicKey.rawRepresentation, number: number)
        try folder.replace(folder.origin, with: Array("\(name)".utf8))
    }

    /// Which of a site's logs an origin's file names; nil: none.
    static func number(in file: String) -> Int? {
        FileManager.default.contents(atPath: file).flatMap { SiteLogName(String(decoding: $0, as: UTF8.self))?.number }
    }

    /// Which of a site's logs a checkpoint is of that its key signed; nil: of none.
    static func number(of told: SignedCheckpoint, by key: Curve25519.Signing.PrivateKey) -> Int? {
        guard let number = SiteLogName(of: told)?.number,
            (try? told.verify(identity(of: key, number: number))) != nil
        else { return nil }
        return number
    }

    private static func verifier(of key: Curve25519.Signing.PrivateKey, number: Int) throws -> VerifierKey {
        try VerifierKey(
            name: KeyName("\(SiteLogName(publicKey: key.publicKey.rawRepresentation, number: number))"),
            kind: .ed25519, publicKey: Array(key.publicKey.rawRepresentation))
    }

    /// One of a site's logs, as those who check it know it.
    static func identity(of key: Curve25519.Signing.PrivateKey, number: Int) throws -> LogIdentity {
        LogIdentity(key: try verifier(of: key, number: number))
    }

    /// The key and name by which readers and witnesses know the log.
    var key: VerifierKey { signer.key }

    /// What everybody is shown; nil before the first.
    func served() throws -> SignedCheckpoint? { try recent.withLock { $0.served(at: .now) } ?? latest() }

    /// What is signed now; nil before the first.
    func latest() throws -> SignedCheckpoint? { try checkpoint(folder.checkpoint) }

    func checkpoint(_ file: String) throws -> SignedCheckpoint? {
        guard let bytes = FileManager.default.contents(atPath: file) else { return nil }
        do { return try SignedCheckpoint(parsing: Array(bytes)) } catch {
            throw Problem.unavailable("\(file) is damaged: \(error)", hint: LogFolder.repairing)
        }
    }

    // MARK: Growing

    /// Brings the log up to the journal, and signs what it has become.
    ///
    /// - Throws: ``WentBack``; a `Problem`: a full disk, say. What was signed stays.
    func publish(_ store: SiteStore) throws -> SignedCheckpoint {
        try state.withLock { kept in
            let lock = try folder.lock()
            defer { withExtendedLifetime(lock) {} }
            guard let origin = FileManager.default.contents(atPath: folder.origin),
                origin.elementsEqual(identity.origin.bytes)
            else { throw Ended() }
            let before = try latest()
            var state: State
            do {
                // Another process may have gone on.
                let stored = try folder.readHead() ?? .empty
                state = kept?.writer.head == stored ? kept ?? State() : try resumed(stored, store)
                kept = nil
                _ = try grow(&state, store)
                // Whatever became of the other files: nothing is signed that what was signed does not lead to.
                if let before { try lead(to: before, from: state.writer.head) }
            } catch is WentBack { throw try suspected(before, store) } catch { throw Self.damaged(error) }
            let isSigned = before?.head == state.writer.head && (try? before?.verify(identity)) != nil
            let checkpoint = try isSigned ? before ?? sign(state.writer.head) : sign(state.writer.head)
            if !isSigned { folder.removePartials(before: checkpoint.head.size) }
            kept = state
            recent.withLock { $0.add(checkpoint, at: .now) }
            return checkpoint
        }
    }

    /// - Throws: ``WentBack``: the checkpoint is this log's, and the tree does not lead to it.
    private func lead(to signed: SignedCheckpoint, from head: TreeHead) throws {
        guard (try? signed.verify(identity)) != nil, signed.head != head else { return }
        guard signed.head.size <= head.size else { throw WentBack() }
        var tiles = try VerifiedTiles(head: head, read: folder.read)
        guard try tiles.head(at: signed.head.size) == signed.head else { throw WentBack() }
    }

    /// What it is where files and journal do not fit together: the journal alone says whether it went back. All else is made from it, and is no evidence.
    private func suspected(_ signed: SignedCheckpoint?, _ store: SiteStore) throws -> any Error {
        guard let signed, (try? signed.verify(identity)) != nil, try leads(store, to: signed.head) else {
            return WentBack()
        }
        return Problem.unavailable(
            "the log's files are damaged: the journal leads to what was signed, and they do not",
            hint: "`parley log fsck --repair` makes them anew from the journal")
    }

    /// Whether the journal, whatever became of the files, leads to a root.
    func leads(_ store: SiteStore, to head: TreeHead) throws -> Bool {
        var (leaves, frontier) = (LogLeaves(), MerkleFrontier())
        try store.pool.read { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT entry, hash FROM journal ORDER BY number")
            while frontier.size < head.size, let row = try rows.next() {
                for leaf in leaves.take(row["entry"], hash: row["hash"]) ?? [] where frontier.size < head.size {
                    try frontier.append(.leaf(leaf.bytes))
                }
            }
        }
        return frontier.head == head
    }

    /// Files that are there and not what was signed, in words; other errors as they are.
    static func damaged(_ error: any Error) -> any Error {
        guard error is TileError || error is MerkleError else { return error }
        return Problem.unavailable("the log's files are damaged: \(error)", hint: LogFolder.repairing)
    }

    private func sign(_ head: TreeHead) throws -> SignedCheckpoint {
        let signed: SignedCheckpoint
        do {
            signed = try SignedCheckpoint(
                signing: Checkpoint(origin: identity.origin, head: head), with: [signer])
        } catch { throw Problem.unavailable("the checkpoint cannot be signed: \(error)") }
        try folder.replace(folder.checkpoint, with: signed.bytes)
        return signed
    }

    /// - Returns: Whether entries were added.
    private func grow(_ state: inout State, _ store: SiteStore) throws -> Bool {
        let before = state.writer.head.size
        guard try store.pool.read({ try Journal.head($0).number }) >= state.next - 1 else { throw WentBack() }
        var (records, count) = ([LogIndex.Record](), Int(before))
        var full: [TilePath] = []
        func write(_ writes: [TileWrite]) throws {
            try folder.write(writes)
            full += writes.map(\.path).filter { !$0.isPartial }
        }
        while true {
            let next = state.next
            let rows = try store.pool.read { db in
                try Row.fetchAll(
                    db,
                    sql: "SELECT number, entry, hash FROM journal WHERE number >= :next ORDER BY number LIMIT :batch",
                    arguments: ["next": next, "batch": Self.batch])
            }
            for row in rows {
                let (text, hash): (String, Data) = (row["entry"], row["hash"])
                guard let leaves = state.leaves.take(text, hash: hash) else {
                    throw Problem.unavailable("the journal's entry \(row["number"] as Int64) is damaged")
                }
                for leaf in leaves {
                    try state.writer.append(leaf.bytes)
                    // A count stands before the entry that ended its day.
                    records.append(.init(number: row["number"], isCount: leaf.isCount))
                }
                state.next = (row["number"] as Int64) + 1
            }
            try write(state.writer.takeWrites(withPartial: false))
            guard rows.count == Self.batch else { break }
        }
        let head = state.writer.head
        guard head.size > before else { return false }
        try write(state.writer.takeWrites())
        try LogIndex(path: folder.index).append(records, after: count)
        count += records.count
        try folder.replace(folder.head, with: Array(JSONEncoder().encode(head)))
        full.forEach(folder.removePartials)
        return true
    }

    /// The state behind a stored head, from the files and the journal, which must agree.
    private func resumed(_ head: TreeHead, _ store: SiteStore) throws -> State {
        var state = State()
        guard head.size > 0 else { return state }
        do { state.writer = try TileWriter(resuming: head, read: folder.read) } catch { throw Self.damaged(error) }
        let records = try LogIndex(path: folder.index).records(Int(head.size))
        guard let last = records.last else { return state }
        // Refusals since the last count are not in the log yet.
        let counted = (0..<records.count - 1).reversed().lazy.map { records[$0] }.first { $0.isCount }?.number ?? 1
        let rows = try store.pool.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT number, entry, hash FROM journal WHERE number BETWEEN :from AND :to
                        AND (number = :to OR entry LIKE '%"action":"refused"%') ORDER BY number
                    """, arguments: ["from": counted, "to": last.number])
        }
        guard rows.last?["number"] as Int64? == last.number else { throw WentBack() }
        for row in rows {
            let number: Int64 = row["number"]
            let (text, hash): (String, Data) = (row["entry"], row["hash"])
            guard let leaves = state.leaves.take(text, hash: hash) else {
                throw Problem.unavailable("the journal's entry \(number) is damaged")
            }
            guard number == last.number else { continue }
            // The same place with another content: another journal, or a damaged index. A count stands before the entry that ended its day.
            let own = last.isCount ? leaves.first : leaves.last
            let bundle = try entries(head, bundle: (head.size - 1) >> 8)
            guard let own, own.isCount == last.isCount,
                bundle[Int((head.size - 1) & 255)].elementsEqual(own.bytes)
            else { throw WentBack() }
        }
        state.next = last.isCount ? last.number : last.number + 1
        if last.isCount { state.leaves = LogLeaves() }
        return state
    }

    private func entries(_ head: TreeHead, bundle: UInt64) throws -> EntryBundle {
        var tiles = try VerifiedTiles(head: head, read: folder.read)
        return try tiles.entries(bundle: bundle)
    }

    /// Makes all files anew from the journal, up to what was signed, which must come out again.
    ///
    /// - Throws: ``WentBack``: it does not.
    func rebuild(_ store: SiteStore) throws {
        try state.withLock { kept in
            let lock = try folder.lock()
            defer { withExtendedLifetime(lock) {} }
            kept = nil
            let signed = try latest()
            try? FileManager.default.removeItem(atPath: folder.head)
            try? FileManager.default.removeItem(atPath: folder.index)
            try? FileManager.default.removeItem(atPath: folder.path + "/tile")
            var state = State()
            _ = try grow(&state, store)
            guard let signed else { return }
            guard signed.head.size <= state.writer.head.size else { throw WentBack() }
            var tiles = try VerifiedTiles(head: state.writer.head, read: folder.read)
            guard try tiles.head(at: signed.head.size) == signed.head else { throw WentBack() }
        }
    }

    /// Whether each leaf of the log follows from the journal: how many.
    ///
    /// - Throws: ``WentBack``: one does not. A `Problem`: files that are damaged.
    func compare(_ checkpoint: SignedCheckpoint, with store: SiteStore) throws -> Int {
        do { return try compared(checkpoint.head, with: store) } catch is WentBack {
            throw try suspected(checkpoint, store)
        } catch { throw Self.damaged(error) }
    }

    private func compared(_ head: TreeHead, with store: SiteStore) throws -> Int {
        var (leaves, frontier) = (LogLeaves(), MerkleFrontier())
        var tiles = try VerifiedTiles(head: head, read: folder.read)
        var bundle: EntryBundle?
        let records = try LogIndex(path: folder.index).records(Int(head.size))
        try store.pool.read { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT number, entry, hash FROM journal ORDER BY number")
            while frontier.size < head.size, let row = try rows.next() {
                let (number, text, hash): (Int64, String, Data) = (row["number"], row["entry"], row["hash"])
                for leaf in leaves.take(text, hash: hash) ?? [] where frontier.size < head.size {
                    let place = Int(frontier.size)
                    if place & 255 == 0 || bundle == nil { bundle = try tiles.entries(bundle: UInt64(place) >> 8) }
                    guard bundle?[place & 255].elementsEqual(leaf.bytes) == true,
                        records[place] == .init(number: number, isCount: leaf.isCount)
                    else { throw WentBack() }
                    try frontier.append(.leaf(leaf.bytes))
                }
            }
        }
        guard frontier.head == head else { throw WentBack() }
        return Int(head.size)
    }

    // MARK: Reading

    /// That an entry of the journal is in the log, as it is signed now.
    ///
    /// - Parameter extra: What the proof carries along, of the entry's bytes.
    /// - Throws: The problem `absent`: it is not in the log yet.
    func proof(of number: Int64, extra: ([UInt8]) throws -> [UInt8]) throws -> LogProof {
        guard var checkpoint = try latest(),
            let place = try LogIndex(path: folder.index).records(Int(checkpoint.head.size)).place(of: number)
        else { throw Problem.notLoggedYet }
        // One that more witnesses have seen is worth more than one that they have not yet.
        let others = recent.withLock { $0.newestFirst } + [try self.checkpoint(folder.cosigned)].compactMap(\.self)
        for other in others where other.head.size > place && other.checkpoint.origin == identity.origin {
            if other.note.signatures.count > checkpoint.note.signatures.count { checkpoint = other }
        }
        let head = checkpoint.head
        do {
            var tiles = try VerifiedTiles(head: head, read: folder.read)
            let entry = Array(try tiles.entries(bundle: UInt64(place) >> 8)[place & 255])
            return try LogProof(
                index: UInt64(place), inclusion: tiles.inclusionProof(of: UInt64(place)), checkpoint: checkpoint,
                extra: extra(entry))
        } catch { throw Self.damaged(error) }
    }

    /// Whether a checkpoint under the site's key is one that this log leads to.
    ///
    /// - Throws: ``WentBack``: it is not. A `Problem`: it is not signed by the site.
    func check(_ told: SignedCheckpoint, against own: SignedCheckpoint) throws {
        do { try told.verify(identity) } catch {
            throw Problem.invalidRequest("the checkpoint is not signed by this site's log: \(error)")
        }
        guard told.head.size <= own.head.size else { throw WentBack() }
        do {
            var tiles = try VerifiedTiles(head: own.head, read: folder.read)
            guard try tiles.head(at: told.head.size) == told.head else { throw WentBack() }
        } catch { throw Self.damaged(error) }
    }
}

extension Problem {
    /// An entry that a checkpoint does not cover yet.
    static let notLoggedYet = Problem.absent(
        "the entry is not in the log yet", hint: "ask again in a few seconds; refusals are counted by the day")
}
