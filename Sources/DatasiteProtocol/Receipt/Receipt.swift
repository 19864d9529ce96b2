/// What a researcher holds in her hand: the datasite's signed statement of one release. Version 1.
///
/// The signature is Ed25519 (RFC 8032) over the UTF-8 bytes "parley receipt v1\n" followed by the body as JSON with
/// keys sorted by UTF-8, no white space, and slashes not escaped. The body holds strings and integers only, so that
/// this form is unique. Hashes are lower-case hex SHA-256; keys and signatures base64.
public struct Receipt: Sendable, Hashable, Codable {
    public struct Body: Sendable, Hashable, Codable {
        public var version: Int
        public var site: String
        public var publicKey: String
        public var request: String
        /// SHA-256 of the canonical request (dataset, version, SQL, budget, hints), which the researcher can recompute.
        public var requestDigest: String
        public var dataset: String
        public var datasetVersion: String
        /// "pure" or "zcdp"; `chargeAmount` in units of 1e-12 epsilon or rho, `chargeDelta` in units of 1e-18.
        public var chargeKind: String
        public var chargeAmount: Int64
        public var chargeDelta: Int64
        public var guarantees: Guarantees
        public var answerDigest: String
        public var journalIndex: Int64
        public var previousJournalHash: String
        public var journalHash: String
        public var time: String

        public init(
            version: Int = 1, site: String, publicKey: String, request: String, requestDigest: String,
            dataset: String, datasetVersion: String, chargeKind: String, chargeAmount: Int64, chargeDelta: Int64,
            guarantees: Guarantees, answerDigest: String, journalIndex: Int64, previousJournalHash: String,
            journalHash: String, time: String
        ) {
            self.version = version
            self.site = site
            self.publicKey = publicKey
            self.request = request
            self.requestDigest = requestDigest
            self.dataset = dataset
            self.datasetVersion = datasetVersion
            self.chargeKind = chargeKind
            self.chargeAmount = chargeAmount
            self.chargeDelta = chargeDelta
            self.guarantees = guarantees
            self.answerDigest = answerDigest
            self.journalIndex = journalIndex
            self.previousJournalHash = previousJournalHash
            self.journalHash = journalHash
            self.time = time
        }
    }

    public var body: Body
    public var signature: String

    public init(body: Body, signature: String) {
        self.body = body
        self.signature = signature
    }
}
