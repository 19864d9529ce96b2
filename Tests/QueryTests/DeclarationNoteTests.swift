import Testing

@testable import Query

@Suite("What the manifest's declarations do to a question is said before it costs anything")
struct DeclarationNoteTests {
    private func notes(_ sql: String) throws -> [String] { try Fixtures.plan(sql).notes }

    @Test(
        "A condition that no declared value meets is refused: its answer would be noise, and cost all the same",
        arguments: [
            ("plan = 'Free'", "plan"), ("plan IN ('x', 'y')", "plan"), ("age > 200", "age"),
            ("age = 1000 AND plan = 'free'", "age"),
            ("day > '2100-01-01'", "day"), ("plan = 'free' AND plan <> 'free'", "plan"),
        ])
    func impossible(condition: String, column: String) throws {
        let said = try #require(Fixtures.error("SELECT COUNT(*) FROM visits WHERE \(condition)"))
        #expect(said.message.hasPrefix("no row can pass WHERE") && said.message.contains("declared of \(column) "))
        #expect(said.hint?.contains("nothing was charged") == true)
    }

    @Test(
        "One that some value may meet is none",
        arguments: [
            "plan = 'free'", "age > 20", "city = 'anything'", "plan = 'Free' OR age > 20", "cost IS NULL",
            "age BETWEEN 20 AND 30",
            "free_number > 1e9", "LOWER(plan) = 'free'",
        ])
    func possible(condition: String) throws {
        #expect(Fixtures.error("SELECT COUNT(*) FROM visits WHERE \(condition)") == nil)
    }

    @Test(
        "Columns that are summed or ranked within declared bounds are named with these; counts and unbounded ones are not"
    )
    func clipping() throws {
        let said = try notes("SELECT AVG(cost), MEDIAN(age), COUNT(visits), SUM(CLAMP(free_number, 0, 1)) FROM visits")
            .filter { $0.hasPrefix("A value outside") }
        #expect(said.count == 1 && said[0].contains("of cost (") && said[0].contains(", age ("), "\(said)")
        #expect(!said[0].contains("visits") && !said[0].contains("free_number"))
        #expect(!(try notes("SELECT COUNT(*) FROM visits")).contains { $0.hasPrefix("A value outside") })
    }

    @Test("A question whose groups can hold no row is refused at the key, before it costs anything")
    func noGroup() throws {
        let said = try #require(
            Fixtures.error("SELECT visits % 3, COUNT(*) FROM visits WHERE visits % 3 = 5 GROUP BY visits % 3"))
        #expect(said.message.hasPrefix("no row can be in a group") && said.position == 70, "\(said)")
        #expect(said.hint?.contains("nothing was charged") == true)
    }
}
