internal import Crypto
public import Foundation

/// The first message, from each party to the other: its identifiers' points times its own scalar, in random order.
public struct BlindedList: Sendable, Hashable, Codable {
    /// ``IntersectionSession/digest`` of the session that it belongs to.
    public let session: Data
    /// Whose identifiers they are.
    public let sender: IntersectionSession.Role
    /// x-coordinates of 32 bytes each, most significant byte first, one after another; no two are equal.
    public let points: Data

    /// A list as it came from the other party; what is wrong in it is found by ``IntersectionParty/evaluate(_:threads:)``.
    public init(session: Data, sender: IntersectionSession.Role, points: Data) {
        (self.session, self.sender, self.points) = (session, sender, points)
    }

    /// What the other party's answer names.
    var digest: Data { Data(SHA256.hash(data: points)) }
}

/// The second message, to a recipient: its points times the other party's scalar too.
public struct EvaluatedList: Sendable, Hashable, Codable {
    /// ``IntersectionSession/digest`` of the session that it belongs to.
    public let session: Data
    /// Who multiplied.
    public let sender: IntersectionSession.Role
    /// SHA-256 of the points that were multiplied, 32 bytes.
    public let list: Data
    /// As many x-coordinates as were received, in their order or, for ``IntersectionSession/Output/size``, in random order.
    public let points: Data

    /// An answer as it came from the other party; what is wrong in it is found by ``IntersectionParty/conclude(_:threads:)``.
    public init(session: Data, sender: IntersectionSession.Role, list: Data, points: Data) {
        (self.session, self.sender, self.list, self.points) = (session, sender, list, points)
    }
}

extension BlindedList: CustomStringConvertible, CustomReflectable {
    /// Who sent how many points.
    public var description: String { "BlindedList(\(sender), \(points.count / P256Coordinate.byteCount) points)" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension EvaluatedList: CustomStringConvertible, CustomReflectable {
    /// Who sent how many points.
    public var description: String { "EvaluatedList(\(sender), \(points.count / P256Coordinate.byteCount) points)" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a recipient learns. It is private: nothing that is printed shows it.
public enum IntersectionResult: Sendable, Hashable {
    /// Places in the list that the recipient gave, ascending: of each identifier that both hold, where it came first.
    case identifiers([Int])
    /// How many identifiers both hold.
    case size(Int)

    /// How many identifiers both hold.
    public var size: Int {
        switch self {
        case .identifiers(let places): places.count
        case .size(let size): size
        }
    }
}

extension IntersectionResult: CustomStringConvertible, CustomReflectable {
    /// The kind alone.
    public var description: String {
        switch self {
        case .identifiers: "IntersectionResult.identifiers"
        case .size: "IntersectionResult.size"
        }
    }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
