import DatasiteProtocol
import Query
import Secrets

/// Random questions of the whole grammar to `AuditedTable`'s columns. Some are wrong: planning refuses them.
struct RandomQuestion {
    var random: SeededGenerator
    var isJoin = false

    init(seed: UInt64) {
        random = SeededGenerator(key: (seed, 0, 0, 0), stream: 7)
    }

    private mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }

    private mutating func chance(_ outOf: Int) -> Bool { Int.random(in: 0..<outOf, using: &random) == 0 }

    mutating func question(bounds: AuditedTable.Bounds, isPure: Bool) -> Question {
        isJoin = chance(4)
        let hasLookup = chance(4)
        var items: [String] = []
        var groups: [String] = []
        if !chance(3) {
            for _ in 0..<Int.random(in: 1...2, using: &random) { groups.append(key()) }
            items += groups
        }
        for _ in 0..<Int.random(in: 1...4, using: &random) { items.append(aggregate()) }
        var sql = "SELECT " + items.joined(separator: ", ") + " FROM left_table l"
        if isJoin { sql += " JOIN right_table r ON l.u = r.u" }
        if hasLookup { sql += " \(pick(["", "LEFT "]))JOIN kinds n ON l.k = n.k" }
        if chance(2) { sql += " WHERE " + condition(3) }
        if !groups.isEmpty { sql += " GROUP BY " + groups.joined(separator: ", ") }
        if chance(5) { sql += " HAVING COUNT(*) > 1" }
        if chance(4) { sql += " ORDER BY \(items.count) DESC" }
        let budget: Budget =
            isPure || chance(2) ? .epsilon(pick([0.01, 1, 1, 30])) : pick([.rho(0.001), .rho(0.5), .rho(20)])
        return Question(
            sql: sql, budget: budget,
            groupsPerUnit: chance(3) ? Int.random(in: 1...bounds.groups, using: &random) : nil,
            rowsPerGroup: chance(4) ? 1 : nil, boundingShares: chance(2))
    }

    private mutating func column(_ names: [String]) -> String { (isJoin ? pick(["l.", "r."]) : "l.") + pick(names) }

    private mutating func aggregate() -> String {
        switch Int.random(in: 0..<14, using: &random) {
        case 0, 1: return "COUNT(*)"
        case 2: return "COUNT(\(number(2)))"
        case 3: return "COUNT(DISTINCT l.u)"
        case 4: return "SUM(\(bounded()))"
        case 5: return "SUM(\(number(2)))"
        case 6: return "AVG(\(bounded()))"
        case 7: return "VARIANCE(\(bounded()))"
        case 8: return "STDDEV(\(number(1)))"
        case 9: return "MEDIAN(\(pick([bounded(), column(["d", "s", "b", "i", "x"])])))"
        case 10: return "QUANTILE(\(number(2)), \(pick(["0.1", "0.999999999", "0.25"])))"
        case 11: return "HISTOGRAM(\(number(2)), -1, 0, 0.5, 7)"
        case 12: return "\(pick(["COUNT", "SUM", "AVG"]))(\(bounded())) WEIGHTED"
        default: return "AVG(\(condition(2)))"
        }
    }

    private mutating func key() -> String {
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: return column(["k"])
        case 2: return column(["b"])
        case 3: return "BIN(\(column(["i", "x"])), \(pick(["1", "2.5", "3"])))"
        case 4: return "CASE WHEN \(condition(2)) THEN 'yes' ELSE \(pick(["'no'", "NULL"])) END"
        case 5: return column(["c", "g", "f", "i", "d", "t", "big"])
        case 6: return "DATE_TRUNC('\(pick(["year", "month", "week"]))', \(column(["d", "s", "t"])))"
        case 7: return condition(2)
        case 8: return text()
        default: return number(2)
        }
    }

    private mutating func bounded() -> String {
        "CLAMP(\(number(2)), \(pick(["-2", "0", "-1000.5"])), \(pick(["3", "0.25", "9007199254740992"])))"
    }

    private mutating func text() -> String {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return "UPPER(\(column(["c", "k"])))"
        case 1: return "TRIM(\(column(["c"])))"
        case 2: return "CAST(\(column(["i", "x", "f", "b", "d", "t"])) AS TEXT)"
        case 3: return "COALESCE(\(column(["c"])), \(column(["k"])), 'none')"
        default: return column(["c", "k"])
        }
    }

    private mutating func number(_ depth: Int) -> String {
        if depth == 0 || chance(4) {
            return pick([
                column(["i", "big", "x", "wide", "f", "g"]), column(["i", "x"]),
                pick(["0", "1", "-1", "2.5", "1e300", "9223372036854775807", "0.1"]),
            ])
        }
        let inner = number(depth - 1)
        switch Int.random(in: 0..<17, using: &random) {
        case 0...2: return "(\(inner) \(pick(["+", "-", "*", "/", "%"])) \(number(depth - 1)))"
        case 3: return "\(pick(["ABS", "FLOOR", "CEIL", "SQRT", "EXP", "LN", "-"]))(\(inner))"
        case 4: return "ROUND(\(inner), \(pick(["0", "2", "-3", "15", "-15"])))"
        case 5:
            return "BIN(\(inner), \(pick(["1", "0.1", "9223372036854775000", "1e-300"])), \(pick(["0", "-7", "0.3"])))"
        case 6: return "CLAMP(\(inner), -4, 4.5)"
        case 7: return "COALESCE(\(inner), \(number(depth - 1)))"
        case 8: return "CASE WHEN \(condition(1)) THEN \(inner) WHEN \(condition(1)) THEN \(number(0)) END"
        case 9: return "\(pick(["LEAST", "GREATEST"]))(\(inner), \(number(depth - 1)))"
        case 10: return "NULLIF(\(inner), \(number(0)))"
        case 11: return "CAST(\(inner) AS \(pick(["INTEGER", "REAL"])))"
        case 12: return "CAST(\(text()) AS \(pick(["INTEGER", "REAL"])))"
        case 13:
            return
                "\(pick(["YEAR", "MONTH", "DAY", "HOUR", "WEEK", "DAYOFYEAR", "SECOND"]))(\(column(["d", "s", "t"])))"
        case 14: return "LENGTH(\(text()))"
        case 15: return "YEAR(CAST(\(text()) AS TIMESTAMP))"
        default: return "IF(\(condition(1)), \(inner), \(number(0)))"
        }
    }

    private mutating func condition(_ depth: Int) -> String {
        if depth == 0 { return pick([column(["b"]), "\(column(["x"])) > 1"]) }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return "(\(condition(depth - 1)) AND \(condition(depth - 1)))"
        case 1: return "(\(condition(depth - 1)) OR \(condition(depth - 1)))"
        case 2: return "NOT \(condition(depth - 1))"
        case 3: return "\(number(depth - 1)) IS NULL"
        case 4: return "\(column(["i", "x", "f"])) IN (0, 1, -3, 2.5)"
        case 5: return "\(text()) LIKE '\(pick(["%a%", "_", "\u{e9}%", "\\\\%", "%"]))'"
        case 6: return "\(number(depth - 1)) BETWEEN -1 AND \(number(0))"
        case 7: return "\(text()) <= 'b'"
        case 8: return "(\(condition(depth - 1))) IS \(pick(["TRUE", "NOT TRUE", "FALSE"]))"
        default: return "\(number(depth - 1)) \(pick(["=", "<>", "<", ">="])) \(number(depth - 1))"
        }
    }
}
