import TransparencyLog

/// The checkpoints that were signed last, and which of them witnesses have cosigned.
///
/// Entries come at any time, and witnesses answer at different ones. So that all cosign the same, one checkpoint is offered until all have cosigned it, or for three seconds; a
/// late answer is taken as well. What is served is the newest one that all have cosigned, or that is three seconds old: a witness that is slow, or gone, holds nobody up for longer.
struct RecentCheckpoints {
    private struct Signed {
        var checkpoint: SignedCheckpoint
        let since: ContinuousClock.Instant
    }

    /// Who is asked.
    var cosigners: [VerifierKey] = []
    private var all: [Signed] = []
    private var offered: TreeHead?

    private static let most = 64
    static let patience: Duration = .seconds(3)

    /// The log has come to this one.
    mutating func add(_ checkpoint: SignedCheckpoint, at now: ContinuousClock.Instant) {
        guard checkpoint.head != all.last?.checkpoint.head else { return }
        all.append(Signed(checkpoint: checkpoint, since: now))
        guard all.count > Self.most, let first = all.first?.checkpoint.head else { return }
        all.removeFirst()
        if first == offered { offered = nil }
    }

    /// What a witness is to cosign now; nil: it has, and waits for others, or there is nothing yet.
    mutating func offer(to witness: VerifierKey, at now: ContinuousClock.Instant) -> SignedCheckpoint? {
        guard let newest = all.last else { return nil }
        var current = all.first { $0.checkpoint.head == offered } ?? newest
        if isDone(current, at: now) { current = newest }
        offered = current.checkpoint.head
        return current.checkpoint.isCosigned(by: witness) ? nil : current.checkpoint
    }

    /// What everybody is shown; nil: none is known.
    func served(at now: ContinuousClock.Instant) -> SignedCheckpoint? {
        (all.last { isDone($0, at: now) } ?? all.first)?.checkpoint
    }

    /// Adds a cosignature, which was verified.
    ///
    /// - Returns: The checkpoint with it; nil: of one that is not known any more.
    mutating func add(_ line: NoteSignature, to head: TreeHead) throws -> SignedCheckpoint? {
        guard let place = all.lastIndex(where: { $0.checkpoint.head == head }) else { return nil }
        let known = all[place].checkpoint
        guard !known.note.signatures.contains(where: { $0.name == line.name && $0.id == line.id }) else { return known }
        all[place].checkpoint = try known.adding([line])
        return all[place].checkpoint
    }

    /// Newest first.
    var newestFirst: [SignedCheckpoint] { all.reversed().map(\.checkpoint) }

    private func isDone(_ signed: Signed, at now: ContinuousClock.Instant) -> Bool {
        cosigners.allSatisfy(signed.checkpoint.isCosigned) || now - signed.since >= Self.patience
    }
}

extension SignedCheckpoint {
    /// Whether a line of that key stands on it.
    func isCosigned(by key: VerifierKey) -> Bool { note.signatures.contains { $0.name == key.name && $0.id == key.id } }
}
