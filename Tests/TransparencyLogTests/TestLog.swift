import Foundation
import Secrets

@testable import TransparencyLog

/// A log in memory.
struct TestLog {
    static let origin = "log.example/hospital"

    var writer = TileWriter()
    var stored: [TilePath: [UInt8]] = [:]
    var leaves: [MerkleHash] = []
    let key: SigningKey

    init(seed: UInt8 = 1, name: String = TestLog.origin) throws {
        key = try SigningKey(name: KeyName(name), kind: .ed25519, seed: Array(repeating: seed, count: 32))
    }

    var identity: LogIdentity { LogIdentity(key: key.verifierKey) }

    mutating func append(_ entries: [[UInt8]]) throws {
        for entry in entries {
            try writer.append(entry)
            leaves.append(.leaf(entry))
        }
        for write in writer.takeWrites() { stored[write.path] = write.bytes }
    }

    mutating func append(count: Int, from text: String = "entry") throws {
        let first = leaves.count
        try append((first..<first + count).map { Array("\(text) \($0)".utf8) })
    }

    func read(_ path: TilePath) throws -> [UInt8] {
        guard let bytes = stored[path] else { throw Missing(path: path) }
        return bytes
    }

    struct Missing: Error { var path: TilePath }

    func tiles(at size: UInt64? = nil) throws -> VerifiedTiles {
        try VerifiedTiles(head: head(at: size ?? writer.frontier.size), read: read)
    }

    func head(at size: UInt64) -> TreeHead {
        TreeHead(size: size, root: ReferenceTree.root(leaves[..<Int(size)]))
    }

    func checkpoint(at size: UInt64? = nil) throws -> SignedCheckpoint {
        try sign(head(at: size ?? writer.frontier.size))
    }

    func sign(_ head: TreeHead) throws -> SignedCheckpoint {
        try SignedCheckpoint(
            signing: Checkpoint(origin: LogOrigin(key.verifierKey.name), head: head), with: [key.signer])
    }
}

/// The definitions of RFC 6962, sections 2.1 to 2.1.2, word for word and slow: the oracle.
enum ReferenceTree {
    static func root(_ leaves: ArraySlice<MerkleHash>) -> MerkleHash {
        switch leaves.count {
        case 0: return .emptyTree
        case 1: return leaves[leaves.startIndex]
        default:
            let middle = leaves.startIndex + split(leaves.count)
            return .node(root(leaves[..<middle]), root(leaves[middle...]))
        }
    }

    static func path(_ index: Int, _ leaves: ArraySlice<MerkleHash>) -> [MerkleHash] {
        guard leaves.count > 1 else { return [] }
        let half = split(leaves.count)
        let (left, right) = (leaves.prefix(half), leaves.dropFirst(half))
        return index < half ? path(index, left) + [root(right)] : path(index - half, right) + [root(left)]
    }

    static func proof(_ size: Int, _ leaves: ArraySlice<MerkleHash>, whole: Bool = true) -> [MerkleHash] {
        if size == leaves.count { return whole ? [] : [root(leaves)] }
        let half = split(leaves.count)
        let (left, right) = (leaves.prefix(half), leaves.dropFirst(half))
        return size <= half
            ? proof(size, left, whole: whole) + [root(right)]
            : proof(size - half, right, whole: false) + [root(left)]
    }

    private static func split(_ count: Int) -> Int {
        var half = 1
        while half * 2 < count { half *= 2 }
        return half
    }
}

/// A cosigner of a seed.
func cosigner(_ name: String, seed: UInt8) throws -> SigningKey {
    try SigningKey(name: KeyName(name), kind: .ed25519Cosignature, seed: Array(repeating: seed, count: 32))
}

/// `shared/vectors/log` beside the package or beside a folder that the package is in.
enum LogVectors {
    static let folder: URL? = {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let vectors = folder.appendingPathComponent("shared/vectors/log")
            if FileManager.default.fileExists(atPath: vectors.path) { return vectors }
        }
        return nil
    }()

    /// The JSON files below a folder, read as the type.
    static func read<Vector: Decodable>(_ path: String, as type: Vector.Type) throws -> [(String, Vector)] {
        guard let root = folder?.appendingPathComponent(path),
            let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        else { return [] }
        return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "json" }
            .sorted { $0.path < $1.path }
            .map { ($0.path, try JSONDecoder().decode(type, from: Data(contentsOf: $0))) }
    }
}

extension RandomNumberGenerator {
    /// A number from 0 up to and without the limit.
    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
}
