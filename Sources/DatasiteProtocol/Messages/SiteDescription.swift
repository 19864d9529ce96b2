/// What anyone may know of a datasite (`GET /v1/site`).
public struct SiteDescription: Sendable, Hashable, Codable {
    /// The site's name.
    public var name: String
    /// The Ed25519 public key that signs receipts, base64.
    public var publicKey: String
    /// The version of this protocol that the site speaks: 1.
    public var protocolVersion: Int

    /// A description, by its parts.
    public init(name: String, publicKey: String, protocolVersion: Int = 1) {
        self.name = name
        self.publicKey = publicKey
        self.protocolVersion = protocolVersion
    }
}
