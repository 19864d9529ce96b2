internal import Crypto
public import Foundation

/// What both parties to a private set intersection must agree on: public, and bound by its digest into each hash.
///
/// Parties that were told different sessions hash to unrelated points, and refuse each other's messages.
///
/// **Protocol.** Each party hashes its identifiers to a curve, H(x), multiplies the points by a secret scalar of its own, a H(x), and sends them; each
/// multiplies what it received by its own scalar. What both hold has one doubly multiplied point, a b H(x) = b a H(x), whichever way it went (Meadows 1986;
/// Huberman, Franklin and Hogg 1999). H is `P256_XMD:SHA-256_SSWU_RO_` of RFC 9380.
///
/// **What is learnt.** Each party learns how many points the other one sent: the number of its distinct identifiers, or where it pads its declared
/// capacity. A recipient with ``Output/identifiers`` learns which of its own identifiers the other holds, with ``Output/size`` how many. Who is no recipient
/// learns nothing else. Time and sizes of messages depend on numbers and lengths in bytes of a party's own identifiers, not on their values.
///
/// **Against whom.** A party that follows the protocol and keeps all that it saw (semi-honest) learns no more than that if the decisional Diffie-Hellman
/// problem is hard in P-256 and SHA-256 is a random oracle. Against one that deviates, of the privacy of the other's list stays this: it learns the answer to
/// as many guesses as it has points multiplied, its declared capacity, if the one-more gap Diffie-Hellman problem is hard (Jarecki and Liu 2010, for the
/// function x to a H(x); no proof is given here for both parties' lists together). Not prevented are:
/// - **Guesses.** A party may put any identifiers into its list, true ones or not. Its capacity bounds them in one session, an ``IntersectionAllowance``
///   in all; identifiers that are easy to list, such as telephone numbers, need small ones.
/// - **Sizes of chosen lists.** ``Output/size`` tells whether an identifier is in the other's list to one that fills its own with points that nobody has,
///   that compares two sessions, or that sends multiples of its own points, by which it finds them again in a shuffled answer. It protects against
///   curiosity, not against a party that means to learn.
/// - **Lies.** A party may send back other points, and so change the other's result in either direction, or stop once it has its own: no result is proved.
///
/// Messages must travel on a channel that authenticates both parties and hides what they say: where both are recipients, whoever reads both evaluated lists
/// counts the points that they have in common, without any scalar.
public struct IntersectionSession: Sendable, Hashable {
    /// What a session may ask for at most.
    public enum Limit {
        /// Distinct identifiers of a party: 128 MiB of points.
        public static let capacity = 1...(1 << 22)
        /// Bytes of a session identifier.
        public static let identifier = 16...64
        /// Bytes of a party's name, in UTF-8.
        public static let name = 1...256
        /// Bytes of an identifier in a list.
        public static let listed = 1...1024
    }

    /// Which of the two.
    public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
        /// The one that the session names first.
        case first
        /// The other one.
        case second

        /// The one that this is not.
        public var other: Role { self == .first ? .second : .first }
    }

    /// What recipients learn.
    public enum Output: String, Sendable, Hashable, Codable, CaseIterable {
        /// Which of one's own identifiers the other party holds as well: one's points come back in the order in which they were sent.
        case identifiers
        /// How many: one's points come back shuffled.
        case size
    }

    /// Who learns the output. To who is none, its points do not come back.
    public enum Recipients: String, Sendable, Hashable, Codable, CaseIterable {
        /// The first party alone.
        case first
        /// The second party alone.
        case second
        /// Both parties.
        case both

        /// Whether the party is among them.
        public func contains(_ role: Role) -> Bool {
            switch self {
            case .both: true
            case .first: role == .first
            case .second: role == .second
            }
        }
    }

    /// A party, and how much it may bring.
    public struct Party: Sendable, Hashable, Codable {
        /// 1 to 256 bytes, other than the other party's.
        public let name: String
        /// The most distinct identifiers that it may bring, and so the most guesses that it has.
        public let capacity: Int
        /// Whether it fills its list with random points up to its capacity, so that the other does not learn how many identifiers it has.
        public let isPadded: Bool

        /// A party of this name and capacity, which are checked when a session is made of them.
        public init(name: String, capacity: Int, isPadded: Bool = false) {
            (self.name, self.capacity, self.isPadded) = (name, capacity, isPadded)
        }
    }

    /// 16 to 64 bytes that no session had before: random ones, say.
    public let identifier: Data
    /// One party.
    public let first: Party
    /// The other party.
    public let second: Party
    /// What recipients learn.
    public let output: Output
    /// Who learns it.
    public let recipients: Recipients
    /// SHA-256 of all of the above and the protocol's version, 32 bytes.
    public let digest: Data

    /// - Throws: `parameter` for an identifier, a name or a capacity out of its bounds, and for two parties of one name.
    public init(
        identifier: Data, first: Party, second: Party, output: Output, recipients: Recipients
    ) throws(IntersectionError) {
        guard Limit.identifier.contains(identifier.count) else {
            throw .parameter("session identifier", expected: "16 to 64 bytes")
        }
        for party in [first, second] {
            guard Limit.name.contains(party.name.utf8.count) else {
                throw .parameter("party name", expected: "1 to 256 bytes")
            }
            guard Limit.capacity.contains(party.capacity) else {
                throw .parameter("capacity", expected: "1 to \(Limit.capacity.upperBound) identifiers")
            }
        }
        guard Array(first.name.utf8) != Array(second.name.utf8) else {
            throw .parameter("party names", expected: "two different ones")
        }
        (self.identifier, self.output, self.recipients) = (Data(identifier), output, recipients)
        (self.first, self.second) = (first, second)
        digest = Self.digest(of: [
            Data(Self.domain.utf8), Data(identifier), Data(output.rawValue.utf8), Data(recipients.rawValue.utf8),
            Self.encoded(first), Self.encoded(second),
        ])
    }

    /// The party in the role.
    public func party(_ role: Role) -> Party { role == .first ? first : second }

    /// The protocol and its version.
    private static let domain = "parley/set-intersection/1/"

    /// The domain separation tag of the session's hashes (RFC 9380, section 3.1), 83 bytes.
    var tag: [UInt8] { Array("\(Self.domain)P256_XMD:SHA-256_SSWU_RO_".utf8) + digest }

    private static func encoded(_ party: Party) -> Data {
        digest(of: [Data(party.name.utf8), Data("\(party.capacity)".utf8), Data("\(party.isPadded)".utf8)])
    }

    /// SHA-256 of the parts, each after its length in eight bytes: other parts never give the same bytes.
    private static func digest(of parts: [Data]) -> Data {
        var hash = SHA256()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: part)
        }
        return Data(hash.finalize())
    }
}

extension IntersectionSession: Codable {
    private enum Field: String, CodingKey { case identifier, first, second, output, recipients }

    /// Throws for values that ``init(identifier:first:second:output:recipients:)`` refuses.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Field.self)
        try self.init(
            identifier: fields.decode(Data.self, forKey: .identifier), first: fields.decode(Party.self, forKey: .first),
            second: fields.decode(Party.self, forKey: .second), output: fields.decode(Output.self, forKey: .output),
            recipients: fields.decode(Recipients.self, forKey: .recipients))
    }

    /// All fields but the digest, which follows from them.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Field.self)
        try fields.encode(identifier, forKey: .identifier)
        try fields.encode(first, forKey: .first)
        try fields.encode(second, forKey: .second)
        try fields.encode(output, forKey: .output)
        try fields.encode(recipients, forKey: .recipients)
    }
}
