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
            ("loss: pure", "loss: approximate", "zcdp, renyi or pure"),
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
            #expect(problem.kind == .invalidManifest)
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
        var text = try Datasite.describe(path).text
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

    @Test(
        "A first line that is a person's record is refused, by a draft and by an addition, and none of it is told",
        arguments: [
            ("39, State-gov, 77516, Bachelors\n50, Private, 83311, Masters\n", "cell 1 is a number"),
            ("Private,2024-02-29\nPublic,2024-03-01\n", "cell 2 is a number or a date"),
            ("Private,29/02/2024,x\n", "cell 2 is a number or a date"),
            ("Private,1.5e3\n", "cell 2 is a number"),
            ("Private,2024-02-29T12:00:00Z\n", "cell 2 is a number or a date"),
            ("Private,,Bachelors\n", "cell 2 is empty"),
            ("Private,Male,Male\n", "cell 3 occurs twice"),
            ("Private,Male,x\nState-gov,Male,y\nPrivate,Female,z\n", "most of its cells occur"),
            ("Private;39;Bachelors\n", "cell 2 is a number"),
            ("Private,39\rState-gov,50\r", "cell 2 is a number"),
        ])
    func noHeader(_ text: String, _ words: String) throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-record-\(UUID().uuidString).csv"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(text.utf8).write(to: URL(filePath: path))
        func refusal(_ body: () throws -> Void) throws -> Problem {
            try #require(#expect(throws: Problem.self) { try body() })
        }
        let drafted = try refusal { _ = try Datasite.describe(path) }
        #expect(drafted.detail.contains(words) && drafted.hint != nil, "\(drafted)")
        // A manifest of which the record happens to name a column.
        let manifest = Self.sound.replacing("name: kind", with: "name: Private")
        let document = try ManifestDocument(manifest)
        let added = try refusal { try FileColumns.check(path, against: document) }
        for problem in [drafted, added] {
            #expect(problem.kind == .invalidData)
            for cell in text.split(whereSeparator: { ",;\n\r ".contains($0) }) where cell.count > 1 {
                #expect(!"\(problem)".contains(cell), "\(problem)")
            }
        }
    }

    @Test(
        "Names with digits, underscores and accents are names; a header that names all columns may hold anything else")
    func headers() throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-header-\(UUID().uuidString).csv"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("_1,q2,2nd,1e,höhe,inf,nan,Δ1\n1,2,3,4,5,6,7,8\n".utf8).write(to: URL(filePath: path))
        let draft = try Datasite.describe(path).text
        for name in ["_1", "q2", "2nd", "1e", "höhe", "inf", "nan", "Δ1"] {
            #expect(draft.contains("name: \(name)") || draft.contains("name: \"\(name)\""))
        }
        try Data(",person,2020,kind,amount\n".utf8).write(to: URL(filePath: path))
        try FileColumns.check(path, against: ManifestDocument(Self.sound + "\nignore: rest\n"))
    }

    @Test(
        "What is no text is refused: an archive, numbers in binary, another encoding; a character cut at the end is not"
    )
    func notText() throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-binary-\(UUID().uuidString)"
        defer { for name in ["", ".csv", ".ndjson"] { try? FileManager.default.removeItem(atPath: path + name) } }
        let contents: [[UInt8]] = [
            [0x50, 0x4b, 3, 4, 0x14, 0, 0, 0, 0x0a, 1, 2], [0, 0, 8, 3, 0, 0, 0xea, 0x60],
            Array("name,city\nx,".utf8) + [0xfc, 0, 0x0a],
        ]
        for bytes in contents {
            for name in ["", ".csv", ".ndjson"] {
                try Data(bytes).write(to: URL(filePath: path + name))
                let problem = #expect(throws: Problem.self) { try Datasite.describe(path + name) }
                #expect(problem?.detail == "the file is not UTF-8 text")
            }
        }
        let text = Array("aéz€𝄞".utf8)
        for end in 1...text.count { try FileColumns.requireText(Array(text[..<end]), isCut: true) }
        #expect(throws: Problem.self) { try FileColumns.requireText(Array(text.dropLast())) }
        #expect(throws: Problem.self) { try FileColumns.requireText([0x61, 0x80, 0x80, 0x80, 0x80], isCut: true) }
    }

    @Test("All values of a draft that are not set are named at once, and shortened after some")
    func unset() throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-unset-\(UUID().uuidString).csv"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("id,word\n1,x\n".utf8).write(to: URL(filePath: path))
        let draft = try Datasite.describe(path).text
        let problem = try #require(#expect(throws: Problem.self) { try ManifestDocument(draft) })
        let lines = problem.detail.split(separator: "\n")
        #expect(lines.first == "15 values are not set yet:")
        #expect(lines.dropFirst().first == "  line 5, `title`")
        #expect(lines.contains("  line 12, `unit.column`") && lines.last == "  and 3 more")
        #expect(problem.hint == "replace each SET")
        let policy = #expect(throws: Problem.self) {
            try PolicyReader.document("{loss: pure, total: {epsilon: SET}, per-researcher: {epsilon: SET}}")
        }
        #expect(policy?.detail.contains("2 values are not set yet") == true)
    }

    @Test("Problems in parts that do not depend on each other are told at once")
    func several() throws {
        let text = Self.sound.replacing("title: Visits", with: "title: [Visits]")
            .replacing("rows: 10000", with: "rows: many").replacing("loss: pure", with: "loss: none")
            .replacing("type: integer, bounds", with: "type: number, bounds").replacing("[a, b, c]", with: "a")
            .replacing("column: person", with: "column: nobody")
        let problem = try #require(#expect(throws: Problem.self) { try ManifestDocument(text) })
        let lines = problem.detail.split(separator: "\n")
        #expect(lines.first == "5 things are wrong:")
        for words in ["`title`", "`capacity.rows`", "`policy.loss`", "`columns[1].domain`", "no type `number`"] {
            #expect(lines.count { $0.hasPrefix("  line ") && $0.contains(words) } == 1, "\(words): \(problem.detail)")
        }
        // Whether a column is missing is not known while columns cannot be read.
        #expect(!problem.detail.contains("nobody"))
    }

    @Test("A domain of numbers does not fit a column of texts, unless they are quoted")
    func domainOfNumbers() throws {
        func read(_ column: String) throws {
            _ = try ManifestDocument(
                Self.sound.replacing("{name: kind, type: category, domain: [a, b, c], nullable: false}", with: column))
        }
        for domain in ["[1, 2]", "[a, 2.5]", "[007]"] {
            let problem = #expect(throws: Problem.self) { try read("{name: kind, type: text, domain: \(domain)}") }
            #expect(problem?.detail.contains("is a number, and the column's type is text") == true)
            #expect(problem?.hint?.contains("quote") == true)
        }
        #expect(throws: Problem.self) { try read(#"{name: kind, type: text, domain: ["1"], other: 1}"#) }
        try read(#"{name: kind, type: text, domain: ["1", "2"], other: "1"}"#)
        try read("{name: kind, type: text, domain: [yes, no, on, ~]}")
        try read("{name: kind, type: category, domain: [1, 2]}")
        // A site that has one already goes on: its questions' domains do not change under it.
        _ = try ManifestDocument(
            Self.sound.replacing("type: category, domain: [a", with: "type: text, domain: [1"), isStored: true)
    }

    @Test("Times are RFC 3339 in both directions, from before 1900 to after 9000")
    func times() {
        #expect(Timestamp.text(0) == "1970-01-01T00:00:00Z")
        #expect(Timestamp.text(951_782_400) == "2000-02-29T00:00:00Z")
        #expect(Timestamp.text(-1) == "1969-12-31T23:59:59Z")
        var seconds: Int64 = -3_000_000_000
        while seconds < 250_000_000_000 {
            #expect(CivilText.seconds(Timestamp.text(seconds)) == seconds)
            seconds += 86_400 * 131 + 12_347
        }
        for wrong in ["2023-02-29", "2024-13-01", "2024-1-1", "x", "", "2024-00-10"] {
            #expect(CivilText.days(wrong) == nil)
        }
    }
}
