/// NumPy's format of several arrays: a ZIP archive (PKWARE APPNOTE 6.3) of `.npy` files, stored or deflated.
///
/// Only the directory is read at first. Sizes are checked against it and against the limit before memory is taken for them;
/// entries that share bytes, by which a small archive stands for a huge one, are refused.
public struct NPZFile: Sendable {
    /// The arrays' names, without `.npy`, in the order of the directory.
    public var names: [String] { entries.map(\.name) }
    private let bytes: [UInt8]
    private let entries: [Entry]
    private let inflation: Inflation

    private struct Entry {
        var name: String
        var isDeflated: Bool
        var checksum: Int
        var compressed: Int
        var size: Int
        var header: Int
    }

    /// Reads the directory.
    ///
    /// - Parameter bytes: The whole file.
    /// - Throws: What is wrong in it.
    public init(_ bytes: [UInt8], _ inflation: Inflation) throws(DataError) {
        self.bytes = bytes
        self.inflation = inflation
        var end = try Self.end(bytes)
        _ = try end.take(4)
        let disks = (try end.littleEndian(2), try end.littleEndian(2))
        let counts = (try end.littleEndian(2), try end.littleEndian(2))
        let (size, offset) = (try end.littleEndian(4), try end.littleEndian(4))
        guard disks == (0, 0), counts.0 == counts.1 else {
            throw DataError("directory", "an archive of several files", expected: "a single file")
        }
        guard counts.0 < 0xFFFF, offset < 0xFFFF_FFFF else {
            throw DataError(
                "directory", "an archive of more than 4 GB or 65,534 arrays",
                expected: "smaller files, or one .npy an array")
        }
        guard offset + size <= bytes.count else {
            throw DataError("directory", "it lies outside the file", expected: "a whole .npz file")
        }
        var cursor = ByteCursor(bytes[offset..<offset + size])
        var entries: [Entry] = []
        for _ in 0..<counts.0 { entries.append(try Self.entry(&cursor)) }
        self.entries = entries
        guard Set(names).count == names.count else {
            throw DataError("directory", "an array that is named twice", expected: "each name once")
        }
        try checkSizes(directory: offset)
    }

    /// The end of the directory's record, which a comment may follow.
    private static func end(_ bytes: [UInt8]) throws(DataError) -> ByteCursor {
        let first = max(0, bytes.count - 22 - 0xFFFF)
        for start in stride(from: bytes.count - 22, through: first, by: -1)
        where bytes[start] == 0x50 && bytes[start + 1] == 0x4B && bytes[start + 2] == 5 && bytes[start + 3] == 6 {
            return ByteCursor(bytes[start...])
        }
        throw DataError("no directory at its end", expected: "a whole .npz file (a ZIP archive of .npy files)")
    }

    private static func entry(_ cursor: inout ByteCursor) throws(DataError) -> Entry {
        guard try cursor.littleEndian(4) == 0x0201_4B50 else {
            throw DataError("directory", "a damaged entry", expected: "a whole .npz file")
        }
        _ = try cursor.take(4)
        let flags = try cursor.littleEndian(2)
        let method = try cursor.littleEndian(2)
        _ = try cursor.take(4)
        let checksum = try cursor.littleEndian(4)
        let (compressed, size) = (try cursor.littleEndian(4), try cursor.littleEndian(4))
        let lengths = (try cursor.littleEndian(2), try cursor.littleEndian(2), try cursor.littleEndian(2))
        _ = try cursor.take(8)
        let header = try cursor.littleEndian(4)
        let name = String(decoding: try cursor.take(lengths.0), as: UTF8.self)
        _ = try cursor.take(lengths.1 + lengths.2)
        guard flags & 1 == 0 else {
            throw DataError("directory", "an encrypted array", expected: "none: numpy.savez writes it so")
        }
        guard method == 0 || method == 8 else {
            throw DataError("directory", "compression method \(method)", expected: "0 (stored) or 8 (deflated)")
        }
        guard compressed < 0xFFFF_FFFF, size < 0xFFFF_FFFF else {
            throw DataError("directory", "an array of more than 4 GB", expected: "smaller arrays, or one .npy an array")
        }
        return Entry(
            name: name.hasSuffix(".npy") ? String(name.dropLast(4)) : name, isDeflated: method == 8, checksum: checksum,
            compressed: compressed, size: size, header: header)
    }

    /// No two arrays share bytes, none reaches into the directory, and together they are not above the limit.
    private func checkSizes(directory: Int) throws(DataError) {
        let total = entries.reduce(0) { $0 + $1.size }
        guard total <= inflation.largest else {
            throw DataError("directory", "\(total) bytes when inflated", expected: "at most \(inflation.largest) bytes")
        }
        var next = 0
        for entry in entries.sorted(by: { $0.header < $1.header }) {
            guard entry.header >= next, entry.header + 30 + entry.compressed <= directory else {
                throw DataError(
                    "directory", "arrays that share bytes",
                    expected: "each array in bytes of its own, before the directory")
            }
            guard entry.isDeflated || entry.compressed == entry.size else {
                throw DataError("directory", "a stored array of two sizes", expected: "the same size stored and read")
            }
            next = entry.header + 30 + entry.compressed
        }
    }

    /// Reads one array.
    ///
    /// - Throws: An array that is not there, with those that are; what is wrong in it.
    public func array(_ name: String) throws(DataError) -> DataArray {
        guard let entry = entries.first(where: { $0.name == name }) else {
            throw DataError("no array '\(name)'", expected: "one of \(names.prefix(20).joined(separator: ", "))")
        }
        do throws(DataError) { return try NPYFile.read(contents(entry)) } catch {
            throw error.within("array '\(name)'")
        }
    }

    private func contents(_ entry: Entry) throws(DataError) -> [UInt8] {
        var cursor = ByteCursor(bytes[entry.header...])
        guard try cursor.littleEndian(4) == 0x0403_4B50 else {
            throw DataError("a damaged header", expected: "a whole .npz file")
        }
        _ = try cursor.take(4)
        guard try cursor.littleEndian(2) == (entry.isDeflated ? 8 : 0) else {
            throw DataError("two compression methods", expected: "the same in its header and in the directory")
        }
        _ = try cursor.take(16)
        let lengths = (try cursor.littleEndian(2), try cursor.littleEndian(2))
        _ = try cursor.take(lengths.0 + lengths.1)
        let stored = try cursor.take(entry.compressed)
        let contents = entry.isDeflated ? try inflation.inflated(stored, .none, count: entry.size) : Array(stored)
        guard inflation.checksum(contents[...]) == entry.checksum else {
            throw DataError("a checksum that differs", expected: "an undamaged file")
        }
        return contents
    }
}
