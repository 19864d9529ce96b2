/// Where a Parquet file's bytes come from, and what inflates its pages: this module opens no file and links no library.
public struct ParquetSource: Sendable {
    /// How a page is compressed by what a library inflates.
    public enum Compression: Sendable {
        /// RFC 1952.
        case gzip
        /// RFC 8878.
        case zstd
    }

    let byteCount: Int
    /// Reads those bytes of the file; the range is within the file.
    let read: @Sendable (Range<Int>) throws -> ColumnBytes
    /// Inflates compressed bytes into the target; false unless they fill it exactly.
    let inflate: @Sendable (Compression, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Bool

    /// The CRC-32 (RFC 1952) of bytes that follow others of that one.
    let checksum: @Sendable (UInt32, UnsafeRawBufferPointer) -> UInt32

    /// A file of that many bytes. `read` gives any part of it; `inflate` fills its target and says whether the
    /// compressed bytes were just that; `checksum` is the CRC-32 (RFC 1952) of bytes that follow others of that one.
    public init(
        byteCount: Int, read: @escaping @Sendable (Range<Int>) throws -> ColumnBytes,
        inflate: @escaping @Sendable (Compression, UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) -> Bool,
        checksum: @escaping @Sendable (UInt32, UnsafeRawBufferPointer) -> UInt32
    ) {
        self.byteCount = byteCount
        self.read = read
        self.inflate = inflate
        self.checksum = checksum
    }
}

/// How a column's pages are compressed.
enum ParquetCodec: Equatable {
    case none
    case snappy
    case library(ParquetSource.Compression)

    init(_ number: Int) throws(ParquetError) {
        switch number {
        case 0: self = .none
        case 1: self = .snappy
        case 2: self = .library(.gzip)
        case 6: self = .library(.zstd)
        default:
            let name = [3: "LZO", 4: "BROTLI", 5: "LZ4", 7: "LZ4_RAW"][number] ?? "codec \(number)"
            throw ParquetError(
                "it is compressed by \(name): write it uncompressed, or with SNAPPY, GZIP or ZSTD")
        }
    }
}
