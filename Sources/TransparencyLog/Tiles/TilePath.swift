/// The name of a tile or an entry bundle below a log's prefix: `tile/0/x001/x234/067.p/13`, `tile/entries/003`
/// (c2sp.org/tlog-tiles).
public struct TilePath: Sendable, Hashable {
    /// What the resource holds.
    public enum Content: Sendable, Hashable {
        /// Hashes of the nodes at eight times the level; level 0 are the leaf hashes. At most 63.
        case hashes(level: Int)
        /// The entries themselves.
        case entries
    }

    /// The number of hashes or entries in a full tile: 256.
    public static let fullWidth = 256
    /// The largest index whose entries could be in a log of 2^63 - 1 entries.
    public static let largestIndex = TreeHead.largestSize >> 8

    /// What the resource holds.
    public let content: Content
    /// The position within the level, from 0.
    public let index: UInt64
    /// The number of hashes or entries, 1 to 256; below 256 the tile is a partial one.
    public let width: Int

    /// Whether the tile has fewer than 256 hashes or entries.
    public var isPartial: Bool { width < Self.fullWidth }

    /// Throws `malformedPath` for a level above 63, a width outside 1 to 256, or an index that no log has.
    public init(_ content: Content, index: UInt64, width: Int = TilePath.fullWidth) throws(TileError) {
        if case .hashes(let level) = content {
            guard (0...63).contains(level) else { throw .malformedPath("a level from 0 to 63") }
        }
        guard (1...Self.fullWidth).contains(width) else { throw .malformedPath("a width from 1 to 256") }
        guard index <= Self.largestIndex else { throw .malformedPath("an index below 2^55") }
        self.init(unchecked: content, index: index, width: width)
    }

    init(unchecked content: Content, index: UInt64, width: Int) {
        self.content = content
        self.index = index
        self.width = width
    }

    /// Reads a path, without a leading slash. There is one path for each tile: no leading zeros, no `x000` in front, no
    /// `.p/256`. Throws `malformedPath` with what would be right.
    public init(parsing path: some Collection<UInt8>) throws(TileError) {
        // "tile/entries/", seven groups of an index, and a width: nothing longer is looked at.
        guard path.count <= 64 else { throw .malformedPath("at most 64 characters") }
        let path = Array(path)
        var parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)[...]
        guard parts.popFirst() == Array("tile".utf8), let name = parts.popFirst() else {
            throw .malformedPath("tile/, then a level or \"entries\"")
        }
        let content: Content
        if name == Array("entries".utf8) {
            content = .entries
        } else {
            guard let level = StrictDecimal.decode(name), level <= 63 else {
                throw .malformedPath("a level from 0 to 63 without leading zeros, or \"entries\"")
            }
            content = .hashes(level: Int(level))
        }
        let width = try Self.takeWidth(&parts)
        try self.init(content, index: Self.index(parts), width: width)
    }

    /// Reads a path, as `init(parsing:)` does.
    public init(_ path: String) throws(TileError) {
        try self.init(parsing: Array(path.utf8))
    }

    /// Takes the suffix of a partial tile off the last group of the index.
    private static func takeWidth(_ parts: inout ArraySlice<[UInt8]>) throws(TileError) -> Int {
        let suffix = Array(".p".utf8)
        guard parts.count >= 2, parts[parts.endIndex - 2].suffix(2).elementsEqual(suffix) else { return fullWidth }
        let digits = parts.removeLast()
        guard let width = StrictDecimal.decode(digits), (1...255).contains(width) else {
            throw .malformedPath(".p/ and a width from 1 to 255 without leading zeros")
        }
        parts[parts.endIndex - 1].removeLast(suffix.count)
        return Int(width)
    }

    private static func index(_ groups: ArraySlice<[UInt8]>) throws(TileError) -> UInt64 {
        let expected = "groups of three digits, each but the last beginning with x, the first not x000"
        guard (1...6).contains(groups.count), let last = groups.last else { throw .malformedPath(expected) }
        var digits: [UInt8] = []
        for group in groups.dropLast() {
            guard group.count == 4, group.first == UInt8(ascii: "x") else { throw .malformedPath(expected) }
            digits += group.dropFirst()
        }
        digits += last
        guard last.count == 3, groups.count == 1 || !digits.starts(with: Array("000".utf8)) else {
            throw .malformedPath(expected)
        }
        var number: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { throw .malformedPath(expected) }
            // Eighteen digits stay below 2^64.
            number = number * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return number
    }
}

extension TilePath: CustomStringConvertible {
    /// The path, without a leading slash.
    public var description: String {
        let name =
            switch content {
            case .hashes(let level): String(level)
            case .entries: "entries"
            }
        var groups: [String] = []
        var rest = index
        repeat {
            let digits = String(rest % 1000)
            let padded = String(repeating: "0", count: 3 - digits.count) + digits
            groups.append(groups.isEmpty ? padded : "x" + padded)
            rest /= 1000
        } while rest > 0
        return "tile/\(name)/" + groups.reversed().joined(separator: "/") + (isPartial ? ".p/\(width)" : "")
    }
}

extension TilePath {
    /// The width of the tile with the index in a tree of the size: 256 for a full one, less for the partial one at the
    /// right edge, and nil where the tree has no such tile.
    static func width(level: Int, index: UInt64, size: UInt64) -> Int? {
        guard level < 8 else { return nil }
        let count = size >> UInt64(8 * level)
        if index < count >> 8 { return fullWidth }
        return index == count >> 8 && count & 255 != 0 ? Int(count & 255) : nil
    }

    /// The tile or bundle that a tree of the size has at an index, partial or not. Throws `notInTree`.
    public init(_ content: Content, index: UInt64, ofTreeWithSize size: UInt64) throws(TileError) {
        let level = if case .hashes(let level) = content { level } else { 0 }
        guard let width = Self.width(level: level, index: index, size: size) else {
            throw .notInTree(level: level, index: index, size: size)
        }
        self.init(unchecked: content, index: index, width: width)
    }
}

extension TilePath {
    /// What this partial tile, or bundle, has: the beginning of a wider one at its place, since both are of one log.
    ///
    /// - Parameters:
    ///   - bytes: The wider one's.
    ///   - width: How many hashes or entries it has, no fewer than this one.
    /// Throws `wrongLength` and `malformedBundle` where they are not so many.
    public func beginning(of bytes: [UInt8], width: Int) throws(TileError) -> [UInt8] {
        let wider = try TilePath(content, index: index, width: width)
        precondition(self.width <= width, "A tile is the beginning of a wider one.")
        switch content {
        case .hashes:
            let expected = MerkleHash.byteCount * width
            guard bytes.count == expected else {
                throw .wrongLength(wider, expected: expected, found: bytes.count)
            }
            return Array(bytes[..<(MerkleHash.byteCount * self.width)])
        case .entries: return try EntryBundle(bytes, at: wider).prefix(self.width).bytes
        }
    }
}
