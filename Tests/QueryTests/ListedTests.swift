import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables
import Testing

@testable import Query

/// How long an answer may be, by its plan: the time at which it leaves follows from that.
@Suite("The bound of an answer's rows")
struct ListedTests {
    @Test(
        "However people are divided among unknown keys, no more rows come out than the plan says, and nearly as many may"
    )
    func selected() throws {
        let plan = try Fixtures.plan("SELECT city, COUNT(*) FROM visits GROUP BY city", .rho(0.1))
        let listed = plan.bound.work[.cell] / 2
        let threshold = Int(try #require(plan.output.selection?.threshold))
        var most = 0
        for size in [1, threshold / 2, threshold * 3 / 4, threshold, threshold * 3 / 2] {
            let people = (0..<100_000).map { MeasurementTests.row($0, city: .text("city \($0 / max(1, size))")) }
            var random = SeededGenerator(seed: UInt64(size))
            let table = try SampleRows.table(Fixtures.visits, people)
            let rows = plan.measure(.table(table), lookups: [], using: &random).answer.rows.count
            #expect(Double(rows) <= listed)
            most = max(most, rows)
        }
        #expect(Double(most) > listed / 2.5)
    }
}
