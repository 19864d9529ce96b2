import DatasiteProtocol
import Testing

@testable import Datasite

@Suite("Answers leave on a grid of times that follows from what is declared")
struct TimeSlotTests {
    @Test("Work of any length up to a slot leaves at the slot's end, and more at the next")
    func grid() {
        let slot = TimeSlot(length: .milliseconds(10))
        for (elapsed, count) in [(0, 1), (1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3), (95, 10)] {
            #expect(slot.count(.milliseconds(elapsed)) == count)
            let start = Duration.seconds(5)
            #expect(
                slot.departure(start: start, end: start + .milliseconds(elapsed)) == start + .milliseconds(10 * count))
        }
    }

    @Test("The slot follows from declared capacity and plan, and stays short for the demonstration's table")
    func length() {
        let demonstration = TimeSlot(capacityRows: 25_000, aggregates: 2, groups: 18)
        #expect(demonstration.length < .milliseconds(15))
        let large = TimeSlot(capacityRows: 10_000_000, aggregates: 3, groups: nil)
        #expect(large.length > .milliseconds(500) && large.length < .seconds(3))
        #expect(TimeSlot(capacityRows: .max, aggregates: .max, groups: 1 << 20).length < .seconds(1 << 32))
    }

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
        let slot = TimeSlot(length: .milliseconds(10))
        let schedule = ScanSchedule(threads: 2)
        let arrivals = [0, 0, 0, 1, 9].map { Duration.milliseconds($0) }
        let starts = arrivals.map { schedule.begin(at: $0, slot) }
        #expect(starts == [0, 0, 2, 2, 9].map { .milliseconds($0) })
        // A scan that was done before it counts as begun leaves no earlier than one that was not.
        for end in [-5, 0, 3, 10] {
            #expect(
                slot.departure(start: .milliseconds(20), end: .milliseconds(20 + end)) == .milliseconds(30))
        }
    }

    @Test("A repeated key does not wait: its answer is stored already")
    func replay() async throws {
        let test = try TestSite()
        for _ in 0..<2 { _ = try await test.site.ask(TestSite.count(1), as: .ada, idempotencyKey: "k") }
        #expect(test.clock.departures.count == 1)
    }
}
