import DatasiteProtocol
import Query
import Tables
import Testing

@Suite("What can be asked, and what is said otherwise")
struct ParserTests {
    @Test(
        "The dialect is accepted",
        arguments: [
            "SELECT COUNT(*) FROM visits",
            "select count(*) from VISITS;",
            "SELECT COUNT(*) AS n FROM visits v WHERE v.age >= 18 AND NOT v.insured OR v.city IS NULL",
            "SELECT COUNT(cost), COUNT(DISTINCT person) FROM visits",
            "SELECT SUM(cost) / COUNT(*) FROM visits",
            "SELECT plan, AVG(cost), STDDEV(cost), VARIANCE(visits) FROM visits GROUP BY plan",
            "SELECT MEDIAN(cost), QUANTILE(cost, 0.9), MIN(age), MAX(age), MIN(age, 0.01) FROM visits",
            "SELECT HISTOGRAM(cost, 0, 10, 100, 1000) FROM visits",
            "SELECT HISTOGRAM(cost, ARRAY[0, 10, 100]), HISTOGRAM(age, [0, 50, 100]) AS h FROM visits",
            "SELECT CASE WHEN age < 18 THEN 'child' ELSE 'adult' END AS who, COUNT(*) FROM visits GROUP BY who",
            "SELECT CASE plan WHEN 'free' THEN 0 WHEN '25 %' THEN 1 END, COUNT(*) FROM visits GROUP BY 1",
            "SELECT AVG(CAST(visits AS REAL)), AVG(cost > 100) FROM visits",
            "SELECT COUNT(*) FROM visits WHERE plan IN ('free', '25 %') AND age NOT IN (1, 2) AND cost BETWEEN 1 AND 2.5",
            "SELECT COUNT(*) FROM visits WHERE city LIKE 'Sea%' AND city NOT LIKE '%x_' AND LOWER(TRIM(city)) <> 'rome'",
            "SELECT SUM(LEAST(cost, 10)), SUM(GREATEST(visits, 3)), SUM(COALESCE(cost, 0)) FROM visits",
            "SELECT SUM(CLAMP(free_number, -5, 5)), SUM(ROUND(cost, 1)), SUM(FLOOR(cost)), SUM(ABS(cost - 500)) FROM visits",
            "SELECT AVG(SQRT(cost)), AVG(EXP(CLAMP(cost, 0, 2))), AVG(LN(cost + 1)), AVG(age % 10), AVG(MOD(age, 7)) FROM visits",
            "SELECT EXTRACT(YEAR FROM day), COUNT(*) FROM visits GROUP BY EXTRACT(YEAR FROM day)",
            "SELECT DATE_TRUNC('month', day) AS m, COUNT(*) FROM visits GROUP BY m ORDER BY m",
            "SELECT YEAR(day), MONTH(day), COUNT(*) FROM visits WHERE day >= '1970-06-01' GROUP BY 1, 2",
            "SELECT BIN(age, 10), COUNT(*) FROM visits GROUP BY BIN(age, 10) HAVING COUNT(*) > 5 ORDER BY COUNT(*) DESC LIMIT 3",
            "SELECT BIN(cost, 2.5, 1), COUNT(*) AS n FROM visits GROUP BY 1 ORDER BY n NULLS LAST, 1 LIMIT 3 OFFSET 1",
            "SELECT city, COUNT(*) FROM visits GROUP BY city",
            "SELECT city FROM visits GROUP BY city",
            "SELECT kind, AVG(cost) FROM visits JOIN plans ON visits.plan = plans.plan GROUP BY kind",
            "SELECT p.kind, COUNT(*) FROM visits v LEFT OUTER JOIN plans AS p USING (plan) GROUP BY p.kind",
            "SELECT COUNT(*) FROM visits v INNER JOIN clinics c ON v.person = c.patient WHERE c.score > 0",
            "SELECT SUM(cost) WEIGHTED, COUNT(*) WEIGHTED, AVG(visits > 2) WEIGHTED FROM visits",
            "SELECT -SUM(cost) + 2 * COUNT(*) - 1, ROUND(AVG(cost), 2), CAST(AVG(cost) AS INTEGER) FROM visits",
            "SELECT insured, COUNT(*) FROM visits GROUP BY insured -- a comment\n/* and\nanother */",
            "SELECT age > 17 AND insured IS TRUE AS x, COUNT(*) FROM visits GROUP BY x",
            "SELECT \"plan\", COUNT(*) \"the number\" FROM \"visits\" GROUP BY `plan`",
            "SELECT COUNT(*) FROM visits WHERE day = DATE '1970-02-03' OR day < TIMESTAMP '1970-01-02 00:00:00'",
            "SELECT IF(age > 9, 1, 0), COUNT(NULLIF(visits, 0)) FROM visits GROUP BY 1",
            "SELECT LENGTH(city) > 3, COUNT(*) FROM visits GROUP BY LENGTH(city) > 3",
            "SELECT COUNT(*) FROM visits JOIN clinics ON person = patient",
            "SELECT COUNT(*) FROM visits v JOIN clinics c ON patient = v.person",
            "SELECT COUNT(*) FROM visits WHERE (age > 3) = insured AND (age < 5) IS TRUE",
            "SELECT EXTRACT(ISODOW FROM day), DOW(day), COUNT(*) FROM visits GROUP BY 1, 2",
        ])
    func accepts(_ sql: String) {
        #expect(Fixtures.error(sql) == nil)
    }

