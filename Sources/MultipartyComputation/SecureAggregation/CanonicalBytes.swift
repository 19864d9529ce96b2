internal import Crypto
internal import Foundation

/// An unambiguous encoding: a label with the protocol's name and version, then integers of eight bytes, most significant first, and byte strings, each after
/// its length. Two different sequences never give the same bytes, so that a hash or a signature over one stands for no other.
struct CanonicalBytes {
    /// The protocol and its version: no signature or key of another use is one of this.
    static let domain = "parley/secure-aggregation/1/"
    private(set) var data = Data()

    init(_ label: String) {
        append(Data((Self.domain + label).utf8))
    }

    mutating func append(_ integer: Int) {
        var word = UInt64(bitPattern: Int64(integer)).bigEndian
        withUnsafeBytes(of: &word) { data.append(contentsOf: $0) }
    }

    mutating func append(_ bytes: Data) {
        append(bytes.count)
        data.append(bytes)
    }

    /// SHA-256 of the bytes.
    var digest: Data { Data(SHA256.hash(data: data)) }
}
