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
        let version = try Self.version(object.integer("version"))
        var guarantees = try object.object("guarantees")
        let assets: [Receipt.Asset]
        let charge: Receipt.Charge
        var engine = "questions"
        if version == 1 {
            assets = [
                Receipt.Asset(dataset: try object.string("dataset"), version: try object.string("datasetVersion"))
            ]
            charge = Receipt.Charge(
                kind: try object.string("chargeKind"), amounts: [try object.integer("chargeAmount")],
                delta: try object.integer("chargeDelta"))
        } else {
            engine = try object.string("engine")
            assets = try Self.assets(object.objects("assets"))
            charge = try Receipt.Charge(taking: object.object("charge"))
        }
        self.init(
            version: version, site: try object.string("site"), publicKey: try object.string("publicKey"),
            request: try object.string("request"), requestDigest: try object.string("requestDigest"), engine: engine,
            assets: assets, charge: charge, guarantees: try Guarantees(taking: &guarantees),
            answerDigest: try object.string("answerDigest"), journalIndex: try object.integer("journalIndex"),
            previousJournalHash: try object.string("previousJournalHash"),
            journalHash: try object.string("journalHash"), time: try object.string("time"))
        try guarantees.finish()
    }

    private static func assets(_ objects: [StrictObject]) throws(JSONError) -> [Receipt.Asset] {
        var assets: [Receipt.Asset] = []
        for var object in objects {
            assets.append(
                Receipt.Asset(dataset: try object.string("dataset"), version: try object.string("version")))
            try object.finish()
        }
        return assets
    }

    private static func version(_ value: Int64) throws(JSONError) -> Int {
        guard let version = Int(exactly: value) else { throw JSONError("'body.version' is out of range") }
        return version
    }
}

extension Receipt.Charge {
    fileprivate init(taking object: StrictObject) throws(JSONError) {
        var object = object
        let kind = try object.optionalString("kind")
        var amounts: [Int64] = []
        if kind != nil {
            if let several = try object.optionalIntegers("amounts") {
                amounts = several
            } else {
                amounts = [try object.integer("amount")]
            }
        }
        self.init(
            kind: kind, amounts: amounts,
            delta: kind == nil ? 0 : try object.integer("delta"), uses: try object.optionalInteger("uses") ?? 0)
        try object.finish()
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
