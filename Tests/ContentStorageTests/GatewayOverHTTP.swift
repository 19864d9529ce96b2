import ContentAddressing
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The gateway behind a little HTTP/1.1 on the loopback interface, for programs that are not ours: a connection a request, on a thread of its own.
final class GatewayOverHTTP<Source: BlockSource>: Sendable {
    let port: UInt16
    private let listener: Int32
    private let gateway: TrustlessGateway<Source>

    var url: String { "http://127.0.0.1:\(port)" }

    init(_ source: Source) throws {
        gateway = TrustlessGateway(source)
        #if os(Linux)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound, listen(descriptor, 16) == 0 else { throw CocoaError(.fileReadUnknown) }
        port = UInt16(bigEndian: address.sin_port)
        listener = descriptor
        let answering = gateway
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { Self.serve(connection, answering) }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func serve(_ connection: Int32, _ gateway: TrustlessGateway<Source>) {
        defer { close(connection) }
        guard let request = request(connection) else { return }
        var answer = gateway.answer(request)
        let isChunked = answer["content-length"] == nil && answer.status == 200
        var head = "HTTP/1.1 \(answer.status) x\r\nConnection: close\r\n"
        for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
        if isChunked { head += "Transfer-Encoding: chunked\r\n" }
        guard send(connection, Array((head + "\r\n").utf8)) else { return }
        // A body that fails is cut: a chunked one is then known not to be whole.
        while let piece = (try? answer.body.next()) ?? nil {
            let before = isChunked ? Array("\(String(piece.count, radix: 16))\r\n".utf8) : []
            guard send(connection, before + piece + (isChunked ? [13, 10] : [])) else { return }
        }
        if isChunked, request.method == "GET" { _ = send(connection, Array("0\r\n\r\n".utf8)) }
    }

    private static func request(_ connection: Int32) -> GatewayRequest? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !bytes.suffix(4).elementsEqual([13, 10, 13, 10]) {
            let count = recv(connection, &buffer, buffer.count, 0)
            guard count > 0, bytes.count < 1 << 16 else { return nil }
            bytes += buffer[..<count]
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
        let parts = lines[0].split(separator: " ")
        guard parts.count == 3 else { return nil }
        let target = parts[1].split(separator: "?", maxSplits: 1)
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        }
        return GatewayRequest(
            method: String(parts[0]), path: String(target[0]), query: target.count > 1 ? String(target[1]) : "",
            accept: fields["accept"], ifNoneMatch: fields["if-none-match"], range: fields["range"])
    }

    private static func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            #if os(Linux)
                let flags = Int32(MSG_NOSIGNAL)
            #else
                let flags: Int32 = 0
            #endif
            let count = bytes[done...].withUnsafeBytes { Foundation.send(connection, $0.baseAddress, $0.count, flags) }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }
}