    /// The text with `^` before the place that the error must name, and words of its message or hint.
    @Test(
        "What is not supported says what is, with the position",
        arguments: [
            ("^", "SELECT"),
            ("^DELETE FROM visits", "SELECT"),
            ("SELECT ^* FROM visits", "COUNT(*)"),
            ("SELECT ^v.* FROM visits v", "COUNT(*)"),
            ("SELECT ^age FROM visits", "only aggregates"),
            ("^SELECT 1 FROM visits LIMIT 1", "no aggregate"),
            ("SELECT ^DISTINCT plan FROM visits", "GROUP BY"),
            ("SELECT COUNT(*) ^", "FROM"),
            ("SELECT COUNT(*) FROM ^vists", "Did you mean visits?"),
            ("SELECT COUNT(*) FROM ^plans", "lookup"),
            ("SELECT COUNT(*) FROM ^(SELECT 1)", "subquery"),
            ("SELECT COUNT(*) FROM visits^, clinics", "JOIN"),
            ("SELECT COUNT(*) FROM visits ^CROSS JOIN plans", "CROSS JOIN"),
            ("SELECT SUM(^cots) FROM visits", "Did you mean cost?"),
            ("SELECT SUM(^w.cost) FROM visits v", "there is no table w"),
            ("SELECT ^MEDAIN(cost) FROM visits", "Did you mean MEDIAN?"),
            ("SELECT ^age, COUNT(*) FROM visits GROUP BY plan", "GROUP BY"),
            ("SELECT age ^GROUP, COUNT(*) FROM visits", "FROM"),
            ("SELECT COUNT(*) FROM visits WHERE ^age", "condition"),
            ("SELECT COUNT(*) FROM visits WHERE ^COUNT(*) > 1", "HAVING"),
            ("SELECT SUM(^SUM(cost)) FROM visits", "aggregate"),
            ("SELECT COUNT(*) FROM visits WHERE age = ^'a'", "cannot be compared"),
            ("SELECT COUNT(*) FROM visits WHERE day = ^'tomorrow'", "'2020-01-31'"),
            ("SELECT COUNT(*) FROM visits WHERE day < ^NOW()", "must not depend"),
            ("SELECT COUNT(*) FROM visits WHERE day < ^CURRENT_DATE", "must not depend"),
            ("SELECT COUNT(*) FROM visits WHERE age IN (^SELECT 1)", "subquery"),
            ("SELECT COUNT(*) FROM visits WHERE age IN (^visits)", "literals"),
            ("SELECT COUNT(*) FROM visits WHERE city LIKE ^plan", "text literal"),
            ("SELECT COUNT(*) FROM visits WHERE city ^ILIKE 'a'", "LIKE"),
            ("SELECT COUNT(*) FROM visits WHERE ^'a", "no end"),
            ("SELECT COUNT(*) FROM visits WHERE city = 'a' || ^", "an expression"),
            ("SELECT COUNT(*) FROM visits WHERE city = 'a' ^# 'b'", "no meaning"),
            ("SELECT COUNT(*) FROM visits ^/* forever", "no end"),
            ("SELECT COUNT(*) FROM visits GROUP BY ^person", "privacy unit is refused"),
            ("SELECT COUNT(*) FROM visits GROUP BY ^LENGTH(person)", "privacy unit is refused"),
            ("SELECT COUNT(*) FROM visits GROUP BY ^7", "names no column"),
            ("SELECT COUNT(*) FROM visits GROUP BY ^ROLLUP(plan)", "one question a grouping"),
            ("SELECT COUNT(*) ^OVER () FROM visits", "window"),
            ("SELECT COUNT(*) ^FILTER (WHERE age > 1) FROM visits", "CASE"),
            ("SELECT ^COUNT(DISTINCT city) FROM visits", "COUNT(DISTINCT person)"),
            ("SELECT ^SUM(free_number) FROM visits", "CLAMP"),
            ("SELECT ^AVG(1 / cost) FROM visits", "CLAMP"),
            ("SELECT SUM(^city) FROM visits", "Count text"),
            ("SELECT AVG(^day) FROM visits", "MEDIAN"),
            ("SELECT QUANTILE(cost, ^2) FROM visits", "between 0 and 1"),
            ("SELECT ^QUANTILE(cost) FROM visits", "QUANTILE(x, 0.25)"),
            ("SELECT HISTOGRAM(cost, 0, ^0) FROM visits", "do not increase"),
            ("SELECT 1 + ^HISTOGRAM(cost, 0, 1) FROM visits", "stands alone"),
            ("SELECT CLAMP(cost, ^5, 1), COUNT(*) FROM visits GROUP BY 1", "above the upper"),
            ("SELECT COUNT(*) FROM visits LIMIT ^-1", "whole number"),
            ("SELECT COUNT(*) FROM visits ^UNION SELECT 1", "the end of the question"),
            ("SELECT ^COUNT(*) WEIGHTED FROM clinics", "no survey weight"),
            ("SELECT ^MEDIAN(cost) WEIGHTED FROM visits", "COUNT, SUM and AVG"),
            ("SELECT CAST(age AS ^POINT), COUNT(*) FROM visits GROUP BY 1", "INTEGER"),
            ("SELECT ^CAST(insured AS DATE), COUNT(*) FROM visits GROUP BY 1", "cannot be cast"),
            ("SELECT DATE_TRUNC(^'eon', day), COUNT(*) FROM visits GROUP BY 1", "'month'"),
            ("SELECT ^EXTRACT(EON FROM day), COUNT(*) FROM visits GROUP BY 1", "YEAR"),
            ("SELECT COUNT(*) FROM visits JOIN plans ON ^visits.city = plans.kind", "key of plans is plan"),
            ("SELECT COUNT(*) FROM visits JOIN plans ^WHERE age = 1", "ON"),
            ("SELECT COUNT(*) FROM visits v JOIN clinics c ON ^v.age = c.score", "v.person = c.patient"),
            ("SELECT COUNT(*) FROM visits v ^LEFT JOIN clinics c ON v.person = c.patient", "is private"),
            ("SELECT COUNT(*) FROM visits v JOIN ^others o ON v.person = o.id", "different populations"),
            ("SELECT COUNT(*) FROM visits v JOIN clinics c ON v.person = c.patient AND ^v.age > 3", "WHERE"),
            ("SELECT COUNT(*) FROM visits JOIN plans ON visits.plan = plans.plan AND ^share > 0", "WHERE"),
            ("SELECT COUNT(*) FROM visits JOIN clinics ON ^person = score", "visits.person = clinics.patient"),
            ("SELECT COUNT(*) FROM visits WHERE city LIKE 'a!_%' ESCAPE ^'ab'", "one character"),
            ("SELECT ^POWER(age), COUNT(*) FROM visits GROUP BY 1", "POWER(x, y)"),
            ("SELECT SUM(CLAMP(^CAST(day AS TIMESTAMP) - day, 0, 1)) FROM visits", "EXTRACT(EPOCH FROM t)"),
            ("SELECT COUNT(*) FROM visits WHERE SUBSTR(city, ^1.5) = 'a'", "whole number"),
            ("SELECT COUNT(*) AS n FROM visits WHERE ^n > 3", "HAVING"),
            ("SELECT age + 1 AS next, COUNT(*) FROM visits WHERE ^next > 3 GROUP BY next", "Write the expression out"),
            ("SELECT COUNT(*) FROM ^main.visits", "no schema"),
            ("SELECT COUNT(*) FROM visits WHERE 1 < age ^< 5", "BETWEEN"),
            ("SELECT COUNT(*) FROM visits WHERE age = visits ^= 5", "do not chain"),
            ("SELECT ^COUNT() FROM visits", "COUNT(*)"),
            ("SELECT SUM(cost, ^) FROM visits", "expression"),
            ("SELECT plan FROM visits WHERE^", "expression"),
        ])
    func refuses(_ marked: String, _ words: String) throws {
        let parts = marked.split(separator: "^", omittingEmptySubsequences: false)
        try #require(parts.count == 2)
        let sql = parts.joined()
        let error = try #require(Fixtures.error(sql))
        let text = error.message + " " + (error.hint ?? "")
        #expect(text.contains(words), "\(text)")
        #expect(error.position == parts[0].utf8.count, "\(text)")
    }

