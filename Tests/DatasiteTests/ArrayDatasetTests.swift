import DatasiteProtocol
import Foundation
import Governance
import Learning
import Secrets
import Testing

@testable import Datasite
@testable import Tables

@Suite("Datasets whose rows have arrays")
struct ArrayDatasetTests {
    /// One row: the image shows its own number in every pixel.
    struct Row {
        var person: Int
        var shade: UInt8
    }

    static let policy =
        "{loss: renyi, delta: 1e-5, total: {epsilon: 20}, engines: {questions: {}, training: {noise: [0.5, 10], clip: [0.1, 5]}}}"

    static func manifest(rows: Int = 3, array: String = "{name: image, shape: [1, 4, 4], type: uint8}") -> String {
        """
        name: scans
        title: Scans
        description: Made up
        population: patients-of-scans
        unit: {column: person, rows: \(rows), groups: 1}
        capacity: {rows: 1000, units: 500}
        policy: \(policy)
        arrays: [\(array)]
        columns:
          - {name: person, type: integer, nullable: false}
          - {name: shade, type: integer, bounds: [0, 255]}
          - {name: ill, type: category, domain: [no, yes]}
        """
    }

    static let rows: [Row] = {
        var generator = SeededGenerator(seed: 5)
        return (0..<150).map { _ in Row(person: Int(generator.next() % 60), shade: UInt8(generator.next() % 256)) }
    }()

    /// The kinds of files that numbers come in.
    enum Form: String, CaseIterable { case npy, idx, idxGzip, png, wide }

    static func image(_ row: Row) -> [UInt8] { [UInt8](repeating: row.shade, count: 15) + [row.shade ^ 0xFF] }

    /// Of its own file: as everything of a row, it says nothing of others.
    static func name(_ row: Row) -> String { "\(row.person)-\(row.shade).png" }

    static func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

