public import DifferentialPrivacy
internal import ModularArithmetic
public import SecureComputation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// How much a release may tell of one row, whichever it is.
public struct JointPrivacy: Sendable, Hashable {
    /// Zero-concentrated privacy of the whole release, all steps together.
    public let rho: Double
    /// For the epsilon that is told with it.
    public let delta: Double

    /// - Parameters:
    ///   - rho: Above 0, at most 64.
    ///   - delta: Above 2^-50, below 1.
    /// - Throws: ``SecureStatisticsError/task(_:expected:)``.
    public init(rho: Double, delta: Double) throws(SecureStatisticsError) {
        guard rho > 0, rho <= 64, delta > 0x1p-50, delta < 1 else {
            throw .task("rho or delta", expected: "rho above 0 up to 64, delta from 2^-50 to 1")
        }
        (self.rho, self.delta) = (rho, delta)
    }

    func append(to bytes: inout CanonicalBytes) {
        bytes.append(rho)
        bytes.append(delta)
    }
}

/// The noise of a release: which, how much, and what it promises.
///
/// **Mechanism.** In each step a vector of integers, of which one row changes at most ``sensitivity`` in L2 norm, is added to draws of the exact discrete Gaussian: each owner's own, put in as shares, with the full
/// ``sigma``. **Privacy.** Against whoever sees the result, and any one party or the dealer besides: draws of at least one honest owner are independent of all that is known, so that each step is sensitivity^2 / (2 sigma^2)-zCDP
/// (Canonne, Kamath and Steinke 2020, theorem 4) for what follows from it, whatever steps before gave, and all steps together have the sum (Bun and Steinke 2016, lemma 2.3). Neighbours are tables of the same public
/// capacities of which one has a row that is absent in the other (add or remove one row): its numbers are noughts, the one that says that it is present among them. Where columns are divided, whose rows are all present, that is what is protected beside a public
/// number of rows. What a colluding owner knows of its own draws takes nothing from that.
///
/// **Its price.** An outsider could do with one owner's noise: of k owners the sum's deviation is sqrt(k) times as large (``deviationFactor``).
///
/// **Held to a bound.** A draw is an input, held to ``bound``. That any of the release's draws is beyond has a probability of at most ``clampingProbability``, below 2^-60, so that the release is (epsilon, delta + (1 + e^epsilon)
/// clampingProbability)-private; the epsilon here is for a delta that is smaller by that.
public struct JointNoise: Sendable, Hashable {
    /// Neighbouring tables: one has a row that is absent in the other, the capacities are the same.
    public let neighbours = NeighbourRelation.addOrRemove
    /// In integers of the noise's grid: the most that one row changes a step's vector in L2 norm, rounding included.
    public let sensitivity: Double
    /// The discrete Gaussian's parameter, in the same integers: of each owner.
    public let sigma: Double
    /// How many integers a step has.
    public let dimension: Int
    /// How many steps.
    public let steps: Int
    /// Who draws.
    public let owners: [ComputingParty]
    /// The largest magnitude of a draw that is put in.
    public let bound: Int64
    /// At most so likely is any draw beyond the bound.
    public let clampingProbability: Double
    /// Zero-concentrated privacy of all steps, beside ``clampingProbability``.
    public let rho: Double
    /// The epsilon of rho at ``delta``.
    public let epsilon: Double
    /// The whole delta, clamping included.
    public let delta: Double

    /// How much larger the deviation is than that of one owner's noise: the square root of the number of owners.
    public var deviationFactor: Double { Double(owners.count).squareRoot() }
    /// The standard deviation of the sum of all owners' draws, in the grid's integers.
    public var deviation: Double { sigma * deviationFactor }

    init(
        _ privacy: JointPrivacy, sensitivity: Double, dimension: Int, steps: Int, owners: [ComputingParty]
    ) throws(SecureStatisticsError) {
        // Upwards, whatever the square's rounding.
        let squared = (sensitivity * sensitivity).nextUp
        let gaussian = try noising { () throws(MechanismError) in
            try DiscreteGaussian(
                sensitivitySquared: squared,
                loss: try PrivacyLoss(roundingDownRho: privacy.rho / Double(steps)))
        }
        (self.sensitivity, self.dimension, self.steps, self.owners) = (sensitivity, dimension, steps, owners)
        sigma = gaussian.sigma
        let draws = Double(dimension) * Double(steps) * Double(owners.count)
        var deviations = 9.0
        func beyond(_ bound: Int64) -> Double { 2 * draws * gaussian.upperTail(bound + 1) * (1 + 0x1p-40) }
        func held(_ deviations: Double) -> Int64 { Int64((deviations * gaussian.sigma).rounded(.up)) + 1 }
        while beyond(held(deviations)) >= 0x1p-60 { deviations += 0.5 }
        bound = held(deviations)
        clampingProbability = beyond(bound)
        let step = try noising { () throws(MechanismError) in
            try gaussian.event(sensitivitySquared: squared).loss(kind: .zeroConcentrated).value
        }
        rho = step * Double(steps)
        delta = privacy.delta
        // At half of delta epsilon is larger, so that what clamping adds, (1 + e^epsilon) times its probability, is bounded by it there.
        let larger = Conversion.epsilon(rho: rho, delta: privacy.delta / 2)
        let clamped = (1 + exp(larger)) * clampingProbability
        epsilon =
            clamped <= privacy.delta / 2 ? Conversion.epsilon(rho: rho, delta: privacy.delta - clamped) : .infinity
    }

    /// One owner's draws of all steps: [steps, dimension].
    func draws(using generator: inout some RandomNumberGenerator) throws(SecureStatisticsError) -> RingTensor {
        let gaussian = try noising { () throws(MechanismError) in try DiscreteGaussian(sigma: sigma) }
        let words = (0..<steps * dimension).map { _ in
            UInt64(bitPattern: min(max(gaussian.sample(using: &generator), -bound), bound))
        }
        return try tensor([steps, dimension], words)
    }

    /// Steps that take all owners' draws and add them up: for each step of the release a value of the shape [dimension].
    func inputs(_ builder: inout ProgramBuilder) throws(ComputationError) -> [Value] {
        var given: [(value: Value, factor: Int64)] = []
        for owner in owners {
            given.append((try builder.input(from: owner, shape: [steps, dimension], bound: bound), 1))
        }
        let sum = try builder.combined(given)
        var values: [Value] = []
        for step in 0..<steps {
            values.append(
                try builder.gathered(
                    sum, places: Array(step * dimension..<(step + 1) * dimension), shape: [dimension]))
        }
        return values
    }
}
