import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Secrets
import Tables
import Testing

@testable import Datasite

@Suite("What a manifest declares of a column is what its table holds (docs/privacy.md, rules 12 and 28)")
struct DeclaredBoundsTests {
    let test: TestSite

    init() throws { test = try TestSite(researchers: []) }

    static func manifest(_ columns: String, unit: String = "row") -> String {
        """
        name: t
        title: T
        description: Made up
        population: people
        unit: \(unit)
        capacity: {rows: 25000, units: 25000}
        policy: {loss: pure, total: {epsilon: 10000}}
        columns:
        \(columns)
        """
    }

    @discardableResult
    func add(_ rows: String, _ manifest: String, _ onError: OnError = .refuse) throws -> AdditionReport {
        try test.site.addDataset(file: test.file("t", rows), manifestText: manifest, onError: onError)
    }

    /// The numbers of the answer's last column, without noise but for a chance of exp(-1000).
    func ask(_ sql: String, _ name: String = "t") throws -> [Double] {
        let entry = try #require(try test.site.catalogue().datasets[name])
        let manifest = entry.manifest
        let description = DatasetDescription(
            name: name, schema: manifest.schema, unit: manifest.unit, weightColumn: nil,
            capacityRows: manifest.capacityRows, population: manifest.population)
        let regime = LossRegime(kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 1e-6, total: 1e9)
        let plan = try Planner.plan(
            Question(sql: sql, budget: .rho(10_000)), in: PlanningContext(datasets: [description], regime: regime))
        var random = SeededGenerator(seed: 1)
        let answer = plan.measure(.table(try test.site.table(entry)), lookups: [], using: &random).answer
        return answer.rows.map { row in
            switch row.last?.value {
            case .integer(let number)?: Double(number)
            case .real(let number)?: number
            default: .nan
            }
        }
    }

    // MARK: Bounds

    @Test("A value outside is the bound for a filter and a key, and the owner hears how many")
    func f01() throws {
        let report = try add(
            "age,w\n30,a\n30,a\n95,a\n95,a\n10,a\n",
            Self.manifest(
                "  - {name: age, type: integer, bounds: [18, 90], nullable: false}\n  - {name: w, type: text}"))
        #expect(report.warnings == ["3 values of age outside its bounds count as the bound: 60.0 % of all rows"])
        #expect(try ask("SELECT age > 90 AS old, COUNT(*) FROM t GROUP BY old") == [5])
        #expect(try ask("SELECT COUNT(*) FROM t WHERE age > 90") == [0])
        #expect(try ask("SELECT COUNT(*) FROM t WHERE age = 90") == [2])
        #expect(try ask("SELECT COUNT(*) FROM t WHERE age BETWEEN 18 AND 30") == [3])
    }

    @Test("Outside the bounds is null where the column says so, and the owner hears it")
    func outsideNull() throws {
        let report = try add(
            "x,y\n1,0.26\n7,0.9\n-2,0.94\n",
            Self.manifest(
                """
                  - {name: x, type: integer, bounds: [0, 5], outside: null}
                  - {name: y, type: real, bounds: [0, 0.9], resolution: 0.1}
                """))
        #expect(report.warnings == ["2 values of x outside its bounds became null: 66.7 % of all rows"])
        #expect(try ask("SELECT COUNT(x) FROM t") == [1])
        #expect(try ask("SELECT COUNT(*) FROM t WHERE y = 0.3") == [1])
        #expect(try ask("SELECT COUNT(*) FROM t WHERE y = 0.9") == [2])
    }

