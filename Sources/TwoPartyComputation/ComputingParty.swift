/// One of the two who compute.
public enum ComputingParty: Int, Sendable, Hashable, Codable, CaseIterable {
    /// The one whose share takes public constants.
    case first = 0
    /// The other one.
    case second = 1

    /// The other one.
    public var other: ComputingParty { self == .first ? .second : .first }
}
