/// What is wrong with the text of a proof: the line, counted from 1, and what was expected there.
public enum LogProofError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A text above the limit, in bytes.
    case tooLong(Int, limit: Int)
    /// A line, and what was expected there.
    case malformed(line: Int, expected: String)
    /// The checkpoint in it.
    case checkpoint(NoteError)

    /// What was found, where, and what would be right.
    public var description: String {
        switch self {
        case .tooLong(let count, let limit): "The proof has \(count) bytes, more than the \(limit) that are read."
        case .malformed(let line, let expected): "Line \(line) of the proof: expected \(expected)."
        case .checkpoint(let error): "The proof's checkpoint: \(error)"
        }
    }
}

/// That an entry is in a log and that witnesses saw it, to be verified without asking anyone: a `.tlog-proof`
/// (c2sp.org/tlog-proof@v1).
public struct LogProof: Sendable, Hashable {
    /// The largest text that is read, in bytes.
    public static let largestSize = 2 * SignedNote.largestSize
    /// The most extra data, in bytes.
    public static let largestExtra = 500_000

    /// Data that the proof carries along, and that nothing authenticates; not empty.
    public let extra: [UInt8]?
    /// The entry's index in the log.
    public let index: UInt64
    /// From the entry's leaf hash to the checkpoint's root.
    public let inclusion: InclusionProof
    /// What the log and its witnesses signed.
    public let checkpoint: SignedCheckpoint

    /// A proof. Throws `malformed` for extra data that is empty or above 500,000 bytes, an index above 2^63 - 1, and more
    /// than 63 hashes: what is made can be read.
    public init(
        index: UInt64, inclusion: InclusionProof, checkpoint: SignedCheckpoint, extra: [UInt8]? = nil
    ) throws(LogProofError) {
        if let extra {
            guard (1...Self.largestExtra).contains(extra.count) else {
                throw .malformed(line: 2, expected: "extra data of 1 to \(Self.largestExtra) bytes, or none")
            }
        }
        guard index <= TreeHead.largestSize else {
            throw .malformed(line: extra == nil ? 2 : 3, expected: "an index from 0 to 2^63 - 1")
        }
        guard inclusion.hashes.count <= InclusionProof.largestCount else {
            throw .malformed(line: extra == nil ? 3 : 4, expected: "at most \(InclusionProof.largestCount) hashes")
        }
        self.extra = extra
        self.index = index
        self.inclusion = inclusion
        self.checkpoint = checkpoint
    }

    private static let header = "c2sp.org/tlog-proof@v1"

    /// Reads a proof. What is read is written again with the same bytes. Throws `LogProofError`.
    public init(parsing bytes: [UInt8]) throws(LogProofError) {
        guard bytes.count <= Self.largestSize else { throw .tooLong(bytes.count, limit: Self.largestSize) }
        var reader = LineReader(bytes)
        guard reader.next(after: Self.header)?.isEmpty == true else {
            throw .malformed(line: 1, expected: Self.header)
        }
        var line = 2
        var extra: [UInt8]?
        if let encoded = reader.next(after: "extra ") {
            guard let data = StrictBase64.decode(encoded), !data.isEmpty else {
                throw .malformed(line: 2, expected: "\"extra \" and canonical base64, or no extra line")
            }
            extra = data
            line = 3
        }
        guard let digits = reader.next(after: "index "), let index = StrictDecimal.decode(digits) else {
            throw .malformed(line: line, expected: "\"index \" and a number from 0 to 2^63 - 1 without leading zeros")
        }
        guard let hashes = reader.hashes() else {
            throw .malformed(
                line: line + 1, expected: "at most 63 lines of 32 bytes in canonical base64, and a blank line")
        }
        let checkpoint: SignedCheckpoint
        do throws(NoteError) { checkpoint = try SignedCheckpoint(parsing: Array(reader.rest)) } catch {
            throw .checkpoint(error)
        }
        try self.init(index: index, inclusion: InclusionProof(hashes: hashes), checkpoint: checkpoint, extra: extra)
    }

    /// The text.
    public var bytes: [UInt8] {
        let extra = extra.map { "extra " + String(decoding: StrictBase64.encode($0), as: UTF8.self) + "\n" } ?? ""
        let front = "\(Self.header)\n\(extra)index \(index)\n" + LineReader.format(inclusion.hashes)
        return Array(front.utf8) + checkpoint.bytes
    }

    /// Whether the entry with the leaf hash is in an accepted log that a quorum of witnesses saw, and at the index.
    ///
    /// The parameters are those of `LogPolicy.verify`; the leaf hash is the caller's, of the entry that it expects. Throws
    /// `PolicyError`.
    public func verify(
        _ leaf: MerkleHash, policy: LogPolicy, log: LogIdentity? = nil, latestTime: UInt64
    ) throws(PolicyError) -> VerifiedCheckpoint {
        let verified = try policy.verify(checkpoint, of: log, latestTime: latestTime)
        do throws(MerkleError) { try inclusion.verify(leaf, at: index, in: verified.checkpoint.head) } catch {
            throw .inclusion(error)
        }
        return verified
    }
}
