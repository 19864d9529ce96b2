import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What stands between a reader and a site, and shows an old copy of its log: files are read from a folder, and what is posted goes no further.
final class StaleLog: Sendable {
    /// What becomes of what is posted.
    enum Posts: Sendable {
        /// It is answered with 200.
        case accepted
        /// The connection is closed without an answer.
        case closed
        /// Nothing comes back.
        case hanging
    }

    private let descriptor: Int32
    let port: Int

    init(folder: String, posts: Posts = .accepted) throws {
        struct Failed: Error {}
        #if canImport(Darwin)
            let stream = SOCK_STREAM
        #else
            let stream = Int32(SOCK_STREAM.rawValue)
        #endif
        let descriptor = socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
                guard bind(descriptor, general, size) == 0, getsockname(descriptor, general, &size) == 0 else {
                    return UInt16(0)
                }
                return address.pointee.sin_port.bigEndian
            }
        }
        guard port != 0, listen(descriptor, 16) == 0 else { throw Failed() }
        (self.descriptor, self.port) = (descriptor, Int(port))
        Thread.detachNewThread {
            while case let connection = accept(descriptor, nil, nil), connection >= 0 {
                if Self.answer(connection, folder, posts) { close(connection) }
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    /// - Returns: Whether the connection is at its end.
    private static func answer(_ connection: Int32, _ folder: String, _ posts: Posts) -> Bool {
        var (request, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
        func text() -> String { String(decoding: request, as: UTF8.self) }
        func isWhole() -> Bool {
            guard let end = text().firstRange(of: "\r\n\r\n") else { return false }
            let length = text().lowercased().firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
            return text()[end.upperBound...].utf8.count >= length
        }
        while !isWhole() {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0 else { return true }
            request += buffer[..<count]
        }
        let words = text().split(separator: " ", maxSplits: 2)
        if words[0] == "POST", posts != .accepted { return posts == .closed }
        let path = words[1].hasPrefix("/log/") ? folder + words[1].dropFirst(4) : ""
        let body = words[0] == "POST" ? Data() : FileManager.default.contents(atPath: path)
        let head =
            "HTTP/1.1 \(body == nil ? "404 Not Found" : "200 OK")\r\nContent-Length: \(body?.count ?? 0)\r\nConnection: close\r\n\r\n"
        let reply = Array(head.utf8) + (body ?? Data())
        _ = reply.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, 0) }
        return true
    }
}
