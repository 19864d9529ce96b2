import DifferentialPrivacy
import Foundation
import Testing

/// What accountants say, against the exact privacy of mechanisms whose laws are written out: never below it. Copies with
/// half of the noise, or one more step, exceed what is said, so that these audits can fail.
@Suite("Audits of accountants")
struct AccountantAudits {
    /// An event with the probabilities of all outputs (but those too rare to matter, which only lowers what is seen).
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var event: PrivacyEvent
        var times: Int
        /// The least number of accountants that know the event.
        var accountants: Int
        /// Probabilities of one output at two neighbours.
        var law: [(first: Double, second: Double)]
        var brokenLaw: [(first: Double, second: Double)]

        var testDescription: String { "\(name), \(times) times" }
    }

    private static func shifted(_ weight: (Double) -> Double, by shift: Double, step: Double = 1, reach: Double)
        -> [(first: Double, second: Double)]
    {
        let xs = Array(stride(from: -reach, through: reach + shift, by: step))
        let total = stride(from: -reach - shift, through: reach + shift, by: step).reduce(0) { $0 + weight($1) }
        return xs.map { (weight($0 - shift) / total, weight($0) / total) }
    }

    private static func gaussian(_ sigma: Double, by shift: Double, step: Double = 1) -> [(
        first: Double, second: Double
    )] {
        shifted({ exp(-$0 * $0 / (2 * sigma * sigma)) }, by: shift, step: step, reach: (9 * sigma).rounded(.up))
    }

    /// Gaussian noise of L2 sensitivity 1 in bins: post-processing, and nearly all of it.
    private static func binned(_ sigma: Double) -> [(first: Double, second: Double)] {
        let width = 1.0 / 64
        func mass(_ x: Double) -> Double {
            // From the side on which nothing cancels.
            let (a, b) = (x / sigma / 2.0.squareRoot(), (x + width) / sigma / 2.0.squareRoot())
            return a >= 0 ? (erfc(a) - erfc(b)) / 2 : (erfc(-b) - erfc(-a)) / 2
        }
        return stride(from: -9 * sigma.rounded(.up), through: 9 * sigma.rounded(.up), by: width)
            .map { (mass($0 - 1), mass($0)) }
    }

    private static func laplace(_ scale: Double, by shift: Double) -> [(first: Double, second: Double)] {
        shifted({ exp(-abs($0) / scale) }, by: shift, reach: (30 * scale).rounded(.up))
    }

    /// With probability `rate` the first of both, else the second; against the second.
    private static func sampled(_ law: [(first: Double, second: Double)], rate: Double) -> [(
        first: Double, second: Double
    )] {
        law.map { (rate * $0.first + (1 - rate) * $0.second, $0.second) }
    }

    /// Skellam probabilities, from their definition as a difference of Poisson numbers.
    private static func skellam(_ variance: Double) -> (Double) -> Double {
        let mean = variance / 2
        let poisson = (0...200).map { exp(Double($0) * log(mean) - mean - lgamma(Double($0) + 1)) }
        return { x in
            let x = Int(abs(x))
            return x > 100 ? 0 : (0...(200 - x)).reduce(0) { $0 + poisson[$1] * poisson[$1 + x] }
        }
    }

    static let cases: [Case] = {
        var cases: [Case] = []
        for times in 1...3 {
            cases.append(
                Case(
                    name: "discrete Gaussian", event: .discreteGaussian(sensitivitySquared: 1, sigma: 1.5),
                    times: times,
                    accountants: 2, law: gaussian(1.5, by: 1), brokenLaw: gaussian(0.75, by: 1)))
            cases.append(
                Case(
                    name: "discrete Laplace", event: .discreteLaplace(sensitivity: 2, scale: 2), times: times,
                    accountants: 3, law: laplace(2, by: 2), brokenLaw: laplace(1, by: 2)))
            let skellams = (skellam(4), skellam(1))
            cases.append(
                Case(
                    name: "Skellam", event: .skellam(l1Sensitivity: 1, sensitivitySquared: 1, variance: 4),
                    times: times,
                    accountants: 1, law: shifted(skellams.0, by: 1, reach: 30),
                    brokenLaw: shifted(skellams.1, by: 1, reach: 30)))
            cases.append(
                Case(
                    name: "randomised response", event: .pure(epsilon: 1), times: times, accountants: 3,
                    law: [(0.7310585786300049, 0.2689414213699951), (0.2689414213699951, 0.7310585786300049)],
                    brokenLaw: [(0.9, 0.1), (0.1, 0.9)]))
            cases.append(
                Case(
                    name: "sampled discrete Laplace",
                    event: .poissonSampled(rate: 0.2, .discreteLaplace(sensitivity: 1, scale: 1)), times: times,
                    accountants: 2, law: sampled(laplace(1, by: 1), rate: 0.2),
                    brokenLaw: sampled(laplace(1, by: 1), rate: 0.5)))
        }
        for sigma in [0.7, 1, 3] {
            cases.append(
                Case(
                    name: "Gaussian \(sigma)", event: .gaussian(noiseMultiplier: sigma), times: 1, accountants: 3,
                    law: binned(sigma), brokenLaw: binned(sigma * 0.9)
                ))
            cases.append(
                Case(
                    name: "sampled Gaussian \(sigma)",
                    event: .poissonSampled(rate: 0.1, .gaussian(noiseMultiplier: sigma)),
                    times: 1, accountants: 1, law: sampled(binned(sigma), rate: 0.1),
                    brokenLaw: sampled(binned(sigma), rate: 0.5)))
        }
        // The exponential mechanism on many candidates, one of which rises while all others fall.
        func choice(_ epsilon: Double) -> [(first: Double, second: Double)] {
            let raised = exp(epsilon / 2)
            let totals = (raised + 99 / raised, 100.0)
            return [(raised / totals.0, 0.01)] + [(Double, Double)](repeating: (1 / raised / totals.0, 0.01), count: 99)
        }
        cases.append(
            Case(
                name: "exponential mechanism", event: .exponentialMechanism(epsilon: 1, times: 2), times: 1,
                accountants: 3,
                law: product(choice(1), 2), brokenLaw: product(choice(2.5), 2)))
        return cases
    }()

    private static func product(_ law: [(first: Double, second: Double)], _ times: Int) -> [(
        first: Double, second: Double
    )] {
        (1..<max(1, times)).reduce(law) { all, _ in
            all.flatMap { a in law.map { (a.first * $0.first, a.second * $0.second) } }
                .filter { $0.first > 1e-14 || $0.second > 1e-14 }
        }
    }

    private static func accountants() throws -> [(name: String, accountant: any Accountant)] {
        [
            ("pure", PureAccountant()), ("zCDP", ZeroConcentratedAccountant()), ("Rényi", try RenyiAccountant()),
            ("Gaussian", GaussianAccountant()), ("privacy loss distribution", try PrivacyLossAccountant()),
            ("the same on a coarse grid", try PrivacyLossAccountant(gridStep: 0.05)),
        ]
    }

    private static func delta(_ epsilon: Double, _ law: [(first: Double, second: Double)]) -> Double {
        let outputs = law.enumerated()
        return ExactAudit.delta(
            epsilon: epsilon, Dictionary(uniqueKeysWithValues: outputs.map { ($0.offset, $0.element.first) }),
            Dictionary(uniqueKeysWithValues: outputs.map { ($0.offset, $0.element.second) }))
    }

    @Test(
        "Every accountant's epsilon and delta cover the exact ones; a broken copy's are not covered", arguments: cases)
    func covers(_ example: Case) throws {
        let law = Self.product(example.law, example.times)
        let broken = Self.product(example.brokenLaw, example.times)
        var known = 0
        for (name, empty) in try Self.accountants() {
            var accountant = empty
            do { try accountant.compose(example.event, times: example.times) } catch { continue }
            known += 1
            var isCaught = false
            for delta in [1e-1, 1e-2, 1e-4, 1e-6] {
                let epsilon = try accountant.epsilon(delta: delta)
                guard epsilon.upper.isFinite else { continue }
                #expect(Self.delta(epsilon.upper, law) <= delta * (1 + 1e-9) + 1e-13, "\(name)'s epsilon at \(delta)")
                isCaught = isCaught || Self.delta(epsilon.upper, broken) > delta * 1.01
            }
            for epsilon in [0, 0.1, 0.5, 1, 2] {
                let delta = try accountant.delta(epsilon: epsilon)
                #expect(Self.delta(epsilon, law) <= delta.upper * (1 + 1e-9) + 1e-13, "\(name)'s delta at \(epsilon)")
            }
            #expect(isCaught, "\(name) covers the broken copy too")
        }
        #expect(known >= example.accountants)
    }
}
