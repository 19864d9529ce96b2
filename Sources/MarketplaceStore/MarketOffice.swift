internal import Foundation
public import Marketplace
internal import Synchronization
internal import TransparencyLog

/// A market that is open to many: whatever they ask goes through one queue, the operator's clock runs, and what is due by it is done.
///
/// The clock's entry comes before the first of others in a new second, so that a market in which nothing happens has no entries. What ends by time (``Market/due(at:checkpoint:)``) is asked for by the operator: ``tick()``
/// once a second is enough.
///
/// **Threat model.** Whoever connects may send anything, as often as she likes. Entries that are nobody's are not kept. Registered parties' entries are kept for ever, refused ones
/// too: each party has so many at once and so many an hour (``Pace``). Names that anybody may register are bounded in the same way, all strangers together.
public final class MarketOffice: Sendable {
    /// How much may be asked for.
    public struct Pace: Sendable {
        /// At once, and an hour.
        public var burst: Double, hourly: Double

        /// The pace.
        public init(burst: Double, hourly: Double) { (self.burst, self.hourly) = (burst, hourly) }
    }

    /// Why nothing was asked of the market.
    public enum Refusal: Error, Sendable, Hashable {
        /// Ask again in so many seconds.
        case tooMany(seconds: Int)
        /// The operator registers parties itself.
        case registersNobody
        /// The request is not signed under the key that it names, or for another market.
        case registration
        /// The name has another key.
        case nameIsTaken(PartyName)
    }

    /// What the market was made with.
    public let description: MarketDescription
    /// Where its folder is.
    public let path: String
    private let commits: GroupCommit<Desk>
    private let pace: Pace, newcomers: Pace?
    private let spent = Spending()
    private let sizes: Gauge
    private let now: @Sendable () -> Int64

    /// Opens a market.
    ///
    /// - Parameters:
    ///   - pace: Of each party; the operator's own entries are not counted.
    ///   - newcomers: Of strangers who register themselves, all together; nil: the operator registers.
    ///   - now: The operator's clock, in seconds since 1970; nil: the system's.
    public init(
        _ folder: sending MarketFolder, pace: Pace = Pace(burst: 500, hourly: 1_000), newcomers: Pace? = nil,
        now: (@Sendable () -> Int64)? = nil
    ) {
        let now = now ?? { Int64(Date().timeIntervalSince1970) }
        (self.pace, self.newcomers, self.now) = (pace, newcomers, now)
        (description, path) = (folder.description, folder.path)
        sizes = Gauge(folder.count)
        commits = GroupCommit(Desk(folder: folder, sizes: sizes, now: now))
    }

    /// What is asked of the desk.
    private enum Errand: Sendable {
        case entry(SignedEntry)
        case register(PartyName, PartyKey)
        case tick
        case cosign(NoteSignature, TreeHead)
        case compare(SignedCheckpoint)
    }

    /// How many entries there are, for whoever does not wait for a batch to be stored.
    private final class Gauge: Sendable {
        private let count: Mutex<Int>

        init(_ count: Int) { self.count = Mutex(count) }

        var value: Int {
            get { count.withLock { $0 } }
            set { count.withLock { $0 = newValue } }
        }
    }

    /// What an errand came to, and whether anything was stored for it.
    private struct Outcome: Sendable {
        let answer: MarketAnswer
        let isNew: Bool
    }

    /// Where an errand's answer is.
    private enum Place {
        case answer(MarketAnswer)
        case entry(Int)
    }

    /// The folder with the operator's clock.
    private final class Desk: EntryStore {
        private let folder: MarketFolder
        private let sizes: Gauge
        private let now: @Sendable () -> Int64
        /// Why nothing is taken any more.
        private var suspension: String?

        init(folder: MarketFolder, sizes: Gauge, now: @escaping @Sendable () -> Int64) {
            (self.folder, self.sizes, self.now) = (folder, sizes, now)
        }

