#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What is predicted, with its declared bounds.
public enum RegressionFamily: Sendable, Hashable {
    /// A number within these bounds, to which it is clipped: least squares.
    case linear(lower: Double, upper: Double)
    /// 0 or 1, with a logistic curve; other responses are null.
    case logistic
    /// A count from 0 to `largest`, to which it is clipped, with an exponential curve; what is no whole number is null.
    case poisson(largest: Int)
}

/// The curve of a logistic or Poisson regression: of a row's linear predictor, what is expected and how steeply that rises,
/// in units in which a residual is from -1 to 1.
struct ResponseCurve: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case logistic
        /// Counts above `cap` become it, and slopes above `steepest`, at most the cap, that.
        case poisson(cap: Int, steepest: Int)
    }

    let kind: Kind

    struct Point {
        /// What is expected, over the bound of residuals.
        var mean: Double
        /// Its derivative by the linear predictor, over the same bound: at most ``slopeBound``.
        var slope: Double
    }

    /// The largest magnitude of a residual.
    var residualBound: Double {
        switch kind {
        case .logistic: return 1
        case .poisson(let cap, _): return Double(cap)
        }
    }

    /// At most so much is a point's slope.
    var slopeBound: Double {
        switch kind {
        case .logistic: return 0.25
        case .poisson(let cap, let steepest): return Double(steepest) / Double(cap)
        }
    }

    /// The response in units of residuals; nil where it is null.
    @inline(__always)
    func response(_ value: Double) -> Double? {
        switch kind {
        case .logistic: return value == 0 || value == 1 ? value : nil
        case .poisson(let cap, _):
            guard value >= 0, value == value.rounded(), value.isFinite else { return nil }
            return min(value, Double(cap)) / Double(cap)
        }
    }

    @inline(__always)
    func point(_ predictor: Double) -> Point {
        switch kind {
        case .logistic:
            let odds = exp(-abs(predictor))
            let rare = odds / (1 + odds)
            return Point(mean: predictor > 0 ? 1 - rare : rare, slope: rare / (1 + odds))
        case .poisson(let cap, _):
            var point = Self.capped(Self.mean(predictor), cap)
            point.slope = min(point.slope, slopeBound)
            return point
        }
    }

    static func logarithm(_ x: Double) -> Double { log(x) }

    /// A Poisson variable's mean.
    static func mean(_ predictor: Double) -> Double { exp(min(predictor, 40)) }

    /// `E min(Y, cap)` for a Poisson variable of mean mu is `mu P(Y < cap) + cap P(Y > cap)`, and its derivative by log mu is
    /// `mu P(Y < cap)`.
    private static func capped(_ mu: Double, _ cap: Int) -> Point {
        let bound = Double(cap)
        let reach = 10 * mu.squareRoot() + 16
        if mu + reach < bound { return Point(mean: mu / bound, slope: mu / bound) }
        if mu - reach > bound { return Point(mean: 1, slope: 0) }
        // The probabilities from `reach` below mu on, of what matters.
        var count = max(0, (mu - reach).rounded(.down))
        var mass = count == 0 ? exp(-mu) : exp(count * log(mu) - mu - GammaFunction.logarithm(count + 1))
        var below = 0.0
        while count < bound {
            below += mass
            count += 1
            mass *= mu / count
        }
        below = min(below, 1)
        // `mass` is now that of the cap.
        let above = max(0, 1 - below - mass)
        return Point(mean: min(1, mu * below / bound + above), slope: min(1, mu * below / bound))
    }
}
