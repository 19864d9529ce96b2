/// The noise of several released integers, and intervals that hold privacy noise only (docs/privacy.md, rule 22) for sums
/// of them, ratios of such sums and variances.
///
/// One noisy integer has the exact quantile of its noise law. Several are treated as continuous laws of the same family,
/// each widened to its own exact quantile. Ratios invert the test that `numerator - r denominator` has mean zero (Fieller
/// 1954), which is exact for Gaussian noise and keeps its coverage where the denominator may be zero: then the interval
/// is unbounded. A sum of Laplace noises has its own tail, by partial fractions. A variance takes the intervals of its two
/// moments at half of the error each (Bonferroni).
public struct ErrorModel: Sendable, Hashable {
    private let errors: [IntegerError]
    /// nil where laws are mixed: then only sums of one integer have a bounded interval.
    private let law: ErrorLaw?
    private let confidence: Double

    /// - Parameter errors: the noise of each integer, by its number; the noises are independent. Where their confidences
    ///   differ, intervals have the least of them.
    public init(_ errors: [IntegerError]) {
        self.errors = errors
        let laws = Set(errors.compactMap(\.law))
        law = laws.count > 1 ? nil : laws.first ?? .gaussian
        confidence = errors.filter { $0.law != nil }.map(\.confidence).min() ?? 0.95
    }

    /// Of the noise of a form, in the form's unit.
    public func standardDeviation(_ form: LinearForm) -> Double {
        form.terms.reduce(0) { $0 + $1.coefficient * $1.coefficient * errors[$1.number].variance }.squareRoot()
    }

    /// How far the true value of a form is from its noisy one at most, in the form's unit.
    public func halfWidth(_ form: LinearForm) -> Double { halfWidth(form, .full) }

    /// The interval of a form's true value.
    public func interval(_ estimate: LinearEstimate) -> ConfidenceInterval { interval(estimate, .full) }

    /// The interval of the ratio of two forms' true values, which may share integers.
    public func ratio(_ numerator: LinearEstimate, to denominator: LinearEstimate) -> ConfidenceInterval {
        ratio(numerator, denominator, .full)
    }

    /// The interval of `squares / count - (sum / count)^2` of true values, which lies between 0 and `largest`.
    public func variance(
        sum: LinearEstimate, squares: LinearEstimate, count: LinearEstimate, largest: Double
    ) -> ConfidenceInterval {
        .variance(mean: ratio(sum, count, .half), square: ratio(squares, count, .half), largest: largest)
    }

    // MARK: sums

    private enum Level {
        case full
        /// Half of the error probability, for one of two intervals that hold together.
        case half
    }

    private func confidence(_ level: Level) -> Double { level == .full ? confidence : 1 - (1 - confidence) / 2 }

    private func width(_ number: Int, _ level: Level) -> IntegerError.Width {
        level == .full ? errors[number].full : errors[number].half
    }

    private func halfWidth(_ form: LinearForm, _ level: Level) -> Double {
        let terms = form.terms.filter { $0.coefficient != 0 && errors[$0.number].law != nil }
        if terms.isEmpty { return 0 }
        if terms.count == 1 { return abs(terms[0].coefficient) * Double(width(terms[0].number, level).halfWidth) }
        switch law {
        case .gaussian:
            return ErrorLaw.gaussian.quantile(confidence: confidence(level))
                * covariance(form, form, level).squareRoot()
        case .laplace: return laplace(form, level).halfWidth(confidence: confidence(level))
        case nil: return .infinity
        }
    }

    private func interval(_ estimate: LinearEstimate, _ level: Level) -> ConfidenceInterval {
        let half = halfWidth(estimate.form, level)
        return ConfidenceInterval(lower: estimate.value - half, upper: estimate.value + half)
    }

    private func covariance(_ a: LinearForm, _ b: LinearForm, _ level: Level) -> Double {
        a.terms.reduce(0) { total, term in
            guard let other = b.terms.first(where: { $0.number == term.number }) else { return total }
            let parameter = width(term.number, level).parameter
            return total + term.coefficient * other.coefficient * parameter * parameter
        }
    }

    private func laplace(_ form: LinearForm, _ level: Level) -> LaplaceSum {
        LaplaceSum(scales: form.terms.map { abs($0.coefficient) * width($0.number, level).parameter })
    }

    // MARK: ratios

    private func ratio(
        _ numerator: LinearEstimate, _ denominator: LinearEstimate, _ level: Level
    ) -> ConfidenceInterval {
        let divisor = denominator.value
        if denominator.form.terms.allSatisfy({ $0.coefficient == 0 }) {
            guard divisor != 0 else { return .unbounded }
            let quotient = LinearEstimate(form: numerator.form.scaled(1 / divisor), value: numerator.value / divisor)
            return interval(quotient, level)
        }
        switch law {
        case .gaussian: return gaussianRatio(numerator, denominator, level)
        case .laplace: return laplaceRatio(numerator, denominator, level)
        case nil: return .unbounded
        }
    }

    private func gaussianRatio(
        _ numerator: LinearEstimate, _ denominator: LinearEstimate, _ level: Level
    ) -> ConfidenceInterval {
        let z = ErrorLaw.gaussian.quantile(confidence: confidence(level))
        return .ratio(
            numerator: numerator.value, denominator: denominator.value,
            squaredErrors: .init(
                numerator: z * z * covariance(numerator.form, numerator.form, level),
                denominator: z * z * covariance(denominator.form, denominator.form, level),
                product: z * z * covariance(numerator.form, denominator.form, level)))
    }

    private func laplaceRatio(
        _ numerator: LinearEstimate, _ denominator: LinearEstimate, _ level: Level
    ) -> ConfidenceInterval {
        let (a, b) = (numerator.value, denominator.value)
        guard abs(b) > halfWidth(denominator.form, level) else { return .unbounded }
        let outside = 1 - confidence(level)
        func isInside(_ r: Double) -> Bool {
            laplace(numerator.form - denominator.form.scaled(r), level).tail(abs(a - r * b)) > outside
        }
        let center = a / b
        let errors = (halfWidth(numerator.form, level), abs(center) * halfWidth(denominator.form, level))
        let start = max(errors.0, errors.1) / abs(b)
        guard start > 0 else { return ConfidenceInterval(lower: center, upper: center) }
        return ConfidenceInterval(
            lower: Self.boundary(center, -start, isInside), upper: Self.boundary(center, start, isInside))
    }

    /// Where `isInside` ends, from `center` in the direction of `step`; infinite where it does not.
    private static func boundary(_ center: Double, _ step: Double, _ isInside: (Double) -> Bool) -> Double {
        var inner = 0.0
        var outer = step
        for _ in 0..<60 {
            guard isInside(center + outer) else { break }
            inner = outer
            outer *= 2
        }
        guard !isInside(center + outer) else { return step < 0 ? -.infinity : .infinity }
        for _ in 0..<60 {
            let middle = (inner + outer) / 2
            if isInside(center + middle) { inner = middle } else { outer = middle }
        }
        return center + outer
    }
}
