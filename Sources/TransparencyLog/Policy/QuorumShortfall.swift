/// Who is missing for a policy's quorum: how many have cosigned, how many are needed, and which of them could still come.
public struct QuorumShortfall: Sendable, Hashable, CustomStringConvertible {
    /// Who cosigned, of the policy's witnesses.
    public let cosigned: [PolicyName]
    /// In words, such as "1 of 2 witnesses of the quorum have cosigned; missing: river".
    public let description: String

    init(_ policy: LogPolicy, _ quorum: PolicyName, cosigned: [PolicyName]) {
        self.cosigned = cosigned
        let witnessed = policy.witnessed(Set(cosigned))
        let groups = Dictionary(uniqueKeysWithValues: policy.groups.map { ($0.name, $0) })
        guard let group = groups[quorum] else {
            description = "0 of 1 witness of the quorum has cosigned; missing: \(quorum)"
            return
        }
        let members = group.members.contains { groups[$0] != nil } ? "members" : "witnesses"
        let count = group.members.count(where: witnessed.contains)
        description =
            "\(count) of \(group.threshold) \(members) of the quorum have cosigned; missing: "
            + Self.missing(of: group, groups, witnessed, depth: 0)
    }

    private static let deepest = 3
    private static let mostNames = 8

    /// A group that is missing itself is said with those that are missing of it, as far as can be read.
    private static func missing(
        of group: LogPolicy.Group, _ groups: [PolicyName: LogPolicy.Group], _ witnessed: Set<PolicyName>, depth: Int
    ) -> String {
        let absent = group.members.filter { !witnessed.contains($0) }
        let needed = group.threshold - (group.members.count - absent.count)
        var names = absent.prefix(mostNames).map { member in
            guard let inner = groups[member] else { return "\(member)" }
            guard depth + 1 < deepest else { return "group \(member)" }
            return "group \(member) (\(missing(of: inner, groups, witnessed, depth: depth + 1)))"
        }
        if absent.count > mostNames { names.append("\(absent.count - mostNames) more") }
        return (needed < absent.count ? "\(needed) of " : "") + names.joined(separator: ", ")
    }
}
