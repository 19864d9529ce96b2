internal import Foundation
internal import Marketplace
public import TransparencyLog

/// Asks one witness to cosign a market's checkpoints, one after the other.
///
/// Readers who ask for its cosignature (c2sp.org/tlog-policy) see the one history that it saw. Where it holds a checkpoint under the operator's key that this folder does not lead to, the folder was put back, or is one of two:
/// the market takes no entries any more, since going on would be a second history.
public struct MarketWitness: Sendable {
    /// Sends a body to the witness's `add-checkpoint`.
    public typealias Post = (_ body: [UInt8]) async throws -> (status: Int, body: [UInt8])
    /// Gets what is at a path below the witness; nil: nothing is.
    public typealias Fetch = (_ path: String) async throws -> [UInt8]?

    private let office: MarketOffice
    private var contact: WitnessContact
    private var isCompared = false

    /// - Throws: `WitnessError` for a key that cosigns nothing.
    public init(_ key: VerifierKey, of office: MarketOffice) throws {
        self.office = office
        contact = try WitnessContact(key: key)
    }

    /// Asks for a cosignature of the checkpoint as it stands, where the witness has not given one.
    ///
    /// - Throws: What the calls throw; ``MarketFolderError``; `WitnessError`.
    public mutating func ask(by post: Post, fetching fetch: Fetch) async throws {
        if !isCompared { try await compare(fetch) }
        isCompared = true
        for _ in 0..<2 {
            let (checkpoint, body) = try request()
            guard let body else { return }
            let answer = try await post(body)
            let outcome = try contact.receive(
                WitnessReply(status: answer.status, body: answer.body), for: checkpoint,
                latestTime: UInt64(max(0, Date().timeIntervalSince1970)) + 300)
            switch outcome {
            case .cosigned(let line, _): try await office.add(line, to: checkpoint.head)
            case .askAgain: continue
            // Its word is no evidence: a checkpoint under the operator's own key is.
            case .ahead: try await compare(fetch)
            case .refused: break
            }
            return
        }
    }

    private func request() throws -> (SignedCheckpoint, [UInt8]?) {
        let (path, key) = (office.path, contact.key)
        guard let checkpoint = try SealedFolder.checkpoint(of: path, log: office.description.log) else {
            throw MarketFolderError.malformed(path, expected: "a signed checkpoint")
        }
        let isCosigned = checkpoint.note.signatures.contains { $0.name == key.name && $0.id == key.id }
        guard !isCosigned, checkpoint.head.size > 0 else { return (checkpoint, nil) }
        var tiles = try VerifiedTiles(head: checkpoint.head) { tile in
            try DurableFiles.read(
                SealedFolder.File.tile(tile, path), most: MarketCopy.longestBundle, expected: "a tile of the log")
        }
        return (checkpoint, try contact.request(for: checkpoint, tiles: &tiles).bytes)
    }

    /// Looks at what it cosigned last of this log.
    private func compare(_ fetch: Fetch) async throws {
        let origin = try Digest256.sha256(Array("\(office.description.log.origin)".utf8))
        guard let bytes = try await fetch("\(origin)/checkpoint") else { return }
        try await office.compare(bytes)
    }
}
