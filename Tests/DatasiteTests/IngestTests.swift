import Foundation
import Governance
import Query
import Secrets
import Tables
import Testing

@testable import Datasite

@Suite("A file becomes a table's files: whole, durable, or not at all")
struct IngestTests {
    let folder = IngestFolder()
    let key = ClusteringKey(siteSecret: Array(0..<32), population: "people")

    func manifest(rowsPerUnit: Int = 3, capacityRows: Int = 1 << 30, capacityUnits: Int = 1 << 30) -> Manifest {
        let schema = Schema(columns: [
            ColumnSchema(name: "person", type: .integer), ColumnSchema(name: "plan", type: .text),
            ColumnSchema(name: "cost", type: .real),
        ])
        return Manifest(
            name: "t", title: "", description: "", population: "people", schema: schema,
            unit: UnitDeclaration(column: 0, rowsPerUnit: rowsPerUnit, groupsPerUnit: 1), capacityRows: capacityRows,
            capacityUnits: capacityUnits, policy: nil)
    }

    /// Rows with quotes and line ends inside, some twice.
    func csv(rows: Int, seed: UInt64 = 1) -> String {
        var generator = SeededGenerator(seed: seed)
        var text = "person,plan,cost\n"
        for row in 0..<rows {
            let plan = ["a", "\"b,\n\"\"c\"\"\"", "", "é"][Int(generator.next() % 4)]
            text += "\(generator.next() % UInt64(rows / 2 + 1)),\(plan),\(row % 7).25\n"
        }
        return text
    }

