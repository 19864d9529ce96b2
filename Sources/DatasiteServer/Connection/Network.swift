import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A block of addresses that one party may hold.
struct Network: Hashable, Sendable {
    /// How wide, from what a line of a provider gets to a whole site's.
    enum Width: Int, Hashable, Sendable, CaseIterable {
        /// An IPv6 network of 48 bits, which a site or a generous home may have (RFC 6177).
        case site
        /// An IPv4 network of 24 bits, or an IPv6 one of 56, which many a home has.
        case subnet
        /// An IPv4 address, or an IPv6 network of 64 bits (RFC 4291, section 2.5.4).
        case address
    }

    let width: Width
    let prefix: [UInt8]

    /// The networks that an address lies in, the widest first; none for a local socket.
    static func all(of address: SocketAddress?) -> [Network] {
        all(of: address?.ipAddress ?? "")
    }

    /// The same for an address as text, a zone after `%` left out. IPv4 within IPv6 counts as IPv4.
    static func all(of text: String) -> [Network] {
        let text = String(text.prefix { $0 != "%" })
        if let four = bytes(4, of: text, family: AF_INET) { return ofFour(four) }
        guard let bytes = bytes(16, of: text, family: AF_INET6) else { return [] }
        let isMapped = bytes.prefix(12) == ArraySlice([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF])
        if isMapped { return ofFour(Array(bytes.suffix(4))) }
        return [(Width.site, 6), (.subnet, 7), (.address, 8)].map {
            Network(width: $0.0, prefix: Array(bytes.prefix($0.1)))
        }
    }

    /// In network order; nil if the text is no address of the family.
    private static func bytes(_ count: Int, of text: String, family: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    /// What stands for an address where places are counted by it: whoever has an IPv6 network has any number of addresses.
    static func holder(of text: String) -> String { all(of: text).last.map { "\($0.prefix)" } ?? text }

    private static func ofFour(_ bytes: [UInt8]) -> [Network] {
        [Network(width: .subnet, prefix: Array(bytes.prefix(3))), Network(width: .address, prefix: bytes)]
    }
}
