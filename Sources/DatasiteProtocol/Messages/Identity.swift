/// The role of a user of a datasite.
public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    case owner, researcher, auditor
}

/// Who asks (`GET /v1/whoami`).
public struct Identity: Sendable, Hashable, Codable {
    public var name: String
    public var role: Role

    public init(name: String, role: Role) {
        self.name = name
        self.role = role
    }
}
