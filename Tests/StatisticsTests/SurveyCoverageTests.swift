import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// How often intervals of survey estimates and of matrix statistics hold the population's values; `PARLEY_COVERAGE` as in
/// ``CoverageTests``.
@Suite("Survey coverage", .enabled(if: ProcessInfo.processInfo.environment["PARLEY_COVERAGE"] != nil))
struct SurveyCoverageTests {
    /// A finite population: 10 strata, each with 400 clusters of from 100 to 300 people, whose values have means by stratum and
    /// cluster.
    struct Population {
        var clusters: [[[Double]]] = []
        var mean = 0.0
        var total = 0.0

        init() {
            var random = PopulationGenerator(seed: 1)
            var count = 0.0
            for stratum in 0..<10 {
                var own: [[Double]] = []
                for _ in 0..<400 {
                    let size = 100 + Int(200 * random.uniform())
                    let middle = 30 + 4 * Double(stratum) + 6 * random.normal()
                    let people = (0..<size).map { _ in min(max(middle + 15 * random.normal(), 0), 100) }
                    total += people.reduce(0, +)
                    count += Double(size)
                    own.append(people)
                }
                clusters.append(own)
            }
            mean = total / count
        }

        /// So many clusters a stratum without replacement, and in each so many people, with weights for both.
        func sample(
            _ primaryUnits: Int, _ people: Int, _ random: inout PopulationGenerator
        ) -> [SurveyRow] {
            var rows: [SurveyRow] = []
            for (stratum, own) in clusters.enumerated() {
                var order = Array(own.indices)
                for place in 0..<primaryUnits {
                    order.swapAt(place, Int.random(in: place..<order.count, using: &random))
                    let cluster = own[order[place]]
                    let weight = Double(own.count) / Double(primaryUnits) * Double(cluster.count) / Double(people)
                    var members = Array(cluster.indices)
                    for person in 0..<people {
                        members.swapAt(person, Int.random(in: person..<members.count, using: &random))
                        rows.append(
                            SurveyRow(
                                stratum: stratum, primaryUnit: place, weight: weight, value: cluster[members[person]]))
                    }
                }
            }
            return rows
        }
    }

    @Test("Design-based intervals over samples of a known population")
    func surveys() throws {
        let population = Population()
        // n of about 1e3 and 1e4: 10 strata of 5 or 12 clusters with 20 or 85 people.
        for (primaryUnits, people) in [(5, 20), (12, 85)]
        where CoverageTests.counts.contains(people == 20 ? 1000 : 10_000) {
            let strata = [Stratum](repeating: Stratum(primaryUnits: primaryUnits), count: 10)
            let largest = 400 / Double(primaryUnits) * 300 / Double(people)
            for kind in CoverageTests.kinds {
                for epsilon in CoverageTests.epsilons {
                    for (name, quantity, truth) in [
                        ("mean", SurveyQuantity.mean(lower: 0, upper: 100), population.mean),
                        ("total", .total(lower: 0, upper: 100), population.total),
                    ] {
                        let survey = try PrivateSurveyEstimate(
                            strata: strata, quantity: quantity, largestWeight: largest,
                            loss: try CoverageTests.loss(kind, epsilon))
                        var (given, covered, degrees, noises, designs) = (0, 0, 0.0, 0.0, 0.0)
                        for seed in 0..<CoverageTests.seeds {
                            var random = PopulationGenerator(seed: UInt64(seed) + 100)
                            var noise = SeededGenerator(key: (UInt64(seed), 11, UInt64(primaryUnits), 0))
                            let answer = try survey.release(
                                population.sample(primaryUnits, people, &random), using: &noise)
                            guard let interval = answer.interval() else { continue }
                            given += 1
                            covered += interval.lower <= truth && truth <= interval.upper ? 1 : 0
                            degrees += answer.degreesOfFreedom
                            noises += answer.noiseVariance
                            designs += answer.designVariance
                        }
                        let all = Double(max(given, 1))
                        print(
                            "{\"bench\":\"survey-coverage\",\"quantity\":\"\(name)\",\"kind\":\"\(kind)\",\"n\":\(10 * primaryUnits * people),\"epsilon\":\(epsilon),\"seeds\":\(CoverageTests.seeds),\"given\":\(given),\"coverage\":\(String(format: "%.4f", Double(covered) / all)),\"degrees\":\(String(format: "%.1f", degrees / all)),\"noise_over_design\":\(String(format: "%.2f", noises / max(designs, 1e-300)))}"
                        )
                        #expect(given < 100 || Double(covered) / all >= 0.93)
                    }
                }
            }
        }
    }

    @Test("Intervals of correlations, covariances and principal components")
    func components() throws {
        // Three columns of a common factor, of which one is skewed; correlations and eigenvalues from 4 million rows.
        func row(_ random: inout PopulationGenerator) -> [Double] {
            let f = random.normal()
            let skewed = -log(1 - random.uniform()) - 1
            return [0.25 * f + 0.1 * random.normal(), 0.2 * f + 0.15 * random.normal(), 0.1 * f + 0.1 * skewed]
                .map { min(max($0, -1), 1) }
        }
        let targets: [(String, ComponentsTarget)] = [
            ("correlations", .correlations), ("covariances", .covariances), ("principal", .principal(count: 1)),
        ]
        var random = PopulationGenerator(seed: 2)
        let many = (0..<4_000_000).map { _ in row(&random) }
        var exact = SeededGenerator(seed: 3)
        for (name, target) in targets {
            let truth = try PrivateComponents(
                columns: [-1...1, -1...1, -1...1], target: target, loss: NoNoise.losses[1]
            ).release(many, using: &exact)
            for count in CoverageTests.counts where count <= 10_000 {
                for kind in CoverageTests.kinds {
                    for epsilon in CoverageTests.epsilons {
                        for variance in [SamplingVariance.model, .robust] {
                            let model = try PrivateComponents(
                                columns: [-1...1, -1...1, -1...1], target: target, variance: variance,
                                loss: try CoverageTests.loss(kind, epsilon))
                            var given: [ComponentsStatistic: Int] = [:]
                            var covered: [ComponentsStatistic: Int] = [:]
                            for seed in 0..<CoverageTests.seeds {
                                var random = PopulationGenerator(seed: UInt64(seed) + 1000)
                                var noise = SeededGenerator(key: (UInt64(seed), 13, UInt64(count), 0))
                                let rows = (0..<count).map { _ in row(&random) }
                                for statistic in try model.release(rows, using: &noise).statistics {
                                    guard let interval = statistic.interval(), let value = truth[statistic.name]
                                    else { continue }
                                    given[statistic.name, default: 0] += 1
                                    let isInside = interval.lower <= value.estimate && value.estimate <= interval.upper
                                    covered[statistic.name, default: 0] += isInside ? 1 : 0
                                }
                            }
                            let shares = truth.statistics.map(\.name).filter { given[$0] != nil }.map { key in
                                let share = Double(covered[key] ?? 0) / Double(given[key] ?? 1)
                                return "\"\(key)\":[\(given[key] ?? 0),\(String(format: "%.4f", share))]"
                            }
                            print(
                                "{\"bench\":\"components-coverage\",\"target\":\"\(name)\",\"variance\":\"\(variance)\",\"kind\":\"\(kind)\",\"n\":\(count),\"epsilon\":\(epsilon),\"seeds\":\(CoverageTests.seeds),\"coverage\":{\(shares.joined(separator: ","))}}"
                            )
                        }
                    }
                }
            }
        }
    }
}
