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
    private var byteCount: Int
    private var failure: DiskError?

    /// Reads the log, or begins one, and cuts what a crash left at its end.
    ///
    /// - Parameters:
    ///   - disk: Where the log is.
    ///   - state: The state without entries.
    ///   - noted: A position that was noted elsewhere, through which the log must go.
    /// - Throws: ``StoreError``. A log that is not read is left as it is.
    public init(_ disk: any Disk, from state: State, through noted: LogPosition? = nil) throws(StoreError) {
        var state = state
        let beginning = LogPosition(count: 0, digest: state.beginning)
        var isNoted = noted == nil || noted == beginning
        let bytes: [UInt8]
        do throws(DiskError) { bytes = try disk.read() } catch { throw .disk(error) }
        let contents: EntryLog.Contents
        do throws(EntryLogError) {
            contents = try EntryLog.read(bytes, beginning: beginning.digest) { bytes, position throws(EntryLogError) in
                _ = state.take(try Self.entry(bytes, position))
                isNoted = isNoted || position == noted
            }
        } catch { throw .log(error) }
        if let noted, !isNoted { throw .log(.position(expected: noted, count: contents.end.count)) }
        self.state = state
        self.disk = disk
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

    private static func entry(
        _ bytes: ArraySlice<UInt8>, _ position: LogPosition
    ) throws(EntryLogError) -> State.Entry {
        do throws(MalformedEntry) { return try State.Entry(journalBytes: [UInt8](bytes)) } catch {
            throw .entry(record: position.count - 1, error)
        }
    }

    /// Stores the entries that the state does not know yet with one synchronisation, then applies all in their order.
    ///
    /// - Returns: An answer to each.
    /// - Throws: ``StoreError``: nothing was stored then, nothing applied, and no entry has an answer. Where the disk could not say what is durable, or could not be cut, all
    ///   that follows is refused too, until the log is opened again.
    public func apply(_ entries: [State.Entry]) throws(StoreError) -> [State.Answer] {
        if let failure { throw .stopped(failure) }
        let fresh = unknown(entries).map(\.journalBytes)
        if let longest = fresh.map(\.count).max(), longest > EntryLog.longestEntry { throw .tooLong(longest) }
        if !fresh.isEmpty { try store(fresh) }
        return entries.map { state.take($0) }
    }

    /// The entries that change the state: the first ones of their keys, at times that do not go back.
    private func unknown(_ entries: [State.Entry]) -> [State.Entry] {
        var time = state.time
        var keys: Set<Digest256> = []
        return entries.filter { entry in
            guard entry.time >= time, entry.time <= State.latestTime, !keys.contains(entry.key),
                state.answer(to: entry.key) == nil
            else { return false }
            time = entry.time
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
