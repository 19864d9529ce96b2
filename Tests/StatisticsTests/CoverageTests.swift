import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// Fast words for simulated populations: SplitMix64 (Steele, Lea and Flood 2014).
struct PopulationGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        state = generator.next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func normal() -> Double {
        (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
    }

    mutating func poisson(_ mean: Double) -> Double {
        var (count, product) = (0.0, uniform())
        let limit = exp(-mean)
        while product > limit {
            count += 1
            product *= uniform()
        }
        return count
    }
}

/// How often intervals hold the population's coefficients: `PARLEY_COVERAGE=4000` seeds; printed as JSON lines.
@Suite("Coverage", .enabled(if: ProcessInfo.processInfo.environment["PARLEY_COVERAGE"] != nil))
struct CoverageTests {
    static let environment = ProcessInfo.processInfo.environment
    static var seeds: Int { Int(environment["PARLEY_COVERAGE"] ?? "") ?? 4000 }
    static var counts: [Int] {
        (environment["PARLEY_COVERAGE_ROWS"] ?? "1000,10000,100000").split(separator: ",").compactMap { Int($0) }
    }
    static var kinds: [String] {
        (environment["PARLEY_COVERAGE_KINDS"] ?? "pure,zcdp").split(separator: ",").map(String.init)
    }
    static var epsilons: [Double] {
        (environment["PARLEY_COVERAGE_EPSILONS"] ?? "0.5,1,4").split(separator: ",").compactMap { Double($0) }
    }
    static var families: [String] {
        (environment["PARLEY_COVERAGE_FAMILIES"]
            ?? "linear,logistic,poisson,linear-weighted,logistic-weighted,logistic-table,poisson-table,poisson-dispersed")
            .split(
                separator: ","
            ).map(String.init)
    }

    static func loss(_ kind: String, _ epsilon: Double) throws -> PrivacyLoss {
        if kind == "pure" { return try PrivacyLoss(roundingDownEpsilon: epsilon) }
        // The rho that converts to epsilon at a delta of 1e-6, by the simple rule.
        let l = log(1e6)
        let root = (l + epsilon).squareRoot() - l.squareRoot()
        return try PrivacyLoss(roundingDownRho: root * root)
    }

    struct Tally {
        var given = 0
        var covered: [Int] = []
        var widths: [Double] = []
        var plain: [Double] = []
        var reasons: [String: Int] = [:]
        var seeds = 0

        mutating func add(_ answer: RegressionEstimate, _ truth: [Double], _ half: [Double]) {
            seeds += 1
            if covered.isEmpty {
                covered = truth.map { _ in 0 }
                widths = truth.map { _ in 0 }
            }
            if let reason = answer.withheld { reasons["\(reason)", default: 0] += 1 }
            guard answer.withheld == nil else { return }
            given += 1
            for (k, coefficient) in answer.coefficients.enumerated() {
                guard let interval = coefficient.interval() else { continue }
                covered[k] += interval.lower <= truth[k] && truth[k] <= interval.upper ? 1 : 0
                widths[k] += (coefficient.standardError ?? 0) / half[k]
            }
        }

        func line(_ family: String, kind: String, rows: Int, epsilon: Double) -> String {
            let all = Double(max(given, 1))
            let share = covered.map { String(format: "%.4f", Double($0) / all) }.joined(separator: ",")
            let width = widths.map { String(format: "%.2f", $0 / all) }.joined(separator: ",")
            return
                "{\"bench\":\"glm-coverage\",\"family\":\"\(family)\",\"kind\":\"\(kind)\",\"n\":\(rows),\"epsilon\":\(epsilon),\"seeds\":\(seeds),\"given\":\(given),\"coverage\":[\(share)],\"deviation_ratio\":[\(width)],\"withheld\":\"\(reasons)\"}"
        }
    }

    /// x_1 uniform, x_2 normal, clipped, and a factor of three levels; in tables the signs of the first two.
    static func rows(
        _ count: Int, family: String, _ truth: [Double], _ random: inout PopulationGenerator
    ) -> [[RegressionRow]] {
        (0..<count).map { _ in
            let isTable = family.hasSuffix("table")
            let (x, y) = (10 * random.uniform(), min(max(random.normal(), -3), 3))
            let (a, b) = isTable ? (x < 5 ? 0 : 1, y < 0 ? 0 : 1) : (x, y)
            let u = random.uniform()
            let c = u < 0.5 ? 0 : (u < 0.8 ? 1.0 : 2.0)
            let eta = truth[0] + truth[1] * a + truth[2] * b + (c == 1 ? truth[3] : 0) + (c == 2 ? truth[4] : 0)
            let response: Double
            switch family.prefix(while: { $0 != "-" }) {
            case "logistic": response = random.uniform() < 1 / (1 + exp(-eta)) ? 1 : 0
            case "poisson":
                // Gamma-mixed where dispersed: of the variance mu + mu^2 / 2.
                let isDispersed = family.hasSuffix("dispersed")
                let mix = isDispersed ? -log((1 - random.uniform()) * (1 - random.uniform())) / 2 : 1
                response = random.poisson(mix * exp(eta))
            default: response = eta + 2 * random.normal()
            }
            let weight = family.hasSuffix("weighted") ? 1 + 2 * random.uniform() : 1
            return [RegressionRow([a, b, c], response: response, weight: weight)]
        }
    }

    @Test("Regression", arguments: families)
    func regression(_ name: String) throws {
        let isTable = name.hasSuffix("table")
        let isWeighted = name.hasSuffix("weighted")
        let numbers: [Predictor] = [.numeric(lower: 0, upper: 10), .numeric(lower: -3, upper: 3)]
        let pairs: [Predictor] = [.category(levels: 2), .category(levels: 2)]
        let design = try RegressionDesign(
            (isTable ? pairs : numbers) + [.category(levels: 3)], largestWeight: isWeighted ? 3 : nil)
        let truth: [Double]
        let family: RegressionFamily
        switch name.prefix(while: { $0 != "-" }) {
        case "logistic": (truth, family) = ([-1, 0.15, 0.5, 0.3, -0.5], .logistic)
        case "poisson": (truth, family) = ([0.2, 0.08, 0.2, 0.3, -0.2], .poisson(largest: 30))
        default: (truth, family) = ([1, 0.5, -1, 0.5, 1], .linear(lower: -10, upper: 20))
        }
        for count in Self.counts {
            let exact = try PrivateGLM(design, family: family, loss: Self.loss("pure", 100_000))
            for kind in Self.kinds {
                let epsilons = Self.epsilons
                var plain: [Double] = []
                var tallies = epsilons.map { _ in Tally() }
                for seed in 0..<Self.seeds {
                    var random = PopulationGenerator(seed: UInt64(seed))
                    var noise = SeededGenerator(key: (UInt64(seed), 7, UInt64(count), 0))
                    let rows = Self.rows(count, family: name, truth, &random)
                    let half =
                        seed < 20
                        ? try exact.release(units: rows, using: &noise).coefficients.map { $0.standardError ?? 1 } : []
                    if seed == 0 { plain = half }
                    for (k, epsilon) in epsilons.enumerated() {
                        let glm = try PrivateGLM(
                            design, family: family, variance: name.hasSuffix("dispersed") ? .robust : nil,
                            loss: Self.loss(kind, epsilon))
                        tallies[k].add(try glm.release(units: rows, using: &noise), truth, plain)
                    }
                }
                for (k, epsilon) in epsilons.enumerated() {
                    print(tallies[k].line(name, kind: kind, rows: count, epsilon: epsilon))
                }
            }
        }
    }
}
