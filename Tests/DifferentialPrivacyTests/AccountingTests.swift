import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Privacy loss")
struct PrivacyLossTests {
    @Test("Written numbers are decimals: 0.3 is three tenths, up and down")
    func decimals() throws {
        for (number, units) in [
            (0.3, 300_000_000_000), (1, 1_000_000_000_000), (1e-12, 1), (0, 0), (0.1, 100_000_000_000),
        ]
            as [(Double, Int64)]
        {
            #expect(try PrivacyLoss(roundingUpEpsilon: number).amount == units)
            #expect(try PrivacyLoss(roundingDownEpsilon: number).amount == units)
            #expect(try PrivacyLoss(roundingUpRho: number).amount == units)
            #expect(try PrivacyLoss(roundingDownRho: number).amount == units)
        }
        let loss = try PrivacyLoss(roundingUpRho: 1e-13, delta: 1.5e-18)
        #expect(loss.amount == 1 && loss.delta == 2)
        let limit = try PrivacyLoss(roundingDownRho: 1e-13, delta: 1.5e-18)
        #expect(limit.amount == 0 && limit.delta == 1)
        #expect(try PrivacyLoss(roundingUpEpsilon: 1e-300).amount == 1)
        #expect(try PrivacyLoss(roundingUpEpsilon: 1.0000000000001).amount == 1_000_000_000_001)
    }

    @Test("What no ledger can hold is refused", arguments: [-1, .nan, .infinity, 1e7, 1e300])
    func refused(number: Double) {
        #expect(throws: MechanismError.self) { try PrivacyLoss(roundingUpEpsilon: number) }
        #expect(throws: MechanismError.self) { try PrivacyLoss(roundingDownRho: number) }
    }

