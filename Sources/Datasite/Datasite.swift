import Crypto
public import DatasiteProtocol
import EncryptedPrediction
import Foundation
import GRDB
import Governance
import Query
import Synchronization

/// A datasite: answers requests on private tables and lets only releases out.
///
/// One object a process and folder; several processes may work on one folder at a time (a server and the owner's
/// commands), since every authoritative check is made inside the database's transactions. All refusals are thrown as
/// ``DatasiteProtocol/Problem``.
public final class Datasite: Sendable {
    let folder: SiteFolder
    let store: SiteStore
    let commit: GroupCommit
    let cache: CatalogueCache
    /// Where private rows are read.
    let engines: EngineThreads
    /// Where questions are planned and answers encoded: apart, so that none of these waits for a scan of private rows and tells
    /// how long it took. Two at least, so that nobody waits for all that one user's questions take.
    let planners: EngineThreads
    /// Where mock answers are made, which are free: apart, so that no planning waits for them.
    let mocks: EngineThreads
    let scans: ScanSchedule
    /// Where long work is computed, one piece at a time: apart, so that no question waits for it.
    let long: WorkPlace
    /// Where work is computed that mostly waits for others: apart, so that no other long work waits for it.
    let rounds: WorkPlace
    /// How such work reaches them; nil: this process does not.
    let outward = Mutex<(any CoordinatorConnection)?>(nil)
    /// Work that takes messages from whoever asked for it, by request.
    let visits = Mutex<[String: Visit]>([:])
    /// What is dealt ahead of time for predictions on shares.
    let preparing: Preparations
    /// Whether somebody looks whether a dealer can be reached.
    let isCheckingDealer = Mutex(false)
    /// Whether this process serves the site: long work that an owner approves elsewhere is computed here.
    let isServing = Mutex(false)
    let timings = Timings()
    let slot: @Sendable (ScanLimits, PlanBound) -> TimeSlot
    /// How fast this site is and what one question may take: public.
    let limits: ScanLimits
    let clock: SiteClock
    let tables = OpenTables()
    let mockTables = OpenTables()
    let storage: StorageAllowance
    let asking = InFlight<AskResult>()
    let completing = InFlight<StoredAnswer>()
    /// Held while this object may compute requests; nil before the first.
    let life = Mutex<VersionLock?>(nil)
    let engineTable: EngineTable
    private let beforeDisk: @Sendable () -> Void
    let signingKey: Curve25519.Signing.PrivateKey
    let name: String
    let isRestored: Mutex<Bool>
    /// Whether a checkpoint under the site's key is known that its journal does not lead to.
    let isContradicted: Mutex<Bool>
    /// The transparency log; nil until it is first asked for.
    let transparency = Mutex<SiteLog?>(nil)
    /// nil until this process serves, and where the owner has set none.
    let notifyHook = Mutex<NotifyHook?>(nil)
    let missedSlots = Atomic<Int64>(0)
    /// Nanoseconds that finished answers waited for their time slots to end.
    let slotWaits = Atomic<Int64>(0)
    let releases = Atomic<Int64>(0)
    let refusals = Atomic<Int64>(0)

    /// What a process may set; tests inject a clock.
    struct Configuration: Sendable {
        var threads = ProcessInfo.processInfo.activeProcessorCount
        /// The most requests that wait for an engine.
        var queueLimit = 512
        var clock = SiteClock.system
        /// The slot of a scan with that bound; audits put a broken one here, to see it caught.
        var slot: @Sendable (ScanLimits, PlanBound) -> TimeSlot = { TimeSlot(bound: $0.time($1)) }
        /// What one researcher's questions may write in a day.
        var storageBytesPerDay = StorageAllowance.bytesPerDay
        var refusalsPerDay = StorageAllowance.refusalsPerDay
        var engines = EngineTable.standard
        /// Called before each read of the database and each commit: tests of a slow disk.
        var beforeDisk: @Sendable () -> Void = {}
        /// The largest number of database pages: tests of a full disk.
        var maximumPages: Int?
    }

    /// Makes a datasite in a new folder of mode 0700: keys, database, generation counter. It appears complete or not at
    /// all.
    ///
    /// - Parameter name: how the datasite calls itself in receipts; the folder's name if nil.
    /// - Throws: a `Problem` (`conflict` if the folder exists and is not empty).
    public static func create(at path: String, name: String? = nil) throws {
        try create(at: path, name: name, limits: ScanLimits.measured())
    }

