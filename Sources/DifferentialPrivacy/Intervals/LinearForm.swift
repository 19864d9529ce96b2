/// A sum of noisy integers with known factors, and a constant: what is exact about its noise stays exact.
struct LinearForm: Sendable, Hashable {
    struct Term: Sendable, Hashable {
        var channel: Int
        /// The bin of a histogram; 0 for everything else.
        var bin = 0
        var coefficient: Double
    }

    var terms: [Term]
    var constant = 0.0

    init(_ terms: [Term] = [], constant: Double = 0) {
        self.terms = terms
        self.constant = constant
    }

    func scaled(_ factor: Double) -> LinearForm {
        LinearForm(
            terms.map { Term(channel: $0.channel, bin: $0.bin, coefficient: $0.coefficient * factor) },
            constant: constant * factor)
    }

    static func + (left: LinearForm, right: LinearForm) -> LinearForm {
        var sum = left
        sum.constant += right.constant
        for term in right.terms {
            if let known = sum.terms.firstIndex(where: { $0.channel == term.channel && $0.bin == term.bin }) {
                sum.terms[known].coefficient += term.coefficient
            } else {
                sum.terms.append(term)
            }
        }
        return sum
    }

    static func - (left: LinearForm, right: LinearForm) -> LinearForm { left + right.scaled(-1) }

    /// Its value, given the noisy integers.
    func value(_ noisy: (Term) -> Int64) -> Double {
        terms.reduce(constant) { $0 + $1.coefficient * Double(noisy($1)) }
    }

    /// Its value where all factors are whole; nil where they are not, or it does not fit.
    func integer(_ noisy: (Term) -> Int64) -> Int64? {
        guard var total = Int64(exactly: constant) else { return nil }
        for term in terms {
            guard let factor = Int64(exactly: term.coefficient) else { return nil }
            let (product, overflow) = factor.multipliedReportingOverflow(by: noisy(term))
            let (sum, carry) = total.addingReportingOverflow(product)
            guard !overflow, !carry else { return nil }
            total = sum
        }
        return total
    }
}

/// How an aggregate is estimated from what was measured.
enum EstimateForm: Sendable, Hashable {
    case linear(LinearForm)
    /// A mean: moved into the public bounds of what is averaged, null where the noisy count is below one.
    case mean(sum: LinearForm, count: LinearForm, lower: Double, upper: Double)
    /// From sums around a centre: `squares / count - (sum / count)^2`.
    case spread(sum: LinearForm, squares: LinearForm, count: LinearForm, largest: Double, isRoot: Bool)
    case quantile(channel: Int)
    case histogram(channel: Int)
}
