import DifferentialPrivacy
import Foundation
import Tables
import Testing

@testable import SyntheticData

/// Everything that a synthetic table is computed from keeps its promise; broken copies do not.
@Suite("Audits of synthetic tables")
struct SyntheticTableAudits {
    /// Two flags, of people with at most three rows.
    private static let schema = Schema(columns: [
        ColumnSchema(name: "person", type: .integer), ColumnSchema(name: "a", type: .boolean, isNullable: false),
        ColumnSchema(name: "b", type: .boolean, isNullable: false),
    ])

    private static func table(_ rows: [[Value]]) throws -> Table {
        try Table(
            rows: rows,
            plan: IngestPlan(
                schema: schema, unitColumn: 0, rowsPerUnit: 3,
                key: ClusteringKey(siteSecret: [UInt8](repeating: 1, count: 16), population: "audit")))
    }

    /// Six people with one row each, and with a seventh whose three rows agree: the worst unit.
    private static let neighbours: [[[Value]]] = {
        let others = (0..<6).map { [Value.integer($0), .boolean($0 < 3), .boolean($0 % 2 == 0)] }
        return [others, others + (0..<3).map { _ in [.integer(99), .boolean(true), .boolean(true)] }]
    }()

    /// The same people, but the seventh's rows under three names: what a copy that forgets R takes them for.
    private static let forgotten: [[[Value]]] = [
        neighbours[0],
        neighbours[0] + (97..<100).map { [.integer($0), .boolean(true), .boolean(true)] },
    ]

    private static func data(rowsPerUnit: Int) throws -> SyntheticData {
        try SyntheticData(schema: schema, unitColumn: 0, rowsPerUnit: 3, options: .init(rowsPerUnit: rowsPerUnit))
    }

    /// All that is measured, as one number: which pair was selected, and the noisy counts of the cells that the added
    /// unit changes, pair and single columns weighted by their noise, in coarse steps.
    private static func draw(
        _ rows: [[Value]], rowsPerUnit: Int = 3, _ budget: PrivacyLoss
    ) throws -> Audit.Draw<Int> {
        let table = try table(rows)
        let data = try data(rowsPerUnit: rowsPerUnit)
        let mechanisms = try SyntheticData.Mechanisms(data, budget: budget)
        return { random in
            let measured = try NoisyMarginals(data, mechanisms, table: table, using: &random)
            var evidence = measured.singles.reduce(0.0) { $0 + Double($1[1]) } / measured.singleNoise
            if let pair = measured.pairCounts.first { evidence += Double(pair[pair.count - 1]) / measured.pairNoise }
            let steps = max(-400, min(400, (evidence * 4).rounded()))
            return (measured.pairs.isEmpty ? 0 : 10_000) + Int(steps)
        }
    }

    @Test("All measurements together hold the budget, pure and zCDP; with a unit's rows counted as one they do not")
    func measurements() throws {
        for (budget, claim) in [
            (try PrivacyLoss(roundingDownEpsilon: 1), PrivacyClaim.pure(epsilon: 1)),
            (try PrivacyLoss(roundingDownRho: 0.3), .zeroConcentrated(rho: 0.3)),
        ] {
            let name = "synthetic table, \(budget.kind.rawValue)"
            try Audit(name, claim, runs: 20_000).holds(
                Self.draw(Self.neighbours[1], budget), Self.draw(Self.neighbours[0], budget))
            try Audit("\(name), R forgotten", claim, runs: 20_000).catches(
                Self.draw(Self.forgotten[1], rowsPerUnit: 1, budget),
                Self.draw(Self.forgotten[0], rowsPerUnit: 1, budget))
        }
    }

    @Test("The number of rows is noisy; the true one, told, is caught")
    func numberOfRows() throws {
        let budget = try PrivacyLoss(roundingDownEpsilon: 1)
        func made(_ rows: [[Value]]) throws -> Audit.Draw<Int> {
            let table = try Self.table(rows)
            let data = try Self.data(rowsPerUnit: 3)
            return { try data.generate(from: table, budget: budget, using: &$0).rows.count }
        }
        try Audit("synthetic rows", .pure(epsilon: 1), runs: 5_000).holds(
            made(Self.neighbours[1]), made(Self.neighbours[0]))
        let counts = try Self.neighbours.map { try Self.table($0).rowCount }
        try Audit("synthetic rows, as many as there are", .pure(epsilon: 1), runs: 5_000)
            .catches({ _ in counts[1] }, { _ in counts[0] })
    }

