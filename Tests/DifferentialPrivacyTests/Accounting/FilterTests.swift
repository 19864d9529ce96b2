import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Filters and odometers")
struct FilterTests {
    @Test("An odometer is never below the same sequence known beforehand, and within a factor two of it")
    func odometer() throws {
        var odometer = try PrivacyOdometer(delta: 1e-6, tightestAt: 0.1)
        #expect(odometer.spent.epsilon == 0)
        var zcdp = ZeroConcentratedAccountant()
        var last = 0.0
        for step in 1...2000 {
            let event = PrivacyEvent.gaussian(noiseMultiplier: 50 + Double(step % 7))
            try odometer.add(event)
            try zcdp.compose(event)
            let spent = odometer.spent
            let fixed = try zcdp.epsilon(delta: 1e-6).upper
            #expect(spent.delta == 1e-6 && spent.epsilon >= fixed && spent.epsilon >= last)
            if zcdp.rho > 1e-3 { #expect(spent.epsilon < 2 * fixed, "rho \(zcdp.rho)") }
            last = spent.epsilon
        }
        #expect(throws: MechanismError.self) { try odometer.add(.gaussian(noiseMultiplier: 0)) }
        #expect(odometer.spent.epsilon == last)
        try odometer.add(.approximate(epsilon: 0.1, delta: 1e-7))
        #expect(odometer.spent.delta >= 1.1e-6)
        #expect(throws: MechanismError.self) { try PrivacyOdometer(delta: 0, tightestAt: 1) }
        #expect(throws: MechanismError.self) { try PrivacyOdometer(delta: 0.1, tightestAt: .nan) }
    }

    @Test("The orders of an odometer share no more than delta")
    func shares() {
        var sum = 0.0
        for k in -12...12 {
            let square = Double(k * k)
            sum += 1 / (3.2 * (1 + square))
        }
        #expect(sum <= 1)
    }

    @Test("An odometer holds at every moment: adversarial stopping breaks it no more often than delta says")
    func odometerHolds() throws {
        // The loss of Gaussian noise is normal with mean rho and variance 2 rho; an adversary waits for the worst moment
        // of 400. False alarm: at delta 0.05 the count of 2000 exceeds 160 with probability below 1e-8.
        var generator = SeededGenerator(seed: 81)
        var broken = 0
        let multiplier = 5.0
        let rho = 1 / (2 * multiplier * multiplier)
        var bounds: [Double] = []
        var odometer = try PrivacyOdometer(delta: 0.05, tightestAt: 4)
        for _ in 0..<400 {
            try odometer.add(.gaussian(noiseMultiplier: multiplier))
            bounds.append(odometer.spent.epsilon)
        }
        for _ in 0..<2000 {
            var loss = 0.0
            var isBroken = false
            for bound in bounds {
                let u = Double.random(in: 0x1p-60..<1, using: &generator)
                let angle = Double.random(in: 0..<(2 * Double.pi), using: &generator)
                loss += rho + (2 * rho).squareRoot() * (-2 * log(u)).squareRoot() * cos(angle)
                if loss > bound { isBroken = true }
            }
            if isBroken { broken += 1 }
        }
        #expect(broken <= 160)
    }

    @Test("Units pay for themselves and drop out alone; the cap on worst cases stops all")
    func individual() throws {
        let unit = try PrivacyLoss(roundingDownRho: 1)
        var filter = try IndividualFilter(units: 3, limit: unit, cap: try PrivacyLoss(roundingDownRho: 3))
        let mechanism = try PrivacyLoss(roundingUpRho: 0.5)
        // Unit 0 pays the worst case, unit 1 a tenth, unit 2 nothing.
        let costs = [mechanism.amount, mechanism.amount / 10, 0]
        var taking: [[Bool]] = []
        while let takesPart = filter.admit(mechanism: mechanism, cost: { costs[$0] }) { taking.append(takesPart) }
        #expect(taking.count == 6)
        #expect(taking.map { $0[0] } == [true, true, false, false, false, false])
        #expect(taking.allSatisfy { $0[1] && $0[2] })
        #expect(filter.worstCase == filter.cap)
        // A cost out of range is taken as the nearest in range.
        var hostile = try IndividualFilter(units: 2, limit: unit, cap: unit)
        let result = hostile.admit(mechanism: mechanism) { $0 == 0 ? .max : .min }
        #expect(result == [true, true])
        // An epsilon is no rho.
        let pure = try PrivacyLoss(roundingUpEpsilon: 0.01)
        var mixed = try IndividualFilter(units: 1, limit: unit, cap: unit)
        #expect(mixed.admit(mechanism: pure) { _ in 1 } == nil && mixed.worstCase == 0)
        #expect(try IndividualFilter.gaussianCost(normSquared: 9, sigma: 3) == 500_000_000_000)
        #expect(throws: MechanismError.self) { try IndividualFilter(units: -1, limit: unit, cap: unit) }
        #expect(throws: MechanismError.self) {
            try IndividualFilter(units: 1, limit: unit, cap: try PrivacyLoss(roundingDownRho: 0.5))
        }
    }
}

