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
