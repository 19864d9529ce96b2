import Testing

@testable import Tables

/// Every function on every type that it takes, on values at the edges: what columns of a table come to, what values in
/// memory do, and what constants do, against a reference that shares no code with them.
@Suite("One meaning: columns, values and constants")
struct AgreementTests {
    static let values: [ValueType: [Value]] = [
        .integer: [.null] + [0, 1, -1, 7, -13, 100, 1 << 40, .max, -.max].map { .integer($0) },
        .real: [.null]
            + [
                0, 0.5, 1, -2.5, 2.5, 1e300, -1e300, 1e-300, 0.1, 1e16, 123_456.789, -0.00001, 0x1p63,
                .leastNonzeroMagnitude, 0x1p54,
                9e15,
            ]
            .map { .real($0) },
        .text: [.null]
            + [
                "", " ", " \u{301}a ", "a", "Ab", " b ", "é", "É", "ß", "日本", "12", " 12\t", "+5", "-7", "5.0", "5.",
                "5.7", "1e3",
                ".5",
                "0x10", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1_000", "nan", "inf",
                "-Infinity", "true", "TRUE", "t", "f", "Yes", "no", "y", "n", "on", "1.0", "0.0", "2", "2020-02-29",
                "2019-02-29", "1900-02-29", "2000-02-29", "2020-2-9", "2020-02-29 10:30", "2020-02-29T10:30:05Z",
                "2020-02-29T10:30:05.75+02:00", "2020-02-29 10:30:05-0530", "2020-02-29 24:00", "2020-02-29x",
                "0000-01-01",
                "9999-12-31", "10000-01-01", "%", "a_b", "50%", "a\\b", "1e400", "0.1", "1e-7",
            ].map { .text($0) },
        .boolean: [.null, .boolean(true), .boolean(false)],
        .date: [.null] + [0, -1, 18_321, 11_016, -719_528, 2_932_896, 2_932_897, -719_529, -140_000].map { .date($0) },
        .timestamp: [.null]
            + [
                0, -1, 951_782_399, 951_782_400, -62_167_219_200, 253_402_300_799, 253_402_300_800, -62_167_219_201,
                -12_219_292_800,
            ].map { .timestamp($0) },
    ]

    /// Compares on all combinations of the columns' values, of which there are two or three.
    private func check(_ types: [ValueType], _ expressions: [Expression]) throws {
        var rows: [[Value]] = [[]]
        for type in types { rows = rows.flatMap { row in (Self.values[type] ?? []).map { row + [$0] } } }
        let schema = Schema(columns: types.enumerated().map { column("c\($0)", $1) })
        let table = try Table(
            rows: rows, plan: IngestPlan(schema: schema, unitColumn: nil, rowsPerUnit: 1, key: testKey))
        let stored = table.storedRows().map(\.row)
        #expect(stored.count == rows.count)
        let program = ExpressionProgram(source: .table(table), lookups: [])
        let nodes = expressions.map(program.compile)
        var columns = [[Value]](repeating: [], count: nodes.count)
        RowSource.table(table).forEachChunk { chunk in
            program.evaluate(chunk)
            for (place, node) in nodes.enumerated() {
                for row in 0..<chunk.count { columns[place].append(node.value(row, program.pool)) }
            }
        }
        var inputs: [Int: ValueRows.Column] = [:]
        for (index, type) in types.enumerated() { inputs[index] = ValueRows.Column(type, stored.map { $0[index] }) }
        let given = ValueRows(count: stored.count, columns: inputs).values(of: expressions)
        for (place, expression) in expressions.enumerated() {
            for (number, row) in stored.enumerated() {
                let expected = ReferenceEvaluator(row: row).evaluate(expression)
                let (column, value) = (columns[place][number], given[place][number])
                #expect(column == expected && value == expected, "\(expression) on \(row): \(column), \(value)")
                if number % 7 == place % 7 {
                    let constant = expression.replacingColumns(by: row, types).constant
                    #expect(constant == expected, "\(expression) on \(row)")
                }
                if column != expected || value != expected { break }
            }
        }
    }

    @Test("Casts, from every type to every type", arguments: ValueType.allCases)
    func casts(from: ValueType) throws {
        try check([from], ValueType.allCases.map { .cast(.column(0, from), $0) })
    }

