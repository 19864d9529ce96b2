import DatasiteProtocol
import Foundation
import Query
import Testing

@testable import Datasite

@Suite("Answers leave on a grid of times that follows from what is declared")
struct TimeSlotTests {
    @Test("Work of any length up to a slot leaves at the slot's end, and more at the next power of 8")
    func grid() {
        let slot = TimeSlot(bound: .milliseconds(2))
        #expect(slot.length >= .milliseconds(8) && slot.length <= .milliseconds(10))
        let start = Duration.seconds(5)
        for (share, count) in [(0.0, 1), (0.1, 1), (0.99, 1), (1.01, 8), (2, 8), (7.9, 8), (8.1, 64), (500, 512)] {
            let elapsed = slot.length * share
            #expect(slot.count(elapsed) == count)
            #expect(slot.departure(start: start, end: start + elapsed) == start + slot.length * count)
        }
    }

    @Test("What ends on the stroke of a slot leaves in it")
    func stroke() {
        let slot = TimeSlot(bound: .milliseconds(2))
        for count in [1, 8, 64] {
            #expect(slot.count(slot.length * count) == count)
            #expect(slot.count(slot.length * count + .nanoseconds(1)) == 8 * count)
        }
    }

    @Test("A slot is 4 to 5 times its bound, on a grid of few lengths")
    func lengths() {
        var seen = Set<Duration>()
        for step in 1...4_000 {
            let bound = Duration.microseconds(250 * step)
            let slot = TimeSlot(bound: bound)
            let counted = max(bound, .microseconds(1_250))
            #expect(slot.length >= counted * 4 * 0.999_999 && slot.length <= counted * 5 * 1.000_001)
            #expect(slot.occupation == bound)
            seen.insert(slot.length)
        }
        #expect(seen.count < 40)
        #expect(TimeSlot(bound: .nanoseconds(Int64(1e18))).length < .seconds(1 << 32))
    }

    @Test(
        "The demonstration's questions leave after 12 ms at most on the reference machine",
        arguments: [
            """
            SELECT coins, COUNT(*) AS person_years, AVG(CLAMP(mdvis, 0, 20)) AS visits
            FROM randhie WHERE idp = 0 GROUP BY coins HAVING COUNT(*) > 100
            """,
            """
            SELECT arm, AVG(CLAMP(meddol, 0, 1000)) AS spending
            FROM randhie JOIN plans ON randhie.plan = plans.plan GROUP BY arm
            """,
            """
            SELECT CASE WHEN income < 5000 THEN 'below 5,000' WHEN income < 10000 THEN '5,000 to 10,000'
                   ELSE 'above 10,000' END AS family_income, AVG(binexp) AS any_use
            FROM randhie GROUP BY family_income
            """,
            """
            SELECT MEDIAN(meddol) AS median, QUANTILE(meddol, 0.9) AS nine_in_ten_below,
                   AVG(meddol) AS mean, STDDEV(meddol) AS deviation FROM randhie
            """, "SELECT COUNT(*) FROM randhie",
        ])
    func demonstration(sql: String) throws {
        let test = try TestSite(people: 10)
        for (file, manifest) in [("randhie.csv.gz", "manifest.yaml"), ("plans.csv", "plans.yaml")] {
            let text = try String(contentsOf: Self.example.appending(path: manifest), encoding: .utf8)
            _ = try test.site.addDataset(file: Self.example.appending(path: file).path, manifestText: text)
        }
        let plan = try test.site.question(
            AskRequest(dataset: "randhie", sql: sql, budget: .epsilon(1)), in: try test.site.catalogue()
        ).work.plan
        let slot = TimeSlot(bound: test.site.limits.time(plan.bound))
        #expect(slot.length <= .milliseconds(12), "\(plan.bound.work)")
    }

    static let example = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples/randhie")

    @Test("Two datasets of one manifest answer after the same wait, however many rows they have")
    func waitsAreAlike() async throws {
        for people in [1, 900] {
            let test = try TestSite(people: people)
            _ = try await test.site.ask(TestSite.count(1), as: .ada)
            #expect(test.clock.departures.count == 1, "an answer left without waiting for its slot")
        }
    }

    @Test("A scan that waits for another counts as begun after that one's public time, whatever it really took")
    func waitingRevealsNothing() {
        let slot = TimeSlot(bound: .milliseconds(2))
        let schedule = ScanSchedule(threads: 2)
        let arrivals = [0, 0, 0, 1, 9].map { Duration.milliseconds($0) }
        let starts = arrivals.map { schedule.begin(at: $0, slot) }
        #expect(starts == [0, 0, 2, 2, 9].map { .milliseconds($0) })
        // A scan that was done before it counts as begun leaves no earlier than one that was not.
        for end in [-5, 0, 3, 8] {
            #expect(
                slot.departure(start: .milliseconds(20), end: .milliseconds(20 + end))
                    == .milliseconds(20) + slot.length)
        }
    }

    @Test("A repeated key does not wait: its answer is stored already")
    func replay() async throws {
        let test = try TestSite()
        for _ in 0..<2 { _ = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k") }
        #expect(test.clock.departures.count == 1)
    }
}
