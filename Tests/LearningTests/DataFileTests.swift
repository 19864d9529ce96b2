import Foundation
import Testing

@testable import Learning

/// Files that NumPy and `scripts/data-files` (checked there beside Pillow) wrote. This module inflates nothing: `npz` and PNG with
/// deflated parts are read in `DatasiteTests` (`ArrayFileTests`).
@Suite("Files of numbers")
struct DataFileTests {
    static func fixture(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return Array(try Data(contentsOf: folder.appending(path: name)))
    }

    @Test(".npy holds NumPy's values in every type", arguments: ElementType.allCases)
    func types(_ type: ElementType) throws {
        let array = try NPYFile.read(Self.fixture("npy-\(type.rawValue).npy"))
        #expect(array.shape == [3, 4])
        #expect(array.type == type)
        let expected: [Float] = (0..<12).map {
            switch type {
            case .boolean: $0 == 0 ? 0 : 1
            case .unsigned8, .unsigned16: Float($0)
            default: Float($0 - 3)
            }
        }
        #expect(array.floats() == expected)
    }

    @Test(".npy in Fortran's order, big-endian and of versions 2 and 3 holds the same values as the plain one")
    func orders() throws {
        for name in ["fortran", "big", "version2", "version3"] {
            let array = try NPYFile.read(Self.fixture("npy-\(name).npy"))
            #expect(array.shape == [2, 3, 4])
            #expect(array.floats() == (0..<24).map(Float.init), "\(name)")
        }
    }

    @Test("Half precision holds its smallest and largest numbers, zeros of either sign, infinities and none")
    func halves() throws {
        let bits: [UInt16] = [0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8000, 0xFC00, 0x3555]
        let array = try DataArray(
            shape: [7], type: .float16, bytes: bits.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        #expect(array.floats() == [0x1p-24, 1023 * 0x1p-24, 0x1p-14, 65504, -0.0, -.infinity, 0.333251953125])
        #expect(try DataArray(shape: [1], type: .float16, bytes: [1, 0x7C]).floats()[0].isNaN)
    }

    @Test("IDX holds big-endian numbers of every size")
    func idx() throws {
        for name in ["u1", "i2", "f8"] {
            let array = try IDXFile.read(Self.fixture("idx-\(name)"))
            #expect(array.shape == [2, 3, 4])
            #expect(array.floats() == (0..<24).map(Float.init), "\(name)")
        }
    }

    @Test("A wrong file is told with the place, what arrived and what would be right")
    func wrong() throws {
        let good = try Self.fixture("npy-f4.npy")
        func message(_ bytes: [UInt8]) -> String? {
            do throws(DataError) {
                _ = try NPYFile.read(bytes)
                return nil
            } catch { return error.description }
        }
        #expect(message(Array(good.dropLast(3))) == "values: 45 bytes; expected: 48, those of 3x4 values of 4 bytes")
        #expect(message(good + [0]) == "values: 49 bytes; expected: 48, those of 3x4 values of 4 bytes")
        #expect(message([1, 2, 3])?.hasPrefix("it ends early") == true)
        #expect(message(Array("not an array at all".utf8))?.contains("\\x93NUMPY") == true)
        let text = String(decoding: good[10...].prefix(while: { $0 != 0x0A }), as: UTF8.self)
        func changed(_ from: String, _ to: String) -> String? {
            let header = Array(text.replacing(from, with: to).utf8) + [0x0A]
            return message(
                Array(good[..<8]) + [UInt8(header.count & 255), UInt8(header.count >> 8)] + header + good.suffix(48))
        }
        #expect(changed("x", "x") == nil)
        #expect(changed("'<f4'", "'|O'")?.contains("Python objects") == true)
        #expect(changed("'<f4'", "[('a', '<f4')]")?.contains("records") == true)
        #expect(changed("'<f4'", "'<c8'")?.contains("element type") == true)
        #expect(changed("(3, 4)", "(3, -4)")?.contains("extent") == true)
        #expect(changed("(3, 4)", "(999999999999999999, 999999999999999999)")?.contains("no memory") == true)
        #expect(changed("False", "Maybe")?.contains("neither True nor False") == true)
        #expect(changed("'shape'", "'descr'")?.contains("twice") == true)
    }

    @Test("Labels are whole numbers of the declared domain, or refused without a word of which")
    func labels() throws {
        let array = try DataArray(shape: [3, 1], type: .unsigned8, bytes: [2, 0, 1])
        #expect(try array.labels(classes: 3) == [2, 0, 1])
        #expect(throws: DataError.self) { try array.labels(classes: 2) }
        let wide = try DataArray(shape: [1, 3], type: .unsigned8, bytes: [2, 0, 1])
        #expect(throws: DataError.self) { try wide.labels(classes: 3) }
        let halves = try NPYFile.read(Self.fixture("npy-f2.npy"))
        #expect(throws: DataError.self) { try halves.labels(classes: 100) }
    }

    @Test("Channels that stand behind the pixels come before them")
    func channels() throws {
        let array = try DataArray(shape: [1, 2, 2, 3], type: .unsigned8, bytes: Array(0..<12))
        let moved = try array.channelsFirst()
        #expect(moved.shape == [1, 3, 2, 2])
        #expect(moved.bytes == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11])
        let wide = try DataArray(shape: [1, 1, 2, 2], type: .unsigned16, bytes: Array(0..<8))
        #expect(try wide.channelsFirst().bytes == [0, 1, 4, 5, 2, 3, 6, 7])
    }

    @Test("Bytes and floats of the same numbers become the same inputs under every scaling")
    func scaling() throws {
        let bytes = try DataArray(shape: [2, 1, 2, 2], type: .unsigned8, bytes: [0, 10, 128, 255, 1, 2, 3, 4])
        let shorts = try DataArray(
            shape: [2, 1, 2, 2], type: .unsigned16, bytes: bytes.bytes.flatMap { [$0, 0] })
        for scaling in [
            InputScaling.none, .bounds(lower: 0, upper: 255), .bounds(lower: 5, upper: 200),
            .standard(mean: [33], deviation: [78]),
        ] {
            let targets = Targets.labels([0, 1])
            let one = try Examples(bytes, scaling: scaling, targets: targets).inputs([0, 1])
            let other = try Examples(shorts, scaling: scaling, targets: targets).inputs([0, 1])
            #expect(zip(one.values, other.values).allSatisfy { abs($0 - $1) < 1e-6 }, "\(scaling)")
        }
        // Values outside the declared bounds are the bounds.
        let clipped = try Examples(bytes, scaling: .bounds(lower: 5, upper: 200), targets: .labels([0, 1]))
        #expect(clipped.inputs([0]).values == [0, 5.0 / 195, 123.0 / 195, 1])
        #expect(throws: ModelError.self) {
            try Examples(bytes, scaling: .bounds(lower: 1, upper: 1), targets: .labels([0, 1]))
        }
        #expect(throws: ModelError.self) {
            try Examples(bytes, scaling: .standard(mean: [1, 2], deviation: [1, 2]), targets: .labels([0, 1]))
        }
    }

    @Test("Each channel has its own mean and deviation")
    func perChannel() throws {
        let array = try DataArray(shape: [1, 2, 1, 2], type: .unsigned8, bytes: [10, 20, 30, 40])
        let examples = try Examples(
            array, scaling: .standard(mean: [10, 20], deviation: [10, 5]), targets: .labels([0]))
        #expect(examples.inputs([0]).values == [0, 1, 2, 4])
    }
}
