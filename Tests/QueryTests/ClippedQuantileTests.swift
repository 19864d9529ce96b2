import DatasiteProtocol
import Tables
import Testing

@testable import Query

@Suite("A quantile at a bound to which values were clipped says so")
struct ClippedQuantileTests {
    /// 300 people, whose ages are these in turn, in one plan.
    private func flags(_ sql: String, ages: [Int64], costs: [Double] = [500]) throws -> [[CellFlag]] {
        let rows = (0..<300).map {
            MeasurementTests.row(
                $0, plan: "free", age: ages[$0 % ages.count], cost: .real(costs[$0 % costs.count]), visits: 50,
                day: 1_095)
        }
        return try MeasurementTests.ask(sql, rows, .rho(1)).rows[0].map(\.flags)
    }

    @Test("At either bound, in a function of it, beside a clean one, and where only an end of the interval is there")
    func marked() throws {
        let at = try flags("SELECT MEDIAN(age), MEDIAN(visits), MEDIAN(day), MEDIAN(cost) FROM visits", ages: [0])
        #expect(at == [[.clipped], [.clipped], [.clipped], []])
        let functions = try flags(
            "SELECT 2 * MEDIAN(visits) + 1, MEDIAN(visits / 2), MEDIAN(COALESCE(cost, 0)), MAX(visits) FROM visits",
            ages: [40])
        #expect(functions == [[.clipped], [.clipped], [], [.clipped]])
        // The rank is near the largest of values in the middle: above it the interval reaches to the bound.
        let end = try flags("SELECT MAX(age), MEDIAN(age) FROM visits", ages: [40])
        #expect(end == [[.clipped], []])
    }

    @Test("Not where the end is the question's own, and all values beyond it are counted there as it says")
    func ownEnds() throws {
        let own = try flags("SELECT MEDIAN(CLAMP(age, 20, 40)), MEDIAN(YEAR(day)) FROM visits", ages: [90])
        #expect(own[0] == [])
        let plan = try Fixtures.plan(
            "SELECT MEDIAN(CLAMP(age, 20, 40)), MEDIAN(age), MEDIAN(CLAMP(age, 20, 200)) FROM visits")
        let clips = plan.output.channels.compactMap { $0.quantile?.clips }
        #expect(
            clips == [
                ClippedEnds(), ClippedEnds(below: true, above: true), ClippedEnds(below: false, above: true),
            ])
    }

    @Test("A domain, and values that become null outside their bounds, clip nothing")
    func nothingClipped() {
        var column = ColumnSchema(name: "x", type: .integer, isNullable: true, lowerBound: 0, upperBound: 9)
        #expect(column.clips)
        column.domain = [.integer(1)]
        #expect(!column.clips)
        #expect(!ColumnSchema(name: "x", type: .integer, isNullable: true).clips)
    }

    @Test("The preview of a quantile is no more precise than its grid")
    func preview() throws {
        for sql in ["MEDIAN(age)", "MEDIAN(age) + 1", "ROUND(MEDIAN(age))"] {
            let error = try #require(try Fixtures.plan("SELECT \(sql) FROM visits", .rho(1)).columns[0].expectedError)
            #expect(error >= 1, "\(sql)")
        }
        let scaled = try Fixtures.plan("SELECT 3 * MEDIAN(age) FROM visits", .rho(1)).columns[0].expectedError
        #expect(try #require(scaled) >= 3)
    }
}
