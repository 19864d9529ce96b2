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
    private static func isHost(_ text: String) -> Bool {
        text.wholeMatch(of: #/(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z\-._~%!$&'()*+;=]+)(:[0-9]{1,5})?/#) != nil
    }

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
