internal import Secrets

/// Makes what two parties need for inner products that neither sees the other's vector of: random vectors a (the sponsor's, one a part) and b (the owner's), and random shares of their
/// inner products, r + s = <a, b> modulo 2^64 (Beaver, "Commodity-based cryptography", 1997; the vector form of a multiplication triple).
///
/// **Who it is.** A party that neither of the two colludes with: the platform's operator, or a referee of the task. It sees no message of either, so that it learns nothing
/// of vectors and totals. With one of the two it would learn the other's vectors.
public struct CorrelationDealer: Sendable {
    private let terms: ValuationTerms

    /// A dealer of this valuation.
    public init(terms: ValuationTerms) { self.terms = terms }

    /// Fresh correlations for one owner, of all rounds, each for its party alone. They serve one valuation once.
    ///
    /// - Parameter noise: By part, what is added to the opened total, in units of 2^-40: none where every update is private by itself; else drawn for ``ScoreNoise``. Neither sponsor
    ///   nor owner knows or chooses it.
    /// - Throws: ``ValuationError/length(_:expected:)`` where there is noise for another number of parts.
    public func deal(
        to owner: PartyName, noise: [Int64]? = nil
    ) throws(ValuationError) -> (sponsor: SponsorCorrelation, owner: OwnerCorrelation) {
        var random = SecureRandom()
        return try deal(to: owner, noise: noise, using: &random)
    }

    func deal(
        to owner: PartyName, noise: [Int64]?, using random: inout some RandomNumberGenerator
    ) throws(ValuationError) -> (sponsor: SponsorCorrelation, owner: OwnerCorrelation) {
        if let noise, noise.count != terms.folds { throw .length(noise.count, expected: terms.folds) }
        let (sponsorKey, ownerKey) = (MaskKey(random: &random), MaskKey(random: &random))
        var corrections: [UInt64] = []
        corrections.reserveCapacity(terms.rounds * terms.folds)
        for round in 0..<terms.rounds {
            let b = ownerKey.expanded(stream: round, count: terms.dimension)
            for fold in 0..<terms.folds {
                let (a, share) = terms.sponsorMask(sponsorKey, round: round, fold: fold)
                corrections.append(ValuationTerms.product(a, b) &- share)
            }
        }
        // The sponsor's half of the noise is random, so that neither half tells what it is.
        let noise = noise ?? [Int64](repeating: 0, count: terms.folds)
        let halves = noise.map { _ in random.next() as UInt64 }
        return (
            SponsorCorrelation(terms: terms.digest, owner: owner, key: sponsorKey, noise: halves),
            OwnerCorrelation(
                terms: terms.digest, owner: owner, key: ownerKey, corrections: corrections,
                noise: zip(noise, halves).map { UInt64(bitPattern: $0) &- $1 })
        )
    }
}

extension ValuationTerms {
    /// The sponsor's mask of a part in a round, and her share of its product with the owner's.
    func sponsorMask(_ key: MaskKey, round: Int, fold: Int) -> (mask: [UInt64], share: UInt64) {
        var words = key.expanded(stream: round * folds + fold, count: dimension + 1)
        let share = words.removeLast()
        return (words, share)
    }

    static func product(_ a: [UInt64], _ b: [UInt64]) -> UInt64 {
        var sum: UInt64 = 0
        for index in 0..<min(a.count, b.count) { sum &+= a[index] &* b[index] }
        return sum
    }
}