    @Test("A position is given as a line and a column, in characters")
    func location() throws {
        let sql = "SELECT COUNT(*)\nFROM visits\nWHERE city = 'Zürich' AND agee = 1"
        let error = try #require(Fixtures.error(sql))
        let place = try #require(error.location(in: sql))
        #expect(place.line == 3)
        #expect(place.column == 27)
    }

    @Test("A policy's list of aggregates holds")
    func allowed() {
        var context = Fixtures.context()
        context.allowed = [.count, .sum]
        #expect(throws: QueryError.self) {
            try Planner.plan(Question(sql: "SELECT MEDIAN(age) FROM visits", budget: .rho(1)), in: context)
        }
        #expect(throws: Never.self) {
            try Planner.plan(Question(sql: "SELECT SUM(age) FROM visits", budget: .rho(1)), in: context)
        }
    }

    @Test("Nesting, length and numbers of things are limited")
    func limits() throws {
        let deep = String(repeating: "(", count: 5_000) + "1" + String(repeating: ")", count: 5_000)
        #expect(try #require(Fixtures.error("SELECT SUM(\(deep)) FROM visits")).message.contains("nested"))
        let minus = String(repeating: "- ", count: 5_000)
        #expect(try #require(Fixtures.error("SELECT SUM(\(minus)1) FROM visits")).message.contains("nested"))
        let sum = String(repeating: "age + ", count: 5_000)
        #expect(try #require(Fixtures.error("SELECT SUM(\(sum)1) FROM visits")).message.contains("nested"))
        let nots = String(repeating: "NOT ", count: 5_000)
        #expect(
            try #require(Fixtures.error("SELECT COUNT(*) FROM visits WHERE \(nots)TRUE")).message.contains("nested"))
        let between = String(repeating: "(", count: 60) + "age" + String(repeating: " BETWEEN 0 AND 1)", count: 60)
        #expect(Fixtures.error("SELECT COUNT(*) FROM visits WHERE \(between)") != nil)
        let nullif = String(repeating: "NULLIF(", count: 60) + "age" + String(repeating: ", 1)", count: 60)
        #expect(try #require(Fixtures.error("SELECT COUNT(\(nullif)) FROM visits")).message.contains("too large"))
        let long = "SELECT COUNT(*) FROM visits " + String(repeating: " ", count: 70_000)
        #expect(try #require(Fixtures.error(long)).message.contains("bytes"))
        let columns = Array(repeating: "COUNT(*)", count: 300).joined(separator: ", ")
        #expect(try #require(Fixtures.error("SELECT \(columns) FROM visits")).message.contains("columns"))
        // A long chain of conditions is wide, not deep.
        let chain = (0..<2_000).map { "age = \($0)" }.joined(separator: " OR ")
        #expect(Fixtures.error("SELECT COUNT(*) FROM visits WHERE \(chain)") == nil)
    }
}
