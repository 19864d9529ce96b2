import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("What composes: deltas, units' budgets, curves on samples")
struct CompositionTests {
    @Test("k events of delta each cost k deltas, repeated or one after the other, of mechanisms and of selections")
    func deltas() throws {
        let selection = PrivacyEvent.thresholdSelection(groupsPerUnit: 2, sigma: 3, threshold: 40, delta: 1e-9)
        for event in [.approximate(epsilon: 0.1, delta: 1e-9), selection] as [PrivacyEvent] {
            for (events, times) in [(event, 7), (.repeated(event, times: 7), 1), (.repeated(event, times: 2), 3)] {
                var accountant = try RenyiAccountant()
                try accountant.compose(events, times: times)
                if times == 3 { try accountant.compose(event) }
                #expect(accountant.delta >= 7e-9 && accountant.delta <= 7e-9 * (1 + 1e-9))
                // Below the sum nothing is left to convert with, and what is above it is all there is.
                #expect(try accountant.epsilon(delta: 6.999e-9).upper == .infinity)
                #expect(try accountant.epsilon(delta: 1e-8).upper >= accountant.epsilon(delta: 1e-6).upper)
                #expect(try accountant.delta(epsilon: 1e6).upper >= 7e-9)
                let loss = try PrivacyEvent.composition([.repeated(event, times: 7)]).loss(kind: .renyi)
                #expect(loss.delta >= 7_000_000_000 && loss.delta <= 7_000_000_007)
                if case .thresholdSelection = event {
                    var zcdp = ZeroConcentratedAccountant()
                    try zcdp.compose(events, times: times)
                    #expect(try zcdp.epsilon(delta: 1e-9).upper == .infinity)
                    #expect(
                        try PrivacyEvent.repeated(event, times: 7).loss(kind: .zeroConcentrated).delta >= 7_000_000_000)
                }
            }
        }
    }

    @Test("A unit whose cost exceeds what it has left takes no part and pays nothing: not a part of it")
    func partly() throws {
        let limit = PrivacyLoss(kind: .zeroConcentrated, amount: 10)
        let cap = PrivacyLoss(kind: .zeroConcentrated, amount: 100)
        var filter = try IndividualFilter(units: 2, limit: limit, cap: cap)
        func admit(_ costs: [Int64]) -> [Bool]? {
            filter.admit(mechanism: PrivacyLoss(kind: .zeroConcentrated, amount: 8)) { costs[$0] }
        }
        #expect(admit([7, 1]) == [true, true])
        #expect(admit([4, 1]) == [false, true])
        #expect(admit([8, 8]) == [false, true])
        // What was refused has cost nothing: 3 are left, to the last unit.
        #expect(admit([3, 1]) == [true, false])
        #expect(admit([1, 1]) == [false, false])
        #expect(admit([0, 0]) == [true, true])
        #expect(filter.worstCase == 48)
    }

    @Test(
        "The cap holds to the unit, and a mechanism with a delta, a negative one or one that overflows is not admitted")
    func cap() throws {
        let limit = PrivacyLoss(kind: .zeroConcentrated, amount: 10)
        var filter = try IndividualFilter(units: 1, limit: limit, cap: limit)
        func admits(_ amount: Int64, delta: Int64 = 0) -> Bool {
            filter.admit(mechanism: PrivacyLoss(kind: .zeroConcentrated, amount: amount, delta: delta)) { _ in 0 }
                != nil
        }
        #expect(!admits(11) && !admits(1, delta: 1) && !admits(-1))
        #expect(filter.worstCase == 0)
        #expect(admits(4) && !admits(7) && !admits(.max) && admits(6) && !admits(1))
        #expect(filter.worstCase == 10)
    }

    // MARK: curves on samples

    private func choose(_ n: Int, _ k: Int) -> Double { (0..<k).reduce(1) { $0 * Double(n - $1) / Double($1 + 1) } }

    private func curve(_ event: PrivacyEvent, _ order: Int) throws -> Double {
        try event.renyiCost().curve.divergence(order: Double(order))
    }

    @Test("On a Poisson sample: Zhu and Wang's theorem, term by term, three at the third and higher orders")
    func poisson() throws {
        for (rho, q) in [(0.02, 0.05), (0.1, 0.01), (0.5, 0.001)] {
            for a in [2, 3, 4, 9, 16] {
                func power(_ j: Int) -> Double { exp(Double(j - 1) * rho * Double(j)) }
                func binomial(_ j: Int) -> Double { choose(a, j) * pow(q, Double(j)) * pow(1 - q, Double(a - j)) }
                var sum = pow(1 - q, Double(a - 1)) * (1 + Double(a - 1) * q) + binomial(2) * power(2)
                for j in 3..<max(4, a + 1) where j <= a { sum += 3 * binomial(j) * power(j) }
                let expected = log(sum) / Double(a - 1)
                let ours = try curve(.poissonSampled(rate: q, .zeroConcentrated(rho: rho)), a)
                #expect(expected < rho * Double(a))
                #expect(ours >= expected * (1 - 1e-8) && ours <= expected * (1 + 1e-8), "\(rho) \(q) \(a)")
            }
        }
    }

    @Test(
        "On a sample of fixed size: Wang, Balle and Kasiviswanathan's theorem, term by term, two at the higher orders")
    func fixedSize() throws {
        for (rho, size) in [(0.02, 50), (0.1, 10), (0.5, 1)] {
            let q = Double(size) / 1_000
            for a in [2, 3, 4, 9, 16] {
                var sum = 1.0
                for j in 2...a {
                    let power = exp(Double(j - 1) * rho * Double(j))
                    let factor = j == 2 ? min(4 * (power - 1), 2 * power) : 2 * power
                    sum += choose(a, j) * pow(q, Double(j)) * factor
                }
                let expected = log(sum) / Double(a - 1)
                let event = PrivacyEvent.fixedSizeSampled(
                    sampleSize: size, populationSize: 1_000, .zeroConcentrated(rho: rho))
                let ours = try curve(event, a)
                guard expected < rho * Double(a) else { continue }
                #expect(ours >= expected * (1 - 1e-8) && ours <= expected * (1 + 1e-8), "\(rho) \(q) \(a)")
            }
        }
    }

    // MARK: laws on a grid

    /// P's and Q's masses at losses of their own, some of them beyond the cells at either end.
    private func delta(_ atoms: [(loss: Double, p: Double)], infinite: Double, _ epsilon: Double) -> Double {
        atoms.reduce(infinite) { $0 + max(0, 1 - exp(epsilon - $1.loss)) * $1.p }
    }

    private func delta(_ masses: GridMasses, _ epsilon: Double) -> Double {
        let points = masses.masses.enumerated().map { (Double(masses.first + $0) * masses.step, $1) }
        return delta(points.map { (loss: $0.0, p: $0.1) }, infinite: masses.infinite, epsilon)
    }

    @Test("A pessimistic law holds what was cut off at either end; an optimistic one claims none of it")
    func gridMasses() {
        var random = SeededGenerator(seed: 5)
        let step = 0.25
        for _ in 0..<50 {
            var atoms = (0..<8).map { i in
                (loss: (Double(i) - 4 + Double.random(in: 0.01..<0.99, using: &random)) * step, p: 0.1)
            }
            // Left out: one atom below the cells, one above, within the bound of 0.06; and infinity.
            let (below, above, infinite) = (0.05, 0.06, 0.09)
            var (p, r) = ([Double](repeating: 0, count: 8), [Double](repeating: 0, count: 8))
            for (i, atom) in atoms.enumerated() {
                p[i] = atom.p
                r[i] = atom.p * exp((Double(i) - 4) * step - atom.loss)
            }
            let cells = LossCells(step: step, first: -4, p: p, r: r, infiniteP: infinite, infiniteQ: 0, cut: 0.06)
            atoms += [(loss: -3, p: below), (loss: 9, p: above)]
            for epsilon in stride(from: -2.0, through: 4, by: 0.05) {
                let truth = delta(atoms, infinite: infinite, epsilon)
                let (upper, lower) = (delta(cells.pessimistic(), epsilon), delta(cells.optimistic(), epsilon))
                #expect(lower <= truth + 1e-14 && truth <= upper + 1e-14, "\(epsilon): \(lower) \(truth) \(upper)")
            }
            // What lies within a cell moves its mass apart, never its whole to one end.
            let upper = cells.pessimistic()
            let (mass, all) = (upper.masses.reduce(0, +), p.reduce(0, +) + 0.06)
            #expect(abs(mass - all) < 1e-14)
            #expect(abs(upper.infinite - 0.15) < 1e-15)
            #expect(cells.optimistic().infinite == infinite)
        }
    }

    @Test("The tail's bounds give way to blur three times over, and to every error, on their own side")
    func lossTail() throws {
        let law = LossLaw(
            density: .none,
            atoms: [
                LossLaw.Atom(loss: 0.5, p: 0.6, q: 0.6 * exp(-0.5)), LossLaw.Atom(loss: -1, p: 0.4, q: 0.4 * exp(1)),
            ])
        let cells = SampledLaw(law: law, rate: 1).cells(step: 0.5, cut: 0)
        func tail(_ masses: GridMasses, blur: Double, isUpper: Bool, _ query: LossQuery) -> LossTail {
            let moments = LossMoments(laws: [(masses, 4)])
            let tilt = LossTilt(moments, step: 0.5, query: query)
            let transform = RealFourierTransform(count: RealFourierTransform.count(atLeast: tilt.count))
            return LossTail(
                composition: LossComposition(moments, tilt: tilt, transform: transform), blur: blur, isUpper: isUpper)
        }
        /// k losses of 0.5 and 4 - k of -1.
        func exact(_ epsilon: Double) -> Double {
            (0...4).reduce(0) { sum, k in
                let p = choose(4, k) * pow(0.6, Double(k)) * pow(0.4, Double(4 - k))
                return sum + p * max(0, 1 - exp(epsilon - (Double(k) * 0.5 - Double(4 - k))))
            }
        }
        for epsilon in [0.05, 0.3, 0.9, 1.4, 1.9] {
            for blur in [0, 1e-6, 0.01, 0.03] {
                let upper = tail(cells.pessimistic(), blur: blur, isUpper: true, .delta(epsilon: epsilon))
                    .delta(epsilon: epsilon)
                let lower = tail(cells.optimistic(), blur: blur, isUpper: false, .delta(epsilon: epsilon))
                    .delta(epsilon: epsilon)
                let (high, low) = (exp(blur) * exact(epsilon - 3 * blur), exp(-blur) * exact(epsilon + 3 * blur))
                // Strictly: the errors are in the bounds.
                #expect(upper > high && upper < high * (1 + 1e-9) + 1e-13, "\(epsilon) \(blur)")
                #expect((lower < low || low == 0) && lower > low * (1 - 1e-9) - 1e-13, "\(epsilon) \(blur)")
                guard exact(epsilon) > 0 else { continue }
                let query = LossQuery.epsilon(delta: exact(epsilon))
                let above = tail(cells.pessimistic(), blur: blur, isUpper: true, query).epsilon(delta: exact(epsilon))
                let under = tail(cells.optimistic(), blur: blur, isUpper: false, query).epsilon(delta: exact(epsilon))
                #expect(above > epsilon + 3 * blur * 0.999, "\(epsilon) \(blur)")
                #expect(under <= max(0, epsilon - 3 * blur * 0.999), "\(epsilon) \(blur)")
            }
        }
    }
}
