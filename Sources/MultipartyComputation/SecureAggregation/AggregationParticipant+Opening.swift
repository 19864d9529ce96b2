public import Crypto
internal import Foundation

extension AggregationParticipant {
    /// Round 3: takes the set of those whose whole masked vectors the coordinator has, and signs it. One set, once and for all.
    ///
    /// A second call with the same set gives the same signature. Throws `order` before an input is bound, `anotherSet`, `malformed` for a set that is not
    /// ascending or has one in it who did not share, `ownMessageChanged` where this participant is not in it, `tooFew`, `tooFewNeighbours`.
    public mutating func confirm(
        survivors: [Int], identity: Curve25519.Signing.PrivateKey
    ) throws(AggregationError) -> SurvivorSignature {
        if let confirmed = state.confirmed {
            guard confirmed.survivors == survivors else { throw .anotherSet(participant: index) }
            return confirmed.confirmation
        }
        let shared = try shared(for: "confirm")
        guard let received = state.received, state.input != nil else {
            throw .order("confirm", expected: "an input that was bound and masked before it")
        }
        guard identity.publicKey.rawRepresentation == session.roster[index] else {
            throw .identityOfAnother(participant: index)
        }
        try check(survivors, shared, received)
        let bytes = SurvivorSignature.signedBytes(session, survivors: survivors)
        let confirmation = SurvivorSignature(
            sender: index, signature: try Self.sign(bytes, identity, participant: index))
        state.confirmed = Confirmed(survivors: survivors, confirmation: confirmation)
        return confirmation
    }

    private func check(
        _ survivors: [Int], _ shared: Shared, _ received: [ReceivedShare]
    ) throws(AggregationError) {
        guard zip(survivors, survivors.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw .malformed(participant: index, round: .confirm, expected: "survivors in ascending order")
        }
        let advertised = Set(shared.advertised)
        let neighbours = Set(shared.neighbours.map(\.index))
        let senders = Set(received.map(\.owner))
        for survivor in survivors where survivor != index {
            guard advertised.contains(survivor) && (!neighbours.contains(survivor) || senders.contains(survivor)) else {
                throw .malformed(
                    participant: survivor, round: .confirm,
                    expected: "survivors whose shares came to participant \(index)")
            }
        }
        guard survivors.contains(index) else { throw .ownMessageChanged(participant: index, round: .mask) }
        guard survivors.count >= session.threshold else {
            throw .tooFew(round: .mask, count: survivors.count, needed: session.threshold)
        }
        let near = survivors.count { senders.contains($0) } + 1
        guard near >= session.shareThreshold else {
            throw .tooFewNeighbours(of: index, round: .mask, count: near, needed: session.shareThreshold)
        }
    }

    /// Round 4: takes signatures of survivors on the set that this participant signed too, and opens its shares: of the mask key of each neighbour who left,
    /// of the seed of each who stayed, never of both. It then erases its own keys.
    ///
    /// As many signatures as the threshold are verified, those of the least places; what comes beyond is not looked at. A second call with the same set
    /// gives the same message. Throws `order`, `anotherSet`, `tooFew`, `badSignature`.
    public mutating func unmask(
        survivors: [Int], confirmations: [SurvivorSignature]
    ) throws(AggregationError) -> UnmaskMessage {
        let shared = try shared(for: "unmask")
        guard let confirmed = state.confirmed, let received = state.received else {
            throw .order("unmask", expected: "confirm before it")
        }
        guard confirmed.survivors == survivors else { throw .anotherSet(participant: index) }
        if let reply = state.reply { return reply }
        let staying = Set(survivors)
        try check(confirmations, of: survivors, staying)
        var maskKeyShares: [OpenedShare] = []
        var seedShares = [OpenedShare(owner: index, value: shared.ownSeedShare.data)]
        for share in received {
            if staying.contains(share.owner) {
                seedShares.append(OpenedShare(owner: share.owner, value: share.seedShare.data))
            } else {
                maskKeyShares.append(OpenedShare(owner: share.owner, value: share.maskKeyShare.data))
            }
        }
        let reply = UnmaskMessage(
            sender: index, maskKeyShares: maskKeyShares, seedShares: seedShares.sorted { $0.owner < $1.owner })
        state.reply = reply
        state.keys = nil
        state.received = received.map {
            ReceivedShare(owner: $0.owner, maskKeyShare: SecretBytes(Data()), seedShare: SecretBytes(Data()))
        }
        return reply
    }

    /// As many as the threshold have signed the set, those of the least places.
    private func check(
        _ confirmations: [SurvivorSignature], of survivors: [Int], _ staying: Set<Int>
    ) throws(AggregationError) {
        var looked: [SurvivorSignature] = []
        for confirmation in confirmations.sorted(by: { $0.sender < $1.sender })
        where looked.count < session.threshold && looked.last?.sender != confirmation.sender {
            looked.append(confirmation)
        }
        let (bytes, session) = (SurvivorSignature.signedBytes(session, survivors: survivors), session)
        let signers = looked
        let valid = inParallel(signers.count, threads: ProcessInfo.processInfo.activeProcessorCount) { place in
            let signer = signers[place]
            return staying.contains(signer.sender)
                && session.isSigned(bytes, by: signer.sender, signature: signer.signature)
        }
        if let place = valid.firstIndex(of: false) {
            throw .badSignature(participant: signers[place].sender, round: .confirm)
        }
        guard signers.count >= session.threshold else {
            throw .tooFew(round: .confirm, count: signers.count, needed: session.threshold)
        }
    }
}
