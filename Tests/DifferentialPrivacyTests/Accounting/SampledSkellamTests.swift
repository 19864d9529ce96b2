import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// The bound for Skellam noise on a Poisson sample, against laws summed term by term.
@Suite("Skellam noise on Poisson samples")
struct SampledSkellamTests {
    static let orders: [Double] = [1.25, 2, 2.5, 3, 4, 5.7, 8, 16]
    static let rates = [0.001, 0.02, 0.2, 0.6, 0.97]

    /// The law on `-reach...reach` and beside it, as logarithms: Bessel functions by ratios, relatively exact.
    private static func logarithms(_ variance: Double, reach: Int) throws -> (Int) -> Double {
        let law = try Skellam(variance: variance).probabilities().map { log($0) }
        #expect(law.count > reach)
        return { law[min(abs($0), law.count - 1)] }
    }

    /// ln of the sum over outcomes of A^a B^(1-a), from the logarithms of both.
    private static func logMoment(_ a: [Double], _ b: [Double], _ order: Double) -> Double {
        var sum = ExponentialSum()
        for (x, y) in zip(a, b) { sum.add(exponent: order * x + (1 - order) * y) }
        return sum.logarithm
    }

    private static func mixed(_ p: [Double], _ q: [Double], _ rate: Double) -> [Double] {
        zip(p, q).map { a, b in
            let top = max(a, b)
            return top + log((1 - rate) * exp(a - top) + rate * exp(b - top))
        }
    }

    private func curve(_ event: PrivacyEvent, _ order: Double) throws -> Double {
        try event.renyiCost().curve.divergence(order: order)
    }

    /// Checks both directions at every order and rate; `p` and `q` are the laws without and with the unit.
    private func check(_ p: [Double], _ q: [Double], _ event: PrivacyEvent, about comment: Comment) throws {
        let exact = (0...17).map { Self.logMoment(q, p, Double($0)) }
        for rate in Self.rates {
            let m = Self.mixed(p, q, rate)
            for order in Self.orders {
                let present = Self.logMoment(m, p, order) / (order - 1)
                let absent = Self.logMoment(p, m, order) / (order - 1)
                let bound = try curve(.poissonSampled(rate: rate, event), order)
                #expect(absent <= present * (1 + 1e-9) + 1e-13, "\(comment) rate \(rate) order \(order)")
                #expect(present <= bound * (1 + 1e-9), "\(comment) rate \(rate) order \(order): \(present) \(bound)")
                guard order == order.rounded(), present > 1e-5 else { continue }
                // Tight: e^((a-1) D) - 1 exceeds the truth by no more than the unsampled bounds exceed theirs.
                let loss = try (2...Int(order)).map { j in
                    expm1(Double(j - 1) * (try curve(event, Double(j)))) / expm1(exact[j])
                }
                let excess = expm1((order - 1) * bound) / expm1((order - 1) * present)
                #expect(excess <= (loss.max() ?? 0) * (1 + 1e-6), "\(comment) \(rate) \(order) \(excess) \(loss)")
            }
        }
    }

    @Test("One entry: both directions are below the bound, presence is the worse, and only the unsampled bound loses")
    func one() throws {
        for variance in [1.5, 10, 300, 20_000] {
            for shift in [1, 2, 5] where Double(shift * shift) <= 6 * variance {
                let reach = min(
                    Int(24 * variance.squareRoot()) + 16 * shift + 60, Int(36 * variance.squareRoot()) + 200)
                let law = try Self.logarithms(variance, reach: reach + shift)
                let s = Double(shift)
                try check(
                    (-reach...reach).map(law), (-reach...reach).map { law($0 - shift) },
                    .skellam(l1Sensitivity: s, sensitivitySquared: s * s, variance: variance),
                    about: "variance \(variance) shift \(shift)")
            }
        }
    }

