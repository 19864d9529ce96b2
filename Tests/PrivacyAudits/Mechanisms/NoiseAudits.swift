import DifferentialPrivacy
import Foundation
import Secrets
import Testing

/// Additive noise keeps its promise; broken copies of it do not.
@Suite("Audits of noise")
struct NoiseAudits {
    @Test("Gaussian noise holds its rho; half the noise, and noise for one row where a unit has two, are caught")
    func gaussian() throws {
        let claim = PrivacyClaim.zeroConcentrated(rho: 0.5)
        let right = try DiscreteGaussian(sensitivitySquared: 100, loss: PrivacyLoss(roundingDownRho: 0.5))
        func shift(_ noise: DiscreteGaussian, by change: Int64) -> (Audit.Draw<Int64>, Audit.Draw<Int64>) {
            ({ change + noise.sample(using: &$0) }, { noise.sample(using: &$0) })
        }
        let pair = shift(right, by: 10)
        try Audit("Gaussian", claim).holds(pair.0, pair.1)
        let halved = shift(try DiscreteGaussian(sigma: right.sigma / 2), by: 10)
        try Audit("Gaussian, half the noise", claim).catches(halved.0, halved.1)
        let two = shift(right, by: 20)
        try Audit("Gaussian, two rows", claim).catches(two.0, two.1)
    }

