public import DifferentialPrivacy
public import Tables

/// Makes a synthetic table from noisy marginals of a private one (McKenna, Miklau and Sheldon 2021, "Winning the NIST
/// Contest: A scalable and general approach to differentially private synthetic data": MST, with AIM's utility).
///
/// 1. Measure: the number of units, and the counts of each column's cells, with noise.
/// 2. Merge cells by those noisy counts, so that pairs of columns have few.
/// 3. Select a forest of pairs of columns, each by an exponential mechanism (``PairSelection``).
/// 4. Measure the selected pairs, with all of the budget that is left.
/// 5. Fit a graphical model to what was measured, and draw rows from it: post-processing.
///
/// Privacy (add/remove of one unit, with at most R counted rows): steps 1, 3 and 4 are mechanisms whose losses add up to
/// at most the budget, by adaptive composition of either kind of loss; each mechanism's argument is beside it. Cells come
/// from the schema alone. Everything else, the number of rows included, is computed from released numbers or public ones.
/// `generate` refuses by the schema, the options and the budget alone: whatever the rows are, it gives a table.
public struct SyntheticData: Sendable {
    /// What the owner chooses.
    public struct Options: Sendable, Hashable {
        /// The number of rows to make; nil: the noisy number of rows of the private table, up to ``Limits/rows``.
        public var rows: Int?
        /// Of each unit only so many rows count, the first in its stored order: less noise, but units with more rows
        /// weigh less than in the table. nil: the table's bound.
        public var rowsPerUnit: Int?
        /// The names of the columns to synthesise; nil: all that have a declared domain or bounds.
        public var columns: Set<String>?

        /// What is nil is left to the table.
        public init(rows: Int? = nil, rowsPerUnit: Int? = nil, columns: Set<String>? = nil) {
            self.rows = rows
            self.rowsPerUnit = rowsPerUnit
            self.columns = columns
        }
    }

    /// What a synthetic table holds at most.
    public enum Limits {
        /// Rows of a synthetic table.
        public static let rows = 100_000
        /// Values of a synthetic table, in all its rows and columns.
        public static let values = 1_000_000
        /// Columns that values are made for.
        public static let columns = 128
        /// Cells of one column.
        public static let cellsPerColumn = 1 << 16
        /// Cells of all columns together.
        public static let cells = 1 << 20
    }

    /// The columns of the private table.
    public let schema: Schema
    /// The place of the column that names the privacy unit; nil where each row is a unit of its own.
    public let unitColumn: Int?
    /// The most rows of a unit that count: R.
    public let rowsPerUnit: Int
    /// Columns that get no values, and why.
    public let leftOut: [LeftOutColumn]
    let columns: [SyntheticColumn]
    let options: Options

    /// For tables of a schema whose units have at most `rowsPerUnit` rows. Nothing here looks at rows.
    public init(
        schema: Schema, unitColumn: Int?, rowsPerUnit: Int, options: Options = Options()
    ) throws(SyntheticDataError) {
        let bound = options.rowsPerUnit ?? rowsPerUnit
        guard (1...max(rowsPerUnit, 1)).contains(bound), rowsPerUnit <= 1 << 30 else {
            throw .option("rows per unit", expected: "a number from 1 to the table's own bound, at most 2^30")
        }
        if let rows = options.rows, !(1...Limits.rows).contains(rows) {
            throw .option("rows", expected: "a number from 1 to \(Limits.rows)")
        }
        var columns: [SyntheticColumn] = []
        var leftOut: [LeftOutColumn] = []
        for (index, column) in schema.columns.enumerated() where index != unitColumn {
            if let chosen = options.columns, !chosen.contains(column.name) {
                leftOut.append(LeftOutColumn(name: column.name, reason: "it was not chosen"))
                continue
            }
            switch SyntheticColumn.make(column, at: index) {
            case .success(let made): columns.append(made)
            case .failure(let reason): leftOut.append(reason)
            }
        }
        try Self.check(columns, schema, options)
        self.schema = schema
        self.unitColumn = unitColumn
        self.rowsPerUnit = bound
        self.options = options
        self.columns = columns
        self.leftOut = leftOut
    }

