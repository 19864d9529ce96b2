/// What a researcher holds in her hand: the datasite's signed statement of one release.
///
/// The signature is Ed25519 (RFC 8032) over the UTF-8 bytes "parley receipt v2\n" (the body's version) followed by the body
/// as JSON with keys sorted by UTF-8, no white space, and slashes not escaped. The body holds strings and integers, in
/// objects and lists, so that this form is unique. Hashes are lower-case hex SHA-256; keys and signatures base64.
///
/// Version 1, which questions had before there were other kinds of work, has `dataset`, `datasetVersion`, `chargeKind`,
/// `chargeAmount` and `chargeDelta` in place of `engine`, `assets` and `charge`; it is read and verified for ever.
public struct Receipt: Sendable, Hashable {
    /// A private dataset that was read.
    public struct Asset: Sendable, Hashable {
        /// Its name.
        public var dataset: String
        /// Its version: a random identifier, never a hash of the data.
        public var version: String

        /// The dataset of that name in that version.
        public init(dataset: String, version: String) {
            self.dataset = dataset
            self.version = version
        }
    }

    /// What was charged.
    public struct Charge: Sendable, Hashable {
        /// "pure", "zcdp" or "renyi"; nil where no privacy loss is counted.
        public var kind: String?
        /// Epsilon or rho; the Rényi divergences at the orders 2, 4, 6, 8, 12, 24, 64 and 256. In units of 1e-12.
        public var amounts: [Int64]
        /// Delta, in units of 1e-18.
        public var delta: Int64
        /// How many uses were counted of each asset.
        public var uses: Int64

        /// A loss, a number of uses, or both.
        public init(kind: String?, amounts: [Int64] = [], delta: Int64 = 0, uses: Int64 = 0) {
            self.kind = kind
            self.amounts = amounts
            self.delta = delta
            self.uses = uses
        }
    }

    /// What is signed. A charge of one amount has `amount`, of several `amounts`.
    public struct Body: Sendable, Hashable {
        /// 1 or 2.
        public var version: Int
        /// The datasite's name.
        public var site: String
        /// The datasite's public key, base64.
        public var publicKey: String
        /// The request's id.
        public var request: String
        /// SHA-256 of the canonical request, which the researcher can recompute.
        public var requestDigest: String
        /// The kind of work: "questions" in version 1.
        public var engine: String
        /// What was read, the dataset that was asked first; one in version 1.
        public var assets: [Asset]
        /// What was charged.
        public var charge: Charge
        /// What was done for each part of structured transparency.
        public var guarantees: Guarantees
        /// SHA-256 of the answer's bytes.
        public var answerDigest: String
        /// The place of the release in the datasite's journal, from 1.
        public var journalIndex: Int64
        /// The hash of the entry before.
        public var previousJournalHash: String
        /// The hash of the release's entry.
        public var journalHash: String
        /// RFC 3339, UTC.
        public var time: String

        /// The name of the dataset that was asked.
        public var dataset: String { assets.first?.dataset ?? "" }
        /// The version of the dataset that was asked.
        public var datasetVersion: String { assets.first?.version ?? "" }

        /// A body of the present version unless said otherwise.
        public init(
            version: Int = Receipt.version, site: String, publicKey: String, request: String, requestDigest: String,
            engine: String, assets: [Asset], charge: Charge, guarantees: Guarantees, answerDigest: String,
            journalIndex: Int64, previousJournalHash: String, journalHash: String, time: String
        ) {
            self.version = version
            self.site = site
            self.publicKey = publicKey
            self.request = request
            self.requestDigest = requestDigest
            self.engine = engine
            self.assets = assets
            self.charge = charge
            self.guarantees = guarantees
            self.answerDigest = answerDigest
            self.journalIndex = journalIndex
            self.previousJournalHash = previousJournalHash
            self.journalHash = journalHash
            self.time = time
        }
    }

    /// The version that is written.
    public static let version = 2

    /// What is signed.
    public var body: Body
    /// Ed25519, base64.
    public var signature: String

    /// A body with the signature that is said to be its own.
    public init(body: Body, signature: String) {
        self.body = body
        self.signature = signature
    }
}
