#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a composed law is asked, which decides how it is tilted.
enum LossQuery {
    case delta(epsilon: Double)
    case epsilon(delta: Double)
}

/// How a composition is tilted, and the window of losses that is computed.
///
/// Convolution by Fourier transforms has errors relative to the largest masses, yet small deltas live in the tail. So all
/// masses are multiplied by exp(theta loss) and divided by their sum M, which commutes with convolution, and the result is
/// multiplied back: theta moves the tilted law's bulk to where the answer is (a Chernoff tilt; the order of the best Rényi
/// bound is theta + 1). Errors become relative to the Chernoff bound there.
struct LossTilt {
    let theta: Double
    /// The window's points: `lowest` to `lowest + count - 1`, times the step.
    let lowest: Int
    let count: Int

    /// Aim at a mass outside the window, in the tilted law, of 2^-40 at either end.
    private static let logOutside = 40 * 0.69314718055994530942

    init(_ moments: LossMoments, step: Double, query: LossQuery) {
        let rough = moments.gathered()
        // Beyond 2/step one grid point would outweigh all others.
        let top = log(min(1e6, 2 / step))
        let theta = LossMoments.leastPlace(log(1e-3), top, steps: 20) { theta in
            let logarithm = rough.logarithm(theta) + Self.logPeak(theta)
            switch query {
            case .delta(let epsilon): return logarithm - theta * epsilon
            case .epsilon(let delta): return (logarithm - log(delta)) / theta
            }
        }
        let atTheta = rough.logarithm(theta)
        func margin(_ s: Double) -> Double { (rough.logarithm(theta + s) - atTheta + Self.logOutside) / abs(s) }
        let right = LossMoments.leastPlace(log(1e-3), top, steps: 16) { margin($0) }
        let left = LossMoments.leastPlace(log(1e-3), top, steps: 16) { margin(-$0) }
        let least = moments.laws.reduce(0) { $0 + $1.times * Double($1.masses.first) }
        let most = moments.laws.reduce(0) { $0 + $1.times * Double($1.masses.first + $1.masses.masses.count - 1) }
        // Gathering moved the sums by less than the standard deviation of its rounding; the true tails are bounded later.
        let high = min(most, (margin(right) / step).rounded(.up) + 64)
        let low = max(least, (-margin(-left) / step).rounded(.down) - 64)
        self.theta = theta
        lowest = Int(max(-0x1p52, min(low, high)))
        count = Int(min(0x1p52, max(1, high - low + 1)))
    }

    /// ln of the largest value of exp(-theta x) (1 - exp(-x)) over x > 0.
    static func logPeak(_ theta: Double) -> Double {
        guard theta > 0 else { return 0 }
        return theta * log(theta) - (1 + theta) * log1p(theta)
    }
}

/// The composition of laws on a grid, tilted, on a window: `values[i]` approximates the composed mass at loss
/// `(lowest + i) step`, times `exp(theta loss - logScale)`.
struct LossComposition {
    let step: Double
    let theta: Double
    let lowest: Int
    var values: [Double]
    /// ln of the moment at theta: what the tilted masses were divided by.
    let logScale: Double
    /// A bound on the sum of absolute errors of all values: transforms, and what lies outside the window and wraps around.
    let error: Double
    /// A bound on the logarithm of the values' common relative error.
    let logError: Double
    /// The probability that a loss is infinite.
    let infinite: Double

    /// `transform` must be at least `tilt.count` long.
    ///
    /// The error of the transforms. With coefficients z of a tilted law, |z| <= 1, computed to within e
    /// (`RealFourierTransform.forwardError`), |z^T - computed z^T| <= T e (|z| + e)^(T-1), plus 3 u relative for each product in
    /// taking powers; over several laws, the sum of these times the other laws' magnitudes. Let E be the 2-norm over all
    /// coefficients of these bounds: by Parseval's formula, E / sqrt(N) is that of the values' error, and by Cauchy and Schwarz's
    /// inequality E bounds the sum of absolute errors. The inverse transform adds its own relative error likewise.
    ///
    /// Wrapping: a cyclic convolution adds to each point the masses at distances of N. At most the tilted mass outside the
    /// window wraps into it, and it is missing outside. Markov's inequality for exp(s loss) bounds it by the exact
    /// moments at theta + s, for the s with which the window was chosen.
    init(_ moments: LossMoments, tilt: LossTilt, transform: RealFourierTransform) {
        let step = moments.laws[0].masses.step
        let theta = tilt.theta
        let product = SpectrumProduct(moments, theta: theta, transform: transform)
        let all = transform.inverse(product.spectrum)
        let start = tilt.lowest
        let count = transform.count
        let shift = ((start % count) + count) % count
        values = Array(all[shift...]) + Array(all[..<shift])
        self.step = step
        self.theta = theta
        lowest = start
        logScale = product.logScale
        let outside = Self.outside(moments, theta: theta, logScale: logScale, lowest: start, count: count)
        error = product.error + transform.inverseError * product.norm * 1.01 + outside + 1e-280
        logError = product.logError
        var finite = 0.0
        for (law, times) in moments.laws { finite += times * log1p(-min(law.infinite, 1 - 0x1p-53)) }
        let isCertain = moments.laws.contains { $0.masses.infinite >= 1 && $0.times > 0 }
        infinite = isCertain ? 1 : -expm1(finite)
    }

    private static func outside(
        _ moments: LossMoments, theta: Double, logScale: Double, lowest: Int, count: Int
    ) -> Double {
        let step = moments.laws[0].masses.step
        let least = moments.laws.reduce(0) { $0 + $1.times * Double($1.masses.first) }
        let most = moments.laws.reduce(0) { $0 + $1.times * Double($1.masses.first + $1.masses.masses.count - 1) }
        let highest = Double(lowest + count - 1)
        var bound = 0.0
        let rough = moments.gathered()
        let start = rough.logarithm(theta)
        for (sign, end, isWithin) in [
            (1.0, highest, most <= highest), (-1.0, Double(lowest), least >= Double(lowest)),
        ] where !isWithin {
            // The s is found roughly; the bound uses exact moments.
            let s = LossMoments.leastPlace(log(1e-3), log(min(1e6, 2 / step)), steps: 16) {
                rough.logarithm(theta + sign * $0) - start - sign * $0 * end * step
            }
            let exact = moments.logarithm(theta + sign * s) - logScale - sign * s * end * step
            bound += exp(min(0, exact)) * 1.001
        }
        return bound
    }
}
