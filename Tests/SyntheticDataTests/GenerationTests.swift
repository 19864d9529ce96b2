import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import SyntheticData

@Suite("Synthetic tables: what they cost, hold and refuse")
struct GenerationTests {
    private func data(_ options: SyntheticData.Options = .init(), rowsPerUnit: Int = 3) throws -> SyntheticData {
        try SyntheticData(schema: MadeTable.schema, unitColumn: 0, rowsPerUnit: rowsPerUnit, options: options)
    }

    private func budget(_ value: Double, _ kind: PrivacyLossKind) throws -> PrivacyLoss {
        try kind == .pure ? PrivacyLoss(roundingDownEpsilon: value) : PrivacyLoss(roundingDownRho: value)
    }

    @Test(
        "All that read the table costs at most the budget, and nearly all of it",
        arguments: [PrivacyLossKind.pure, .zeroConcentrated], [1e-6, 0.003, 0.1, 1, 50])
    func eventsStayWithinTheBudget(kind: PrivacyLossKind, value: Double) throws {
        for (rows, rowsPerUnit) in [(0, 1), (1, 3), (400, 1), (400, 3), (40, 1_000)] {
            let limit = try budget(value, kind)
            var generator = SeededGenerator(seed: 3)
            let made = try data(rowsPerUnit: rowsPerUnit).generate(
                from: MadeTable.table(rows), budget: limit, using: &generator)
            let spent = try PrivacyEvent.composition(made.events).loss(kind: kind)
            #expect(spent.fits(in: limit))
            #expect(made.pairs.isEmpty || Double(spent.amount) > 0.99 * Double(limit.amount))
            #expect(made.events.count <= 4)
        }
    }

    @Test("Every value is one that the manifest allows, and units have at most their bound of rows")
    func valuesAreDeclared() throws {
        var generator = SeededGenerator(seed: 4)
        for (rows, rho) in [(0, 1.0), (600, 1.0), (600, 1e-5)] {
            let made = try data().generate(
                from: MadeTable.table(rows), budget: budget(rho, .zeroConcentrated), using: &generator)
            #expect(!made.rows.isEmpty)
            var perUnit: [Value: Int] = [:]
            for row in made.rows {
                perUnit[row[0], default: 0] += 1
                for (value, column) in zip(row, MadeTable.schema.columns).dropFirst() {
                    #expect(isAllowed(value, column), "\(column.name)")
                }
            }
            #expect((perUnit.values.max() ?? 0) <= 3)
            _ = try Table(rows: made.rows, plan: MadeTable.plan())
        }
    }

    @Test("What a table cannot hold is cut, and how many rows it would have had is told")
    func cutRows() throws {
        let largest = min(
            SyntheticData.Limits.rows, SyntheticData.Limits.values / MadeTable.schema.columns.count)
        var cuts = 0
        for seed in 1...8 {
            // So much noise that the number of rows may be anything.
            var generator = SeededGenerator(seed: UInt64(seed))
            let made = try data().generate(
                from: MadeTable.table(40), budget: budget(1e-10, .zeroConcentrated), using: &generator)
            #expect(made.rows.count <= largest)
            if let wanted = made.wantedRows {
                #expect(made.rows.count == largest && wanted > largest)
                cuts += 1
            }
        }
        #expect((1...7).contains(cuts))
        var generator = SeededGenerator(seed: 9)
        let asked = try data(.init(rows: 25)).generate(
            from: MadeTable.table(40), budget: budget(1e-10, .zeroConcentrated), using: &generator)
        #expect(asked.rows.count == 25 && asked.wantedRows == nil)
    }

    private func isAllowed(_ value: Value, _ column: ColumnSchema) -> Bool {
        switch value {
        case .null: column.isNullable
        case .text: column.domain?.contains(value) == true
        case .boolean: column.type == .boolean
        case .real(let number): number >= column.lowerBound ?? 0 && number <= column.upperBound ?? 0
        case .integer(let number), .date(let number), .timestamp(let number):
            Double(number) >= column.lowerBound ?? 0 && Double(number) <= column.upperBound ?? 0
        }
    }

    @Test("Columns without a declared domain or bounds are left out, and said so")
    func undeclaredColumnsAreLeftOut() throws {
        let data = try data()
        #expect(data.leftOut.map(\.name) == ["note", "weight"])
        #expect(data.leftOut.map(\.reason) == ["it has no declared domain", "it has no declared bounds"])
        var generator = SeededGenerator(seed: 5)
        let made = try data.generate(
            from: MadeTable.table(60), budget: budget(1, .zeroConcentrated), using: &generator)
        #expect(made.leftOut == data.leftOut)
        #expect(made.rows.allSatisfy { $0[8] == .null && $0[9] == .null })
    }

    @Test("A clear dependence is found and kept: with a large budget the table has the private one's marginals")
    func dependenceIsKept() throws {
        let table = try MadeTable.table(3_000)
        let data = try data()
        var generator = SeededGenerator(seed: 6)
        let made = try data.generate(from: table, budget: budget(100, .zeroConcentrated), using: &generator)
        let truth = try MarginalShares(table, data.columns)
        let errors = try MarginalShares(Table(rows: made.rows, plan: MadeTable.plan()), data.columns)
            .errors(against: truth)
        #expect(made.pairs.count >= 4)
        #expect(abs(made.rows.count - 3_000) < 10)
        #expect(errors.singles < 0.01)
        #expect(errors.pairs < 0.05)
    }

