import DatasiteProtocol
import Foundation
import Learning
import Tables

/// The numbers of an array's rows, in the type that is stored, within the declared bounds.
enum ArraySource {
    /// All rows of a file, one behind the other.
    case whole([UInt8], ArraySchema)
    /// A folder of images, which are read when they are asked for.
    case folder(String, ArraySchema)

    var isFolder: Bool { if case .folder = self { true } else { false } }

    /// nil: as many as the table's file has.
    var rows: Int? {
        if case .whole(let bytes, let schema) = self { bytes.count / schema.rowBytes } else { nil }
    }

    /// A row's bytes; of a folder none.
    func withRow<Result>(_ row: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard case .whole(let bytes, let schema) = self else {
            return body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        let size = schema.rowBytes
        return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[row * size..<(row + 1) * size])) }
    }

    /// The image of that name in the folder.
    func image(_ name: String) throws -> StoredNumbers {
        guard case .folder(let folder, let schema) = self else { return StoredNumbers(bytes: [], outside: 0) }
        guard WholeFile.isBelow(name) else {
            throw IngestError.array("a file's name leaves the folder \(folder)")
        }
        let path = folder + "/" + name
        let file = try WholeFile(path, named: schema.name)
        do throws(DataError) {
            let image = try PNGFile.read(file.bytes, .system(largest: WholeFile.largest))
            return try image.asOneRow.stored(as: schema)
        } catch { throw IngestError.array("\(path): \(error)") }
    }
}

/// Numbers in the type that is stored.
struct StoredNumbers {
    var bytes: [UInt8]
    /// How many were outside the bounds, and are stored as the bound.
    var outside: Int
}

extension DataArray {
    /// With an extent of 1 before its own.
    var asOneRow: DataArray {
        get throws(DataError) { try DataArray(shape: [1] + shape, type: type, bytes: bytes) }
    }

    fileprivate static func words(_ shape: [Int]) -> String {
        shape.isEmpty ? "a single number" : shape.map(String.init).joined(separator: "x")
    }

    /// Rows as they are stored: channels first, in the declared type, clipped to the declared bounds.
    ///
    /// - Throws: Rows of another shape; numbers that the type does not hold, or that are none.
    func stored(as schema: ArraySchema) throws(DataError) -> StoredNumbers {
        var array = self
        let own = rowShape
        if own != schema.shape, own.count == 3, [own[2], own[0], own[1]] == schema.shape {
            array = try channelsFirst()
        } else if own != schema.shape, [1] + own != schema.shape, own + [1] != schema.shape {
            throw DataError(
                schema.name, "rows of \(Self.words(own))",
                expected: "rows of \(Self.words(schema.shape)), as the manifest declares")
        }
        let (lower, upper) = (Float(schema.lowerBound), Float(schema.upperBound))
        switch schema.element {
        case .uint8:
            guard array.type == .unsigned8 || array.type == .boolean else {
                throw DataError(
                    schema.name, "numbers of type \(array.type.rawValue)",
                    expected: "bytes (u1), as the manifest declares, or `type: float32` in it")
            }
            guard lower > 0 || upper < 255 else { return StoredNumbers(bytes: array.bytes, outside: 0) }
            return StoredNumbers(
                bytes: array.bytes.map { UInt8(min(max(Float($0), lower.rounded(.up)), upper.rounded(.down))) },
                outside: array.bytes.count { Float($0) < lower || Float($0) > upper })
        case .float32:
            let values = array.floats()
            guard values.allSatisfy({ !$0.isNaN }) else {
                throw DataError(
                    schema.name, "numbers that are none (NaN)", expected: "numbers: fill in what is missing")
            }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(4 * values.count)
            for value in values {
                withUnsafeBytes(of: min(max(value, lower), upper).bitPattern.littleEndian) { bytes += $0 }
            }
            return StoredNumbers(bytes: bytes, outside: values.count { $0 < lower || $0 > upper })
        }
    }
}

/// Reads files of arrays, each once.
struct ArrayFileReader {
    private var archives: [String: NPZFile] = [:]

    /// - Returns: The numbers, and how many of them were outside the bounds; of a folder that is known when its images are read.
    mutating func source(
        _ file: ArrayFile, as schema: ArraySchema
    ) throws -> (source: ArraySource, outside: Int) {
        if Self.isFolder(file.path) { return (.folder(file.path, schema), 0) }
        let array = try array(file)
        let stored = try naming(file) { () throws(DataError) in try array.stored(as: schema) }
        return (.whole(stored.bytes, schema), stored.outside)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// A file's numbers; of a folder those of one image, with the channels first.
    mutating func first(_ file: ArrayFile) throws -> (array: DataArray, isFolder: Bool) {
        guard Self.isFolder(file.path) else { return (try array(file), false) }
        let names = try? FileManager.default.subpathsOfDirectory(atPath: file.path)
        guard let name = names?.filter({ $0.lowercased().hasSuffix(".png") }).min() else {
            throw Problem.invalidData("\(file.path): a folder without PNG files")
        }
        let whole = try WholeFile(file.path + "/" + name, named: name)
        let image = try naming(file) { () throws(DataError) in
            try PNGFile.read(whole.bytes, .system(largest: WholeFile.largest)).asOneRow.channelsFirst()
        }
        return (image, true)
    }

    /// A column's values, one a row, as text.
    mutating func column(_ file: ArrayFile, as column: ColumnSchema) throws -> [String] {
        let array = try array(file)
        return try naming(file) { () throws(DataError) in
            guard array.rowShape.allSatisfy({ $0 == 1 }) else {
                throw DataError(
                    column.name, "rows of \(DataArray.words(array.rowShape))",
                    expected: "one number a row: it is a column")
            }
            return array.texts(asBooleans: column.type == .boolean)
        }
    }

    /// A file's numbers.
    mutating func array(_ file: ArrayFile) throws -> DataArray {
        guard let member = file.member else {
            let whole = try WholeFile(file.path, named: file.path)
            return try naming(file) { () throws(DataError) in
                if NPYFile.isBegun(by: whole.bytes) { return try NPYFile.read(whole.bytes) }
                if whole.bytes.starts(with: [0, 0]) { return try IDXFile.read(whole.bytes) }
                guard whole.bytes.starts(with: [0x50, 0x4B]) else {
                    throw DataError(
                        "other bytes",
                        expected: "IDX or .npy, one array of an archive (FILE.npz:NAME), or a folder of PNG")
                }
                let names = try NPZFile(whole.bytes, .system(largest: WholeFile.largest)).names.prefix(40)
                throw DataError(
                    "an archive",
                    expected: "\(file.path):NAME, with one of its arrays: \(names.joined(separator: ", "))")
            }
        }
        let archive: NPZFile
        if let known = archives[member.archive] {
            archive = known
        } else {
            let whole = try WholeFile(member.archive, named: member.archive)
            archive = try naming(file) { () throws(DataError) in
                try NPZFile(whole.bytes, .system(largest: WholeFile.largest))
            }
            archives[member.archive] = archive
        }
        return try naming(file) { () throws(DataError) in try archive.array(member.name) }
    }

    private func naming<Result>(_ file: ArrayFile, _ body: () throws(DataError) -> Result) throws -> Result {
        do throws(DataError) { return try body() } catch { throw Problem.invalidData("\(file.path): \(error)") }
    }
}
