public import DatasiteProtocol
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

extension LogFolder {
    var isContradicted: Bool { FileManager.default.fileExists(atPath: contradiction) }

    /// The contradicting checkpoint.
    fileprivate var contradicting: SignedCheckpoint? {
        FileManager.default.contents(atPath: contradiction).flatMap { try? SignedCheckpoint(parsing: Array($0)) }
    }

    /// The number of the log that a checkpoint is of, and how much of it.
    fileprivate static func rank(_ checkpoint: SignedCheckpoint) -> (number: Int, size: UInt64) {
        (SiteLogName(of: checkpoint)?.number ?? 0, checkpoint.head.size)
    }

    /// The highest number of a log that is in the folder, or that was shown against that; 0: none.
    fileprivate var lastNumber: Int {
        max(SiteLog.number(in: origin) ?? 0, contradicting.map { Self.rank($0).number } ?? 0)
    }
}

/// The transparency log, as everybody may read it; and what its owner and those who may see a request read of it.
extension Datasite {
    func openLog() throws -> SiteLog {
        try transparency.withLock { log in
            if let log { return log }
            let opened = try reportingProblems {
                // Accepting a restore was cut short behind the charges: what the journal says has ended is not gone on with.
                if let own = SiteLog.number(in: LogFolder(path: folder.log).origin),
                    try read(Self.endedLogs).contains(where: { $0 >= own })
                {
                    _ = try moveLog()
                }
                return try SiteLog(site: folder, key: signingKey) { try lastLogNumber() + 1 }
            }
            log = opened
            return opened
        }
    }

    /// The key by which readers and witnesses know the log (`name+id+key`, c2sp.org/signed-note); its name is the log's origin.
    public func logKey() throws -> String { "\(try openLog().key)" }

    /// Brings the log up to the journal and signs it: what a server does each second, and an owner's command before it reads.
    ///
    /// - Returns: The checkpoint, as it is served.
    /// - Throws: A `Problem`; where the journal does not lead to the log that was signed, the site answers no more.
    @discardableResult
    public func publishLog() throws -> [UInt8] {
        try requireSound()
        let log = try openLog()
        do { return try log.publish(store).bytes } catch is SiteLog.WentBack {
            throw try contradicted(by: log.latest()?.bytes ?? [], in: log)
        } catch is SiteLog.Ended {
            // An owner's command has begun another log.
            transparency.withLock { $0 = nil }
            throw Problem.unavailable("another log was begun", hint: "try again in a moment")
        } catch { throw Problem.storage(error) }
    }

    /// Remembers, durably, that the journal does not lead to what the site signed: of several such checkpoints the latest log's, whose number is not used again, and of one log the
    /// largest.
    func contradicted(by checkpoint: [UInt8], in log: SiteLog) throws -> Problem {
        let told = try? SignedCheckpoint(parsing: checkpoint)
        // Several witnesses may tell it at once.
        try isContradicted.withLock { isContradicted in
            // Nothing is answered any more, whether or not the disk takes the reason.
            isContradicted = true
            let known = log.folder.contradicting
            let isMore = known.map { LogFolder.rank($0) < told.map(LogFolder.rank) ?? (0, 0) } ?? true
            if isMore {
                try reportingProblems { try log.folder.replace(log.folder.contradiction, with: checkpoint) }
            }
        }
        return Restore.contradicted
    }

    /// The checkpoint, a signed note (c2sp.org/tlog-checkpoint), with the cosignatures there are: the newest one that all witnesses have cosigned, unless they take longer than three
    /// seconds.
    public func logCheckpoint() throws -> [UInt8] {
        if let served = try openLog().served() { return served.bytes }
        return try publishLog()
    }

    /// A tile or bundle of entries (c2sp.org/tlog-tiles). Of a partial one any part is served, cut out of what there is now: which parts there are tells nobody when
    /// the log was signed.
    ///
    /// - Parameter path: `tile/…`.
    /// - Throws: The problem `absent`: the log has none there.
    public func logTile(_ path: String) throws -> [UInt8] {
        let absent = Problem.absent("the log has no such tile")
        guard let tile = try? TilePath(path), let size = try openLog().latest()?.head.size else { throw absent }
        // What lies behind the checkpoint is not signed yet.
        let level = if case .hashes(let level) = tile.content { level } else { 0 }
        guard level < 8, let most = try? TilePath(tile.content, index: tile.index, ofTreeWithSize: size),
            tile.width <= most.width, let bytes = try? openLog().folder.read(tile)
        else { throw absent }
        return bytes
    }

    /// A tile or bundle of a log whose files lie in a folder.
    ///
    /// - Parameter path: `tile/…`. Any part of a partial tile is there.
    /// - Returns: nil: none is there.
    public static func logTile(_ path: String, in folder: String) -> [UInt8]? {
        (try? TilePath(path)).flatMap { LogFolder.read($0, in: folder) }
    }

