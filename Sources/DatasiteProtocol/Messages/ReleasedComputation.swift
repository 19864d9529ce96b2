/// What three sites computed on shares of their rows: the document of the engine `joint-computation`, the same result at all three. A receipt's answer digest is SHA-256 over these bytes as sent.
public struct ReleasedComputation: Sendable, Hashable, Codable {
    /// A column, what its numbers were held to, and its coefficient.
    public struct Coefficient: Sendable, Hashable, Codable {
        /// The column's name.
        public var name: String
        /// Smaller numbers counted as this.
        public var lower: Double
        /// Larger numbers counted as this.
        public var upper: Double
        /// What a unit of it changes: the predicted number, or the logit.
        public var value: Double
        /// The standard deviation of the noise in it, to first order; nil: there is no noise, or it is not told (``ReleasedComputation/notes`` say why).
        public var deviation: Double?

        /// A coefficient, by its parts.
        public init(name: String, lower: Double, upper: Double, value: Double, deviation: Double? = nil) {
            (self.name, self.lower, self.upper, self.value) = (name, lower, upper, value)
            self.deviation = deviation
        }
    }

    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// Its version at this site.
    public var version: String
    /// "linear-regression" or "logistic-regression".
    public var analysis: String
    /// The column that is predicted.
    public var response: String
    /// What it is predicted from. Empty where noise left nothing that has a solution.
    public var coefficients: [Coefficient]
    /// The prediction, or the logit, where all columns are 0.
    public var intercept: Double?
    /// The standard deviation of the noise in it, as of a coefficient.
    public var interceptDeviation: Double?
    /// How many rows of each site at most went in, in their order: declared.
    public var rows: [Int]
    /// Steps of a logistic regression; 1 for a linear one.
    public var steps: Int
    /// The length of a step; 1 for a linear regression.
    public var rate: Double
    /// What kept coefficients small.
    public var ridge: Double
    /// The zero-concentrated loss of one person's row; nil: opened without noise.
    public var rho: Double?
    /// The run, in hexadecimal digits.
    public var run: String
    /// The sites' Ed25519 keys, in base64.
    public var sites: [String]
    /// This site's place among them, from 0.
    public var place: Int
    /// By way of whom they spoke.
    public var coordinator: String
    /// The coordinator's Ed25519 key, in base64.
    public var coordinatorKey: String
    /// SHA-256 of what all agreed on and drew, in hexadecimal digits: the same at all sites.
    public var session: String
    /// What it cost.
    public var charge: Loss
    /// What must be known of it.
    public var notes: [String]
    /// The five parts of structured transparency.
    public var guarantees: Guarantees
    /// Random, so that a digest tells nothing of what it is a digest of.
    public var nonce: String

    /// A computation, by its parts.
    public init(
        request: String, dataset: String, version: String, analysis: String, response: String,
        coefficients: [Coefficient], intercept: Double?, interceptDeviation: Double? = nil, rows: [Int], steps: Int,
        rate: Double, ridge: Double,
        rho: Double?, run: String, sites: [String],
        place: Int, coordinator: String, coordinatorKey: String, session: String, charge: Loss, notes: [String],
        guarantees: Guarantees, nonce: String
    ) {
        (self.request, self.dataset, self.version) = (request, dataset, version)
        (self.analysis, self.response, self.coefficients) = (analysis, response, coefficients)
        (self.intercept, self.interceptDeviation) = (intercept, interceptDeviation)
        (self.rows, self.rho, self.run) = (rows, rho, run)
        (self.steps, self.rate, self.ridge) = (steps, rate, ridge)
        (self.sites, self.place, self.coordinator) = (sites, place, coordinator)
        (self.coordinatorKey, self.session, self.charge) = (coordinatorKey, session, charge)
        (self.notes, self.guarantees, self.nonce) = (notes, guarantees, nonce)
    }
}
