/// A question over the wire (`POST /v1/ask`, `/v1/preview`, `/v1/mock`).
public struct AskRequest: Sendable, Hashable {
    /// The name of the dataset.
    public var dataset: String
    /// The question, a single SELECT.
    public var sql: String
    /// What it may cost.
    public var budget: Budget
    /// The delta that key selection may use; nil: the policy's selection delta in proportion to the question's loss.
    public var selectionDelta: Double?
    /// At most so many groups that one privacy unit contributes to: fewer than the manifest's bound. nil: its bound.
    public var groupsPerUnit: Int?
    /// At most so many rows that one privacy unit contributes to a group: fewer than the manifest's bound. nil: its bound.
    public var rowsPerGroup: Int?
    /// Whether a small part of the budget measures what bounding leaves out, where it can leave out anything; nil: it does.
    public var boundingShares: Bool?
    /// What the answer is for, at most 2,000 bytes: owners who decide read it, and a policy may want it.
    public var purpose: String?
    /// Whether all intervals of the answer are to hold together with 95 %, not each by itself.
    public var simultaneous: Bool

    /// A question, by its parts.
    public init(
        dataset: String, sql: String, budget: Budget, selectionDelta: Double? = nil, groupsPerUnit: Int? = nil,
        rowsPerGroup: Int? = nil, boundingShares: Bool? = nil, purpose: String? = nil, simultaneous: Bool = false
    ) {
        self.dataset = dataset
        self.sql = sql
        self.budget = budget
        self.selectionDelta = selectionDelta
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
        self.boundingShares = boundingShares
        self.purpose = purpose
        self.simultaneous = simultaneous
    }
}

extension AskRequest: Codable {
    private enum Key: String, CodingKey {
        case dataset, sql, selectionDelta, groupsPerUnit, rowsPerGroup, boundingShares, purpose, simultaneous
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        self.init(
            dataset: try members.decode(String.self, forKey: .dataset),
            sql: try members.decode(String.self, forKey: .sql), budget: try Budget(from: decoder),
            selectionDelta: try members.decodeIfPresent(Double.self, forKey: .selectionDelta),
            groupsPerUnit: try members.decodeIfPresent(Int.self, forKey: .groupsPerUnit),
            rowsPerGroup: try members.decodeIfPresent(Int.self, forKey: .rowsPerGroup),
            boundingShares: try members.decodeIfPresent(Bool.self, forKey: .boundingShares),
            purpose: try members.decodeIfPresent(String.self, forKey: .purpose),
            simultaneous: try members.decodeIfPresent(Bool.self, forKey: .simultaneous) ?? false)
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Key.self)
        try members.encode(dataset, forKey: .dataset)
        try members.encode(sql, forKey: .sql)
        try budget.encode(to: encoder)
        try members.encodeIfPresent(selectionDelta, forKey: .selectionDelta)
        try members.encodeIfPresent(groupsPerUnit, forKey: .groupsPerUnit)
        try members.encodeIfPresent(rowsPerGroup, forKey: .rowsPerGroup)
        try members.encodeIfPresent(boundingShares, forKey: .boundingShares)
        try members.encodeIfPresent(purpose, forKey: .purpose)
        if simultaneous { try members.encode(true, forKey: .simultaneous) }
    }
}

extension AskRequest {
    /// Reads a request's body strictly: an unknown key is an error, since a misspelt budget or bound would otherwise
    /// change what is charged in silence.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        try self.init(StrictObject(StrictJSON(parsing: bytes)))
    }

    /// Reads a request that stands in a larger message, as strictly.
    public init(_ members: StrictObject) throws(JSONError) {
        var object = members
        let dataset = try object.string("dataset")
        let sql = try object.string("sql")
        let budgets = try Budget.taken(from: &object)
        let selectionDelta = try object.optionalDouble("selectionDelta")
        let groupsPerUnit = try object.optionalInteger("groupsPerUnit").map { Int($0) }
        let rowsPerGroup = try object.optionalInteger("rowsPerGroup").map { Int($0) }
        let boundingShares = try object.optionalBoolean("boundingShares")
        let purpose = try object.optionalString("purpose")
        let simultaneous = try object.optionalBoolean("simultaneous") ?? false
        try object.finish()
        self.init(
            dataset: dataset, sql: sql, budget: try Budget.only(of: budgets), selectionDelta: selectionDelta,
            groupsPerUnit: groupsPerUnit, rowsPerGroup: rowsPerGroup, boundingShares: boundingShares,
            purpose: purpose, simultaneous: simultaneous)
    }
}
