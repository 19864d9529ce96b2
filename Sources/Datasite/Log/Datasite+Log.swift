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

    /// The number of the log that the contradicting checkpoint is of.
    var contradictingLog: Int? {
        FileManager.default.contents(atPath: contradiction).flatMap { try? SignedCheckpoint(parsing: Array($0)) }
            .flatMap(SiteLogName.init(of:))?.number
    }
}

/// The transparency log, as everybody may read it; and what its owner and those who may see a request read of it.
extension Datasite {
    func openLog() throws -> SiteLog {
        try transparency.withLock { log in
            if let log { return log }
            let opened = try reportingProblems { try SiteLog(site: folder, key: signingKey) }
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

    /// Remembers, durably, that the journal does not lead to what the site signed: the first such checkpoint, and of several logs the latest one's, whose number is not used again.
    func contradicted(by checkpoint: [UInt8], in log: SiteLog) throws -> Problem {
        let number = (try? SignedCheckpoint(parsing: checkpoint)).flatMap(SiteLogName.init(of:))?.number ?? 0
        // Several witnesses may tell it at once.
        try isContradicted.withLock { isContradicted in
            if number > log.folder.contradictingLog ?? -1 {
                try reportingProblems { try log.folder.replace(log.folder.contradiction, with: checkpoint) }
            }
            isContradicted = true
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
            if told.head.size > own?.head.size ?? 0 { own = try log.publish(store) }
            if let own { try log.check(told, against: own) }
        } catch is SiteLog.WentBack {
            throw try contradicted(by: told.bytes, in: log)
        } catch { throw Problem.storage(error) }
    }

    /// Ends the log that a restore went behind: it is kept beside the new one, since others may hold proofs of it.
    ///
    /// - Parameter whereItWentBack: Only where the journal does not lead to it.
    /// - Returns: What was done, for the owner.
    func endLog(whereItWentBack: Bool = false) throws -> [String] {
        guard LogFolder(path: folder.log).exists else { return [] }
        if whereItWentBack {
            do {
                _ = try openLog().publish(store)
                return []
            } catch is SiteLog.WentBack {} catch { throw Problem.storage(error) }
        }
        return try transparency.withLock { kept in
            kept = nil
            let ended = SiteLog.number(in: LogFolder(path: folder.log).origin) ?? folder.earlierLogs + 1
            let next = max(ended, LogFolder(path: folder.log).contradictingLog ?? ended) + 1
            guard rename(folder.log, folder.log(ended: ended)) == 0 else {
                throw Problem.unavailable("\(folder.log) cannot be moved: \(SiteFolder.reason())")
            }
            try SiteFolder.synchronize(folder.path)
            // Its number is never used again, whatever becomes of the folder of the ended one; nor that of a later one that others hold.
            try SiteLog.begin(LogFolder(path: folder.log), key: signingKey, number: next)
            isContradicted.withLock { $0 = false }
            let begun = try SiteLog.identity(of: signingKey, number: next)
            return [
                "a new log is begun: what was lost was in the log that others hold, which ends here and is kept in \(folder.log(ended: ended))",
                "its key, which witnesses must be told, and readers who go by the log's key: \(begun.keys[0])",
            ]
        }
    }

}
