/// The role of a user of a datasite.
public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    /// Decides and keeps the data; asks; reads the journal and no answers.
    case owner, researcher, auditor
}

/// Who asks (`GET /v1/whoami`).
public struct Identity: Sendable, Hashable, Codable {
    /// The user's name.
    public var name: String
    /// What the user may do.
    public var role: Role

    /// A user, by name and role.
    public init(name: String, role: Role) {
        self.name = name
        self.role = role
    }
}
