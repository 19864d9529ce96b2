import Testing

@testable import Tables

@Suite("Bounded aggregation keeps of each unit what its bounds allow, and adds it up exactly")
struct BoundedAggregationTests {
    let schema = Schema(columns: [
        column("u", .integer), column("g", .integer), column("t", .text), column("x", .real), column("b", .boolean),
        column("wide", .integer),
    ])

    func table(_ dice: inout Dice, units: Int, rows: Int) throws -> Table {
        let rows = (0..<rows).map { _ in
            [
                Value.integer(Int64(dice.int(0...units - 1))),
                dice.chance(10) ? .null : .integer(Int64(dice.int(-3...5))),
                dice.value(.text), dice.value(.real), dice.value(.boolean),
                dice.chance(10) ? .null : .integer(Int64(dice.int(-2...2)) << 40),
            ]
        }
        return try Table(rows: rows, plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1000, key: testKey))
    }

    let expressions: [Expression] = [
        .column(3, .real), .column(1, .integer), .arithmetic(.divide, .column(3, .real), .column(1, .integer), .real),
        .cast(.column(2, .text), .real),
    ]

    let keys: [KeySpecification] = [
        KeySpecification(expression: .column(1, .integer), coding: .discovered),
        KeySpecification(expression: .column(2, .text), coding: .discovered),
        KeySpecification(expression: .column(5, .integer), coding: .discovered),
        KeySpecification(expression: .bin(.column(1, .integer), width: 3, origin: 0, .integer), coding: .discovered),
        KeySpecification(expression: .bin(.column(3, .real), width: 2.5, origin: 0, .real), coding: .discovered),
        KeySpecification(
            expression: .coalesce([.textFunction(.trim, .column(2, .text)), .literal(.text("none"), .text)], .text),
            coding: .discovered),
        KeySpecification(
            expression: .column(1, .integer), coding: .domain([.integer(5), .integer(0), .null, .integer(77)])),
        KeySpecification(expression: .column(2, .text), coding: .domain([.text("b"), .text("é"), .text("zz")])),
        KeySpecification(expression: .column(4, .boolean), coding: .domain([.boolean(false), .boolean(true), .null])),
        KeySpecification(expression: .column(5, .integer), coding: .domain([.integer(1 << 40), .integer(0), .null])),
    ]

    func measures(_ dice: inout Dice) -> [Measure] {
        let grid = FixedPointGrid(lower: -4, upper: 6, center: 1, step: 0.125)
        let limit = dice.chance(50) ? dice.int(1...2) : nil
        let expression = dice.pick(expressions)
        return [
            Measure(.rows), Measure(.units), Measure(.nonNull(expression)), Measure(.sum(expression, grid)),
            Measure(.sumOfSquares(expression, grid)), Measure(.rows, rowsPerGroup: limit),
            Measure(.nonNull(expression), rowsPerGroup: limit), Measure(.sum(expression, grid), rowsPerGroup: limit),
            Measure(.sumOfSquares(expression, grid), rowsPerGroup: limit),
            Measure(.histogram(expression, edges: [-3, -1, 0.5, 4]), rowsPerGroup: limit),
            Measure(.gridValues(expression, lower: -5, step: 0.5, points: 21), rowsPerGroup: limit),
        ]
    }

    func check(_ specification: AggregationSpecification, _ source: RowSource, _ rows: [ReferenceAggregation.Row]) {
        let exact = BoundedAggregation(specification, source: source).run()
        let reference = ReferenceAggregation(specification, rows)
        let isDiscovered = specification.keys.contains { $0.coding == .discovered }
        if isDiscovered { #expect(Set(exact.keys) == Set(reference.kept.keys)) }
        #expect(exact.keys.count == exact.groupCount && Set(exact.keys).count == exact.groupCount)
        for (group, keys) in exact.keys.enumerated() {
            #expect(exact.units[group] == reference.units(keys))
            for (index, measure) in specification.measures.enumerated() {
                switch measure.kind {
                case .histogram(let expression, let edges):
                    #expect(exact.histogram(index)[group] == reference.histogram(keys, measure, expression, edges))
                case .gridValues(let expression, let lower, let step, let points):
                    let grid = exact.grid(index)[group]
                    #expect(grid.indices == grid.indices.sorted())
                    #expect(
                        Dictionary(zip(grid.indices, grid.counts), uniquingKeysWith: +)
                            == reference.grid(keys, measure, expression, lower, step, points))
                default: #expect(exact.integers(index)[group] == reference.integers(keys, measure))
                }
            }
        }
    }

    @Test("Random questions on random tables give what the reference gives", arguments: 1...60)
    func randomQuestions(seed: UInt64) throws {
        var dice = Dice(seed)
        let table = try table(&dice, units: dice.pick([1, 5, 40]), rows: dice.pick([0, 30, 400, 5000]))
        let filter: Expression = .comparison(.less, .column(1, .integer), .literal(.integer(3), .integer))
        let keys = (0..<dice.int(0...3)).map { _ in dice.pick(self.keys) }
        let specification = AggregationSpecification(
            filter: dice.chance(50) ? filter : nil, keys: keys, measures: measures(&dice),
            bounds: ContributionBounds(groupsPerUnit: dice.int(1...5), rowsPerGroup: dice.int(1...6)))
        check(specification, .table(table), table.storedRows())
    }

    @Test("A declared domain is output whole, in the order of its cross product, empty groups too")
    func domains() throws {
        var dice = Dice(1)
        let table = try table(&dice, units: 5, rows: 20)
        let specification = AggregationSpecification(
            filter: .literal(.boolean(false), .boolean), keys: [keys[6], keys[8]], measures: [Measure(.rows)],
            bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 1))
        let exact = BoundedAggregation(specification, source: .table(table)).run()
        let expected: [[Value]] = [.integer(5), .integer(0), .null, .integer(77)].flatMap { a in
            [Value.boolean(false), .boolean(true), .null].map { [a, $0] }
        }
        #expect(exact.keys == expected)
        #expect(exact.integers(0) == Array(repeating: 0, count: 12))
    }

    @Test("One unit changes counts and sums by no more than its bounds", arguments: 1...20)
    func sensitivity(seed: UInt64) throws {
        var dice = Dice(seed)
        let k = dice.int(1...3)
        let m = dice.int(1...3)
        let all = (0..<200).map { _ -> [Value] in
            [
                .integer(Int64(dice.int(0...9))), .integer(Int64(dice.int(0...5))), .null, dice.value(.real, nulls: 0),
                .null, .null,
            ]
        }
        let grid = FixedPointGrid(lower: -4, upper: 6, center: 1, step: 0.125)
        let specification = AggregationSpecification(
            filter: nil,
            keys: [KeySpecification(expression: .column(1, .integer), coding: .domain((0...5).map { .integer($0) }))],
            measures: [Measure(.rows), Measure(.sum(.column(3, .real), grid))],
            bounds: ContributionBounds(groupsPerUnit: k, rowsPerGroup: m))
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1000, key: testKey)
        func run(_ rows: [[Value]]) throws -> [[Int64]] {
            let exact = BoundedAggregation(specification, source: .table(try Table(rows: rows, plan: plan))).run()
            return [exact.units, exact.integers(0), exact.integers(1)]
        }
        let with = try run(all)
        let without = try run(all.filter { $0[0] != .integer(4) })
        let changes = (0..<3).map { measure in zip(with[measure], without[measure]).map { abs($0 - $1) } }
        for change in changes { #expect(change.filter { $0 != 0 }.count <= k) }
        #expect(changes[0].allSatisfy { $0 <= 1 })
        #expect(changes[1].allSatisfy { $0 <= Int64(m) })
        #expect(changes[2].allSatisfy { $0 <= Int64(m) * grid.largest })
        #expect(changes[1].contains { $0 > 0 })
    }

    @Test("Exactly k groups and m rows are kept of a unit that has more, across chunks too")
    func exactlyTheBounds() throws {
        let rows = (0..<3).flatMap { unit in
            (0..<9000).map { [Value.integer(Int64(unit)), .integer(Int64($0 % 30)), .null, .null, .null, .null] }
        }
        let table = try Table(
            rows: rows, plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 9000, key: testKey))
        for (k, m) in [(1, 1), (10, 7), (30, 300), (40, 1000)] {
            let specification = AggregationSpecification(
                filter: nil, keys: [keys[0]], measures: [Measure(.rows)],
                bounds: ContributionBounds(groupsPerUnit: k, rowsPerGroup: m))
            let exact = BoundedAggregation(specification, source: .table(table)).run()
            #expect(exact.integers(0).reduce(0, +) == Int64(3 * min(k, 30) * min(m, 300)))
            #expect(exact.units.reduce(0, +) == Int64(3 * min(k, 30)))
        }
    }

    /// The rows' numbers as a domain.
    func places(_ count: Int) -> KeySpecification {
        KeySpecification(expression: .column(1, .integer), coding: .domain((0..<count).map { .integer(Int64($0)) }))
    }

    @Test("The fast rounding is the grid's own, to the bit")
    func quantization() throws {
        var dice = Dice(9)
        for (lower, upper, center, step) in [
            (-4.0, 6.0, 1.0, 0.125), (0, 100, 50, 0x1p-20), (-1e15, 1e15, 0, 1), (0, 1, 0.5, 0x1p-49),
            (0, 1, 0, 0x1p-52),
            (0, 0, 0, 1), (-3, 9, 0, 1),
        ] {
            let grid = FixedPointGrid(lower: lower, upper: upper, center: center, step: step)
            let values = (0..<300).map { _ in
                dice.chance(30)
                    ? center + (Double(dice.int(-40...40)) + 0.5) * step
                    : lower - 1 + (upper - lower + 2) * Double(dice.int(0...1 << 30)) * 0x1p-30
            }
            let rows = values.enumerated().map {
                [Value.integer(Int64($0)), .integer(Int64($0)), .null, .real($1), .null, .null]
            }
            let table = try Table(
                rows: rows, plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1, key: testKey))
            let specification = AggregationSpecification(
                filter: nil, keys: [places(values.count)], measures: [Measure(.sum(.column(3, .real), grid))],
                bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 1))
            let exact = BoundedAggregation(specification, source: .table(table)).run()
            #expect(exact.integers(0) == values.map(grid.quantize))
        }
    }

    @Test("A sum that could leave 64 bits saturates; nothing traps or wraps")
    func saturation() throws {
        let grid = FixedPointGrid(lower: -1e18, upper: 1e18, center: 0, step: 1)
        let rows = (0..<30).map {
            [Value.integer($0), .integer($0 % 2), .null, .real($0 % 2 == 0 ? 1e18 : -1e18), .null, .null]
        }
        let table = try Table(rows: rows, plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1, key: testKey))
        let specification = AggregationSpecification(
            filter: nil, keys: [places(2)],
            measures: [Measure(.sum(.column(3, .real), grid)), Measure(.sumOfSquares(.column(3, .real), grid))],
            bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 1))
        let exact = BoundedAggregation(specification, source: .table(table)).run()
        #expect(exact.integers(0) == [.max, -.max])
        #expect(exact.integers(1) == [.max, .max])
    }

    @Test("Discovered keys are there once each, null too, and those of dropped rows leave no trace")
    func discovered() throws {
        let rows: [[Value]] = ["b", "a", "é", "B"].enumerated().map {
            [.integer(Int64($0)), .integer(Int64($0)), .text($1), .null, .null, .null]
        }
        let table = try Table(
            rows: rows + [[.integer(9), .integer(0), .null, .null, .null, .null]],
            plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 5, key: testKey))
        let specification = AggregationSpecification(
            filter: .not(.isIn(.column(2, .text), [.text("B")])), keys: [keys[1]], measures: [],
            bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 1))
        let exact = BoundedAggregation(specification, source: .table(table)).run()
        // NOT (NULL IN ...) is null, so that the null key is filtered out.
        #expect(exact.keys.sorted { Value.order($0[0], $1[0]) < 0 } == [[.text("a")], [.text("b")], [.text("é")]])
        var all = specification
        all.filter = nil
        let keys = BoundedAggregation(all, source: .table(table)).run().keys
        #expect(keys.count == 5 && Set(keys) == [[.null], [.text("a")], [.text("b")], [.text("é")], [.text("B")]])
    }

    @Test("A join pairs the first rows of each unit on both sides, whatever the rest", arguments: 1...20)
    func join(seed: UInt64) throws {
        var dice = Dice(seed)
        let left = try table(&dice, units: 30, rows: 150)
        let right = try table(&dice, units: 50, rows: 150)
        let (l, r) = (dice.int(0...4), dice.int(1...3))
        let (leftRows, rightRows) = (left.rowsByUnit(), right.rowsByUnit())
        let units = Array(leftRows.keys.filter { rightRows[$0] != nil })
        let rows = units.enumerated().flatMap { number, unit in
            leftRows[unit, default: []].prefix(l).flatMap { a in
                rightRows[unit, default: []].prefix(r).map { (unit: number, row: a + $0) }
            }
        }
        let specification = AggregationSpecification(
            filter: nil,
            keys: [KeySpecification(expression: .column(7, .integer), coding: .discovered), keys[8]],
            measures: [Measure(.rows), Measure(.nonNull(.column(9, .real)))],
            bounds: ContributionBounds(groupsPerUnit: 3, rowsPerGroup: 4))
        check(specification, .join(left, right, leftRows: l, rightRows: r), rows)
    }

    @Test("Tables of different secrets, or whose rows are the units, join nothing")
    func noJoin() throws {
        var dice = Dice(2)
        let left = try table(&dice, units: 10, rows: 100)
        let rows = left.storedRows().map(\.row)
        let strange = try Table(
            rows: rows,
            plan: IngestPlan(
                schema: schema, unitColumn: 0, rowsPerUnit: 10,
                key: ClusteringKey(siteSecret: Array(7..<39), population: "people")))
        let unitless = try Table(
            rows: rows, plan: IngestPlan(schema: schema, unitColumn: nil, rowsPerUnit: 1, key: testKey))
        let specification = AggregationSpecification(
            filter: nil, keys: [], measures: [Measure(.rows)],
            bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 100))
        for right in [strange, unitless] {
            let source = RowSource.join(left, right, leftRows: 100, rightRows: 100)
            #expect(BoundedAggregation(specification, source: source).run().integers(0) == [0])
        }
    }
}
