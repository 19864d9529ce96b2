import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

@Suite("Hazard ratios")
struct HazardTests {
    @Test("Without noise: the grouped model's ratio of the 6-MP trial, near Cox's")
    func freireich() throws {
        let task = try HazardTask(
            covariates: [.levels(2)], edges: (0...36).map(Double.init), censoring: .end)
        let rows = Freireich.rows.map {
            HazardRow(covariates: [Double($0.group)], time: $0.time, isEvent: $0.isEvent)
        }
        let fit = try #require(try task.estimate(task.counts(rows), noise: noNoise()).ratios())
        // The same equations over persons and weeks, solved by scipy.optimize.fsolve (1.17.1). The likelihood's maximum
        // (statsmodels 0.15.0, binomial with complementary log-log) is 1.659, Cox's with Efron's ties (lifelines
        // 0.30.3) 1.572.
        #expect(fit.count == 1 && fit[0].level == 1 && fit[0].covariate == 0)
        #expect(abs(fit[0].coefficient - 1.6257155680) < 1e-9)
        #expect(abs(fit[0].samplingDeviation - 0.4181971714) < 1e-9 && fit[0].noiseDeviation == 0)
    }
}
