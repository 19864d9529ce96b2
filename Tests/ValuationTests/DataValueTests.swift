import DifferentialPrivacy
import Secrets
import Testing

@testable import Marketplace

@Suite("Values of updates, and reports of them")
struct DataValueTests {
    private func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }

    @Test("Parts sum to the whole change of a loss of third degree: quadrature with two points is exact")
    func efficiency() {
        // The loss is the sum of x^3 + 2 x^2 - x over coordinates.
        func loss(_ x: [Float]) -> Double {
            x.reduce(0) { $0 + Double($1) * Double($1) * Double($1) + 2 * Double($1) * Double($1) - Double($1) }
        }
        let start: [Float] = [0.5, -1, 2]
        let updates: [[Float]] = [[0.25, 0.5, -1], [-0.5, 0.25, 0.5], [0, 0, 0], [0.25, 0.5, -1]]
        let step = (0..<3).map { index in updates.reduce(Float(0)) { $0 + $1[index] } }
        let gradients = DataValue.quadrature.map { point in
            zip(start, step).map { x, d in
                let at = x + Float(point.place) * d
                return 3 * at * at + 4 * at - 1
            }
        }
        let descent = DataValue.descent(gradients)
        let parts = updates.map { dot($0, descent) }
        #expect(abs(parts.reduce(0, +) - (loss(start) - loss(zip(start, step).map(+)))) < 1e-5)
        #expect(parts[2] == 0 && parts[0] == parts[3])
    }

    @Test("Neutralised: any combination of known steps has zero, also where steps are almost the same; the rest stays")
    func neutralised() {
        var random = SeededGenerator(seed: 4)
        func vector() -> [Float] { (0..<200).map { _ in Float(Double(random.next() >> 11) * 0x1p-52 - 1) } }
        for _ in 0..<50 {
            let (a, noise) = (vector(), vector())
            let known = [a, zip(a, noise).map { $0 + 1e-3 * $1 }, vector(), [Float](repeating: 0, count: 200)]
            let value = vector()
            let rest = DataValue.neutralised(value, against: known)
            for step in known { #expect(abs(dot(rest, step)) < 1e-4) }
            let orthogonal = DataValue.neutralised(vector(), against: known + [value])
            #expect(abs(dot(orthogonal, value)) < 1e-4)
            #expect(abs(dot(rest, rest) - dot(rest, value)) < 1e-3, "a projection")
        }
        #expect(DataValue.neutralised([1, 2], against: []) == [1, 2])
        #expect(DataValue.neutralised([1, 2], against: [[0, 0]]) == [1, 2])
    }

    @Test("Clipped: no longer than the norm, in the same direction; what is not finite is zero")
    func clipped() {
        #expect(DataValue.clipped([3, 4], to: 5) == [3, 4])
        #expect(DataValue.clipped([6, 8], to: 5) == [3, 4])
        #expect(DataValue.clipped([.nan, 1], to: 5) == [0, 0] && DataValue.clipped([.infinity, 1], to: 5) == [0, 0])
        #expect(DataValue.clipped([30, 40], to: 5) == DataValue.clipped([6, 8], to: 5))
    }

    @Test("A report: means and standard errors by hand; sums that are not the steps' are refused with the part")
    func report() throws {
        let totals = [party("olga"): [1.0, 3, 2], party("omar"): [-1, -1, -1]]
        let report = try ContributionReport(totals: totals, steps: [0, 2, 1], tolerance: 1e-9)
        #expect(report.contributions.map(\.owner) == [party("olga"), party("omar")])
        #expect(report.contributions.map(\.score.value) == [2, -1])
        #expect(abs(report.contributions[0].error.value - 1 / 3.0.squareRoot()) < 1e-9)
        #expect(report.contributions[1].error == .zero)
        // No error bar is shorter than what noise alone makes it.
        let noisy = try ContributionReport(totals: totals, steps: [0, 2, 1], tolerance: 1e-9, noise: 3)
        #expect(noisy.contributions.map(\.score) == report.contributions.map(\.score))
        #expect(noisy.contributions.allSatisfy { abs($0.error.value - 3.0.squareRoot()) < 1e-9 })
        #expect(throws: ValuationError.sum(fold: 1)) {
            try ContributionReport(totals: totals, steps: [0, 2.1, 1], tolerance: 0.01)
        }
        for wrong in [[:], [party("olga"): [1.0]], [party("olga"): [1.0, 3, 2], party("omar"): [1]]] {
            #expect(throws: ValuationError.self) {
                try ContributionReport(totals: wrong, steps: [0, 2, 1], tolerance: 100)
            }
        }
    }

    @Test("A program that pays for totals by noise: it is in them once, within what is stated, and in the error bars")
    func program() throws {
        let terms = try ValuationTerms(
            session: Digest256.sha256(Array("noisy".utf8)), dimension: 8, folds: 4, rounds: 2, updateNorm: 0.5,
            gradientNorm: 0.5)
        let noise = try ScoreNoise(terms: terms, unitNorm: 0.1, unitRounds: 2, multiplier: 1.5)
        let gaussian = try DiscreteGaussian(sigma: Double(noise.standardDeviation))
        var random = SeededGenerator(seed: 4)
        let owners = [party("olga"), party("omar")]
        let gradients = [[Float]](repeating: [0.25, 0, 0.25, 0, 0, 0, 0, 0], count: 4)
        let update: [Float] = [0.25, 0.25, 0, 0, 0, 0, 0, 0]
        var totals: [PartyName: [Double]] = [:]
        for name in owners {
            let drawn = (0..<terms.folds).map { _ in gaussian.sample(using: &random) }
            let (forSponsor, forOwner) = try CorrelationDealer(terms: terms).deal(to: name, noise: drawn)
            var side = try InnerProductSponsor(terms: terms, correlation: forSponsor)
            var owner = try InnerProductOwner(terms: terms, correlation: forOwner)
            for round in 0..<2 {
                let masked = try side.begin(round: round, vectors: gradients)
                try side.take(try owner.answer(masked, update: update))
            }
            totals[name] = try side.open(owner.open(), noiseBound: 12 * noise.deviation)
            for (fold, total) in (totals[name] ?? []).enumerated() {
                // Two rounds of 1/16: the rest is what was drawn, to the last digit.
                #expect(total - 0.125 == Double(drawn[fold]) * 0x1p-40)
            }
        }
        let slack = 12 * noise.deviation * Double(owners.count).squareRoot()
        let report = try ContributionReport(
            totals: totals, steps: [0.25, 0.25, 0.25, 0.25], tolerance: 2 * terms.roundingError + slack,
            noise: noise.deviation)
        for contribution in report.contributions {
            #expect(contribution.error.value >= noise.deviation / 2 - 1e-9)
        }
    }

    @Test("Noise: sensitivity bounds what one unit moves, on vectors as they are encoded; the charge by hand")
    func noise() throws {
        let terms = try ValuationTerms.ofTests(dimension: 50, folds: 4, rounds: 10)
        let noise = try ScoreNoise(terms: terms, unitNorm: 0.1, unitRounds: 3, multiplier: 2)
        #expect(abs(noise.rho - 0.125) < 1e-6)
        // 3 rounds x 0.1 x 3, times the root of 4 parts.
        #expect(abs(Double(noise.sensitivity) * 0x1p-40 - 1.8) < 1e-3)
        var random = SeededGenerator(seed: 9)
        func vector() -> [Float] { (0..<50).map { _ in Float(Double(random.next() >> 11) * 0x1p-52 - 1) } }
        for _ in 0..<500 {
            var moved = 0.0
            let update = DataValue.clipped(vector(), to: 1.9)
            let gradient = vector()
            // The worst direction for this gradient.
            let along = DataValue.clipped(gradient.map { 100 * $0 }, to: 0.1)
            let neighbour = zip(update, along).map(+)
            let g = try terms.encoded(gradient, norm: 3)
            for one in [update, neighbour] {
                let product = Int64(bitPattern: ValuationTerms.product(g, try terms.encoded(one, norm: 2)))
                moved = Double(product) - moved
            }
            #expect(3 * abs(moved) * 2 <= Double(noise.sensitivity))
        }
        for (unit, rounds, multiplier) in [(0.0, 1, 1.0), (1, 0, 1), (1, 11, 1), (1, 1, 0), (1, 1, 1e9), (.nan, 1, 1)] {
            #expect(throws: ValuationError.self) {
                try ScoreNoise(terms: terms, unitNorm: unit, unitRounds: rounds, multiplier: multiplier)
            }
        }
    }
}
