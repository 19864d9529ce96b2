import DatasiteProtocol
import Foundation
import Governance
import Testing

@testable import Datasite

@Suite("Owners are told beforehand whom a change touches")
struct ConsequenceTests {
    private static let policy = "{loss: pure, total: {epsilon: 10}, approval: owner}"

    private func touched(_ test: TestSite, _ change: OwnerChange) throws -> String {
        try test.site.consequences(of: change).touched.joined(separator: "\n")
    }

    @Test("Where nothing waits and nothing is shared, nothing is asked")
    func nothing() throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}}")
        for change in [
            OwnerChange.append(dataset: "visits"), .version(dataset: "visits", manifest: nil),
            .remove(dataset: "visits"),
            .policy(dataset: "visits", policy: Self.policy),
            .add(manifest: TestSite.manifest("new", policy: Self.policy)),
        ] { #expect(try test.site.consequences(of: change).isEmpty, "\(change)") }
        #expect(throws: Problem.self) { try test.site.consequences(of: .remove(dataset: "none")) }
        #expect(throws: Problem.self) {
            try test.site.consequences(of: .policy(dataset: "visits", policy: "{loss: no}"))
        }
    }

    @Test("Requests that wait, a synthetic table, other datasets and who has asked are named")
    func everything() async throws {
        let test = try TestSite(policy: Self.policy)
        try test.add("more", policy: Self.policy)
        let id = try #require(try await test.site.ask(TestSite.count(1), as: .ada).pendingID)
        _ = try await test.site.approve(id, by: .folder)
        _ = try await test.site.ask(TestSite.count(1), as: .ada)
        _ = try await test.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
        for change in [OwnerChange.append(dataset: "visits"), .version(dataset: "visits", manifest: nil)] {
            let words = try touched(test, change)
            #expect(
                words.contains(
                    "requests that wait for approval lapse, and what is held for them is given back: 1, of ada"))
            #expect(words.contains("a synthetic table, released at epsilon 1, is dropped"))
        }
        let removed = try touched(test, .remove(dataset: "visits"))
        #expect(
            removed.contains("lapse") && removed.contains("other datasets about the same people")
                && removed.contains("more"))
        #expect(removed.contains("ada asked it"))
        let policy = try touched(test, .policy(dataset: "more", policy: Self.policy))
        #expect(policy.contains("get the same limits: visits") && policy.contains("1, of ada"))
        #expect(policy.contains("researchers who have asked, and read the new policy: ada"))
        #expect(!(try touched(test, .append(dataset: "more"))).contains("lapse"))
    }

    @Test(
        "Names in a policy that are no researcher's are doubted, whichever key has them, and those of researchers are not"
    )
    func names() throws {
        let test = try TestSite(researchers: ["ada", "bea"])
        _ = try test.site.addUser("olga", role: .owner)
        func doubts(_ names: String) throws -> [String] {
            try test.site.consequences(
                of: .policy(dataset: "visits", policy: "{loss: pure, total: {epsilon: 10}, \(names)}")
            ).doubts
        }
        #expect(try doubts("researchers: [ada, bea], researcher-limits: {ada: {epsilon: 1}}") == [])
        try test.site.revokeUser("bea")
        #expect(try doubts("researchers: all, researcher-limits: {bea: {epsilon: 1}}") == [])
        for (names, key) in [
            ("researchers: [Ada, eve, olga, ada]", "researchers"),
            (
                "researcher-limits: {Ada: {epsilon: 1}, eve: {epsilon: 1}, olga: {epsilon: 1}, ada: {epsilon: 1}}",
                "researcher-limits"
            ),
        ] {
            let found = try doubts(names)
            #expect(found.count == 3 && found.allSatisfy { $0.hasPrefix("`policy.\(key)`: ") }, "\(found)")
            #expect(found[0].contains("“Ada”, but a user ada: upper and lower case count"))
            #expect(found[1].contains("olga is an owner"))
            #expect(found[2].hasSuffix("no user of this datasite has the name “eve”"))
        }
        // Those of a new manifest too.
        let manifest = TestSite.manifest(
            "new", policy: "{loss: pure, total: {epsilon: 10}, researchers: [eve]}", population: "others")
        #expect(try test.site.consequences(of: .add(manifest: manifest)).doubts.count == 1)
    }

    @Test("Limits below what is spent of them are doubted")
    func spent() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}}")
        _ = try await test.site.ask(TestSite.count(2), as: .ada)
        func doubts(_ limits: String) throws -> [String] {
            try test.site.consequences(of: .policy(dataset: "visits", policy: "{loss: pure, \(limits)}")).doubts
        }
        #expect(try doubts("total: {epsilon: 2}") == [])
        #expect(
            try doubts("total: {epsilon: 1.9}").first?.hasPrefix(
                "`policy.total`: lies below what is spent of it, epsilon 2:") == true)
        for limit in ["per-researcher: {epsilon: 1}", "researcher-limits: {ada: {epsilon: 1}}"] {
            #expect(
                try doubts("total: {epsilon: 4}, \(limit)").first?.hasPrefix(
                    "the limit of ada: lies below what she has spent") == true)
        }
        #expect(try doubts("total: {epsilon: 30}").first?.contains("above 20") == true)
        let manifest = TestSite.manifest(
            "new", policy: "{loss: zcdp, delta: 1e-3, total: {epsilon: 1}}", population: "others")
        #expect(
            try test.site.consequences(of: .add(manifest: manifest)).doubts.first?.contains("above 1 / 5000") == true)
    }
}
