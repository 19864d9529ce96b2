/// An exact choice among items, each with a probability in proportion to `count * exp(-epsilon * shortfall / (2
/// sensitivity))`.
///
/// Privacy: epsilon-differentially private, with bounded range epsilon and so epsilon^2 / 8 zCDP, if one unit changes
/// each utility by at most `sensitivity` (McSherry and Talwar 2007; Dong, Durfee and Rogers 2020; Cesar and Rogers
/// 2021), for a choice by the exact law. Where all utilities change in one direction the factor 2 goes: the logarithms
/// of the weights then all move within one interval of length epsilon, and bounded range is about nothing else. The choice
/// is by the exact law: see `WeightedChoice`.
public struct ExponentialMechanism: Sendable {
    /// What one choice costs, pure; it has bounded range epsilon.
    public let epsilon: Double
    /// The largest change of a utility by one privacy unit.
    public let sensitivity: Int64
    /// Whether all utilities change in one direction.
    public let change: UtilityChange
    /// The exact choice, by shortfalls.
    let choice: WeightedChoice

    /// For integer utilities that one unit changes by at most `sensitivity`. Throws unless epsilon is from 2^-40 to
    /// 2^20 and the sensitivity from 1 to 2^62.
    public init(
        epsilon: Double, sensitivity: Int64 = 1, change: UtilityChange = .anyDirection
    ) throws(MechanismError) {
        choice = WeightedChoice(
            rate: try .selection(epsilon: epsilon, sensitivity: sensitivity, change: change))
        self.epsilon = epsilon
        self.sensitivity = sensitivity
        self.change = change
    }

    /// How far the chosen utility falls short of the best at most, with that confidence, whatever the utilities:
    /// `spread sensitivity / epsilon * ln(candidates / (1 - confidence))` (Dwork and Roth 2014, corollary 3.12), rounded
    /// up. `candidates`: their number, with multiplicities.
    public func shortfall(candidates: Int, confidence: Double) -> Double {
        let scale = Double(change.spread) * Double(sensitivity) / epsilon
        return OutwardRounding.up(scale * OutwardRounding.logarithm(Double(candidates) / (1 - confidence)))
    }

    /// What happens when it chooses `times` times, with one unit affecting each.
    public func event(times: Int = 1) -> PrivacyEvent {
        .exponentialMechanism(epsilon: epsilon, times: times)
    }

    /// The index of the chosen item. `counts` (all 1 if nil) are the numbers of equal items that each index stands for.
    /// Throws unless there is an item, counts match and are positive, and fewer than 2^62 in all.
    public func select<R: RandomNumberGenerator>(
        utilities: [Int64], counts: [Int64]? = nil, using generator: inout R
    ) throws(MechanismError) -> Int {
        guard let best = utilities.max() else { throw .parameter("utilities", expected: "at least one") }
        guard counts == nil || counts?.count == utilities.count else {
            throw .parameter("counts", expected: "as many as utilities")
        }
        var total: UInt64 = 0
        var items: [WeightedChoice.Item] = []
        items.reserveCapacity(utilities.count)
        for (index, utility) in utilities.enumerated() {
            let count = counts?[index] ?? 1
            guard count > 0 && total < 1 << 62 - count.magnitude else {
                throw .parameter("counts", expected: "positive numbers, fewer than 2^62 in all")
            }
            total += count.magnitude
            items.append(.init(shortfall: UInt128(Int128(best) - Int128(utility)), count: count.magnitude))
        }
        return choice.select(items, using: &generator)
    }
}
