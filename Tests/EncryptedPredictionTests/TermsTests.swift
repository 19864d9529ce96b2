import Learning
import Secrets
import SecureComputation
import Testing

@testable import EncryptedPrediction

@Suite("Terms as bytes")
struct TermsTests {
    private func terms(_ output: PredictionTerms.Output = .scores) throws -> PredictionTerms {
        let model = try Model(inputShape: [1, 6, 6]) {
            Convolution(2, kernel: 3, name: "c")
            ReLU()
            MaxPool(2)
            Flatten()
            Linear(3, hasBias: false, name: "l")
        }
        return try PreparedModel(
            model, Trial.parameters(model, seed: 1), inputBound: 1, calibration: Trial.values(72, in: 0...1, seed: 2),
            output: output, comparison: output == .label ? .twoRounds : .oneRound
        ).terms
    }

    @Test("A round trip gives the same terms, the same program and the same bytes")
    func roundTrip() throws {
        for output in PredictionTerms.Output.allCases {
            let terms = try terms(output)
            let again = try PredictionTerms(bytes: terms.bytes)
            #expect(again == terms && again.bytes == terms.bytes)
            #expect(try again.program(rows: 3).digest == terms.program(rows: 3).digest)
            #expect(try again.program(rows: 3).digest != terms.program(rows: 2).digest)
        }
        #expect(try terms(.label) != terms(.scores))
    }

    @Test(
        "Every cut, and every byte changed in every bit, is refused in words, or reads as terms that have just those bytes and a program"
    )
    func changed() throws {
        let bytes = try terms().bytes
        var read = 0
        for count in bytes.indices {
            #expect(throws: PredictionError.self) { try PredictionTerms(bytes: Array(bytes[..<count])) }
        }
        for place in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[place] ^= 1 << UInt8(bit)
                do throws(PredictionError) {
                    let terms = try PredictionTerms(bytes: changed)
                    #expect(terms.bytes == changed)
                    #expect(try terms.program(rows: 1).digest.count == 32)
                    read += 1
                } catch { #expect(!error.description.isEmpty && error.description.utf8.count < 3_000) }
            }
        }
        // Digits of bounds, names of layers.
        #expect(read > 20)
        #expect(throws: PredictionError.self) { try PredictionTerms(bytes: bytes + [0x20]) }
        #expect(throws: PredictionError.self) { try PredictionTerms(bytes: []) }
    }

    @Test("Absurd sizes, bounds and counts are refused before anything is made of them")
    func absurd() throws {
        let good = String(decoding: try terms().bytes, as: UTF8.self)
        func refused(_ from: String, _ to: String) throws {
            #expect(good.contains(from), "\(from)")
            let text = good.replacing(from, with: to)
            #expect(throws: PredictionError.self, "\(to)") { try PredictionTerms(bytes: Array(text.utf8)) }
        }
        try refused("\\\"input\\\": [1,6,6]", "\\\"input\\\": [16777216,1024,1024]".replacing("\\\"", with: "\\\""))
        try refused("[1,6,6]", "[1,4096,4096]")
        try refused("\\\"outputs\\\": 3", "\\\"outputs\\\": 16777216")
        try refused("\\\"outputs\\\": 2", "\\\"outputs\\\": 1048576")
        try refused("\\\"kernel\\\": 3", "\\\"kernel\\\": 1024")
        try refused("\\\"window\\\": 2", "\\\"window\\\": 0")
        try refused("\\\"window\\\": 2", "\\\"window\\\": 33")
        try refused("\"fraction-bits\":20", "\"fraction-bits\":52")
        try refused("\"fraction-bits\":20", "\"fraction-bits\":-1")
        try refused("\"output-bits\":10", "\"output-bits\":99999999999999999999")
        try refused("\"input-bound\":\"1.0\"", "\"input-bound\":\"1e300\"")
        try refused("\"input-bound\":\"1.0\"", "\"input-bound\":\"nan\"")
        try refused("\"input-bound\":\"1.0\"", "\"input-bound\":\"1.00\"")
        try refused("\"input-bound\":\"1.0\"", "\"input-bound\":\"0x1p0\"")
        try refused("\"error\":\"proven\"", "\"error\":\"certain\"")
        try refused("\"layers\":[[24,", "\"layers\":[[61,")
        try refused("\"layers\":[[24,", "\"layers\":[[],[24,")
        try refused("\"limits\":[", "\"limits\":[9,")
        try refused("\"version\":1", "\"version\":2")
        try refused("{\"architecture\"", "{\"Architecture\"")
        let limits = try terms().limits.map { String($0 ?? 0) }.joined(separator: ",")
        try refused("\"limits\":[\(limits)]", "\"limits\":[38]")
        try refused("\"limits\":[\(limits)]", "\"limits\":[61]")
        try refused("\"limits\":[\(limits)]", "\"limits\":[-1]")
        // Bounds with which a number could wrap.
        for (number, layer) in try terms().layers.enumerated() {
            let numbers = [layer.bits, layer.bound, layer.sum] + (layer.bias.map { [$0] } ?? [])
            let text = "[\(numbers.map(String.init).joined(separator: ","))]"
            var wide = numbers
            (wide[1], wide[2]) = (61, 61)
            try refused(text, "[\(wide.map(String.init).joined(separator: ","))]")
            if number == 0 {
                wide = numbers
                wide[3] = 61
                try refused(text, "[\(wide.map(String.init).joined(separator: ","))]")
            }
        }
        let depth = String(repeating: "[", count: 100_000)
        #expect(throws: PredictionError.self) { try PredictionTerms(bytes: Array(depth.utf8)) }
        #expect(throws: PredictionError.self) { try PredictionTerms(bytes: [UInt8](repeating: 0x20, count: 4 << 20)) }
        let many = Array(repeating: "{\\\"kind\\\": \\\"relu\\\"}", count: 5_000).joined(separator: ",")
        try refused("{\\\"kind\\\": \\\"flatten\\\", ", "\(many), {\\\"kind\\\": \\\"flatten\\\", ")
    }

    @Test("Random bytes, and random pieces of terms put together, never read as anything but their own bytes")
    func random() throws {
        var generator = SeededGenerator(seed: 12)
        let bytes = try terms().bytes
        for _ in 0..<2_000 {
            let (a, b) = (
                Int.random(in: 0..<bytes.count, using: &generator), Int.random(in: 0..<bytes.count, using: &generator)
            )
            let length = Int.random(in: 0...40, using: &generator)
            var mixed = bytes
            mixed.replaceSubrange(a..<min(a + length, bytes.count), with: bytes[b..<min(b + length, bytes.count)])
            if let terms = try? PredictionTerms(bytes: mixed) { #expect(terms.bytes == mixed) }
            let noise = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(throws: PredictionError.self) { try PredictionTerms(bytes: noise) }
        }
    }
}
