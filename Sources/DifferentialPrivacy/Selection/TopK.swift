/// The k best of many, in order, chosen one after the other without replacement by the exponential mechanism.
///
/// Durfee and Rogers 2019 (lemma 4.2) show that adding Gumbel noise to all utilities once and taking the k largest has
/// the same law: one pass. The law is drawn here by peeling, exactly and without any noise.
///
/// Privacy: k choices of bounded range epsilon each, composed adaptively (Dong, Durfee and Rogers 2020), which the event
/// says: k epsilon in pure terms, `k epsilon^2 / 8` in zCDP. Candidates are public: every one that could be chosen is
/// given, also those that do not occur in the data.
///
/// The words drawn are one a choice, and another with a probability below 2^-40 (`ExponentialMechanism`).
public struct TopK: Sendable {
    /// The number of choices: k.
    public let count: Int
    private let mechanism: ExponentialMechanism

    /// The best `count`, `epsilon` for each of them. Throws unless the count is positive, and for parameters that
    /// `ExponentialMechanism` refuses.
    public init(
        count: Int, epsilon: Double, sensitivity: Int64 = 1, change: UtilityChange = .anyDirection
    ) throws(MechanismError) {
        guard count > 0 else { throw .parameter("count", expected: "a positive number") }
        self.count = count
        mechanism = try ExponentialMechanism(epsilon: epsilon, sensitivity: sensitivity, change: change)
    }

    /// What each choice may cost.
    public var epsilon: Double { mechanism.epsilon }

    /// How far any of the choices falls short of the best candidate that was left at its turn, at most, with that
    /// confidence for all of them together (a union bound over `ExponentialMechanism.shortfall`).
    public func shortfall(candidates: Int, confidence: Double) -> Double {
        mechanism.shortfall(candidates: candidates, confidence: 1 - (1 - confidence) / Double(count))
    }

    /// What happens: all choices.
    public var event: PrivacyEvent { mechanism.event(times: count) }

    /// The indices of the chosen candidates, first choice first. Throws unless there are at least `count` candidates,
    /// and fewer than 2^32.
    public func select<R: RandomNumberGenerator>(
        utilities: [Int64], using generator: inout R
    ) throws(MechanismError) -> [Int] {
        guard (count..<(1 << 32)).contains(utilities.count) else {
            throw .parameter("utilities", expected: "at least as many as are to be chosen, fewer than 2^32")
        }
        var peeling = Peeling(mechanism.choice, utilities)
        return (0..<count).map { _ in peeling.next(using: &generator) }
    }
}

/// Candidates that remain. Weights are computed once, and again only when all that weighed much are gone.
private struct Peeling {
    private let choice: WeightedChoice
    private let utilities: [Int64]
    private var isChosen: [Bool]
    private var weights: [WeightedChoice.Weight] = []

    init(_ choice: WeightedChoice, _ utilities: [Int64]) {
        self.choice = choice
        self.utilities = utilities
        isChosen = utilities.map { _ in false }
        weigh()
    }

    mutating func next<R: RandomNumberGenerator>(using generator: inout R) -> Int {
        // The place among weights is sure to 64 digits only where they are not all tiny.
        if weights.reduce(0, { $0 + $1.lower }) < 1 << 63 { weigh() }
        let chosen = choice.select(items(), weights: weights, using: &generator)
        isChosen[chosen] = true
        weights[chosen] = (0, 0)
        return chosen
    }

    private mutating func weigh() {
        weights = items().map { $0.count == 0 ? (0, 0) : choice.weight($0) }
    }

    /// All candidates; those that were chosen stand for none.
    private func items() -> [WeightedChoice.Item] {
        let best = zip(utilities, isChosen).lazy.filter { !$0.1 }.map(\.0).max() ?? 0
        return zip(utilities, isChosen).map { utility, isChosen in
            .init(
                shortfall: isChosen ? 0 : UInt128(Int128(best) - Int128(utility)), count: isChosen ? 0 : 1)
        }
    }
}
