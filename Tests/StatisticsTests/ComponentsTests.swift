import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

@Suite("Components")
struct ComponentsTests {
    private let columns = [-2.0...2.0, 0.0...10.0, -30.0...30.0]

    private var rows: [[Double]] {
        (0..<600).map { i in [MadeRows.columns(i)[0], MadeRows.columns(i)[1], MadeRows.linear(i)] }
    }

    private func answer(
        _ target: ComponentsTarget, _ variance: SamplingVariance, _ loss: PrivacyLoss
    ) throws -> ComponentsEstimate {
        var generator = SeededGenerator(seed: 91)
        let model = try PrivateComponents(columns: columns, target: target, variance: variance, loss: loss)
        #expect(try model.event.loss(kind: loss.kind).fits(in: loss))
        return try model.release(rows + [[.nan, 1, 1], [1, .infinity, 1]], using: &generator)
    }

    @Test(
        "Without noise: numpy's covariances, correlations, eigenvalues, loadings, and their influence functions' deviations"
    )
    func known() throws {
        for loss in NoNoise.losses {
            let covariances = try answer(.covariances, .robust, loss)
            #expect(abs(covariances.count - 600) < 0.1)
            let first = try #require(covariances[.covariance(1, 0)])
            #expect(abs(first.estimate + 0.07202083) < 1e-3 && isNear([first.standardError ?? 0], [0.14386446], 0.01))
            let last = try #require(covariances[.covariance(2, 2)])
            #expect(isNear([last.estimate, last.standardError ?? 0], [51.5655403, 2.47433155], 0.01))
            #expect(abs(covariances.covariance[1][2] + 17.65251944) < 0.01)
            let correlations = try answer(.correlations, .robust, loss)
            let third = try #require(correlations[.correlation(2, 0)])
            #expect(isNear([third.estimate, third.standardError ?? 0], [0.510372278, 0.02802996], 0.01))
            let interval = try #require(third.interval())
            #expect(interval.lower > 0.45 && interval.upper < 0.565 && interval.lower < 0.51)
            let model = try answer(.correlations, .model, loss)
            #expect(isNear([model[.correlation(2, 0)]?.standardError ?? 0], [0.03019078], 0.01))
            let principal = try answer(.principal(count: 1), .robust, loss)
            let value = try #require(principal[.eigenvalue(0)])
            // The bias of second order that sampling has is taken off: 1 / 600 of values that are near.
            #expect(isNear([value.estimate], [0.41226261], 0.03))
            #expect(principal.loadings.count == 1)
            #expect(isNear(principal.loadings[0], [-0.55651788, 0.74779247, -0.36206942], 0.01))
            // The first two are nearer than sampling tells apart: nothing is said of them.
            #expect(value.interval() == nil)
        }
    }

    @Test("An eigenvalue that stands alone has an interval, and its share and loadings too")
    func apart() throws {
        var generator = SeededGenerator(seed: 92)
        var random = PopulationGenerator(seed: 92)
        let rows = (0..<20_000).map { _ in
            let f = random.normal()
            return [0.3 * f + 0.1 * random.normal(), 0.2 * f + 0.1 * random.normal(), 0.1 * random.normal()]
        }
        let model = try PrivateComponents(
            columns: [-1...1, -1...1, -1...1], target: .principal(count: 1), loss: try PrivacyLoss(roundingDownRho: 0.1)
        )
        let answer = try model.release(rows, using: &generator)
        // The covariance matrix is 0.13 vv' + 0.01 I, with v = (3, 2, 0) / sqrt(13).
        let interval = try #require(answer[.eigenvalue(0)]?.interval(confidence: 0.9999))
        #expect(interval.lower < 0.14 && interval.upper > 0.14 && interval.upper - interval.lower < 0.03)
        let share = try #require(answer[.share(0)]?.interval(confidence: 0.9999))
        #expect(share.lower < 0.875 && share.upper > 0.875)
        let loading = try #require(answer[.loading(component: 0, column: 1)]?.interval(confidence: 0.9999))
        #expect(loading.lower < 2 / 13.0.squareRoot() && loading.upper > 2 / 13.0.squareRoot())
    }

    @Test("Nonsense, no rows and constant columns give no intervals, and end; parameters out of range are refused")
    func nonsense() throws {
        var generator = SeededGenerator(seed: 93)
        let loss = try PrivacyLoss(roundingDownRho: 0.1)
        for target in [
            ComponentsTarget.covariances, .correlations, .principal(count: 3),
            .principal(count: 3, isStandardised: true),
        ] {
            let model = try PrivateComponents(columns: columns, target: target, loss: loss)
            for rows in [[], [[Double]](repeating: [1, 1, 1], count: 100)] {
                let answer = try model.release(rows, using: &generator)
                if target != .covariances { #expect(answer.statistics.allSatisfy { $0.interval() == nil }) }
                #expect(answer.statistics.allSatisfy { $0.estimate.isFinite })
            }
            for size in [Int64(1), 1 << 40, .max] {
                let vector = (0..<10).map { _ in Int64.random(in: -size...size, using: &generator) }
                #expect(try model.estimate([vector]).statistics.allSatisfy { $0.estimate.isFinite })
            }
            #expect(throws: MechanismError.self) { try model.estimate([[1]]) }
            #expect(throws: MechanismError.self) { try model.release([[1]], using: &generator) }
        }
        #expect(throws: MechanismError.self) {
            try PrivateComponents(columns: [0...1], target: .covariances, loss: loss)
        }
        #expect(throws: MechanismError.self) {
            try PrivateComponents(columns: columns, target: .principal(count: 4), loss: loss)
        }
        #expect(throws: MechanismError.self) {
            try PrivateComponents(
                columns: columns, target: .principal(count: 2, isStandardised: true), variance: .robust, loss: loss)
        }
    }
}
