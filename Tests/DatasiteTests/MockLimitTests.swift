import DatasiteProtocol
import Dispatch
import Foundation
import Query
import Tables
import Testing

@testable import Datasite

@Suite("Free mock answers take nothing from those who ask")
struct MockLimitTests {
    /// 303 groups with so many medians.
    private static func medians(_ count: Int, _ rest: String = "") -> AskRequest {
        let columns = (0..<count).map { "MEDIAN(amount + \($0))" }.joined(separator: ", ")
        return AskRequest(
            dataset: "visits", sql: "SELECT kind, amount, \(columns) FROM visits GROUP BY kind, amount \(rest)",
            budget: .epsilon(1))
    }

    @Test("A mock answer is small; the question itself is as large as the site computes")
    func cells() async throws {
        let test = try TestSite()
        let refusal = await problem { _ = try await test.site.mock(Self.medians(200), as: .ada) }
        #expect(refusal?.detail == "a mock answer has at most 50000 cells, and this one may have 61206")
        #expect(refusal?.hint?.contains("preview") == true)
        #expect(try await test.site.preview(Self.medians(200), as: .ada).decision == "would be answered")
        let small = try JSONDecoder().decode(
            Answer.self, from: Data(try await test.site.mock(Self.medians(3, "LIMIT 2"), as: .ada)))
        #expect(small.rows.count == 2)
    }

    @Test("A mock answer is bounded by its own rows, not by what the table may hold")
    func ownRows() throws {
        let test = try TestSite()
        let catalogue = try test.site.catalogue()
        let question = try test.site.question(ScanLimitTests.dear(20), in: catalogue).work
        let bound = try question.mockBound(PublicKnowledge(catalogue: catalogue)) { _ in 100 }
        #expect(bound.work[.row] * 50 < question.bound.work[.row])
        var limits = MockLimits()
        limits.seconds = ScanLimits.reference.speeds.time(bound.work) * 1e-9
        try limits.check(bound, .reference, threads: 2)
        limits.seconds *= 0.99
        #expect(throws: Problem.self) { try limits.check(bound, .reference, threads: 2) }
        limits = MockLimits(cells: 0)
        #expect(throws: Problem.self) { try limits.check(bound, .reference, threads: 2) }
    }

    @Test("Each cell of an answer counts in its bound, with its interval and its JSON")
    func bound() throws {
        let test = try TestSite()
        func bound(_ request: AskRequest) throws -> PlanBound {
            try test.site.question(request, in: try test.site.catalogue()).work.bound
        }
        let (few, many) = (try bound(Self.medians(2)), try bound(Self.medians(202)))
        #expect(few.work[.cell] == 303 * 4 && many.work[.cell] == 303 * 204)
        #expect(try bound(Self.medians(2, "LIMIT 10")).work[.cell] == 40)
        // 60,600 cells more at 6 microseconds.
        #expect(ScanLimits.reference.time(many) - ScanLimits.reference.time(few) > .milliseconds(363))
    }

    @Test(
        "While mock answers take all their threads, questions are planned and answered; too many mocks are refused",
        .timeLimit(.minutes(20)))
    func apart() async throws {
        let test = try TestSite(researchers: ["ada", "bob"])
        let gate = DispatchSemaphore(value: 0)
        let mocks = test.site.mocks
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await mocks.run(for: "bob") { gate.wait() } } }
            #expect(try await test.site.preview(TestSite.count(1), as: .ada).decision == "would be answered")
            #expect(try await test.site.ask(TestSite.count(1), as: .ada).answer != nil)
            for _ in 0..<4 { gate.signal() }
            try await group.waitForAll()
        }
        func hold(_ count: Int) async throws {
            if count > 0 { return try await mocks.admitting("bob") { try await hold(count - 1) } }
            let refusal = await problem {
                _ = try await test.site.mock(TestSite.count(1), as: Identity(name: "bob", role: .researcher))
            }
            #expect(refusal?.kind == .busy && refusal?.status == 503)
            #expect(refusal?.detail.contains("mock answers") == true)
            _ = try await test.site.mock(TestSite.count(1), as: .ada)
        }
        // Half of the places are the most that one user has.
        try await hold((mocks.capacity + 1) / 2)
    }
}
