/// Unary encoding: a device's category as one bit for each category, every bit randomised by itself. For many categories
/// its estimates are better than randomised response's, whose noise grows with their number.
///
/// - Symmetric (basic RAPPOR: Erlingsson, Pihur and Korolova 2014): every bit is told truly with odds of
///   `exp(epsilon / 2)` to 1.
/// - Optimised (OUE: Wang, Blocki, Li and Jha 2017): the device's own bit is set with probability 1/2, each other with
///   `1 / (exp(epsilon) + 1)`. The least variance for rare categories, `4 exp(epsilon) / (exp(epsilon) - 1)^2` a report.
///
/// Privacy: epsilon-locally differentially private. The encodings of two categories differ in two bits, whose
/// probabilities change by factors of `p / q` and `(1 - q) / (1 - p)` at most; the product is `exp(epsilon / 2)^2` for the
/// symmetric and `(1 - q) / q = exp(epsilon)` for the optimised form. Bits are exact (`ExponentialBernoulli`). A report
/// takes one word a bit, and more with a probability below 2^-57 a bit.
public struct UnaryEncoding: Sendable {
    /// Which of the two probabilities above a bit has.
    public enum Form: Sendable, Hashable {
        /// Every bit is told truly with one probability: basic RAPPOR.
        case symmetric
        /// OUE: the least variance for rare categories.
        case optimized
    }

    /// What one report costs: local differential privacy.
    public let epsilon: Double
    /// The number of categories, and of bits.
    public let categories: Int
    /// The form that was chosen.
    public let form: Form
    /// Heads with probability `1 / (1 + exp(x))`.
    private let coin: ExponentialBernoulli
    private let bounds: (lower: UInt128, upper: UInt128)

    /// Throws unless epsilon is from 2^-40 to 2^20 and there are from 2 to 2^31 categories.
    public init(epsilon: Double, categories: Int, form: Form = .optimized) throws(MechanismError) {
        guard (2...(1 << 31)).contains(categories) else {
            throw .parameter("categories", expected: "a number from 2 to 2^31")
        }
        // The symmetric form has epsilon / 2 a bit.
        let rate = try ExponentRate.selection(
            epsilon: epsilon, sensitivity: 1, change: form == .symmetric ? .anyDirection : .oneDirection)
        coin = ExponentialBernoulli(rate: rate, form: .logistic)
        bounds = coin.bounds(1)
        self.epsilon = epsilon
        self.categories = categories
        self.form = form
    }

    /// What happens when a device reports once.
    public var event: PrivacyEvent { .pure(epsilon: epsilon) }

    /// The report: a bit for each category. Throws unless the category is from 0 to `categories - 1`.
    public func report<R: RandomNumberGenerator>(
        _ category: Int, using generator: inout R
    ) throws(MechanismError) -> [Bool] {
        guard (0..<categories).contains(category) else {
            throw .parameter("category", expected: "a number below the number of categories")
        }
        return (0..<categories).map { bit in
            let isOwn = bit == category
            if isOwn && form == .optimized { return generator.next() & 1 == 1 }
            // Heads: the bit is told wrongly.
            return coin.sample(bounds, 1, using: &generator) != isOwn
        }
    }

    /// The probabilities of a set bit: the device's own, and any other.
    public var frequencies: ReportFrequencies {
        let x = form == .symmetric ? epsilon / 2 : epsilon
        let heads = 1 / (1 + OutwardRounding.exponential(x))
        return ReportFrequencies(
            ofTruth: form == .symmetric ? 1 - heads : 0.5, ofOther: heads, categories: categories)
    }
}
