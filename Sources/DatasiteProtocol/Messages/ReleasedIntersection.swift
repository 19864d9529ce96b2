/// That two sites intersected their identifiers: the document of the engine `set-intersection`. What they have in common is not in it, nor how many: that stays at the sites, for
/// their owners. A receipt's answer digest is SHA-256 over these bytes as sent.
public struct ReleasedIntersection: Sendable, Hashable, Codable {
    /// How much a site brought, as it declared it.
    public struct Part: Sendable, Hashable, Codable {
        /// The most distinct identifiers that it brings.
        public var capacity: Int
        /// Whether its list was filled up to the capacity.
        public var isPadded: Bool

        /// A part, by its numbers.
        public init(capacity: Int, isPadded: Bool) { (self.capacity, self.isPadded) = (capacity, isPadded) }
    }

    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// Its version.
    public var version: String
    /// The columns that identify together.
    public var columns: [String]
    /// What became known: "size" or "identifiers".
    public var output: String
    /// To whom: "first", "second" or "both" of the sites.
    public var recipients: String
    /// The run, in hexadecimal digits.
    public var run: String
    /// Both sites' Ed25519 keys, in base64.
    public var sites: [String]
    /// This site's place among them, from 0.
    public var place: Int
    /// By way of whom they spoke.
    public var coordinator: String
    /// The coordinator's Ed25519 key, in base64.
    public var coordinatorKey: String
    /// SHA-256 of what both agreed on, in hexadecimal digits: the same at both sites.
    public var session: String
    /// How much each site brought, in their order.
    public var parts: [Part]
    /// What it cost.
    public var charge: Loss
    /// What must be known of it.
    public var notes: [String]
    /// The five parts of structured transparency.
    public var guarantees: Guarantees
    /// Random, so that a digest tells nothing of what it is a digest of.
    public var nonce: String

    /// An intersection, by its parts.
    public init(
        request: String, dataset: String, version: String, columns: [String], output: String, recipients: String,
        run: String, sites: [String], place: Int, coordinator: String, coordinatorKey: String, session: String,
        parts: [Part], charge: Loss, notes: [String], guarantees: Guarantees, nonce: String
    ) {
        (self.request, self.dataset, self.version, self.columns) = (request, dataset, version, columns)
        (self.output, self.recipients, self.run, self.sites) = (output, recipients, run, sites)
        (self.place, self.coordinator, self.coordinatorKey) = (place, coordinator, coordinatorKey)
        (self.session, self.parts, self.charge, self.notes) = (session, parts, charge, notes)
        (self.guarantees, self.nonce) = (guarantees, nonce)
    }
}
