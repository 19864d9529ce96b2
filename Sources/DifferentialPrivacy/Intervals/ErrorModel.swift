/// The noise of several released integers, and intervals that hold privacy noise only (docs/privacy.md, rule 22) for sums
/// of them, ratios of such sums and variances.
///
/// One noisy integer has the exact quantile of its noise law. Several are treated as continuous laws of the same family,
/// each widened to its own exact quantile. Ratios invert the test that `numerator - r denominator` has mean zero (Fieller
/// 1954), which is exact for Gaussian noise and keeps its coverage where the denominator may be zero: then the interval
/// is unbounded. A sum of Laplace noises has its own tail, by partial fractions. A variance is such a ratio too, once the
/// square of its mean is linearised.
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
    public func halfWidth(_ form: LinearForm) -> Double {
        let terms = form.terms.filter { $0.coefficient != 0 && errors[$0.number].law != nil }
        if terms.isEmpty { return 0 }
        if terms.count == 1 { return abs(terms[0].coefficient) * Double(errors[terms[0].number].halfWidth) }
        switch law {
        case .gaussian:
            return ErrorLaw.gaussian.quantile(confidence: confidence)
                * covariance(form, form).squareRoot()
        case .laplace: return laplace(form).halfWidth(confidence: confidence)
        case nil: return .infinity
        }
    }

    /// The interval of a form's true value.
    public func interval(_ estimate: LinearEstimate) -> ConfidenceInterval {
        let half = halfWidth(estimate.form)
        return ConfidenceInterval(lower: estimate.value - half, upper: estimate.value + half)
    }

    /// The interval of the ratio of two forms' true values, which may share integers.
    public func ratio(_ numerator: LinearEstimate, to denominator: LinearEstimate) -> ConfidenceInterval {
        let divisor = denominator.value
        if denominator.form.terms.allSatisfy({ $0.coefficient == 0 }) {
            guard divisor != 0 else { return .unbounded }
            let quotient = LinearEstimate(form: numerator.form.scaled(1 / divisor), value: numerator.value / divisor)
            return interval(quotient)
        }
        switch law {
        case .gaussian: return gaussianRatio(numerator, denominator)
        case .laplace: return laplaceRatio(numerator, denominator)
        case nil: return .unbounded
        }
    }

    /// The interval of the variance `squares / count - (sum / count)^2` of true values, which lies between 0 and `largest`.
    ///
    /// For a variance v, `T(v) = squares - sum^2 / count - v count` is zero but for the noise. With m the noisy mean and e
    /// the noises, `sum^2 / count` moves by `2 m e_sum - m^2 e_count` and a term of second order, so that the noise of T(v)
    /// is that of `(squares - 2 m sum + m^2 count) - v count`: a ratio of two sums, of which the interval holds the v that the
    /// test of T(v) does not reject (as Fieller's, unbounded where the count may be zero). The slope is taken at the noisy
    /// mean, so that where the count is small the second order widens the interval by itself: its own variance is half of
    /// what the mean's error adds to the slope.
    public func variance(
        sum: LinearEstimate, squares: LinearEstimate, count: LinearEstimate, largest: Double
    ) -> ConfidenceInterval {
        guard count.value > 0 else { return .unbounded }
        let mean = sum.value / count.value
        let numerator = LinearEstimate(
            form: squares.form - sum.form.scaled(2 * mean) + count.form.scaled(mean * mean),
            value: squares.value - mean * sum.value)
        let interval = ratio(numerator, to: count)
        return interval.isBounded ? interval.within(0, largest) : .unbounded
    }

    // MARK: sums

    private func covariance(_ a: LinearForm, _ b: LinearForm) -> Double {
        a.terms.reduce(0) { total, term in
            guard let other = b.terms.first(where: { $0.number == term.number }) else { return total }
            let parameter = errors[term.number].parameter
            return total + term.coefficient * other.coefficient * parameter * parameter
        }
    }

    private func laplace(_ form: LinearForm) -> LaplaceSum {
        LaplaceSum(scales: form.terms.map { abs($0.coefficient) * errors[$0.number].parameter })
    }

    // MARK: ratios

    private func gaussianRatio(
        _ numerator: LinearEstimate, _ denominator: LinearEstimate
    ) -> ConfidenceInterval {
        let z = ErrorLaw.gaussian.quantile(confidence: confidence)
        return .ratio(
            numerator: numerator.value, denominator: denominator.value,
            squaredErrors: .init(
                numerator: z * z * covariance(numerator.form, numerator.form),
                denominator: z * z * covariance(denominator.form, denominator.form),
                product: z * z * covariance(numerator.form, denominator.form)))
    }

    private func laplaceRatio(
        _ numerator: LinearEstimate, _ denominator: LinearEstimate
    ) -> ConfidenceInterval {
        let (a, b) = (numerator.value, denominator.value)
        guard abs(b) > halfWidth(denominator.form) else { return .unbounded }
        let outside = 1 - confidence
        func isInside(_ r: Double) -> Bool {
            laplace(numerator.form - denominator.form.scaled(r)).tail(abs(a - r * b)) > outside
        }
        let center = a / b
        let errors = (halfWidth(numerator.form), abs(center) * halfWidth(denominator.form))
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
