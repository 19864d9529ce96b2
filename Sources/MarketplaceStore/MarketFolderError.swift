public import Marketplace

/// Why a market's folder is not read, or not written.
public enum MarketFolderError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The disk, a full one say.
    case disk(DiskError)
    /// The log of entries.
    case store(StoreError)
    /// A file that is none of a market's folder.
    case malformed(String, expected: String)
    /// The folder holds what its parts contradict: entries were changed, cut or added, or the platform signed two histories.
    case contradiction(String)
    /// The key is not the one of the market's operator.
    case otherKey(PartyKey, expected: PartyKey)

    /// What, where, and what would be right.
    public var description: String {
        switch self {
        case .disk(let error): error.description
        case .store(let error): error.description
        case .malformed(let file, let expected): "\(file): expected \(expected)"
        case .contradiction(let what): what
        case .otherKey(let key, let expected):
            "the market's operator signs with the key \(expected): expected that one, and not \(key)"
        }
    }

    /// Whether another process has the folder open.
    public var isInUse: Bool {
        switch self {
        case .disk(let error): error.isInUse
        default: false
        }
    }

    /// Whether what is there was changed, or was never right; otherwise it could not be read.
    public var isContradiction: Bool {
        switch self {
        case .contradiction, .otherKey, .store(.log): true
        case .disk, .store, .malformed: false
        }
    }
}
