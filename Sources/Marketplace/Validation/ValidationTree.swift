public import Foundation
public import TransparencyLog

/// What a sponsor binds herself to at funding: each row that final scores are measured on, in one order, under a salt of its own, in a Merkle tree (RFC 6962). Her task's terms hold its
/// ``commitment``, which tells nothing of the rows; in a dispute some are shown with their salts and paths (``OpenedRow``), and nobody can show others.
public struct ValidationTree: Sendable {
    private let columns: Digest256
    private let secret: Salt
    private var frontier = MerkleFrontier()
    /// The hashes of whole subtrees, by their height.
    private var levels: [[MerkleHash]] = []

    /// A tree without rows.
    ///
    /// - Parameters:
    ///   - columns: What the bytes of a row mean: it is part of each leaf.
    ///   - secret: What the salts are derived from: it stays with whoever has the rows, and is of no other tree.
    public init(columns: [UInt8], secret: Salt) {
        self.columns = .sha256(columns)
        self.secret = secret
    }

    /// How many rows there are, and the root over them.
    public var head: TreeHead { frontier.head }

    /// The next row.
    ///
    /// - Throws: `MerkleError`, of a tree that takes no more.
    public mutating func append(_ content: [UInt8]) throws(MerkleError) {
        let index = frontier.head.size
        var hash = Self.leaf(content, salt: secret.derived(Int(index)), columns: columns)
        try frontier.append(hash)
        for level in 0... {
            if level == levels.count { levels.append([]) }
            levels[level].append(hash)
            let count = levels[level].count
            guard count.isMultiple(of: 2) else { break }
            hash = .node(levels[level][count - 2], levels[level][count - 1])
        }
    }

    /// What the terms of a task hold: a digest of what columns there are, how many rows, and the root.
    public var commitment: Digest256 { Self.commitment(to: head, columns: columns) }

    /// A row of the tree, to be shown.
    ///
    /// - Parameter content: The row's, as it was appended.
    /// - Throws: `MerkleError`, where there is no such row.
    public func opened(_ index: Int, _ content: [UInt8]) throws -> OpenedRow {
        let path = try InclusionProof(of: UInt64(index), size: head.size) { levels[$0.level][Int($0.index)] }
        return OpenedRow(index: index, salt: secret.derived(index), content: Data(content), path: path.hashes)
    }

    static func leaf(_ content: [UInt8], salt: Salt, columns: Digest256) -> MerkleHash {
        var bytes = CanonicalBytes("validation-row")
        bytes.append(columns)
        bytes.append(salt.value)
        bytes.append(content)
        return .leaf(bytes.bytes)
    }

    /// A root alone does not say of how many rows it is.
    static func commitment(to head: TreeHead, columns: Digest256) -> Digest256 {
        var bytes = CanonicalBytes("validation-rows")
        bytes.append(columns)
        bytes.append(Int64(head.size))
        bytes.append(head.root.bytes)
        return bytes.digest
    }
}

extension ValidationTree: CustomReflectable {
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A validation row that is shown to a referee, with what binds it to the task's terms. It prints nothing.
public struct OpenedRow: Sendable, Hashable, Codable {
    /// Its place among all rows, from 0.
    public var index: Int
    /// Its own salt.
    public var salt: Salt
    /// The row.
    public var content: Data
    /// From its leaf's sibling up.
    public var path: [MerkleHash]

    /// A row, by its parts; ``OpenedRows/verify(_:columns:head:commitment:draw:)`` tells whether it is one that was committed to.
    public init(index: Int, salt: Salt, content: Data, path: [MerkleHash]) {
        (self.index, self.salt, self.content, self.path) = (index, salt, content, path)
    }
}

extension OpenedRow: CustomStringConvertible, CustomReflectable {
    /// The name alone.
    public var description: String { "OpenedRow" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why rows are not those that a dispute opens. Nothing of a row is in it.
public enum OpenedRowsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// They lead to something else than the task's terms hold.
    case commitment
    /// They are fewer than are opened, or not the ones that the checkpoint draws.
    case drawn(expected: Int, found: Int)
    /// A row of this place was not in the tree.
    case row(Int)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .commitment:
            "the rows are not those that the task's terms are committed to: expected the columns, the number of rows and the root of the commitment"
        case .drawn(let expected, let found):
            "\(found) rows were shown: expected the \(expected) that the checkpoint draws, and no others"
        case .row(let index): "row \(index) was changed: its content, salt and path do not lead to the root"
        }
    }
}

extension OpenedRows {
    /// Which rows a dispute opens: those that the checkpoint draws of all.
    public struct Draw: Sendable, Hashable {
        /// Of which task.
        public var task: Digest256
        /// By which checkpoint: the digest that the market's operator entered.
        public var checkpoint: Digest256
        /// How many; ``OpenedRows/least`` at least, or all.
        public var count: Int

        /// A draw, by what decides it.
        public init(task: Digest256, checkpoint: Digest256, count: Int) {
            (self.task, self.checkpoint, self.count) = (task, checkpoint, count)
        }

        /// The rows' places, in ascending order.
        public func places(of rows: Int) -> [Int] {
            OpenedRows.draw(count, of: rows, task: task, checkpoint: checkpoint)
        }
    }

    /// Whether rows are the ones that are opened, of those that the sponsor committed to: nobody chose them, and none was changed.
    ///
    /// - Parameters:
    ///   - columns: What the bytes of a row mean, as it was shown with them.
    ///   - head: How many rows there are, and the root, as they were shown.
    ///   - commitment: What the task's terms hold.
    /// - Throws: ``OpenedRowsError``.
    public static func verify(
        _ rows: [OpenedRow], columns: [UInt8], head: TreeHead, commitment: Digest256, draw: Draw
    ) throws(OpenedRowsError) {
        let columns = Digest256.sha256(columns)
        guard ValidationTree.commitment(to: head, columns: columns) == commitment, let size = Int(exactly: head.size)
        else { throw .commitment }
        // Of more rows than are shown no list of places is made.
        let expected = min(size, max(draw.count, least))
        guard rows.count == expected, draw.places(of: size) == rows.map(\.index) else {
            throw .drawn(expected: expected, found: rows.count)
        }
        for row in rows {
            let leaf = ValidationTree.leaf([UInt8](row.content), salt: row.salt, columns: columns)
            do throws(MerkleError) {
                try InclusionProof(hashes: row.path).verify(leaf, at: UInt64(row.index), in: head)
            } catch { throw .row(row.index) }
        }
    }
}
