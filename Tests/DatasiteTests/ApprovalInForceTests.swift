import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Testing

@testable import Datasite

@Suite("A request is approved as what was asked, under the policy in force, or lapses")
struct ApprovalInForceTests {
    private static let policy = "{loss: pure, total: {epsilon: 10}, approval: owner}"
    private static let joined = "SELECT COUNT(*), SUM(weight) FROM visits JOIN kinds ON kind = code"

    private func site() throws -> TestSite {
        let test = try TestSite(policy: Self.policy)
        try addKinds(test, rowsPerKey: 1)
        return test
    }

    private func addKinds(_ test: TestSite, rowsPerKey: Int) throws {
        let rows = ["a", "b", "c"].flatMap { code in (0..<rowsPerKey).map { _ in "\(code),1" } }
        _ = try test.site.addDataset(
            file: try test.file("kinds", (["code,weight"] + rows).joined(separator: "\n") + "\n"),
            manifestText: """
                name: kinds
                kind: lookup
                key: code
                rows-per-key: \(rowsPerKey)
                columns:
                  - {name: code, type: text}
                  - {name: weight, type: integer, bounds: [0, 3]}
                """)
    }

    private func held(_ test: TestSite, _ sql: String, _ budget: Budget = .epsilon(1), key: String? = nil) async throws
        -> String
    {
        let request = AskRequest(dataset: "visits", sql: sql, budget: budget)
        return try #require(try await test.site.ask(request, as: .ada, idempotencyKey: key).pendingID)
    }

    private static let count = "SELECT COUNT(*) FROM visits"

    @Test("Removing or replacing a lookup table is said to lapse the requests that join it, and does")
    func lookupChanges() async throws {
        for change in ["remove", "version"] {
            let test = try site()
            let id = try await held(test, Self.joined)
            let other = try await held(test, Self.count)
            let more = try test.file("more", "code,weight\nd,1\n")
            let consequence: OwnerChange
            let perform: () throws -> Void
            if change == "remove" {
                (consequence, perform) = (.remove(dataset: "kinds"), { try test.site.removeDataset("kinds") })
            } else {
                consequence = .version(dataset: "kinds", manifest: nil)
                perform = { _ = try test.site.addVersion(of: "kinds", file: more) }
            }
            let said = try test.site.consequences(of: consequence).touched.joined()
            #expect(said.contains("requests that wait for approval lapse") && said.contains("1, of ada"), "\(change)")
            try perform()
            let lapsed = try test.site.request(id, as: .ada)
            #expect(lapsed.state == "lapsed" && lapsed.reason == "kinds, which it reads, changed", "\(change)")
            #expect(try test.site.request(other, as: .ada).state == "pending" && test.spent() == unit)
            #expect(await problem { _ = try await test.site.approve(id, by: .folder) }?.kind == .conflict)
            #expect(try test.site.verify().problems == [])
        }
    }

    @Test("What was stored before lookup tables stood beside requests lapses when it is approved on another table")
    func storedBefore() async throws {
        let test = try site()
        let (id, fine) = (try await held(test, Self.joined), try await held(test, Self.joined))
        try test.execute("DELETE FROM request_assets WHERE population IS NULL")
        #expect(try await test.site.approve(fine, by: .folder).state == "released")
        test.clock.advance(10)
        try test.site.removeDataset("kinds")
        let gone = try await held(test, Self.count)
        #expect(try test.site.request(id, as: .ada).state == "pending")
        try addKinds(test, rowsPerKey: 1)
        let refusal = await problem { _ = try await test.site.approve(id, by: .folder) }
        #expect(refusal?.detail == "the request lapsed, and is not approved: kinds, which it reads, changed")
        #expect(try test.site.request(id, as: .ada).state == "lapsed" && test.spent() == 2 * unit)
        #expect(try test.site.request(gone, as: .ada).state == "pending")
        #expect(try test.site.verify().problems == [])
    }

