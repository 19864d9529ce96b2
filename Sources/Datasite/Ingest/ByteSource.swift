/// Bytes from their start to their end: a file's, or what is made of them.
protocol ByteSource: AnyObject {
    /// Fills as much as it can; returns how many bytes, 0 at the end.
    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int
    /// Bytes of the file that were read.
    var position: Int { get }
}

/// A file's bytes as they are.
final class PlainSource: ByteSource {
    private var file: FileHandleReader

    init(_ file: FileHandleReader) {
        self.file = file
    }

    var position: Int { file.position }
    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int { try file.read(into: target) }
}

extension GzipReader: ByteSource {}

/// How bytes stand for characters.
enum TextEncoding: String, Sendable, Hashable, CaseIterable {
    case utf8 = "utf-8"
    /// With a byte order mark, else little-endian.
    case utf16 = "utf-16"
    /// Of which Latin-1 is a part, but for control characters that no table holds.
    case windows1252 = "windows-1252"

    init?(named name: String) {
        let name = name.lowercased().replacing("_", with: "-")
        switch name {
        case "utf8": self = .utf8
        case "utf16": self = .utf16
        case "latin-1", "latin1", "iso-8859-1", "cp1252": self = .windows1252
        default: self.init(rawValue: name)
        }
    }
}

/// A file as UTF-8 with line feeds, inflated where it is gzip (RFC 1952; told by its first bytes).
struct TextStream {
    private let source: any ByteSource
    private let fileBytes: Int
    private(set) var isAtEnd = false
    private static let markedUTF16: [[UInt8]] = [[0xff, 0xfe], [0xfe, 0xff]]

    /// - Parameter encoding: As declared; a byte order mark of UTF-16 tells it of itself.
    init(file: String, encoding: TextEncoding?, options: IngestOptions) throws {
        let reader = try FileHandleReader(path: file)
        fileBytes = max(reader.size, 1)
        let raw: any ByteSource =
            try reader.startsWith([0x1f, 0x8b])
            ? GzipReader(reader, harmlessBytes: options.inflatedBytes) : PlainSource(reader)
        let start = try Self.beginning(of: raw)
        let isMarked = Self.markedUTF16.contains { start.starts(with: $0) }
        let encoding = encoding ?? (isMarked ? .utf16 : .utf8)
        // As old Macs ended lines.
        let returnsAlone = start.contains(0x0d) && !start.contains(0x0a)
        let text = TextDecoder(raw, start: start, encoding: encoding, breaksAtReturns: returnsAlone)
        guard let appended = options.appended else {
            source = text
            return
        }
        let first = try Self.beginning(of: text)
        let format = try first.withUnsafeBytes { bytes throws(IngestError) in
            try FileForm.format(file, bytes, options.format)
        }
        source = try AppendingSource(text, start: first, format: format, appended)
    }

    /// A text in memory.
    init(_ text: [UInt8]) {
        source = BytesSource(text)
        fileBytes = max(text.count, 1)
    }

    private static func beginning(of source: any ByteSource) throws -> [UInt8] {
        var start = [UInt8](repeating: 0, count: 1 << 16)
        var count = 0
        try start.withUnsafeMutableBytes { bytes in
            while count < bytes.count {
                let got = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[count...]))
                if got == 0 { break }
                count += got
            }
        }
        return Array(start[..<count])
    }

    /// The part of the file that was read.
    var fraction: Double { Double(source.position) / Double(fileBytes) }

    /// Reads until the buffer holds so many bytes, or to the end.
    mutating func fill(_ buffer: BlockBuffer, to count: Int) throws {
        while buffer.count < count, !isAtEnd {
            let got = try buffer.append(count - buffer.count) { try source.read(into: $0) }
            isAtEnd = got == 0
        }
    }
}
