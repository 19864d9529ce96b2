import Secrets
import Tables
import Testing

@testable import Query

@Suite("Bounds by interval arithmetic, and what the column engine computes")
struct BoundsTests {
    /// The bound row expression of `SELECT COUNT(<text>)`.
    private func bind(_ text: String) throws -> (Expression, Scope) {
        let statement = try Parser.parse("SELECT COUNT(\(text)) FROM visits")
        let scope = try Scope(statement, Fixtures.context())
        guard case .call(let call) = statement.items[0].expression.kind else { throw QueryError("no call") }
        var binder = Binder(scope: scope)
        return (try binder.bind(call.arguments[0]), scope)
    }

    @Test(
        "The interval of an expression",
        arguments: [
            ("age", 0, 99, false), ("cost", 0, 1_000, true), ("-age", -99, 0, false), ("age + visits", 0, 149, false),
            ("age - visits", -50, 99, false), ("age * visits", 0, 4_950, false),
            ("(age - 50) * (age - 50)", 0, 2_500, false), ("age * (visits - 10)", -990, 3_960, false),
            ("age / 4", 0, 24.75, false), ("visits / (age + 1)", 0, 50, false), ("age % 10", 0, 9, false),
            ("(visits - 25) % 10", -9, 9, false), ("ABS(age - 60)", 0, 60, false),
            ("SQRT(age)", 0, 99.0.squareRoot(), false),
            ("CLAMP(free_number, -2, 3)", -2, 3, true), ("CLAMP(age, 10, 200)", 10, 99, false),
            ("LEAST(age, 30)", 0, 30, false), ("GREATEST(cost, 10)", 10, 1_000, false),
            ("LEAST(free_integer, 5, age)", -.infinity, 5, false), ("COALESCE(cost, -1)", -1, 1_000, false),
            ("CASE WHEN insured THEN age END", 0, 99, true), ("CASE WHEN insured THEN age ELSE -3 END", -3, 99, false),
            ("BIN(age, 10)", 0, 90, false), ("BIN(cost, 250, 100)", -150, 850, true),
            ("ROUND(cost / 3, 0)", 0, 333, true),
            ("FLOOR(cost / 7)", 0, 142, true), ("YEAR(day)", 1970, 1972, false), ("MONTH(day)", 1, 12, false),
            ("CAST(cost AS INTEGER)", 0, 1_000, true), ("CAST(insured AS INTEGER)", 0, 1, true),
            ("IF(age > 3, cost, 2000)", 0, 2_000, true), ("NULLIF(age, 0)", 0, 99, true), ("2 + 3 * 4", 14, 14, false),
            ("free_integer + 1", -.infinity, 9.3e18, true), ("day - DATE '1970-01-11'", -10, 1_085, false),
            ("DATE '1970-01-11' - day", -1_085, 10, false), ("EXTRACT(EPOCH FROM day)", 0, 94_608_000, false),
            ("CAST(cost / 3 AS INTEGER)", 0, 333, true), ("CAST(age / 4 AS INTEGER)", 0, 25, false),
            ("day + 7", 7, 1_102, false), ("day - 7", -7, 1_088, false),
            ("day + free_integer", -719_528, 2_932_896, true),
            ("LENGTH(city || plan)", 0, .infinity, true), ("LENGTH(CONCAT(city, plan))", 0, .infinity, false),
            // 0 has no logarithm; years before 0 and after 9999 are no dates.
            ("IF(LN(age) < 0, 1, 0)", 0, 1, false), ("LN(age) IS NULL", 0, 1, false), ("age < LN(age)", 0, 1, true),
            ("age < LN(age + 1)", 0, 1, false),
            ("DATE '1970-01-01' + CLAMP(free_integer, -10000000, 0)", -719_528, 0, true),
            ("DATE '1970-01-01' + (CLAMP(age, 0, 10) - 719528)", -719_528, -719_518, false),
            ("DATE '1970-01-01' + (age - 719529)", -719_528, -719_430, true),
            ("DATE '1970-01-01' + (age + 2932797)", 2_932_797, 2_932_896, false),
            ("DATE '1970-01-01' + (age + 2932798)", 2_932_798, 2_932_896, true),
        ] as [(String, Double, Double, Bool)])
    func interval(_ text: String, _ lower: Double, _ upper: Double, _ isNullable: Bool) throws {
        let (expression, scope) = try bind(text)
        let bounds = scope.bounds.bounds(expression)
        #expect(bounds.isNullable == isNullable)
        if lower.isFinite { #expect(bounds.lower == lower) }
        if upper < 9e18 { #expect(bounds.upper == upper) } else { #expect(bounds.upper > 9e18) }
    }

    @Test(
        "The interval of a power, to the last bit or two, and null where it can be",
        arguments: [
            ("POWER(age, 2)", 0, 9_801, false), ("POWER(age, 0.5)", 0, 99.0.squareRoot(), false),
            ("POWER(age, 0)", 1, 1, false), ("POWER(age + 1, -1)", 0.01, 1, false),
            ("POWER(age, -1)", 1 / 99.0, .infinity, true), ("POWER(age - 50, 2)", 0, 2_500, false),
            ("POWER(age - 50, 3)", -125_000, 117_649, false),
            ("POWER(age - 50, 0.5)", -(50.0.squareRoot()), 50.0.squareRoot(), true),
            ("POWER(-age - 1, 2)", 1, 10_000, false), ("POWER(-age - 1, 3)", -1_000_000, -1, false),
            ("POWER(-age - 1, -2)", 0.0001, 1, false), ("POWER(-age - 1, -1)", -1, -0.01, false),
            ("POWER(2, visits)", 1, 0x1p50, false), ("POWER(0.5, visits)", 0x1p-50, 1, false),
            ("POWER(age, visits)", 0, ScalarFunctions.power(99, 50), false), ("POWER(cost, 200)", 0, .infinity, true),
            ("POWER(visits - 25, visits - 25)", -.infinity, .infinity, true), ("POWER(cost, 2)", 0, 1e6, true),
            ("POWER(free_number, 2)", 0, .infinity, true), ("POWER(age, free_number)", 0, .infinity, true),
        ] as [(String, Double, Double, Bool)])
    func power(_ text: String, _ lower: Double, _ upper: Double, _ isNullable: Bool) throws {
        let (expression, scope) = try bind(text)
        let bounds = scope.bounds.bounds(expression)
        #expect(bounds.isNullable == isNullable)
        #expect(bounds.lower <= lower && bounds.lower >= lower - abs(lower) * 1e-15)
        #expect(bounds.upper >= upper && bounds.upper <= upper + abs(upper) * 1e-2)
    }

    static let expressions = [
        "POWER(age, 2)", "POWER(age - 50, 3)", "POWER(age - 50, visits - 25)", "POWER(cost, -0.5)", "POWER(cost, cost)",
        "POWER(1 - cost / 500, age)", "POWER(free_number, free_integer)", "POWER(age - 50, 1.0 / 3)", "POWER(-2, age)",
        "CAST(cost / 7 AS INTEGER)", "CAST(age / 2 AS INTEGER)", "day - DATE '1971-01-01'", "EXTRACT(EPOCH FROM day)",
        "day + age", "day - free_integer", "IF(day - 7 IS DISTINCT FROM day - age, 1, 0)", "LENGTH(city || plan)",
        "IF(plan || insured = 'freetrue', 1, 0)", "LENGTH(CONCAT(city, insured, cost))", "LENGTH(SUBSTR(city, 2, 3))",
        "IF(SUBSTR(plan, 1, 2) IN ('25', NULL), 1, 0)", "CAST(CAST(city AS INTEGER) AS TEXT)",
        "IF(cost IS DISTINCT FROM 3, 1, 0)", "IF(city LIKE 'c!_%' ESCAPE '!', 1, 0)",
        "age + visits * 3 - 7", "age / visits", "age % (visits - 3)", "-(cost * 2)", "ABS(age - 50)", "FLOOR(cost / 7)",
        "CEIL(cost / 7)", "SQRT(cost - 100)", "LN(cost)", "EXP(age)", "ROUND(cost / 3, 1)", "ROUND(cost, -2)",
        "BIN(age, 7, 3)", "BIN(cost, 2.5)", "CASE WHEN age > 50 THEN cost WHEN age > 20 THEN 3 END",
        "COALESCE(cost, visits, 1)", "LEAST(cost, age, 40)", "GREATEST(age, visits)", "CLAMP(cost, 10, 20)",
        "CAST(cost AS INTEGER)", "CAST(age AS REAL)", "CAST(cost > 5 AS INTEGER)", "YEAR(day)", "MONTH(day)",
        "DAY(day)",
        "WEEK(day)", "QUARTER(day)", "DAYOFWEEK(day)", "DAYOFYEAR(day)", "LENGTH(city)", "free_integer * 2",
        "free_number * 1e10", "free_number / (age - 50)", "CAST(city AS INTEGER)", "CAST(insured AS REAL)",
        "IF(city LIKE 'c_' AND insured, 1, 0)", "IF(plan IN ('free', '95 %') OR cost IS NULL, 1, 0)",
        "IF(NOT (cost BETWEEN 3 AND 700), age, NULL)", "NULLIF(age % 3, 1)", "IF(LOWER(UPPER(city)) = city, 2, 3)",
        "IF(DATE_TRUNC('month', day) = day, 1, 0)", "IF(DATE_TRUNC('week', day) = day, 1, 0)",
        "IF(CAST(day AS TIMESTAMP) < '1971-03-05 10:00:00', 1, 0)", "IF(insured = (age > 40), 1, 0)",
        "CAST(day AS TEXT)", "CAST(CAST(day AS TIMESTAMP) AS TEXT)", "CAST(cost / 3 AS TEXT)", "CAST(insured AS TEXT)",
        "CAST(age AS TEXT)", "CAST(city AS BOOLEAN)", "CAST(age AS BOOLEAN)",
        "CAST(CAST(age - 50 AS TEXT) AS INTEGER)", "CAST(CAST(cost AS TEXT) AS REAL)", "DATE_TRUNC('year', day)",
    ]

    private static func value(of expression: Expression, _ row: [Value]) -> Value {
        var columns: [Int: ValueRows.Column] = [:]
        for (index, schema) in Fixtures.visits.schema.columns.enumerated() {
            columns[index] = ValueRows.Column(schema.type, [row[index]])
        }
        return ValueRows(count: 1, columns: columns).values(of: [expression])[0][0]
    }

    @Test(
        "Values in memory come to what the stored ones do, and stay within their bounds",
        arguments: expressions)
    func agreement(_ text: String) throws {
        let (expression, scope) = try bind(text)
        var random = SeededGenerator(seed: 11)
        let bounds = scope.bounds.bounds(expression)
        for _ in 0..<40 {
            var row = SampleRows.visits(units: 1, &random)[0]
            // Values that keep the declaration.
            if case .real(let cost) = row[3], !(0...1_000).contains(cost) { row[3] = .null }
            row = zip(row, Fixtures.visits.schema.columns).map { $1.bounded($0) }
            let value = Self.value(of: expression, row)
            let table = try SampleRows.table(Fixtures.visits, [row])
            let exact = BoundedAggregation(
                AggregationSpecification(
                    filter: nil, keys: [KeySpecification(expression: expression, coding: .discovered)], measures: [],
                    bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 1)), source: .table(table)
            ).run()
            let computed = exact.keys.first?.first
            #expect(computed == value, "\(row)")
            if value == .null { #expect(bounds.isNullable) }
            if let number = value.number { #expect(number >= bounds.lower && number <= bounds.upper) }
        }
    }

    @Test(
        "The public domain of a key",
        arguments: [
            ("plan", ["free", "25 %", "50 %", "95 %"].map(Value.text)),
            ("insured", [.boolean(false), .boolean(true), .null]), ("age > 30", [.boolean(false), .boolean(true)]),
            (
                "CASE WHEN age < 18 THEN 'young' WHEN age > 65 THEN 'old' ELSE 'other' END",
                ["young", "old", "other"].map(Value.text)
            ),
            ("CASE WHEN plan = 'free' THEN 1 WHEN plan = 'nothing' THEN 2 ELSE 3 END", [.integer(1), .integer(3)]),
            ("UPPER(plan)", ["FREE", "25 %", "50 %", "95 %"].map(Value.text)),
            ("BIN(age, 40)", [.integer(0), .integer(40), .integer(80)]),
            ("BIN(cost, 400.5)", [.real(0), .real(400.5), .real(801), .null]),
            ("age % 3", [.integer(0), .integer(1), .integer(2)]),
            ("YEAR(day)", [.integer(1970), .integer(1971), .integer(1972)]),
            ("DATE_TRUNC('year', day)", [.date(0), .date(365), .date(730)]),
            ("CLAMP(free_integer, 1, 2)", [.integer(1), .integer(2), .null]),
            ("COALESCE(insured, FALSE)", [.boolean(false), .boolean(true)]),
            ("FLOOR(cost / 400)", [.real(0), .real(1), .real(2), .null]),
            ("7", [.integer(7)]), ("CAST(insured AS TEXT)", [.text("false"), .text("true"), .null]),
            ("CAST(age >= 0 AS TEXT)", [.text("true")]), ("CAST(age > 9 AS TEXT)", [.text("false"), .text("true")]),
            ("CAST(plan = 'free' AS INTEGER)", [.integer(0), .integer(1)]),
            ("CAST(visits AS BOOLEAN)", [.boolean(false), .boolean(true)]),
            ("CAST(CAST(insured AS TEXT) AS BOOLEAN)", [.boolean(false), .boolean(true), .null]),
            ("CAST(DATE_TRUNC('year', day) AS TEXT)", ["1970-01-01", "1971-01-01", "1972-01-01"].map(Value.text)),
            (
                "CAST(CLAMP(day, '1970-02-27', '1970-03-01') AS TEXT)",
                ["1970-02-27", "1970-02-28", "1970-03-01"].map(Value.text)
            ),
        ] as [(String, [Value])])
    func domain(_ text: String, _ values: [Value]) throws {
        let (expression, scope) = try bind(text)
        #expect(KeyDomain(scope: scope).values(of: expression) == values)
    }

    @Test(
        "Text without a domain, and numbers without bounds, have none",
        arguments: ["city", "free_integer", "free_number", "LENGTH(city)", "BIN(free_number, 10)"])
    func noDomain(_ text: String) throws {
        let (expression, scope) = try bind(text)
        #expect(KeyDomain(scope: scope).values(of: expression) == nil)
    }

    @Test("Every value that a key takes on rows that keep their declaration is in its domain")
    func complete() throws {
        var random = SeededGenerator(seed: 5)
        for text in Self.expressions {
            let (expression, scope) = try bind(text)
            guard let domain = KeyDomain(scope: scope).values(of: expression) else { continue }
            for _ in 0..<60 {
                var row = SampleRows.visits(units: 1, &random)[0]
                if case .real(let cost) = row[3], !(0...1_000).contains(cost) { row[3] = .null }
                row = zip(row, Fixtures.visits.schema.columns).map { $1.bounded($0) }
                let value = Self.value(of: expression, row)
                #expect(Set(domain).contains(value) == true, "\(text): \(value)")
            }
        }
    }
}
