/// Bounds on a Poisson law's weights about its mode: on `E(d) = ln(P(m) / P(m + d))` for the mode m, the whole part of the
/// mean. In 64 bits at first, in as many as wanted where 64 do not decide. Integer arithmetic only.
///
/// With k = m + d, u = d / m, w = (mean - m) / m, and Stirling's series `ln k! = (k + 1/2) ln k - k + ln(2 pi)/2 + s(k)`:
///
///     E(d) = ln k! - ln m! - d ln(mean)
///          = d^2/m (1/2 - u/6 + u^2/12 - u^3/20 + ...) + ln(1 + u) / 2 - d ln(1 + w) + s(k) - s(m),
///
/// the first part being `m ((1 + u) ln(1 + u) - u)` without its cancellation. `s(k) = 1/(12 k) - 1/(360 k^3) + ...` is
/// alternating and enveloping: what a partial sum lacks is at most the next term, for every k > 0 (Whittaker and Watson,
/// 12.33). From k = 3072 on, the thirteenth term is below 2^-278.
///
/// E rises on both sides, by ln((m + j) / mean) or ln(mean / (m - j)) from one integer to the next, hence ever faster.
///
/// What is not exact: the law is conditioned on |d| <= m / 4, beyond which the Poisson law has less than
/// 2 exp(-0.0288 mean) < 2^-168 by Chernoff's bound; and a proposal that 320 bits do not decide is rejected, which happens
/// with a probability below 2^-220, since 245 digits of the uniform number are known then and strips have at most 2^24
/// integers. So a draw's law is within 2^-167 of the Poisson law in total variation, for every mean.
struct PoissonExponent: Sendable {
    private let mode: UInt64
    /// The mean less the mode is `fraction * 2^-fractionBits`.
    private let fraction: UInt64
    private let fractionBits: Int
    /// `2^inverseShift / mode`, rounded down, at most 2^64 - 1: short by less than 2^-62 of itself.
    private let inverse: UInt64
    private let inverseShift: Int
    /// `ln(1 + w) * 2^100`, rounded down or at most 2 less.
    private var logarithm: UInt128 = 0
    /// `s(mode) * 2^64`, to 4 units.
    private let correction: UInt64

    /// The means that it is for: from 2^12 to 2^47.
    static let leastMean = 12
    static let largestMean = 47
    static let largestPrecision = 320
    /// Larger magnitudes are left out.
    var reach: UInt64 { mode / 4 }

    /// nil for other means.
    init?(mean: Dyadic) {
        let width = 64 - mean.significand.leadingZeroBitCount + mean.exponent
        guard width > Self.leastMean, width <= Self.largestMean || (width == 48 && mean.significand == 1) else {
            return nil
        }
        fractionBits = max(0, -mean.exponent)
        mode = mean.exponent < 0 ? mean.significand >> UInt64(fractionBits) : mean.significand << UInt64(mean.exponent)
        fraction = mean.exponent < 0 ? mean.significand & ((1 << UInt64(fractionBits)) - 1) : 0
        inverseShift = 63 + width
        inverse = UInt64(clamping: (1 as UInt128) << UInt128(inverseShift) / UInt128(mode))
        correction = Self.correction(mode)
        logarithm = (exactLogarithm(bits: 164) >> 64).low128
    }
}

// MARK: - In 64 bits

extension PoissonExponent {
    /// Terms of the series in u, which is below 1/8 here: what they lack is below 2^-62.
    private static let terms = 20
    /// `floor(2^64 / ((j + 1) (j + 2)))`, and `floor(2^64 / (j + 1))` (2^64 - 1 for j = 0).
    private static let squareTerms = (0..<UInt64(terms)).map { UInt64.max / (($0 + 1) * ($0 + 2)) }
    private static let logarithmTerms = (0..<UInt64(terms)).map { UInt64.max / ($0 + 1) }
    /// `exponent` is right to so many units of 2^-64.
    private static let error: UInt128 = 1 << 16

    /// `E * 2^64` lies in `[lower, lower + spread]`, E being the exponent of the integer that far above the mode, or below;
    /// nil where u >= 1/8 or E is about 1000 or more.
    ///
    /// Errors in units of 2^-64: d^2/m is known to 2 units of 2^-52; both series, Horner's way with two roundings a step and
    /// with a u that is short by at most 2, to 16 units. So the first part is right to `2 * 2^12 * 0.6 + 2^11 * 16` plus
    /// the one rounding of their product, the three others to 24 together: less than 2^16 in all. A test compares with the
    /// bounds of `exactExponent`.
    func exponent(_ distance: UInt64, isNegative: Bool) -> (lower: UInt128, spread: UInt64)? {
        guard distance < min(mode >> 3, 1 << 32) else { return nil }
        let square = (distance * distance).multipliedFullWidth(by: inverse)
        let squareShift = UInt128(inverseShift - 52)
        let ratioQ52 = (UInt128(square.high) << 64 | UInt128(square.low)) >> squareShift
        guard ratioQ52 < 1 << 63 else { return nil }
        let line = distance.multipliedFullWidth(by: inverse)
        let u = UInt64(
            truncatingIfNeeded: (UInt128(line.high) << 64 | UInt128(line.low)) >> UInt128(inverseShift - 64))
        var (first, second) = (0 as UInt64, 0 as UInt64)
        Self.squareTerms.withUnsafeBufferPointer { squareTerms in
            Self.logarithmTerms.withUnsafeBufferPointer { logarithmTerms in
                var j = Self.terms - 1
                while j >= 0 {
                    let (a, b) = (Self.high(u, first), Self.high(u, second))
                    first = isNegative ? squareTerms[j] &+ a : squareTerms[j] &- a
                    // 1 + u/2 + u^2/3 + ... may pass 1: half of it is kept.
                    second = isNegative ? logarithmTerms[j] >> 1 &+ b : logarithmTerms[j] >> 1 &- b
                    j -= 1
                }
            }
        }
        let main = (ratioQ52 * UInt128(first)) >> 52
        let halfLogarithm = UInt128(Self.high(u, second))
        let slope = (UInt128(distance) * logarithm) >> 36
        let end = UInt128(Self.correction(isNegative ? mode - distance : mode + distance))
        var (positive, negative) = (main + end, UInt128(correction))
        if isNegative {
            (positive, negative) = (positive + slope, negative + halfLogarithm)
        } else {
            (positive, negative) = (positive + halfLogarithm, negative + slope)
        }
        let lower = positive > negative + Self.error ? positive - negative - Self.error : 0
        return (lower, UInt64(2 * Self.error))
    }

