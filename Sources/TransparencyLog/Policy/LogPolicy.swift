/// A name of a witness or a group in a policy: bytes without spaces, compared as such.
public struct PolicyName: Sendable, Hashable, CustomStringConvertible {
    /// The name.
    public let bytes: [UInt8]

    /// The name of the bytes; what a policy defines has no spaces, tabs and newlines in it.
    public init(_ bytes: some Collection<UInt8>) { self.bytes = Array(bytes) }

    /// The name as text, with what is no UTF-8 replaced.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// Which logs are accepted, and which witnesses must have cosigned a checkpoint (c2sp.org/tlog-policy).
///
/// Keys of types that this module does not verify may stand in a policy: such a log signs nothing and such a witness cosigns
/// nothing, so that a quorum that needs it is not met.
public struct LogPolicy: Sendable, Hashable {
    /// The largest file that is read, in bytes.
    public static let largestSize = 1 << 18

    /// A log that is accepted. Its key's name is its origin.
    public struct Log: Sendable, Hashable {
        /// The key.
        public let key: VerifierKey
        /// Where it is to be found; nothing here reads it.
        public let url: [UInt8]?

        /// The log as its followers and witnesses know it.
        public var identity: LogIdentity { LogIdentity(key: key) }
    }

    /// A witness.
    public struct Witness: Sendable, Hashable {
        /// What the policy calls it.
        public let name: PolicyName
        /// The key.
        public let key: VerifierKey
        /// Where it is to be found; nothing here reads it.
        public let url: [UInt8]?
    }

    /// A group of witnesses and groups, of which so many must have witnessed a checkpoint.
    public struct Group: Sendable, Hashable {
        /// What the policy calls it.
        public let name: PolicyName
        /// How many members it takes, from 1 to their number.
        public let threshold: Int
        /// Witnesses and groups that were defined before; no name is in two groups.
        public let members: [PolicyName]
    }

    /// The logs, in the file's order.
    public internal(set) var logs: [Log] = []
    /// The witnesses, in the file's order.
    public internal(set) var witnesses: [Witness] = []
    /// The groups, in the file's order: members come before the groups that they are in.
    public internal(set) var groups: [Group] = []
    /// The witness or group that must have witnessed a checkpoint; nil for none.
    public internal(set) var quorum: PolicyName?

    init() {}

    /// Reads a policy file. Throws `PolicyError` with the line and what is wrong there.
    public init(parsing bytes: [UInt8]) throws(PolicyError) {
        self = try PolicyReader.read(bytes)
    }

    /// Reads a policy file, as `init(parsing:)` does.
    public init(_ text: String) throws(PolicyError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// The policy as a file, without comments: reading it gives the same policy.
    public var bytes: [UInt8] {
        var lines: [[[UInt8]]] = []
        for log in logs { lines.append([Array("log".utf8), Array("\(log.key)".utf8)] + (log.url.map { [$0] } ?? [])) }
        for witness in witnesses {
            let items = [Array("witness".utf8), witness.name.bytes, Array("\(witness.key)".utf8)]
            lines.append(items + (witness.url.map { [$0] } ?? []))
        }
        for group in groups {
            let items = [Array("group".utf8), group.name.bytes, Array("\(group.threshold)".utf8)]
            lines.append(items + group.members.map(\.bytes))
        }
        lines.append([Array("quorum".utf8), quorum?.bytes ?? PolicyReader.none.bytes])
        return lines.flatMap { Array($0.joined(separator: [UInt8(ascii: " ")])) + [NoteText.newline] }
    }

    /// Whether the quorum is met by cosignatures of these witnesses. Time linear in the policy.
    public func isQuorum(_ cosigned: Set<PolicyName>) -> Bool {
        quorum.map(witnessed(cosigned).contains) ?? true
    }

    /// Whether cosignatures of all witnesses would meet the quorum: not where it needs one whose type of key is not verified here.
    public var canBeMet: Bool { isQuorum(Set(witnesses.filter { $0.key.kind == .ed25519Cosignature }.map(\.name))) }

    /// The witnesses and groups that have witnessed what these witnesses cosigned.
    func witnessed(_ cosigned: Set<PolicyName>) -> Set<PolicyName> {
        var witnessed = Set(witnesses.map(\.name).filter(cosigned.contains))
        for group in groups where group.members.count(where: witnessed.contains) >= group.threshold {
            witnessed.insert(group.name)
        }
        return witnessed
    }
}
