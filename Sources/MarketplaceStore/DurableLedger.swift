public import Marketplace

/// A market or book whose entries are durable before they are applied, and so before anything is answered.
///
/// After a crash the same state follows from the log: answered entries are all there, in their order. An entry that was being stored may be there too, though nobody was
/// answered: who asks again with the same key is answered then, and nothing is done twice.
public final class DurableLedger<State: Journaled> {
    /// What the durable entries come to.
    public private(set) var state: State
    /// Where the log ends.
    public private(set) var position: LogPosition
    /// Whether a crash had left something at the end that was cut.
    public let wasTorn: Bool
    private let disk: any Disk
    private let stored: ([[UInt8]]) -> Void
    private var byteCount: Int
    private var failure: DiskError?

    /// Reads the log, or begins one, and cuts what a crash left at its end.
    ///
    /// - Parameters:
    ///   - disk: Where the log is.
    ///   - state: The state without entries.
    ///   - noted: A position that was noted elsewhere, through which the log must go.
    ///   - verified: How far its entries were found to be admitted before: where the log goes through that position, these are the same entries, and are not verified again.
    ///   - stored: Is given the bytes of all entries that are durable, in their order: those that are read, and those that are stored from now on.
    /// - Throws: ``StoreError``. A log that is not read is left as it is.
    public init(
        _ disk: any Disk, from state: State, through noted: LogPosition? = nil, verified: LogPosition? = nil,
        stored: @escaping ([[UInt8]]) -> Void = { _ in }
    ) throws(StoreError) {
        var state = state
        let beginning = LogPosition(count: 0, digest: state.beginning)
        var isNoted = noted == nil || noted == beginning
        let bytes: [UInt8]
        do throws(DiskError) { bytes = try disk.read() } catch { throw .disk(error) }
        let contents: EntryLog.Contents
        do throws(EntryLogError) {
            let known = try EntryLog.count(of: bytes, beginning: beginning.digest, through: verified)
            contents = try EntryLog.read(bytes, beginning: beginning.digest) { bytes, position throws(EntryLogError) in
                let entry = try Self.entry(bytes, position)
                _ = state.take(
                    try Self.admitted(
                        entry, record: position.count - 1, isKnown: position.count <= known, in: state))
                stored([[UInt8](bytes)])
                isNoted = isNoted || position == noted
            }
        } catch { throw .log(error) }
        if let noted, !isNoted { throw .log(.position(expected: noted, count: contents.end.count)) }
        self.state = state
        self.disk = disk
        self.stored = stored
        position = contents.end
        byteCount = contents.byteCount
        wasTorn = contents.isTorn
        do throws(DiskError) {
            if wasTorn { try disk.cut(to: byteCount) }
            if byteCount == 0 {
                try disk.write(beginning.digest.bytes)
                byteCount = EntryLog.prefixCount
            }
            // Also of what was found: a process that was killed may have written it without making it durable, and it is answered from now on.
            try disk.synchronize()
        } catch { throw .disk(error) }
    }

    /// An entry of the log, if it is one that was stored: signed where it must be, and new.
    static func admitted(
        _ entry: State.Entry, record: Int, isKnown: Bool = false, in state: State
    ) throws(EntryLogError) -> State.Admitted {
        let time = entry.journalTime ?? state.time
        guard time >= state.time, time <= State.latestTime, state.answer(to: entry.key) == nil else {
            throw .foreign(record: record, reason: "a repeated entry, or a time that goes back: expected a new entry")
        }
        switch isKnown ? state.admission(ofKnown: entry) : state.admission(of: entry) {
        case .admitted(let admitted): return admitted
        case .refused(_, let reason): throw .foreign(record: record, reason: reason)
        }
    }

    static func entry(
        _ bytes: ArraySlice<UInt8>, _ position: LogPosition
    ) throws(EntryLogError) -> State.Entry {
        do throws(MalformedEntry) { return try State.Entry(journalBytes: [UInt8](bytes)) } catch {
            throw .entry(record: position.count - 1, error)
        }
    }

