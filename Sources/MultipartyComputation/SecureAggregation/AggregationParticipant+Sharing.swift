internal import Crypto
internal import Foundation
internal import Secrets

extension AggregationParticipant {
    /// Round 1: takes all advertisements and gives shares of this participant's mask key and seed, encrypted for each of its neighbours.
    ///
    /// A second call with the same advertisements gives the same message. Throws `notInRoster`, `malformed`, `badSignature` (another session's
    /// advertisement, say), `conflicting`, `repeatedKey`, `ownMessageChanged`, `tooFew` below the session's threshold, `tooFewNeighbours`, `order` for other
    /// advertisements than the first time.
    public mutating func share(_ advertisements: [Advertisement]) throws(AggregationError) -> ShareMessage {
        var random = SecureRandom()
        return try share(advertisements, using: &random)
    }

    mutating func share<R: RandomNumberGenerator>(
        _ advertisements: [Advertisement], using generator: inout R
    ) throws(AggregationError) -> ShareMessage {
        let sorted = advertisements.sorted { $0.sender < $1.sender }
        let digest = Self.digest(sorted, session)
        if let shared = state.shared {
            guard shared.digest == digest else {
                throw .order("share", expected: "the advertisements of the first time")
            }
            return shared.message
        }
        try Self.check(sorted, session)
        guard sorted.contains(advertisement) else { throw .ownMessageChanged(participant: index, round: .advertise) }
        let neighbours = try neighbours(sorted)
        let made = try encryptedShares(for: neighbours, using: &generator)
        let message = ShareMessage(sender: index, shares: made.shares)
        state.shared = Shared(
            digest: digest, advertised: sorted.map(\.sender), neighbours: neighbours, message: message,
            ownSeedShare: made.ownSeedShare)
        state.receivingKeys = made.receivingKeys
        return message
    }

    private func neighbours(_ sorted: [Advertisement]) throws(AggregationError) -> [Neighbour] {
        let neighbourhoods = Neighbourhoods(session, sorted)
        let near = Set(neighbourhoods.neighbours(of: index))
        guard near.count + 1 >= session.shareThreshold else {
            throw .tooFewNeighbours(of: index, round: .advertise, count: near.count + 1, needed: session.shareThreshold)
        }
        return sorted.filter { near.contains($0.sender) }.map {
            Neighbour(index: $0.sender, encryptionKey: $0.encryptionKey, maskKey: $0.maskKey)
        }
    }

    private func encryptedShares<R: RandomNumberGenerator>(
        for neighbours: [Neighbour], using generator: inout R
    ) throws(AggregationError) -> (shares: [EncryptedShare], receivingKeys: [SecretBytes], ownSeedShare: SecretBytes) {
        let keys = try keys(for: "share")
        let sharing = SecretSharing(threshold: session.shareThreshold)
        let points = neighbours.map { SecretSharing.point($0.index) } + [SecretSharing.point(index)]
        let maskShares = sharing.split(keys.mask.data, points: points, using: &generator)
        let seedShares = sharing.split(keys.seed.data, points: points, using: &generator)
        let own = try Self.agreementKey(keys.encryption, participant: index)
        var shares: [EncryptedShare] = []
        var receivingKeys: [SecretBytes] = []
        for (place, neighbour) in neighbours.enumerated() {
            let pair = try PairKeys.encryption(
                own, of: index, peer: (neighbour.index, neighbour.encryptionKey), session: session.digest)
            shares.append(try seal(maskShares[place] + seedShares[place], for: neighbour, pair.sending))
            receivingKeys.append(SecretBytes(pair.receiving.withUnsafeBytes { Data($0) }))
        }
        return (shares, receivingKeys, SecretBytes(seedShares[neighbours.count]))
    }

