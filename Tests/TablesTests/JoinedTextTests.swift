import Foundation
import Testing

@testable import Tables

@Suite("Texts that are joined")
struct JoinedTextTests {
    @Test(
        "Texts that are joined have at most the sum of their bytes, and sixteen where they meet, whatever the scalars")
    func seams() {
        let pool = TextPool()
        // Whatever changes when it follows something: accents by class, second halves of letters, Korean vowels and finals.
        let joined = (0x80...0x1ffff as ClosedRange<UInt32>).compactMap(Unicode.Scalar.init).filter {
            $0.properties.canonicalCombiningClass != .notReordered || String($0).normalizedForKeys.utf8.count > 3
                || (0x1160...0x11ff).contains($0.value)
                || [0x9be, 0x9d7, 0xbbe, 0xbd7, 0xcc2, 0xddf, 0x102e].contains($0.value)
        }
        var dice = Dice(4)
        let composed = (0xa0...0x1ffff as ClosedRange<UInt32>).compactMap(Unicode.Scalar.init).filter {
            String($0).decomposedStringWithCanonicalMapping.unicodeScalars.count > 1
        }
        for letter in composed {
            for _ in 0..<12 {
                let left = (String(letter) + (dice.chance(50) ? "" : String(dice.pick(joined)))).normalizedForKeys
                let right = (0..<dice.int(1...3)).map { _ in String(dice.pick(joined)) }.joined().normalizedForKeys
                var (bytes, normalized) = (0, 0)
                pool.beginChunk()
                let made = pool.compute(
                    joining: [pool.compute(left), pool.compute(right)], bytes: &bytes, normalized: &normalized)
                let result = pool.text(made)
                #expect(result.utf8.elementsEqual((left + right).normalizedForKeys.utf8))
                let size = left.utf8.count + right.utf8.count
                #expect(bytes == size && normalized == size)
                if Double(result.utf8.count) > Double(size) + TextPool.seamBytes {
                    Issue.record("\(left) and \(right): \(result.utf8.count) of \(size)")
                }
            }
        }
    }
}