    @Test("Two entries that move in opposite directions")
    func two() throws {
        for (variance, first, second) in [(6.0, 1, -2), (40, 3, 1), (40, 4, -4)] {
            let reach = Int(22 * variance.squareRoot()) + 40
            let law = try Self.logarithms(variance, reach: reach + 4)
            var (p, q): ([Double], [Double]) = ([], [])
            for x in -reach...reach {
                for y in -reach...reach {
                    p.append(law(x) + law(y))
                    q.append(law(x - first) + law(y - second))
                }
            }
            try check(
                p, q,
                .skellam(
                    l1Sensitivity: Double(abs(first) + abs(second)),
                    sensitivitySquared: Double(first * first + second * second), variance: variance),
                about: "shift \(first) \(second)")
        }
    }

    @Test("Discrete Gaussian noise on one entry and on two: the same theorem")
    func discreteGaussian() throws {
        for (sigma, first, second) in [(0.7, 1, 0), (2, 1, 0), (2, 3, -1), (9, 4, 4)] as [(Double, Int, Int)] {
            let reach = Int(26 * sigma) + 60
            let total = (-reach...reach).reduce(0.0) { $0 + exp(-Double($1 * $1) / (2 * sigma * sigma)) }
            func law(_ x: Int) -> Double { -Double(x * x) / (2 * sigma * sigma) - log(total) }
            var (p, q): ([Double], [Double]) = ([], [])
            for x in -reach...reach {
                for y in second == 0 ? 0...0 : -reach...reach {
                    p.append(law(x) + (second == 0 ? 0 : law(y)))
                    q.append(law(x - first) + (second == 0 ? 0 : law(y - second)))
                }
            }
            try check(
                p, q, .discreteGaussian(sensitivitySquared: Double(first * first + second * second), sigma: sigma),
                about: "sigma \(sigma) shift \(first) \(second)")
        }
    }

    @Test("With other units sampled beside, and rows that change a unit's vector, it is no more")
    func others() throws {
        let variance = 30.0
        let reach = 180
        let law = try Self.logarithms(variance, reach: reach + 20)
        let event = PrivacyEvent.skellam(l1Sensitivity: 3, sensitivitySquared: 9, variance: variance)
        // Two more units give 2 and -7; the unit's own 3 becomes -1 where both are in (rounding a sum may do that).
        let weights = [(0, 3, 0.49), (2, 3, 0.21), (-7, 3, 0.21), (-5, -1, 0.09)]
        func mixture(_ rate: Double) -> [Double] {
            (-reach...reach).map { x in
                log(
                    weights.reduce(0) { sum, other in
                        let (shift, own, weight) = other
                        return sum + weight
                            * ((1 - rate) * exp(law(x - shift)) + rate * exp(law(x - shift - own)))
                    })
            }
        }
        let p = mixture(0)
        for rate in Self.rates {
            let m = mixture(rate)
            for order in Self.orders {
                let bound = try curve(.poissonSampled(rate: rate, event), order)
                let worst = max(Self.logMoment(m, p, order), Self.logMoment(p, m, order)) / (order - 1)
                #expect(worst <= bound && worst > 0)
            }
        }
    }

    @Test("The direction follows from symmetry: for Poisson noise, which has none, absence may be the worse")
    func asymmetric() {
        let mean = 4.0
        func law(_ x: Int) -> Double { x < 0 ? -800 : Double(x) * log(mean) - mean - lgamma(Double(x) + 1) }
        // On 1... both laws are positive; the shift is towards 0.
        let p = (1...80).map { law($0) }
        let q = (1...80).map { law($0 - 1) }
        var reversed = false
        for (a, b) in [(p, q), (q, p)] {
            let m = Self.mixed(a, b, 0.3)
            for order in Self.orders where Self.logMoment(a, m, order) > Self.logMoment(m, a, order) * (1 + 1e-9) {
                reversed = true
            }
        }
        #expect(reversed)
    }

