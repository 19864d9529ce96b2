import Testing

@testable import Tables

@Suite("Expressions: every operation is total, and the vectorised evaluator agrees with a slow one")
struct ExpressionTests {
    static let types: [ValueType] = [.integer, .integer, .real, .real, .text, .text, .boolean, .date, .timestamp]
    let schema = Schema(columns: [column("u", .integer)] + Self.types.enumerated().map { column("c\($0)", $1) })

    /// Columns of that type, after the unit.
    static func columns(_ type: ValueType) -> [Int] { types.indices.filter { types[$0] == type }.map { $0 + 1 } }

    @Test("Random expressions on random rows give what the reference gives", arguments: 1...60)
    func randomExpressions(seed: UInt64) throws {
        var dice = Dice(seed)
        let rows = (0..<300).map { number in
            [Value.integer(Int64(number))] + Self.types.map { dice.value($0) }
        }
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1, key: testKey)
        let table = try Table(rows: rows, plan: plan)
        let stored = table.storedRows().map(\.row)
        let lookup = LookupData(&dice)
        let tables = [try LookupTable(schema: lookup.schema, keyColumn: 0, rows: lookup.rows)]
        var maker = ExpressionMaker(dice: dice)
        for _ in 0..<40 {
            let expression = maker.make(maker.dice.pick(ValueType.allCases), depth: 4)
            let program = ExpressionProgram(source: .table(table), lookups: tables)
            let node = program.compile(expression)
            var values: [Value] = []
            RowSource.table(table).forEachChunk { chunk in
                program.evaluate(chunk)
                for row in 0..<chunk.count { values.append(node.value(row, program.pool)) }
            }
            for (row, value) in zip(stored, values) {
                let expected = ReferenceEvaluator(row: row, lookups: [(0, lookup.rows)]).evaluate(expression)
                #expect(isSame(value, expected), "\(expression) on \(row): \(value), expected \(expected)")
                if !isSame(value, expected) { return }
            }
        }
    }

    private func isSame(_ left: Value, _ right: Value) -> Bool {
        if case .real(let a) = left, case .real(let b) = right { return a == b }
        return left == right
    }

    @Test("Nothing traps: extreme operands of every operation give a value or null")
    func extremes() throws {
        let integers: [Int64] = [.max, -.max, 0, 1, -1]
        let reals: [Double] = [
            .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0, 0x1p63, -0x1p63,
        ]
        let schema = Schema(columns: [
            column("i", .integer), column("r", .real), column("d", .date), column("t", .timestamp),
        ])
        let rows = integers.flatMap { i in reals.map { [Value.integer(i), .real($0), .date(i), .timestamp(i)] } }
        let table = try Table(
            rows: rows, plan: IngestPlan(schema: schema, unitColumn: nil, rowsPerUnit: 1, key: testKey))
        let program = ExpressionProgram(source: .table(table), lookups: [])
        let columns: [Expression] = [
            .column(0, .integer), .column(1, .real), .column(2, .date), .column(3, .timestamp),
        ]
        for a in columns {
            for type in ValueType.allCases { _ = program.compile(.cast(a, type)) }
            for part in DatePart.allCases {
                _ = program.compile(.datePart(part, a))
                _ = program.compile(.dateTruncate(part, a, .timestamp))
            }
            for function in [
                NumericFunction.negate, .absolute, .floor, .ceiling, .squareRoot, .exponential, .naturalLogarithm,
            ] {
                for type in [ValueType.integer, .real] { _ = program.compile(.function(function, a, type)) }
            }
            for digits in [-400, -3, 0, 3, 400, Int.max] { _ = program.compile(.round(a, digits: digits)) }
            for width in [0, -1, 1, 1e300, .nan, .infinity] {
                for type in [ValueType.integer, .real] {
                    _ = program.compile(.bin(a, width: width, origin: -0x1p62, type))
                    _ = program.compile(.clamp(a, lower: width, upper: 2e300, type))
                    _ = program.compile(.clamp(a, lower: 0.2, upper: 0.8, type))
                }
            }
            for b in columns {
                for operation in [ArithmeticOperator.add, .subtract, .multiply, .divide, .modulo, .power] {
                    for type in [ValueType.integer, .real] { _ = program.compile(.arithmetic(operation, a, b, type)) }
                }
                _ = program.compile(.comparison(.less, a, b))
                _ = program.compile(.extremum(.least, [a, b], .real))
            }
        }
        _ = program.compile(.column(99, .integer))
        _ = program.compile(.lookup(slot: 3, key: columns[0], column: 0, .text))
        _ = program.compile(.coalesce([], .text))
        _ = program.compile(.concatenation([]))
        _ = program.compile(.concatenation(columns))
        var rowsSeen = 0
        RowSource.table(table).forEachChunk { chunk in
            program.evaluate(chunk)
            rowsSeen += chunk.count
        }
        #expect(rowsSeen == rows.count)
    }

    @Test(
        "Known results",
        arguments: [
            (
                Expression.arithmetic(.divide, .literal(.integer(7), .integer), .literal(.integer(2), .integer), .real),
                Value.real(3.5)
            ),
            (.arithmetic(.divide, .literal(.real(1), .real), .literal(.real(0), .real), .real), .null),
            (
                .arithmetic(.modulo, .literal(.integer(-7), .integer), .literal(.integer(3), .integer), .integer),
                .integer(-1)
            ),
            (.round(.literal(.real(2.5), .real), digits: 0), .real(3)),
            (.round(.literal(.real(-2.5), .real), digits: 0), .real(-3)),
            (.round(.literal(.real(1250), .real), digits: -2), .real(1300)),
            (.bin(.literal(.integer(-1), .integer), width: 10, origin: 0, .integer), .integer(-10)),
            (.bin(.literal(.real(17.2), .real), width: 5, origin: 0, .real), .real(15)),
            (.cast(.literal(.real(-2.9), .real), .integer), .integer(-3)),
            (.cast(.literal(.text("12x"), .text), .integer), .null),
            (.cast(.literal(.text(" 12 "), .text), .integer), .integer(12)),
            (.cast(.literal(.text("2024-02-30"), .text), .date), .null),
            (.cast(.literal(.date(0), .date), .text), .text("1970-01-01")),
            (.cast(.literal(.timestamp(-1), .timestamp), .text), .text("1969-12-31T23:59:59Z")),
            (.datePart(.week, .literal(.date(-1), .date)), .integer(1)),
            (.datePart(.dayOfWeek, .literal(.date(0), .date)), .integer(4)),
            (.datePart(.hour, .literal(.timestamp(-1), .timestamp)), .integer(23)),
            (.like(.literal(.text("50%"), .text), pattern: "50\\%"), .boolean(true)),
            (.like(.literal(.text("日本語"), .text), pattern: "日_語"), .boolean(true)),
            (.like(.literal(.text("aaaaaaaaaaaaaaaaaaaaab"), .text), pattern: "%a%a%a%a%a%c"), .boolean(false)),
            (.comparison(.less, .literal(.text("Z"), .text), .literal(.text("a"), .text)), .boolean(true)),
            (.comparison(.equal, .literal(.text("e\u{301}"), .text), .literal(.text("\u{e9}"), .text)), .boolean(true)),
            (.and(.literal(.null, .boolean), .literal(.boolean(false), .boolean)), .boolean(false)),
            (.or(.literal(.null, .boolean), .literal(.boolean(false), .boolean)), .null),
            (.extremum(.greatest, [.literal(.null, .real), .literal(.real(2), .real)], .real), .real(2)),
            (.textFunction(.upper, .literal(.text("straße"), .text)), .text("STRASSE")),
            (.textLength(.literal(.text("日本"), .text)), .integer(2)),
            (.textFunction(.substring(from: 2, length: 2), .literal(.text("日本語の"), .text)), .text("本語")),
            (.textFunction(.substring(from: -1, length: 3), .literal(.text("abc"), .text)), .text("a")),
            (.concatenation([.literal(.text("e"), .text), .literal(.text("\u{301}"), .text)]), .text("\u{e9}")),
            (.concatenation([.literal(.text("a"), .text), .literal(.null, .text)]), .null),
            (.arithmetic(.power, .literal(.real(-2), .real), .literal(.real(3), .real), .real), .real(-8)),
            (.arithmetic(.power, .literal(.real(-8), .real), .literal(.real(0.5), .real), .real), .null),
            (.arithmetic(.power, .literal(.real(0), .real), .literal(.real(-1), .real), .real), .null),
            (.arithmetic(.power, .literal(.real(0), .real), .literal(.real(0), .real), .real), .real(1)),
            (.arithmetic(.power, .literal(.real(1e200), .real), .literal(.real(2), .real), .real), .null),
            (.arithmetic(.power, .literal(.real(1), .real), .literal(.null, .real), .real), .null),
            (.arithmetic(.power, .literal(.null, .real), .literal(.real(0), .real), .real), .null),
        ])
    func known(expression: Expression, expected: Value) throws {
        let schema = Schema(columns: [column("u", .integer)])
        let table = try Table(
            rows: [[.integer(1)]], plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1, key: testKey))
        let program = ExpressionProgram(source: .table(table), lookups: [])
        let node = program.compile(expression)
        RowSource.table(table).forEachChunk { program.evaluate($0) }
        #expect(node.value(0, program.pool) == expected)
    }
}