    static func create(at path: String, name: String?, limits: ScanLimits) throws {
        try reportingProblems {
            let path = URL(filePath: path).standardizedFileURL.path
            let name = name ?? URL(filePath: path).lastPathComponent
            guard !name.isEmpty, name.utf8.count <= 200 else {
                throw Problem.invalidRequest("a datasite's name has 1 to 200 bytes")
            }
            try SiteFolder.create(at: path) { folder in
                let store = try SiteStore(path: folder.database)
                let record = try store.pool.write { db in
                    try Meta.set(db, "name", name)
                    try limits.store(db)
                    var context = WriteContext(db: db, now: SiteClock.system.now(), head: Journal.Head())
                    try context.journal(
                        JournalEntry(action: .siteCreated, actor: "local owner", time: context.now, detail: name))
                    return try Restore.record(db)
                }
                try GenerationFile(path: folder.generation).reset(to: record)
                try store.pool.close()
            }
        }
    }

    /// Opens a datasite.
    ///
    /// - Throws: a `Problem`: `forbidden` if the folder is open to others, `site-unavailable` if it cannot be used.
    public convenience init(path: String) throws {
        try self.init(path: path, configuration: Configuration())
    }

    init(path: String, configuration: Configuration) throws {
        let folder = SiteFolder(path: URL(filePath: path).standardizedFileURL.path)
        do {
            try folder.check()
            let store = try SiteStore(path: folder.database, maximumPages: configuration.maximumPages)
            let generationFile = GenerationFile(path: folder.generation)
            // The file first: commits of other processes in between make the database newer than it, never older.
            let remembered = try generationFile.read()
            let record = try store.pool.read { try Restore.record($0) }
            isRestored = Mutex(Restore.isSuspected(record, file: remembered))
            name = try store.pool.read { try Meta.text($0, "name") } ?? ""
            commit = GroupCommit(
                store: store, generationFile: generationFile, clock: configuration.clock, generation: record.generation,
                beforeCommit: configuration.beforeDisk)
            limits = try Self.limits(store)
            cache = try CatalogueCache(path: folder.database, file: store.file)
            try store.file.check()
            signingKey = try folder.readSigningKey()
            isContradicted = Mutex(LogFolder(path: folder.log).isContradicted)
            self.store = store
        } catch { throw Problem.storage(error) }
        self.folder = folder
        preparing = Preparations(folder: folder.prepared)
        clock = configuration.clock
        slot = configuration.slot
        engineTable = configuration.engines
        beforeDisk = configuration.beforeDisk
        engines = EngineThreads(threads: configuration.threads, queueLimit: configuration.queueLimit, givesWay: true)
        planners = EngineThreads(threads: max(2, configuration.threads), queueLimit: configuration.queueLimit)
        mocks = EngineThreads(
            threads: configuration.threads / 2, queueLimit: min(configuration.queueLimit, MockLimits.queue),
            givesWay: true, words: "the threads for mock answers are")
        storage = StorageAllowance(
            bytesPerDay: configuration.storageBytesPerDay, refusalsPerDay: configuration.refusalsPerDay)
        scans = ScanSchedule(threads: configuration.threads)
        long = WorkPlace(
            threads: EngineThreads(
                threads: 1, queueLimit: LongWork.queue, givesWay: true, niceness: LongWork.niceness,
                words: "the thread for long work is"),
            schedule: ScanSchedule(threads: 1))
        rounds = WorkPlace(
            threads: EngineThreads(
                threads: LongWork.rounds, queueLimit: LongWork.queue, givesWay: true, niceness: LongWork.niceness,
                words: "the threads for rounds are"),
            schedule: ScanSchedule(threads: LongWork.rounds))
    }

    /// A site that an earlier version made was not measured yet.
    private static func limits(_ store: SiteStore) throws -> ScanLimits {
        if let limits = try store.pool.read(ScanLimits.read) { return limits }
        let measured = ScanLimits.measured()
        try store.pool.write(measured.store)
        return measured
    }

    /// The site's name and the key that signs its receipts: public.
    public var description: SiteDescription {
        SiteDescription(name: name, publicKey: signingKey.publicKey.rawRepresentation.base64EncodedString())
    }

