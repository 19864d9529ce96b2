internal import Crypto
internal import Foundation

/// What came out of a session.
public struct AggregationResult: Sendable, Hashable {
    /// A share that does not lie with the right ones.
    public struct WrongShare: Sendable, Hashable, Codable {
        /// Who opened it: it opened another share than it was given, or
        public let holder: Int
        /// whose secret it is of: it gave the holder another share than the polynomial's. Which of both, shares alone do not tell; one who is on a side
        /// of many is the one.
        public let owner: Int
    }

    /// The sum of the participants' inputs modulo 2^k, an entry each.
    public let sum: [UInt64]
    /// Whose inputs are in it, ascending.
    public let participants: [Int]
    /// Shares that were wrong; the sum is right all the same.
    public let wrongShares: [WrongShare]
}

extension AggregationCoordinator {
    /// Ends round 4: reconstructs the survivors' seeds and the mask keys of those who left, verifies each against what its owner advertised, takes the masks
    /// off the sum and gives it. A sum that the caller does not use again is worked on in place.
    ///
    /// Time: the masks of survivors, and of each pair of one who left with a neighbour who stayed. With wrong shares, see ``AggregationResult/wrongShares``.
    ///
    /// - Parameter threads: How many of them derive and expand masks; the result does not depend on it.
    /// - Throws: `order`, `parameter` for another sum than the one whose members were signed, `tooFew`, `tooFewNeighbours`, `cannotReconstruct` where wrong
    ///   shares are too many (which are wrong cannot be told then).
    public func open(_ sum: consuming MaskedSum, threads: Int = 2) throws(AggregationError) -> AggregationResult {
        guard round == .unmask else { throw .order("open", expected: "opened shares of survivors before it") }
        guard sum.isOf(session) && sum.isWhole && sum.members == state.survivors else {
            throw .parameter("masked sum", expected: "the one whose members the survivors signed")
        }
        guard state.replies.count >= session.threshold else {
            throw .tooFew(round: .unmask, count: state.replies.count, needed: session.threshold)
        }
        var opening = Opening(self)
        let streams = try opening.streams(threads: threads)
        sum.remove(streams, mask: session.modulusMask, threads: threads)
        return AggregationResult(sum: sum.values, participants: state.survivors, wrongShares: opening.wrongShares)
    }
}

/// One opening: the secrets, and which shares were wrong.
private struct Opening {
    let coordinator: AggregationCoordinator
    var wrongShares: [AggregationResult.WrongShare] = []
    /// Who opened a wrong share before is asked last.
    private var suspects = Set<Int>()
    private var decoding: ShareDecoding
    private var session: AggregationSession { coordinator.session }

    init(_ coordinator: AggregationCoordinator) {
        self.coordinator = coordinator
        decoding = ShareDecoding(threshold: coordinator.session.shareThreshold)
    }

    /// The masks to take off: minus each survivor's own, and minus what each survivor has of a pair with one who left.
    mutating func streams(threads: Int) throws(AggregationError) -> [MaskStream] {
        let staying = Set(coordinator.state.survivors)
        var held: (keys: [Int: [(holder: Int, value: Data)]], seeds: [Int: [(holder: Int, value: Data)]]) = ([:], [:])
        for reply in coordinator.state.replies.values.sorted(by: { $0.sender < $1.sender }) {
            for share in reply.maskKeyShares { held.keys[share.owner, default: []].append((reply.sender, share.value)) }
            for share in reply.seedShares { held.seeds[share.owner, default: []].append((reply.sender, share.value)) }
        }
        var streams: [MaskStream] = []
        var pairs: [Pair] = []
        for owner in coordinator.sharers {
            guard let advertisement = coordinator.state.advertisements[owner] else { continue }
            if staying.contains(owner) {
                let digest = session.digest
                let seed = try reconstruct(owner, held.seeds[owner] ?? []) { seed in
                    SecretBytes(advertisement.commitment).isEqual(
                        PairKeys.commitment(seed, participant: owner, session: digest))
                }
                let key = PairKeys.ownMask(seed, participant: owner, session: session.digest)
                streams.append(MaskStream(key: key, modulusBits: session.modulusBits, isNegative: true))
            } else {
                let near = (coordinator.neighbourhoods?.neighbours(of: owner) ?? []).filter { staying.contains($0) }
                guard !near.isEmpty else { continue }
                let secret = try reconstruct(owner, held.keys[owner] ?? []) { secret in
                    (try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secret))?.publicKey.rawRepresentation
                        == advertisement.maskKey
                }
                let key = try AggregationParticipant.agreementKey(SecretBytes(secret), participant: owner)
                for peer in near {
                    guard let other = coordinator.state.advertisements[peer] else { continue }
                    pairs.append(Pair(key: key, owner: owner, peer: peer, peerKey: other.maskKey))
                }
            }
        }
        return streams + (try masks(pairs, threads: threads))
    }

    private struct Pair {
        let key: Curve25519.KeyAgreement.PrivateKey
        let owner: Int
        let peer: Int
        let peerKey: Data
    }

    private func masks(_ pairs: [Pair], threads: Int) throws(AggregationError) -> [MaskStream] {
        let (digest, bits) = (session.digest, session.modulusBits)
        let found = inParallel(pairs.count, threads: threads) { place -> MaskStream? in
            let pair = pairs[place]
            let key = try? PairKeys.mask(pair.key, of: pair.owner, peer: (pair.peer, pair.peerKey), session: digest)
            // The survivor added its mask if its place is the lesser one.
            return key.map { MaskStream(key: $0, modulusBits: bits, isNegative: pair.peer < pair.owner) }
        }
        var streams: [MaskStream] = []
        for (stream, pair) in zip(found, pairs) {
            guard let stream else { throw .badKey(participant: pair.peer) }
            streams.append(stream)
        }
        return streams
    }

    private mutating func reconstruct(
        _ owner: Int, _ shares: [(holder: Int, value: Data)], isRight: (Data) -> Bool
    ) throws(AggregationError) -> Data {
        guard shares.count >= session.shareThreshold else {
            throw .tooFewNeighbours(of: owner, round: .unmask, count: shares.count, needed: session.shareThreshold)
        }
        let sorted = shares.filter { !suspects.contains($0.holder) } + shares.filter { suspects.contains($0.holder) }
        let points = sorted.map { (point: SecretSharing.point($0.holder), value: $0.value) }
        guard let decoded = decoding.decode(points, isRight: isRight) else {
            throw .cannotReconstruct(owner: owner, shares: shares.count, needed: session.shareThreshold)
        }
        for place in decoded.wrong {
            wrongShares.append(AggregationResult.WrongShare(holder: sorted[place].holder, owner: owner))
            suspects.insert(sorted[place].holder)
        }
        return decoded.secret
    }
}
