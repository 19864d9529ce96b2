import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

@Suite("Surveys")
struct SurveyTests {
    private let strata = [0, 0.1, 0, 0].map { Stratum(primaryUnits: 5, samplingFraction: $0) }

    private var rows: [SurveyRow] {
        (0..<600).map { (i: Int) -> SurveyRow in
            let weight = 1 + Double(i % 7) / 3
            let value = Double(i * 11 % 41) / 4
            return SurveyRow(
                stratum: i % 4, primaryUnit: (i / 4) % 5, weight: weight, value: value, denominator: Double(1 + i % 3))
        }
    }

    @Test("Without noise: totals, means and ratios with the ultimate cluster variance, as numpy computes it")
    func known() throws {
        var generator = SeededGenerator(seed: 95)
        let known: [(SurveyQuantity, Double, Double)] = [
            (.total(lower: 0, upper: 10), 5981, 2052.095486111114),
            (.mean(lower: 0, upper: 10), 4.991098748261474, 0.0005958134657944186),
        ]
        for loss in NoNoise.losses {
            for (quantity, estimate, variance) in known {
                let survey = try PrivateSurveyEstimate(
                    strata: strata, quantity: quantity, largestWeight: 3, loss: loss)
                let answer = try survey.release(rows, using: &generator)
                #expect(isNear([answer.estimate, answer.designVariance], [estimate, variance], 0.002))
                #expect(answer.degreesOfFreedom > 4 && answer.degreesOfFreedom <= 16)
                let interval = try #require(answer.interval())
                let quantile = StudentLaw(degreesOfFreedom: answer.degreesOfFreedom).quantile(confidence: 0.95)
                let half = quantile * variance.squareRoot()
                #expect(isNear([interval.upper - interval.lower], [2 * half], 0.005))
            }
            // The ratio of a variable within [0, 10] over one within [0, 3].
            let ratio = try PrivateSurveyEstimate(
                strata: strata, quantity: .ratio(numerator: 0...10, denominator: 0...3), largestWeight: 3, loss: loss)
            let answer = try ratio.release(rows, using: &generator)
            #expect(isNear([answer.estimate, answer.designVariance], [2.49520233625365, 0.0003129130632355224], 0.01))
        }
    }

    @Test("The noise's variance is taken off what is between primary units: on average nothing is left of none")
    func noiseTakenOff() throws {
        var generator = SeededGenerator(seed: 96)
        let strata = [Stratum](repeating: Stratum(primaryUnits: 20), count: 10)
        let survey = try PrivateSurveyEstimate(
            strata: strata, quantity: .total(lower: 0, upper: 1), largestWeight: 1,
            loss: try PrivacyLoss(roundingDownRho: 0.1))
        // Primary units that are all alike: ten people with 1 in each.
        let rows = (0..<2000).map {
            SurveyRow(stratum: $0 % 10, primaryUnit: $0 / 10 % 20, weight: 1, value: 1)
        }
        var (spread, given, covered) = (0.0, 0, 0)
        let runs = 400
        let deviation = survey.layout.deviation(1, survey.noise)
        let noise = deviation * deviation * 200
        for _ in 0..<runs {
            let answer = try survey.release(rows, using: &generator)
            spread += answer.designVariance / noise
            if let interval = answer.interval() {
                given += 1
                covered += interval.lower <= 2000 && 2000 <= interval.upper ? 1 : 0
            }
            #expect(answer.designVariance >= 0 && abs(answer.estimate - 2000) < 60)
        }
        // max(0, X) of X with mean 0 and deviation sqrt(2 / 190) = 0.103 has the mean 0.041 and the deviation 0.06: within 6
        // deviations of the mean of 400, a false alarm of 1e-8.
        #expect(abs(spread / Double(runs) - 0.041) < 6 * 0.06 / 20)
        // What is between primary units is noise alone: intervals are few, and too wide rather than too narrow.
        #expect(given < runs / 5 && covered >= given - 5)
    }

    @Test("Parameters out of range are refused; rows of no primary unit are left out; no rows have no interval")
    func refused() throws {
        var generator = SeededGenerator(seed: 97)
        let loss = try PrivacyLoss(roundingDownEpsilon: 1)
        let quantity = SurveyQuantity.mean(lower: 0, upper: 1)
        func make(_ strata: [Stratum], _ quantity: SurveyQuantity, _ weight: Double) throws {
            _ = try PrivateSurveyEstimate(strata: strata, quantity: quantity, largestWeight: weight, loss: loss)
        }
        #expect(throws: MechanismError.self) { try make([], quantity, 1) }
        #expect(throws: MechanismError.self) { try make([Stratum(primaryUnits: 1)], quantity, 1) }
        #expect(throws: MechanismError.self) {
            try make([Stratum(primaryUnits: .max), Stratum(primaryUnits: .max)], quantity, 1)
        }
        #expect(throws: MechanismError.self) { try make([Stratum(primaryUnits: 2, samplingFraction: 1)], quantity, 1) }
        #expect(throws: MechanismError.self) { try make(strata, quantity, .infinity) }
        #expect(throws: MechanismError.self) { try make(strata, .mean(lower: 1, upper: 1), 1) }
        #expect(throws: MechanismError.self) { try make(strata, .ratio(numerator: 0...1, denominator: -1...1), 1) }
        let survey = try PrivateSurveyEstimate(strata: strata, quantity: quantity, largestWeight: 1, loss: loss)
        let stray = SurveyRow(stratum: 9, primaryUnit: 0, weight: 1, value: 1)
        #expect(survey.contribution(of: [stray]).allSatisfy { $0 == 0 })
        #expect(try survey.release([], using: &generator).interval() == nil)
        for size in [Int64(0), 1, 1 << 40, .max] {
            let vector = (0..<survey.layout.length).map { _ in Int64.random(in: -size...size, using: &generator) }
            let answer = try survey.estimate(vector)
            #expect(answer.estimate.isFinite && answer.designVariance >= 0)
        }
        #expect(throws: MechanismError.self) { try survey.estimate([1]) }
    }
}
