/// What is wrong with a tile, an entry bundle or their names.
public enum TileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A path that names no tile: what was expected.
    case malformedPath(String)
    /// A tree of the size has no tile at the place.
    case notInTree(level: Int, index: UInt64, size: UInt64)
    /// A tile of another length than its width asks for, in bytes.
    case wrongLength(TilePath, expected: Int, found: Int)
    /// A tile whose hashes do not lead to the checkpoint's root: whoever served it may have altered it.
    case hashMismatch(TilePath)
    /// The tiles at the right edge do not lead to the checkpoint's root.
    case rootMismatch(size: UInt64)
    /// A bundle that ends within an entry, or has another number of entries than its width, or bytes after the last.
    case malformedBundle(TilePath)
    /// An entry that is not the one that the leaf hash is of.
    case entryMismatch(index: UInt64)
    /// An entry of more than 65,535 bytes.
    case entryTooLong(Int)

    /// What was found, and what would be right.
    public var description: String {
        switch self {
        case .malformedPath(let expected): "This is no tile's path: expected \(expected)."
        case .notInTree(let level, let index, let size):
            "A tree of \(size) entries has no tile \(index) at level \(level)."
        case .wrongLength(let path, let expected, let found):
            "\(path) has \(found) bytes, where its width needs \(expected)."
        case .hashMismatch(let path):
            "\(path) is not part of the tree: its hashes do not lead to the checkpoint's root."
        case .rootMismatch(let size):
            "The tiles at the right edge of the tree of \(size) entries do not lead to the checkpoint's root."
        case .malformedBundle(let path):
            "\(path) is not a sequence of as many entries as its width, each with its length in two bytes before it."
        case .entryMismatch(let index): "Entry \(index) is not the one that the tree holds: its leaf hash is another."
        case .entryTooLong(let length): "An entry has \(length) bytes: 65,535 is the most."
        }
    }
}
