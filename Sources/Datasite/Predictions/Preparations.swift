import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Secrets
import Synchronization

/// What this site is dealt ahead of time, for predictions that researchers will ask for: on its disk until it serves, once.
///
/// **What a researcher can make it cost.** Nothing is charged for it, so that she may have ``mostEach`` at a time, a quarter of the disk's room, as many rows as she has uses left, and so many a day that no charged request
/// was served by, those that were opened among them; all together take half of the room at most. They are dealt on two threads that give way, of which no one has both. The day's count is in memory: it is forgotten when the server starts anew.
final class Preparations: Sendable {
    /// Of one researcher at a time.
    static let mostEach = 16
    /// Of one researcher in a day, beyond those that served.
    static let mostUnusedEachDay = 64

    /// What is begun and not on the shelf.
    private struct UnderWay {
        let name: String
        let dealer: Data
        var preparation: Preparation
        /// When a failed one is forgotten.
        var forgotten: Int64?
    }

    /// What the dealer opened to this site, until whoever asked shows what was opened to her.
    struct Opened {
        let name: String
        let first: Data
        let dealer: ServedPrediction.Dealer
        let seeds: [UInt8]
        let forgotten: Int64
    }

    private struct State {
        var underWay: [Data: UnderWay] = [:]
        var opened: [Data: Opened] = [:]
        var day: Int64 = 0
        /// Begun today and served no charged request, by researcher.
        var unused: [String: Int] = [:]
    }

    let shelf: PreparationShelf
    let threads = EngineThreads(
        threads: 2, queueLimit: 62, givesWay: true, niceness: LongWork.niceness,
        words: "the threads that take what a dealer gives are")
    private let state = Mutex(State())

    init(folder: String) { shelf = PreparationShelf(path: folder) }

    /// A researcher's, in the order of their ends.
    func list(of name: String, now: Int64) -> [Preparation] {
        shelf.sweep(now: UInt64(clamping: now))
        return state.withLock { state in
            // It is on the shelf before it is no longer under way: read now, it is in one of both.
            let ready = shelf.all().filter { $0.other == name }.map(\.ready)
            state.underWay = state.underWay.filter { $0.value.forgotten.map { $0 > now } ?? true }
            let there = Set(ready.map(\.session))
            return ready
                + state.underWay.values.filter { $0.name == name && !there.contains($0.preparation.session) }
                .map(\.preparation).sorted { $0.session < $1.session }
        }
    }

    /// How many there are of a version of a model's weights, and what they take of the disk.
    func held(version: String) -> (count: Int, bytes: Int) {
        let held = shelf.all().filter { $0.version == version }
        return (held.count, held.reduce(0) { $0 + $1.bytes })
    }

    /// Counts one that is to be begun, under a name that nobody knows yet.
    ///
    /// - Parameters:
    ///   - preparation: What it will be.
    ///   - usesLeft: How many predictions she may still ask for; nil: it is for a request that was charged already.
    ///   - dealer: The key of whoever will deal.
    /// - Throws: A `Problem`: there is no room for it.
    func reserve(
        _ preparation: Preparation, of name: String, dealer: Data, usesLeft: Int64?, now: Int64
    ) throws -> Data {
        shelf.sweep(now: UInt64(clamping: now))
        let free = Self.freeBytes(near: shelf.path)
        let reserved = Data(SecureRandom.bytes(16))
        try state.withLock { state in
            state.underWay = state.underWay.filter { $0.value.forgotten.map { $0 > now } ?? true }
            let kept = shelf.all()
            if state.day != now / 86_400 { (state.day, state.unused) = (now / 86_400, [:]) }
            let known = Set(kept.map { hexadecimal($0.session) })
            let pending = state.underWay.values.filter {
                $0.forgotten == nil && !known.contains($0.preparation.session)
            }
            let own =
                kept.filter { $0.other == name }.map(\.ready)
                + pending.filter { $0.name == name }.map(\.preparation)
            // What was charged for is bounded by that.
            guard own.count < Self.mostEach || usesLeft == nil else {
                throw Problem.conflict(
                    "you have \(Self.mostEach) prepared predictions at this site, as many as one may have",
                    hint: "use them, or give them up: parley prepare --discard")
            }
            guard state.unused[name, default: 0] < Self.mostUnusedEachDay || usesLeft == nil else {
                throw Problem(
                    .tooManyQuestions,
                    "\(Self.mostUnusedEachDay) sessions that were prepared for you today served no request, as many as one's may",
                    hint:
                        "what serves a request is not counted, what is given up or opened is: use what is prepared, or come again tomorrow (UTC)"
                )
            }
            let rows = own.reduce(preparation.rows) { $0 + $1.rows }
            guard Int64(rows) <= usesLeft ?? .max else {
                throw Problem.notAllowed(
                    "\(rows) predictions would be prepared for you, and the owner's policy leaves you \(usesLeft ?? 0)",
                    hint: own.isEmpty
                        ? "ask for fewer"
                        : "\(rows - preparation.rows) are: use them, or give them up: parley prepare --discard")
            }
            let bytes = own.reduce(preparation.wholeBytes) { $0 + $1.wholeBytes }
            let held = kept.reduce(0) { $0 + $1.bytes }
            let all = held + pending.reduce(preparation.wholeBytes) { $0 + $1.preparation.wholeBytes }
            let room = free + held
            guard bytes <= room / 4, all <= room / 2 else {
                throw Problem.conflict(
                    "the site's disk has no room for \(preparation.wholeBytes >> 20) MiB more of what is prepared",
                    hint: "fewer rows at a time, or ask when others have used theirs")
            }
            state.unused[name, default: 0] += 1
            state.underWay[reserved] = UnderWay(name: name, dealer: dealer, preparation: preparation)
        }
        return reserved
    }