    /// What all, participants and the coordinator, check of the advertisements, sorted by sender.
    static func check(_ sorted: [Advertisement], _ session: AggregationSession) throws(AggregationError) {
        guard sorted.count >= session.threshold else {
            throw .tooFew(round: .advertise, count: sorted.count, needed: session.threshold)
        }
        // The signatures are three quarters of a participant's time.
        let wrong = inParallel(sorted.count, threads: ProcessInfo.processInfo.activeProcessorCount) { place in
            do throws(AggregationError) {
                try sorted[place].verify(session)
                return AggregationError?.none
            } catch {
                return error
            }
        }
        var seen = Set<Data>()
        for (place, advertisement) in sorted.enumerated() {
            if let error = wrong[place] { throw error }
            guard place == 0 || sorted[place - 1].sender != advertisement.sender else {
                throw .conflicting(participant: advertisement.sender, round: .advertise)
            }
            guard seen.insert(advertisement.encryptionKey).inserted && seen.insert(advertisement.maskKey).inserted
            else {
                throw .repeatedKey(participant: advertisement.sender)
            }
        }
    }

    private static func digest(_ sorted: [Advertisement], _ session: AggregationSession) -> Data {
        var bytes = CanonicalBytes("advertisements")
        bytes.append(sorted.count)
        for advertisement in sorted {
            bytes.append(advertisement.signedBytes(session).data)
            bytes.append(advertisement.signature)
        }
        return bytes.digest
    }

    /// The nonce is random: a participant that lost its state and shares again would use a fixed one twice under one key.
    private func seal(
        _ shares: Data, for neighbour: Neighbour, _ key: SymmetricKey
    ) throws(AggregationError) -> EncryptedShare {
        let associated = Self.associatedData(session, from: index, to: neighbour.index)
        guard let box = try? ChaChaPoly.seal(shares, using: key, authenticating: associated) else {
            throw .badKey(participant: neighbour.index)
        }
        return EncryptedShare(sender: index, receiver: neighbour.index, box: box.combined)
    }

    private static func associatedData(_ session: AggregationSession, from sender: Int, to receiver: Int) -> Data {
        var bytes = CanonicalBytes("share")
        bytes.append(session.digest)
        bytes.append(sender)
        bytes.append(receiver)
        return bytes.data
    }
}

extension AggregationParticipant {
    /// Round 2, first half: takes the shares that neighbours made for this participant. Whose shares came are those with whom it masks.
    ///
    /// A second call must bring the same senders, and changes nothing. Throws `order`, `malformed` (a share that is not for this participant, or from who is
    /// no neighbour, or comes twice), `cannotDecrypt` with who it claims to be from, `tooFewNeighbours`.
    public mutating func receive(_ shares: [EncryptedShare]) throws(AggregationError) {
        let shared = try shared(for: "receive")
        let sorted = shares.sorted { $0.sender < $1.sender }
        if let received = state.received {
            guard received.map(\.owner) == sorted.map(\.sender) else {
                throw .order("receive", expected: "shares of the senders of the first time")
            }
            return
        }
        guard let keys = state.receivingKeys, keys.count == shared.neighbours.count else {
            throw .order("receive", expected: "share before it")
        }
        let places = Dictionary(
            shared.neighbours.indices.map { (shared.neighbours[$0].index, $0) }, uniquingKeysWith: { first, _ in first }
        )
        var received: [ReceivedShare] = []
        for (place, share) in sorted.enumerated() {
            guard let neighbour = places[share.sender], share.receiver == index,
                place == 0 || sorted[place - 1].sender != share.sender, share.box.count == EncryptedShare.length
            else {
                throw .malformed(
                    participant: share.sender, round: .share,
                    expected:
                        "one share of \(EncryptedShare.length) bytes from a neighbour of participant \(index), for it")
            }
            received.append(try open(share, SymmetricKey(data: keys[neighbour].data)))
        }
        guard received.count + 1 >= session.shareThreshold else {
            throw .tooFewNeighbours(of: index, round: .share, count: received.count + 1, needed: session.shareThreshold)
        }
        state.received = received
        state.receivingKeys = nil
    }

    private func open(_ share: EncryptedShare, _ key: SymmetricKey) throws(AggregationError) -> ReceivedShare {
        guard let box = try? ChaChaPoly.SealedBox(combined: share.box),
            let opened = try? ChaChaPoly.open(
                box, using: key, authenticating: Self.associatedData(session, from: share.sender, to: index)),
            opened.count == 64
        else { throw .cannotDecrypt(sender: share.sender, receiver: index) }
        return ReceivedShare(
            owner: share.sender, maskKeyShare: SecretBytes(Data(opened.prefix(32))),
            seedShare: SecretBytes(Data(opened.suffix(32))))
    }
}
