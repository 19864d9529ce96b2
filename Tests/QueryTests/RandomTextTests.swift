import DatasiteProtocol
import Secrets
import Testing

@testable import Query

@Suite("Whatever is asked gets an answer or a reason")
struct RandomTextTests {
    static let words = [
        "SELECT", "FROM", "WHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "JOIN", "LEFT", "ON", "USING", "AS",
        "AND",
        "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "COUNT",
        "SUM",
        "AVG", "VARIANCE", "MEDIAN", "QUANTILE", "HISTOGRAM", "MIN", "CLAMP", "BIN", "EXTRACT", "YEAR", "DATE",
        "DATE_TRUNC",
        "ARRAY", "WEIGHTED", "DISTINCT", "visits", "plans", "clinics", "person", "plan", "age", "cost", "city", "day",
        "insured", "free_number", "(", ")", "(", ")", "[", "]", ",", ",", "*", "+", "-", "/", "%", "=", "<", ">=", "<>",
        ".",
        ";", "0", "1", "2.5", "1e999", "9223372036854775807", "-9223372036854775808", "'free'", "'1970-01-01'", "''",
        "\"age\"",
        "'", "\"", "/*", "--", "\n", "é", "😀", "\u{0}", "INTEGER", "REAL", "TEXT", "ABS", "LN", "EXP", "ROUND", "1e308",
    ]

    @Test("Random words never crash, and an error has a place in the text and a message")
    func words() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<6_000 {
            let count = Int.random(in: 0...40, using: &random)
            let words = (0..<count).map { _ in Self.words.randomElement(using: &random) ?? "" }
            let text = words.joined(separator: " ")
            check(text)
            check("SELECT COUNT(*), " + text)
            check("SELECT COUNT(*) FROM visits WHERE " + text)
        }
    }

    @Test("Questions with a word changed, dropped or doubled never crash")
    func mutations() {
        var random = SeededGenerator(seed: 3)
        let seeds = SensitivityTests.questions + SensitivityTests.selecting
        for _ in 0..<6_000 {
            var words = (seeds.randomElement(using: &random) ?? "").split(separator: " ").map(String.init)
            for _ in 0..<Int.random(in: 1...3, using: &random) where !words.isEmpty {
                let place = Int.random(in: 0..<words.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: words[place] = Self.words.randomElement(using: &random) ?? ""
                case 1: words.remove(at: place)
                case 2: words.insert(words[place], at: place)
                default: words.insert(Self.words.randomElement(using: &random) ?? "", at: place)
                }
            }
            check(words.joined(separator: " "))
        }
    }

    @Test("Random bytes never crash")
    func bytes() {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<6_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            check(String(decoding: bytes, as: UTF8.self))
        }
    }

    private func check(_ text: String) {
        guard let error = Fixtures.error(text) else { return }
        #expect(!error.message.isEmpty)
        if let position = error.position {
            #expect(position >= 0 && position <= text.utf8.count, "\(text)")
            #expect(error.location(in: text) != nil)
        }
    }
}
