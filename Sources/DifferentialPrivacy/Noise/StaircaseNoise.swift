/// Staircase noise on the integers: of all epsilon-differentially private noises that one adds to a whole number, the
/// ones with the least expected magnitude and variance are of this form (Geng and Viswanath 2014, theorem 8; Geng,
/// Kairouz, Oh and Viswanath 2015). Worth it for epsilon above one or so and a sensitivity above one; with sensitivity 1
/// it is discrete Laplace noise.
///
/// The law: with `b = exp(-epsilon)`, a magnitude `k sensitivity + j`, j below the sensitivity, has a probability in
/// proportion to `b^k` for j below `step`, and to `b^(k + 1)` from there on.
///
/// Privacy: epsilon-differential privacy for one integer that one unit changes by at most `sensitivity`. Probabilities do
/// not rise with the magnitude, a magnitude larger by one sensitivity has exactly b times the probability, and a shift
/// by s changes a magnitude by at most s. For several integers changed by one unit, epsilons add up (discrete Laplace
/// noise, scaled to the L1 norm, is then the better choice).
///
/// The draw is exact: k is geometric (`GeometricNoise`), and j uniform on one of the two stairs, chosen by their exact
/// weights (`WeightedChoice`). Words drawn depend on the draw alone.
public struct StaircaseNoise: Sendable {
    /// What adding a draw costs, pure.
    public let epsilon: Double
    /// The largest change of the integer by one privacy unit: the width of a step.
    public let sensitivity: Int64
    /// How many offsets are on the upper stair: from 1 to the sensitivity.
    public let step: Int64
    private let stairs: GeometricNoise
    private let choice: WeightedChoice
    private let parts: [WeightedChoice.Item]

    /// `step`: without one, that of the least expected magnitude, next to `sensitivity / (1 + exp(epsilon / 2))`. Throws
    /// unless epsilon is from 2^-40 to 2^20, the sensitivity from 1 to 2^40, and the step from 1 to the sensitivity.
    public init(epsilon: Double, sensitivity: Int64, step: Int64? = nil) throws(MechanismError) {
        guard (0x1p-40...0x1p20).contains(epsilon) else {
            throw .parameter("epsilon", expected: "a number from 2^-40 to 2^20")
        }
        guard (1...(1 << 40)).contains(sensitivity) else {
            throw .parameter("sensitivity", expected: "a number from 1 to 2^40")
        }
        if let step, !(1...sensitivity).contains(step) {
            throw .parameter("step", expected: "a number from 1 to the sensitivity")
        }
        stairs = try GeometricNoise(scale: min(0x1p40, OutwardRounding.up(1 / epsilon)))
        guard let exact = Dyadic(stairs.scale) else { throw .parameter("epsilon", expected: "a positive number") }
        choice = WeightedChoice(
            rate: ExponentRate(numerator: 1, divisors: [exact.significand], shift: -exact.exponent))
        self.epsilon = epsilon
        self.sensitivity = sensitivity
        let chosen = step ?? Self.bestStep(sensitivity, scale: stairs.scale)
        parts = [
            .init(shortfall: 0, count: chosen.magnitude),
            .init(shortfall: 1, count: (sensitivity - chosen).magnitude),
        ]
        self.step = chosen
    }

    private static func bestStep(_ sensitivity: Int64, scale: Double) -> Int64 {
        let ratio = 1 / (1 + OutwardRounding.exponential(0.5 / scale))
        let lower = min(max(1, Int64((Double(sensitivity) * ratio).rounded(.down))), sensitivity)
        let upper = min(lower + 1, sensitivity)
        func magnitude(_ step: Int64) -> Double {
            StaircaseLaw(scale: scale, sensitivity: Double(sensitivity), step: Double(step)).expectedMagnitude
        }
        return magnitude(upper) < magnitude(lower) ? upper : lower
    }

