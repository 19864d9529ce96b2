import Foundation
import Secrets
import Testing

@testable import Tables

@Suite("No Parquet file, however damaged, ends the process or takes its memory")
struct ParquetHostileTests {
    /// Reads it; an error is as good as a table.
    private func read(_ bytes: [UInt8]) -> Bool {
        (try? ParquetFixtures.table(bytes, nil, .null)) != nil
    }

    @Test("A file that is cut anywhere is refused", arguments: ParquetFixtures.read)
    func cut(_ name: String) throws {
        let bytes = try ParquetFixtures.bytes(name)
        for end in stride(from: 0, to: bytes.count, by: Swift.max(1, bytes.count / 400)) {
            #expect(throws: ParquetError.self, "\(name) cut at \(end)") {
                try ParquetFixtures.table(Array(bytes[..<end]))
            }
        }
    }

    @Test("Changed bytes give an error or a table", arguments: ParquetFixtures.read)
    func changed(_ name: String) throws {
        let bytes = try ParquetFixtures.bytes(name)
        let footer = Int(bytes[bytes.count - 8]) | Int(bytes[bytes.count - 7]) << 8
        var dice = Dice(UInt64(truncatingIfNeeded: name.utf8.reduce(7) { $0 &* 31 &+ Int($1) }))
        for turn in 0..<600 {
            var damaged = bytes
            for _ in 0..<dice.int(1...3) {
                // Half of them in the footer and the pages' headers, where lengths are.
                let place =
                    turn % 2 == 0
                    ? dice.int(0...bytes.count - 1) : dice.int(Swift.max(0, bytes.count - 8 - footer)...bytes.count - 1)
                damaged[place] =
                    dice.chance(50) ? UInt8(dice.int(0...255)) : damaged[place] ^ UInt8(1 << dice.int(0...7))
            }
            _ = read(damaged)
        }
    }

    @Test("Values cut in the middle of a page are refused there, with the column and the page")
    func cutPages() throws {
        let bytes = try ParquetFixtures.bytes("plain")
        var places: Set<String> = []
        for place in stride(from: 4, to: bytes.count * 3 / 4, by: 7) {
            var damaged = bytes
            for index in place..<place + 7 { damaged[index] = 0xff }
            do { _ = try ParquetFixtures.table(damaged) } catch let error as ParquetError {
                #expect(error.column != nil && error.rowGroup == 1)
                if error.page != nil { places.insert(error.column ?? "") }
            } catch { #expect(error is RowError) }
        }
        #expect(places.count > 10)
    }

    @Test("Where the writer noted checksums, a page that differs in a bit is refused")
    func checksums() throws {
        let bytes = try ParquetFixtures.bytes("all-v1-none")
        let id = Schema(columns: [column("id", .integer)])
        var refused = 0
        let places = 60..<160
        for place in places {
            var damaged = bytes
            damaged[place] ^= 4
            do { _ = try ParquetFixtures.table(damaged, id) } catch let error as ParquetError {
                refused += error.problem.contains("checksum") ? 1 : 0
            }
        }
        #expect(refused > 80)
    }

    // MARK: Metadata that promise too much

    private func footer(_ fields: [UInt8]) -> [UInt8] {
        let length = fields.count
        return ParquetFile.magic + fields + (0..<4).map { UInt8(length >> (8 * $0) & 0xff) } + ParquetFile.magic
    }

    private func number(_ value: Int) -> [UInt8] {
        var rest = UInt64(value)
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private func problem(_ fields: [UInt8]) -> String {
        do { return "\(try ParquetFixtures.file(footer(fields)).columns.count) columns" } catch { return "\(error)" }
    }

    /// A root with one column of 64-bit integers, and that many rows in one row group.
    private func oneColumn(rows: Int) -> [UInt8] {
        let root: [UInt8] = [0x48, 1, 0x61, 0x15, 2, 0]
        let leaf: [UInt8] = [0x15, 4, 0x25, 0, 0x18, 1, 0x62, 0]
        let schema: [UInt8] = [0x15, 2, 0x19, 0x2c] + root + leaf
        let count = number(rows * 2)
        let metadata: [UInt8] =
            [0x15, 4, 0x35, 0, 0x16] + count + [0x26, 0, 0x26, 8, 0]
        let chunk: [UInt8] = [0x3c] + metadata + [0]
        let group: [UInt8] = [0x19, 0x1c] + chunk + [0x26] + count + [0]
        return schema + [0x16] + count + [0x19, 0x1c] + group + [0]
    }

    @Test("A footer's claims are held against the file")
    func claims() {
        #expect(problem(oneColumn(rows: 3)) == "1 columns")
        #expect(problem(oneColumn(rows: 1 << 40)).contains("rows for each of its bytes"))
        #expect(problem(oneColumn(rows: Int.max / 2)).contains("rows for each of its bytes"))
        // A list of a million million elements, and a text of as many bytes.
        #expect(problem([0x15, 2, 0x19, 0xfc] + number(1 << 40) + [0]).contains("ends early"))
        #expect(problem([0x15, 2, 0x19, 0x1c, 0x48] + number(1 << 40) + [0]).contains("ends early"))
        let deep = [UInt8](repeating: 0x1c, count: 10_000)
        #expect(problem([0xac] + deep).contains("nested too deeply"))
        #expect(problem([0xa9] + [UInt8](repeating: 0x19, count: 10_000)).contains("nested too deeply"))
        #expect(problem([]).contains("ends early"))
        #expect(problem([0]).contains("schema is missing"))
        var long = footer([0])
        long[long.count - 5] = 0x7f
        #expect(throws: ParquetError.endsEarly) { try ParquetFixtures.file(long) }
        #expect(throws: ParquetError.self) {
            try ParquetFixtures.table(footer(oneColumn(rows: 3)), Schema(columns: [column("b", .integer)]))
        }
    }

    @Test("A page's header may not promise more than a page holds")
    func pageHeaders() {
        func header(size: Int, stored: Int, values: Int) -> ParquetError? {
            let bytes: [UInt8] =
                [0x15, 0, 0x15] + number(size * 2) + [0x15] + number(stored * 2) + [0x2c, 0x15] + number(values * 2)
                + [0x15, 0, 0x15, 6, 0, 0]
            return bytes.withUnsafeBytes { bytes in
                do throws(ParquetError) {
                    _ = try ParquetPageHeader(bytes)
                    return nil
                } catch { return error }
            }
        }
        #expect(header(size: 100, stored: 50, values: 7) == nil)
        #expect(header(size: (256 << 20) + 1, stored: 50, values: 7)?.problem.contains("256 MB") == true)
        #expect(header(size: 100, stored: Int.max / 4, values: 7)?.problem.contains("256 MB") == true)
        let memory = ParquetMemory()
        #expect(throws: Never.self) { try memory.take(ParquetMemory.largest) }
        #expect(throws: ParquetError.self) { try memory.take(1) }
    }

    // MARK: Decoders

    @Test("Texts that begin like the one before may not take more than their page may")
    func amplifiedTexts() throws {
        let (size, count) = (1 << 20, 400)
        /// Values whose first difference is one and whose others are none, in blocks of 128 as four miniblocks.
        func delta(_ first: Int, _ difference: Int) -> [UInt8] {
            let least = Swift.min(difference, 0)
            let packed = (0..<128).map { $0 == 0 ? difference - least : -least }
            var bytes = [UInt8](repeating: 0, count: 128 * 21 / 8)
            for (index, value) in packed.enumerated() where value > 0 {
                let bit = index * 21 + 20
                bytes[bit / 8] |= 1 << UInt8(bit % 8)
            }
            let none = number(0) + [0, 0, 0, 0]
            return number(128) + number(4) + number(count) + number(first * 2)
                + number(least < 0 ? -least * 2 - 1 : 0) + [21, 21, 21, 21] + bytes + none + none + none
        }
        let bytes = delta(0, size) + delta(size, -size) + [UInt8](repeating: 0x61, count: size)
        // Prefixes: 0, then a million; lengths of what follows: a million, then 0.
        let error = bytes.withUnsafeBytes { bytes -> ParquetError? in
            do throws(ParquetError) {
                var decoder = try BytesDecoder(
                    bytes, .deltaBytes, width: nil, count: count, dictionary: ParquetDictionary())
                var largest = 0
                try decoder.next(400) { (value, _) throws(ParquetError) in largest = Swift.max(largest, value.count) }
                return nil
            } catch { return error }
        }
        #expect(error?.problem.contains("256 MB") == true, "\(String(describing: error))")
    }

    @Test("Snappy: what is not whole, copies from before the beginning, and other lengths are refused")
    func snappy() {
        func inflate(_ bytes: [UInt8], _ count: Int) -> [UInt8]? {
            var target = [UInt8](repeating: 0, count: count)
            let isWhole = target.withUnsafeMutableBytes { target in
                bytes.withUnsafeBytes { Snappy.inflate($0, into: target) }
            }
            return isWhole ? target : nil
        }
        #expect(inflate([0], 0) == [])
        #expect(inflate([3, 2 << 2, 1, 2, 3], 3) == [1, 2, 3])
        // Two bytes, then a copy of seven from two back, which it makes itself.
        #expect(inflate([9, 1 << 2, 1, 2, 3 << 2 | 1, 2], 9) == [1, 2, 1, 2, 1, 2, 1, 2, 1])
        #expect(inflate([8, 1 << 2, 1, 2, 5 << 2 | 2, 2, 0], 8) == [1, 2, 1, 2, 1, 2, 1, 2])
        #expect(inflate([8, 1 << 2, 1, 2, 5 << 2 | 3, 2, 0, 0, 0], 8) == [1, 2, 1, 2, 1, 2, 1, 2])
        for bytes: [UInt8] in [
            [], [4, 2 << 2, 1, 2, 3], [3, 2 << 2, 1, 2], [9, 1 << 2, 1, 2, 3 << 2 | 1, 3],
            [9, 1 << 2, 1, 2, 3 << 2 | 1, 0],
            [9, 1 << 2, 1, 2, 3 << 2 | 1], [2, 63 << 2, 0xff, 0xff, 0xff, 0xff, 1],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            #expect(inflate(bytes, 9) == nil && inflate(bytes, 3) == nil, "\(bytes)")
        }
    }

    @Test("A decimal's digits are those of its whole number", arguments: 1...4)
    func decimals(seed: UInt64) {
        var dice = Dice(seed)
        var decimal = BigDecimal()
        for _ in 0..<500 {
            let number = Int64(truncatingIfNeeded: dice.generator.next()) >> Int64(dice.int(0...63))
            let bytes = (0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> Int64(8 * $0)) }
            let padding = [UInt8](repeating: number < 0 ? 0xff : 0, count: dice.int(0...24))
            #expect((padding + bytes).withUnsafeBytes { decimal.write(bigEndian: $0, scale: 0) })
            #expect(String(decoding: decimal.text, as: UTF8.self) == "\(number)")
            let scale = dice.int(0...25)
            decimal.write(number, scale: scale)
            let plain = String(repeating: "0", count: 30) + "\(number.magnitude)"
            let (whole, fraction) = (plain.dropLast(scale), plain.suffix(scale))
            let digits = whole.drop { $0 == "0" }
            #expect(
                String(decoding: decimal.text, as: UTF8.self)
                    == (number < 0 ? "-" : "") + (digits.isEmpty ? "0" : digits) + (scale > 0 ? "." + fraction : ""))
        }
        #expect(![UInt8](repeating: 1, count: 33).withUnsafeBytes { decimal.write(bigEndian: $0, scale: 0) })
        #expect([UInt8(0x80)].withUnsafeBytes { decimal.write(bigEndian: $0, scale: 1) })
        #expect(String(decoding: decimal.text, as: UTF8.self) == "-12.8")
    }
}
