/// A question over the wire (`POST /v1/ask`, `/v1/preview`, `/v1/mock`). Exactly one of `epsilon`, `rho`, `error`.
public struct AskRequest: Sendable, Hashable, Codable {
    public struct ErrorTarget: Sendable, Hashable, Codable {
        /// 0.02 for 2 %.
        public var relative: Double
        public var groupSize: Double

        public init(relative: Double, groupSize: Double) {
            self.relative = relative
            self.groupSize = groupSize
        }
    }

    public var dataset: String
    public var sql: String
    public var epsilon: Double?
    public var rho: Double?
    public var error: ErrorTarget?
    public var selectionDelta: Double?
    public var groupsPerUnit: Int?
    public var rowsPerGroup: Int?
    /// What the answer is for, at most 2,000 bytes: owners who decide read it, and a policy may want it.
    public var purpose: String?

    public init(
        dataset: String, sql: String, epsilon: Double? = nil, rho: Double? = nil, error: ErrorTarget? = nil,
        selectionDelta: Double? = nil, groupsPerUnit: Int? = nil, rowsPerGroup: Int? = nil,
        purpose: String? = nil
    ) {
        self.dataset = dataset
        self.sql = sql
        self.epsilon = epsilon
        self.rho = rho
        self.error = error
        self.selectionDelta = selectionDelta
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
        self.purpose = purpose
    }
}

extension AskRequest {
    /// Reads a request's body strictly: an unknown key is an error, since a misspelt budget or bound would otherwise
    /// change what is charged in silence.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: bytes))
        self.init(
            dataset: try object.string("dataset"), sql: try object.string("sql"),
            epsilon: try object.optionalDouble("epsilon"), rho: try object.optionalDouble("rho"),
            error: try Self.errorTarget(object.optionalObject("error")),
            selectionDelta: try object.optionalDouble("selectionDelta"),
            groupsPerUnit: try object.optionalInteger("groupsPerUnit").map { Int($0) },
            rowsPerGroup: try object.optionalInteger("rowsPerGroup").map { Int($0) },
            purpose: try object.optionalString("purpose"))
        try object.finish()
        let budgets = [epsilon != nil, rho != nil, error != nil].count { $0 }
        guard budgets == 1 else {
            throw JSONError("exactly one of 'epsilon', 'rho' and 'error' must be given, not \(budgets)")
        }
    }

    private static func errorTarget(_ object: StrictObject?) throws(JSONError) -> ErrorTarget? {
        guard var object else { return nil }
        let target = ErrorTarget(
            relative: try object.double("relative"), groupSize: try object.double("groupSize"))
        try object.finish()
        return target
    }
}
