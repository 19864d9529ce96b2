import Foundation
import Learning
import Testing

@testable import Datasite

@Suite("Files of numbers that are inflated")
struct ArrayFileTests {
    private static let inflation = Inflation.system(largest: 1 << 20)

    private static func fixture(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return Array(try Data(contentsOf: folder.appending(path: "LearningTests/Fixtures/" + name)))
    }

    @Test(".npz holds NumPy's arrays, stored and deflated", arguments: ["stored", "deflated"])
    func npz(_ name: String) throws {
        let file = try NPZFile(Self.fixture("npz-\(name).npz"), Self.inflation)
        #expect(file.names == ["images", "labels"])
        let images = try file.array("images")
        #expect(images.shape == [5, 3, 4])
        #expect(images.bytes == Array(0..<60))
        #expect(try file.array("labels").labels(classes: 5) == [0, 1, 2, 3, 4])
        #expect(throws: DataError("no array 'x'", expected: "one of images, labels")) { try file.array("x") }
    }

    @Test("A changed byte of an array is found by its checksum")
    func damaged() throws {
        var bytes = try Self.fixture("npz-stored.npz")
        let place = try #require(bytes.indices.first { bytes[$0...].starts(with: [40, 41, 42]) })
        bytes[place] = 0
        let file = try NPZFile(bytes, Self.inflation)
        #expect(throws: DataError.self) { try file.array("images") }
    }

    @Test("What would inflate to more than is allowed is refused by its directory, before it is inflated")
    func bomb() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let corpus = folder.appending(path: "HostileInputTests/Corpus")
        func message(_ body: () throws -> Void) -> String {
            do {
                try body()
                return ""
            } catch { return "\(error)" }
        }
        let zeros = Array(try Data(contentsOf: corpus.appending(path: "npz/zeros")))
        #expect(message { _ = try NPZFile(zeros, Self.inflation) }.contains("1048704 bytes when inflated"))
        #expect(try NPZFile(zeros, .system(largest: 1 << 21)).array("a").count == 1 << 20)
        let overlap = Array(try Data(contentsOf: corpus.appending(path: "npz/overlap")))
        #expect(message { _ = try NPZFile(overlap, Self.inflation) }.contains("share bytes"))
        let absurd = Array(try Data(contentsOf: corpus.appending(path: "npz/absurd-size")))
        #expect(
            message { _ = try NPZFile(absurd, .system(largest: .max)).array("labels") }.contains(
                "as much as deflate can"))
        let image = Array(try Data(contentsOf: corpus.appending(path: "png/bomb")))
        #expect(message { _ = try PNGFile.read(image, Self.inflation) }.contains("60000x60000 pixels"))
        #expect(message { _ = try PNGFile.read(image, .system(largest: .max)) }.contains("as much as deflate can"))
        let interlaced = Array(try Data(contentsOf: corpus.appending(path: "png/interlaced")))
        #expect(message { _ = try PNGFile.read(interlaced, Self.inflation) }.contains("interlaced"))
    }

    @Test("PNG holds the samples that were written, in every colour type and depth, with every filter")
    func png() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let names = try FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: "LearningTests/Fixtures").path
        ).filter { $0.hasPrefix("png-") && $0.hasSuffix(".png") }
        #expect(names.count == 15)
        for name in names {
            let image = try PNGFile.read(Self.fixture(name), Self.inflation)
            let expected = try NPYFile.read(Self.fixture(String(name.dropLast(4)) + ".npy"))
            #expect(image.shape == expected.shape, "\(name)")
            #expect(image.bytes == expected.bytes, "\(name)")
        }
    }
}
