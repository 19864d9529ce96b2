import DatasiteProtocol
import Foundation
import Testing

@Suite("Requests are read strictly")
struct StrictJSONTests {
    private func error(_ text: String) -> JSONError? {
        do throws(JSONError) {
            _ = try AskRequest(decoding: Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("A request is read, whatever the order, the white space and the escapes")
    func reads() throws {
        let text =
            #" {"sql": "a\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00ü", "error":{"groupSize":1e3,"relative":2E-2},"dataset":"d","rho":null} "#
        let request = try AskRequest(decoding: Array(text.utf8))
        #expect(
            request
                == AskRequest(
                    dataset: "d", sql: "a\"\\/\u{8}\u{c}\n\r\tü😀ü", budget: .error(relative: 0.02, groupSize: 1_000)))
    }

    @Test("An unknown key is named, and the known ones with it")
    func unknownKey() throws {
        let found = try #require(error(#"{"dataset":"d","sql":"s","epsilom":1,"epsilon":1}"#))
        #expect(found.message.hasPrefix("unknown key 'epsilom'; known are dataset, sql, epsilon, rho"))
        let nested = try #require(
            error(#"{"dataset":"d","sql":"s","error":{"relative":1,"groupSize":1,"x":1}}"#))
        #expect(nested.message.hasPrefix("unknown key 'error.x'"))
    }

    @Test("An integer is one however it is written, as JSON Schema has it")
    func integers() throws {
        for literal in ["20", "20.0", "2e1", "2.0E+1"] {
            let text = #"{"dataset":"d","sql":"s","epsilon":1,"groupsPerUnit":\#(literal)}"#
            #expect(try AskRequest(decoding: Array(text.utf8)).groupsPerUnit == 20)
        }
    }

    @Test("A key twice, a missing key, a wrong type, two budgets: each says so")
    func mistakes() throws {
        #expect(
            error(#"{"dataset":"d","dataset":"e","sql":"s","epsilon":1}"#)?.message
                == "a key occurs twice in one object")
        #expect(error(#"{"sql":"s","epsilon":1}"#)?.message == "'dataset' is missing")
        #expect(
            error(#"{"dataset":"d","sql":"s","epsilon":"1"}"#)?.message == "'epsilon' must be a finite number, not text"
        )
        #expect(
            error(#"{"dataset":"d","sql":"s","epsilon":1e999}"#)?.message
                == "'epsilon' must be a finite number, not 1e999")
        #expect(
            error(#"{"dataset":"d","sql":"s","epsilon":1,"groupsPerUnit":1.5}"#)?.message
                == "'groupsPerUnit' must be an integer, not 1.5")
        // A double does not hold each integer of this size.
        #expect(
            error(#"{"dataset":"d","sql":"s","epsilon":1,"groupsPerUnit":9007199254740993.0}"#)?.message
                == "'groupsPerUnit' must be an integer, not 9007199254740993.0")
        #expect(
            error(#"{"dataset":"d","sql":"s","epsilon":1,"rho":1}"#)?.message
                == "exactly one of 'epsilon', 'rho' and 'error' must be given, not 2")
        #expect(
            error(#"{"dataset":"d","sql":"s"}"#)?.message
                == "exactly one of 'epsilon', 'rho' and 'error' must be given, not 0")
        #expect(error("[]")?.message == "the body must be an object, not an array")
    }

    @Test(
        "What is not JSON is refused, with the place",
        arguments: [
            "", " ", "{", "{]", #"{"a""#, #"{"a":}"#, #"{"a":1,}"#, "[1,]", "[1 2]", "tru", "nul", "+1", "01", "1.",
            ".5",
            "1e", "-", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"",
            "{} {}", "{1:2}", "NaN", "'a'", "\u{FEFF}{}",
        ])
    func malformed(_ text: String) {
        #expect { try StrictJSON(parsing: Array(text.utf8)) } throws: { ($0 as? JSONError)?.offset != nil }
    }

    @Test("Malformed UTF-8 is refused")
    func malformedUTF8() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] {
            #expect(throws: JSONError.self) { try StrictJSON(parsing: bytes) }
        }
    }

    @Test("Nesting has a bound")
    func depth() throws {
        let depth = StrictJSON.largestDepth
        let allowed = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        _ = try StrictJSON(parsing: Array(allowed.utf8))
        #expect(throws: JSONError.self) {
            try StrictJSON(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000))
        }
    }

    @Test("No prefix of a request, and no request with one byte changed, breaks the parser")
    func mutations() {
        let text = Array(#"{"dataset":"d","sql":"SELECT \u00e9\n","error":{"relative":0.02,"groupSize":1e3}}"#.utf8)
        var refused = 0
        for end in text.indices where (try? AskRequest(decoding: Array(text[..<end]))) == nil { refused += 1 }
        #expect(refused == text.count)
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var mutated = text
                mutated[index] = byte
                _ = try? AskRequest(decoding: mutated)
            }
        }
    }

    @Test("A decision may be empty; its reason is text")
    func decision() throws {
        #expect(try DecisionRequest(decoding: []).reason == nil)
        #expect(try DecisionRequest(decoding: Array(#"{"reason":"no"}"#.utf8)).reason == "no")
        #expect(throws: JSONError.self) { try DecisionRequest(decoding: Array(#"{"why":"no"}"#.utf8)) }
    }
}

@Suite("Canonical JSON is one form")
struct CanonicalJSONTests {
    @Test("Keys are sorted by UTF-8, text is escaped as RFC 8785 says")
    func form() {
        let value = CanonicalJSON.object([
            "b": .integer(Int64.min), "a": .string("\"\\/\u{8}\t\n\u{c}\r\u{1f}\u{7f}é\u{2028}"), "": .object([:]),
            "é": .integer(0), "Z": .bitPattern(0.5),
        ])
        let expected =
            "{\"\":{},\"Z\":\"3fe0000000000000\",\"a\":\"\\\"\\\\/\\b\\t\\n\\f\\r\\u001f\u{7f}é\u{2028}\","
            + "\"b\":-9223372036854775808,\"é\":0}"
        #expect(String(decoding: value.bytes, as: UTF8.self) == expected)
    }
}
