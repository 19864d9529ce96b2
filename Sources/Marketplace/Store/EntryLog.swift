/// How far a log goes: what is noted elsewhere (in the transparency log, say) to know later that a log has that beginning.
public struct LogPosition: Sendable, Hashable, Codable {
    /// How many records there are.
    public let count: Int
    /// The last record's digest, which is over the one before and so over all; of an empty log its state's ``Journaled/beginning``.
    public let digest: Digest256

    /// The position.
    public init(count: Int, digest: Digest256) {
        self.count = count
        self.digest = digest
    }
}

/// The form of a log of entries, and what of it is whole. Bytes in, records out: files are ``MarketplaceStore``'s.
///
/// A log begins with the 32 bytes of its state's ``Journaled/beginning``. A record is
///
///     4  length of the entry
///     8  its number, from 0
///     8  the number of the first record that was made durable together with it
///     32 the digest of the record before
///     .. the entry
///     8  the first bytes of the record's own digest, SHA-256 over all of the above
///
/// with little-endian numbers. The digest makes it a chain: who knows the last one knows that nothing before it was changed. Each record is checked by itself, so that one
/// behind a damage is still known to be a record.
///
/// **What is cut, and what is refused.** Records of one batch are answered when all of it is durable. Where a record is not whole, and
/// - no whole one follows: it is what a crash left of the last batch, which nobody was answered. It is cut.
/// - a whole one of a later batch follows: the damaged one was durable when that was written, and was answered. The log is refused.
/// - whole ones of the same batch follow: a file system that wrote the batch's pages out of order left a hole, which reads as zeros up to the end of a sector. With such a hole it
///   is cut, without one refused.
///
/// Damage that leaves nothing whole behind it cannot be told from a crash by the file alone: a ``LogPosition`` that was noted elsewhere tells it.
///
/// **Threat model.** Crashes, torn and misordered writes, and media that damage bytes. Who can write the file can write another one with right digests: against this, too, a
/// noted position. A party's texts cannot look like a record but by holding one whole, with its digest: then a torn tail is refused, and no answered record is lost.
public enum EntryLog {
    /// Bytes of a record besides its entry.
    public static let overhead = headCount + checkCount
    /// The longest entry, in bytes: above what ``BookEntry/mostSteps`` steps of longest names take.
    public static let longestEntry = 1 << 25
    /// Bytes before the first record.
    public static let prefixCount = Digest256.byteCount
    /// What a disk writes whole or not at all, in bytes.
    static let sector = 512
    private static let headCount = 52, checkCount = 8

    /// What a log's bytes hold.
    public struct Contents: Sendable, Hashable {
        /// Behind the last whole record.
        public let end: LogPosition
        /// Bytes up to there.
        public let byteCount: Int
        /// Whether something follows, which a crash left, and which is to be cut.
        public let isTorn: Bool
    }