@Suite("Amplification")
struct AmplificationTests {
    @Test("Sampling: ln(1 + rate (e^epsilon - 1)), never above epsilon, at any size")
    func sampling() throws {
        for epsilon in [0, 1e-12, 0.1, 1, 10, 29.9, 30.1, 500, 1e6] as [Double] {
            for rate in [0, 1e-300, 1e-6, 0.3, 1] as [Double] {
                let ours = try Amplification.poisson(epsilon: epsilon, delta: 1e-6, rate: rate)
                #expect(ours.epsilon <= epsilon && ours.epsilon >= 0)
                #expect(abs(ours.delta - rate * 1e-6) <= rate * 1e-18)
                guard epsilon < 700, epsilon > 0, rate > 1e-200 else { continue }
                let exact = log1p(rate * expm1(epsilon))
                #expect(ours.epsilon >= exact * (1 - 1e-13) && ours.epsilon <= exact * (1 + 1e-9), "\(epsilon) \(rate)")
            }
        }
        let fixed = try Amplification.fixedSize(epsilon: 1, sampleSize: 3, populationSize: 10)
        #expect(abs(fixed.epsilon - log1p(0.3 * expm1(1))) < 1e-12)
        #expect(throws: MechanismError.self) { try Amplification.poisson(epsilon: .nan, rate: 0.5) }
        #expect(throws: MechanismError.self) { try Amplification.poisson(epsilon: 1, rate: 1.5) }
        #expect(throws: MechanismError.self) {
            try Amplification.fixedSize(epsilon: 1, sampleSize: 11, populationSize: 10)
        }
    }

    /// The hockey-stick divergence of the dominating pair, term by term from its definition.
    private func enumerated(_ localEpsilon: Double, _ n: Int, _ epsilon: Double) -> Double {
        total(localEpsilon, n) { max(0, $0 - exp(epsilon) * $1) }
    }

    private func enumeratedMoment(_ localEpsilon: Double, _ n: Int, _ order: Double) -> Double {
        log(total(localEpsilon, n) { $1 * pow($0 / max($1, 1e-300), order) }) / (order - 1)
    }

    private func total(_ localEpsilon: Double, _ n: Int, _ term: (_ p: Double, _ q: Double) -> Double) -> Double {
        func binomial(_ k: Int, _ n: Int, _ p: Double) -> Double {
            guard k >= 0 && k <= n else { return 0 }
            let choose = lgamma(Double(n) + 1) - lgamma(Double(k) + 1) - lgamma(Double(n - k) + 1)
            return exp(choose) * pow(p, Double(k)) * pow(1 - p, Double(n - k))
        }
        let p = 1 / (1 + exp(-localEpsilon))
        var sum = 0.0
        for c in 0..<n {
            let weight = binomial(c, n - 1, exp(-localEpsilon))
            for a in 0...(c + 1) {
                let (one, zero) = (binomial(a - 1, c, 0.5), binomial(a, c, 0.5))
                sum += weight * term(p * one + (1 - p) * zero, (1 - p) * one + p * zero)
            }
        }
        return sum
    }

    @Test("Shuffling by clones: the definition, enumerated")
    func shuffled() throws {
        for (localEpsilon, count) in [(0.5, 2), (1, 10), (2, 50), (3, 120)] as [(Double, Int)] {
            for epsilon in [0, 0.1, 0.4, 0.9] as [Double] where epsilon < localEpsilon {
                let exact = enumerated(localEpsilon, count, epsilon)
                let ours = try Amplification.shuffledDelta(localEpsilon: localEpsilon, count: count, epsilon: epsilon)
                #expect(ours >= exact * (1 - 1e-11) && ours <= exact * (1 + 1e-9) + 1e-30, "\(localEpsilon) \(count)")
            }
        }
    }

    @Test(
        "The Rényi divergence of shuffled reports: the definition, enumerated; and between pure and the numerical epsilon"
    )
    func shuffledDivergence() throws {
        for (localEpsilon, count) in [(0.5, 2), (1, 10), (2, 60)] as [(Double, Int)] {
            let clones = try #require(try ShuffledClones(localEpsilon: localEpsilon, count: count))
            for order in [1.1, 2, 3.7, 20] {
                let exact = enumeratedMoment(localEpsilon, count, order)
                let ours = clones.divergence(order: order)
                #expect(ours >= exact * (1 - 1e-9) && ours <= exact * (1 + 1e-8), "\(localEpsilon) \(count) \(order)")
            }
        }
        var accountant = try RenyiAccountant(neighbours: .replaceOne)
        try accountant.compose(.shuffled(localEpsilon: 2, count: 100_000))
        let byRenyi = try accountant.epsilon(delta: 1e-6).upper
        let direct = try Amplification.shuffledEpsilon(localEpsilon: 2, count: 100_000, delta: 1e-6)
        #expect(byRenyi >= direct && byRenyi < 2 * direct)
    }

    @Test("Millions of shuffled reports: numbers taken in blocks are above the sum over each, and close")
    func shuffledBlocks() throws {
        let localEpsilon = 1.5
        let p = 1 / (1 + exp(-localEpsilon))
        let clones = try #require(try ShuffledClones(localEpsilon: localEpsilon, count: 4_000_000))
        for (m, order) in [(70_000, 1.5), (300_000, 4), (1_000_001, 2.5), (1_000_001, 60)] as [(Int, Double)] {
            var exact = 0.0
            let reach = Int(20 * Double(m).squareRoot())
            for a in max(0, m / 2 - reach)...min(m, m / 2 + reach) {
                let f = Double(a) / Double(m)
                let q = (1 - p) * f + p * (1 - f)
                let u = (2 * p - 1) * (2 * f - 1) / q
                exact += BinomialLaw.fairProbability(a, of: m) * 2 * q * Expansion.power(u, order: order)
            }
            let ours = clones.momentExcess(m, order: order)
            #expect(ours >= exact * (1 - 1e-10) && ours <= exact * (1 + 1e-4), "\(m) \(order): \(ours / exact - 1)")
        }
        // A billion: alpha / 2 times the variance of the ratio, which is 2 tanh(e0 / 2) (2 f - 1), with a share f of half the
        // clones and a variance of 2 f - 1 of one over their number.
        let many = try #require(try ShuffledClones(localEpsilon: 1, count: 1_000_000_000))
        let variance = 4 * tanh(0.5) * tanh(0.5) * exp(1) / 1e9
        let limit = many.divergence(order: 100) / (50 * variance)
        #expect(limit > 1 - 1e-6 && limit < 1 + 1e-3, "\(limit)")
    }

    @Test("Shuffling: the numerical bound is below the closed form, which is below the local epsilon; both fall with n")
    func shuffledSizes() throws {
        for localEpsilon in [0.5, 1, 2, 4] as [Double] {
            var last = Double.infinity
            for count in [100, 10_000, 1_000_000, 10_000_000] {
                let closed = try Amplification.shuffledClosedForm(localEpsilon: localEpsilon, count: count, delta: 1e-6)
                let numerical = try Amplification.shuffledEpsilon(localEpsilon: localEpsilon, count: count, delta: 1e-6)
                #expect(numerical <= closed && closed <= localEpsilon && numerical < last)
                last = numerical
                let delta = try Amplification.shuffledDelta(
                    localEpsilon: localEpsilon, count: count, epsilon: numerical)
                #expect(delta <= 1e-6)
            }
        }
        #expect(throws: MechanismError.self) {
            try Amplification.shuffledEpsilon(localEpsilon: 1, count: 0, delta: 1e-6)
        }
        #expect(throws: MechanismError.self) {
            try Amplification.shuffledClosedForm(localEpsilon: -1, count: 10, delta: 1e-6)
        }
        #expect(try Amplification.shuffledEpsilon(localEpsilon: 1000, count: 10, delta: 1e-6) == 1000)
    }

    @Test("Fair binomial probabilities against exact ones")
    func fairBinomial() {
        for count in [1, 2, 15, 16, 17, 52] {
            var choose = 1.0
            for successes in 0...count {
                let exact = choose * exp2(-Double(count))
                #expect(abs(BinomialLaw.fairProbability(successes, of: count) / exact - 1) < 1e-13)
                choose = choose * Double(count - successes) / Double(successes + 1)
            }
        }
        // C(10^6, 500000) / 2^(10^6), from an implementation with 40 digits.
        #expect(abs(BinomialLaw.fairProbability(500_000, of: 1_000_000) / 7.9788436133175009e-4 - 1) < 1e-13)
    }
}
