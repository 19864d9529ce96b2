/// Up to 256 consecutive entries of a log: each with its length before it as a big-endian uint16 (c2sp.org/tlog-tiles).
///
/// **Privacy.** Everybody who may read the log reads its entries, for ever: a log cannot forget, and even its leaf hashes
/// let one test guesses of an entry that can be guessed. This module takes entries as bytes and looks at none of them.
/// What goes into them is the datasite's matter: nothing that is private, and no hash of something private that could
/// be guessed, but for instance a commitment with a random opening that is kept apart.
public struct EntryBundle: Sendable, Hashable {
    /// The longest entry, in bytes: 65,535.
    public static let largestEntry = Int(UInt16.max)

    /// The bundle as served.
    public let bytes: [UInt8]
    /// Where each entry ends.
    private let ends: [Int]

    /// Reads a bundle of the number of entries. Throws `malformedBundle` for any other number, a cut entry, and bytes after
    /// the last one.
    public init(_ bytes: [UInt8], at path: TilePath) throws(TileError) {
        var ends: [Int] = []
        ends.reserveCapacity(path.width)
        var offset = 0
        while offset < bytes.count {
            guard ends.count < path.width, offset + 2 <= bytes.count else { throw .malformedBundle(path) }
            offset += 2 + (Int(bytes[offset]) << 8 | Int(bytes[offset + 1]))
            ends.append(offset)
        }
        guard offset == bytes.count, ends.count == path.width else { throw .malformedBundle(path) }
        self.bytes = bytes
        self.ends = ends
    }

    /// The bundle of at most 256 entries. Throws `entryTooLong` for an entry above 65,535 bytes.
    public init(_ entries: [[UInt8]]) throws(TileError) {
        precondition(entries.count <= TilePath.fullWidth, "A bundle has at most 256 entries.")
        var (bytes, ends): ([UInt8], [Int]) = ([], [])
        for entry in entries {
            try Self.append(entry, to: &bytes)
            ends.append(bytes.count)
        }
        (self.bytes, self.ends) = (bytes, ends)
    }

    private init(bytes: [UInt8], ends: [Int]) {
        self.bytes = bytes
        self.ends = ends
    }

    /// The bundle of the first `count` entries, of which there are at least as many.
    func prefix(_ count: Int) -> EntryBundle {
        EntryBundle(bytes: Array(bytes[..<(count == 0 ? 0 : ends[count - 1])]), ends: Array(ends[..<count]))
    }

    /// Appends an entry with its length before it.
    static func append(_ entry: [UInt8], to bytes: inout [UInt8]) throws(TileError) {
        guard let length = UInt16(exactly: entry.count) else { throw .entryTooLong(entry.count) }
        bytes.append(UInt8(length >> 8))
        bytes.append(UInt8(length & 255))
        bytes.append(contentsOf: entry)
    }

    /// The number of entries.
    public var count: Int { ends.count }

    /// The entry at a position from 0.
    public subscript(position: Int) -> ArraySlice<UInt8> {
        bytes[(position == 0 ? 0 : ends[position - 1]) + 2..<ends[position]]
    }

    /// The leaf hash of the entry at a position from 0.
    func leafHash(_ position: Int) -> MerkleHash {
        let range = (position == 0 ? 0 : ends[position - 1]) + 2..<ends[position]
        return bytes.withUnsafeBytes { MerkleHash.leaf(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}
