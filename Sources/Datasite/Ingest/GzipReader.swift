import CZlib
import Foundation

/// Inflates a gzip file (RFC 1952), members one after the other.
final class GzipReader {
    private var file: FileHandleReader
    private var stream = z_stream()
    private var input: [UInt8] = []
    private var used = 0
    private var isOpen = false
    private var isInsideMember = false
    private static let inputBytes = 1 << 18

    init(_ file: FileHandleReader) throws {
        self.file = file
        // 16 + 15: a gzip wrapper, and the largest window.
        guard inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw IngestError.damagedCompression
        }
        isOpen = true
    }

    deinit {
        if isOpen { inflateEnd(&stream) }
    }

    /// Compressed bytes read.
    var position: Int { file.position }

    /// Appends at most that many inflated bytes; returns how many, 0 at the end.
    func read(_ count: Int, into buffer: inout [UInt8]) throws -> Int {
        var failure = false
        let chunk = try [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
            while initialized < count {
                if used == input.count { try refill() }
                if used == input.count { break }
                let got = inflateSome(UnsafeMutableBufferPointer(rebasing: target[initialized...]), &failure)
                if failure { break }
                initialized += got
            }
        }
        if failure { throw IngestError.damagedCompression }
        if chunk.isEmpty, isInsideMember { throw IngestError.damagedCompression }
        buffer.append(contentsOf: chunk)
        return chunk.count
    }

    private func refill() throws {
        input.removeAll(keepingCapacity: true)
        used = 0
        _ = try file.read(Self.inputBytes, into: &input)
    }

    private func inflateSome(_ target: UnsafeMutableBufferPointer<UInt8>, _ failure: inout Bool) -> Int {
        var available = 0
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress.map { $0 + used }
            stream.avail_in = UInt32(input.count - used)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(clamping: target.count)
            let room = Int(stream.avail_out)
            isInsideMember = true
            let status = inflate(&stream, Z_NO_FLUSH)
            used = input.count - Int(stream.avail_in)
            available = room - Int(stream.avail_out)
            if status == Z_STREAM_END {
                isInsideMember = false
                failure = inflateReset(&stream) != Z_OK
            } else {
                failure = status != Z_OK && status != Z_BUF_ERROR
            }
        }
        return available
    }
}
