import DatasiteProtocol
import Foundation
import Governance
import Testing

@testable import Datasite

@Suite("What a policy says of intersecting with another site")
struct IntersectionRuleTests {
    private static func key(_ number: UInt8) -> String { Data(repeating: number, count: 32).base64EncodedString() }

    private static let usual =
        "columns: [person, [kind, amount]], output: identifiers, recipients: [here, there], capacity: 6000, uses: 3"

    private static func policy(_ rule: String, keys: [UInt8] = [0, 1]) -> String {
        """
        loss: zcdp
        delta: 1e-6
        total: {epsilon: 4}
        engines:
          set-intersection: {sites: [\(keys.map(key).joined(separator: ", "))], coordinators: ["http://127.0.0.1:8900"], \(rule)}
        """
    }

    private static let engines = EngineNames(
        all: EngineTable.standard.names.all, site: Array(repeating: UInt8(0), count: 32))

    private func read(_ rule: String, keys: [UInt8] = [0, 1], _ engines: EngineNames? = engines) throws -> EngineRule? {
        try PolicyReader.document(Self.policy(rule, keys: keys), engines: engines).engines?[IntersectionRule.engine]
    }

    private func refusal(_ rule: String, keys: [UInt8] = [0, 1]) -> String {
        do {
            _ = try read(rule, keys: keys)
            return "not refused"
        } catch let problem as Problem {
            return "\(problem.detail) -- \(problem.hint ?? "no hint")"
        } catch { return "\(error)" }
    }

    @Test("It is read as it is written, and an owner decides unless it says otherwise")
    func reading() throws {
        let read = try #require(try read(Self.usual))
        let rule = try #require(read.intersection)
        #expect(
            rule
                == IntersectionRule(
                    columns: [["person"], ["amount", "kind"]], output: .identifiers, recipients: [.here, .there],
                    capacity: 6_000))
        #expect(rule.guesses == 6_000 && rule.isPadded && read.approval == .owners(1) && read.uses == 3)
        #expect(rule.allows(columns: ["kind", "amount"]) && !rule.allows(columns: ["kind"]))
        #expect(!rule.allows(columns: ["kind", "kind"]) && rule.allows(.size) && rule.allows(.identifiers))
        let other = try #require(
            try self.read(
                "columns: [person], output: size, recipients: [there], capacity: 5, guesses: 2, padding: none, approval: automatic, uses: 1"
            ))
        #expect(other.approval == .automatic && other.intersection?.isPadded == false)
        #expect(other.intersection?.guesses == 2 && other.intersection?.allows(.identifiers) == false)
        #expect(
            other.words == [
                "with 2 sites", "coordinated at http://127.0.0.1:8900", "matches person", "how many are at both sites",
                "known there", "at most 5 identifiers of here, whose number is told",
                "at most 2 of there in a session",
            ])
    }

    @Test(
        "What is missing, too much or no word is refused at its place",
        arguments: [
            (usual.replacing(", uses: 3", with: ""), "`uses` is missing"),
            (usual.replacing("columns: [person, [kind, amount]], ", with: ""), "`columns` is missing"),
            (usual.replacing("output: identifiers, ", with: ""), "`output` is missing"),
            (usual.replacing("recipients: [here, there], ", with: ""), "`recipients` is missing"),
            (usual.replacing("capacity: 6000, ", with: ""), "`capacity` is missing"),
            (usual.replacing("6000", with: "1048577"), "expected 1 to 1048576 identifiers -- more do not fit"),
            (usual.replacing("6000", with: "0"), "expected 1 to 1048576 identifiers"),
            (usual + ", guesses: 0", "expected 1 to 1048576 identifiers"),
            (usual + ", padding: no", "expected capacity or none"),
            (usual.replacing("identifiers", with: "names"), "expected one of size, identifiers"),
            (usual.replacing("[here, there]", with: "[us]"), "expected one of here, there"),
            (usual.replacing("[here, there]", with: "[]"), "expected 1 to 2"),
            (usual.replacing("[kind, amount]", with: "[kind, kind]"), "names a column twice"),
            (usual + ", colluders: 1", "colluders"),
        ])
    func refused(rule: String, words: String) {
        let refusal = refusal(rule)
        #expect(refusal.contains("line 5") && refusal.contains(words), "\(refusal)")
    }

    @Test("A policy that names no site but its own allows nothing, and is refused; stored ones are read all the same")
    func alone() throws {
        #expect(refusal(Self.usual, keys: [0]).contains("names no site but this one"))
        #expect(try read(Self.usual, keys: [0], nil) != nil)
    }

    @Test("A column that is not there, and a capacity that cuts the table's own, are asked about")
    func doubts() throws {
        let test = try TestSite()
        func doubts(_ rule: String) throws -> [String] {
            try test.site.consequences(of: .policy(dataset: "visits", policy: Self.policy(rule, keys: [1]))).doubts
        }
        #expect(try doubts(Self.usual.replacing("6000", with: "10000")) == [])
        let found = try doubts(Self.usual.replacing("[person,", with: "[nothing, person,"))
        #expect(found.count == 2, "\(found)")
        #expect(found.first?.contains("names nothing, and the table has no such column") == true, "\(found)")
        #expect(found.last?.contains("is less than the 10000 rows that the table may hold") == true, "\(found)")
        let unit = try doubts(Self.usual.replacing("person, [kind, amount]", with: "person"))
        #expect(unit == [])
        #expect(
            try doubts(Self.usual.replacing("person, [kind, amount]", with: "person").replacing("6000", with: "4000"))
                .first?.contains("5000 units") == true)
    }
}
