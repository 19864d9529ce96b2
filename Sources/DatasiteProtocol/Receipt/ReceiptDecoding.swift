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
            rowsPerGroup: try object.optionalInteger("rowsPerGroup").map { Int($0) })
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

extension DecisionRequest {
    /// Reads a decision's body strictly; an empty body is a decision without a reason.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        if bytes.isEmpty {
            self.init()
            return
        }
        var object = try StrictObject(StrictJSON(parsing: bytes))
        self.init(reason: try object.optionalString("reason"))
        try object.finish()
    }
}

extension Receipt {
    /// Reads a receipt strictly: nothing unknown may stand beside what was signed.
    public init(decoding bytes: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: bytes))
        var body = try object.object("body")
        self.init(body: try Body(taking: &body), signature: try object.string("signature"))
        try body.finish()
        try object.finish()
    }
}

extension Receipt.Body {
    fileprivate init(taking object: inout StrictObject) throws(JSONError) {
        var guarantees = try object.object("guarantees")
        self.init(
            version: try Self.version(object.integer("version")), site: try object.string("site"),
            publicKey: try object.string("publicKey"), request: try object.string("request"),
            requestDigest: try object.string("requestDigest"), dataset: try object.string("dataset"),
            datasetVersion: try object.string("datasetVersion"), chargeKind: try object.string("chargeKind"),
            chargeAmount: try object.integer("chargeAmount"), chargeDelta: try object.integer("chargeDelta"),
            guarantees: try Guarantees(taking: &guarantees), answerDigest: try object.string("answerDigest"),
            journalIndex: try object.integer("journalIndex"),
            previousJournalHash: try object.string("previousJournalHash"),
            journalHash: try object.string("journalHash"), time: try object.string("time"))
        try guarantees.finish()
    }

    private static func version(_ value: Int64) throws(JSONError) -> Int {
        guard let version = Int(exactly: value) else { throw JSONError("'body.version' is out of range") }
        return version
    }
}

extension Guarantees {
    fileprivate init(taking object: inout StrictObject) throws(JSONError) {
        self.init(
            inputPrivacy: try object.string("inputPrivacy"), outputPrivacy: try object.string("outputPrivacy"),
            inputVerification: try object.string("inputVerification"),
            outputVerification: try object.string("outputVerification"),
            flowGovernance: try object.string("flowGovernance"))
    }
}
