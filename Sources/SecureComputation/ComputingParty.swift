/// One of those who compute: of two, or of three where no dealer is wanted.
public enum ComputingParty: Int, Sendable, Hashable, Codable {
    /// Of two, the one whose share takes public constants.
    case first = 0
    /// The second one.
    case second = 1
    /// Of three, the last one.
    case third = 2

    /// The parties of a computation with a dealer.
    public static let two: [ComputingParty] = [.first, .second]
    /// The parties of a computation without one.
    public static let three: [ComputingParty] = [.first, .second, .third]

    /// Of two, the other one. The third party is none of two, and its own.
    public var other: ComputingParty {
        switch self {
        case .first: .second
        case .second: .first
        case .third: .third
        }
    }

    /// Of three, the one behind it, round and round.
    public var next: ComputingParty { self == .first ? .second : self == .second ? .third : .first }
    /// Of three, the one before it.
    public var previous: ComputingParty { next.next }
}
