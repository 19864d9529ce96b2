/// An unambiguous encoding: a label with the protocol's name and version, then integers of eight bytes, most significant first, 32-byte values, and texts and lists
/// after their length. Two different sequences of one label never give the same bytes, so that a digest stands for one content alone.
struct CanonicalBytes {
    /// The protocol and its version: no digest of another use is one of this.
    static let domain = "parley/marketplace/1/"
    private(set) var bytes: [UInt8] = []

    init(_ label: String) {
        bytes.reserveCapacity(256)
        append(Self.domain + label)
    }

    mutating func append(_ integer: Int64) {
        withUnsafeBytes(of: UInt64(bitPattern: integer).bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ integer: Int) { append(Int64(integer)) }

    mutating func append(_ value: Digest256) { value.withBytes { bytes.append(contentsOf: $0) } }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 {
            append($0.count)
            bytes.append(contentsOf: $0)
        }
    }

    mutating func append(_ text: [UInt8]) {
        append(text.count)
        bytes.append(contentsOf: text)
    }

    /// An optional: 0, or 1 and the value.
    mutating func append(_ integer: Int64?) {
        append(integer == nil ? 0 : 1)
        if let integer { append(integer) }
    }

    /// A list, after its length.
    mutating func append<Element>(_ list: [Element], _ each: (inout CanonicalBytes, Element) -> Void) {
        append(list.count)
        for element in list { each(&self, element) }
    }

    /// SHA-256 of the bytes.
    var digest: Digest256 { .sha256(bytes) }
}
