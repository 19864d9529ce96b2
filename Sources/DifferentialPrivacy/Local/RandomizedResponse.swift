/// Randomised response: a device reports its category, or now and then another one (Warner 1965 for two categories;
/// Kairouz, Oh and Viswanath 2014 for k).
///
/// The report is the truth with odds of `exp(epsilon)` to 1 against each other category:
/// `p = exp(epsilon) / (exp(epsilon) + k - 1)`, and `q = (1 - p) / (k - 1)` for each of the others.
///
/// Privacy: epsilon-locally differentially private: whatever the device's category, the probabilities of any report
/// differ by a factor of `p / q = exp(epsilon)` at most. Neighbours are any two categories of one device. The choice is
/// exact: between weights 1 and `(k - 1) exp(-epsilon)` (`WeightedChoice`). A report takes two words, and more with
/// a probability below 2^-32, whatever the category.
public struct RandomizedResponse: Sendable {
    /// What one report costs: local differential privacy.
    public let epsilon: Double
    /// The number of categories.
    public let categories: Int
    private let choice: WeightedChoice
    private let items: [WeightedChoice.Item]

    /// Throws unless epsilon is from 2^-40 to 2^20 and there are from 2 to 2^31 categories.
    public init(epsilon: Double, categories: Int = 2) throws(MechanismError) {
        guard (2...(1 << 31)).contains(categories) else {
            throw .parameter("categories", expected: "a number from 2 to 2^31")
        }
        choice = WeightedChoice(rate: try .selection(epsilon: epsilon, sensitivity: 1, change: .oneDirection))
        items = [.init(shortfall: 0, count: 1), .init(shortfall: 1, count: UInt64(categories - 1))]
        self.epsilon = epsilon
        self.categories = categories
    }

    /// What happens when a device reports once.
    public var event: PrivacyEvent { .pure(epsilon: epsilon) }

    /// The report. Throws unless the category is from 0 to `categories - 1`.
    public func report<R: RandomNumberGenerator>(
        _ category: Int, using generator: inout R
    ) throws(MechanismError) -> Int {
        guard (0..<categories).contains(category) else {
            throw .parameter("category", expected: "a number below the number of categories")
        }
        let isTruth = choice.select(items, using: &generator) == 0
        // Drawn in any case, so that the words do not tell.
        let other = Int(generator.next(upperBound: UInt64(categories - 1)))
        return isTruth ? category : other + (other >= category ? 1 : 0)
    }

    /// As above, for a yes or no. Throws unless there are two categories.
    public func report<R: RandomNumberGenerator>(
        _ answer: Bool, using generator: inout R
    ) throws(MechanismError) -> Bool {
        guard categories == 2 else { throw .parameter("categories", expected: "two, for a yes or no") }
        return try report(answer ? 1 : 0, using: &generator) == 1
    }

    /// The probabilities of a report of the truth, and of any one other category.
    public var frequencies: ReportFrequencies {
        let other = OutwardRounding.exponential(-epsilon)
        let total = 1 + other * Double(categories - 1)
        return ReportFrequencies(ofTruth: 1 / total, ofOther: other / total, categories: categories)
    }
}
