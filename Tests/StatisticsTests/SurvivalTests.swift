import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// Freireich et al. 1963 (6-mercaptopurine in acute leukemia), as in Kalbfleisch and Prentice: weeks of remission.
enum Freireich {
    static let treated: [(Double, Bool)] = [
        (6, true), (6, true), (6, true), (6, false), (7, true), (9, false), (10, true), (10, false), (11, false),
        (13, true), (16, true), (17, false), (19, false), (20, false), (22, true), (23, true), (25, false),
        (32, false), (32, false), (34, false), (35, false),
    ]
    static let placebo: [Double] = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]

    static var rows: [SurvivalRow] {
        treated.map { SurvivalRow(group: 0, time: $0.0, isEvent: $0.1) }
            + placebo.map { SurvivalRow(group: 1, time: $0, isEvent: true) }
    }

    static func task(censoring: CensoringPlace = .end) throws -> SurvivalTask {
        try SurvivalTask(edges: (0...36).map(Double.init), groups: 2, censoring: censoring)
    }
}

/// Noise that is none: estimates are then those of the rows.
func noNoise() throws -> AddedNoise { try AddedNoise(law: .gaussian, variance: 0) }

@Suite("Survival curves and the log-rank test")
struct SurvivalTests {
    @Test("Without noise: the published curve and log-rank statistic of the 6-MP trial")
    func freireich() throws {
        let task = try Freireich.task()
        let survival = try task.estimate(task.counts(Freireich.rows), noise: noNoise())
        // lifelines 0.30.3, KaplanMeierFitter: the same as the published .857, .807, .753, .690, .627, .538, .448.
        let expected = [6: 0.857143, 7: 0.806723, 10: 0.752941, 13: 0.690196, 16: 0.627451, 22: 0.537815, 23: 0.448179]
        let curve = try survival.curve(group: 0)
        for (week, value) in expected {
            let point = curve.points[week]
            #expect(abs(try #require(point.survival) - value) < 1e-6)
            #expect(point.noiseDeviation == 0)
        }
        // Greenwood's deviation at 10 weeks (R's survfit: 0.0963), and the median.
        #expect(abs(try #require(curve.points[10].samplingDeviation) - 0.0963) < 1e-4)
        #expect(curve.median == 24 && curve.points[22].atRisk == 7)
        #expect(try survival.curve(group: 1).median == 9)
        let test = try #require(survival.logRank())
        #expect(abs(test.statistic - 16.79) < 0.005 && test.degreesOfFreedom == [1])
        // R's survdiff: 4e-5.
        #expect(abs(test.pValue - 4.17e-5) < 1e-7)
    }
}
