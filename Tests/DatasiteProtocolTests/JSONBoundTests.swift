import DatasiteProtocol
import Foundation
import Testing

/// Each number that the readers and writers of JSON go by, on both sides of its bound.
@Suite("The bounds of JSON are exact")
struct JSONBoundTests {
    private func value(_ text: String) throws(JSONError) -> StrictJSON { try StrictJSON(parsing: Array(text.utf8)) }

    @Test("Nesting is refused one level beyond the bound, of arrays and objects alike, and closing gives a level back")
    func depth() throws {
        let deepest = StrictJSON.largestDepth
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth - 1) + "[]" + String(repeating: close, count: depth - 1)
        }
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            _ = try value(nested(deepest, open, close))
            #expect(throws: JSONError.self) { try value(nested(deepest + 1, open, close)) }
            let many = (0..<100).map { _ in nested(deepest - 1, open, close) }.joined(separator: ",")
            _ = try value("[" + many + "]")
        }
        _ = try StrictJSON(parsing: Array("[[]]".utf8), largestDepth: 2)
        #expect(throws: JSONError.self) { try StrictJSON(parsing: Array("[[]]".utf8), largestDepth: 1) }
    }

    @Test("A pair of surrogates is one character from the first to the last, and no half stands alone")
    func surrogates() throws {
        let pairs: [(String, UInt32)] = [
            (#""\ud800\udc00""#, 0x10000), (#""\ud800\udfff""#, 0x103FF), (#""\udbff\udc00""#, 0x10FC00),
            (#""\udbff\udfff""#, 0x10FFFF), (#""\ud7ff""#, 0xD7FF), (#""\ue000""#, 0xE000), (#""\u0000""#, 0),
            (#""\uFFff""#, 0xFFFF),
        ]
        for (text, code) in pairs {
            let scalar = try #require(UnicodeScalar(code))
            #expect(try value(text) == .string(String(Character(scalar))))
        }
        for text in [#""\ud800\udbff""#, #""\ud800\ue000""#, #""\udbff""#, #""\udfff""#, #""\udc00\ud800""#] {
            #expect(throws: JSONError.self, "\(text)") { try value(text) }
        }
    }

    @Test("Controls are escaped up to U+001F, and the space is not")
    func controls() throws {
        for code in UInt8(0)..<0x22 {
            let text = String(UnicodeScalar(code))
            let written = String(decoding: CanonicalJSON.string(text).bytes, as: UTF8.self)
            #expect(try value(written) == .string(text))
            #expect(written.utf8.allSatisfy { $0 >= 0x20 })
            let short: [UInt8: String] = [8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 0x20: " ", 0x21: "!"]
            let digits = String(code, radix: 16)
            let long = "\\u00" + (digits.count < 2 ? "0" : "") + digits
            #expect(written == "\"\(short[code] ?? long)\"")
            // A control in a text must be escaped; a space need not be.
            if code < 0x20 { #expect(throws: JSONError.self) { try value("\"\(text)\"") } }
        }
    }

    @Test("A whole number in another form is read as far as a double holds each, and an integer to its last digit")
    func integers() throws {
        func integer(_ literal: String) throws -> Int64 {
            var object = try StrictObject(value(#"{"n":\#(literal)}"#))
            return try object.integer("n")
        }
        #expect(try integer("9007199254740991.0") == 9_007_199_254_740_991)
        #expect(try integer("-9007199254740991.0") == -9_007_199_254_740_991)
        #expect(throws: JSONError.self) { try integer("9007199254740992.0") }
        #expect(throws: JSONError.self) { try integer("-9007199254740992.0") }
        #expect(try integer("9223372036854775807") == .max)
        #expect(try integer("-9223372036854775808") == .min)
        #expect(throws: JSONError.self) { try integer("9223372036854775808") }
        #expect(throws: JSONError.self) { try integer("1e-1") }
    }

    @Test("What is long is cut in a message, and what just fits is not")
    func cut() throws {
        func unknown(_ count: Int) throws -> String {
            let object = try StrictObject(value(#"{"\#(String(repeating: "k", count: count))":1}"#))
            do throws(JSONError) { try object.finish() } catch { return error.message }
            return ""
        }
        #expect(try unknown(40).contains("'\(String(repeating: "k", count: 40))'"))
        #expect(try unknown(41).contains("'\(String(repeating: "k", count: 40))...'"))
    }

    @Test("A cell holds each kind of value, and gives it back")
    func scalars() throws {
        let cells: [Scalar] = [
            .null, .boolean(true), .boolean(false), .integer(.max), .integer(.min), .integer(1), .real(0.5),
            .real(1e300), .text(""), .text("1"), .text("true"),
        ]
        let text = #"[null,true,false,9223372036854775807,-9223372036854775808,1,0.5,1e+300,"","1","true"]"#
        #expect(try JSONDecoder().decode([Scalar].self, from: Data(text.utf8)) == cells)
        #expect(try String(decoding: JSONEncoder().encode(cells), as: UTF8.self) == text)
    }

    @Test("Digests and bytes are written as lower-case hexadecimal, two digits a byte (FIPS 180-4, example abc)")
    func hexadecimalDigits() {
        #expect(hexadecimal([0x00, 0x0F, 0x10, 0x9A, 0xFF]) == "000f109aff")
        #expect(sha256Hex(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("The 64 bytes of a signature are all there, and the receipt is of a version that is read")
    func signature() throws {
        let receipt = try Receipt(decoding: Fixture.bytes("receipt.json"))
        let verifier = try ReceiptVerifier(publicKey: receipt.body.publicKey)
        let signature = try #require(Data(base64Encoded: receipt.signature))
        #expect(signature.count == 64)
        for bytes in [signature.dropLast(), signature + [0], Data()] {
            var other = receipt
            other.signature = Data(bytes).base64EncodedString()
            #expect(throws: ReceiptError.malformedSignature) { try verifier.verify(other) }
        }
        for version in [0, Receipt.version + 1] {
            var other = receipt
            other.body.version = version
            #expect(throws: ReceiptError.unsupportedVersion(version)) { try verifier.verify(other) }
            #expect("\(ReceiptError.unsupportedVersion(version))".hasSuffix("reads versions 1 to \(Receipt.version)"))
        }
    }
}
