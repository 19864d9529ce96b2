import Foundation
import Secrets
import Testing

@testable import TransparencyLog

@Suite
struct StrictFormatTests {
    @Test("Base64 of every length up to 200 is Foundation's, and is read back")
    func base64() {
        var random = SeededGenerator(seed: 11)
        for length in 0...200 {
            let bytes = (0..<length).map { _ in UInt8(random.below(256)) }
            let text = StrictBase64.encode(bytes)
            #expect(String(decoding: text, as: UTF8.self) == Data(bytes).base64EncodedString())
            #expect(StrictBase64.decode(text) == bytes)
        }
    }

    @Test("Of all texts of four characters of a small alphabet, those that are read are those that are written")
    func canonicalBase64() {
        let alphabet = Array("AQg/+9=- \n".utf8)
        var read = 0
        for a in alphabet {
            for b in alphabet {
                for c in alphabet {
                    for d in alphabet {
                        guard let bytes = StrictBase64.decode([a, b, c, d]) else { continue }
                        read += 1
                        #expect(StrictBase64.encode(bytes) == [a, b, c, d])
                    }
                }
            }
        }
        // Six characters: 6^4 without padding; with one, c has two zero bits; with two, b has four.
        let values = [0, 16, 32, 63, 62, 61]
        let expected = 1296 + 36 * values.count { $0 & 3 == 0 } + 6 * values.count { $0 & 15 == 0 }
        #expect(read == expected)
    }

    @Test("Numbers have one text each, from 0 to 2^63 - 1")
    func decimals() {
        for number in [0, 1, 9, 10, 99, 1_000_000_007, UInt64(Int64.max)] {
            #expect(StrictDecimal.decode(Array("\(number)".utf8)) == number)
        }
        for text in [
            "", "00", "01", "-1", "+1", " 1", "1 ", "1_0", "0x1", "9223372036854775808", "9999999999999999999",
            "18446744073709551616", "10000000000000000000", "١",
        ] {
            #expect(StrictDecimal.decode(Array(text.utf8)) == nil)
        }
    }
}
