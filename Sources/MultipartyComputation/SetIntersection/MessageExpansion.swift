internal import Crypto

/// `expand_message_xmd` with SHA-256 (RFC 9380, section 5.3.1): from a message as many uniform bytes as are asked for, other ones for each domain
/// separation tag.
///
/// Takes a time that depends on the message's length alone, as SHA-256 does.
struct MessageExpansion: Sendable {
    /// Most bytes that can be asked for: 255 digests.
    static let largestCount = 255 * SHA256.byteCount

    /// DST_prime: the tag, and its length as a byte.
    private let tag: [UInt8]
    /// After Z_pad, a block of zeros, with which each message begins.
    private let padded: SHA256

    /// A tag of more than 255 bytes is replaced by its digest (RFC 9380, section 5.3.3).
    init(tag: [UInt8]) {
        var tag = tag
        if tag.count > 255 { tag = Array(SHA256.hash(data: Array("H2C-OVERSIZE-DST-".utf8) + tag)) }
        self.tag = tag + [UInt8(tag.count)]
        var padded = SHA256()
        padded.update(data: [UInt8](repeating: 0, count: SHA256.blockByteCount))
        self.padded = padded
    }

    /// Fills the buffer, of at most ``largestCount`` bytes, from the message, which is the parts one after another.
    func expand(_ parts: [UnsafeRawBufferPointer], into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count <= Self.largestCount, "More bytes than expand_message_xmd gives.")
        let first = digest(padded, parts, [UInt8(output.count >> 8), UInt8(output.count & 0xff), 0] + tag)
        // The first digest and the last one, added bit by bit; then the last one's number.
        var block = [UInt8](repeating: 0, count: SHA256.byteCount + 1) + tag
        for offset in stride(from: 0, to: output.count, by: SHA256.byteCount) {
            first.withUnsafeBytes { first in
                for place in first.indices { block[place] ^= first[place] }
            }
            block[SHA256.byteCount] += 1
            digest(SHA256(), [], block).withUnsafeBytes { digest in
                for place in digest.indices { block[place] = digest[place] }
                for place in 0..<min(digest.count, output.count - offset) { output[offset + place] = digest[place] }
            }
        }
    }

    /// Buffers are given as pointers: the hash's generic method would not be specialised across modules.
    private func digest(_ start: SHA256, _ parts: [UnsafeRawBufferPointer], _ end: [UInt8]) -> SHA256Digest {
        var hash = start
        for part in parts { hash.update(bufferPointer: part) }
        end.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize()
    }
}