    /// `s(k) * 2^64`, to 4 units; k is at least 3072.
    private static func correction(_ k: UInt64) -> UInt64 {
        let reciprocal = UInt64.max / k
        return reciprocal / 12 - high(high(reciprocal, reciprocal), reciprocal) / 360
    }

    @inline(__always)
    private static func high(_ a: UInt64, _ b: UInt64) -> UInt64 {
        a.multipliedFullWidth(by: b).high
    }
}

// MARK: - In as many bits as wanted

extension PoissonExponent {
    /// The coefficients of Stirling's series, `B_2i / (2 i (2 i - 1))`, without their alternating signs.
    private static let stirling: [(numerator: UInt64, denominator: UInt64)] = [
        (1, 12), (1, 360), (1, 1260), (1, 1680), (1, 1188), (691, 360_360), (1, 156), (3617, 122_400),
        (43_867, 244_188), (174_611, 125_400), (77_683, 5796), (236_364_091, 1_506_960),
    ]
    private static let guardBits = 96

    /// A difference whose parts are summed apart.
    private struct Signed {
        var positive = Natural.zero
        var negative = Natural.zero

        mutating func add(_ value: Natural, isNegative: Bool) {
            if isNegative { negative = negative + value } else { positive = positive + value }
        }
    }

    /// What `exactExponent` may lack: its roundings, and Stirling's remainders.
    static func exactSpread(bits: Int) -> Natural {
        Natural(4 as UInt64) + Natural.powerOfTwo(max(0, bits - 276))
    }

    /// `g` with `g <= E * 2^bits <= g + exactSpread(bits)`.
    ///
    /// With 96 more bits, each of at most 2000 terms is short by at most 200 units, and the logarithm, times d < 2^46, by
    /// 2^55 in all: less than one unit of 2^-bits.
    func exactExponent(_ distance: UInt64, isNegative: Bool, bits: Int) -> Natural {
        if distance == 0 { return .zero }
        let precision = bits + Self.guardBits
        var sum = Signed()
        // d^j / m^(j - 1) / (j (j - 1)) and d^j / m^j / (2 j).
        var power = ((Natural(distance) * distance) << precision) / mode
        var j: UInt64 = 2
        while !power.isZero {
            sum.add(power / (j * (j - 1)), isNegative: !isNegative && j % 2 == 1)
            power = (power * distance) / mode
            j += 1
        }
        power = (Natural(distance) << precision) / mode
        j = 1
        while !power.isZero {
            sum.add(power / (2 * j), isNegative: isNegative || j % 2 == 0)
            power = (power * distance) / mode
            j += 1
        }
        sum.add(exactLogarithm(bits: precision) * distance, isNegative: !isNegative)
        addCorrection(isNegative ? mode - distance : mode + distance, isNegative: false, precision, to: &sum)
        addCorrection(mode, isNegative: true, precision, to: &sum)
        let exponent = (sum.positive - sum.negative) >> Self.guardBits
        return exponent - (Natural(1 as UInt64) + Natural.powerOfTwo(max(0, bits - 277)))
    }

    /// Adds `s(k) * 2^precision`, or takes it away.
    private func addCorrection(_ k: UInt64, isNegative: Bool, _ precision: Int, to sum: inout Signed) {
        var power = Natural.powerOfTwo(precision) / k
        for (index, term) in Self.stirling.enumerated() {
            let isSubtracted = index % 2 == 1
            sum.add((power * term.numerator) / term.denominator, isNegative: isSubtracted != isNegative)
            power = power / k / k
        }
    }

    /// `ln(1 + w) * 2^bits`, to as many units as the series has terms.
    private func exactLogarithm(bits: Int) -> Natural {
        var sum = Signed()
        var power = (Natural(fraction) << (bits - fractionBits)) / mode
        var j: UInt64 = 1
        while !power.isZero {
            sum.add(power / j, isNegative: j % 2 == 0)
            power = ((power * fraction) >> fractionBits) / mode
            j += 1
        }
        return sum.positive - sum.negative
    }
}
