/// A cosignature/v1 of Ed25519 (c2sp.org/tlog-cosignature, type 0x04): that as of a time the cosigner has seen no larger tree of the
/// log that is consistent with what it saw before.
struct Cosignature {
    /// Seconds since 1970.
    let time: UInt64
    /// The 64 bytes of Ed25519.
    let signature: [UInt8]

    init(time: UInt64, signature: [UInt8]) {
        self.time = time
        self.signature = signature
    }

    /// Reads a big-endian uint64 and 64 bytes; nil for another length, and for a time outside 1 to 2^63 - 1. A time of 0 would
    /// say that there is none, which cosignatures of checkpoints are not to say (c2sp.org/tlog-witness).
    init?(_ bytes: [UInt8]) {
        guard bytes.count == 72 else { return nil }
        time = BigEndian.number(bytes.prefix(8))
        signature = Array(bytes.dropFirst(8))
        guard Self.isPossible(time) else { return nil }
    }

    /// The time in eight bytes, big-endian, and the signature.
    var bytes: [UInt8] { BigEndian.bytes(time) + signature }

    static func isPossible(_ time: UInt64) -> Bool { (1...UInt64(Int64.max)).contains(time) }

    static let header = Array("cosignature/v1\n".utf8)

    /// What is signed.
    static func message(_ text: [UInt8], time: UInt64) -> [UInt8] {
        header + Array("time \(time)\n".utf8) + text
    }
}
