import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

@Suite("Hazard ratios")
struct HazardTests {
    @Test("Without noise: Cox's ratio of the 6-MP trial, whose ties Efron's method breaks")
    func freireich() throws {
        let task = try HazardTask(
            covariates: [.levels(2)], edges: (0...36).map(Double.init), censoring: .end)
        let rows = Freireich.rows.map {
            HazardRow(covariates: [Double($0.group)], time: $0.time, isEvent: $0.isEvent)
        }
        let fit = try #require(try task.estimate(task.counts(rows), noise: noNoise()).ratios())
        // lifelines 0.30.3, CoxPHFitter (Efron): 1.572, se .412. Half a week of those who leave is not Efron's average,
        // but close to it.
        #expect(fit.count == 1 && fit[0].level == 1 && fit[0].covariate == 0)
        #expect(abs(fit[0].coefficient - 1.572) < 0.03 && abs(fit[0].samplingDeviation - 0.412) < 0.01)
        #expect(fit[0].noiseDeviation == 0)
        print("DEBUG", fit[0])
    }
}
