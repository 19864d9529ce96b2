import DatasiteServer
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

@Suite("TLS is 1.3, or 1.2 with forward secrecy and authenticated encryption", .timeLimit(.minutes(20)))
struct TransportSecurityTests {
    private static let ellipticCurve = DatasiteServerConfiguration.Certificate(
        chainFile: Fixture.path("tls/server.pem"), keyFile: Fixture.path("tls/server-test-only.key"))
    private static let rsa = DatasiteServerConfiguration.Certificate(
        chainFile: Fixture.path("tls/rsa.pem"), keyFile: Fixture.path("tls/rsa-test-only.key"))

    /// Whether a client that takes these suites of TLS 1.2 alone, or TLS 1.3 alone, is answered.
    private func isAnswered(_ suites: [NIOTLSCipher], _ ports: ServedSite.Ports) async throws -> Bool {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        if suites.isEmpty {
            tls.minimumTLSVersion = .tlsv13
        } else {
            tls.minimumTLSVersion = .tlsv12
            tls.maximumTLSVersion = .tlsv12
            tls.cipherSuiteValues = suites
        }
        let context = try NIOSSLContext(configuration: tls)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answered = loop.makePromise(of: Bool.self)
        let channel = try await ClientBootstrap(group: loop).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                try pipeline.addHandler(FirstWord(answered))
            }
        }.connect(host: "127.0.0.1", port: ports.http).get()
        channel.writeAndFlush(ByteBuffer(string: "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"), promise: nil)
        let result = try await answered.futureResult.get()
        try? await channel.close()
        return result
    }

    /// Whether anything came before the end.
    private final class FirstWord: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private var promise: EventLoopPromise<Bool>?

        init(_ promise: EventLoopPromise<Bool>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { finish(true) }

        func channelInactive(context: ChannelHandlerContext) { finish(false) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            finish(false)
            context.close(promise: nil)
        }

        private func finish(_ result: Bool) {
            promise?.succeed(result)
            promise = nil
        }
    }

    @Test("With a key of an elliptic curve, CBC is refused")
    func ellipticCurves() async throws {
        try await ServedSite().serve(certificate: Self.ellipticCurve) { ports in
            for (suites, isWanted) in [
                ([], true),
                ([.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], true),
                ([.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256], true),
                ([.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA], false),
                ([.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA], false),
            ] as [([NIOTLSCipher], Bool)] {
                let isAnswered = try await isAnswered(suites, ports)
                #expect(isAnswered == isWanted, "\(suites)")
            }
        }
    }

    @Test("With an RSA key, the exchange that has no forward secrecy is refused, and so is CBC")
    func staticKeys() async throws {
        try await ServedSite().serve(certificate: Self.rsa) { ports in
            for (suites, isWanted) in [
                ([], true),
                ([.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384], true),
                ([.TLS_RSA_WITH_AES_128_GCM_SHA256], false),
                ([.TLS_RSA_WITH_AES_256_CBC_SHA], false),
                ([.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA], false),
            ] as [([NIOTLSCipher], Bool)] {
                let isAnswered = try await isAnswered(suites, ports)
                #expect(isAnswered == isWanted, "\(suites)")
            }
        }
    }

    @Test("A key file that is missing, or is no key, is said to be just that; one that others may read is warned of")
    func words() async throws {
        let served = try ServedSite()
        func reason(_ chain: String, _ key: String) async -> String {
            do {
                try await served.serve(certificate: .init(chainFile: chain, keyFile: key)) { _ in }
                return ""
            } catch { return "\(error)" }
        }
        let (chain, key) = (Self.rsa.chainFile, Self.rsa.keyFile)
        #expect(await reason(chain, "/nowhere.key").hasSuffix("'/nowhere.key': No such file or directory"))
        #expect(await reason("/nowhere.pem", key).hasSuffix("'/nowhere.pem': No such file or directory"))
        #expect(await reason(chain, chain).contains("no PEM private key"))
        #expect(await reason(key, key).contains("no PEM certificates"))
        let copy = served.path + "/tls.key"
        try FileManager.default.copyItem(atPath: key, toPath: copy)
        for (mode, isWarnedOf) in [(0o644, true), (0o640, false), (0o600, false)] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: copy)
            served.log.withLock { $0 = [] }
            #expect(await reason(chain, copy) == "")
            let log = served.log.withLock { $0 }
            #expect(log.contains { $0.contains("others may read the TLS key") } == isWarnedOf)
        }
    }
}