    @Test("Sums are checked: kinds do not mix, and nothing wraps around")
    func sums() throws {
        let a = PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: 2)
        #expect(try a + a == PrivacyLoss(kind: .zeroConcentrated, amount: 2, delta: 4))
        #expect(throws: MechanismError.mixedKinds) { try a + .zero(.pure) }
        #expect(throws: MechanismError.overflow) {
            try PrivacyLoss(kind: .pure, amount: .max) + PrivacyLoss(kind: .pure, amount: 1)
        }
        #expect(a.fits(in: a))
        #expect(!a.fits(in: PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: 1)))
        #expect(!a.fits(in: PrivacyLoss(kind: .zeroConcentrated, amount: 0, delta: 2)))
        #expect(!PrivacyLoss.zero(.pure).fits(in: a))
        #expect(a.left(after: a) == .zero(.zeroConcentrated))
    }

    @Test("Events cost what their theorems say, exactly and rounded up to the unit")
    func events() throws {
        let gaussian = PrivacyEvent.discreteGaussian(sensitivitySquared: 3, sigma: 10)
        #expect(try gaussian.loss(kind: .zeroConcentrated).amount == 15_000_000_000)
        let laplace = PrivacyEvent.discreteLaplace(sensitivity: 3, scale: 7)
        // 3/7 = 0.428571428571428...; 9/98 = 0.0918367346938775...
        #expect(try laplace.loss(kind: .pure).amount == 428_571_428_572)
        #expect(try laplace.loss(kind: .zeroConcentrated).amount == 91_836_734_694)
        let exponential = PrivacyEvent.exponentialMechanism(epsilon: 0.5, times: 3)
        #expect(try exponential.loss(kind: .pure).amount == 1_500_000_000_000)
        #expect(try exponential.loss(kind: .zeroConcentrated).amount == 93_750_000_000)
        let both = PrivacyEvent.composition([gaussian, exponential, gaussian])
        #expect(try both.loss(kind: .zeroConcentrated).amount == 123_750_000_000)
        #expect(try PrivacyEvent.composition([]).loss(kind: .pure) == .zero(.pure))
        // The double 0.1 is a little above one tenth: one unit more, since an event's parameter is what it is.
        let tenth = PrivacyEvent.exponentialMechanism(epsilon: 0.1, times: 1)
        #expect(try tenth.loss(kind: .pure).amount == 100_000_000_001)
    }

    @Test("What has no finite loss of a kind is refused, and so are impossible parameters")
    func unsupported() {
        let gaussian = PrivacyEvent.discreteGaussian(sensitivitySquared: 1, sigma: 1)
        let selection = PrivacyEvent.thresholdSelection(groupsPerUnit: 1, sigma: 1, threshold: 10, delta: 1e-6)
        for event in [gaussian, selection, .composition([gaussian])] {
            #expect(throws: MechanismError.self) { try event.loss(kind: .pure) }
        }
        for event in [
            PrivacyEvent.discreteGaussian(sensitivitySquared: -1, sigma: 1),
            .discreteGaussian(sensitivitySquared: 1, sigma: 0), .discreteGaussian(sensitivitySquared: .nan, sigma: 1),
            .discreteGaussian(sensitivitySquared: 1, sigma: 1e-20), .discreteLaplace(sensitivity: 1, scale: .infinity),
            .exponentialMechanism(epsilon: -0.1, times: 1), .exponentialMechanism(epsilon: 1, times: -1),
            .thresholdSelection(groupsPerUnit: 0, sigma: 1, threshold: 10, delta: 1e-6),
            .thresholdSelection(groupsPerUnit: 1, sigma: 1, threshold: 3, delta: 1e-6),
        ] {
            #expect(throws: MechanismError.self) { try event.loss(kind: .zeroConcentrated) }
        }
    }

    @Test("Noise made for a loss costs at most that, and 1e-9 less noise would cost more")
    func calibration() throws {
        var generator = SeededGenerator(seed: 41)
        for _ in 0..<200 {
            let sensitivity = Double(Int.random(in: 1...100_000, using: &generator))
            let units = Int64.random(in: 1_000_000...100_000_000_000_000, using: &generator)
            let rho = PrivacyLoss(kind: .zeroConcentrated, amount: units)
            let gaussian = try DiscreteGaussian(sensitivitySquared: sensitivity, loss: rho)
            #expect(try gaussian.event(sensitivitySquared: sensitivity).loss(kind: .zeroConcentrated).fits(in: rho))
            let less = PrivacyEvent.discreteGaussian(
                sensitivitySquared: sensitivity, sigma: gaussian.sigma * (1 - 1e-6))
            #expect(try less.loss(kind: .zeroConcentrated).amount >= units)
            let epsilon = PrivacyLoss(kind: .pure, amount: units)
            let laplace = try DiscreteLaplace(sensitivity: sensitivity, loss: epsilon)
            #expect(try laplace.event(sensitivity: sensitivity).loss(kind: .pure).fits(in: epsilon))
            let laplaceRho = try DiscreteLaplace(sensitivity: sensitivity, loss: rho)
            #expect(try laplaceRho.event(sensitivity: sensitivity).loss(kind: .zeroConcentrated).fits(in: rho))
        }
        #expect(throws: MechanismError.self) {
            try DiscreteGaussian(sensitivitySquared: 1, loss: .zero(.zeroConcentrated))
        }
        #expect(throws: MechanismError.self) {
            try DiscreteGaussian(sensitivitySquared: 1, loss: PrivacyLoss(kind: .pure, amount: 1))
        }
    }

    @Test("A filter admits up to its limit and not a unit more, and a refusal costs nothing")
    func filter() throws {
        var filter = PrivacyFilter(limit: PrivacyLoss(kind: .zeroConcentrated, amount: 10, delta: 5))
        func admits(_ loss: PrivacyLoss) -> Bool { filter.admit(loss) }
        #expect(admits(PrivacyLoss(kind: .zeroConcentrated, amount: 7, delta: 0)))
        #expect(!admits(PrivacyLoss(kind: .zeroConcentrated, amount: 4, delta: 0)))
        #expect(!admits(PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: 6)))
        #expect(!admits(PrivacyLoss(kind: .pure, amount: 1)))
        #expect(!admits(PrivacyLoss(kind: .zeroConcentrated, amount: -5, delta: 0)))
        #expect(!admits(PrivacyLoss(kind: .zeroConcentrated, amount: .max, delta: 0)))
        #expect(filter.spent == PrivacyLoss(kind: .zeroConcentrated, amount: 7, delta: 0))
        #expect(admits(PrivacyLoss(kind: .zeroConcentrated, amount: 3, delta: 5)))
        #expect(!admits(PrivacyLoss(kind: .zeroConcentrated, amount: 1, delta: 0)))
        #expect(admits(.zero(.zeroConcentrated)))
    }
}

@Suite("Conversion")
struct ConversionTests {
    struct Row: Decodable {
        var rho: String
        var delta: String
        var eps_cks20: String?
        var eps_exact_if_gaussian: String?
        var eps_opendp: Double?
    }

    struct GaussianRow: Decodable {
        var mu: String?
        var eps: String
        var delta: String
        var sigma_exact: String?
    }

