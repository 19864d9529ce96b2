/// Takes lines off the front of bytes, each ending in a newline.
struct LineReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// The next line without its newline; nil where no newline is left.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: NoteText.newline) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return rest[..<end]
    }

    /// What follows the prefix in the next line, which is taken if it begins so; nil, and nothing taken, if it does not.
    mutating func next(after prefix: String) -> ArraySlice<UInt8>? {
        let prefix = Array(prefix.utf8)
        guard rest.starts(with: prefix), let line = next() else { return nil }
        return line.dropFirst(prefix.count)
    }

    /// Hashes, one a line, up to a blank line, which is taken too; nil for a line that is neither, and for more than 63.
    mutating func hashes() -> [MerkleHash]? {
        var hashes: [MerkleHash] = []
        while let line = next() {
            if line.isEmpty { return hashes }
            guard hashes.count < ConsistencyProof.largestCount, let hash = MerkleHash(base64: line) else { return nil }
            hashes.append(hash)
        }
        return nil
    }

    /// Hashes as lines, and the blank line.
    static func format(_ hashes: [MerkleHash]) -> String {
        hashes.map { $0.base64 + "\n" }.joined() + "\n"
    }
}
