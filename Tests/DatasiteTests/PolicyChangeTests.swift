import DatasiteProtocol
import Foundation
import Testing

@testable import Datasite

@Suite("The journal says what a change of policy changed, with the old value and the new")
struct PolicyChangeTests {
    private func details(_ test: TestSite, _ action: String = "policy changed") throws -> [String] {
        try test.site.audit(as: .folder).filter { $0.action == action && $0.dataset == "visits" }.map(\.detail)
    }

    private func details(_ old: String, _ new: String) throws -> String {
        try PolicyChange(old: PolicyReader.document(old), new: PolicyReader.document(new)).words
    }

    @Test("Each key of a policy is told where it differs, and no other")
    func keys() throws {
        let base = "loss: zcdp, delta: 1e-6, total: {rho: 1}"
        let total = "epsilon 7.96116 at delta 1e-6 (rho 1)"
        for (old, new, words) in [
            ("", "", "nothing became different"),
            ("per-researcher: {rho: 1}", "", "per-researcher \(total) became none"),
            ("per-question: {rho: 1}", "", "per-question \(total) became none"),
            ("", "researcher-limits: {ada: {rho: 1}}", "researcher-limits.ada none became \(total)"),
            ("least-share: 0.5", "least-share: 0", "least-share 0.5 became 0"),
            ("", "windows: [{days: 7, limit: {rho: 1}}]", "windows none became window 7d \(total)"),
            ("aggregates: [sum, count]", "aggregates: [count]", "aggregates count, sum became count"),
            ("approval: automatic", "approval: {owners: 2}", "approval automatic became 2 owners"),
            ("", "researchers: [eve, ada]", "researchers all became ada, eve"),
            ("researchers: [ada, bea]", "researchers: [eve, bea]", "researchers now without ada and with eve"),
            ("researchers: [ada]", "researchers: [ada, bea]", "researchers now with bea"),
            ("engines: {questions: {}}", "", "engines questions became unsaid"),
            (
                "", "engines: {questions: {approval: owner, uses: 3}}",
                "engines unsaid became questions (approval 1 owner, uses 3)"
            ),
            ("", "purpose: required", "purpose optional became required"),
        ] {
            let said = try details("{\(base), \(old)}", "{\(base), \(new)}")
            #expect(said == words)
        }
        let other = try details("{\(base)}", "{loss: pure, total: {epsilon: 2}}")
        #expect(other.hasPrefix("loss zcdp became pure; delta 1e-6 became none; total epsilon"), "\(other)")
        let many = (0..<30).map { "r\($0): {rho: 1}" }.joined(separator: ", ")
        let told = try details("{\(base)}", "{\(base), researcher-limits: {\(many)}}")
        #expect(told.hasSuffix("; 10 more of researcher-limits"))
    }

    @Test("A policy that is set is told against the one in force, the population's limits included")
    func set() async throws {
        let test = try TestSite()
        try test.add("more", policy: "{loss: pure, total: {epsilon: 10}}")
        try test.site.setPolicy(
            of: "more", policyText: "{loss: pure, total: {epsilon: 12}, researcher-limits: {ada: {epsilon: 1}}}")
        // What `visits` says by itself is no longer what holds of it.
        try test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 11}, approval: owner}")
        #expect(
            try details(test) == [
                "total epsilon 12 became epsilon 11; researcher-limits.ada epsilon 1 became none; approval automatic became 1 owner"
            ])
        let ofPopulation = try test.site.audit(as: .folder).filter { $0.detail.hasPrefix("population patients: ") }
        #expect(
            ofPopulation.map { "\($0.action): \($0.detail)" } == [
                "budget raised: population patients: total epsilon 10 became epsilon 12; researcher-limits.ada none became epsilon 1",
                "policy changed: population patients: total epsilon 12 became epsilon 11; researcher-limits.ada epsilon 1 became none",
            ])
        // Researchers read that the total was raised, and nobody else's limit.
        #expect(
            try test.site.budget(as: .ada)[0].raised?.hasSuffix(": total epsilon 10 became epsilon 12") == true)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A new version under a new manifest tells its policy's change, and one under the present manifest none")
    func version() throws {
        let test = try TestSite()
        let file = try test.file("new", TestSite.rows(people: 5))
        _ = try test.site.addVersion(of: "visits", file: file)
        #expect(try details(test) == [])
        let manifest = TestSite.manifest("visits", policy: "{loss: pure, total: {epsilon: 10}, approval: owner}")
        _ = try test.site.addVersion(of: "visits", file: file, manifestText: manifest)
        #expect(try details(test) == ["approval automatic became 1 owner"])
        _ = try test.site.addVersion(of: "visits", file: file, manifestText: manifest)
        _ = try test.site.append(to: "visits", file: file)
        #expect(try details(test).count == 1)
        #expect(try details(test, "version added").count == 4)
        #expect(try test.site.verify().problems == [])
    }
}
