/// A witness as the log knows it: its key, and the size that it cosigned last as far as the log knows.
///
/// The size may be forgotten: a request from a wrong one gets the right one in reply.
public struct WitnessContact: Sendable, Hashable, Codable {
    /// The key of type 0x04.
    public let key: VerifierKey
    /// The size to ask from; 0 where nothing is known.
    public private(set) var size: UInt64

    /// A witness that has cosigned nothing yet, or whose size is not known. Throws `notACosigner`.
    public init(key: VerifierKey) throws(WitnessError) {
        guard key.kind == .ed25519Cosignature else { throw .notACosigner(key.name) }
        self.key = key
        size = 0
    }

    /// The request to cosign a checkpoint, whose tree the tiles are of. Throws `sizesReversed` where the witness is known
    /// to have cosigned a larger size, and as `VerifiedTiles` does.
    public func request(
        for checkpoint: SignedCheckpoint, tiles: inout VerifiedTiles
    ) throws -> AddCheckpointRequest {
        guard size <= checkpoint.head.size else {
            throw WitnessError.sizesReversed(old: size, new: checkpoint.head.size)
        }
        precondition(tiles.head == checkpoint.head, "The tiles are of the checkpoint's tree.")
        return try AddCheckpointRequest(
            oldSize: size, proof: tiles.consistencyProof(from: size), checkpoint: checkpoint)
    }

    /// What a reply came to.
    public enum Outcome: Sendable, Hashable {
        /// The line to add to the checkpoint, and its time in seconds since 1970.
        case cosigned(NoteSignature, time: UInt64)
        /// The witness has cosigned another size, which is remembered: ask again.
        case askAgain(size: UInt64)
        /// The witness has cosigned a larger size than the checkpoint's: either a newer checkpoint of the log is known to it
        /// already, or the log has lost entries that it signed for. In the second case it must not go on.
        case ahead(size: UInt64)
        /// The witness refused; its status says why.
        case refused(WitnessReply)
    }

    /// Takes the reply to a request. A cosignature is verified on the checkpoint; one from after `latestTime` (seconds since
    /// 1970) is refused. Lines of other keys are ignored.
    ///
    /// Throws `noCosignature`, `wrongCosignature`, `timeInFuture` and `contradiction`; nothing is remembered then.
    public mutating func receive(
        _ reply: WitnessReply, for checkpoint: SignedCheckpoint, latestTime: UInt64
    ) throws(WitnessError) -> Outcome {
        switch reply {
        case .cosigned(let lines):
            let (line, time) = try cosignature(lines, checkpoint, latestTime)
            size = checkpoint.head.size
            return .cosigned(line, time: time)
        case .conflict(let other):
            guard other != size else { throw .contradiction(key.name, size: size) }
            guard other <= checkpoint.head.size else { return .ahead(size: other) }
            size = other
            return .askAgain(size: other)
        case .badRequest, .forbidden, .notFound, .unprocessable: return .refused(reply)
        }
    }

    private func cosignature(
        _ lines: [NoteSignature], _ checkpoint: SignedCheckpoint, _ latestTime: UInt64
    ) throws(WitnessError) -> (NoteSignature, UInt64) {
        guard let line = lines.first(where: { $0.name == key.name && $0.id == key.id }) else {
            throw .noCosignature(key.name)
        }
        guard let time = key.verify(line.signature, of: checkpoint.note.text)?.time else {
            throw .wrongCosignature(key.name)
        }
        guard time <= latestTime else { throw .timeInFuture(key.name, time: time, latest: latestTime) }
        return (line, time)
    }
}
