import CZlib
import CZstd
import Foundation
import Tables

/// Parquet files: told by how they begin, whatever their names are.
enum ParquetInput {
    /// Reads the footer; nil where the file is none, by its first bytes and its name.
    static func open(_ path: String) throws -> ParquetFile? {
        let reader = try FileHandleReader(path: path)
        let start = try reader.bytes(0..<min(5, reader.size)).withBytes { Array($0) }
        let end = try reader.bytes(max(0, reader.size - 4)..<reader.size).withBytes { Array($0) }
        guard ParquetFile.isParquet(start: start, end: end) || path.lowercased().hasSuffix(".parquet") else {
            return nil
        }
        guard reader.size > 0 else { throw IngestError.emptyFile }
        let source = ParquetSource(
            byteCount: reader.size, read: { try reader.bytes($0) }, inflate: inflate, checksum: checksum)
        do { return try ParquetFile(source) } catch let error as ParquetError { throw IngestError.parquet(error) }
    }

    static func layout(_ file: ParquetFile, _ schema: Schema) throws(IngestError) -> ParquetLayout {
        do throws(ParquetError) { return try ParquetLayout(file, schema: schema) } catch { throw .parquet(error) }
    }

    /// Fills the target from a compressed page; false unless it is just that.
    @Sendable static func inflate(
        _ compression: ParquetSource.Compression, _ bytes: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        switch compression {
        case .gzip: inflateMembers(bytes, target)
        case .zstd: ZSTD_decompress(target.baseAddress, target.count, bytes.baseAddress, bytes.count) == target.count
        }
    }

    /// One gzip member or more, or zlib's own wrapper, which some writers take for it.
    private static func inflateMembers(
        _ bytes: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var stream = z_stream()
        // 32 + 15: either wrapper, and the largest window.
        guard inflateInit2_(&stream, 47, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return false }
        defer { inflateEnd(&stream) }
        // zlib does not write to its input.
        stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(clamping: bytes.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(clamping: target.count)
        while true {
            let status = CZlib.inflate(&stream, Z_NO_FLUSH)
            guard status == Z_OK || status == Z_STREAM_END else { return false }
            guard status == Z_STREAM_END else { continue }
            if stream.avail_in == 0 { return stream.avail_out == 0 }
            guard inflateReset(&stream) == Z_OK else { return false }
        }
    }
}
