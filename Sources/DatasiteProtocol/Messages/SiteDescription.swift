/// What anyone may know of a datasite (`GET /v1/site`).
public struct SiteDescription: Sendable, Hashable, Codable {
    public var name: String
    /// The Ed25519 public key that signs receipts, base64.
    public var publicKey: String
    public var protocolVersion: Int

    public init(name: String, publicKey: String, protocolVersion: Int = 1) {
        self.name = name
        self.publicKey = publicKey
        self.protocolVersion = protocolVersion
    }
}
