import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension DatasiteServerConfiguration.Certificate {
    /// TLS 1.3, and of 1.2 only what has forward secrecy and authenticated encryption (RFC 9325, section 4.2).
    func serverConfiguration() throws(ServerError) -> TLSConfiguration {
        let chain: [NIOSSLCertificateSource]
        do { chain = try NIOSSLCertificate.fromPEMFile(chainFile).map { .certificate($0) } } catch {
            throw Self.unusable(chainFile, otherwise: "no PEM certificates can be read from it")
        }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: keyFile, format: .pem) } catch {
            throw Self.unusable(keyFile, otherwise: "no PEM private key without a passphrase can be read from it")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = [
            .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ]
        return configuration
    }

    private static func unusable(_ file: String, otherwise: String) -> ServerError {
        let isReadable = access(file, R_OK) == 0
        return .certificate(file: file, reason: isReadable ? otherwise : String(cString: strerror(errno)))
    }
}
