/// A witness of logs (c2sp.org/tlog-witness): cosigns a checkpoint only if the log grew, without change, from the one that it
/// cosigned before. Who asks for cosignatures of witnesses that do not collude cannot be shown another log than others.
///
/// **What it promises.** Of one log, never two roots for one size, and never a size below an earlier one, however often it
/// crashes: the new record is stored before the cosignature leaves, and against the record that the decision was made from.
/// **From whom.** A log that lies, splits its view or goes back; clients that send anything at all; a crash at any time.
/// **What it does not promise.** That entries are right, or that anybody has them: monitors read them. Its first checkpoint
/// of a log is believed. A witness whose storage is rolled back forgets its promise.
/// **Privacy.** It sees origins, sizes and hashes, and no entry.
public struct Witness: Sendable {
    private let cosigner: NoteSigner

    /// After how many seconds a checkpoint that was cosigned is cosigned anew for whoever asks, under the time then.
    public static let renewal: UInt64 = 60

    /// A witness that cosigns under a key of type 0x04. Throws `notACosigner`.
    public init(cosigner: NoteSigner) throws(WitnessError) {
        guard cosigner.key.kind == .ed25519Cosignature else { throw .notACosigner(cosigner.key.name) }
        self.cosigner = cosigner
    }

    /// The key that logs and clients are to know.
    public var key: VerifierKey { cosigner.key }

    /// Decides on an add-checkpoint body.
    ///
    /// - Parameters:
    ///   - body: as it came.
    ///   - time: now, in seconds since 1970, from 1 to 2^63 - 1. A clock that went back makes cosignatures that look older than
    ///     they are; sizes do not go back with it.
    ///   - record: the witness's record of a log; nil where the log is not known.
    /// Throws what `record` and the signer throw.
    public func decide(
        _ body: [UInt8], at time: UInt64, record: (LogOrigin) throws -> WitnessedLog?
    ) throws -> WitnessDecision {
        // The old size may be above the checkpoint's still: the signature is checked before.
        guard let request = try? AddCheckpointRequest.parts(of: body) else { return .refuse(.badRequest) }
        guard let known = try record(request.checkpoint.checkpoint.origin) else { return .refuse(.notFound) }
        guard (try? request.checkpoint.verify(known.log)) != nil else { return .refuse(.forbidden) }
        let new = request.checkpoint.head
        guard request.oldSize <= new.size else { return .refuse(.badRequest) }
        guard request.oldSize == known.size else {
            return .refuse(.conflict(size: known.size), evidence: Self.splitView(known, request.checkpoint))
        }
        let old = known.latest?.head ?? .empty
        guard (try? request.proof.verify(from: old, to: new)) != nil else {
            return .refuse(.unprocessable, evidence: Self.splitView(known, request.checkpoint))
        }
        if let line = recent(in: known, of: request.checkpoint, at: time) { return .repeatReply(.cosigned([line])) }
        let cosignature = try cosigner.cosignature(of: request.checkpoint.checkpoint, at: time)
        // Signatures of others are not kept: they were not verified.
        let kept = try request.checkpoint.keeping(known.log.keys).adding([cosignature])
        return .cosign(
            PendingCosignature(
                before: known, after: WitnessedLog(log: known.log, latest: kept), cosignature: cosignature))
    }

    /// The cosignature that was stored of this very checkpoint, if it is not older than ``renewal``: what it says stays true (c2sp.org/tlog-cosignature: as of a
    /// time), so that whoever asks again and again has nothing signed and nothing stored.
    private func recent(in known: WitnessedLog, of asked: SignedCheckpoint, at time: UInt64) -> NoteSignature? {
        guard let latest = known.latest, latest.note.text == asked.note.text,
            let line = latest.note.signatures.first(where: { $0.name == key.name && $0.id == key.id }),
            let signed = Cosignature(line.signature)?.time, time < signed || time - signed < Self.renewal
        else { return nil }
        return line
    }

    /// Two checkpoints of one size with different roots, both signed by the log.
    private static func splitView(_ known: WitnessedLog, _ new: SignedCheckpoint) -> SplitView? {
        guard let latest = known.latest, latest.head.size == new.head.size, latest.head != new.head else { return nil }
        return SplitView(smaller: latest, larger: new)
    }
}

/// What a witness does with a request.
public enum WitnessDecision: Sendable {
    /// Answers with a refusal. Evidence is there where the log signed two roots of one size: to be kept, and published.
    case refuse(WitnessReply, evidence: SplitView? = nil)
    /// Answers with the cosignature that was stored before.
    case repeatReply(WitnessReply)
    /// Cosigns, once the new record is stored.
    case cosign(PendingCosignature)
}

/// A cosignature that nobody has seen yet: it is given out once the record is stored, and in no other way.
public struct PendingCosignature: Sendable {
    private let before: WitnessedLog
    private let after: WitnessedLog
    private let cosignature: NoteSignature

    init(before: WitnessedLog, after: WitnessedLog, cosignature: NoteSignature) {
        precondition(after.size >= before.size, "A witness does not go back.")
        self.before = before
        self.after = after
        self.cosignature = cosignature
    }

    /// Stores the new record and then gives the reply.
    ///
    /// `store` gets the record that the decision was made from, and the new one. In one transaction it compares the first with
    /// what is stored, returns false if that is another by now, and otherwise replaces it, returning only when the new
    /// one will outlast a crash. Throws `recordChanged` if it returned false, and what it throws; no cosignature is out then.
    public func reply(
        storing store: (_ before: WitnessedLog, _ after: WitnessedLog) throws -> Bool
    ) throws -> WitnessReply {
        guard try store(before, after) else { throw WitnessError.recordChanged }
        return .cosigned([cosignature])
    }
}

extension PendingCosignature: CustomStringConvertible, CustomReflectable {
    /// The sizes, and not the cosignature.
    public var description: String { "PendingCosignature(\(before.size) to \(after.size))" }
    /// Nothing: the cosignature is not out yet.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