    static func npy(_ shape: [Int], type: String = "|u1", _ bytes: [UInt8]) -> [UInt8] {
        let extents = shape.map { "\($0)," }.joined()
        let header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(extents)), }\n"
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]
            + Array(header.utf8) + bytes
    }

    static func idx(_ shape: [Int], _ bytes: [UInt8]) -> [UInt8] {
        [0, 0, 8, UInt8(shape.count)]
            + shape.flatMap { extent in [24, 16, 8, 0].map { UInt8(extent >> $0 & 255) } } + bytes
    }

    /// An image of one channel, with nothing compressed.
    static func png(width: Int, height: Int, _ pixels: [UInt8]) -> [UInt8] {
        func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
        func chunk(_ kind: String, _ data: [UInt8]) -> [UInt8] {
            let body = Array(kind.utf8) + data
            return big(UInt32(data.count)) + body + big(body.withUnsafeBytes { checksum(0, $0) })
        }
        let lines = (0..<height).flatMap { [0] + pixels[$0 * width..<($0 + 1) * width] }
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in lines { (a, b) = ((a + UInt32(byte)) % 65_521, (b + (a + UInt32(byte)) % 65_521) % 65_521) }
        let count = [UInt8(lines.count & 255), UInt8(lines.count >> 8)]
        let stored = [0x78, 0x01, 1] + count + count.map { ~$0 } + lines + big(b << 16 | a)
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
            + chunk("IHDR", big(UInt32(width)) + big(UInt32(height)) + [8, 0, 0, 0, 0]) + chunk("IDAT", stored)
            + chunk("IEND", [])
    }

    /// Writes the rows' table and images; gives both.
    static func files(_ test: TestSite, _ rows: [Row], as form: Form) throws -> (table: String, arrays: [ArrayFile]) {
        let folder = test.path + "-" + hexadecimal(SecureRandom.bytes(6))
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let isPNG = form == .png
        // A text with a line's end inside must not shift rows against images.
        var text = "note,person,shade,ill\(isPNG ? ",file" : "")\r\n"
        for (number, row) in rows.enumerated() {
            text += "\"a,\"\"\n\(number)\",\(row.person),\(row.shade),\(row.shade < 128 ? "no" : "yes")"
            text += isPNG ? ",\(name(row))\r\n" : number == 3 ? "\r\n\r\n" : "\r\n"
        }
        if !isPNG { text.removeLast(1) }
        let table = folder + "/table.csv"
        try write(Array(text.utf8), to: table)
        let pixels = rows.flatMap(image)
        let shape = [rows.count, 4, 4]
        var path = folder + "/images"
        switch form {
        case .npy: try write(npy(shape, pixels), to: path)
        case .wide:
            let wide = pixels.flatMap { withUnsafeBytes(of: Float($0).bitPattern.littleEndian) { Array($0) } }
            try write(npy([rows.count, 1, 4, 4], type: "<f4", wide), to: path)
        case .idx: try write(idx(shape, pixels), to: path)
        case .idxGzip:
            try write(idx(shape, pixels), to: path)
            let process = BegunProcess()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["gzip", path]
            try process.begin()
            process.waitUntilExit()
            path += ".gz"
        case .png:
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            for row in rows { try write(png(width: 4, height: 4, image(row)), to: path + "/" + name(row)) }
        }
        return (table, [ArrayFile(name: "image", path: path)])
    }

    static func table(_ test: TestSite) throws -> Tables.Table {
        try test.site.table(try #require(try test.site.catalogue().datasets["scans"]))
    }

    /// Each unit's rows in their order: the column and the image.
    static func units(_ table: Tables.Table, rowsPerUnit: Int = 3, element: Int = 1) -> [[[UInt8]]] {
        let shade = ColumnInput(column: 1, form: .number(lower: 0, upper: 255, missing: 0))
        let label = ColumnInput(column: 2, form: .oneOf([.text("no"), .text("yes")]))
        let rows = table.examples(inputs: [shade], array: 0, label: label, rowsPerUnit: rowsPerUnit)
        let size = 16 * element
        return rows.units.map { unit in
            unit.map { row in
                let column = UInt8((rows.inputs[row] * 255).rounded())
                #expect(rows.labels?[row] == (column < 128 ? 0 : 1))
                return [column] + rows.bytes[row * size..<(row + 1) * size]
            }
        }
    }

    @Test("Each row keeps its own numbers, from whichever kind of file they come", arguments: Form.allCases)
    func whole(_ form: Form) throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Self.rows, as: form)
        let array =
            form == .wide
            ? "{name: image, shape: [1, 4, 4], type: float32, bounds: [0, 255]}"
            : "{name: image, shape: [1, 4, 4], type: uint8}"
        let report = try test.site.addDataset(
            file: table, arrays: arrays, manifestText: Self.manifest(rows: 20, array: array) + "\nignore: [note, file]")
        #expect(report.rows == 150 && report.rowsRead == 150)
        let units = Self.units(try Self.table(test), rowsPerUnit: 20, element: form == .wide ? 4 : 1)
        let found = units.joined().map { row -> [UInt8] in
            guard form == .wide else { return row }
            return [row[0]]
                + stride(from: 1, to: row.count, by: 4).map { place in
                    UInt8(row[place..<place + 4].withUnsafeBytes { $0.loadUnaligned(as: Float.self) })
                }
        }
        #expect(found.allSatisfy { $0.dropFirst().elementsEqual(Self.image(Row(person: 0, shade: $0[0]))) })
        #expect(found.map { $0[0] }.sorted() == Self.rows.map(\.shade).sorted())
        #expect(try test.site.verify().problems == [])
        let stored = try FileManager.default.contentsOfDirectory(
            atPath: test.site.folder.directory(ofVersion: report.version))
        #expect(
            stored.filter { $0.hasSuffix("-3") || $0.hasPrefix("column-3") } == [] && stored.contains("array-0"),
            "\(stored)")
    }

    @Test(
        "Columns that are computed of an array go with their rows, whichever kind of file it comes from",
        arguments: Form.allCases)
    func computed(_ form: Form) async throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Self.rows, as: form)
        let array =
            form == .wide
            ? "{name: image, shape: [1, 4, 4], type: float32, bounds: [0, 255]}"
            : "{name: image, shape: [1, 4, 4], type: uint8}"
        let manifest = Self.manifest(rows: 20, array: array).replacing(
            "columns:\n",
            with:
                "columns:\n  - {name: light, mean-of: image, resolution: 0.25}\n  - {name: contrast, deviation-of: image, bounds: [0, 20]}\n"
        )
        let report = try test.site.addDataset(
            file: table, arrays: arrays, manifestText: manifest + "\nignore: [note, file]")
        let added = try Self.table(test)
        #expect(
            added.rowCount == 150
                && added.schema.columns.map(\.name) == ["person", "shade", "ill", "light", "contrast"])
        for row in 0..<added.rowCount {
            guard case .integer(let shade) = added.value(1, row), case .real(let light) = added.value(3, row),
                case .real(let contrast) = added.value(4, row)
            else {
                Issue.record("row \(row) lacks a number")
                return
            }
            // 15 pixels of one shade, and its complement.
            let (own, other) = (Double(shade), Double(255 - shade))
            #expect(abs(light - (15 * own + other) / 16) <= 0.125)
            #expect(abs(contrast - min(20, abs(own - other) * 15.0.squareRoot() / 16)) < 1e-9)
        }
        let detail = try test.site.dataset("scans", as: .ada)
        let columns = detail.columns.filter { $0.computed != nil }
        #expect(columns.map(\.computed?.statistic) == ["mean", "deviation"] && columns.map(\.lower) == [0, 0])
        #expect(
            columns.map(\.upper) == [255, 20] && columns.allSatisfy { $0.computed?.array == "image" && !$0.nullable })
        _ = try await test.site.ask(
            AskRequest(dataset: "scans", sql: "SELECT AVG(light) FROM scans WHERE contrast < 15", budget: .epsilon(1)),
            as: .ada)
        #expect(try test.site.verify().problems == [])
        let stored = try FileManager.default.contentsOfDirectory(
            atPath: test.site.folder.directory(ofVersion: report.version))
        #expect(
            stored.filter { $0.hasPrefix("column-") && !$0.hasPrefix("column-2-") }.sorted()
                == (0..<5).map { "column-\($0)" }, "\(stored)")
    }

    @Test(
        "A column that cannot be computed is refused with its place",
        arguments: [
            ("mean-of: picture", "there is no array of this name"),
            ("mean-of: image, deviation-of: image", "one of `mean-of` and `deviation-of`"),
            ("mean-of: image, type: integer", "is of type real"),
            ("mean-of: image, nullable: true", "has no `nullable`"),
            ("mean-of: image, domain: [1]", "has no `domain`"),
            ("mean-of: image, bounds: [3, 1]", "light"),
        ])
    func computedRefused(_ keys: String, words: String) async throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Array(Self.rows.prefix(5)), as: .npy)
        let manifest = Self.manifest().replacing("columns:\n", with: "columns:\n  - {name: light, \(keys)}\n")
        let refusal = await problem {
            _ = try test.site.addDataset(file: table, arrays: arrays, manifestText: manifest + "\nignore: [note]")
        }
        #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
    }

    @Test(
        "Which rows of a person are kept, and in which order, follows from her own rows alone",
        arguments: [Form.npy, .png])
    func ownRowsAlone(_ form: Form) throws {
        let test = try TestSite()
        // Rows beyond the bound that differ in their images alone.
        let rows = (0..<200).map { Row(person: $0 % 40, shade: UInt8($0 / 40 + 40 * ($0 % 3))) }
        let manifest = Self.manifest() + "\nignore: [note, file]"
        func units(_ rows: [Row]) throws -> [[[UInt8]]] {
            let (table, arrays) = try Self.files(test, rows, as: form)
            let isNew = try test.site.catalogue().datasets["scans"] == nil
            if isNew {
                _ = try test.site.addDataset(file: table, arrays: arrays, manifestText: manifest)
            } else {
                _ = try test.site.addVersion(of: "scans", file: table, arrays: arrays)
            }
            return Self.units(try Self.table(test))
        }
        let without = try units(rows)
        #expect(without.count == 40 && without.allSatisfy { $0.count == 3 })
        let more = [Row(person: 77, shade: 9), Row(person: 77, shade: 10), Row(person: 77, shade: 11)]
        let with = try units(more + rows)
        #expect(with.filter { !$0.contains { [9, 10, 11].contains($0[0]) } } == without)
        #expect(with.count == 41)
    }

    @Test("A table may come from arrays alone, its columns too")
    func arraysAlone() throws {
        let test = try TestSite()
        let folder = test.path + "/arrays"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let rows = Self.rows
        func wide(_ values: [Int64]) -> [UInt8] {
            values.flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } }
        }
        try Self.write(Self.npy([150, 4, 4], rows.flatMap(Self.image)), to: folder + "/images.npy")
        try Self.write(
            Self.npy([150], type: "<i8", wide(rows.map { Int64($0.person) + 1 << 60 })), to: folder + "/people.npy")
        try Self.write(Self.npy([150, 1], rows.map(\.shade)), to: folder + "/shades.npy")
        let manifest = Self.manifest(rows: 20).replacing(
            "type: category, domain: [no, yes]", with: "type: integer, domain: [0, 1]"
        ).replacing("name: ill", with: "name: dark")
        try Self.write(Self.npy([150], rows.map { $0.shade < 128 ? 0 : 1 }), to: folder + "/dark.npy")
        let arrays = [
            ("image", "images"), ("person", "people"), ("shade", "shades"), ("dark", "dark"),
        ].map { ArrayFile(name: $0, path: "\(folder)/\($1).npy") }
        let report = try test.site.addDataset(file: nil, arrays: arrays, manifestText: manifest)
        #expect(report.rows == 150 && report.units == Set(rows.map(\.person)).count)
        let table = try Self.table(test)
        let label = ColumnInput(column: 2, form: .oneOf([.integer(0), .integer(1)]))
        let found = table.examples(inputs: [], array: 0, label: label, rowsPerUnit: 20)
        #expect(found.labels?.count == 150)
        for (row, dark) in (found.labels ?? []).enumerated() { #expect((found.bytes[16 * row] < 128) == (dark == 0)) }
    }

    @Test(
        "What does not fit is refused with its place, and nothing is left",
        arguments: [
            ("", "", "image=none.npy", "cannot read none.npy"),
            ("", "", "picture=images", "there is no array or column “picture”"),
            ("", "", "", "the array image has no file"),
            ("shape: [1, 4, 4]", "shape: [1, 4, 5]", "image=images", "rows of 4x4; expected: rows of 1x4x5"),
            ("shape: [1, 4, 4]", "shape: [1, 0, 4]", "image=images", "must be 1 to 4 extents from 1 on"),
            ("shape: [1, 4, 4]", "shape: [8388608, 8388608, 8388608]", "image=images", "must be 1 to 4 extents"),
            ("type: uint8", "type: int9", "image=images", "arrays are not of type `int9`"),
            ("type: uint8", "type: float32", "image=images", "the key `bounds` is missing"),
            ("type: uint8", "type: uint8, bounds: [0, 256]", "image=images", "must be [lower, upper] within 0 and 255"),
            ("name: image", "name: shade", "shade=images", "another column or array of this name"),
            ("", "", "image=short", "the arrays have 149 rows, and the table has more"),
            ("", "", "image=long", "the arrays have 151 rows, and the table has 150"),
            ("", "", "image=table.csv", "expected: IDX or .npy, one array of an archive"),
            ("", "", "image=a.npz:images", "cannot read"),
            ("type: uint8", "type: float32, bounds: [0, 1]", "image=nan", "numbers that are none (NaN)"),
            ("", "", "image=nan", "numbers of type f4"),
        ])
    func refusals(old: String, new: String, array: String, words: String) async throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Self.rows, as: .npy)
        let folder = URL(filePath: table).deletingLastPathComponent().path
        for (name, count) in [("short", 149), ("long", 151)] {
            let pixels = (Self.rows + Self.rows).prefix(count).flatMap(Self.image)
            try Self.write(Self.npy([count, 4, 4], pixels), to: folder + "/" + name)
        }
        let nothing = [Float](repeating: .nan, count: 150 * 16).flatMap { value in
            withUnsafeBytes(of: value.bitPattern) { Array($0) }
        }
        try Self.write(Self.npy([150, 4, 4], type: "<f4", nothing), to: folder + "/nan")
        var given = arrays
        if let file = ArrayFile(array) {
            let path = file.path == "none.npy" ? file.path : folder + "/" + file.path
            given = [ArrayFile(name: file.name, path: path)]
        } else {
            given = []
        }
        let manifest = Self.manifest().replacing(old, with: new) + "\nignore: [note]"
        let folders = try test.versionFolders()
        let refusal = await problem {
            _ = try test.site.addDataset(file: table, arrays: given, manifestText: manifest)
        }
        #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
        #expect(try test.versionFolders() == folders)
        #expect(try test.site.catalogue().datasets["scans"] == nil)
    }

    @Test("An image that is missing, leaves its folder or has another size is refused")
    func images() async throws {
        let test = try TestSite()
        for (name, words) in [
            ("../table.csv", "leaves the folder"), ("gone.png", "No such file"), ("", "names no file"),
        ] {
            let (table, arrays) = try Self.files(test, Array(Self.rows.prefix(5)), as: .png)
            let text = try String(contentsOfFile: table, encoding: .utf8).replacing(
                Self.name(Self.rows[2]), with: name)
            try Self.write(Array(text.utf8), to: table)
            let refusal = await problem {
                _ = try test.site.addDataset(
                    file: table, arrays: arrays, manifestText: Self.manifest() + "\nignore: [note, file]")
            }
            #expect(refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "not refused")")
        }
        let (table, arrays) = try Self.files(test, Array(Self.rows.prefix(5)), as: .png)
        try Self.write(
            Self.png(width: 2, height: 8, Self.image(Self.rows[0])), to: arrays[0].path + "/" + Self.name(Self.rows[4]))
        let refusal = await problem {
            _ = try test.site.addDataset(
                file: table, arrays: arrays, manifestText: Self.manifest() + "\nignore: [note, file]")
        }
        #expect(
            refusal?.detail.contains(".png: image: rows of 8x2x1; expected: rows of 1x4x4") == true,
            "\(refusal?.detail ?? "not refused")")
    }

    @Test("Arrays are in the catalogue, in no question; nothing is appended to them; damage is found")
    func around() async throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Self.rows, as: .npy)
        let report = try test.site.addDataset(
            file: table, arrays: arrays, manifestText: Self.manifest() + "\nignore: [note]")
        let detail = try test.site.dataset("scans")
        #expect(
            detail.arrays == [
                DatasetDetail.Array(
                    name: "image", type: "uint8", shape: [1, 4, 4], lower: 0, upper: 255, description: "")
            ])
        #expect(detail.columns.map(\.name) == ["person", "shade", "ill"])
        #expect(try test.site.dataset("visits").arrays == nil)
        let asked = await problem {
            let question = AskRequest(dataset: "scans", sql: "SELECT SUM(image) FROM scans", budget: .epsilon(1))
            _ = try await test.site.ask(question, as: .ada)
        }
        #expect(asked?.detail.contains("image") == true, "\(asked?.detail ?? "not refused")")
        let appended = await problem { _ = try test.site.append(to: "scans", file: table) }
        #expect(appended?.detail.contains("has arrays, to which nothing is appended") == true)
        let path = test.site.folder.directory(ofVersion: report.version) + "/array-0"
        var bytes = Array(try Data(contentsOf: URL(filePath: path)))
        bytes[17] ^= 1
        try Self.write(bytes, to: path)
        #expect(try test.site.verify().problems.contains { $0.contains("array-0") })
    }

    @Test("Fields are put behind every row, whatever stands in it", arguments: 1...20)
    func appending(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let texts = ["a", "\"b,\n\"\"c\"\"\"", "", "\"x\r\ny\"", "é"]
        let end = seed % 2 == 0 ? "\r\n" : "\n"
        let delimiter = seed % 3 == 0 ? ";" : ","
        var rows = ["name\(delimiter)other"]
        for _ in 0..<500 {
            rows.append((0..<2).map { _ in texts[Int(generator.next() % 5)] }.joined(separator: delimiter))
            if rows.last == delimiter { rows[rows.count - 1] = "1" + delimiter }
        }
        let text = Array((rows.joined(separator: end) + (seed % 5 == 0 ? "" : end)).utf8)
        let fields = AppendedFields(
            names: ["place", "a \"b\""], rows: 500, texts: [(0..<500).map(String.init), (0..<500).map { "t\($0)" }])
        var format = CSVFormat()
        format.delimiter = UInt8(ascii: delimiter == ";" ? ";" : ",")
        let split = Int(generator.next() % UInt64(text.count))
        let source = try AppendingSource(
            BytesSource(Array(text[split...])), start: Array(text[..<split]), format: .csv(format), fields)
        var result: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 97)
        while true {
            let count = try block.withUnsafeMutableBytes { try source.read(into: $0) }
            if count == 0 { break }
            result += block[..<count]
        }
        let expected = zip(rows, ["place,\"a \"\"b\"\"\""] + (0..<500).map { "\($0),t\($0)" }).map { row, field in
            row + delimiter
                + (field.hasPrefix("place")
                    ? "\"place\"\(delimiter)\"a \"\"b\"\"\"" : field.replacing(",", with: delimiter))
        }
        #expect(String(decoding: result, as: UTF8.self) == expected.joined(separator: end) + (seed % 5 == 0 ? "" : end))
    }

    @Test("Rows of JSON get their fields too")
    func appendingToObjects() throws {
        let test = try TestSite()
        let (_, arrays) = try Self.files(test, Self.rows, as: .npy)
        let text = Self.rows.map { row in
            " {\"person\": \(row.person), \"shade\": \(row.shade), \"ill\": \"\(row.shade < 128 ? "no" : "yes")\"}\n"
        }
        let path = test.path + "/rows.ndjson"
        try Self.write(Array(text.joined().utf8), to: path)
        let report = try test.site.addDataset(file: path, arrays: arrays, manifestText: Self.manifest(rows: 20))
        #expect(report.rows == 150)
        let rows = Self.units(try Self.table(test), rowsPerUnit: 20).joined()
        #expect(rows.allSatisfy { $0.dropFirst().elementsEqual(Self.image(Row(person: 0, shade: $0[0]))) })
    }

    @Test("A draft has the shapes and types of files, and loads when it is completed")
    func draft() throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Array(Self.rows.prefix(20)), as: .png)
        let draft = try Datasite.describe(table, arrays: arrays).text
        #expect(draft.contains("arrays:\n  - name: image\n    shape: [1, 4, 4]\n    type: uint8\n    description: "))
        #expect(draft.contains("ignore:\n  - file\n") && !draft.contains("name: file"))
        #expect(throws: Problem.self) { try ManifestDocument(draft) }
        let set = YAMLValue.placeholder
        let completed =
            draft.replacing(
                "unit: {column: \(set), rows: \(set), groups: \(set)}",
                with: "unit: {column: person, rows: 9, groups: 1}"
            )
            .replacing("bounds: [\(set), \(set)]", with: "bounds: [0, 255]").replacing(
                "{rows: \(set), units: \(set)}", with: "{rows: 99}"
            )
            .replacing("domain: [\(set)]", with: "domain: [no, yes]").replacing("epsilon: \(set)", with: "epsilon: 1")
            .replacing(set, with: "words")
        let report = try test.site.addDataset(file: table, arrays: arrays, manifestText: completed)
        #expect(report.rows == 20)

        let folder = test.path + "/numbers"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try Self.write(Self.npy([2, 3], type: "<f4", [UInt8](repeating: 0, count: 24)), to: folder + "/signal.npy")
        try Self.write(Self.npy([2, 1], [0, 1]), to: folder + "/label.npy")
        let numbers = ["signal", "label"].map { ArrayFile(name: $0, path: "\(folder)/\($0).npy") }
        let alone = try Datasite.describe(nil, arrays: numbers).text
        #expect(alone.contains("  - name: signal\n    shape: [3]\n    type: float32\n    bounds: [\(set), \(set)]"))
        #expect(alone.contains("columns:\n  - name: label\n    type: integer\n"))
    }

    @Test(
        "Mock rows of arrays follow from what is declared: of its shape and type, within its bounds, the same for all")
    func mock() throws {
        let bytes = DatasetDetail.Array(
            name: "image", type: "uint8", shape: [2, 3], lower: 3, upper: 9, description: "")
        let file = bytes.mock(rows: 500, of: "scans")
        let array = try NPYFile.read(file)
        #expect(array.shape == [500, 2, 3] && array.type == .unsigned8)
        #expect(Set(array.bytes) == Set(3...9))
        #expect(file == bytes.mock(rows: 500, of: "scans") && file != bytes.mock(rows: 500, of: "others"))
        let reals = DatasetDetail.Array(name: "s", type: "float32", shape: [4], lower: -1, upper: 1, description: "")
        let values = try NPYFile.read(reals.mock(rows: 500, of: "scans")).floats()
        #expect(values.count == 2_000 && values.allSatisfy { abs($0) <= 1 })
        // A mean of 2,000 such numbers lies beyond 0.07 once in 20 million files; this one is always the same.
        #expect(abs(values.reduce(0, +) / 2_000) < 0.07)
    }

    @Test("The owner hears what was stored otherwise than it stood in her files, and advice needs no arrays")
    func remarks() throws {
        let test = try TestSite()
        let folder = test.path + "/signals"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        func reals(_ values: [Float]) -> [UInt8] {
            values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
        }
        let shape = [3, 5, 4, 2]
        let values = (0..<120).map { $0 < 7 ? 9 : $0 == 7 ? -.infinity : 0.5 as Float }
        try Self.write(Self.npy(shape, type: "<f4", reals(values)), to: folder + "/image.npy")
        try Self.write(Self.npy([3], type: "<f4", reals([0, .nan, 2])), to: folder + "/shade.npy")
        try Self.write(Array("person,ill\n1,no\n2,yes\n3,no\n".utf8), to: folder + "/table.csv")
        let manifest = Self.manifest(array: "{name: image, shape: [5, 4, 2], type: float32, bounds: [0, 1]}")
            .replacing("loss: renyi", with: "loss: zcdp")
        let files = ["image", "shade"].map { ArrayFile(name: $0, path: "\(folder)/\($0).npy") }
        let report = try test.site.addDataset(file: folder + "/table.csv", arrays: files, manifestText: manifest)
        for words in [
            "8 numbers of image outside its bounds are stored as the bound",
            "1 numbers of shade are none (NaN), and become nothing",
            "image has 5 channels of 4x2: if the channels are last in its files, declare `shape: [2, 5, 4]`",
            "`engines` allows training, which has a price under `loss: renyi` alone",
        ] { #expect(report.warnings.contains { $0.contains(words) }, "\(report.warnings)") }
        let draft = try Datasite.describe(
            nil,
            arrays: [ArrayFile(name: "photo", path: folder + "/photo.npy")].map {
                try Self.write(Self.npy([2, 6, 5, 3], [UInt8](repeating: 1, count: 180)), to: $0.path)
                return $0
            }
        ).text
        #expect(draft.contains("shape: [3, 6, 5]") && draft.contains("loss: renyi") && draft.contains("training: {"))
        let whole = test.path + "/whole.csv"
        try Self.write(Array("person,shade,ill\n1,3,no\n2,7,yes\n3,9,no\n".utf8), to: whole)
        #expect(try Datasite.advise(on: whole, manifestText: Self.manifest()).rows == 3)
    }

    @Test(
        "A wrong line keeps its own place: no other row gets another's numbers", arguments: [OnError.null, .skipUnit])
    func wrongLines(_ onError: OnError) throws {
        let test = try TestSite()
        let (_, arrays) = try Self.files(test, Self.rows, as: .npy)
        var lines = Self.rows.map { row in
            "{\"person\": \(row.person), \"shade\": \(row.shade), \"ill\": \"\(row.shade < 128 ? "no" : "yes")\"}"
        }
        for (place, line) in [(10, "null"), (20, "[1]"), (30, "\"{\""), (40, "{\"person\": "), (50, "{}")] {
            lines[place] = line
        }
        let text =
            "\u{FEFF}" + lines.prefix(60).joined(separator: "\n") + "\n  \n\n"
            + lines.dropFirst(60).joined(separator: "\r\n")
        let path = test.path + "/rows.ndjson"
        try Self.write(Array(text.utf8), to: path)
        let report = try test.site.addDataset(
            file: path, arrays: arrays, manifestText: Self.manifest(rows: 20), onError: onError)
        #expect(report.rowsRead == 150 && (100..<150).contains(report.rows))
        let rows = Self.units(try Self.table(test), rowsPerUnit: 20).joined()
        #expect(
            rows.count >= 100
                && rows.allSatisfy { $0.dropFirst().elementsEqual(Self.image(Row(person: 0, shade: $0[0]))) })
    }

    @Test("A declared column of file names is refused: cut or mapped, it would name another's image")
    func declaredFileNames() async throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Array(Self.rows.prefix(9)), as: .png)
        let refusal = await problem {
            _ = try test.site.addDataset(
                file: table, arrays: arrays,
                manifestText: Self.manifest() + "\n  - {name: file, type: text, max-bytes: 2}\nignore: [note]")
        }
        #expect(
            refusal?.detail.contains("`file` names each row's image") == true, "\(refusal?.detail ?? "not refused")")
    }

    @Test("Questions are tried on mock rows of a dataset with arrays too")
    func mockQuestions() async throws {
        let test = try TestSite()
        let (table, arrays) = try Self.files(test, Self.rows, as: .npy)
        _ = try test.site.addDataset(file: table, arrays: arrays, manifestText: Self.manifest() + "\nignore: [note]")
        let question = AskRequest(dataset: "scans", sql: "SELECT AVG(shade) FROM scans", budget: .epsilon(1))
        let answer = try JSONDecoder().decode(Answer.self, from: Data(try await test.site.mock(question, as: .ada)))
        #expect(answer.rows.count == 1)
    }

}