    @Test("Functions of one value, of every type that they take", arguments: ValueType.allCases)
    func unary(type: ValueType) throws {
        let operand = Expression.column(0, type)
        let list = (Self.values[type] ?? []).filter { $0 != .null }
        var all: [Expression] = [
            .isNull(operand), .isIn(operand, Array(list.prefix(3))), .isIn(operand, Array(list.suffix(2))),
        ]
        switch type {
        case .integer, .real:
            let functions: [NumericFunction] = [
                .negate, .absolute, .floor, .ceiling, .squareRoot, .exponential, .naturalLogarithm,
            ]
            all += functions.map { .function($0, operand, .real) }
            if type == .integer { all += functions.prefix(4).map { .function($0, operand, .integer) } }
            all += [-15, -2, 0, 1, 15].map { .round(operand, digits: $0) }
            for (width, origin) in [(1, 0), (7, 3), (10, -5)] as [(Double, Double)] {
                all.append(.bin(operand, width: width, origin: origin, type))
            }
            all.append(.bin(operand, width: 0.75, origin: 0.1, .real))
            all.append(.clamp(operand, lower: -5, upper: 7, type))
            if type == .real { all.append(.clamp(operand, lower: -0.25, upper: 2.75, .real)) }
        case .text:
            all += [TextFunction.lower, .upper, .trim].map { .textFunction($0, operand) } + [.textLength(operand)]
            for (from, length) in [
                (1, nil), (2, nil), (2, 3), (0, 2), (-1, 3), (1, 0), (3, 1), (99, 2), (-9, nil), (.max, .max),
                (.min, .max),
                (2, .max),
            ] as [(Int64, Int64?)] {
                all.append(.textFunction(.substring(from: from, length: length), operand))
            }
            for pattern in [
                "", "%", "_", "__", "a%", "%b%", "%b", "A_", "%\\%", "a\\_b", "a\\\\b", "%0%0%", "日_", "%é",
                "2020-__-%",
                "%%b_%", "\\",
            ] {
                all.append(.like(operand, pattern: pattern))
            }
        case .boolean: all.append(.not(operand))
        case .date, .timestamp:
            all += DatePart.allCases.map { .datePart($0, operand) }
            all += [DatePart.year, .quarter, .month, .week, .day].map { .dateTruncate($0, operand, type) }
            if type == .timestamp { all.append(.dateTruncate(.hour, operand, type)) }
            all.append(.clamp(operand, lower: -100, upper: 20_000, type))
        }
        try check([type], all)
    }

    @Test("Functions of two values, of every pair of types that they take", arguments: ValueType.allCases)
    func binary(type: ValueType) throws {
        let (a, b) = (Expression.column(0, type), Expression.column(1, type))
        var all: [Expression] = [
            .coalesce([a, b], type), .extremum(.least, [a, b], type), .extremum(.greatest, [a, b], type),
            .conditional([ConditionalBranch(condition: .isNull(a), value: b)], otherwise: a, type),
            .conditional([ConditionalBranch(condition: .comparison(.less, a, b), value: a)], otherwise: b, type),
        ]
        all += [ComparisonOperator.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual]
            .map { .comparison($0, a, b) }
        if type == .boolean { all += [.and(a, b), .or(a, b)] }
        if type == .text {
            all += [.concatenation([a, b]), .concatenation([b, a, .literal(.text("\u{301}x"), .text)])]
        }
        if type == .integer || type == .real {
            let operators: [ArithmeticOperator] = [.add, .subtract, .multiply, .divide, .modulo, .power]
            all += operators.map { .arithmetic($0, a, b, .real) }
            if type == .integer {
                all += operators.filter { $0 != .divide && $0 != .power }.map { .arithmetic($0, a, b, .integer) }
            }
        }
        try check([type, type], all)
        guard type == .integer || type == .real else { return }
        let other: ValueType = type == .integer ? .real : .integer
        let mixed = Expression.column(1, other)
        try check(
            [type, other],
            [ArithmeticOperator.add, .subtract, .multiply, .divide, .modulo, .power].map {
                .arithmetic($0, .cast(a, .real), .cast(mixed, .real), .real)
            })
    }