    @Test("A lookup table that is gone, or was replaced so that the question costs otherwise: nothing is charged")
    func goneOrDearer() async throws {
        let test = try site()
        let gone = try await held(test, Self.joined)
        let dearer = try await held(test, Self.joined, .error(relative: 0.5, groupSize: 100))
        let before = try test.spent()
        #expect(before > unit)
        // As a site left them whose requests did not record the tables that they join.
        try test.execute("DELETE FROM request_assets WHERE population IS NULL")
        try test.site.removeDataset("kinds")
        let first = await problem { _ = try await test.site.approve(gone, by: .folder) }
        #expect(first?.detail.contains("it cannot be computed any more: ") == true && first?.kind == .conflict)
        try addKinds(test, rowsPerKey: 3)
        let second = await problem { _ = try await test.site.approve(dearer, by: .folder) }
        #expect(
            second?.detail.contains("lapsed, and is not approved: it would cost ") == true,
            "\(String(describing: second))")
        #expect(try [gone, dearer].map { try test.site.request($0, as: .ada).state } == ["lapsed", "lapsed"])
        #expect(try test.spent() == 0 && test.site.verify().problems == [])
    }

    @Test("A key, and a request that a crash cut short, are bound to the lookup table: no answer comes from another")
    func keys() async throws {
        let test = try TestSite()
        try addKinds(test, rowsPerKey: 1)
        let request = AskRequest(dataset: "visits", sql: Self.joined, budget: .epsilon(1))
        let id = try await test.reserveOnly(request, key: "k")
        try test.site.removeDataset("kinds")
        try addKinds(test, rowsPerKey: 1)
        let refusal = await problem { _ = try await test.site.ask(request, as: .ada, idempotencyKey: "k") }
        #expect(refusal?.kind == .conflict && refusal?.detail.hasPrefix("kinds changed since") == true)
        #expect(await problem { _ = try await test.site.answer(id, as: .ada) }?.kind == .conflict)
        #expect(try test.spent() == unit && test.site.verify().problems == [])
    }

    @Test(
        "What the policy in force refuses lapses when it is approved, with the reason",
        arguments: [
            ("researchers: [bob]", "ada is not named"), ("per-question: {epsilon: 0.5}", "one question may cost"),
            ("aggregates: [sum]", "cannot be computed any more"), ("purpose: required", "what the answer is for"),
            ("least-share: 0.5", "costs at least"),
        ])
    func policies(rule: String, reason: String) async throws {
        let test = try TestSite(policy: Self.policy)
        let id = try await held(test, Self.count)
        let policy = "{loss: pure, total: {epsilon: 10}, approval: owner, \(rule)}"
        let said = try test.site.consequences(of: .policy(dataset: "visits", policy: policy)).touched.joined()
        #expect(said.contains("are decided under this policy when they are approved") && said.contains("1, of ada"))
        try test.site.setPolicy(of: "visits", policyText: policy)
        #expect(try test.site.request(id, as: .ada).state == "pending")
        let refusal = await problem { _ = try await test.site.approve(id, by: .folder) }
        #expect(
            refusal?.kind == .conflict && refusal?.detail.contains(reason) == true, "\(String(describing: refusal))")
        let lapsed = try test.site.request(id, as: .ada)
        #expect(lapsed.state == "lapsed" && lapsed.reason?.contains(reason) == true && lapsed.isCharged == false)
        #expect(try test.spent() == 0 && test.site.verify().problems == [])
    }

    @Test("Where a lowered limit has no room, nothing is recorded and the request waits; with room it is approved")
    func loweredLimits() async throws {
        for limit in ["total: {epsilon: 1.5}", "total: {epsilon: 10}, researcher-limits: {ada: {epsilon: 1.5}}"] {
            let test = try TestSite(policy: Self.policy)
            let (one, two) = (try await held(test, Self.count), try await held(test, Self.count))
            try test.site.setPolicy(of: "visits", policyText: "{loss: pure, \(limit), approval: owner}")
            let full = await problem { _ = try await test.site.approve(one, by: .folder) }
            #expect(full?.kind == .overBudget && full?.detail.contains("still waits") == true)
            #expect(try test.site.request(one, as: .ada).approvals == [])
            _ = try await test.site.deny(two, by: .folder, reason: "no room")
            #expect(try await test.site.approve(one, by: .folder).state == "released")
            #expect(try test.spent() == unit && test.site.verify().problems == [])
        }
    }

    @Test("Where the policy in force asks for more owners, so many must approve")
    func moreOwners() async throws {
        let test = try TestSite(policy: Self.policy)
        for name in ["owen", "olga"] { _ = try test.site.addUser(name, role: .owner) }
        let id = try await held(test, Self.count)
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 10}, approval: {owners: 2}}")
        #expect(await problem { _ = try await test.site.approve(id, by: .folder) }?.status == 403)
        let first = try await test.site.approve(id, by: Identity(name: "owen", role: .owner))
        #expect(first.state == "pending" && first.approvalsNeeded == 2)
        #expect(try await test.site.approve(id, by: Identity(name: "olga", role: .owner)).state == "released")
    }

    @Test("What is held is told apart from what is spent where limits lie below them")
    func heldIsNotSpent() async throws {
        let test = try TestSite(policy: Self.policy)
        let id = try await held(test, Self.count)
        _ = try await test.site.approve(id, by: .folder)
        _ = try await held(test, Self.count)
        func doubts(_ limits: String) throws -> String {
            try test.site.consequences(of: .policy(dataset: "visits", policy: "{loss: pure, \(limits)}")).doubts
                .joined()
        }
        #expect(try doubts("total: {epsilon: 0.5}").contains("below what is spent of it, epsilon 1:"))
        let held = try doubts("total: {epsilon: 1.5}")
        #expect(held.contains("below what is spent of it and held for requests that wait, epsilon 1 and epsilon 1"))
        #expect(
            try doubts("total: {epsilon: 10}, per-researcher: {epsilon: 1.5}")
                .contains(
                    "the limit of ada: lies below what she has spent and what is held for her, epsilon 1 and epsilon 1")
        )
        #expect(try doubts("total: {epsilon: 2}") == "")
    }

    @Test(
        "Limits that a population keeps from before, and that a dataset's policy would change, are said when it is added"
    )
    func keptLimits() throws {
        let test = try TestSite(
            policy: "{loss: pure, total: {epsilon: 10}, researcher-limits: {ada: {epsilon: 1}, bea: {epsilon: 2}}}")
        try test.site.removeDataset("visits")
        func touched(_ policy: String) throws -> String {
            try test.site.consequences(of: .add(manifest: TestSite.manifest("visits", policy: policy))).touched.joined()
        }
        #expect(try touched("{loss: pure, total: {epsilon: 10}}").contains("limits by name end: ada, bea"))
        #expect(
            try touched("{loss: pure, total: {epsilon: 10}, researcher-limits: {bea: {epsilon: 2}}}")
                .contains("limits by name end: ada"))
        #expect(
            try touched("{loss: pure, total: {epsilon: 10}, researcher-limits: {ada: {epsilon: 1}, bea: {epsilon: 2}}}")
                == "")
    }
}