    /// A table's files' contents, without the description's.
    func parts(_ directory: String) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        return try Dictionary(
            uniqueKeysWithValues: names.map { name in
                (name, try Data(contentsOf: URL(filePath: directory + "/" + name)))
            })
    }

    func count(_ table: Table) -> Int64 {
        let specification = AggregationSpecification(
            filter: nil, keys: [], measures: [Measure(.rows)],
            bounds: ContributionBounds(groupsPerUnit: 1, rowsPerGroup: 1000))
        return BoundedAggregation(specification, source: .table(table)).run().integers(0)[0]
    }

    @Test("The same files come of any number of threads, size of blocks and spilling, plain and compressed")
    func independence() throws {
        let text = csv(rows: 3000)
        let plain = try folder.write("t.csv", text)
        let reference = folder.path("reference")
        let report = try ingest(file: plain, manifest: manifest(), key: key, into: reference)
        #expect(report.rowsRead == 3000 && report.rowsKept + report.rowsBeyondBound == 3000)
        let expected = try parts(reference)
        #expect(expected.count == 9)
        for (number, setting) in [(1, 1 << 20, 1 << 30), (3, 1 << 10, 1 << 30), (2, 1 << 12, 1), (1, 1 << 10, 30_000)]
            .enumerated()
        {
            for file in [plain, try folder.compress(plain)] {
                var options = IngestOptions()
                (options.threads, options.blockBytes, options.memoryBytes) = setting
                // Some settings leave room for one piece of each partition, others for a few rows.
                options.sortingBytes = number % 2 == 0 ? 1 << 28 : 1
                let directory = folder.path("\(number)\(file.hasSuffix("gz"))")
                #expect(
                    try ingest(file: file, manifest: manifest(), key: key, into: directory, options: options) == report)
                #expect(try parts(directory) == expected)
            }
        }
    }

    @Test("A table is opened again as it was written, and its files verify")
    func opening() throws {
        let directory = folder.path("t")
        let report = try ingest(
            file: folder.write("t.csv", csv(rows: 500)), manifest: manifest(), key: key, into: directory)
        let files = TableFiles(directory: directory)
        let table = try files.open(schema: manifest().schema)
        #expect(table.rowCount == report.rowsKept && table.unitCount == report.units)
        #expect(count(table) == Int64(report.rowsKept))
        #expect(try files.damagedParts() == [])
        let attributes = try FileManager.default.attributesOfItem(atPath: directory)
        #expect(attributes[.posixPermissions] as? Int == 0o700)
    }

    @Test("A changed byte or a missing file is found; a table that cannot be is not opened")
    func damage() throws {
        let directory = folder.path("t")
        try ingest(file: folder.write("t.csv", csv(rows: 500)), manifest: manifest(), key: key, into: directory)
        let files = TableFiles(directory: directory)
        let column = URL(filePath: directory + "/column-2")
        var bytes = try Data(contentsOf: column)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: column)
        #expect(try files.damagedParts() == ["column-2"])
        try bytes.dropLast().write(to: column)
        #expect(throws: StoredTableError.damaged(.column(2))) { try files.open(schema: manifest().schema) }
        try FileManager.default.removeItem(at: column)
        #expect(try files.damagedParts() == ["column-2"])
        #expect(throws: IngestError.self) { try files.open(schema: manifest().schema) }
        var schema = manifest().schema
        schema.columns.removeLast()
        #expect(throws: StoredTableError.schemaDiffers) { try files.open(schema: schema) }
        try Data("{}".utf8).write(to: URL(filePath: directory + "/" + TableFiles.descriptionName))
        #expect(throws: IngestError.self) { try files.open(schema: manifest().schema) }
    }

    @Test(
        "What is refused says why and leaves nothing behind",
        arguments: [
            ("person,plan,cost\n1,a,1\n2,b,secret\n", "line 3, column 'cost': expected a number or nothing"),
            ("person,plan\n1,a\n", "line 1, column 'cost': expected a header that names this column"),
            ("person,plan,cost\n1,\"a,1\n", "line 2: expected a closing quote for the one that opens here"),
            ("", "the file is empty"),
            (
                "person,plan,cost\n1,a,1\n2,a,1\n3,a,1\n",
                "the file has more units than the manifest's capacity of 2; declare a larger capacity"
            ),
            (
                "person,plan,cost\n1,a,1\n1,a,2\n1,a,3\n2,a,1\n2,a,2\n2,a,3\n",
                "the file has more rows than the manifest's capacity of 5; declare a larger capacity"
            ),
        ])
    func refusals(text: String, expected: String) throws {
        let file = try folder.write("t.csv", text)
        let directory = folder.path("t")
        var message = ""
        do {
            try ingest(file: file, manifest: manifest(capacityRows: 5, capacityUnits: 2), key: key, into: directory)
        } catch {
            message = "\(error)"
        }
        #expect(message == expected)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["t.csv"])
    }

    @Test("A file that is not there, a folder, a cut or broken gzip file, too many texts: a clear error, nothing left")
    func unreadable() throws {
        let whole = try Data(contentsOf: URL(filePath: folder.compress(folder.write("t.csv", csv(rows: 2000)))))
        try whole.prefix(whole.count / 2).write(to: URL(filePath: folder.path("cut.csv.gz")))
        var broken = whole
        broken[whole.count / 2] ^= 0xff
        try broken.write(to: URL(filePath: folder.path("broken.csv.gz")))
        var options = IngestOptions()
        options.textBytes = 1
        for name in ["cut.csv.gz", "broken.csv.gz", "missing.csv", "", "t.csv"] {
            #expect(throws: IngestError.self, "\(name)") {
                try ingest(
                    file: folder.path(name), manifest: manifest(), key: key, into: folder.path("t"), options: options)
            }
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.root)
        #expect(!left.contains("t") && !left.contains("t.partial"))
    }

    @Test("A gzip file of several members is read to its end")
    func members() throws {
        let first = try folder.compress(folder.write("a.csv", "person,plan,cost\n1,a,1\n"))
        let second = try folder.compress(folder.write("b.csv", "2,b,2\n3,c,"))
        let both = try Data(contentsOf: URL(filePath: first)) + Data(contentsOf: URL(filePath: second))
        try both.write(to: URL(filePath: folder.path("both.csv.gz")))
        let report = try ingest(
            file: folder.path("both.csv.gz"), manifest: manifest(), key: key, into: folder.path("t"))
        #expect(report.rowsKept == 3)
    }

    @Test("The format follows the file's name: lines of JSON, tabs, all else commas")
    func names() throws {
        for (name, text) in [
            ("a.ndjson", "\u{feff}{\"person\":1,\"plan\":\"x\",\"cost\":2}\n{\"person\":2}"),
            ("a.jsonl", "{\"person\":1}\n{\"person\":2}\n"),
            ("a.tsv", "person\tplan\tcost\n1\ta,b\t\n2\t\t1\n"), ("a.txt", "person,plan,cost\n1,\"a\tb\",\n2,,1"),
        ] {
            let report = try ingest(
                file: folder.write(name, text), manifest: manifest(), key: key, into: folder.path(name + "-t"))
            #expect(report.rowsKept == 2, "\(name)")
        }
    }

    @Test("A stale half-written table is replaced; one that is there is not")
    func places() throws {
        let file = try folder.write("t.csv", csv(rows: 10))
        try FileManager.default.createDirectory(atPath: folder.path("t.partial"), withIntermediateDirectories: false)
        try ingest(file: file, manifest: manifest(), key: key, into: folder.path("t"))
        let before = try parts(folder.path("t"))
        #expect(throws: IngestError.self) {
            try ingest(file: file, manifest: manifest(), key: key, into: folder.path("t"))
        }
        #expect(try parts(folder.path("t")) == before)
        #expect(throws: IngestError.self) {
            try ingest(file: file, manifest: manifest(), key: key, into: folder.path("none/t"))
        }
    }

    @Test("The owner's policy for wrong rows counts what it did and shows the first lines")
    func report() throws {
        let lines = (1...60).map { "\($0 % 20),a,\($0 % 3 == 0 ? "?" : "1")" }
        let file = try folder.write("t.csv", "person,plan,cost\n" + lines.joined(separator: "\n") + "\n")
        var options = IngestOptions()
        options.onError = .null
        options.blockBytes = 1 << 10
        let report = try ingest(file: file, manifest: manifest(), key: key, into: folder.path("t"), options: options)
        #expect(report.rowsWrong == 20 && report.columns[2].wrongBecameNull == 20 && report.rowsKept == 60)
        #expect(report.examples.map(\.line) == (1...20).map { $0 * 3 + 1 })
        #expect(report.examples.allSatisfy { $0.column == "cost" && $0.expected == "a number or nothing" })
    }

    @Test("A row that never ends is refused before it takes the memory")
    func endlessRow() throws {
        let file = try folder.write(
            "t.csv", "person,plan,cost\n1,\"" + String(repeating: "x\n", count: (BlockReader.longestRow + 100) / 2))
        #expect(throws: IngestError.rowTooLong(line: 2)) {
            try ingest(file: file, manifest: manifest(), key: key, into: folder.path("t"))
        }
    }

    @Test("A header longer than a block is read whole; one that never ends is refused")
    func longHeader() throws {
        let wide = (0..<400).map { "column_\($0)" }.joined(separator: ",")
        let row = "1,1,1" + String(repeating: ",", count: 400)
        let file = try folder.write("wide.csv", "person,plan,cost,\(wide)\n\(row)\n")
        var options = IngestOptions()
        options.blockBytes = 1 << 10
        let report = try ingest(file: file, manifest: manifest(), key: key, into: folder.path("t"), options: options)
        #expect(report.rowsKept == 1)
        let endless = try folder.write("endless.csv", "person,plan,\"" + String(repeating: "x", count: 2 << 20))
        #expect(throws: IngestError.rowTooLong(line: 1)) {
            try ingest(file: endless, manifest: manifest(), key: key, into: folder.path("u"))
        }
    }

    @Test("Threads that end the work while another writes give back what they hold once")
    func endedWhileWriting() throws {
        let plan = IngestPlan(schema: manifest().schema, unitColumn: 0, rowsPerUnit: 3, key: key)
        let worker = IngestWorker(plan)
        try worker.append((0..<2_000).map { [.integer($0), .text("a"), .real(1)] })
        // Every partition counts as a large one, whose writing asks now and then whether to go on.
        let assembler = TableAssembler([worker], plan: plan, pieceBytes: 1)
        let output = TableOutput(assembler, try TableWriter(directory: folder.path("t")), waiting: 4)
        let sorter = assembler.sorter()
        var ended = 0
        for number in 0..<3 { #expect(output.claim() == number) }
        try output.put(1, try sorter.partition(1)) { ended += 1 }
        try output.put(0, try sorter.partition(0)) {
            output.stop()
            output.stop()
            ended += 1
        }
        #expect(ended > 0)
        try output.put(2, try sorter.partition(2)) { Issue.record("written after the end") }
        output.stop()
        // All four places are free again: none of these waits for ever.
        for _ in 0..<8 { #expect(output.claim() == nil) }
    }
}

/// A folder that goes with the test.
final class IngestFolder: Sendable {
    let root: String

    init() {
        root = FileManager.default.temporaryDirectory.appending(path: "parley-ingest-\(UUID().uuidString)").path
        try? FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: root)
    }

    func path(_ name: String) -> String { root + "/" + name }

    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
        return path(name)
    }

    /// The file as gzip beside it.
    func compress(_ file: String) throws -> String {
        let process = BegunProcess()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-k", "-f", file]
        try process.begin()
        process.waitUntilExit()
        return file + ".gz"
    }
}