        func apply(_ errands: [Errand]) throws(MarketFolderError) -> [Outcome] {
            defer { sizes.value = folder.count }
            for errand in errands {
                switch errand {
                case .cosign(let line, let head): try folder.add(line, to: head)
                case .compare(let seen): if suspension == nil { suspension = try folder.contradiction(of: seen) }
                case .entry, .register, .tick: break
                }
            }
            if let suspension { throw .contradiction(suspension) }
            // What is known or nobody's is answered: it moves no clock, stores nothing, and is none of the party's pace.
            let time = max(now(), folder.market.time)
            var entries: [SignedEntry] = []
            var places: [Place] = []
            for errand in errands {
                switch errand {
                case .tick, .cosign, .compare: places.append(.answer(.done(.none)))
                case .entry(let entry):
                    guard folder.market.answer(to: entry.key) == nil else {
                        places.append(.answer(try folder.apply([entry])[0]))
                        continue
                    }
                    switch folder.market.admission(of: entry) {
                    case .admitted:
                        places.append(.entry(entries.count))
                        entries.append(entry)
                    case .refused(let answer, _): places.append(.answer(answer))
                    }
                case .register(let party, let key):
                    guard folder.market.keys[party] != key else {
                        places.append(.answer(.done(.none)))
                        continue
                    }
                    places.append(.entry(entries.count))
                    entries.append(try folder.signed(.register(party, key: key), at: time))
                }
            }
            var answers: [MarketAnswer] = []
            if !entries.isEmpty {
                let clock = time > folder.market.time ? [try folder.signed(.clock, at: time)] : []
                answers = Array(try folder.apply(clock + entries).dropFirst(clock.count))
            }
            // These are durable, and are told: what is due is done at the next tick where it fails now.
            do throws(MarketFolderError) { try doWhatIsDue() } catch { if entries.isEmpty { throw error } }
            return places.map { place in
                switch place {
                case .answer(let answer): Outcome(answer: answer, isNew: false)
                case .entry(let number): Outcome(answer: answers[number], isNew: true)
                }
            }
        }

        /// One thing follows another: a declaration, its checkpoint, its challenge.
        private func doWhatIsDue() throws(MarketFolderError) {
            for _ in 0..<8 {
                let time = max(now(), folder.market.time)
                let due = folder.market.due(at: time, checkpoint: .sha256(folder.checkpoint))
                guard !due.isEmpty else { return }
                var entries: [SignedEntry] = []
                for action in due {
                    if case .task(let task, .checkpoint) = action { try folder.keepDraw(for: task) }
                    entries.append(try folder.signed(action, at: time))
                }
                _ = try folder.apply(entries)
            }
        }
    }

    /// Stores and applies an entry.
    ///
    /// - Returns: Its answer, which is durable, and how many entries the market has.
    /// - Throws: ``Refusal``; ``MarketFolderError``.
    public func submit(_ entry: SignedEntry) async throws -> (answer: MarketAnswer, size: Int) {
        let (party, isOperator) = (entry.request.by, entry.request.by == description.operatorName)
        // A kibibyte is an entry: all are kept.
        let cost = Double(max(1, entry.journalBytes.count >> 10))
        if !isOperator, let seconds = spent.wait(of: party.text, cost, pace, at: now()) {
            throw Refusal.tooMany(seconds: seconds)
        }
        let outcome = try await commits.submit(.entry(entry))
        // What others send in a party's name is not hers.
        if outcome.isNew, !isOperator, outcome.answer.isKept { spent.spend(of: party.text, cost, pace, at: now()) }
        return (outcome.answer, size)
    }

    /// Registers a party that nobody knows, under a key that it shows to have.
    ///
    /// - Throws: ``Refusal``; ``MarketFolderError``.
    public func register(_ registration: Registration) async throws {
        guard let newcomers else { throw Refusal.registersNobody }
        guard registration.market == description.market, registration.isSigned else { throw Refusal.registration }
        guard registration.party != description.operatorName else { throw Refusal.nameIsTaken(registration.party) }
        if let seconds = spent.wait(of: "", 1, newcomers, at: now()) {
            throw Refusal.tooMany(seconds: seconds)
        }
        let outcome = try await commits.submit(.register(registration.party, registration.key))
        if outcome.isNew { spent.spend(of: "", 1, newcomers, at: now()) }
        guard case .done = outcome.answer else { throw Refusal.nameIsTaken(registration.party) }
    }

    /// Does what is due by the clock.
    ///
    /// - Throws: ``MarketFolderError``: it is tried again the next time.
    public func tick() async throws { _ = try await commits.submit(.tick) }

    /// Adds a witness's cosignature, if the checkpoint is still over that tree.
    func add(_ line: NoteSignature, to head: TreeHead) async throws {
        _ = try await commits.submit(.cosign(line, head))
    }

    /// Looks whether the log leads to a checkpoint that somebody has of it; where the operator signed it, and it does not, nothing is taken any more.
    func compare(_ bytes: [UInt8]) async throws {
        guard let seen = try? SealedFolder.checkpoint(bytes, log: description.log) else { return }
        _ = try await commits.submit(.compare(seen))
    }

    /// How many entries the market has.
    public var size: Int { sizes.value }
}

extension MarketAnswer {
    /// Whether the entry stands in the log.
    fileprivate var isKept: Bool {
        switch self {
        case .done, .refused: true
        case .keyIsTaken, .notAdmitted, .clockWentBack: false
        }
    }
}
