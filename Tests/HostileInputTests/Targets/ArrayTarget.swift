import Learning

@testable import Datasite

/// A file of numbers: what is read has as many values as it says, and nothing larger than allowed was made for it.
enum ArrayTarget {
    /// More than this is refused before it is made.
    private static let largest = 1 << 21

    static func idx(_ input: [UInt8]) -> [String] { check { () throws(DataError) in [try IDXFile.read(input)] } }
    static func npy(_ input: [UInt8]) -> [String] { check { () throws(DataError) in [try NPYFile.read(input)] } }

    static func png(_ input: [UInt8]) -> [String] {
        check { () throws(DataError) in [try PNGFile.read(input, .system(largest: largest))] }
    }

    static func npz(_ input: [UInt8]) -> [String] {
        guard let file = try? NPZFile(input, .system(largest: largest)) else { return [] }
        return file.names.prefix(8).flatMap { name in
            check { () throws(DataError) in [try file.array(name)] }
        }
    }

    private static func check(_ read: () throws(DataError) -> [DataArray]) -> [String] {
        let arrays: [DataArray]
        do throws(DataError) { arrays = try read() } catch {
            return error.description.isEmpty ? ["a refusal without words"] : []
        }
        return arrays.flatMap { array -> [String] in
            let values = array.floats().count
            guard values == array.shape.reduce(1, *), array.count == values else {
                return ["a shape of other values than there are"]
            }
            return array.bytes.count <= max(largest, values * 8) ? [] : ["more bytes than allowed"]
        }
    }
}
