/// What is wrong with a note, a checkpoint, a key or a signature. Never has a private key or a text in it.
public enum NoteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The note, or what holds it, is longer than allowed; both in bytes.
    case tooLong(Int, limit: Int)
    /// Bytes that are no UTF-8, or a control character other than a newline.
    case notText
    /// No blank line before the signatures, no signature, or no newline at the end.
    case notANote
    /// A signature line, counted from 1, that is not `— name base64`.
    case malformedSignature(line: Int)
    /// More signature lines than allowed.
    case tooManySignatures(limit: Int)
    /// A text that does not end in a newline, or is empty.
    case unterminatedText
    /// A name that is empty, or has a space or a plus in it, or is too long.
    case malformedName
    /// A verifier key that is not `name+hex+base64`, canonical.
    case malformedKey
    /// A verifier key whose ID is not the one that follows from its name, type and public key.
    case wrongKeyID(KeyName)
    /// An Ed25519 public key under which anybody can sign: one of the low-order points.
    case weakKey(KeyName)
    /// Two known keys have the same name and ID.
    case ambiguousKey(KeyName)
    /// A private key that is not in the form of `SigningKey.encoded`.
    case malformedSigningKey
    /// A signature of a known key that does not verify: the whole note is refused.
    case wrongSignature(KeyName)
    /// No signature of a known key.
    case noKnownSignature
    /// A signer was asked for something that its key's type does not sign.
    case notForThisKey(KeyName)
    /// The signer gave a signature that does not verify under its own key.
    case signerFailed(KeyName)
    /// A cosignature's time outside 1 to 2^63 - 1.
    case impossibleTime
    /// A line of a checkpoint, counted from 1, and what was expected there.
    case malformedCheckpoint(line: Int, expected: String)
    /// The checkpoint is of another log.
    case wrongOrigin(expected: LogOrigin, found: LogOrigin)

    /// What was found, and what would be right.
    public var description: String {
        switch self {
        case .tooLong(let count, let limit): "\(count) bytes are more than the \(limit) that are read."
        case .notText: "A note is UTF-8 without control characters other than the newline."
        case .notANote: "A note is a text, a blank line, and signature lines, each ending in a newline."
        case .malformedSignature(let line):
            "Signature line \(line) is not an em dash, a key name and canonical base64 of five bytes or more, with one "
                + "space between each."
        case .tooManySignatures(let limit): "A note with more than \(limit) signatures is not read."
        case .unterminatedText: "A note's text ends in a newline."
        case .malformedName: "A key name is 1 to 255 bytes of UTF-8 without spaces, plus signs and control characters."
        case .malformedKey:
            "A verifier key is a name, eight digits of lowercase hex and canonical base64, with + between."
        case .wrongKeyID(let name):
            "The verifier key of \(name) does not have the ID that follows from its name and key."
        case .weakKey(let name): "The verifier key of \(name) is a point of low order, under which anybody can sign."
        case .ambiguousKey(let name): "Two known keys of the name \(name) have the same ID."
        case .malformedSigningKey: "A private key is PRIVATE+KEY+name+hex+base64, with a type of 1 or 4 and 32 bytes."
        case .wrongSignature(let name): "A signature of the known key of \(name) does not verify: the note is refused."
        case .noKnownSignature: "The note has no signature of a known key."
        case .notForThisKey(let name): "The key of \(name) is of a type that does not sign this."
        case .signerFailed(let name): "The signer of \(name) gave a signature that does not verify under its key."
        case .impossibleTime: "A cosignature's time is in seconds since 1970, from 1 to 2^63 - 1."
        case .malformedCheckpoint(let line, let expected): "Line \(line) of the checkpoint: expected \(expected)."
        case .wrongOrigin(let expected, let found): "The checkpoint is of \(found), and not of \(expected)."
        }
    }
}
