/// Why a receipt is not to be believed.
public enum ReceiptError: Error, Sendable, Hashable {
    /// The receipt is of a version that this program does not read.
    case unsupportedVersion(Int)
    /// The receipt names another key than the one that is trusted.
    case otherKey(expected: String, found: String)
    /// The trusted key is not 32 bytes in base64.
    case malformedKey
    /// The signature is not 64 bytes in base64.
    case malformedSignature
    /// The signature does not belong to this body under this key.
    case wrongSignature
    /// The answer's bytes are not those that were released.
    case wrongAnswer
    /// The receipt is about another question than the one that was asked.
    case wrongRequest
}

extension ReceiptError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedVersion(let version):
            "the receipt has version \(version); this program reads versions 1 to \(Receipt.version)"
        case .otherKey(let expected, let found):
            "the receipt is signed with the key \(found), but the site's key was pinned as \(expected)"
        case .malformedKey: "the key is not an Ed25519 public key (32 bytes in base64)"
        case .malformedSignature: "the signature is not 64 bytes in base64"
        case .wrongSignature: "the signature does not belong to this receipt: it was changed, or signed by another key"
        case .wrongAnswer: "the answer is not the one that the receipt is about"
        case .wrongRequest: "the receipt is about another question than the one that was asked"
        }
    }
}
