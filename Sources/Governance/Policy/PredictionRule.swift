/// What a policy says of predicting with a model on shares: what it answers follows from the rows that it was made from, so that it has the policy of these rows (docs/privacy.md, rule 34). Nothing of it has a default that allows.
public struct PredictionRule: Sendable, Hashable {
    /// The kind of work that it is of.
    public static let engine: EngineName = "prediction"
    /// The most predictions that a policy may allow, of one request and in all.
    public static let mostRows = 4_096, mostUses: Int64 = 1 << 40

    /// The model's name at the site.
    public var model: String
    /// Which model: sixteen random bytes that it has for as long as its weights stay the same.
    public var version: [UInt8]
    /// The most predictions of one request.
    public var rows: Int

    /// A rule, by its parts.
    public init(model: String, version: [UInt8], rows: Int) {
        (self.model, self.version, self.rows) = (model, version, rows)
    }
}