    private static func check(
        _ columns: [SyntheticColumn], _ schema: Schema, _ options: Options
    ) throws(SyntheticDataError) {
        let names = Set(schema.columns.map(\.name))
        if let unknown = options.columns?.subtracting(names).min() {
            throw .option("columns", expected: "names of columns; there is no \(unknown)")
        }
        guard !columns.isEmpty else { throw .noColumns }
        guard columns.count <= Limits.columns else {
            throw .tooManyColumns(count: columns.count, limit: Limits.columns)
        }
        if let large = columns.first(where: { $0.cellCount > Limits.cellsPerColumn + 1 }) {
            throw .tooManyCells(column: large.name, limit: Limits.cellsPerColumn)
        }
        guard columns.reduce(0, { $0 + $1.cellCount }) <= Limits.cells else {
            throw .tooManyCells(column: nil, limit: Limits.cells)
        }
    }

    /// Checks that the budget pays for every step, before a row is read: what `generate` needs and cannot refuse later.
    public func check(budget: PrivacyLoss) throws(SyntheticDataError) {
        _ = try Mechanisms(self, budget: budget)
    }

    /// Makes the table.
    ///
    /// - Parameters:
    ///   - table: a table of the schema; private.
    ///   - budget: what all measurements together cost at most, in zCDP or pure differential privacy.
    ///   - generator: the noise's randomness: the operating system's (`SecureRandom`) for every release.
    public func generate<R: RandomNumberGenerator>(
        from table: Table, budget: PrivacyLoss, using generator: inout R
    ) throws(SyntheticDataError) -> SyntheticTable {
        try measure(from: table, budget: budget, using: &generator).answer
    }

    /// What is done one after the other: each phase is told when it ends, whatever the rows are.
    public enum Phase: Int, Sendable, Hashable, CaseIterable {
        /// The counts of each column's cells.
        case columns = 1
        /// The counts of pairs of columns.
        case pairs
        /// The model, and rows drawn from it.
        case model
    }

    /// As `generate`, in a type that says whose randomness the noise is.
    ///
    /// - Parameter goesOn: Told of each phase that has ended; where it says no, nothing comes of the rest.
    public func measure<R: RandomNumberGenerator>(
        from table: Table, budget: PrivacyLoss, using generator: inout R, goesOn: (Phase) -> Bool = { _ in true }
    ) throws(SyntheticDataError) -> Measured<SyntheticTable, R> {
        let mechanisms = try Mechanisms(self, budget: budget)
        do {
            let measured = try NoisyMarginals(self, mechanisms, table: table, using: &generator) {
                if !goesOn(.columns) { throw SyntheticDataError.cancelled }
            }
            guard goesOn(.pairs) else { throw SyntheticDataError.cancelled }
            let made = SyntheticTable(self, measured, using: &generator)
            guard goesOn(.model) else { throw SyntheticDataError.cancelled }
            return Measured(answer: made, events: made.events)
        } catch let error as MechanismError {
            throw .budget(error)
        } catch SyntheticDataError.cancelled {
            throw .cancelled
        } catch {
            throw .otherTable
        }
    }
}

extension SyntheticData {
    /// The mechanisms that a budget pays for, before any of them runs.
    struct Mechanisms: Sendable {
        let budget: PrivacyLoss
        /// nil where each row is a unit.
        let units: MarginalNoise?
        let singles: MarginalNoise
        /// nil for a single column.
        let selection: PairSelection?
        /// What the noise of a pair is, if every round selects one.
        let expectedPairs: MarginalNoise?

        init(_ data: SyntheticData, budget: PrivacyLoss) throws(SyntheticDataError) {
            let count = data.columns.count
            let split = BudgetSplit(budget, columns: count)
            let rows = data.rowsPerUnit
            do throws(MechanismError) {
                self.budget = budget
                units =
                    data.unitColumn == nil ? nil : try MarginalNoise(marginals: 1, rowsPerUnit: 1, loss: split.units)
                singles = try MarginalNoise(marginals: count, rowsPerUnit: rows, loss: split.singles)
                guard count > 1 else {
                    (selection, expectedPairs) = (nil, nil)
                    return
                }
                selection = try PairSelection(rounds: count - 1, rowsPerUnit: rows, loss: split.selection)
                expectedPairs = try MarginalNoise(marginals: count - 1, rowsPerUnit: rows, loss: split.pairs)
            } catch {
                throw .budget(error)
            }
        }
    }
}