    /// That a request's release is in the log, with the receipt and the entry: a `.tlog-proof` (c2sp.org/tlog-proof), which `parley receipt verify` checks
    /// without asking anybody.
    ///
    /// - Throws: A `Problem`: who may not see the request; no release yet; not in the log yet.
    public func proof(of request: String, as identity: Identity) throws -> [UInt8] {
        let receipt = try receipt(request, as: identity)
        guard let body = (try? Receipt(decoding: receipt))?.body else {
            throw Problem.unavailable("the stored receipt cannot be read")
        }
        let log = try openLog()
        return try reportingProblems {
            try log.proof(of: body.journalIndex) { entry in ReceiptProof.extra(receipt: receipt, entry: entry) }.bytes
        }
    }

    /// Takes a checkpoint that somebody holds of this site's log: a client that compares, a witness. One that the log does not lead to, or of a later log of the site's, is
    /// remembered, and the site answers no more until its owner acts: its folder was put back.
    ///
    /// - Throws: A `Problem`: it is not signed by this site; or the site stops, or has stopped.
    public func compareLog(_ checkpoint: [UInt8]) throws {
        let told: SignedCheckpoint
        do { told = try SignedCheckpoint(parsing: checkpoint) } catch {
            throw Problem(.forbidden, "the body is no checkpoint: \(error)")
        }
        let log = try openLog()
        if let number = SiteLog.number(of: told, by: signingKey), number > log.number {
            // A log that this folder has not begun: it was put back from before.
            throw try contradicted(by: told.bytes, in: log)
        }
        do { try told.verify(log.identity) } catch {
            throw Problem(.forbidden, "the checkpoint is not signed by this site's log: \(error)")
        }
        if isRestored.withLock({ $0 }), let own = try log.latest(), told.head.size > own.head.size {
            // A site that has stopped takes what its counter, put back as well, knows nothing of.
            throw try contradicted(by: told.bytes, in: log)
        }
        try requireSound()
        do {
            // Whoever asks makes nothing be signed sooner, which would show when it came. One that is ahead of what is signed was signed by this site's key all the same.
            var own = try log.latest()
            if told.head.size > own?.head.size ?? 0 {
                do { own = try log.publish(store) } catch let problem as Problem {
                    // What a full disk keeps out of the files is in the journal all the same.
                    guard try log.leads(store, to: told.head) else { throw SiteLog.WentBack() }
                    throw problem
                }
            }
            if let own { try log.check(told, against: own) }
        } catch is SiteLog.WentBack {
            throw try contradicted(by: told.bytes, in: log)
        } catch { throw Problem.storage(error) }
    }

    /// The highest number of a log of this site that anything here speaks of: its folders, what was shown against them, and the journal. 0: none.
    private func lastLogNumber() throws -> Int {
        let names = try reportingProblems { try FileManager.default.contentsOfDirectory(atPath: folder.path) }
        let folders = names.filter { $0 == "log" || $0.hasPrefix("log.") }
        return try max(
            folders.map { LogFolder(path: folder.path + "/" + $0).lastNumber }.max() ?? 0,
            read(Self.endedLogs).max() ?? 0)
    }

    /// The numbers of the logs that ended, as the journal has it.
    static func endedLogs(_ db: Database) throws -> [Int] {
        let texts = try String.fetchAll(
            db, sql: "SELECT entry FROM journal WHERE entry LIKE '%\"action\":\"log ended\"%'")
        return texts.compactMap { JournalEntry.decode($0)?.entry.endedLog.map { Int($0.number) } }
    }

    /// Ends the log behind a restore that the owner accepted: it is kept beside the new one, since others may hold proofs of it. Also where the journal leads to all of it that is
    /// here: log and journal may have been put back together.
    ///
    /// - Returns: What was done, for the owner.
    func endLog() throws -> [String] {
        guard LogFolder(path: folder.log).exists else { return [] }
        return try transparency.withLock { log in
            log = nil
            let (kept, next) = try moveLog()
            let begun = try SiteLog.identity(of: signingKey, number: next)
            return [
                "a new log is begun: what was lost was in the log that others hold, which ends here and is kept in \(kept)",
                "its key, which witnesses must be told, and readers who go by the log's key: \(begun.keys[0])",
            ]
        }
    }

    /// Puts the log that ends beside the one that is begun. The new one's number was never used, whatever becomes of the folder of the ended one; nor is it that of a later log that
    /// others hold.
    private func moveLog() throws -> (kept: String, next: Int) {
        let next = try lastLogNumber() + 1
        let kept = folder.freeLog(ended: SiteLog.number(in: LogFolder(path: folder.log).origin) ?? next - 1)
        guard rename(folder.log, kept) == 0 else {
            throw Problem.unavailable("\(folder.log) cannot be moved: \(SiteFolder.reason())")
        }
        try SiteFolder.synchronize(folder.path)
        try SiteLog.begin(LogFolder(path: folder.log), key: signingKey, number: next)
        isContradicted.withLock { $0 = false }
        return (kept, next)
    }

}
