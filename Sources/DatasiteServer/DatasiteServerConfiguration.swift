public import Logging

/// How a datasite is served.
public struct DatasiteServerConfiguration: Sendable {
    /// PEM files of a certificate chain, leaf first, and of its key.
    public struct Certificate: Sendable, Hashable {
        /// The path of the certificates, leaf first, in PEM.
        public var chainFile: String
        /// The path of the leaf's private key, in PEM.
        public var keyFile: String

        /// The files at those paths; they are read when the server starts.
        public init(chainFile: String, keyFile: String) {
            self.chainFile = chainFile
            self.keyFile = keyFile
        }
    }

    /// The name or address on which the server listens. Other hosts than loopback need `certificate` or
    /// `isBehindProxy`.
    public var host: String
    /// 0: a free one.
    public var port: Int
    /// The loopback port of `/metrics`, for the token in the site's folder; 0: a free one; nil: none.
    public var metricsPort: Int?
    /// TLS where it is given: 1.3, or 1.2 with forward secrecy and authenticated encryption.
    public var certificate: Certificate?
    /// A reverse proxy on a trusted network ends TLS: plain HTTP is then allowed on other hosts than loopback, and the
    /// peer in the log is the last element of `X-Forwarded-For`.
    public var isBehindProxy: Bool
    /// What a client can make the server hold or wait for.
    public var limits: ServerLimits
    /// Whether SIGTERM and SIGINT end the server gracefully.
    public var handlesSignals: Bool
    /// Where the server's log goes: it holds no private value, no token and no answer.
    public var logger: Logger

    /// A configuration; without arguments plain HTTP on loopback, port 8787.
    public init(
        host: String = "127.0.0.1", port: Int = 8787, metricsPort: Int? = nil, certificate: Certificate? = nil,
        isBehindProxy: Bool = false, limits: ServerLimits = ServerLimits(), handlesSignals: Bool = true,
        logger: Logger = Logger(label: "parley") { label in JSONLogHandler(label: label) }
    ) {
        self.host = host
        self.port = port
        self.metricsPort = metricsPort
        self.certificate = certificate
        self.isBehindProxy = isBehindProxy
        self.limits = limits
        self.handlesSignals = handlesSignals
        self.logger = logger
    }

    /// Whether only this machine can connect.
    var isLoopback: Bool {
        ["127.0.0.1", "::1", "localhost"].contains(host)
    }

    /// Tokens and answers do not cross a network in the clear.
    func check() throws(ServerError) {
        guard isLoopback || certificate != nil || isBehindProxy else { throw .plainHTTP(host: host) }
    }
}

/// Why a server does not start.
public enum ServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Plain HTTP on a host that other machines can reach.
    case plainHTTP(host: String)
    /// The certificate or its key cannot be used.
    case certificate(file: String, reason: String)
    /// The address is taken, or may not be used.
    case cannotListen(host: String, port: Int, reason: String)

    public var description: String {
        switch self {
        case .plainHTTP(let host):
            "'\(host)' can be reached from other machines, so it needs TLS: give a certificate and its key, or say "
                + "that a reverse proxy ends TLS (--behind-proxy)"
        case .certificate(let file, let reason): "cannot use the certificate or key in '\(file)': \(reason)"
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host):\(port): \(reason)"
        }
    }
}
