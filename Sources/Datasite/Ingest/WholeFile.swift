import DatasiteProtocol
import Tables

/// A file that is read whole into memory.
struct WholeFile {
    /// No file may be, or inflate to, more bytes.
    static let largest = 8 << 30

    /// As they stand in the file.
    let stored: [UInt8]
    /// The same, inflated where the file is gzip.
    let bytes: [UInt8]

    /// Whether a name leads to a place below the folder that it is looked up in, by its letters alone.
    static func isBelow(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix("/") && !name.split(separator: "/").contains("..")
    }

    /// - Throws: A `Problem` that calls the file by its name.
    init(_ path: String, named name: String) throws {
        do {
            let file = try FileHandleReader(path: path)
            guard file.size <= Self.largest else {
                throw Problem.tooLarge("\(name) has more than \(Self.largest) bytes")
            }
            stored = try file.bytes(0..<file.size).withBytes { Array($0) }
            bytes = try file.startsWith([0x1f, 0x8b]) ? Self.inflated(path) : stored
        } catch let error as IngestError {
            throw Problem.invalidData("\(name): \(error)")
        }
    }

    private static func inflated(_ path: String) throws -> [UInt8] {
        let reader = try GzipReader(FileHandleReader(path: path), harmlessBytes: 64 << 20)
        var result: [UInt8] = []
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { block.deallocate() }
        while true {
            let count = try reader.read(into: block)
            if count == 0 { return result }
            guard result.count + count <= largest else {
                throw Problem.tooLarge("a file inflates to more than \(largest) bytes")
            }
            result += UnsafeRawBufferPointer(rebasing: block[..<count])
        }
    }
}
