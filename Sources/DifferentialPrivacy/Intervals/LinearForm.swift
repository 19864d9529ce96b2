/// A sum of noisy integers with known factors, and a constant: what is exact about its noise stays exact.
///
/// The integers are numbered by whoever released them, each with a noise of its own. Two forms that share a number share
/// its noise.
public struct LinearForm: Sendable, Hashable {
    /// A factor times one of the integers.
    public struct Term: Sendable, Hashable {
        /// The integer's number, from 0.
        public var number: Int
        /// The factor.
        public var coefficient: Double

        /// A factor times the integer of that number.
        public init(number: Int, coefficient: Double) {
            self.number = number
            self.coefficient = coefficient
        }
    }

    /// At most one for each integer.
    public private(set) var terms: [Term]
    /// What is added to the terms; it has no noise.
    public var constant: Double

    /// The constant alone.
    public init(constant: Double = 0) {
        terms = []
        self.constant = constant
    }

    /// One of the integers, times a factor.
    public init(number: Int, coefficient: Double = 1) {
        terms = [Term(number: number, coefficient: coefficient)]
        constant = 0
    }

    /// The form times a number.
    public func scaled(_ factor: Double) -> LinearForm {
        var form = LinearForm(constant: constant * factor)
        form.terms = terms.map { Term(number: $0.number, coefficient: $0.coefficient * factor) }
        return form
    }

    /// The sum; an integer that both have gets the sum of its factors.
    public static func + (left: LinearForm, right: LinearForm) -> LinearForm {
        var sum = left
        sum.constant += right.constant
        for term in right.terms {
            if let known = sum.terms.firstIndex(where: { $0.number == term.number }) {
                sum.terms[known].coefficient += term.coefficient
            } else {
                sum.terms.append(term)
            }
        }
        return sum
    }

    /// The difference, term by term.
    public static func - (left: LinearForm, right: LinearForm) -> LinearForm { left + right.scaled(-1) }

    /// Its value.
    ///
    /// - Parameter noisy: the noisy integer of a number.
    public func value(_ noisy: (Int) -> Int64) -> Double {
        terms.reduce(constant) { $0 + $1.coefficient * Double(noisy($1.number)) }
    }

    /// Its value where all factors are whole; nil where they are not, or it does not fit in 64 bits.
    ///
    /// - Parameter noisy: the noisy integer of a number.
    public func integer(_ noisy: (Int) -> Int64) -> Int64? {
        guard var total = Int64(exactly: constant) else { return nil }
        for term in terms {
            guard let factor = Int64(exactly: term.coefficient) else { return nil }
            let (product, overflow) = factor.multipliedReportingOverflow(by: noisy(term.number))
            let (sum, carry) = total.addingReportingOverflow(product)
            guard !overflow, !carry else { return nil }
            total = sum
        }
        return total
    }

    /// The form with its value.
    ///
    /// - Parameter noisy: the noisy integer of a number.
    public func estimate(_ noisy: (Int) -> Int64) -> LinearEstimate {
        LinearEstimate(form: self, value: value(noisy))
    }
}

/// A linear form of noisy integers, and its value at those that were released.
public struct LinearEstimate: Sendable, Hashable {
    /// What was computed.
    public var form: LinearForm
    /// Its value at the noisy integers.
    public var value: Double

    /// A form with the value that it has at the released integers.
    public init(form: LinearForm, value: Double) {
        self.form = form
        self.value = value
    }
}