    /// The law of the forest on three columns, by the exponential mechanism's weights: all sequences of choices.
    private static func forests(_ utilities: [Int64], epsilon: Double, sensitivity: Double) -> [[Int]: Double] {
        func weight(_ utility: Int64) -> Double { exp(epsilon * Double(utility) / (2 * sensitivity)) }
        var law: [[Int]: Double] = [:]
        let first = utilities.map(weight).reduce(1, +)
        law[[]] = 1 / first
        for a in utilities.indices {
            let p = weight(utilities[a]) / first
            let rest = utilities.indices.filter { $0 != a }
            let second = rest.map { weight(utilities[$0]) }.reduce(1, +)
            law[[a]] = p / second
            for b in rest { law[[a, b]] = p * weight(utilities[b]) / second }
        }
        return law
    }

    @Test(
        "Selection by its exact law: each round costs at most epsilon where utilities change by R; by 1 for R it is caught"
    )
    func selection() throws {
        let pairs = [(0, 1), (0, 2), (1, 2)]
        for kind in [PrivacyLossKind.pure, .zeroConcentrated] {
            let loss = PrivacyLoss(kind: kind, amount: 1_000_000_000_000)
            let right = try PairSelection(rounds: 2, rowsPerUnit: 3, loss: loss)
            let epsilon = right.mechanism.epsilon
            for (before, after) in [([6, 6, 6], [9, 3, 3]), ([0, 0, 0], [3, 3, 3]), ([4, -9, 0], [7, -12, 3])]
                as [([Int64], [Int64])]
            {
                func divergence(_ sensitivity: Double) -> (epsilon: Double, rho: Double) {
                    let laws = [before, after].map {
                        Self.forests($0, epsilon: epsilon, sensitivity: sensitivity)
                    }
                    let rho = [1.5, 2, 8, 32].map { ExactAudit.renyi(order: $0, laws[0], laws[1]) / $0 }.max() ?? 0
                    return (ExactAudit.epsilon(laws[0], laws[1]), rho)
                }
                let exact = divergence(3)
                #expect(kind == .pure ? exact.epsilon <= 1 + 1e-9 : exact.rho <= 1 + 1e-9)
                let broken = divergence(1)
                if before[1] == 6 { #expect(kind == .pure ? broken.epsilon > 1 : broken.rho > 1) }
            }
            // And the implementation follows that law.
            let utilities: [Int64] = [2, 0, -2]
            let candidates = zip(pairs, utilities).map {
                PairSelection.Candidate(left: $0.0, right: $0.1, utility: $1)
            }
            let law = Self.forests(utilities, epsilon: epsilon, sensitivity: 3)
            var random = AuditRandom("forest \(kind.rawValue)")
            let runs = 40_000
            var seen: [[Int]: Int] = [:]
            for _ in 0..<runs {
                let chosen = try right.forest(columns: 3, candidates, using: &random).pairs
                seen[chosen.map { pair in pairs.firstIndex { $0 == (pair.left, pair.right) } ?? -1 }, default: 0] += 1
            }
            #expect(Set(seen.keys).isSubset(of: law.keys))
            // Six standard deviations for each of ten outcomes: a false alarm in 5e7 runs.
            for (outcome, p) in law {
                let deviation = abs(Double(seen[outcome] ?? 0) - p * Double(runs))
                #expect(deviation < 6 * (p * (1 - p) * Double(runs)).squareRoot() + 1, "\(outcome)")
            }
        }
    }

    @Test(
        "The noise of a marginal, by its exact law: R rows moved into one cell of each of m marginals cost what is charged"
    )
    func noise() throws {
        for (marginals, rows) in [(1, 1), (1, 4), (3, 2)] {
            let rho = PrivacyLoss(kind: .zeroConcentrated, amount: 50_000_000_000)
            let right = try MarginalNoise(marginals: marginals, rowsPerUnit: rows, loss: rho)
            let forgotten = try MarginalNoise(marginals: marginals, rowsPerUnit: 1, loss: rho)
            for (noise, isSound) in [(right, true), (forgotten, rows == 1)] {
                guard case .gaussian(let gaussian, _) = noise else { continue }
                func law(_ center: Int) -> [Int: Double] {
                    let reach = Int(12 * gaussian.sigma) + 10
                    let weights = (-reach...reach).map { x in
                        (x, exp(-pow(Double(x - center) / gaussian.sigma, 2) / 2))
                    }
                    let total = weights.reduce(0) { $0 + $1.1 }
                    return Dictionary(uniqueKeysWithValues: weights.map { ($0.0, $0.1 / total) })
                }
                // Independent coordinates: divergences add up.
                let spent =
                    [1.5, 2, 8].map {
                        Double(marginals) * ExactAudit.renyi(order: $0, law(0), law(rows)) / $0
                    }.max() ?? 0
                #expect((spent <= 0.05 * (1 + 1e-6)) == isSound, "\(marginals) marginals, \(rows) rows: \(spent)")
            }
        }
    }
}
