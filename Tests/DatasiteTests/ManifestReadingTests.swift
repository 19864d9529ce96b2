import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Tables
import Testing

@testable import Datasite

@Suite("Manifests are read strictly, and errors say where and what")
struct ManifestReadingTests {
    static let sound = TestSite.manifest("visits", policy: "{loss: pure, total: {epsilon: 1}}")

    @Test("The example's manifests are read as they are meant")
    func example() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Examples/randhie")
        let text = try String(contentsOf: folder.appending(path: "manifest.yaml"), encoding: .utf8)
        let manifest = try ManifestDocument(text).manifest
        #expect(manifest.name == "randhie" && manifest.population == "rand-hie-participants")
        #expect(manifest.unit.rowsPerUnit == 5 && manifest.capacityRows == 25_000)
        let policy = try #require(manifest.policy)
        #expect(policy.regime.kind == .zeroConcentrated && policy.regime.conversionDelta == 5e-7)
        let rho = Conversion.rho(epsilon: 8, delta: 5e-7)
        #expect(policy.total.amount == Int64((rho * 1e12).rounded(.down)))
        #expect(policy.total.delta == 500_000_000_000)
        let plans = try String(contentsOf: folder.appending(path: "plans.yaml"), encoding: .utf8)
        #expect(try ManifestDocument(plans).manifest.lookupKey == 0)
    }

    @Test(
        "Each fault is refused with the words that lead to it",
        arguments: [
            ("name: visits", "name: visits\nname: again", "given twice"),
            ("title: Visits", "titel: Visits", "no key `titel`"),
            ("title: Visits", "title: SET", "not set yet"),
            ("description: Made up", "description: &a Made up", "anchors"),
            ("description: Made up", "description: *a", "alias"),
            ("population: patients\n", "", "`population` is missing"),
            ("rows: 3, groups: 3", "rows: 3, groups: 4", "unit.groups"),
            ("rows: 3, groups: 3", "rows: many", "line 5, column"),
            ("column: person", "column: nobody", "no column `nobody`"),
            ("epsilon: 1", "epsilon: 0", "above 0"),
            ("epsilon: 1", "epsilon: -1", "above 0"),
            ("epsilon: 1", "epsilon: inf", "above 0"),
            ("epsilon: 1", "rho: 1", "no key `rho`"),
            ("loss: pure,", "loss: pure, delta: 1e-6,", "no delta"),
            ("loss: pure", "loss: approximate", "zcdp or pure"),
            ("loss: pure", "loss: zcdp", "`delta` is missing"),
            ("[0, 100]", "[100, 0]", "below the upper"),
            ("[0, 100]", "[0, 100, 200]", "[lower, upper]"),
            ("[0, 100]", "[0, .inf]", "an integer"),
            ("[a, b, c]", "[a, b, a]", "named twice"),
            ("type: category, domain: [a, b, c]", "type: category", "needs its `domain`"),
            ("type: category", "type: categorical", "no type `categorical`"),
            ("nullable: false}\n", "nullable: no}\n", "true or false"),
            ("unit: {", "unit: [", "line 5"),
        ])
    func faults(_ from: String, _ to: String, _ words: String) throws {
        let range = try #require(Self.sound.range(of: from))
        let text = Self.sound.replacingCharacters(in: range, with: to)
        do {
            _ = try ManifestDocument(text)
            Issue.record("it was read")
        } catch let problem as Problem {
            #expect(problem.type == "urn:parley:problem:invalid-manifest")
            #expect(problem.detail.contains(words), "\(problem.detail)")
        }
    }

    @Test("Domain values are their literal text: yes, no, on and 007 are words where the type is text")
    func literalDomains() throws {
        let text = Self.sound.replacing(
            "type: category, domain: [a, b, c]", with: #"type: category, domain: [yes, no, on, 007, "1", ~]"#)
        let domain = try ManifestDocument(text).manifest.schema.columns[1].domain
        #expect(domain == ["yes", "no", "on", "007", "1", "~"].map { .text($0) })
        let numbers = Self.sound.replacing("domain: [a, b, c]", with: "domain: [1, 2, 30]")
        let column = try ManifestDocument(numbers).manifest.schema.columns[1]
        #expect(column.type == .integer && column.domain == [.integer(1), .integer(2), .integer(30)])
    }

    @Test("Limits are exact decimals, and never wider than what was written")
    func limits() throws {
        func total(_ policy: String) throws -> PrivacyLoss { try PolicyReader.document(policy).total }
        #expect(try total("{loss: pure, total: {epsilon: 0.3}}").amount == 300_000_000_000)
        #expect(try total("{loss: pure, total: {epsilon: 1e-3}}").amount == 1_000_000_000)
        #expect(try total("{loss: pure, total: {epsilon: 0.1234567890129}}").amount == 123_456_789_012)
        #expect(try total("{loss: zcdp, delta: 2e-6, total: {rho: 0.7}}").amount == 700_000_000_000)
        let epsilon = try total("{loss: zcdp, delta: 2e-6, total: {epsilon: 3}}")
        #expect(Conversion.epsilon(rho: Double(epsilon.amount) * 1e-12, delta: 1e-6) <= 3)
        #expect(Conversion.epsilon(rho: Double(epsilon.amount) * 1e-12 * 1.001, delta: 1e-6) > 3)
    }

    @Test("A policy says windows, approval, aggregates and researchers")
    func policies() throws {
        let policy = try PolicyReader.document(
            """
            policy:
              loss: zcdp
              delta: 1e-6
              total: {rho: 1}
              per_researcher: {rho: 0.5}
              per-question: {epsilon: 1}
              windows: [{days: 7, limit: {rho: 0.25}}, {hours: 2, limit: {rho: 0.1}}]
              aggregates: [count, avg, count-distinct]
              approval: {owners: 2}
              researchers: [ada, bea]
            """)
        #expect(policy.windows.map(\.seconds) == [604_800, 7_200])
        #expect(policy.approval == .owners(2) && policy.researchers == ["ada", "bea"])
        #expect(policy.allowedAggregates == [.count, .average, .countDistinct])
        #expect(policy.perResearcher?.amount == unit / 2)
    }

    @Test("A draft names columns and types, and is refused until the owner has set what only she can know")
    func draft() throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-draft-\(UUID().uuidString).csv"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let rows = #"""
            id,when,seen,score,flag,word,"on, off"
            1,2024-02-29,2024-02-29T12:00:00Z,1.5,true,x,a
            2,,2024-03-01T00:00:00Z,2,false,y,"b ""c"" d"
            """#
        try Data((rows + "\n").utf8).write(to: URL(filePath: path))
        var text = try Datasite.describe(path)
        for (name, type) in [
            ("id", "integer"), ("when", "date"), ("seen", "timestamp"), ("score", "real"), ("flag", "boolean"),
            ("word", "text"), ("\"on, off\"", "text"),
        ] { #expect(text.contains("  - name: \(name)\n    type: \(type)\n")) }
        #expect(text.contains("type: date\n    nullable: true"))
        for value in ["1.5", "2024", " x", "\"b"] { #expect(!text.contains(value), "the draft shows a value of a row") }
        #expect(throws: Problem.self) { try ManifestDocument(text) }
        text = text.replacing("column: SET", with: "column: id").replacing(
            "[SET, SET]", with: "[2000-01-01, 2030-01-01]")
        #expect(throws: Problem.self) { try ManifestDocument(text) }
    }

    @Test("Times are RFC 3339 in both directions, from before 1900 to after 9000")
    func times() {
        #expect(Timestamp.text(0) == "1970-01-01T00:00:00Z")
        #expect(Timestamp.text(951_782_400) == "2000-02-29T00:00:00Z")
        #expect(Timestamp.text(-1) == "1969-12-31T23:59:59Z")
        var seconds: Int64 = -3_000_000_000
        while seconds < 250_000_000_000 {
            #expect(Timestamp.seconds(Timestamp.text(seconds)[...]) == seconds)
            seconds += 86_400 * 131 + 12_347
        }
        for wrong in ["2023-02-29", "2024-13-01", "2024-1-1", "x", "", "2024-00-10"] {
            #expect(Timestamp.days(wrong[...]) == nil)
        }
    }
}
