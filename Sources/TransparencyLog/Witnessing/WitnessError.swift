/// What is wrong with a request to a witness, with its reply, or with how they are handled.
public enum WitnessError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A request that is no add-checkpoint body: what was expected.
    case malformedRequest(String)
    /// The checkpoint in a request.
    case malformedCheckpoint(NoteError)
    /// The old size is above the checkpoint's.
    case sizesReversed(old: UInt64, new: UInt64)
    /// The key is no cosigner's: of another type than 0x04.
    case notACosigner(KeyName)
    /// The record of the log changed between the decision and the storing: the request is to be decided again.
    case recordChanged
    /// A reply with a status that witnesses do not give.
    case unexpectedStatus(Int)
    /// A reply whose body is not what its status says: what was expected.
    case malformedReply(String)
    /// A reply without a cosignature of the witness's known key.
    case noCosignature(KeyName)
    /// A cosignature of the witness's key that does not verify.
    case wrongCosignature(KeyName)
    /// A cosignature from after the latest time that the caller allows.
    case timeInFuture(KeyName, time: UInt64, latest: UInt64)
    /// A witness that says it has cosigned the size that it was asked from.
    case contradiction(KeyName, size: UInt64)

    /// What was found, and what would be right.
    public var description: String {
        switch self {
        case .malformedRequest(let expected): "The request: expected \(expected)."
        case .malformedCheckpoint(let error): "The request's checkpoint: \(error)"
        case .sizesReversed(let old, let new): "The old size, \(old), is above the checkpoint's, \(new)."
        case .notACosigner(let name): "The key of \(name) is not of type 0x04, which cosigners have."
        case .recordChanged: "The log's record changed meanwhile: the request is to be decided again."
        case .unexpectedStatus(let status): "Status \(status) is not one of 200, 400, 403, 404, 409 and 422."
        case .malformedReply(let expected): "The reply: expected \(expected)."
        case .noCosignature(let name): "The reply has no cosignature of \(name)."
        case .wrongCosignature(let name): "The cosignature of \(name) does not verify."
        case .timeInFuture(let name, let time, let latest):
            "The cosignature of \(name) is of time \(time), after the latest one that is allowed, \(latest)."
        case .contradiction(let name, let size):
            "\(name) refused a request from size \(size) and said that \(size) is the size it has."
        }
    }
}