/// A small lookup table: text to text, number, truth.
struct LookupData {
    let schema = Schema(columns: [column("k", .text), column("t", .text), column("r", .real), column("i", .integer)])
    let rows: [[Value]]

    init(_ dice: inout Dice) {
        rows = ["a", "b", "é", "12"].map { key in
            [.text(key), dice.value(.text), dice.value(.real), dice.value(.integer)]
        }
    }
}

/// Random well-typed expressions.
struct ExpressionMaker {
    var dice: Dice

    mutating func make(_ type: ValueType, depth: Int) -> Expression {
        if depth == 0 || dice.chance(10) { return leaf(type) }
        if dice.chance(20) { return choice(type, depth - 1) }
        switch type {
        case .integer: return integer(depth - 1)
        case .real: return real(depth - 1)
        case .text: return text(depth - 1)
        case .boolean: return boolean(depth - 1)
        case .date, .timestamp:
            let part = dice.pick([DatePart.year, .quarter, .month, .week, .day, .hour])
            return dice.chance(50)
                ? .dateTruncate(part, make(type, depth: depth - 1), type)
                : .cast(make(type == .date ? .timestamp : .date, depth: depth - 1), type)
        }
    }

    private mutating func leaf(_ type: ValueType) -> Expression {
        if dice.chance(75) { return .column(dice.pick(ExpressionTests.columns(type)), type) }
        return .literal(dice.value(type), type)
    }