    @Test("Published constants: rho 0.5 at delta 1e-6, and Gaussians of mu 1")
    func constants() {
        // From an implementation with 60 digits.
        #expect(abs(Conversion.gaussianDelta(rho: 0.5, epsilon: 1) - 0.12693673750664397) < 1e-12)
        #expect(abs(Conversion.gaussianDelta(rho: 0.5, epsilon: 0) - 0.38292492254802624) < 1e-12)
        #expect(Conversion.epsilon(rho: 0, delta: 1e-6) == 0)
        #expect(Conversion.epsilon(rho: 1, delta: 0) == .infinity)
        #expect(Conversion.rho(epsilon: 0, delta: 1e-6) == 0 && Conversion.rho(epsilon: 1, delta: 0) == 0)
    }

    @Test("Where the curve is the small difference of large numbers, the bounds still hold it")
    func largeRho() {
        // From an implementation with 60 digits.
        for (rho, epsilon, exact) in [
            (1e8, 100120402.02473395, 8.4177002543289e-18), (1e12, 1000009900000.0, 1.27654785836267705e-12),
        ] {
            let bounds = Conversion.gaussianDeltaBounds(rho: rho, epsilon: epsilon)
            #expect(bounds.lower <= exact && exact <= bounds.upper, "\(rho): \(bounds)")
            #expect(bounds.upper < exact * 1.01)
        }
    }

    @Test("Round trips stay on the safe side, and close")
    func roundTrips() {
        for epsilon in [0.01, 0.1, 0.5, 1, 3, 10, 50] {
            for delta in [1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 1e-30] {
                let rho = Conversion.rho(epsilon: epsilon, delta: delta)
                let back = Conversion.epsilon(rho: rho, delta: delta)
                #expect(back <= epsilon * (1 + 1e-10) && back >= epsilon * (1 - 1e-8))
                let gaussianRho = Conversion.gaussianRho(epsilon: epsilon, delta: delta)
                #expect(Conversion.gaussianDelta(rho: gaussianRho, epsilon: epsilon) <= delta)
                #expect(Conversion.gaussianDelta(rho: gaussianRho * (1 + 1e-7), epsilon: epsilon) > delta)
                let gaussianBack = Conversion.gaussianEpsilon(rho: gaussianRho, delta: delta)
                #expect(abs(gaussianBack / epsilon - 1) < 1e-6)
                // The Gaussian's own curve is never looser than what its rho alone gives.
                #expect(gaussianRho >= rho)
            }
        }
    }

    @Test("No order of Rényi divergence does better than the one found")
    func optimal() {
        for (rho, delta) in [(1e-6, 1e-9), (0.01, 1e-6), (0.5, 1e-5), (20, 1e-12)] as [(Double, Double)] {
            let best = Conversion.epsilon(rho: rho, delta: delta)
            for step in 0...4000 {
                let order = exp(-20 + Double(step) * 0.01)
                let bound = rho * (order + 1) - (log1p(order) + log(delta)) / order + log(order) - log1p(order)
                #expect(bound >= best * (1 - 1e-10))
            }
        }
    }

