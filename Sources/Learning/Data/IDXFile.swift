/// IDX, the format of MNIST: two zero bytes, a type, the number of extents, the extents (32 bits each), then the values, all
/// big-endian (LeCun, Cortes and Burges, "The MNIST database", file formats).
public enum IDXFile {
    private static let types: [UInt8: ElementType] = [
        0x08: .unsigned8, 0x09: .integer8, 0x0B: .integer16, 0x0C: .integer32, 0x0D: .float32, 0x0E: .float64,
    ]

    /// - Parameter bytes: The whole file, inflated.
    /// - Throws: What is wrong in it.
    public static func read(_ bytes: [UInt8]) throws(DataError) -> DataArray {
        var cursor = ByteCursor(bytes[...])
        let header = Array(try cursor.take(4))
        guard header[0] == 0, header[1] == 0, let type = types[header[2]] else {
            throw DataError(
                "header", "other bytes",
                expected: "an IDX file: 0, 0, a type (8, 9, 11 to 14) and the number of extents")
        }
        var shape: [Int] = []
        for _ in 0..<header[3] { shape.append(try cursor.bigEndian(4)) }
        let count = try DataArray.byteCount(shape, type)
        guard count == cursor.left else {
            throw DataError(
                "values", "\(cursor.left) bytes",
                expected: "\(count), those of \(shape.extents) values of \(type.size) bytes")
        }
        return try DataArray(
            shape: shape, type: type, bytes: Array(try cursor.take(count)).reversedElements(of: type.size))
    }
}

extension [UInt8] {
    /// Each element's bytes the other way round.
    func reversedElements(of size: Int) -> [UInt8] {
        guard size > 1 else { return self }
        var result = self
        for start in stride(from: 0, to: count - count % size, by: size) {
            for offset in 0..<size { result[start + offset] = self[start + size - 1 - offset] }
        }
        return result
    }
}