    private mutating func choice(_ type: ValueType, _ depth: Int) -> Expression {
        switch dice.int(1...3) {
        case 1:
            let branches = (0..<dice.int(1...3)).map { _ in
                ConditionalBranch(condition: make(.boolean, depth: depth), value: make(type, depth: depth))
            }
            return .conditional(branches, otherwise: make(type, depth: depth), type)
        case 2: return .coalesce([make(type, depth: depth), make(type, depth: depth)], type)
        default:
            return .extremum(
                dice.pick([.least, .greatest]), [make(type, depth: depth), make(type, depth: depth)], type)
        }
    }

    private mutating func integer(_ depth: Int) -> Expression {
        switch dice.int(1...8) {
        case 1: return .datePart(dice.pick(DatePart.allCases), make(dice.pick([.date, .timestamp]), depth: depth))
        case 2: return .textLength(make(.text, depth: depth))
        case 3: return .cast(make(dice.pick([.real, .text, .boolean]), depth: depth), .integer)
        case 4:
            return .bin(
                make(.integer, depth: depth), width: Double(dice.int(1...7)), origin: Double(dice.int(-3...3)), .integer
            )
        case 5:
            return .function(dice.pick([.negate, .absolute, .floor, .ceiling]), make(.integer, depth: depth), .integer)
        case 6: return .clamp(make(.integer, depth: depth), lower: -5, upper: 7, .integer)
        case 7: return .lookup(slot: 0, key: make(.text, depth: depth), column: 3, .integer)
        default:
            return .arithmetic(
                dice.pick([.add, .subtract, .multiply, .modulo]), make(.integer, depth: depth),
                make(.integer, depth: depth),
                .integer)
        }
    }

    private mutating func real(_ depth: Int) -> Expression {
        switch dice.int(1...7) {
        case 1: return .cast(make(dice.pick([.integer, .text]), depth: depth), .real)
        case 2:
            return .function(
                dice.pick([.negate, .absolute, .floor, .ceiling, .squareRoot, .exponential, .naturalLogarithm]),
                make(.real, depth: depth), .real)
        case 3: return .round(make(.real, depth: depth), digits: dice.int(-2...3))
        case 4: return .bin(make(.real, depth: depth), width: 2.5, origin: 0.25, .real)
        case 5: return .clamp(make(.real, depth: depth), lower: -1.5, upper: 4, .real)
        case 6: return .lookup(slot: 0, key: make(.text, depth: depth), column: 2, .real)
        default:
            return .arithmetic(
                dice.pick([.add, .subtract, .multiply, .divide, .modulo, .power]), make(.real, depth: depth),
                make(.real, depth: depth), .real)
        }
    }

    private mutating func text(_ depth: Int) -> Expression {
        switch dice.int(1...5) {
        case 1:
            let substring = TextFunction.substring(
                from: Int64(dice.int(-2...4)), length: dice.chance(50) ? nil : Int64(dice.int(0...5)))
            return .textFunction(dice.pick([.lower, .upper, .trim, substring]), make(.text, depth: depth))
        case 5: return .concatenation((0..<dice.int(1...3)).map { _ in make(.text, depth: depth) })
        case 2: return .lookup(slot: 0, key: make(.text, depth: depth), column: 1, .text)
        case 3: return .cast(make(dice.pick([.integer, .boolean, .real]), depth: depth), .text)
        default: return leaf(.text)
        }
    }

    private mutating func boolean(_ depth: Int) -> Expression {
        switch dice.int(1...8) {
        case 1: return .and(make(.boolean, depth: depth), make(.boolean, depth: depth))
        case 2: return .or(make(.boolean, depth: depth), make(.boolean, depth: depth))
        case 3: return .not(make(.boolean, depth: depth))
        case 4: return .isNull(make(dice.pick(ValueType.allCases), depth: depth))
        case 5:
            let type = dice.pick(ValueType.allCases)
            return .isIn(make(type, depth: depth), (0..<3).map { _ in dice.value(type, nulls: 0) })
        case 6:
            return .like(
                make(.text, depth: depth), pattern: dice.pick(["a%", "%b%", "_", "", "%", "a\\_b", "日%", "%2%2%"]))
        case 7: return .lookupMatches(slot: 0, key: make(.text, depth: depth))
        default:
            let type = dice.pick(ValueType.allCases)
            return .comparison(
                dice.pick([.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual]),
                make(type, depth: depth),
                make(type, depth: depth))
        }
    }
}
