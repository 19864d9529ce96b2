/// The body of `add-checkpoint` (c2sp.org/tlog-witness): a checkpoint, and a proof that it grew from what the witness has.
public struct AddCheckpointRequest: Sendable, Hashable {
    /// The longest body, in bytes; a server reads no more.
    public static let largestSize = SignedNote.largestSize + 4096

    /// The size of the checkpoint that the witness cosigned last; 0 for none.
    public let oldSize: UInt64
    /// From the old size to the checkpoint's.
    public let proof: ConsistencyProof
    /// What is to be cosigned.
    public let checkpoint: SignedCheckpoint

    /// A request. Throws `sizesReversed`, and `malformedRequest` for more than 63 hashes.
    public init(
        oldSize: UInt64, proof: ConsistencyProof, checkpoint: SignedCheckpoint
    ) throws(WitnessError) {
        guard oldSize <= checkpoint.head.size else {
            throw .sizesReversed(old: oldSize, new: checkpoint.head.size)
        }
        guard proof.hashes.count <= ConsistencyProof.largestCount else {
            throw .malformedRequest("at most 63 hashes")
        }
        self.oldSize = oldSize
        self.proof = proof
        self.checkpoint = checkpoint
    }

    /// Reads a body. What is read is written again with the same bytes. Throws `malformedRequest`, `malformedCheckpoint`
    /// and `sizesReversed`; a witness answers 400 to each.
    public init(parsing bytes: [UInt8]) throws(WitnessError) {
        let (oldSize, proof, checkpoint) = try Self.parts(of: bytes)
        try self.init(oldSize: oldSize, proof: proof, checkpoint: checkpoint)
    }

    /// What a body holds; its sizes may be reversed.
    static func parts(
        of bytes: [UInt8]
    ) throws(WitnessError) -> (oldSize: UInt64, proof: ConsistencyProof, checkpoint: SignedCheckpoint) {
        guard bytes.count <= largestSize else { throw .malformedRequest("at most \(largestSize) bytes") }
        var reader = LineReader(bytes)
        guard let digits = reader.next(after: "old "), let oldSize = StrictDecimal.decode(digits) else {
            throw .malformedRequest("\"old \" and a size from 0 to 2^63 - 1 without leading zeros in line 1")
        }
        guard let hashes = reader.hashes() else {
            throw .malformedRequest("at most 63 lines of 32 bytes in canonical base64, and a blank line")
        }
        do throws(NoteError) {
            let checkpoint = try SignedCheckpoint(parsing: Array(reader.rest))
            return (oldSize, ConsistencyProof(hashes: hashes), checkpoint)
        } catch { throw .malformedCheckpoint(error) }
    }

    /// The body.
    public var bytes: [UInt8] {
        Array(("old \(oldSize)\n" + LineReader.format(proof.hashes)).utf8) + checkpoint.bytes
    }
}
