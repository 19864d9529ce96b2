public import Crypto
import Foundation

extension Receipt {
    /// Signs a body with the site's key (Ed25519, RFC 8032). The body's `publicKey` must be that key's public half:
    /// it is set here, so that it cannot differ.
    public static func signed(_ body: Body, by key: Curve25519.Signing.PrivateKey) throws -> Receipt {
        var body = body
        body.publicKey = key.publicKey.rawRepresentation.base64EncodedString()
        let signature = try key.signature(for: body.signedBytes)
        return Receipt(body: body, signature: signature.base64EncodedString())
    }
}