    @Test("The same seed gives the same table; another one does not")
    func generationIsReproducible() throws {
        let table = try MadeTable.table(300)
        func rows(_ seed: UInt64) throws -> [[Value]] {
            var generator = SeededGenerator(seed: seed)
            return try data().generate(
                from: table, budget: budget(0.1, .zeroConcentrated), using: &generator
            ).rows
        }
        #expect(try rows(1) == rows(1))
        #expect(try rows(1) != rows(2))
    }

    @Test("The number of rows is the one asked for, or a noisy one")
    func numberOfRows() throws {
        var generator = SeededGenerator(seed: 8)
        for wanted in [1, 7, 250] {
            let made = try data(.init(rows: wanted)).generate(
                from: MadeTable.table(90), budget: budget(0.5, .zeroConcentrated), using: &generator)
            #expect(made.rows.count == wanted)
        }
        let counts = try (0..<5).map { _ in
            try data().generate(from: MadeTable.table(900), budget: budget(0.01, .zeroConcentrated), using: &generator)
                .rows.count
        }
        #expect(Set(counts).count > 1)
    }

    @Test("One column alone, a constant one too, and rows that are units")
    func fewColumns() throws {
        var generator = SeededGenerator(seed: 9)
        for name in ["country", "cost", "smoker"] {
            let made = try data(.init(columns: [name])).generate(
                from: MadeTable.table(90), budget: budget(1, .pure), using: &generator)
            #expect(made.pairs.isEmpty)
            #expect(made.leftOut.count == 8)
        }
        let schema = Schema(columns: [ColumnSchema(name: "flag", type: .boolean, isNullable: false)])
        let plan = IngestPlan(
            schema: schema, unitColumn: nil, rowsPerUnit: 1,
            key: ClusteringKey(siteSecret: [UInt8](repeating: 1, count: 16), population: "rows"))
        let table = try Table(rows: (0..<100).map { [.boolean($0 < 30)] }, plan: plan)
        let made = try SyntheticData(schema: schema, unitColumn: nil, rowsPerUnit: 1).generate(
            from: table, budget: budget(50, .zeroConcentrated), using: &generator)
        #expect(made.events.count == 1)
        #expect(abs(made.rows.count { $0[0] == .boolean(true) } - 30) < 3)
    }

    @Test("What cannot be done is refused by schema, options and budget, before any row is read")
    func refusals() throws {
        let bare = Schema(columns: [ColumnSchema(name: "note", type: .text)])
        #expect(throws: SyntheticDataError.noColumns) {
            try SyntheticData(schema: bare, unitColumn: nil, rowsPerUnit: 1)
        }
        let many = Schema(columns: (0..<129).map { ColumnSchema(name: "c\($0)", type: .boolean) })
        #expect(throws: SyntheticDataError.tooManyColumns(count: 129, limit: 128)) {
            try SyntheticData(schema: many, unitColumn: nil, rowsPerUnit: 1)
        }
        let values = (0..<70_000).map { Value.integer($0) }
        let wide = Schema(columns: [ColumnSchema(name: "code", type: .integer, domain: values)])
        #expect(throws: SyntheticDataError.tooManyCells(column: "code", limit: 65_536)) {
            try SyntheticData(schema: wide, unitColumn: nil, rowsPerUnit: 1)
        }
        let wides = Schema(
            columns: (0..<20).map {
                ColumnSchema(name: "c\($0)", type: .integer, domain: Array(values.prefix(60_000)))
            })
        #expect(throws: SyntheticDataError.tooManyCells(column: nil, limit: 1 << 20)) {
            try SyntheticData(schema: wides, unitColumn: nil, rowsPerUnit: 1)
        }
        for options in [
            SyntheticData.Options(rows: 0), .init(rows: 100_001), .init(rowsPerUnit: 4), .init(rowsPerUnit: 0),
            .init(columns: ["no such"]),
        ] { #expect(throws: SyntheticDataError.self) { try data(options) } }
    }

    @Test("A budget too small for any noise is refused before any row is read", arguments: [0, 1, 50])
    func tinyBudgets(amount: Int64) throws {
        for kind in [PrivacyLossKind.pure, .zeroConcentrated] {
            let budget = PrivacyLoss(kind: kind, amount: amount)
            #expect(throws: SyntheticDataError.self) { try data(rowsPerUnit: 1 << 30).check(budget: budget) }
            var generator = SeededGenerator(seed: 1)
            #expect(throws: SyntheticDataError.self) {
                try data(rowsPerUnit: 1 << 30).generate(
                    from: MadeTable.table(3), budget: budget, using: &generator)
            }
        }
    }

    @Test("A table of another schema is refused")
    func otherSchema() throws {
        let data = try SyntheticData(
            schema: Schema(columns: [ColumnSchema(name: "flag", type: .boolean)]), unitColumn: nil, rowsPerUnit: 1)
        var generator = SeededGenerator(seed: 1)
        #expect(throws: SyntheticDataError.otherTable) {
            try data.generate(from: MadeTable.table(3), budget: budget(1, .pure), using: &generator)
        }
    }
}
