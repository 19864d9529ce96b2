public import DatasiteProtocol
import Foundation

/// Which statistics of the people who are in two sites' tables three sites are asked to compute on shares: all of it, so that each checks its own part by its own manifest. It is sent as one object, beside the invitation's members.
public struct JoinRequest: Sendable, Hashable, Codable {
    /// As regressions have theirs.
    public static let analysis = "joined-statistics"

    /// The column that names people, at both sites: whole numbers.
    public struct Identifier: Sendable, Hashable, Codable {
        /// The column's name.
        public var name: String
        /// The least that any site may have.
        public var lower: Int64
        /// The largest that any site may have.
        public var upper: Int64

        /// A column, by its parts.
        public init(_ name: String, _ lower: Int64, _ upper: Int64) {
            (self.name, self.lower, self.upper) = (name, lower, upper)
        }
    }

    /// A site's column of numbers, and what they are held to: as it declares it.
    public struct Column: Sendable, Hashable, Codable {
        /// The site's place.
        public var site: Int
        /// The column's name.
        public var name: String
        /// The declared lower bound.
        public var lower: Double
        /// The declared upper bound.
        public var upper: Double

        /// A column, by its parts.
        public init(site: Int, _ name: String, _ lower: Double, _ upper: Double) {
            (self.site, self.name, self.lower, self.upper) = (site, name, lower, upper)
        }
    }

    /// A site's column by whose values people are grouped.
    public struct Grouping: Sendable, Hashable, Codable {
        /// The site's place.
        public var site: Int
        /// The column's name.
        public var name: String
        /// Its declared domain, in that order.
        public var values: [Scalar]

        /// A column, by its parts.
        public init(site: Int, _ name: String, _ values: [Scalar]) {
            (self.site, self.name, self.values) = (site, name, values)
        }
    }

    /// The dataset's name, at all sites.
    public var dataset: String
    /// Who is the same person.
    public var on: Identifier
    /// What is summed up.
    public var columns: [Column]
    /// By what people are grouped; nil: they are not, and variances and covariances are computed.
    public var by: Grouping?
    /// The most units of each site, in the sites' order, as each declares them; 0: it brings no rows, and computes alone.
    public var rows: [Int]
    /// The zero-concentrated loss of one person; nil: opened without noise.
    public var rho: Double?
    /// Which run, among whom.
    public var invitation: RoundsInvitation

    /// A request, by its parts.
    public init(
        dataset: String, on: Identifier, columns: [Column], by: Grouping?, rows: [Int], rho: Double?,
        invitation: RoundsInvitation
    ) {
        (self.dataset, self.on, self.columns, self.by) = (dataset, on, columns, by)
        (self.rows, self.rho, self.invitation) = (rows, rho, invitation)
    }

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        dataset = try request.string("dataset")
        _ = try request.string("analysis")
        var identifier = try request.object("on")
        on = Identifier(
            try identifier.string("name"), try identifier.integer("lower"), try identifier.integer("upper"))
        try identifier.finish()
        columns = try request.objects("columns").map { object in
            var column = object
            let read = Column(
                site: Int(clamping: try column.integer("site")), try column.string("name"),
                try column.double("lower"), try column.double("upper"))
            try column.finish()
            return read
        }
        by = try request.optionalObject("by").map { object in
            var grouping = object
            let (site, name) = (try grouping.integer("site"), try grouping.string("name"))
            guard case .array(let listed)? = grouping.value("values") else {
                throw Problem.invalidRequest("'by.values' is missing, or no list")
            }
            try grouping.finish()
            return Grouping(site: Int(clamping: site), name, try listed.map(Self.scalar))
        }
        rows = try Self.rows(&request)
        rho = try request.optionalDouble("rho")
        invitation = try RoundsInvitation(&request)
        try request.finish()
        for text in [dataset, on.name] + columns.map(\.name) + (by.map { [$0.name] } ?? []) {
            try Submission.checkStored(text, as: "a name")
        }
        try checkSites()
    }

    private static func scalar(_ value: StrictJSON) throws -> Scalar {
        switch value {
        case .string(let text):
            try Submission.checkStored(text, as: "a group's value")
            return .text(text)
        case .boolean(let isTrue): return .boolean(isTrue)
        case .number(let literal):
            if let whole = Int64(literal) { return .integer(whole) }
            if let number = Double(literal), number.isFinite { return .real(number) }
        default: break
        }
        throw Problem.invalidRequest("'by.values' holds texts, numbers, true and false")
    }

    private enum CodingKeys: CodingKey { case dataset, analysis, on, columns, by, rows, rho }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        dataset = try members.decode(String.self, forKey: .dataset)
        on = try members.decode(Identifier.self, forKey: .on)
        columns = try members.decode([Column].self, forKey: .columns)
        by = try members.decodeIfPresent(Grouping.self, forKey: .by)
        rows = try members.decode([Int].self, forKey: .rows)
        rho = try members.decodeIfPresent(Double.self, forKey: .rho)
        invitation = try RoundsInvitation(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        try invitation.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(dataset, forKey: .dataset)
        try members.encode(Self.analysis, forKey: .analysis)
        try members.encode(on, forKey: .on)
        try members.encode(columns, forKey: .columns)
        try members.encodeIfPresent(by, forKey: .by)
        try members.encode(rows, forKey: .rows)
        try members.encodeIfPresent(rho, forKey: .rho)
    }
}

extension JoinRequest: SealedComputation {
    /// Whether a site's release is of this computation.
    public func isReleased(_ made: ReleasedJoin, by place: Int) -> Bool {
        isOfRun(made.run, made.sites, made.coordinatorKey) && made.place == place && made.dataset == dataset
            && made.analysis == Self.analysis && made.on == on.name && made.rho == rho && made.rows == rows
            && made.columns.map { Column(site: $0.site, $0.name, $0.lower, $0.upper) } == ordered
            && made.by?.name == by?.name && made.by?.site == by?.site
            && made.people.map(\.group) == (by.map { $0.values.map(Optional.some) } ?? [nil])
    }

    /// Whether two releases say the same.
    public func agree(_ one: ReleasedJoin, _ other: ReleasedJoin) -> Bool {
        one.people == other.people && one.covariances == other.covariances && one.session == other.session
    }

    /// The columns in the order of their sites, and as they were asked for within each.
    var ordered: [Column] { rows.indices.flatMap { place in columns.filter { $0.site == place } } }
}
