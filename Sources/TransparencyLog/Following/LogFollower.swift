/// Why a checkpoint was not followed.
public enum FollowerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// None of the log's keys signed it, though some witness did.
    case notSignedByLog
    /// A cosignature from after the latest time that the caller allows.
    case timeInFuture(KeyName, time: UInt64, latest: UInt64)
    /// A tree without entries, with another root than that of the empty tree.
    case impossibleHead
    /// What was given as evidence shows no split view.
    case noSplit

    /// What was found, and what would be right.
    public var description: String {
        switch self {
        case .notSignedByLog: "The checkpoint has no signature of the log's keys."
        case .timeInFuture(let name, let time, let latest):
            "The cosignature of \(name) is of time \(time), after the latest one that is allowed, \(latest)."
        case .impossibleHead: "The checkpoint is of no entries, with another root than that of the empty tree."
        case .noSplit: "The two checkpoints can be of one log: their roots do not contradict each other."
        }
    }
}

/// A monitor's view of a log: the latest checkpoint that it verified, and how that may change.
///
/// **What it finds.** A log that goes back, and one that shows two trees, as far as both come to this follower; each
/// follower sees what it is shown, so that cosignatures of witnesses, or followers that compare, are needed against
/// a log that shows each its own tree. **What it keeps.** Both signed checkpoints, which prove the log's lie to everybody.
/// **Privacy.** Reading tiles tells their server which sizes the follower has seen; entries are public to all readers.
public struct LogFollower: Sendable, Hashable, Codable {
    /// The log.
    public let log: LogIdentity
    /// Cosigners whose signatures are checked where a checkpoint has them; how many are needed is a policy's matter.
    public let cosigners: [VerifierKey]
    /// The latest checkpoint that was followed; nil for none.
    public let latest: SignedCheckpoint?

    /// A follower that has seen nothing; the first checkpoint that comes is believed.
    public init(log: LogIdentity, cosigners: [VerifierKey] = []) {
        self.init(log: log, cosigners: cosigners, latest: nil)
    }

    private init(log: LogIdentity, cosigners: [VerifierKey], latest: SignedCheckpoint?) {
        self.log = log
        self.cosigners = cosigners
        self.latest = latest
    }

    /// What a new checkpoint shows.
    public enum Step: Sendable, Hashable {
        /// The first one; its right edge is there. The new state is to be stored.
        case first(LogFollower)
        /// The same size and root as before.
        case same
        /// The log grew from the latest checkpoint by these entries. The new state is to be stored.
        case grew(LogFollower, entries: Range<UInt64>)
        /// A checkpoint below the latest one. Where `isPrefix` is true it is an old one, which a cache may have kept; nil says
        /// that the tiles of the latest one are not there to tell, which is the case if the log lost entries.
        case wentBack(from: SignedCheckpoint, to: SignedCheckpoint, isPrefix: Bool?)
        /// The log showed two trees.
        case splitView(SplitView)
    }

    /// Looks at a new checkpoint.
    ///
    /// - Parameters:
    ///   - latestTime: the latest time of a cosignature that is accepted, in seconds since 1970: now, and some seconds
    ///     for clocks that differ.
    ///   - read: gives tiles, as for `VerifiedTiles`; none is believed unless it leads to a signed root.
    /// Throws `NoteError` and `FollowerError` for a checkpoint that is not the log's; and for one that cannot be judged, since
    /// its tiles are not there or are of another tree, `TileError` or what `read` throws. A log whose tiles stay away for
    /// long hides something.
    public func step(
        to new: SignedCheckpoint, latestTime: UInt64, read: @escaping (TilePath) throws -> [UInt8]
    ) throws -> Step {
        try check(new, latestTime)
        let next = LogFollower(log: log, cosigners: cosigners, latest: new)
        guard let latest else {
            _ = try VerifiedTiles(head: new.head, read: read)
            return .first(next)
        }
        if new.head == latest.head { return .same }
        if new.head.size == latest.head.size { return .splitView(SplitView(smaller: latest, larger: new)) }
        if new.head.size < latest.head.size { return back(from: latest, to: new, read) }
        var tiles = try VerifiedTiles(head: new.head, read: read)
        if let split = try Self.split(latest, new, &tiles) { return .splitView(split) }
        return .grew(next, entries: latest.head.size..<new.head.size)
    }

    private func check(_ new: SignedCheckpoint, _ latestTime: UInt64) throws {
        guard new.checkpoint.origin == log.origin else {
            throw NoteError.wrongOrigin(expected: log.origin, found: new.checkpoint.origin)
        }
        let verified = try new.note.verify(KnownKeys(log.keys + cosigners))
        guard verified.contains(where: { log.keys.contains($0.key) }) else { throw FollowerError.notSignedByLog }
        for signature in verified {
            if let time = signature.time, time > latestTime {
                throw FollowerError.timeInFuture(signature.key.name, time: time, latest: latestTime)
            }
        }
        guard new.head.isPossible else { throw FollowerError.impossibleHead }
    }

    private func back(
        from latest: SignedCheckpoint, to new: SignedCheckpoint, _ read: @escaping (TilePath) throws -> [UInt8]
    ) -> Step {
        do {
            var tiles = try VerifiedTiles(head: latest.head, read: read)
            if let split = try Self.split(new, latest, &tiles) { return .splitView(split) }
            return .wentBack(from: latest, to: new, isPrefix: true)
        } catch {
            // A log that lost entries has lost their tiles too: what cannot be read leaves the question open.
            return .wentBack(from: latest, to: new, isPrefix: nil)
        }
    }

    /// The evidence, if the larger tree does not begin with the smaller one.
    private static func split(
        _ smaller: SignedCheckpoint, _ larger: SignedCheckpoint, _ tiles: inout VerifiedTiles
    ) throws -> SplitView? {
        let prefix = try tiles.head(at: smaller.head.size)
        guard prefix != smaller.head else { return nil }
        return SplitView(
            smaller: smaller, larger: larger, prefixRoot: prefix.root,
            proof: try tiles.consistencyProof(from: smaller.head.size))
    }
}
