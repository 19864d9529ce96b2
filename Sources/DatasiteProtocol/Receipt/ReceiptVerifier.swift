import Crypto
import Foundation

/// Checks receipts offline against one trusted key.
///
/// What a valid receipt shows: whoever holds the site's key stated that this request was answered by exactly these
/// bytes, under this charge, at this place of the journal. It does not show that the computation was right.
public struct ReceiptVerifier: Sendable {
    /// The site's Ed25519 public key, base64.
    public let publicKey: String
    private let key: Curve25519.Signing.PublicKey

    /// - Throws: `ReceiptError.malformedKey`.
    public init(publicKey: String) throws(ReceiptError) {
        guard let data = Data(base64Encoded: publicKey),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: data)
        else { throw .malformedKey }
        self.publicKey = publicKey
        self.key = key
    }

    /// Checks version, key and signature; and, where they are given, that the answer's bytes as received and the
    /// request are the receipt's own.
    public func verify(
        _ receipt: Receipt, answer: [UInt8]? = nil, request: AskRequest? = nil
    ) throws(ReceiptError) {
        let body = receipt.body
        guard (1...Receipt.version).contains(body.version) else { throw .unsupportedVersion(body.version) }
        guard body.publicKey == publicKey else { throw .otherKey(expected: publicKey, found: body.publicKey) }
        guard let signature = Data(base64Encoded: receipt.signature), signature.count == 64 else {
            throw .malformedSignature
        }
        guard key.isValidSignature(signature, for: body.signedBytes) else { throw .wrongSignature }
        if let answer, sha256Hex(answer) != body.answerDigest { throw .wrongAnswer }
        if let request, request.digest(datasetVersion: body.datasetVersion) != body.requestDigest {
            throw .wrongRequest
        }
    }
}
