import DatasiteProtocol
import Governance

extension Policy {
    /// Names that the policy has and that are no researcher's of this site: probably of somebody whose name is written otherwise. A
    /// revoked user's is hers still.
    func namesInDoubt(among users: [UserSummary]) -> [String] {
        let known = Dictionary(users.map { ($0.name, $0.role) }, uniquingKeysWith: { first, _ in first })
        let spelled = Dictionary(users.map { ($0.name.lowercased(), $0.name) }, uniquingKeysWith: { first, _ in first })
        func doubts(_ key: String, _ names: some Sequence<String>) -> [String] {
            var absent: [String] = []
            var found: [String] = []
            for name in names.sorted() {
                if let role = known[name] {
                    if role != .researcher { found.append("\(name) is an \(role.rawValue), and only researchers ask") }
                } else if let near = spelled[name.lowercased()] {
                    found.append(
                        "there is no user \(DisplayedName.of(name)), but a user \(near): upper and lower case count")
                } else {
                    absent.append(DisplayedName.of(name))
                }
            }
            if !absent.isEmpty { found.append("no user of this datasite has the name \(Datasite.list(absent))") }
            return found.map { "`policy.\(key)`: \($0)" }
        }
        return doubts("researchers", researchers ?? []) + doubts("researcher-limits", researcherLimits.keys)
    }
}
