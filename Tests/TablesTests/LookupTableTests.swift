import Testing

@testable import Tables

@Suite("A public table is found by its key")
struct LookupTableTests {
    private let schema = Schema(columns: [column("code", .integer), column("name", .text), column("share", .real)])

    @Test("A row is found by its key, whatever the key's type; null matches nothing")
    func rows() throws {
        let rows: [[Value]] = [
            [.integer(7), .text("b"), .real(0.5)], [.null, .text("none"), .real(1)], [.integer(-7), .text("a"), .null],
        ]
        let byNumber = try LookupTable(schema: schema, keyColumn: 0, rows: rows)
        #expect(byNumber.rowCount == 3)
        #expect([7, -7, 0].map { byNumber.row(word: $0) } == [0, 2, nil])
        let byText = try LookupTable(schema: schema, keyColumn: 1, rows: rows)
        #expect(["b", "none", "a", "c"].map { byText.row(text: $0) } == [0, 1, 2, nil])
    }

    @Test("Two rows of one key, a value of another type and a key that is no column are refused")
    func refusals() {
        func failure(_ rows: [[Value]], key: Int = 0) -> LookupTable.Failure? {
            do throws(LookupTable.Failure) {
                _ = try LookupTable(schema: schema, keyColumn: key, rows: rows)
                return nil
            } catch {
                return error
            }
        }
        let row: [Value] = [.integer(7), .text("b"), .real(0.5)]
        #expect(failure([row]) == nil)
        #expect(failure([row, [.integer(8), .text("b"), .null], row]) == .keyIsNotUnique)
        #expect(failure([row, [.integer(8), .text("b"), .null]], key: 1) == .keyIsNotUnique)
        #expect(failure([row, [.integer(8), .text("c"), .text("d")]]) == .wrongValue(row: 2, column: "share"))
        #expect(failure([row], key: 3) == .noSuchKeyColumn)
        #expect(failure([row], key: -1) == .noSuchKeyColumn)
    }
}
