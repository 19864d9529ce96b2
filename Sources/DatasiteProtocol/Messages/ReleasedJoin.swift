/// Statistics of the people who are in two sites' tables, which three sites computed on shares: the document of the engine `joint-computation` for the analysis `joined-statistics`, the same result at all three. A receipt's answer digest is SHA-256 over these bytes as sent.
public struct ReleasedJoin: Sendable, Hashable, Codable {
    /// A number, and the standard deviation of the noise in it.
    public struct Number: Sendable, Hashable, Codable {
        /// With its noise; below 0 or beyond bounds as it may be.
        public var value: Double
        /// Of the noise alone: of counts and sums it is exact, of quotients to first order. nil: opened without noise.
        public var deviation: Double?

        /// A number, by its parts.
        public init(_ value: Double, deviation: Double?) { (self.value, self.deviation) = (value, deviation) }
    }

    /// A column, and what its numbers were held to.
    public struct Column: Sendable, Hashable, Codable {
        /// Whose it is: the site's place, from 0.
        public var site: Int
        /// The column's name.
        public var name: String
        /// Smaller numbers counted as this.
        public var lower: Double
        /// Larger numbers counted as this.
        public var upper: Double

        /// A column, by its parts.
        public init(site: Int, name: String, lower: Double, upper: Double) {
            (self.site, self.name, self.lower, self.upper) = (site, name, lower, upper)
        }
    }

    /// By what people were grouped.
    public struct Grouping: Sendable, Hashable, Codable {
        /// Whose column it is: the site's place, from 0.
        public var site: Int
        /// The column's name.
        public var name: String

        /// A column, by its parts.
        public init(site: Int, name: String) { (self.site, self.name) = (site, name) }
    }

    /// Statistics of all, or of a group: each column's in the order of ``ReleasedJoin/columns``.
    public struct People: Sendable, Hashable, Codable {
        /// The group's value; nil: of all.
        public var group: Scalar?
        /// How many people there are.
        public var count: Number
        /// Each column's sum.
        public var sums: [Number]
        /// Each column's mean; nil: the count is too small beside its noise.
        public var means: [Number]?

        /// Statistics, by their parts.
        public init(group: Scalar? = nil, count: Number, sums: [Number], means: [Number]?) {
            (self.group, self.count, self.sums, self.means) = (group, count, sums, means)
        }
    }

    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// Its version at this site.
    public var version: String
    /// "joined-statistics".
    public var analysis: String
    /// The column that identifies people, at both sites.
    public var on: String
    /// What was summed up.
    public var columns: [Column]
    /// The column by whose values people were grouped; nil: they were not.
    public var by: Grouping?
    /// Of all people who are in both tables; or of each group of them.
    public var people: [People]
    /// Where they were not grouped: variances and covariances, a row for each column; nil: the count is too small beside its noise, or there are groups.
    public var covariances: [[Number]]?
    /// How many people of each site at most went in, in their order: declared.
    public var rows: [Int]
    /// The zero-concentrated loss of one person; nil: opened without noise.
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

    /// Joined statistics, by their parts.
    public init(
        request: String, dataset: String, version: String, analysis: String, on: String, columns: [Column],
        by: Grouping?, people: [People], covariances: [[Number]]?, rows: [Int], rho: Double?, run: String,
        sites: [String], place: Int, coordinator: String, coordinatorKey: String, session: String, charge: Loss,
        notes: [String], guarantees: Guarantees, nonce: String
    ) {
        (self.request, self.dataset, self.version) = (request, dataset, version)
        (self.analysis, self.on, self.columns, self.by) = (analysis, on, columns, by)
        (self.people, self.covariances) = (people, covariances)
        (self.rows, self.rho, self.run) = (rows, rho, run)
        (self.sites, self.place, self.coordinator) = (sites, place, coordinator)
        (self.coordinatorKey, self.session, self.charge) = (coordinatorKey, session, charge)
        (self.notes, self.guarantees, self.nonce) = (notes, guarantees, nonce)
    }
}
