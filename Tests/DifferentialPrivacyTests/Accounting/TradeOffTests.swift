import DifferentialPrivacy
import Foundation
import Testing

@Suite("What an attacker's certainty can become")
struct TradeOffTests {
    @Test(
        "Randomised response that tells everything with probability delta attains every bound",
        arguments: [0, 1e-6, 0.05])
    func attained(_ delta: Double) throws {
        for epsilon in [0.1, 1, 3] {
            let tradeOff = try TradeOff(epsilon: epsilon, delta: delta)
            // Outcomes: told that she is in (delta), heads, tails, told that she is out (delta).
            let heads = (1 - delta) * exp(epsilon) / (1 + exp(epsilon))
            let tails = (1 - delta) / (1 + exp(epsilon))
            // Accusing on the first two outcomes finds delta + heads of those who are in, and accuses tails wrongly.
            let most = tradeOff.power(falseAlarm: tails)
            #expect(most >= delta + heads && most < (delta + heads) * (1 + 1e-9))
            #expect(tradeOff.power(falseAlarm: 0) >= delta && tradeOff.power(falseAlarm: 0) < delta + 1e-12)
            let right = (delta + heads + 1 - tails) / 2
            #expect(tradeOff.rightGuess >= right && tradeOff.rightGuess < right * (1 + 1e-9))
            // Bayes' rule on heads.
            for before in [0.001, 0.5, 0.9] {
                let after = before * heads / (before * heads + (1 - before) * tails)
                let bound = TradeOff.belief(before: before, epsilon: epsilon)
                #expect(bound >= after * (1 - 1e-12) && bound < after * (1 + 1e-9))
            }
        }
    }

    @Test("Of a rho, Gaussian noise is within the bounds, and not far from them")
    func concentrated() throws {
        for rho in [0.005, 0.1, 1] {
            let tradeOff = try TradeOff(rho: rho)
            let mu = (2 * rho).squareRoot()
            for quantile in stride(from: 0.0, through: 3, by: 0.5) {
                // The best test of N(0, 1) against N(mu, 1) accuses above a threshold.
                let alarm = erfc(quantile / 2.0.squareRoot()) / 2
                let found = erfc((quantile - mu) / 2.0.squareRoot()) / 2
                #expect(tradeOff.power(falseAlarm: alarm) >= found)
            }
            let right = erfc(-mu / 2 / 2.0.squareRoot()) / 2
            #expect(tradeOff.rightGuess >= right && tradeOff.rightGuess < right + 0.15)
        }
    }

    @Test("Power rises with false alarms up to 1, and what is no epsilon, delta or rho is refused")
    func shape() throws {
        let tradeOff = try TradeOff(epsilon: 0.7, delta: 1e-3)
        let powers = stride(from: 0.0, through: 1, by: 0.01).map(tradeOff.power)
        #expect(zip(powers, powers.dropFirst()).allSatisfy { $0 <= $1 } && powers.last == 1)
        #expect(TradeOff.belief(before: 0, epsilon: 9) == 0 && TradeOff.belief(before: 1, epsilon: 9) == 1)
        for (epsilon, delta) in [(-1, 0), (.nan, 0), (.infinity, 0), (1, -1), (1, 1.1), (1, .nan)] as [(Double, Double)]
        {
            #expect(throws: MechanismError.self) { try TradeOff(epsilon: epsilon, delta: delta) }
        }
        for rho in [-1, .nan, .infinity] { #expect(throws: MechanismError.self) { try TradeOff(rho: rho) } }
    }
}
