import Tables

@testable import Datasite

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A whole file, compressed or not, in blocks of two sizes: the rows that come of it are the same.
enum FileTarget {
    /// More than this is not read: a file of zeros may be a million times as long as it looks.
    private static let largestText = 1 << 20

    static func violations(_ input: [UInt8]) -> [String] {
        guard let first = input.first else { return [] }
        let path = "/tmp/parley-fuzz-\(getpid())-\(pthread_self())" + (first & 1 == 0 ? ".csv" : ".ndjson")
        defer { unlink(path) }
        guard store(Array(input.dropFirst()), at: path) else { return [] }
        let small = text(path, blockBytes: 1 << 10)
        let large = text(path, blockBytes: 1 << 16)
        guard let small, let large else { return small == nil && large == nil ? [] : ["refused in one size of blocks"] }
        let length = min(small.count, large.count)
        let isCut = max(small.count, large.count) > largestText
        return small.prefix(length) == large.prefix(length) && (isCut || small.count == large.count)
            ? [] : ["the text depends on the size of blocks"]
    }

    private static func store(_ bytes: [UInt8], at path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        defer { close(file) }
        return write(file, bytes, bytes.count) == bytes.count
    }

    /// The rows' text; nil where the file is refused.
    private static func text(_ path: String, blockBytes: Int) -> [UInt8]? {
        var options = IngestOptions()
        options.blockBytes = blockBytes
        let schema = Schema(columns: [ColumnSchema(name: "a", type: .text)])
        guard var reader = try? BlockReader(file: path, schema: schema, options: options) else { return nil }
        let buffer = BlockBuffer()
        var text: [UInt8] = []
        do {
            while text.count <= largestText, let range = try reader.next(into: buffer) {
                text += buffer.contents(range)
            }
        } catch { return nil }
        return text
    }
}