    @Test(
        "Casts by hand",
        arguments: [
            (.real(0.5), .text, .text("0.5")), (.real(1), .text, .text("1.0")), (.real(-0.0), .text, .text("0.0")),
            (.real(1e16), .text, .text("1e+16")), (.real(0.00001), .text, .text("1e-05")),
            (.real(0.1), .text, .text("0.1")), (.date(18_321), .text, .text("2020-02-29")),
            (.timestamp(18_321 * 86_400 + 37_805), .text, .text("2020-02-29T10:30:05Z")),
            (.date(-719_529), .text, .null), (.timestamp(253_402_300_800), .text, .null),
            (.date(2_932_897), .timestamp, .null), (.boolean(false), .text, .text("false")),
            (.integer(-7), .text, .text("-7")), (.text("true"), .boolean, .boolean(true)),
            (.text(" No "), .boolean, .boolean(false)), (.text("on"), .boolean, .null), (.text("2"), .boolean, .null),
            (.text("5.0"), .integer, .integer(5)), (.text("5.7"), .integer, .null), (.text("1e3"), .integer, .null),
            (.text("1e3"), .real, .real(1_000)), (.text("nan"), .real, .null), (.text("-inf"), .real, .null),
            (.text("0x10"), .real, .null), (.real(-2.9), .integer, .integer(-3)), (.real(1e300), .integer, .null),
            (.real(0.5), .integer, .integer(0)), (.real(1.5), .integer, .integer(2)),
            (.real(2.5), .integer, .integer(2)),
            (.real(-0.5), .integer, .integer(0)), (.real(-1.5), .integer, .integer(-2)),
            (.real(2.4), .integer, .integer(2)),
            (.real(2.6), .integer, .integer(3)),
            (.real(0x1.fffffffffffffp62), .integer, .integer(9_223_372_036_854_774_784)),
            (.integer(2_932_896), .date, .date(2_932_896)), (.integer(2_932_897), .date, .null),
            (.text("2020-02-29T10:30:05.75+02:00"), .timestamp, .timestamp(18_321 * 86_400 + 30_605)),
            (.text("2020-02-29"), .timestamp, .timestamp(18_321 * 86_400)), (.text("2020-02-29 10:30"), .date, .null),
            (.timestamp(-1), .date, .date(-1)), (.boolean(true), .real, .real(1)),
            (.integer(3), .boolean, .boolean(true)),
        ] as [(Value, ValueType, Value)])
    func known(value: Value, type: ValueType, expected: Value) throws {
        let from = try #require(value.type)
        #expect(Expression.cast(.literal(value, from), type).constant == expected)
        #expect(ReferenceEvaluator(row: [value]).evaluate(.cast(.column(0, from), type)) == expected)
        let rows = ValueRows(count: 2, columns: [3: ValueRows.Column(from, [.null, value])])
        #expect(rows.values(of: [.cast(.column(3, from), type)]) == [[.null, expected]])
    }