    @Test(
        "zCDP to epsilon, against 60-digit values and OpenDP",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func zeroConcentrated() throws {
        let rows = try KnownAnswers.rows("d_zcdp_to_approx", as: Row.self)
        #expect(rows.count == 40)
        for row in rows + (try KnownAnswers.rows("d_zcdp_to_approx_opendp", as: Row.self)) {
            let rho = try #require(Double(row.rho))
            let delta = try #require(Double(row.delta))
            let expected = try #require(row.eps_cks20.flatMap(Double.init) ?? row.eps_opendp)
            let ours = Conversion.epsilon(rho: rho, delta: delta)
            #expect(ours >= expected * (1 - 1e-14) && ours <= expected * (1 + 1e-9) + 1e-12)
            if let exact = row.eps_exact_if_gaussian.flatMap(Double.init) {
                let gaussian = Conversion.gaussianEpsilon(rho: rho, delta: delta)
                #expect(gaussian >= exact * (1 - 1e-14) && gaussian <= exact * (1 + 1e-8) + 1e-10)
            }
        }
    }

    @Test(
        "The Gaussian mechanism's curve, against 60-digit values, both ways",
        .enabled(if: KnownAnswers.areAvailable, "the folder of known answers is not beside the package"))
    func gaussian() throws {
        var checked = 0
        for row in try KnownAnswers.rows("c_analytic_gaussian_delta", as: GaussianRow.self) {
            let mu = try #require(row.mu.flatMap(Double.init))
            let epsilon = try #require(Double(row.eps))
            let expected = try #require(Double(row.delta))
            guard expected > 1e-290 else { continue }
            let ours = Conversion.gaussianDelta(rho: mu * mu / 2, epsilon: epsilon)
            #expect(ours >= expected * (1 - 1e-12) && ours <= expected * (1 + 1e-7) + 1e-13 * min(1, expected * 1e9))
            checked += 1
        }
        #expect(checked > 60)
        for row in try KnownAnswers.rows("c_analytic_gaussian_sigma", as: GaussianRow.self) {
            let sigma = try #require(row.sigma_exact.flatMap(Double.init))
            let rho = Conversion.gaussianRho(
                epsilon: try #require(Double(row.eps)), delta: try #require(Double(row.delta)))
            let ours = (1 / (2 * rho)).squareRoot()
            #expect(ours >= sigma * (1 - 1e-13) && ours <= sigma * (1 + 1e-8))
        }
    }
}

@Suite("Sensitivity")
struct SensitivityTests {
    @Test("Worst cases equal those found by trying every contribution of a unit")
    func exhaustive() {
        for groups in 1...4 {
            for rowsPerGroup in 1...4 {
                for rowsPerUnit in 1...10 {
                    var worst = (l1: 0, l2: 0)
                    each(groups, rowsPerGroup, rowsPerUnit) { counts in
                        worst.l1 = max(worst.l1, counts.reduce(0, +))
                        worst.l2 = max(worst.l2, counts.reduce(0) { $0 + $1 * $1 })
                    }
                    for largest in [1, 3] as [Int64] {
                        #expect(
                            Sensitivity.l1(
                                groups: groups, rowsPerGroup: rowsPerGroup, rowsPerUnit: rowsPerUnit, largest: largest)
                                == Double(worst.l1) * Double(largest))
                        #expect(
                            Sensitivity.l2Squared(
                                groups: groups, rowsPerGroup: rowsPerGroup, rowsPerUnit: rowsPerUnit, largest: largest)
                                == Double(worst.l2) * Double(largest * largest))
                    }
                }
            }
        }
    }

    /// Every vector of counts that a unit can contribute.
    private func each(_ groups: Int, _ rowsPerGroup: Int, _ rows: Int, _ counts: [Int] = [], _ body: ([Int]) -> Void) {
        if counts.count == groups { return body(counts) }
        for count in 0...min(rowsPerGroup, rows) {
            each(groups, rowsPerGroup, rows - count, counts + [count], body)
        }
    }

    @Test("Sums with bounded values: random contributions never change more")
    func sums() {
        var generator = SeededGenerator(seed: 51)
        for _ in 0..<2000 {
            let (k, m, r) = (
                Int.random(in: 1...5, using: &generator), Int.random(in: 1...5, using: &generator),
                Int.random(in: 1...12, using: &generator)
            )
            let largest = Int64.random(in: 1...1000, using: &generator)
            var sums = [Int64](repeating: 0, count: k)
            var used = [Int](repeating: 0, count: k)
            for _ in 0..<r {
                let group = Int.random(in: 0..<k, using: &generator)
                guard used[group] < m else { continue }
                used[group] += 1
                sums[group] += Int64.random(in: -largest...largest, using: &generator)
            }
            let l1 = sums.reduce(0) { $0 + Double($1.magnitude) }
            let l2 = sums.reduce(0) { $0 + Double($1) * Double($1) }
            #expect(l1 <= Sensitivity.l1(groups: k, rowsPerGroup: m, rowsPerUnit: r, largest: largest))
            #expect(l2 <= Sensitivity.l2Squared(groups: k, rowsPerGroup: m, rowsPerUnit: r, largest: largest))
        }
    }

    @Test("Large bounds round up and never overflow")
    func large() {
        let value = Sensitivity.l2Squared(
            groups: .max, rowsPerGroup: .max, rowsPerUnit: .max, largest: .min)
        // (2^63 - 1)^2 * 2^126.
        #expect(value == 0x1p252)
        #expect(Sensitivity.l1(groups: 1, rowsPerGroup: 1, rowsPerUnit: 1, largest: (1 << 53) + 1) == 0x1p53 + 2)
        #expect(Sensitivity.l1(groups: 0, rowsPerGroup: 1, rowsPerUnit: 1) == 0)
        #expect(Sensitivity.l2Squared(groups: 1, rowsPerGroup: 0, rowsPerUnit: 1) == 0)
    }
}