    /// Its dealer named it.
    func name(_ reserved: Data, _ session: Data) -> Preparation? {
        state.withLock { state in
            guard var one = state.underWay.removeValue(forKey: reserved) else { return nil }
            one.preparation.session = hexadecimal(session)
            state.underWay[session] = one
            return one.preparation
        }
    }

    /// So many bytes are here.
    ///
    /// - Returns: Whether it is still wanted.
    func note(_ session: Data, bytes: Int) -> Bool {
        state.withLock { state in
            state.underWay[session]?.preparation.bytes = bytes
            return state.underWay[session] != nil
        }
    }

    /// It was not begun, by no fault of hers.
    func forget(_ reserved: Data) {
        state.withLock { state in
            if let one = state.underWay.removeValue(forKey: reserved) { Self.uncount(one.name, &state) }
        }
    }

    /// Puts it on the shelf, if it is still wanted.
    ///
    /// - Throws: That it cannot be written.
    func keep(_ record: PreparedSession, _ steps: SpooledSteps) throws {
        try shelf.keep(record, steps)
        let isWanted = state.withLock { $0.underWay.removeValue(forKey: record.session) != nil }
        // It was given up since.
        if !isWanted { shelf.remove(record.session) }
    }

    /// Nothing comes of it, for this reason, which is told for a while.
    ///
    /// - Parameter isHers: Whether she may have made it so: it is counted.
    func fail(_ session: Data, _ words: String, isHers: Bool, now: Int64) {
        shelf.abandon(session)
        state.withLock { state in
            guard let one = state.underWay[session] else { return }
            if !isHers { Self.uncount(one.name, &state) }
            state.underWay[session]?.preparation.state = .failed
            state.underWay[session]?.preparation.detail = words
            state.underWay[session]?.forgotten = now + 600
        }
    }

    private static func uncount(_ name: String, _ state: inout State) {
        if let count = state.unused[name], count > 0 { state.unused[name] = count - 1 }
    }

    /// The dealer opened a session that was taken.
    func note(_ opened: Opened, of session: Data, now: Int64) {
        state.withLock { state in
            state.opened = state.opened.filter { $0.value.forgotten > now }
            state.opened[session] = opened
        }
    }

    /// What was opened to this site of a researcher's session.
    func opened(_ session: Data, of name: String, now: Int64) -> Opened? {
        state.withLock { state in
            state.opened = state.opened.filter { $0.value.forgotten > now }
            return state.opened[session].flatMap { $0.name == name ? $0 : nil }
        }
    }

    /// Takes a researcher's, which serves once: nothing of it is on the disk any more.
    ///
    /// - Parameters:
    ///   - isCharged: Whether it serves a request that was charged, and so is no more counted as unused.
    ///   - fits: Whether it is what she asks for.
    /// - Throws: A `Problem`: it is not there, not hers, over, or does not fit.
    func take(
        _ session: Data, of name: String, isCharged: Bool, now: Int64, fits: (PreparedSession) -> Bool = { _ in true }
    ) throws -> (PreparedSession, SpooledSteps) {
        let absent = Problem.absent(
            "no prepared prediction of yours has that name here", hint: "prepare another: this one served, or ended")
        guard let known = shelf.all().first(where: { $0.session == session && $0.other == name }),
            known.expires > UInt64(clamping: now)
        else { throw absent }
        guard fits(known) else {
            throw Problem.invalidRequest("what was prepared is for another key, version or number of rows")
        }
        do {
            guard let taken = try shelf.take(session) else { throw absent }
            if isCharged { state.withLock { Self.uncount(name, &$0) } }
            return taken
        } catch let problem as Problem { throw problem } catch {
            // Damaged: it is gone, and another may be prepared.
            throw absent
        }
    }

    /// Gives up a researcher's.
    ///
    /// - Returns: What it was; nil: there was none.
    func cancel(_ session: Data, of name: String) -> Preparation? {
        let wasUnderWay = state.withLock { state -> Preparation? in
            guard state.underWay[session]?.name == name else { return nil }
            return state.underWay.removeValue(forKey: session)?.preparation
        }
        guard let kept = shelf.all().first(where: { $0.session == session && $0.other == name }) else {
            return wasUnderWay
        }
        shelf.remove(session)
        return kept.ready
    }

    /// Gives up all that belong to a version of a model's weights, what is being dealt among them.
    func removeAll(version: String) {
        removeAll(underWay: { $0.preparation.version == version }, kept: { $0.version == version })
    }

    /// Gives up all that a dealer dealt, or deals.
    func removeAll(dealer: Data) { removeAll(underWay: { $0.dealer == dealer }, kept: { $0.dealer == dealer }) }

    private func removeAll(underWay: (UnderWay) -> Bool, kept: (PreparedSession) -> Bool) {
        state.withLock { state in
            for (session, one) in state.underWay where underWay(one) {
                state.underWay[session] = nil
                Self.uncount(one.name, &state)
            }
        }
        for one in shelf.all() where kept(one) {
            shelf.remove(one.session)
            state.withLock { Self.uncount(one.other, &$0) }
        }
    }

    private static func freeBytes(near path: String) -> Int {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        return (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? 0
    }
}

extension PreparedSession {
    /// As whoever may ask for it sees it.
    var ready: Preparation {
        Preparation(
            session: hexadecimal(session), dataset: dataset, version: version, rows: rows, state: .ready, bytes: bytes,
            wholeBytes: bytes, expires: Timestamp.text(Int64(clamping: expires)))
    }
}
