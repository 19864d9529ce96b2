internal import Crypto
internal import CryptoExtras
internal import Foundation

/// A mask: the key stream of AES-256 in counter mode (NIST SP 800-38A, section 6.5) under a key that serves once, so that the counter starts at zero. An
/// entry is the next four bytes for up to 32 bits, eight above, little-endian, modulo 2^64; who adds it reduces.
struct MaskStream: Sendable {
    /// Entries that are expanded at a time: a piece and its mask stay in the cache of a core.
    static let pieceLength = 4096
    private static let zeros = [UInt8](repeating: 0, count: 8 * pieceLength)

    let key: SymmetricKey
    /// Bytes of an entry.
    let width: Int
    /// Whether the mask is subtracted.
    let isNegative: Bool

    init(key: SymmetricKey, modulusBits: Int, isNegative: Bool) {
        self.key = key
        width = modulusBits <= 32 ? 4 : 8
        self.isNegative = isNegative
    }

    /// Adds the entries from `offset` on, a multiple of four, to the values, at most ``pieceLength``.
    func add(to values: UnsafeMutableBufferPointer<UInt64>, offset: Int) {
        let stream = bytes(offset: offset, count: values.count)
        stream.withUnsafeBytes { raw in
            switch (width, isNegative) {
            case (4, false):
                for index in values.indices { values[index] &+= UInt64(Self.word32(raw, index)) }
            case (4, true):
                for index in values.indices { values[index] &-= UInt64(Self.word32(raw, index)) }
            case (_, false):
                for index in values.indices { values[index] &+= Self.word64(raw, index) }
            case (_, true):
                for index in values.indices { values[index] &-= Self.word64(raw, index) }
            }
        }
    }

    /// The bytes of `count` entries from `offset` on.
    func bytes(offset: Int, count: Int) -> Data {
        // The counter's block of sixteen bytes, most significant first.
        var block = UInt64(offset * width / 16).bigEndian
        var counter = [UInt8](repeating: 0, count: 16)
        withUnsafeBytes(of: &block) { counter.replaceSubrange(8..<16, with: $0) }
        let zeros = Self.zeros.prefix(count * width)
        // Neither throws for a counter of 16 bytes and a key of 32.
        guard let nonce = try? AES._CTR.Nonce(nonceBytes: counter),
            let stream = try? AES._CTR.encrypt(zeros, using: key, nonce: nonce), stream.count == count * width
        else { preconditionFailure("AES in counter mode refused a key of 256 bits.") }
        return stream
    }

    @inline(__always)
    private static func word32(_ raw: UnsafeRawBufferPointer, _ index: Int) -> UInt32 {
        UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
    }

    @inline(__always)
    private static func word64(_ raw: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
        UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
    }

    /// Adds all masks to values that start at entry `offset`, a multiple of four, and reduces modulo the mask's bits. Pieces are independent of each
    /// other, so that the result does not depend on the number of threads.
    static func addAll(
        _ streams: [MaskStream], to values: inout [UInt64], offset: Int, modulusMask: UInt64, threads: Int
    ) {
        // Several threads work at copies of some pieces at a time.
        let batch = threads > 1 ? AggregationSession.chunkLength : pieceLength
        for start in stride(from: 0, to: values.count, by: batch) {
            let range = start..<min(start + batch, values.count)
            if threads <= 1 {
                values.withUnsafeMutableBufferPointer {
                    add(
                        streams, to: UnsafeMutableBufferPointer(rebasing: $0[range]), offset: offset + start,
                        modulusMask)
                }
                continue
            }
            let part = Array(values[range])
            let pieces = inParallel((part.count + pieceLength - 1) / pieceLength, threads: threads) { piece in
                let first = piece * pieceLength
                var sum = Array(part[first..<min(first + pieceLength, part.count)])
                sum.withUnsafeMutableBufferPointer { add(streams, to: $0, offset: offset + start + first, modulusMask) }
                return sum
            }
            for (piece, sum) in pieces.enumerated() {
                let first = start + piece * pieceLength
                values.replaceSubrange(first..<first + sum.count, with: sum)
            }
        }
    }

    private static func add(
        _ streams: [MaskStream], to piece: UnsafeMutableBufferPointer<UInt64>, offset: Int, _ modulusMask: UInt64
    ) {
        for stream in streams { stream.add(to: piece, offset: offset) }
        for index in piece.indices { piece[index] &= modulusMask }
    }
}