    @Test("A value cast to text has at most 32 bytes; letters of another case at most three times as many")
    func bytes() {
        var dice = Dice(3)
        let numbers: [Value] =
            (0..<5_000).map { _ in .real(Double(bitPattern: dice.generator.next())) }.filter { $0 != .real(.nan) }
            + [.greatestFiniteMagnitude, -.leastNormalMagnitude, -.leastNonzeroMagnitude, -1.2345678901234567e-300]
            .map { .real($0) }
        let texts = ValueRows(count: numbers.count, columns: [0: ValueRows.Column(.real, numbers)])
            .values(of: [.cast(.column(0, .real), .text)])[0]
        for case .text(let text) in texts { #expect(text.utf8.count <= 32) }
        // Each scalar, alone and behind another.
        let scalars = (1...0x2ffff).compactMap(Unicode.Scalar.init).map { String(Character($0)) }
        let words = (scalars + scalars.map { "Σ" + $0 }).map { $0.normalizedForKeys }
        let results = ValueRows(
            count: words.count, columns: [0: ValueRows.Column(.text, words.map { .text($0) })]
        ).values(of: [.textFunction(.lower, .column(0, .text)), .textFunction(.upper, .column(0, .text))])
        for result in results {
            let tooLong = zip(words, result).filter { word, value in
                if case .text(let text) = value { text.utf8.count > 3 * word.utf8.count } else { true }
            }
            #expect(tooLong.isEmpty, "\(tooLong.prefix(3))")
        }
    }

    @Test("More rows than a chunk holds, columns that are not there, and expressions that are columns")
    func rows() {
        let count = 2 * RowChunk.capacity + 5
        let numbers: [Value] = (0..<count).map { .integer(Int64($0)) }
        let names: [Value] = (0..<count).map { .text("name \($0 % 3_000)") }
        let rows = ValueRows(
            count: count, columns: [0: ValueRows.Column(.integer, numbers), 4: ValueRows.Column(.text, names)])
        let results = rows.values(of: [
            .textFunction(.upper, .column(4, .text)), .column(4, .text), .column(2, .text),
            .arithmetic(.add, .column(0, .integer), .literal(.integer(1), .integer), .integer),
            .comparison(.less, .column(4, .text), .textFunction(.lower, .column(4, .text))),
        ])
        #expect(results[0] == (0..<count).map { .text("NAME \($0 % 3_000)") })
        #expect(results[1] == names)
        #expect(results[2] == Array(repeating: .null, count: count))
        #expect(results[3] == (1...count).map { .integer(Int64($0)) })
        #expect(results[4] == Array(repeating: .boolean(false), count: count))
        #expect(ValueRows(count: 0).values(of: [.literal(.integer(1), .integer)]) == [[]])
        #expect(
            Expression.arithmetic(.add, .column(0, .integer), .literal(.integer(1), .integer), .integer).constant == nil
        )
        #expect(Expression.lookupMatches(slot: 0, key: .literal(.integer(1), .integer)).constant == nil)
    }
}

extension Value {
    fileprivate var type: ValueType? {
        switch self {
        case .null: nil
        case .integer: .integer
        case .real: .real
        case .text: .text
        case .boolean: .boolean
        case .date: .date
        case .timestamp: .timestamp
        }
    }
}

extension Expression {
    /// The expression with a row's values for its columns.
    fileprivate func replacingColumns(by row: [Value], _ types: [ValueType]) -> Expression {
        func replaced(_ expression: Expression) -> Expression { expression.replacingColumns(by: row, types) }
        switch self {
        case .column(let index, let type): return .literal(row[index], type)
        case .arithmetic(let operation, let a, let b, let type):
            return .arithmetic(operation, replaced(a), replaced(b), type)
        case .function(let function, let operand, let type): return .function(function, replaced(operand), type)
        case .round(let operand, let digits): return .round(replaced(operand), digits: digits)
        case .bin(let operand, let width, let origin, let type):
            return .bin(replaced(operand), width: width, origin: origin, type)
        case .comparison(let comparison, let a, let b): return .comparison(comparison, replaced(a), replaced(b))
        case .and(let a, let b): return .and(replaced(a), replaced(b))
        case .or(let a, let b): return .or(replaced(a), replaced(b))
        case .not(let operand): return .not(replaced(operand))
        case .isNull(let operand): return .isNull(replaced(operand))
        case .isIn(let operand, let values): return .isIn(replaced(operand), values)
        case .like(let operand, let pattern): return .like(replaced(operand), pattern: pattern)
        case .conditional(let branches, let otherwise, let type):
            return .conditional(
                branches.map { ConditionalBranch(condition: replaced($0.condition), value: replaced($0.value)) },
                otherwise: replaced(otherwise), type)
        case .coalesce(let operands, let type): return .coalesce(operands.map(replaced), type)
        case .extremum(let function, let operands, let type): return .extremum(function, operands.map(replaced), type)
        case .clamp(let operand, let lower, let upper, let type):
            return .clamp(replaced(operand), lower: lower, upper: upper, type)
        case .cast(let operand, let type): return .cast(replaced(operand), type)
        case .datePart(let part, let operand): return .datePart(part, replaced(operand))
        case .dateTruncate(let part, let operand, let type): return .dateTruncate(part, replaced(operand), type)
        case .textFunction(let function, let operand): return .textFunction(function, replaced(operand))
        case .concatenation(let operands): return .concatenation(operands.map(replaced))
        case .textLength(let operand): return .textLength(replaced(operand))
        case .literal, .lookup, .lookupMatches: return self
        }
    }
}
