import Testing

@testable import Learning

@Suite("Label files and small tables")
struct SeparatedTextTests {
    private static func read(_ text: String) throws(DataError) -> SeparatedText { try SeparatedText(Array(text.utf8)) }

    @Test("Quotes, commas and line feeds in fields, either line end, and a last line without one are read")
    func fields() throws {
        let text = try Self.read("\u{FEFF}a,\"b \"\"x\"\"\"\r\n\"1,2\",\"3\n4\"\r\n\r\n5,\n,6")
        #expect(text.columns == ["a", "b \"x\""])
        #expect(text.rows == [["1,2", "3\n4"], ["5", ""], ["", "6"]])
    }

    @Test("What is wrong is told by its line, and never with a value")
    func wrong() throws {
        #expect(throws: DataError("line 3", "1 fields", expected: "2, as the header has")) {
            try Self.read("a,b\n1,2\n3\n")
        }
        #expect(throws: DataError.self) { try Self.read("") }
        #expect(throws: DataError.self) { try Self.read("a,a\n1,2\n") }
        #expect(throws: DataError.self) { try Self.read("a\n\"secret\n") }
        #expect(throws: DataError.self) { try Self.read("a\n\"secret\"x\n") }
        #expect(throws: DataError.self) { try SeparatedText([0x61, 0x0A, 0xFF]) }
        let table = try Self.read("job,age\nsecret,17\n")
        do {
            _ = try table.labels("job", domain: ["a", "b"])
            Issue.record("accepted")
        } catch { #expect("\(error)".contains("row 1, column 'job'") && !"\(error)".contains("secret")) }
    }

    @Test("Categories become one input a value of their domain, numbers lie between 0 and 1 by their bounds")
    func inputs() throws {
        let table = try Self.read("job,age\nb,30\nx,\na,1000\n")
        let inputs = try table.inputs([
            InputColumn("age", .number(lower: 20, upper: 40, missing: 25)), InputColumn("job", .oneOf(["a", "b"])),
        ])
        #expect(inputs.shape == [3, 3])
        #expect(inputs.values == [0.5, 0, 1, 0.25, 0, 0, 1, 1, 0])
        #expect(throws: DataError.self) {
            try table.inputs([InputColumn("age", .number(lower: 20, upper: 40, missing: nil))])
        }
        #expect(throws: DataError.self) { try InputColumn("age", .number(lower: 4, upper: 4, missing: nil)) }
        #expect(throws: DataError.self) { try InputColumn("age", .oneOf(["a", "a"])) }
    }

    @Test("Rows of one unit stand together, units in the order in which they come")
    func units() throws {
        let (order, units) = try Self.read("u\np\nq\np\nr\nq\n").units("u")
        #expect(order == [0, 2, 1, 4, 3])
        #expect(units == [0..<2, 2..<4, 4..<5])
    }
}