    @Test("The demonstration's table loses no row to a key that its bounds list")
    func demonstration() throws {
        let example = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Examples/randhie")
        let text = try String(contentsOf: example.appending(path: "manifest.yaml"), encoding: .utf8)
        let report = try test.site.addDataset(
            file: example.appending(path: "randhie.csv.gz").path, manifestText: text)
        #expect(report.rows == 20_190)
        #expect(
            report.warnings.contains(
                "16 values of mdvis outside its bounds count as the bound: below 0.1 % of all rows"))
        for key in ["mdvis > 50", "BIN(meddol, 1000)", "FLOOR(income / 1000)", "CASE WHEN num > 13 THEN 'many' END"] {
            let counts = try ask("SELECT \(key) AS k, COUNT(*) FROM randhie GROUP BY 1", "randhie")
            #expect(counts.reduce(0, +).rounded() == 20_190, "\(key)")
        }
    }

    @Test("What names a unit is never clipped: outside is an error with line, column and limits, without the value")
    func units() throws {
        let columns =
            "  - {name: person, type: integer, bounds: [1, 50], nullable: false}\n  - {name: x, type: boolean}"
        let manifest = Self.manifest(columns, unit: "{column: person, rows: 2, groups: 1}")
        for wrong in ["777", "0777", "-3", "9223372036854775807"] {
            do {
                try add("person,x\n1,true\n50,true\n\(wrong),false\n", manifest)
                Issue.record("it was added")
            } catch let problem as Problem {
                #expect(
                    problem.detail == "line 4, column 'person': expected an integer, since the column is not nullable, "
                        + "from 1 to 50; what names a unit or a lookup's row is never cut or clipped")
            }
        }
        let report = try add("person,x\n1,true\n50,true\n777,false\n", manifest, .skipUnit)
        #expect(report.rows == 2 && report.units == 2)
    }

    @Test("A lookup table's key is neither clipped nor cut")
    func lookupKeys() throws {
        let manifest = """
            name: t
            kind: lookup
            key: code
            columns:
              - {name: code, type: integer, bounds: [0, 10]}
              - {name: share, type: real, bounds: [0, 1]}
            """
        #expect(throws: Problem.self) { try add("code,share\n1,0.5\n11,0.5\n", manifest) }
        let report = try add("code,share\n1,0.5\n10,7\n", manifest)
        #expect(report.warnings == ["1 value of share outside its bounds counts as the bound: 50.0 % of all rows"])
    }

    // MARK: Names of units

    @Test("A unit's name is never cut: too long a one is refused with its line and the limit")
    func longNames() throws {
        let long = String(repeating: "p", count: 128)
        let manifest = Self.manifest(
            "  - {name: uid, type: text}\n  - {name: v, type: integer, bounds: [0, 10]}",
            unit: "{column: uid, rows: 1, groups: 1}")
        do {
            try add("uid,v\n\(long.dropLast())a,1\n\(long)0,1\n\(long)1,1\n", manifest)
            Issue.record("it was added")
        } catch let problem as Problem {
            #expect(
                problem.detail.hasPrefix("line 3, column 'uid': expected UTF-8 text or nothing, of at most 128 bytes"))
            #expect(!problem.detail.contains("ppp"))
        }
        let report = try add("uid,v\n\(long),1\n\(long.dropLast())a,1\n\(long)1,1\n\(long)2,1\n", manifest, .null)
        #expect(report.units == 2 && report.rows == 2)
        #expect(report.warnings.contains("2 rows dropped: they name no unit: 50.0 % of all rows"))
    }

    @Test("Two times of one second do not become one unit")
    func fractions() throws {
        let manifest = Self.manifest(
            "  - {name: at, type: timestamp}\n  - {name: v, type: boolean}", unit: "{column: at, rows: 1, groups: 1}")
        #expect(throws: Problem.self) {
            try add("at,v\n2020-01-01T00:00:00.25Z,true\n2020-01-01T00:00:00.5Z,true\n", manifest)
        }
        #expect(try add("at,v\n2020-01-01T00:00:00.000Z,true\n", manifest).units == 1)
    }

    @Test("Numbers that begin with a zero, or are longer than 64 bits, are codes: a draft takes them for text")
    func codes() throws {
        func type(_ values: String...) throws -> Substring? {
            let file = try test.file("codes", "code,v\n" + values.map { "\($0),6\n" }.joined())
            let lines = try Datasite.describe(file).text.split(separator: "\n")
            let name = try #require(lines.firstIndex { $0.hasPrefix("  - name: code") })
            return lines[name + 1].split(separator: " ").last
        }
        #expect(try type("0870", "870") == "text")
        #expect(try type("870", "-01") == "text")
        #expect(try type("01.5", "2.5") == "text")
        #expect(try type("12345678901234567890", "1") == "text")
        #expect(try type("0", "870", "-1") == "integer")
        #expect(try type("0.5", "0", "1e30") == "real")
    }

    @Test("Leading zeros in columns of integers are told to the owner")
    func leadingZeros() throws {
        let manifest = Self.manifest(
            "  - {name: code, type: integer}\n  - {name: v, type: integer, bounds: [0, 10]}",
            unit: "{column: code, rows: 5, groups: 1}")
        let report = try add("code,v\n0870,05\n870,6\n0,7\n 012,7\n\"013\",7\n", manifest)
        #expect(report.units == 4)
        // The other dataset of this site has people of these numbers.
        let told = report.warnings.filter { !$0.contains("occur in visits") }
        #expect(told.count == 2)
        #expect(told[0].hasPrefix("3 values of code are written with leading zeros"))
        #expect(told[1].hasPrefix("1 value of v is written with leading zeros"))
    }

    // MARK: The manifest

    @Test(
        "A declaration that would make one value two, or two one, is refused",
        arguments: [
            ("  - {name: x, type: integer, bounds: [0, 10], domain: [5, 11]}", "`columns.x.domain`"),
            ("  - {name: x, type: real, bounds: [0, 10], resolution: 0.5, domain: [0.5, 0.7]}", "`columns.x.domain`"),
            ("  - {name: x, type: integer, resolution: 0.5}", "`columns.x.resolution`"),
            ("  - {name: x, type: integer, bounds: [0, 9], outside: \"null\", nullable: false}", "`columns.x.outside`"),
            ("  - {name: x, type: integer, outside: \"null\"}", "`columns.x.outside`"),
            ("  - {name: u, type: text, domain: [a, b], other: b}", "`columns.u.other`"),
            ("  - {name: u, type: integer, bounds: [0, 9], outside: \"null\"}", "`columns.u.outside`"),
        ])
    func contradictions(column: String, path: String) throws {
        let isUnit = column.contains("name: u")
        let text = Self.manifest(column, unit: isUnit ? "{column: u, rows: 1, groups: 1}" : "row")
        do {
            _ = try ManifestDocument(text)
            Issue.record("it was accepted")
        } catch let problem as Problem {
            #expect(problem.detail.contains(path))
        }
    }

    @Test("A manifest that was accepted before is still read: values outside its bounds are the bound, as in its table")
    func storedManifest() throws {
        let text = Self.manifest("  - {name: x, type: integer, bounds: [0, 10], domain: [5, 11, 12], other: 12}")
        let column = try ManifestDocument(text, isStored: true).manifest.schema.columns[0]
        #expect(column.domain == [.integer(5), .integer(10)] && column.other == .integer(10))
    }

    @Test("Made-up rows hold values that the columns can have, and units that the unit's column can name")
    func mockRows() throws {
        let manifest = try ManifestDocument(
            Self.manifest(
                """
                  - {name: u, type: integer, bounds: [100, 120], nullable: false}
                  - {name: x, type: integer, bounds: [3, 50], resolution: 10}
                  - {name: y, type: real, bounds: [0.05, 1], resolution: 0.3}
                  - {name: d, type: date, bounds: [2020-01-01, 2021-01-01], resolution: 7}
                """, unit: "{column: u, rows: 3, groups: 1}")
        ).manifest
        for row in MockData(manifest).rows() {
            for (value, column) in zip(row, manifest.schema.columns) { #expect(column.bounded(value) == value) }
        }
        #expect(try MockData(manifest).table().unitCount == 21)
    }
}

