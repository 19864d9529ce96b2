import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import SyntheticData

@Suite("Synthetic tables resemble the private one")
struct QualityTests {
    /// Columns drawn uniformly from domains and bounds: what mock data are without a synthetic table.
    static func uniform(_ columns: [SyntheticColumn]) -> MarginalShares {
        MarginalShares(
            independent: columns.map { column in
                let isNullable = column.partition.hasNull
                let declared = column.cellCount - (isNullable ? 1 : 0)
                let points = column.grid.map { grid in
                    (0..<declared).map { Double(grid.starts[$0 + 1] - grid.starts[$0]) }
                }
                let weights = points ?? [Double](repeating: 1, count: declared)
                let total = weights.reduce(0, +)
                return weights.map { $0 / total * (isNullable ? 0.95 : 1) } + (isNullable ? [0.05] : [])
            }, columns)
    }

    /// The whole budget on single columns.
    static func independent(_ table: Table, _ data: SyntheticData, _ budget: PrivacyLoss, seed: UInt64) throws
        -> MarginalShares
    {
        var generator = SeededGenerator(seed: seed)
        let counting = try #require(
            MarginalCounting(data.columns.map(\.partition), rowsPerUnit: data.rowsPerUnit, table: table))
        let noise = try MarginalNoise(marginals: data.columns.count, rowsPerUnit: data.rowsPerUnit, loss: budget)
        let shares = counting.singles().counts.map { counts in
            var noisy = counts
            noise.add(to: &noisy, using: &generator)
            let total = Double(max(noisy.reduce(0, +), 1))
            return Simplex.project(noisy.map(Double.init), total: total).map { $0 / total }
        }
        return MarginalShares(independent: shares, data.columns)
    }

    @Test(
        "On the RAND experiment at epsilon 1: better than independent columns, far better than made-up rows",
        .enabled(if: RandHealthTable.available != nil, "../shared/data is absent"))
    func randHealth() throws {
        let table = try RandHealthTable.load()
        let budget = try PrivacyLoss(roundingDownRho: Conversion.rho(epsilon: 1, delta: 5e-7))
        let truth: MarginalShares
        let data = try SyntheticData(
            schema: table.schema, unitColumn: RandHealthTable.unitColumn, rowsPerUnit: RandHealthTable.rowsPerUnit)
        truth = try MarginalShares(table, data.columns)
        var generator = SeededGenerator(seed: 1)
        let synthetic = try data.generate(from: table, budget: budget, using: &generator)
        let made = try Table(rows: synthetic.rows, plan: RandHealthTable.plan)
        let errors = try MarginalShares(made, data.columns).errors(against: truth)
        let baseline = try Self.independent(table, data, budget, seed: 1).errors(against: truth)
        let mock = Self.uniform(data.columns).errors(against: truth)
        // Errors are distances between distributions, from 0 to 1; measured at seed 1: the page of the module has them.
        #expect(errors.singles < 0.075)
        #expect(errors.pairs < 0.085 && errors.pairs < 0.95 * baseline.pairs)
        #expect(errors.dependent < 0.14 && errors.dependent < 0.6 * baseline.dependent)
        #expect(errors.singles < 0.15 * mock.singles && errors.dependent < 0.2 * mock.dependent)
        print("synthetic \(errors), independent \(baseline), made up \(mock), \(synthetic.pairs.count) pairs")
    }
}