    /// Stores the entries that the state does not know yet, then applies all in their order: with one synchronisation, and one more behind each entry that can change whose entries may be
    /// stored, so that each is looked at in the state in which it is read again.
    ///
    /// - Returns: An answer to each.
    /// - Throws: ``StoreError``: no entry has an answer then, and of what was stored each has the same one when it is asked again. Where the disk could not say what is durable,
    ///   or could not be cut, all that follows is refused too, until the log is opened again.
    public func apply(_ entries: [State.Entry]) throws(StoreError) -> [State.Answer] {
        var (answers, batch) = ([State.Answer](), [State.Entry]())
        for entry in entries {
            batch.append(entry)
            guard entry.changesAdmission else { continue }
            answers += try applyBatch(batch)
            batch = []
        }
        return try answers + applyBatch(batch)
    }

    private func applyBatch(_ entries: [State.Entry]) throws(StoreError) -> [State.Answer] {
        if let failure { throw .stopped(failure) }
        let admissions = entries.map { state.admission(of: $0) }
        let admitted = zip(entries, admissions).compactMap { entry, admission in
            if case .admitted = admission { entry } else { nil }
        }
        let fresh = unknown(admitted).map(\.journalBytes)
        if let longest = fresh.map(\.count).max(), longest > EntryLog.longestEntry { throw .tooLong(longest) }
        if !fresh.isEmpty { try store(fresh) }
        return admissions.map { admission in
            switch admission {
            case .admitted(let entry): state.take(entry)
            case .refused(let answer, _): answer
            }
        }
    }

    /// Stores entries that were verified, and came to a state, beside this ledger: in a copy of its state.
    ///
    /// - Throws: ``StoreError``: nothing was stored then, and the state is what it was.
    func adopt(_ entries: [[UInt8]], as state: State) throws(StoreError) {
        if let failure { throw .stopped(failure) }
        if !entries.isEmpty { try store(entries) }
        self.state = state
    }

    /// The state's fingerprint, parts of which are kept for the next one.
    func fingerprint() -> Digest256 {
        state.rememberFingerprint()
        return state.fingerprint
    }

    /// The entries that change the state: the first ones of their keys, at times that do not go back.
    private func unknown(_ entries: [State.Entry]) -> [State.Entry] {
        var time = state.time
        var keys: Set<Digest256> = []
        return entries.filter { entry in
            let at = entry.journalTime ?? time
            guard at >= time, at <= State.latestTime, !keys.contains(entry.key),
                state.answer(to: entry.key) == nil
            else { return false }
            time = at
            keys.insert(entry.key)
            return true
        }
    }

    private func store(_ entries: [[UInt8]]) throws(StoreError) {
        let (bytes, end) = EntryLog.batch(entries, after: position)
        do throws(DiskError) { try disk.write(bytes) } catch {
            // What is cut away was never durable.
            do throws(DiskError) { try disk.cut(to: byteCount) } catch { failure = error }
            throw .disk(error)
        }
        do throws(DiskError) { try disk.synchronize() } catch {
            // A kernel may forget pages that it could not write, and say so once only (Rebello et al., "Can applications recover from fsync failures?", 2020).
            failure = error
            throw .disk(error)
        }
        byteCount += bytes.count
        position = end
        stored(entries)
    }
}

/// Why a log cannot be opened, or entries not be stored.
public enum StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The disk, a full one say.
    case disk(DiskError)
    /// What the log holds.
    case log(EntryLogError)
    /// An entry has too many bytes.
    case tooLong(Int)
    /// The disk failed before, in a way after which it is not known what is durable.
    case stopped(DiskError)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .disk(let error): error.description
        case .log(let error): error.description
        case .tooLong(let count): "an entry of \(count) bytes: expected at most \(EntryLog.longestEntry)"
        case .stopped(let error): "\(error): the log takes entries again when it has been opened anew"
        }
    }
}