    @Test("Laplace noise holds its epsilon; half the noise, and noise for one row where a unit has two, are caught")
    func laplace() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        let loss = try PrivacyLoss(roundingDownEpsilon: 1)
        let right = try DiscreteLaplace(sensitivity: 2, loss: loss)
        let halved = try DiscreteLaplace(scale: right.scale / 2)
        let oneRow = try DiscreteLaplace(sensitivity: 1, loss: loss)
        try Audit("Laplace", claim).holds({ 2 + right.sample(using: &$0) }, { right.sample(using: &$0) })
        try Audit("Laplace, half", claim).catches({ 2 + halved.sample(using: &$0) }, { halved.sample(using: &$0) })
        try Audit("Laplace, one row", claim).catches({ 2 + oneRow.sample(using: &$0) }, { oneRow.sample(using: &$0) })
    }

    @Test("By the exact law: discrete Gaussian noise is zCDP at every order, with equality at whole orders")
    func exactGaussian() {
        for sigma in [0.3, 0.7, 1, 2.5, 10] {
            let bound = Int(30 * sigma) + 1
            let total = (-bound...bound).reduce(0.0) { $0 + exp(-Double($1 * $1) / (2 * sigma * sigma)) }
            func law(_ center: Int) -> [Int: Double] {
                Dictionary(
                    uniqueKeysWithValues: (-bound...bound).map { x in
                        let distance = Double(x - center)
                        return (x, exp(-distance * distance / (2 * sigma * sigma)) / total)
                    })
            }
            let rho = 1 / (2 * sigma * sigma)
            for order in [1.25, 1.5, 2, 4, 8] {
                let divergence = ExactAudit.renyi(order: order, law(1), law(0))
                #expect(divergence <= rho * order * (1 + 1e-9))
                if order == order.rounded() { #expect(divergence >= rho * order * (1 - 1e-9)) }
            }
        }
    }

    /// Laplace noise as it is usually written: the inverse of the distribution function, in floating point.
    private func floatingPoint(_ value: Double, scale: Double, _ random: inout AuditRandom) -> Double {
        let uniform = Double(random.next() >> 11) * 0x1p-53 - 0.5
        return value - scale * (uniform < 0 ? -1 : 1) * log(1 - 2 * abs(uniform))
    }

    @Test("Floating-point noise gives its input away in the last digits; on a grid nothing is left in them")
    func floatingPoint() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        // Mironov 2012: whether an output can be reached from 0 at all. Sums with 1 lose digits that sums with 0 keep.
        func digits(_ output: Double) -> Int {
            output == 0 ? 0 : Int(output.exponent) - output.significandWidth
        }
        try Audit("floating point", claim).catches { random in
            digits(floatingPoint(1, scale: 1, &random))
        } _: { random in
            digits(floatingPoint(0, scale: 1, &random))
        }
        let noise = try DiscreteLaplace(scale: 0x1p20)
        try Audit("on a grid", claim).holds { random in
            digits(Double(1 << 20 + noise.sample(using: &random)) * 0x1p-20)
        } _: { random in
            digits(Double(noise.sample(using: &random)) * 0x1p-20)
        }
    }

    @Test("Staircase noise holds its epsilon at the full sensitivity; a step made for less is caught")
    func staircase() throws {
        let claim = PrivacyClaim.pure(epsilon: 2)
        let right = try StaircaseNoise(epsilon: 2, sensitivity: 10)
        let half = try StaircaseNoise(epsilon: 2, sensitivity: 5)
        for shift in [1, right.step, 10] {
            try Audit("staircase, \(shift)", claim).holds(
                { shift + right.sample(using: &$0) }, { right.sample(using: &$0) })
        }
        try Audit("staircase for half", claim).catches({ 10 + half.sample(using: &$0) }, { half.sample(using: &$0) })
    }

    @Test("Geometric noise hides which is largest, and gives itself away when a value is told")
    func geometric() throws {
        let noise = try GeometricNoise(scale: 2)
        func best(_ utilities: [Int64]) -> Audit.Draw<Int> {
            { random in
                let noisy = utilities.map { $0 + noise.sample(using: &random) }
                let largest = noisy.max() ?? 0
                let tied = utilities.indices.filter { noisy[$0] == largest }
                return tied[Int(random.next(upperBound: UInt64(tied.count)))]
            }
        }
        try Audit("geometric, winner", .pure(epsilon: 1)).holds(best([1, 1, 1, 1, 1, 1]), best([2, 0, 0, 0, 0, 0]))
        try Audit("geometric, told", .pure(epsilon: 1)).catches(
            { 1 + noise.sample(using: &$0) }, { noise.sample(using: &$0) })
    }

    @Test("Skellam noise holds what the Rényi accountant says; a quarter of the variance is caught")
    func skellam() throws {
        let right = try Skellam(variance: 100)
        let quarter = try Skellam(variance: 25)
        var accountant = try RenyiAccountant()
        try accountant.compose(right.event(l1Sensitivity: 10, sensitivitySquared: 100))
        let points = try [0.1, 1e-2, 1e-3].map {
            PrivacyClaim.Point(epsilon: try accountant.epsilon(delta: $0).upper, delta: $0)
        }
        let claim = PrivacyClaim(points: points)
        try Audit("Skellam", claim).holds({ 10 + right.sample(using: &$0) }, { right.sample(using: &$0) })
        try Audit("Skellam, a quarter", claim).catches(
            { 10 + quarter.sample(using: &$0) }, { quarter.sample(using: &$0) })
    }

    @Test("Noise on a grid holds its loss where rounding works against it; without the enlargement it does not")
    func grid() throws {
        // Far more noise than steps: what rounding adds shows only at a coarse step, so the broken copy has one.
        let loss = try PrivacyLoss(roundingDownEpsilon: 1)
        let right = try GridNoise(sensitivity: 0.3, loss: loss)
        func release(_ value: Double) -> Audit.Draw<Double> {
            { try right.release([value], using: &$0)[0] }
        }
        try Audit("grid", .pure(epsilon: 1)).holds(release(0.5), release(0.8))
        // Steps of 1: 0.4 and 0.7 round to 0 and 1, a change of 1 and not of 0.3.
        let noise = try DiscreteLaplace(scale: 0.3)
        try Audit("grid without enlargement", .pure(epsilon: 1)).catches(
            { Int64(0.4.rounded()) + noise.sample(using: &$0) }, { Int64(0.7.rounded()) + noise.sample(using: &$0) })
    }
}
