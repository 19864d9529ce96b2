import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import SyntheticData

/// What a step may change and cost, from the definitions: an event that understates its sensitivity would still fit the
/// budget.
@Suite("What each step of a synthetic table may cost")
struct BudgetTests {
    @Test("All of a unit's rows may lie in one cell of each marginal: m R in L1, m R^2 in squared L2 norm")
    func sensitivity() throws {
        for (marginals, rows) in [(1, 1), (1, 5), (4, 3), (19, 1)] {
            let gaussian = try MarginalNoise(
                marginals: marginals, rowsPerUnit: rows, loss: PrivacyLoss(roundingDownRho: 0.5))
            guard case .discreteGaussian(let square, let sigma) = gaussian.event else {
                Issue.record("Gaussian noise under zCDP")
                return
            }
            #expect(square == Double(marginals * rows * rows))
            #expect(square / (2 * sigma * sigma) <= 0.5)
            let laplace = try MarginalNoise(
                marginals: marginals, rowsPerUnit: rows, loss: PrivacyLoss(roundingDownEpsilon: 0.5))
            guard case .discreteLaplace(let sum, let scale) = laplace.event else {
                Issue.record("Laplace noise under pure epsilon")
                return
            }
            #expect(sum == Double(marginals * rows))
            #expect(sum / scale <= 0.5)
        }
    }

    @Test("A pair's utility changes by at most R: the selection's sensitivity; and its rounds cost at most their part")
    func selection() throws {
        for loss in [try PrivacyLoss(roundingDownRho: 0.1), try PrivacyLoss(roundingDownEpsilon: 1)] {
            for (rounds, rows) in [(1, 1), (3, 5), (127, 40)] {
                let selection = try PairSelection(rounds: rounds, rowsPerUnit: rows, loss: loss)
                #expect(selection.mechanism.sensitivity == Int64(rows) && selection.mechanism.change == .anyDirection)
                let cost = try selection.mechanism.event(times: rounds).loss(kind: loss.kind)
                #expect(cost.fits(in: loss) && cost.value > 0.999 * loss.value)
            }
        }
    }

    @Test("A utility is the distance to what single columns say, less the distance that noise alone makes")
    func utility() {
        // |10 - 4| + |0 - 6| = 12; sqrt(2 / pi) 5 a cell: 8 for two.
        #expect(PairSelection.utility(counts: [10, 0], expected: [4, 6], noise: 5) == 4)
        #expect(PairSelection.utility(counts: [4, 6], expected: [4, 6], noise: 5) == -8)
        #expect(PairSelection.utility(counts: [4, 6], expected: [4, 6], noise: .greatestFiniteMagnitude) < -(1 << 60))
    }

    @Test("The number of rows: the columns' sums, weighted by the inverse of their numbers of cells; at least 1")
    func total() {
        // (30 / 2 + 45 / 9) / (1 / 2 + 1 / 9) = 32.7.
        #expect(NoisyMarginals.total([[10, 20], [Int64](repeating: 5, count: 9)]) == 33)
        #expect(NoisyMarginals.total([[-10, -20]]) == 1)
    }

    @Test("A table has at most a million values: 20 columns leave 50,000 rows")
    func largestTable() throws {
        let schema = Schema(columns: (0..<20).map { ColumnSchema(name: "c\($0)", type: .boolean) })
        let plan = IngestPlan(
            schema: schema, unitColumn: nil, rowsPerUnit: 1,
            key: ClusteringKey(siteSecret: [UInt8](repeating: 1, count: 16), population: "rows"))
        let data = try SyntheticData(
            schema: schema, unitColumn: nil, rowsPerUnit: 1, options: .init(rows: SyntheticData.Limits.rows))
        var generator = SeededGenerator(seed: 1)
        let measured = try NoisyMarginals(
            data, try SyntheticData.Mechanisms(data, budget: PrivacyLoss(roundingDownRho: 1)),
            table: Table(rows: [], plan: plan), using: &generator)
        #expect(SyntheticTable.rowCount(data, measured) == 50_000)
    }

    @Test("The steps' parts add up to the budget, to the unit; one column alone gets all but the count of units")
    func split() {
        for kind in [PrivacyLossKind.pure, .zeroConcentrated] {
            for amount in [0, 1, 99, 100, 12_345, 1_000_000_000_007] as [Int64] {
                for columns in [1, 2, 128] {
                    let budget = PrivacyLoss(kind: kind, amount: amount)
                    let split = BudgetSplit(budget, columns: columns)
                    let parts = [split.units, split.singles, split.selection, split.pairs]
                    #expect(parts.reduce(0) { $0 + $1.amount } == amount)
                    #expect(parts.allSatisfy { $0.amount >= 0 && $0.kind == kind })
                    #expect(columns > 1 || (split.selection.amount == 0 && split.pairs.amount == 0))
                }
            }
        }
    }
}
