/// What was let out (the body of `POST /v1/ask`). A receipt's answer digest is SHA-256 over these bytes as sent.
public struct Answer: Sendable, Hashable, Codable {
    public struct Column: Sendable, Hashable, Codable {
        public var name: String
        public var type: String
        public var isKey: Bool

        public init(name: String, type: String, isKey: Bool) {
            self.name = name
            self.type = type
            self.isKey = isKey
        }
    }

    /// A value with the 95 % interval of its privacy noise.
    public struct Cell: Sendable, Hashable, Codable {
        public var value: Scalar
        /// `.text("-Infinity")` and `.text("Infinity")` where unbounded.
        public var lower: Scalar?
        public var upper: Scalar?

        public init(value: Scalar, lower: Scalar? = nil, upper: Scalar? = nil) {
            self.value = value
            self.lower = lower
            self.upper = upper
        }
    }

    public var request: String
    public var dataset: String
    public var version: String
    public var sql: String
    public var charge: Loss
    public var columns: [Column]
    public var rows: [[Cell]]
    public var notes: [String]
    public var guarantees: Guarantees
    /// True for an answer on mock data: made up, charged nothing, without a receipt.
    public var mock: Bool
    /// 128 random bits, hex: without them whoever sees an answer's digest, in a receipt or in the journal, could find a
    /// small answer by trying. nil for mock answers, whose digest nobody names, and for what was released before.
    public var nonce: String?

    public init(
        request: String, dataset: String, version: String, sql: String, charge: Loss, columns: [Column],
        rows: [[Cell]], notes: [String], guarantees: Guarantees, mock: Bool, nonce: String? = nil
    ) {
        self.request = request
        self.dataset = dataset
        self.version = version
        self.sql = sql
        self.charge = charge
        self.columns = columns
        self.rows = rows
        self.notes = notes
        self.guarantees = guarantees
        self.mock = mock
        self.nonce = nonce
    }
}