    /// Records of entries that become durable together.
    ///
    /// - Parameter entries: Of at most ``longestEntry`` bytes each.
    /// - Returns: The bytes to be added, and where the log ends then.
    public static func batch(_ entries: [[UInt8]], after position: LogPosition) -> (bytes: [UInt8], end: LogPosition) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.reduce(0) { $0 + $1.count + overhead })
        var end = position
        for entry in entries {
            precondition(entry.count <= longestEntry, "An entry is at most \(longestEntry) bytes.")
            let start = bytes.count
            append(UInt32(entry.count), to: &bytes)
            append(UInt64(end.count), to: &bytes)
            append(UInt64(position.count), to: &bytes)
            end.digest.withBytes { bytes.append(contentsOf: $0) }
            bytes += entry
            let digest = Self.digest(of: bytes, start, entry.count)
            digest.withBytes { bytes.append(contentsOf: $0.prefix(checkCount)) }
            end = LogPosition(count: end.count + 1, digest: digest)
        }
        return (bytes, end)
    }

    /// Reads a log from its beginning.
    ///
    /// - Parameters:
    ///   - beginning: The state's own.
    ///   - take: Is given each entry's bytes, with the position behind it. What it throws is thrown.
    /// - Throws: ``EntryLogError`` where the log is another state's, or damaged where it was answered.
    public static func read(
        _ bytes: [UInt8], beginning: Digest256,
        take: (ArraySlice<UInt8>, LogPosition) throws(EntryLogError) -> Void
    ) throws(EntryLogError) -> Contents {
        var end = LogPosition(count: 0, digest: beginning)
        guard bytes.count >= prefixCount, beginning.withBytes({ $0.elementsEqual(bytes[..<prefixCount]) }) else {
            let isBeginning = beginning.withBytes { $0.prefix(bytes.count).elementsEqual(bytes) }
            // A crash while the log was made; some of it may read as zeros.
            let isHole = bytes.count <= prefixCount && bytes.allSatisfy { $0 == 0 }
            guard isBeginning || isHole else { throw .otherState }
            return Contents(end: end, byteCount: 0, isTorn: !bytes.isEmpty)
        }
        var offset = prefixCount
        while let record = head(bytes, offset), record.number == UInt64(end.count),
            record.first <= record.number, record.length <= bytes.count - offset - overhead,
            end.digest.withBytes({ $0.elementsEqual(bytes[offset + 20..<offset + headCount]) }),
            let digest = whole(bytes, offset, record.length)
        {
            end = LogPosition(count: end.count + 1, digest: digest)
            try take(bytes[offset + headCount..<offset + headCount + record.length], end)
            offset += overhead + record.length
        }
        if offset < bytes.count { try demandTorn(bytes, offset, number: UInt64(end.count)) }
        return Contents(end: end, byteCount: offset, isTorn: offset < bytes.count)
    }

    /// How many records stand before a position, if the log goes through it; else none. Its digest is over all of them.
    ///
    /// - Throws: ``EntryLogError``, as ``read(_:beginning:take:)``.
    public static func count(
        of bytes: [UInt8], beginning: Digest256, through position: LogPosition?
    ) throws(EntryLogError) -> Int {
        guard let position else { return 0 }
        var isThrough = false
        _ = try read(bytes, beginning: beginning) { _, here throws(EntryLogError) in
            isThrough = isThrough || here == position
        }
        return isThrough ? position.count : 0
    }

    /// Looks for whole records behind a place where none begins. A record whose length is damaged says nothing of where the next one begins, so that each byte is tried.
    private static func demandTorn(
        _ bytes: [UInt8], _ start: Int, number: UInt64
    ) throws(EntryLogError) {
        var holes = true
        // Of other bytes few look like a head: where many do, they were written to look so, and are not cut.
        var budget = 16 * (bytes.count - start)
        var offset = start
        let latest = number + UInt64((bytes.count - start) / overhead)
        while offset + overhead <= bytes.count {
            guard let record = head(bytes, offset), record.length <= bytes.count - offset - overhead,
                (number + 1...max(number + 1, latest)).contains(record.number), record.first <= record.number
            else {
                offset += 1
                continue
            }
            budget -= record.length + overhead
            guard budget >= 0 else { throw .damaged(byte: start, record: Int(number)) }
            guard whole(bytes, offset, record.length) != nil else {
                offset += 1
                continue
            }
            if holes { holes = hasHole(bytes, start..<offset) }
            guard record.first <= number, holes else { throw .damaged(byte: start, record: Int(number)) }
            offset += overhead + record.length
        }
    }

    /// Whether a sector, or its part behind the range's beginning, was never written.
    private static func hasHole(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = (start / sector + 1) * sector
            if end <= bytes.count, bytes[start..<end].allSatisfy({ $0 == 0 }) { return true }
            start = end
        }
        return false
    }

    // MARK: bytes

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func head(
        _ bytes: [UInt8], _ offset: Int
    ) -> (length: Int, number: UInt64, first: UInt64)? {
        guard bytes.count - offset >= overhead else { return nil }
        return bytes.withUnsafeBytes { raw in
            let length = Int(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            guard length <= longestEntry else { return nil }
            return (
                length, UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 4, as: UInt64.self)),
                UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 12, as: UInt64.self))
            )
        }
    }

    private static func digest(of bytes: [UInt8], _ offset: Int, _ length: Int) -> Digest256 {
        bytes.withUnsafeBytes {
            .sha256(UnsafeRawBufferPointer(rebasing: $0[offset..<offset + headCount + length]))
        }
    }

    /// The record's digest, if its check is right.
    private static func whole(_ bytes: [UInt8], _ offset: Int, _ length: Int) -> Digest256? {
        let digest = digest(of: bytes, offset, length)
        let check = offset + headCount + length
        return digest.withBytes { $0.prefix(checkCount).elementsEqual(bytes[check..<check + checkCount]) }
            ? digest : nil
    }
}

/// Why a log is not read.
public enum EntryLogError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It does not begin as the state's log does.
    case otherState
    /// The record of this number, at this byte, is damaged, and what stands behind was answered.
    case damaged(byte: Int, record: Int)
    /// The record of this number is whole, and holds no entry: another version wrote it.
    case entry(record: Int, MalformedEntry)
    /// The record of this number is whole, and is an entry that the state does not take: nobody whose it could be has stored it.
    case foreign(record: Int, reason: String)
    /// The log does not go through a position that was noted: it was cut or changed.
    case position(expected: LogPosition, count: Int)

    /// What, where, and what would be right.
    public var description: String {
        switch self {
        case .otherState: "the log is of another state: expected one with the same operator and policy"
        case .damaged(let byte, let record):
            "the log is damaged at byte \(byte), in record \(record), before its end: what stands behind was answered, and is not thrown away"
        case .entry(let record, let malformed): "record \(record) of the log: \(malformed)"
        case .foreign(let record, let reason): "record \(record) of the log: \(reason)"
        case .position(let expected, let count):
            "the log of \(count) records is not the one that was noted: expected \(expected.digest) as the digest of record \(expected.count)"
        }
    }
}
