import Crypto
public import DatasiteProtocol
import Federation
import Foundation
import Governance

/// Which regression three sites are asked to compute together on shares: all of it, so that each checks its own part by its own manifest. It is sent as one object, beside the invitation's members.
public struct ComputationRequest: Sendable, Hashable, Codable {
    /// What is computed.
    public enum Analysis: String, Sendable, Hashable, Codable, CaseIterable {
        /// Coefficients that predict a number.
        case linear = "linear-regression"
        /// Coefficients that predict one of two labels.
        case logistic = "logistic-regression"
    }

    /// A column that goes in, and what its numbers are held to: as all sites that have rows declare it.
    public struct Column: Sendable, Hashable, Codable {
        /// The column's name.
        public var name: String
        /// The declared lower bound.
        public var lower: Double
        /// The declared upper bound.
        public var upper: Double

        /// A column, by its parts.
        public init(_ name: String, _ lower: Double, _ upper: Double) {
            (self.name, self.lower, self.upper) = (name, lower, upper)
        }

        init(_ object: StrictObject) throws(JSONError) {
            var object = object
            self.init(try object.string("name"), try object.double("lower"), try object.double("upper"))
            try object.finish()
        }
    }

    /// The dataset's name, at all sites.
    public var dataset: String
    /// What is computed.
    public var analysis: Analysis
    /// What is predicted from.
    public var features: [Column]
    /// What is predicted.
    public var response: Column
    /// The most units of each site, in the sites' order, as each declares them; 0: it brings no rows, and computes alone.
    public var rows: [Int]
    /// Steps of a logistic regression; 1 for a linear one.
    public var steps: Int
    /// The length of a step; 1 for a linear regression.
    public var rate: Double
    /// Keeps coefficients small.
    public var ridge: Double
    /// The zero-concentrated loss of one person's row; nil: opened without noise.
    public var rho: Double?
    /// Which run, among whom.
    public var invitation: RoundsInvitation

    /// A request, by its parts.
    public init(
        dataset: String, analysis: Analysis, features: [Column], response: Column, rows: [Int],
        steps: Int = 1, rate: Double = 1, ridge: Double, rho: Double?, invitation: RoundsInvitation
    ) {
        (self.dataset, self.analysis, self.features, self.response) = (dataset, analysis, features, response)
        (self.rows, self.steps, self.rate, self.ridge) = (rows, steps, rate, ridge)
        (self.rho, self.invitation) = (rho, invitation)
    }

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        dataset = try request.string("dataset")
        guard let asked = Analysis(rawValue: try request.string("analysis")) else {
            throw Problem.invalidRequest(
                "'analysis' is one of \(Analysis.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        analysis = asked
        features = try request.objects("features").map { try Column($0) }
        response = try Column(try request.object("response"))
        rows = try Self.rows(&request)
        steps = Int(clamping: try request.integer("steps"))
        rate = try request.double("rate")
        ridge = try request.double("ridge")
        rho = try request.optionalDouble("rho")
        invitation = try RoundsInvitation(&request)
        try request.finish()
        for text in [dataset, response.name] + features.map(\.name) { try Submission.checkStored(text, as: "a name") }
        try checkSites()
    }

    private enum CodingKeys: CodingKey { case dataset, analysis, features, response, rows, steps, rate, ridge, rho }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        dataset = try members.decode(String.self, forKey: .dataset)
        analysis = try members.decode(Analysis.self, forKey: .analysis)
        features = try members.decode([Column].self, forKey: .features)
        response = try members.decode(Column.self, forKey: .response)
        rows = try members.decode([Int].self, forKey: .rows)
        steps = try members.decode(Int.self, forKey: .steps)
        rate = try members.decode(Double.self, forKey: .rate)
        ridge = try members.decode(Double.self, forKey: .ridge)
        rho = try members.decodeIfPresent(Double.self, forKey: .rho)
        invitation = try RoundsInvitation(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        try invitation.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(dataset, forKey: .dataset)
        try members.encode(analysis, forKey: .analysis)
        try members.encode(features, forKey: .features)
        try members.encode(response, forKey: .response)
        try members.encode(rows, forKey: .rows)
        try members.encode(steps, forKey: .steps)
        try members.encode(rate, forKey: .rate)
        try members.encode(ridge, forKey: .ridge)
        try members.encodeIfPresent(rho, forKey: .rho)
    }
}

extension ComputationRequest: SealedComputation {
    /// Whether a site's release is of this computation.
    public func isReleased(_ made: ReleasedComputation, by place: Int) -> Bool {
        isOfRun(made.run, made.sites, made.coordinatorKey) && made.place == place && made.dataset == dataset
            && made.analysis == analysis.rawValue && made.rho == rho && made.rows == rows && made.steps == steps
            && made.rate == rate && made.ridge == ridge
    }

    /// Whether two releases say the same.
    public func agree(_ one: ReleasedComputation, _ other: ReleasedComputation) -> Bool {
        one.coefficients == other.coefficients && one.intercept == other.intercept && one.session == other.session
            && one.interceptDeviation == other.interceptDeviation
    }
}