    @Test("Nothing is lost beside Gaussian noise where the noise is fine; several on a sample are bounded as any are")
    func gaussian() throws {
        let l2Squared = try Sensitivity.roundedL2Squared(clip: 1024, dimension: 26_010)
        let l1 = Sensitivity.l1(l2Squared: l2Squared, dimension: 26_010)
        for sigma in [0.5, 1, 5] {
            for rate in [0.01, 0.3, 1] {
                let noise = PrivacyEvent.skellam(
                    l1Sensitivity: l1, sensitivitySquared: l2Squared, variance: sigma * sigma * l2Squared)
                let sampled = PrivacyEvent.poissonSampled(rate: rate, noise)
                let gaussian = PrivacyEvent.poissonSampled(rate: rate, .gaussian(noiseMultiplier: sigma))
                for order in RenyiOrders.all.map(Double.init) {
                    let (ours, exact) = (try curve(sampled, order), try curve(gaussian, order))
                    #expect(ours >= exact * (1 - 1e-9) && ours <= exact * 1.001, "\(sigma) \(rate) \(order)")
                    // A sample of a sample is one; two additions on one sample have the bound for any mechanism.
                    let nested = PrivacyEvent.poissonSampled(rate: 0.5, .poissonSampled(rate: rate, noise))
                    let once = PrivacyEvent.poissonSampled(rate: rate / 2, noise)
                    #expect(abs(try curve(nested, order) / curve(once, order) - 1) < 1e-9)
                    // Discrete Gaussian noise is below Gaussian noise at whole orders, up to rounding.
                    let discrete = PrivacyEvent.poissonSampled(
                        rate: rate,
                        .discreteGaussian(sensitivitySquared: l2Squared, sigma: sigma * l2Squared.squareRoot()))
                    #expect(try curve(discrete, order) <= exact * (1 + 1e-9))
                    let twice = PrivacyEvent.poissonSampled(rate: rate, .repeated(noise, times: 2))
                    #expect(try curve(twice, order) > ours)
                }
                let loss = try sampled.loss(kind: .renyi)
                let exact = try gaussian.loss(kind: .renyi)
                for (ours, theirs) in zip(loss.amounts, exact.amounts) {
                    #expect(Double(ours) <= Double(theirs) * 1.001 + 2 && ours >= theirs - 2)
                }
            }
        }
        #expect(
            try curve(.poissonSampled(rate: 0, .skellam(l1Sensitivity: 1, sensitivitySquared: 1, variance: 1)), 3)
                < 1e-300)
    }

    @Test("Accountants without a theorem for it refuse it by name, sampled or not")
    func refused() throws {
        let noise = PrivacyEvent.skellam(l1Sensitivity: 1, sensitivitySquared: 1, variance: 10)
        for event in [noise, .poissonSampled(rate: 0.1, noise)] {
            var distribution = try PrivacyLossAccountant()
            let error = #expect(throws: MechanismError.self) { try distribution.compose(event) }
            guard case .unsupportedEvent("skellam", "privacy loss distribution", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(throws: MechanismError.self) { try event.loss(kind: .zeroConcentrated) }
            #expect(throws: MechanismError.self) { try event.loss(kind: .pure) }
            // Poisson samples are about adding and removing.
            var replacing = try RenyiAccountant(neighbours: .replaceOne)
            if event != noise { #expect(throws: MechanismError.self) { try replacing.compose(event) } }
        }
    }

    @Test("Rounding enlarges the L2 norm by sqrt(d) at most; integer vectors have an L1 norm of at most both bounds")
    func sensitivity() throws {
        #expect(try Sensitivity.roundedL2Squared(clip: 6, dimension: 16) == 100)
        #expect(Sensitivity.l1(l2Squared: 100, dimension: 16) == 40 && Sensitivity.l1(l2Squared: 9, dimension: 16) == 9)
        for (clip, dimension) in [(-1, 1), (.nan, 1), (.infinity, 1), (1, 0)] as [(Double, Int)] {
            #expect(throws: MechanismError.self) { try Sensitivity.roundedL2Squared(clip: clip, dimension: dimension) }
        }
        var generator = SeededGenerator(seed: 171)
        func uniform() -> Double { Double(generator.next() >> 11) * 0x1p-53 }
        for dimension in [1, 3, 50] {
            let clip = 4.0
            let bound = try Sensitivity.roundedL2Squared(clip: clip, dimension: dimension)
            for _ in 0..<500 {
                let base = (0..<dimension).map { _ in 100 * uniform() }
                let own = (0..<dimension).map { _ in uniform() - 0.5 }
                let norm = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
                let change = zip(base, own).map { ($0 + $1 * clip / norm).rounded() - $0.rounded() }
                let (l1, l2) = (change.reduce(0) { $0 + abs($1) }, change.reduce(0) { $0 + $1 * $1 })
                #expect(l2 <= bound && l1 <= Sensitivity.l1(l2Squared: l2, dimension: dimension))
            }
        }
    }

    @Test("Shares: without those who drop out or collude there is at least what was asked for, and that is charged")
    func shares() throws {
        for (variance, survivors, colluders) in [
            (100, 7, 2), (1e6 / 3, 1000, 333), (0x1p48, 3, 0), (0x1p50, 64, 60), (0.1, 11, 4), (12_345.678, 49, 0),
        ] as [(Double, Int, Int)] {
            let noise = try DistributedSkellam(variance: variance, leastSurvivors: survivors, colluders: colluders)
            #expect(noise.honest == survivors - colluders)
            // Exactly, in integers: h times the share's variance is at least the variance that is charged, and that asked for.
            let count = UInt64(noise.honest)
            let one = try #require(Dyadic(noise.share.variance))
            for least in [noise.variance, variance] {
                let exact = try #require(Dyadic(least))
                #expect(
                    Natural.isLess(
                        Natural(exact.significand), exact.exponent, than: Natural(one.significand) * count,
                        one.exponent,
                        orEqual: true))
            }
            #expect(noise.variance >= variance && noise.variance <= variance * (1 + 1e-15))
            // Subtracting what colluders know from the least sum.
            let all = noise.variance(shares: survivors)
            #expect(all - noise.share.variance * Double(colluders) >= variance * (1 - 1e-15))
            #expect(
                noise.event(l1Sensitivity: 2, sensitivitySquared: 2)
                    == .skellam(l1Sensitivity: 2, sensitivitySquared: 2, variance: noise.variance))
        }
        for (variance, survivors, colluders) in [
            (100, 2, 2), (100, 2, 3), (100, 2, -1), (100, 0, 0), (0x1p49, 1, 0), (0, 2, 1), (.nan, 2, 1),
            (.infinity, 2, 0),
            (1e-6, 1000, 0),
        ] as [(Double, Int, Int)] {
            #expect(throws: MechanismError.self) {
                try DistributedSkellam(variance: variance, leastSurvivors: survivors, colluders: colluders)
            }
        }
    }

    @Test(
        "What is left of a sum without the colluders' shares varies by what was asked for, at least (40,000 sums, 1e-9)"
    )
    func colluders() throws {
        let variance = 5000.0
        let noise = try DistributedSkellam(variance: variance, leastSurvivors: 9, colluders: 3)
        var generator = SeededGenerator(seed: 172)
        var (left, whole) = (0.0, 0.0)
        let sums = 40_000
        for _ in 0..<sums {
            let shares = (0..<9).map { _ in noise.share.sample(using: &generator) }
            let unknown = Double(shares.dropFirst(3).reduce(0, +))
            left += unknown * unknown
            whole += Double(shares.reduce(0, +)) * Double(shares.reduce(0, +))
        }
        let error = 6 * (2 / Double(sums)).squareRoot()
        #expect(abs(left / Double(sums) / variance - 1) < error)
        #expect(abs(whole / Double(sums) / noise.variance(shares: 9) - 1) < error)
        #expect(whole / Double(sums) > variance * 1.4)
    }
}
