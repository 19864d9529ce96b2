import CZlib
import Foundation

/// Inflates a gzip file (RFC 1952), members one after the other.
final class GzipReader {
    private var file: FileHandleReader
    private var stream = z_stream()
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var inputCount = 0
    private var used = 0
    private var isOpen = false
    private var isInsideMember = false
    /// Whether a member has ended.
    private var hasMember = false
    private var inflated = 0

    /// A file that inflates to more than so many times its size is refused, beyond a size that does no harm. Deflate
    /// reaches 1,032; tables of numbers and words some 20.
    static let largestRatio = 200
    private let harmlessBytes: Int

    init(_ file: FileHandleReader, harmlessBytes: Int) throws {
        self.file = file
        self.harmlessBytes = harmlessBytes
        // 16 + 15: a gzip wrapper, and the largest window.
        guard inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw IngestError.damagedCompression
        }
        isOpen = true
    }

    deinit {
        if isOpen { inflateEnd(&stream) }
        input.deallocate()
    }

    /// Compressed bytes read.
    var position: Int { file.position }

    /// Fills as much as it can with inflated bytes; returns how many, 0 at the end.
    func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < target.count {
            if used == inputCount {
                used = 0
                inputCount = try file.read(into: input)
                if inputCount == 0 { break }
            }
            // What is behind a member is another or, as tapes and block devices have it, zeros to the end.
            if !isInsideMember, hasMember, skipZeros() { continue }
            done += try inflateSome(UnsafeMutableRawBufferPointer(rebasing: target[done...]))
        }
        inflated += done
        guard inflated <= Swift.max(harmlessBytes, Self.largestRatio * file.size) else {
            throw IngestError.inflatesTooMuch(limit: Self.largestRatio)
        }
        if done == 0, isInsideMember { throw IngestError.damagedCompression }
        return done
    }

    /// Goes over zeros behind a member; whether all that was read is used.
    private func skipZeros() -> Bool {
        while used < inputCount, input[used] == 0 { used += 1 }
        return used == inputCount
    }

    private func inflateSome(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        stream.next_in = input.baseAddress.map { $0.assumingMemoryBound(to: UInt8.self) + used }
        stream.avail_in = UInt32(inputCount - used)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(clamping: target.count)
        let room = Int(stream.avail_out)
        isInsideMember = true
        let status = inflate(&stream, Z_NO_FLUSH)
        used = inputCount - Int(stream.avail_in)
        if status == Z_STREAM_END {
            isInsideMember = false
            hasMember = true
            guard inflateReset(&stream) == Z_OK else { throw IngestError.damagedCompression }
        } else if status != Z_OK, status != Z_BUF_ERROR {
            throw IngestError.damagedCompression
        }
        return room - Int(stream.avail_out)
    }
}
