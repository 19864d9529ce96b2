import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// One connection to a server of this machine, as an attacker with a stopwatch has it: blocking, with nothing between.
final class Probe {
    struct Failed: Error { var what: String }

    private let descriptor: Int32

    init(_ url: String) throws {
        guard let port = url.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Failed(what: "url")
        }
        descriptor = socket(AF_INET, streamType, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failed(what: "connect") }
    }

    deinit { close(descriptor) }

    /// How long the response to a GET took, from the first byte sent to the whole head and body having come.
    func seconds(_ path: String, token: String? = nil) throws -> Double { try get(path, token: token).seconds }

    /// The response to a GET, and how long it took.
    func get(_ path: String, token: String? = nil) throws -> (response: String, seconds: Double) {
        let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let request = Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\(authorization)\r\n".utf8)
        let start = ContinuousClock.now
        guard send(descriptor, request, request.count, 0) == request.count else { throw Failed(what: "send") }
        var response: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !Self.isWhole(response) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw Failed(what: "receive") }
            response += buffer[..<count]
        }
        let elapsed = start.duration(to: .now) / .seconds(1)
        guard response.starts(with: "HTTP/1.1 200 ".utf8) else {
            throw Failed(what: String(decoding: response, as: UTF8.self))
        }
        return (String(decoding: response, as: UTF8.self), elapsed)
    }

    private static func isWhole(_ response: [UInt8]) -> Bool {
        let text = String(decoding: response, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n"),
            let length = text[..<end.lowerBound].firstMatch(of: /content-length: (\d+)/.ignoresCase()).flatMap({
                Int($0.1)
            })
        else { return false }
        return text[end.upperBound...].utf8.count >= length
    }
}

#if canImport(Glibc)
    private let streamType = Int32(SOCK_STREAM.rawValue)
#else
    private let streamType = SOCK_STREAM
#endif
