/// A checkpoint that satisfies a policy.
public struct VerifiedCheckpoint: Sendable, Hashable {
    /// A cosignature that counts.
    public struct Cosignature: Sendable, Hashable {
        /// What the policy calls the witness.
        public let witness: PolicyName
        /// As of when, in seconds since 1970.
        public let time: UInt64
    }

    /// What the log signed.
    public let checkpoint: Checkpoint
    /// The key of the log that signed it.
    public let logKey: VerifierKey
    /// The cosignatures that count, in the note's order.
    public let cosignatures: [Cosignature]
}

extension LogPolicy {
    /// Whether the checkpoint is signed by an accepted log, under its origin, and cosigned by a quorum.
    ///
    /// - Parameters:
    ///   - log: the log that it must be of, where that is known otherwise; nil for any one of the policy's.
    ///   - latestTime: cosignatures from after this time (seconds since 1970) do not count.
    /// A signature of a known key that does not verify refuses the whole, as do too few that count, and a witness that has the log's key. How old cosignatures may be
    /// is for the caller to say: their times are given.
    public func verify(
        _ signed: SignedCheckpoint, of log: LogIdentity? = nil, latestTime: UInt64
    ) throws(PolicyError) -> VerifiedCheckpoint {
        let origin = signed.checkpoint.origin
        let logKeys =
            if let log { log.origin == origin ? log.keys : [] } else {
                logs.map(\.key).filter { LogOrigin($0.name) == origin }
            }
        // A log that vouches for itself is no witness of others' eyes.
        let isLogs = { (witness: Witness) in logKeys.contains { $0.publicKey == witness.key.publicKey } }
        if let witness = witnesses.first(where: isLogs) { throw .logIsWitness(witness.name) }
        let verified: [VerifiedSignature]
        do throws(NoteError) {
            verified = try signed.note.verify(KnownKeys(logKeys + witnesses.map(\.key)))
        } catch { throw error == .noKnownSignature ? .notSignedByLog(origin) : .note(error) }
        guard let logKey = verified.first(where: { logKeys.contains($0.key) })?.key else {
            throw .notSignedByLog(origin)
        }
        let cosignatures = verified.compactMap { signature -> VerifiedCheckpoint.Cosignature? in
            guard let time = signature.time, time <= latestTime,
                let witness = witnesses.first(where: { $0.key == signature.key })
            else { return nil }
            return .init(witness: witness.name, time: time)
        }
        let cosigned = cosignatures.map(\.witness)
        if let quorum, !isQuorum(Set(cosigned)) {
            throw .noQuorumOfWitnesses(QuorumShortfall(self, quorum, cosigned: cosigned))
        }
        guard signed.head.isPossible else { throw .inclusion(.impossibleHead) }
        return VerifiedCheckpoint(checkpoint: signed.checkpoint, logKey: logKey, cosignatures: cosignatures)
    }
}