    /// One draw.
    public func sample<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        while true {
            let stair = stairs.sample(using: &generator)
            let offset = offset(using: &generator)
            let isNegative = generator.next() & 1 == 1
            // Zero has one sign.
            if stair == 0 && offset == 0 && isNegative { continue }
            let magnitude = Int128(stair) * Int128(sensitivity) + Int128(offset)
            return Int64(clamping: isNegative ? -magnitude : magnitude)
        }
    }

    private func offset<R: RandomNumberGenerator>(using generator: inout R) -> Int64 {
        let part = choice.select(parts, using: &generator)
        let within = Int64(generator.next(upperBound: parts[part].count))
        return part == 0 ? within : step + within
    }

    /// Adds an independent draw to each value. A sum beyond Int64 becomes its bound.
    public func add<R: RandomNumberGenerator>(to values: inout [Int64], using generator: inout R) {
        for index in values.indices {
            let noise = sample(using: &generator)
            let (sum, overflows) = values[index].addingReportingOverflow(noise)
            values[index] = overflows ? (noise > 0 ? .max : .min) : sum
        }
    }

    /// What happens when it is added to one integer of that sensitivity.
    public var event: PrivacyEvent { .pure(epsilon: epsilon) }

    private var law: StaircaseLaw {
        StaircaseLaw(scale: stairs.scale, sensitivity: Double(sensitivity), step: Double(step))
    }

    /// The law's variance.
    public var variance: Double { law.variance }

    /// P(X = x), to a `Double`'s precision.
    public func probability(_ x: Int64) -> Double {
        law.probability(
            stair: Int64(x.magnitude / sensitivity.magnitude), offset: Int64(x.magnitude % sensitivity.magnitude))
    }

    /// The least h with P(|X| <= h) >= confidence, rounding the probability outwards.
    public func halfWidth(confidence: Double) -> Int64 {
        let outside = 1 - confidence
        guard outside > 0 else { return .max }
        let law = law
        // 1 - confidence is at least 2^-53: within 40 stairs of scale 1.
        let stairs = Int64(40 * self.stairs.scale) + 2
        let (largest, overflows) = sensitivity.multipliedReportingOverflow(by: stairs)
        return leastInteger(in: 0...(overflows ? .max : largest)) { h in
            OutwardRounding.up(law.tail(stair: h / sensitivity, offset: h % sensitivity)) * (1 + 0x1p-40) <= outside
        }
    }
}

/// Sums of the staircase law, for error laws: never for draws.
private struct StaircaseLaw {
    let scale: Double
    let sensitivity: Double
    let step: Double
    /// `b` and `1 - b`.
    private let ratio: Double
    private let fall: Double
    /// The weight of one stair, in units of its first offset's.
    private let stair: Double
    /// P(X = 0).
    private let first: Double

    init(scale: Double, sensitivity: Double, step: Double) {
        self.scale = scale
        self.sensitivity = sensitivity
        self.step = step
        fall = OutwardRounding.complementOfExponential(1 / scale)
        ratio = OutwardRounding.exponential(-1 / scale)
        stair = step + ratio * (sensitivity - step)
        first = fall / (2 * stair - fall)
    }

    func probability(stair: Int64, offset: Int64) -> Double {
        first * OutwardRounding.exponential(-Double(stair) / scale) * (Double(offset) < step ? 1 : ratio)
    }

    /// P(|X| > k sensitivity + j).
    func tail(stair k: Int64, offset j: Int64) -> Double {
        let beyond = Double(j) + 1
        let rest = max(0, step - beyond) + ratio * (sensitivity - max(step, beyond))
        return 2 * first * OutwardRounding.exponential(-Double(k) / scale) * (rest + ratio * stair / fall)
    }

    /// Sums of `b^k k^n` over k, for n = 0, 1, 2.
    private var stairSums: (zeroth: Double, first: Double, second: Double) {
        (1 / fall, ratio / (fall * fall), ratio * (1 + ratio) / (fall * fall * fall))
    }

    /// Sums of the weights times j, and times j^2, over a stair's offsets.
    private var offsetSums: (first: Double, second: Double) {
        func sum(_ n: Double) -> (Double, Double) { (n * (n - 1) / 2, (n - 1) * n * (2 * n - 1) / 6) }
        let (upper, all) = (sum(step), sum(sensitivity))
        return (upper.0 + ratio * (all.0 - upper.0), upper.1 + ratio * (all.1 - upper.1))
    }

    var expectedMagnitude: Double {
        let (k, j) = (stairSums, offsetSums)
        return 2 * first * (sensitivity * stair * k.first + j.first * k.zeroth)
    }

    var variance: Double {
        let (k, j) = (stairSums, offsetSums)
        let squares = sensitivity * sensitivity * stair * k.second
        let products = 2 * sensitivity * j.first * k.first
        return 2 * first * (squares + products + j.second * k.zeroth)
    }
}
