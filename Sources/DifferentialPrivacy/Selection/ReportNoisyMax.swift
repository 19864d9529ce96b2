/// Report noisy max: adds noise to every utility and tells which is largest (Dwork and Roth 2014, section 3.3).
///
/// Which noise:
/// - exponential: that is `PermuteAndFlip`, which draws the same law (Ding et al. 2021) and is best for one answer;
/// - Laplace (`init(epsilon:sensitivity:change:)`): also tells the winner's lead, for nothing;
/// - Gaussian (`init(sigma:sensitivitySquared:)`): where one unit changes all utilities together by little, as the
///   groups of a histogram, whose noisy values may then all be told. Gumbel noise is `ExponentialMechanism`.
///
/// Ties. Noise on integers ties with positive probability, and theorems about continuous noise do not cover that. Here
/// every candidate has a place in an order that does not depend on the utilities (drawn anew for each choice, so that no
/// candidate is favoured), and of equals the first in the order wins. With the other candidates' noise held fixed, j
/// wins if its noise is at least an integer `T_j = max over the others i of (noisy_i + [i goes before j]) - u_j`.
///
/// Privacy, Laplace. Between neighbours `T_j` moves by at most 2 sensitivities (the maximum by one, `u_j` by one), or
/// one where all utilities change in one direction. A shift of the noise by s costs `exp(s / scale)` at each point, and
/// moving j's noise along with `T_j` keeps both the winner and its lead `noise - T_j >= 0`: hence
/// `spread sensitivity / scale`-differential privacy for winner and lead together ("noisy max with gap": Ding,
/// Wang, Xiao, Zhang and Kifer 2023; here with ties), by the exact law of `DiscreteLaplace`.
///
/// Privacy, Gaussian. All noisy values are an output of the Gaussian mechanism; the winner is post-processing. No
/// sensitivity of the maximum is used: no proof is known that makes the winner alone cheaper in zCDP than the bounded
/// range of the exponential mechanism does.
///
/// The words drawn do not depend on the utilities.
public struct ReportNoisyMax: Sendable {
    private enum Noise: Sendable {
        case laplace(DiscreteLaplace)
        case gaussian(DiscreteGaussian)
    }

    private let noise: Noise
    /// What happens when it chooses once.
    public let event: PrivacyEvent

    /// Laplace noise for integer utilities that one unit changes by at most `sensitivity`. Throws unless epsilon is
    /// positive and the scale `spread sensitivity / epsilon` from 2^-20 to 2^40.
    public init(
        epsilon: Double, sensitivity: Int64 = 1, change: UtilityChange = .anyDirection
    ) throws(MechanismError) {
        guard sensitivity >= 1 else { throw .parameter("sensitivity", expected: "a positive number") }
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive number") }
        // The quotient errs by two roundings of 2^-53; it is moved by 2^-45.
        let scale = OutwardRounding.up(Double(change.spread) * Double(sensitivity).nextUp / epsilon)
        noise = .laplace(try DiscreteLaplace(scale: scale))
        event = .pure(epsilon: epsilon)
    }

    /// Gaussian noise for utilities that one unit changes by at most that squared L2 norm in all.
    public init(sigma: Double, sensitivitySquared: Double) throws(MechanismError) {
        guard sensitivitySquared > 0 && sensitivitySquared.isFinite else {
            throw .parameter("squared sensitivity", expected: "a positive number")
        }
        let gaussian = try DiscreteGaussian(sigma: sigma)
        noise = .gaussian(gaussian)
        event = gaussian.event(sensitivitySquared: sensitivitySquared)
    }

    /// The winner, and its lead over the next.
    public struct Winner: Sendable, Hashable {
        /// The winner's place among the utilities.
        public var index: Int
        /// By how much the winner's noisy utility exceeds what it needed to win: the difference to the runner-up's, less
        /// one where the runner-up would have won a tie. nil for the only candidate.
        public var lead: Int64?
    }

    /// The winner. Throws unless there is a candidate.
    public func select<R: RandomNumberGenerator>(
        utilities: [Int64], using generator: inout R
    ) throws(MechanismError) -> Winner {
        guard !utilities.isEmpty else { throw .parameter("utilities", expected: "at least one") }
        // Sums are wider than the utilities, so that none is moved by a bound.
        let noisy = utilities.map { Int128($0) + Int128(sample(using: &generator)) }
        let ranks = Self.randomOrder(utilities.count, using: &generator)
        func precedes(_ a: Int, _ b: Int) -> Bool {
            noisy[a] != noisy[b] ? noisy[a] > noisy[b] : ranks[a] < ranks[b]
        }
        var (first, second) = (0, Int?.none)
        for candidate in utilities.indices.dropFirst() {
            if precedes(candidate, first) {
                (first, second) = (candidate, first)
            } else if second.map({ precedes(candidate, $0) }) ?? true {
                second = candidate
            }
        }
        let lead = second.map { other in
            Int64(clamping: noisy[first] - noisy[other] - (ranks[other] < ranks[first] ? 1 : 0))
        }
        return Winner(index: first, lead: lead)
    }

    private func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        switch noise {
        case .laplace(let noise): noise.sample(using: &generator)
        case .gaussian(let noise): noise.sample(using: &generator)
        }
    }

    /// A uniform order (Fisher and Yates; Durstenfeld 1964): each candidate's place.
    static func randomOrder<R: RandomNumberGenerator>(_ count: Int, using generator: inout R) -> [Int] {
        var order = Array(0..<count)
        for index in order.indices.dropLast() {
            let other = index + Int(generator.next(upperBound: UInt64(count - index)))
            order.swapAt(index, other)
        }
        return order
    }
}
