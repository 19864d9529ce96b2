/// Why content is not read, or not written: what, where, and what would be right.
public enum ContentError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was read.
    public enum Form: String, Sendable, Hashable {
        /// A content identifier, as text or as bytes.
        case cid = "CID"
        /// A dag-pb block.
        case node = "dag-pb block"
        /// The UnixFS message in a dag-pb block.
        case unixFS = "UnixFS message"
        /// A CAR.
        case archive = "CAR"
    }

    /// Bytes, or a text, that are not of this form; the offset is in bytes from its beginning.
    case malformed(Form, offset: Int, expected: String)
    /// A form that exists and is not read here: another hash function, codec or base, say.
    case unsupported(String, expected: String)
    /// Bytes that are not those which the CID names.
    case wrongBytes(CID)
    /// A block that is needed and not there.
    case missing(CID)
    /// Blocks that contradict each other, or are no file: what of which block.
    case inconsistent(CID, expected: String)
    /// More than there may be.
    case tooLarge(String, most: UInt64)
    /// Where blocks are kept could not be read or written, and the system's reason.
    case storage(String, reason: String)

    /// What, where, and what would be right.
    public var description: String {
        switch self {
        case .malformed(let form, let offset, let expected): "\(form.rawValue), byte \(offset): expected \(expected)"
        case .unsupported(let what, let expected): "\(what) is not read here: expected \(expected)"
        case .wrongBytes(let cid): "the bytes are not those of \(cid): their SHA-256 digest differs"
        case .missing(let cid): "the block \(cid) is not there"
        case .inconsistent(let cid, let expected): "the block \(cid): expected \(expected)"
        case .tooLarge(let what, let most): "\(what): expected at most \(most)"
        case .storage(let what, let reason): "\(what): \(reason)"
        }
    }
}
