/// How a client trusts and waits.
public struct ClientOptions: Sendable, Hashable {
    /// A PEM file of the only authorities to trust for TLS; nil: the system's.
    public var certificateAuthority: String?
    /// The site's Ed25519 key (base64), as an earlier visit or the owner told it; nil: the first key that the site
    /// shows to this client is trusted for as long as the client lives.
    public var pinnedKey: String?
    /// Whether a token may travel in plain HTTP to another host than loopback.
    public var allowsPlainHTTP: Bool
    /// The longest wait for an answer to a question; approval is not waited for.
    public var questionTimeout: Duration
    /// The longest wait for anything else.
    public var timeout: Duration

    /// Options; without arguments the system's authorities are trusted, an answer is waited for ten minutes, and
    /// anything else half a minute.
    public init(
        certificateAuthority: String? = nil, pinnedKey: String? = nil, allowsPlainHTTP: Bool = false,
        questionTimeout: Duration = .seconds(600), timeout: Duration = .seconds(30)
    ) {
        self.certificateAuthority = certificateAuthority
        self.pinnedKey = pinnedKey
        self.allowsPlainHTTP = allowsPlainHTTP
        self.questionTimeout = questionTimeout
        self.timeout = timeout
    }
}
