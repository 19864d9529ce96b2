import NIOHTTP1

extension HTTPRequestHead {
    /// Whether there is one host, and it is one (RFC 9112, section 3.2). HTTP/1.0 knows requests without.
    var hasValidHost: Bool {
        let hosts = headers["host"]
        guard hosts.count <= 1 else { return false }
        guard let host = hosts.first else { return version == .http1_0 }
        return Self.isHost(host)
    }

    /// `uri-host [ ":" port ]` (RFC 9110, section 7.2), neither empty.
    /// By hand, since it is done for each request.
    static func isHost(_ text: String) -> Bool {
        let bytes = text.utf8
        let isLiteral = bytes.first == UInt8(ascii: "[")
        guard
            let end = isLiteral
                ? bytes.firstIndex(of: UInt8(ascii: "]")) : bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        else { return false }
        let name = isLiteral ? bytes[bytes.index(after: bytes.startIndex)..<end] : bytes[..<end]
        let rest = isLiteral ? bytes[bytes.index(after: end)...] : bytes[end...]
        guard !name.isEmpty, name.allSatisfy({ (isLiteral ? literal : registered).contains($0) }) else { return false }
        guard let colon = rest.first else { return true }
        let port = rest.dropFirst()
        return colon == UInt8(ascii: ":") && (1...5).contains(port.count) && port.allSatisfy { $0 &- 0x30 <= 9 }
    }

    private static let digits = Set("0123456789".utf8)
    private static let literal = digits.union("abcdefABCDEF:.".utf8)
    private static let registered = digits.union(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~%!$&'()*+;=".utf8)

    /// Whether nothing is to follow its response: before HTTP/1.1, or where the peer says so (RFC 9112, section 9.6).
    var isLast: Bool {
        version != .http1_1 || headers[canonicalForm: "connection"].contains { $0.lowercased() == "close" }
    }

    /// Whether the peer waits to hear that its body is wanted (RFC 9110, section 10.1.1).
    var expectsContinue: Bool {
        version == .http1_1 && headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
    }

    var declaredBodyBytes: Int { headers.first(name: "content-length").flatMap { Int($0) } ?? 0 }
}
