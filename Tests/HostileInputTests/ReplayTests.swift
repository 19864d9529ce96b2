import Foundation
import Testing

/// The inputs that people and libFuzzer made, read again by the same targets: what once broke a reader stays mended.
@Suite("Hostile input, replayed")
struct ReplayTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()

    @Test("No input of the corpus breaks its reader", arguments: FuzzTarget.allCases)
    func corpus(_ target: FuzzTarget) throws {
        let folder = Self.folder.appending(path: "Corpus/\(target.rawValue)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count >= 4)
        for name in names {
            let input = try Data(contentsOf: folder.appending(path: name))
            #expect(target.violations(Array(input)) == [], "\(target.rawValue)/\(name)")
        }
    }

    /// Of each input, beginnings and single changed bytes: near what is right, where mistakes in a reader hide.
    @Test("No beginning of an input, and no byte changed in it, breaks its reader", arguments: FuzzTarget.allCases)
    func neighbours(_ target: FuzzTarget) throws {
        let folder = Self.folder.appending(path: "Corpus/\(target.rawValue)")
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
            let input = Array(try Data(contentsOf: folder.appending(path: name)))
            guard input.count < 2_000, !input.isEmpty else { continue }
            // A handful of places, by the name's own bytes: the same in each run.
            for (number, byte) in name.utf8.prefix(4).enumerated() {
                let place = (Int(byte) * 131 + number * 977) % input.count
                var changed = input
                changed[place] = changed[place] &+ byte | 1
                for mutated in [Array(input[..<place]), changed] {
                    #expect(target.violations(mutated) == [], "\(target.rawValue)/\(name) at \(place)")
                }
            }
        }
    }
}