    /// Takes the lock that one server a datasite holds, until it is released or the process ends. Clears away what
    /// additions that were cut short left behind.
    ///
    /// - Throws: the problem `conflict` if another process serves.
    public func acquireServerLock() throws -> ServerLock {
        let lock = try serverLock()
        isServing.withLock { $0 = true }
        try reportingProblems { try removeAbandonedVersions() }
        removeRemains()
        // One server a site, which alone is dealt to.
        preparing.shelf.removeRemains()
        // Tables are opened before anybody asks: how long that takes depends on their rows.
        for entry in try catalogue().datasets.values where !entry.isLookup { _ = try? table(entry) }
        return lock
    }

    /// A process that this one just started holds what it inherited until it runs its own program: a lock that was let go may be held for a moment.
    private func serverLock() throws -> ServerLock {
        for _ in 0..<20 {
            do { return try ServerLock(path: folder.serverLock) } catch let problem as Problem
                where problem.kind == .conflict
            {
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
        return try ServerLock(path: folder.serverLock)
    }

    /// Whether another process serves the site.
    var isServedElsewhere: Bool {
        !isServing.withLock { $0 } && (try? ServerLock(path: folder.serverLock)) == nil
    }

    /// What the owner's metrics count, as of now.
    public func statistics() -> Statistics {
        let (admitted, running) = (engines.admitted, engines.running)
        return Statistics(
            released: releases.load(ordering: .relaxed), refused: refusals.load(ordering: .relaxed),
            busy: engines.refusals + mocks.refusals, missedSlots: missedSlots.load(ordering: .relaxed),
            slotWaits: .nanoseconds(slotWaits.load(ordering: .relaxed)),
            queued: max(0, admitted - running), running: running, transactions: commit.transactions,
            droppedNotices: notifyHook.withLock { $0?.dropped ?? 0 })
    }

    /// Why no question is answered, previewed or decided on, and no table added, until the owner acts: a restore is
    /// suspected, others hold more of the log than the site does, or the database was removed or replaced while this process had it open. nil while all is well. The catalogue, mock answers and what was released stay to be read.
    public var suspension: Problem? {
        do { try store.file.check() } catch { return error as? Problem }
        if isRestored.withLock({ $0 }) { return Restore.problem }
        // Another process of the owner's may have found it.
        let isNew = !isContradicted.withLock { $0 } && LogFolder(path: folder.log).isContradicted
        if isNew { isContradicted.withLock { $0 = true } }
        return isContradicted.withLock { $0 } ? Restore.contradicted : nil
    }

    /// Refuses everything that could spend or release while ``suspension`` says why.
    func requireSound() throws {
        if let suspension { throw suspension }
    }

    func catalogue() throws -> Catalogue {
        let catalogue = try reportingProblems { try cache.current() }
        return catalogue
    }

    func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        beforeDisk()
        return try reportingProblems { try store.pool.read(body) }
    }

    /// Runs what reads the database or waits for it on the planners' threads: a caller on a thread of Swift's tasks, which
    /// are few and serve every request, must not wait for a disk.
    ///
    /// - Parameter user: For whom, where it may take long.
    public func reading<Result: Sendable>(
        for user: String? = nil, _ body: @escaping @Sendable (Datasite) throws -> Result
    ) async throws -> Result {
        try await planners.run(for: user) { try body(self) }
    }

    func write<Result: Sendable>(_ body: @escaping @Sendable (inout WriteContext) throws -> Result) throws -> Result {
        try reportingProblems { try commit.performAndWait(body) }
    }
}

/// Counts for the owner's metrics: never shown to a researcher.
public struct Statistics: Sendable {
    /// Answers that were released.
    public var released: Int64
    /// Requests that policy or ledger refused.
    public var refused: Int64
    /// Requests that found all engines and the queue taken.
    public var busy: Int64
    /// Answers whose computation outlived its first time slot.
    public var missedSlots: Int64
    /// How long finished answers waited, together, for their time slots to end: what a request took beside that is the
    /// datasite's own work.
    public var slotWaits: Duration
    /// Requests that wait: for an engine, a commit or their time slot.
    public var queued: Int
    /// Scans that run.
    public var running: Int
    /// Transactions that the writer committed; fewer than changes where they were grouped.
    public var transactions: Int64
    /// Requests that wait, and for which the notify hook was never started.
    public var droppedNotices: Int
}
