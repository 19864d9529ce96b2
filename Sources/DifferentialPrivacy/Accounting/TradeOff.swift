#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What whoever sees every answer can make of one privacy unit, in the words of hypothesis tests and of belief. All figures
/// are upper bounds, rounded up, whatever else the attacker knows, everybody else's rows included.
public struct TradeOff: Sendable, Hashable {
    /// A guarantee that holds.
    struct Guarantee: Sendable, Hashable {
        let epsilon, delta: Double
    }

    private let guarantees: [Guarantee]

    /// Of what is (epsilon, delta)-differentially private. Throws for what is no epsilon or no delta.
    public init(epsilon: Double, delta: Double) throws(MechanismError) {
        guard epsilon >= 0 && epsilon.isFinite else {
            throw .parameter("epsilon", expected: "a finite number that is not negative")
        }
        guard delta >= 0 && delta <= 1 else { throw .parameter("delta", expected: "a number from 0 to 1") }
        guarantees = [Guarantee(epsilon: epsilon, delta: delta)]
    }

    /// Of what is rho-zCDP: it holds at every delta, of which these bounds take 40 from 1e-12 to 0.8. Throws for what is no
    /// rho.
    public init(rho: Double) throws(MechanismError) {
        guard rho >= 0 && rho.isFinite else {
            throw .parameter("rho", expected: "a finite number that is not negative")
        }
        guarantees = (0..<40).map { step in
            let delta = exp(log(1e-12) + (log(0.8) - log(1e-12)) * Double(step) / 39)
            return Guarantee(epsilon: Conversion.epsilon(rho: rho, delta: delta), delta: delta)
        }
    }

    /// The most that a test finds of those who are in the data, if it accuses `falseAlarm` of those who are not: the least, over
    /// the guarantees, of `e^epsilon a + delta` and `1 - e^-epsilon (1 - delta - a)` (Wasserman and Zhou 2010, theorem 2.4;
    /// Kairouz, Oh and Viswanath 2015, theorem 2.1).
    public func power(falseAlarm: Double) -> Double {
        let falseAlarm = min(1, max(0, falseAlarm))
        return guarantees.reduce(1.0) { least, guarantee in
            let (epsilon, delta) = (guarantee.epsilon, guarantee.delta)
            let low = OutwardRounding.up(OutwardRounding.up(exp(epsilon)) * falseAlarm + delta)
            let missed = OutwardRounding.down(exp(-epsilon)) * max(0, OutwardRounding.down(1 - delta - falseAlarm))
            return min(least, low, OutwardRounding.up(1 - OutwardRounding.down(missed)))
        }
    }

    /// The most often that the best guess of whether somebody is in the data is right, where both are as likely:
    /// `(e^epsilon + delta) / (1 + e^epsilon)`, half of what power and true negatives add up to at most.
    public var rightGuess: Double {
        guarantees.reduce(1.0) { least, guarantee in
            let odds = exp(-guarantee.epsilon)
            return min(least, OutwardRounding.up((1 + guarantee.delta * odds) / (1 + odds)))
        }
    }

    /// The most that a belief becomes that somebody is in the data: odds grow by e^epsilon at most.
    ///
    /// Under (epsilon, delta) this holds but for a chance of delta, in which an answer may tell everything: such a mechanism
    /// can be simulated, on any two neighbours, by one that tells which it is with probability delta and otherwise answers
    /// with epsilon alone (the dominating mechanism of Kairouz, Oh and Viswanath 2015).
    public static func belief(before: Double, epsilon: Double) -> Double {
        guard before > 0, before < 1 else { return before }
        let against = (1 - before) / before * exp(-max(0, epsilon))
        return min(1, OutwardRounding.up(1 / (1 + against)))
    }
}
