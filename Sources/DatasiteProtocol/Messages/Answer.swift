/// What was let out (the body of `POST /v1/ask`). A receipt's answer digest is SHA-256 over these bytes as sent.
public struct Answer: Sendable, Hashable, Codable {
    /// A column of the answer.
    public struct Column: Sendable, Hashable, Codable {
        /// Its name, as the question has it.
        public var name: String
        /// Its type: "boolean", "integer", "real", "text", "date" or "timestamp".
        public var type: String
        /// Whether it is a grouping key, and no measured value.
        public var isKey: Bool
        /// Of a column that counts a bin of a histogram, the bin.
        public var bin: Bin?

        /// A column, by its parts.
        public init(name: String, type: String, isKey: Bool, bin: Bin? = nil) {
            self.name = name
            self.type = type
            self.isKey = isKey
            self.bin = bin
        }

        /// A bin of a histogram: values from `lower` on and below `upper`; in the last bin also `upper`.
        public struct Bin: Sendable, Hashable, Codable {
            /// The histogram's name: the same for its bins, which are columns one behind the other.
            public var histogram: String
            /// The smallest value in it.
            public var lower: Double
            /// The end, which is in the next bin.
            public var upper: Double

            /// A bin, by its parts.
            public init(histogram: String, lower: Double, upper: Double) {
                self.histogram = histogram
                self.lower = lower
                self.upper = upper
            }
        }
    }

    /// A value with the 95 % interval of its privacy noise.
    public struct Cell: Sendable, Hashable, Codable {
        /// The noisy value; of a key, the key.
        public var value: Scalar
        /// The interval's lower end: a number, or of a date or time its RFC 3339 text; `.text("-Infinity")` and
        /// `.text("Infinity")` where unbounded.
        public var lower: Scalar?
        /// The interval's upper end; nil for a key and where no interval is known.
        public var upper: Scalar?
        /// Why the truth may lie outside the interval more often than it says: "bounded", "selected", "thresholded", "clipped", and
        /// words that are added later; nil where nothing is to be said.
        public var flags: [String]?

        /// A value, with its interval where there is one.
        public init(value: Scalar, lower: Scalar? = nil, upper: Scalar? = nil, flags: [String]? = nil) {
            self.value = value
            self.lower = lower
            self.upper = upper
            self.flags = flags
        }
    }

    /// What bounding left out, over all groups together: noisy, as all values are. A pair is absent where nothing can be left
    /// out so, or nothing is known of it.
    public struct Bounding: Sendable, Hashable, Codable {
        /// Two disjoint counts, each with the 95 % interval of its privacy noise.
        public struct Pair: Sendable, Hashable, Codable {
            /// What was left out.
            public var cut: Cell
            /// What was not.
            public var kept: Cell
            /// `cut / (cut + kept)`, from 0 to 1; null where the noise hides both.
            public var share: Cell

            /// A pair, by its parts.
            public init(cut: Cell, kept: Cell, share: Cell) {
                self.cut = cut
                self.kept = kept
                self.share = share
            }
        }

        /// Units of which the question's bounds left out a row in scope, and those of which they left out none.
        public var units: Pair?
        /// Rows in scope that they left out, and those that they kept.
        public var rows: Pair?
        /// Rows that were dropped when the table was added, and rows that it has, whatever the question's `WHERE`. Of one
        /// unit at most its bound on rows counts as dropped: more may have been. A join's counts are both tables' together.
        public var dropped: Pair?
        /// The tables that `dropped` counts together; nil: the answer was released before they were named.
        public var droppedFrom: [String]?

        /// What is known of it.
        public init(
            units: Pair? = nil, rows: Pair? = nil, dropped: Pair? = nil, droppedFrom: [String]? = nil
        ) {
            self.droppedFrom = droppedFrom
            self.units = units
            self.rows = rows
            self.dropped = dropped
        }
    }

    /// With whom an answer was made.
    public struct Federation: Sendable, Hashable, Codable {
        /// 16 bytes that no other run has, in hexadecimal digits.
        public var run: String
        /// The keys of all sites, in base64.
        public var sites: [String]
        /// Which of them this one is, from 0 on.
        public var place: Int
        /// Where the sum was opened.
        public var coordinator: String
        /// By which key its replies were signed, in base64.
        public var coordinatorKey: String
        /// SHA-256 of what all sites did, in hexadecimal digits.
        public var planDigest: String
        /// How many sites may be in league with the coordinator without harm.
        public var colluders: Int

        /// With whom, by its parts.
        public init(
            run: String, sites: [String], place: Int, coordinator: String, coordinatorKey: String, planDigest: String,
            colluders: Int
        ) {
            (self.run, self.sites, self.place) = (run, sites, place)
            (self.coordinator, self.coordinatorKey) = (coordinator, coordinatorKey)
            (self.planDigest, self.colluders) = (planDigest, colluders)
        }
    }

    /// The request's id; "mock" for a mock answer.
    public var request: String
    /// The dataset that was asked.
    public var dataset: String
    /// The version of the dataset that was read.
    public var version: String
    /// The question, as it was asked.
    public var sql: String
    /// What it cost, for good.
    public var charge: Loss
    /// The columns, in the question's order.
    public var columns: [Column]
    /// The rows, each with a cell a column.
    public var rows: [[Cell]]
    /// What bounding left out; nil where it was not asked for, or where nothing can be left out.
    public var bounding: Bounding?
    /// What must be known to read the numbers.
    public var notes: [String]
    /// What was promised, and by which means.
    public var guarantees: Guarantees
    /// Of an answer by several sites, with whom it was made; nil: by this one alone.
    public var federation: Federation?
    /// True for an answer on mock data: made up, charged nothing, without a receipt.
    public var mock: Bool
    /// 128 random bits, hex: without them whoever sees an answer's digest, in a receipt or in the journal, could find a
    /// small answer by trying. nil for mock answers, whose digest nobody names, and for what was released before.
    public var nonce: String?

    /// An answer, by its parts.
    public init(
        request: String, dataset: String, version: String, sql: String, charge: Loss, columns: [Column],
        rows: [[Cell]], bounding: Bounding? = nil, notes: [String], guarantees: Guarantees, mock: Bool,
        federation: Federation? = nil, nonce: String? = nil
    ) {
        self.request = request
        self.dataset = dataset
        self.version = version
        self.sql = sql
        self.charge = charge
        self.columns = columns
        self.rows = rows
        self.bounding = bounding
        self.notes = notes
        self.guarantees = guarantees
        self.mock = mock
        self.federation = federation
        self.nonce = nonce
    }
}
