import Tables

/// What a policy says of opening validation rows to the referee of a market's dispute, without differential privacy (docs/privacy.md, rule 34): nothing of it has a default that allows.
public struct OpenedRowsRule: Sendable, Hashable {
    /// The kind of work that it is of.
    public static let engine: EngineName = "opened-rows"
    /// The most rows that a policy may open, and requests for them.
    public static let mostRows = 100_000, mostUses = 1_000

    /// The market's random name, and the Ed25519 keys of its operator and of the sponsor, 32 bytes each.
    public var market: [UInt8], operatorKey: [UInt8], sponsorKey: [UInt8]
    /// Accounts at this site.
    public var referees: Set<String>
    /// What is opened of a row: columns and arrays, in this order.
    public var columns: [String]
    /// The most rows of a task.
    public var rows: Int
    /// Of which version of the dataset.
    public var version: String
    /// What the sponsor bound herself to, 32 bytes: no other rows are opened.
    public var commitment: [UInt8]

    /// A rule, by its parts.
    public init(
        market: [UInt8], operatorKey: [UInt8], sponsorKey: [UInt8], referees: Set<String>, columns: [String],
        rows: Int, version: String, commitment: [UInt8]
    ) {
        (self.market, self.operatorKey, self.sponsorKey) = (market, operatorKey, sponsorKey)
        (self.referees, self.columns, self.rows) = (referees, columns, rows)
        (self.version, self.commitment) = (version, commitment)
    }
}

extension OpenedRowsRule {
    /// What of a rule cannot be meant, by what a manifest declares.
    func doubts(of manifest: Manifest) -> [ManifestProblem] {
        let names = Set(manifest.schema.columns.map(\.name) + manifest.schema.arrays.map(\.name))
        return columns.filter { !names.contains($0) }.map {
            ManifestProblem(
                path: "policy.engines.\(Self.engine.rawValue).columns",
                message: "names \($0), and the table has no such column or array")
        }
    }
}