@Suite("Files that are no tables, or hardly")
struct OddFilesTests {
    let folder = IngestFolder()
    let key = ClusteringKey(siteSecret: Array(0..<32), population: "people")

    func load(_ file: String, inflated: Int = 1 << 28) throws -> IngestReport {
        let schema = Schema(columns: [ColumnSchema(name: "a", type: .integer)])
        let manifest = Manifest(
            name: "t", title: "", description: "", population: "people", schema: schema,
            unit: UnitDeclaration(column: nil, rowsPerUnit: 1, groupsPerUnit: 1), capacityRows: 1 << 30,
            capacityUnits: 1 << 30, policy: nil)
        var options = IngestOptions()
        options.inflatedBytes = inflated
        return try ingest(
            file: file, manifest: manifest, key: key, into: folder.path("table-\(UUID().uuidString)"), options: options)
    }

    @Test("A pipe and a device are refused at once", .timeLimit(.minutes(20)))
    func pipes() throws {
        let pipe = folder.path("pipe.csv")
        #expect(mkfifo(pipe, 0o600) == 0)
        for path in [pipe, "/dev/zero", "/dev/null", folder.root] {
            #expect(
                throws: IngestError.unreadable(
                    path: path, reason: "it is not a file but a folder, a pipe or a device; save it to a file first")
            ) { try load(path) }
            #expect(throws: Problem.self) { try Datasite.describe(path) }
        }
    }

    @Test("Zeros behind gzip data are padding; anything else is damage")
    func padding() throws {
        let packed = try folder.compress(folder.write("t.csv", "a\n1\n2\n"))
        let bytes = try Data(contentsOf: URL(filePath: packed))
        for count in [1, 512, 1 << 19] {
            try (bytes + Data(count: count)).write(to: URL(filePath: packed))
            #expect(try load(packed).rowsKept == 2)
        }
        try (bytes + Data(count: 512) + bytes.dropFirst(0)).write(to: URL(filePath: packed))
        #expect(throws: IngestError.self) { try load(packed) }  // The second header is no row.
        for tail in [Data([7]), Data(count: 512) + Data([7, 7, 7]), bytes.dropLast(4)] {
            try (bytes + tail).write(to: URL(filePath: packed))
            #expect(throws: IngestError.damagedCompression) { try load(packed) }
        }
    }

    @Test("A file that inflates beyond measure is refused, with the limit")
    func inflation() throws {
        let packed = try folder.compress(folder.write("t.csv", "a\n" + String(repeating: "1\n", count: 1 << 20)))
        #expect(try load(packed).rowsKept == 1 << 20)
        let error = IngestError.inflatesTooMuch(limit: 200)
        #expect(throws: error) { try load(packed, inflated: 1 << 20) }
        #expect("\(error)".contains("200 times its size"))
    }

    @Test("A table without rows is told")
    func noRows() throws {
        let test = try TestSite(researchers: [])
        let manifest = DeclaredBoundsTests.manifest("  - {name: a, type: integer}")
        let report = try test.site.addDataset(file: test.file("t", "a\n"), manifestText: manifest)
        #expect(report.rows == 0 && report.warnings == ["the file holds no rows: the table is empty"])
    }
}
