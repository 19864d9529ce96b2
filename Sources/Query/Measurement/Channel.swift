import DifferentialPrivacy
import Tables

/// What is measured: a vector over the groups, exact before noise. Aggregates that need the same one share it.
enum Quantity: Sendable, Hashable {
    case rows
    case nonNull(Expression)
    case units
    /// `isCentred`: the middle of the bounds is taken off each value, since its count is measured too (rule 21).
    case sum(Expression, isCentred: Bool)
    /// Squares of the centred values.
    case squares(Expression)
    case histogram(Expression, [Double])
    case quantile(Expression, QuantileRank)
}

/// The law of an additive noise on integers.
enum NoiseLaw: Sendable, Hashable {
    case gaussian(sigma: Double)
    case laplace(scale: Double)
    /// Each of so many sites adds a discrete Gaussian share of that parameter (`DistributedGaussian`): what is added here is one share.
    case share(sigma: Double, parties: Int)
    /// Nothing that a unit contributes changes the vector.
    case none
}

/// A quantity with its grid and noise, as planned.
struct Channel: Sendable, Hashable {
    /// Where a quantile is searched.
    struct QuantileGrid: Sendable, Hashable {
        var lower: Double
        var upper: Double
        var step: Double
        var points: Int
        /// Of the choice that is the answer, in one group.
        var epsilon: Double
        /// Of each of the two choices between which the interval lies.
        var bracketEpsilon: Double
        /// By how many ranks they aim below and above: with 97.5 % each, whatever the data, the quantile is not beyond.
        var offset: Int64
        /// Both of them; nil where points are chosen from noisy counts.
        var bracketEvent: PrivacyEvent?
        /// Half a step where values lie between grid points, else 0: how far a value may be from its grid point.
        var slack: Double
        /// Whether its ends are bounds to which values beyond were clipped when they were read.
        var clips = ClippedEnds()

        /// The values between which the quantile lies, given the points of both brackets.
        func interval(_ pick: QuantilePick) -> ConfidenceInterval {
            // Two choices that missed may lie the wrong way round; beyond the grid's last point lies what was rounded to it.
            let (first, last) = (Swift.min(pick.lower, pick.upper), Swift.max(pick.lower, pick.upper))
            return ConfidenceInterval(
                lower: Swift.max(lower, value(first) - slack),
                upper: last == points - 1 ? upper : Swift.min(upper, value(last) + slack))
        }

        /// Whether one of the choices is an end at which values were clipped: how far beyond it they were, nobody knows.
        func isClipped(_ pick: QuantilePick) -> Bool {
            let picked = [pick.point, pick.lower, pick.upper]
            return clips.below && picked.contains(0) || clips.above && picked.contains(points - 1)
        }

        func value(_ point: Int) -> Double { lower + step * Double(point) }
    }

    var quantity: Quantity
    /// The measure of the specification; nil: the unit counts by which keys were selected.
    var slot: Int?
    var grid: FixedPointGrid?
    var noise: NoiseLaw = .none
    var quantile: QuantileGrid?
    /// Of its noise, or of the choice that is the answer; nil where nothing is charged: it is answered by the selection of
    /// keys.
    var event: PrivacyEvent?
    /// Of a quantile that is read off the noisy counts of another one, of the same values: that one's channel.
    var counts: Int?
    /// How wide the noise is, in steps, for intervals of 95 %.
    var error: IntegerError = .none

    /// All that it is charged for.
    var events: [PrivacyEvent] { [event, quantile?.bracketEvent].compactMap(\.self) }

    /// What one step of the integers is worth.
    var unit: Double {
        if case .squares = quantity { return (grid?.step ?? 1) * (grid?.step ?? 1) }
        return grid?.step ?? 1
    }

    mutating func setNoise(_ gaussian: DiscreteGaussian) {
        noise = .gaussian(sigma: gaussian.sigma)
        error = IntegerError(gaussian, confidence: 0.95)
    }

    mutating func setNoise(_ laplace: DiscreteLaplace) {
        noise = .laplace(scale: laplace.scale)
        error = IntegerError(laplace, confidence: 0.95)
    }

    /// - Parameter parties: How many shares are in the sum.
    mutating func setNoise(_ shared: DistributedGaussian, parties: Int) throws(MechanismError) {
        noise = .share(sigma: shared.share.sigma, parties: parties)
        error = IntegerError(try shared.sum(shares: parties), confidence: 0.95)
    }

    static let tooMuchNoise = QueryError(
        "the budget of this question is too small to measure anything", hint: "Give it a larger epsilon or rho.")

    /// The measure that computes it.
    var measure: Measure? {
        switch quantity {
        case .rows: Measure(.rows)
        case .nonNull(let expression): Measure(.nonNull(expression))
        case .units: Measure(.units)
        case .sum(let expression, _): grid.map { Measure(.sum(expression, $0)) }
        case .squares(let expression): grid.map { Measure(.sumOfSquares(expression, $0)) }
        case .histogram(let expression, let edges): Measure(.histogram(expression, edges: edges))
        case .quantile(let expression, _):
            quantile.map {
                Measure(
                    .gridValues(expression, lower: $0.lower, step: $0.step, points: $0.points), rowsPerGroup: 1)
            }
        }
    }

    /// The mechanism in words.
    var words: String {
        let measured =
            switch quantity {
            case .rows: "the number of rows"
            case .nonNull: "the number of values"
            case .units: slot == nil ? "the unit counts that selected the keys" : "the number of units"
            case .sum(_, let isCentred): isCentred ? "the sum around the middle of its bounds" : "the sum"
            case .squares: "the sum of squares around the middle of its bounds"
            case .histogram: "the number of values in each bin"
            case .quantile: quantile.map { "the number of values at each of \($0.points) points" } ?? "the quantile"
            }
        let deviation = Self.digits(error.variance.squareRoot() * unit)
        switch noise {
        case .gaussian: return "discrete Gaussian noise of standard deviation \(deviation) on \(measured)"
        case .laplace: return "discrete Laplace noise of standard deviation \(deviation) on \(measured)"
        case .share(_, let parties):
            return
                "discrete Gaussian noise of standard deviation \(deviation) on \(measured), a share from each of \(parties) sites"
        case .none:
            guard let quantile else { return "no noise: no unit changes \(measured)" }
            return "exponential mechanism of epsilon \(Self.digits(quantile.epsilon)) a group on a grid of "
                + "\(quantile.points) points, its interval between two more of epsilon "
                + "\(Self.digits(quantile.bracketEpsilon)) that aim \(quantile.offset) ranks below and above it"
        }
    }

    /// Four significant digits.
    static func digits(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return "\(value)" }
        let magnitude = abs(value)
        if magnitude >= 1e7 || magnitude < 1e-4 {
            var exponent = 0
            var scaled = magnitude
            while scaled >= 10 {
                scaled /= 10
                exponent += 1
            }
            while scaled < 1 {
                scaled *= 10
                exponent -= 1
            }
            return "\(value < 0 ? "-" : "")\(ScalarFunctions.round(scaled, digits: 3))e\(exponent)"
        }
        var decimals = 3
        var power = 10.0
        while power <= magnitude {
            power *= 10
            decimals -= 1
        }
        while magnitude * 10 < power, magnitude < 1, decimals < 8 {
            power /= 10
            decimals += 1
        }
        let rounded = ScalarFunctions.round(value, digits: Swift.max(decimals, 0))
        return rounded == rounded.rounded() && abs(rounded) >= 1 ? "\(Int64(rounded))" : "\(rounded)"
    }
}
