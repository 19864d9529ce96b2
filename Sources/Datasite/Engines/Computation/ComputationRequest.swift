import Crypto
public import DatasiteProtocol
import Federation
public import Foundation
import Governance

/// What three sites are asked to compute together on shares: all of it, so that each checks its own part by its own manifest. It is sent as one object, beside the invitation's members.
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
        features = try Self.list("features", in: &request).enumerated().map { place, value in
            try Self.column(value, "features[\(place)]")
        }
        guard let predicted = request.value("response") else { throw Problem.invalidRequest("'response' is missing") }
        response = try Self.column(predicted, "response")
        guard let listed = try request.optionalIntegers("rows") else {
            throw Problem.invalidRequest("'rows' is missing")
        }
        rows = listed.map { Int(clamping: $0) }
        steps = Int(clamping: try request.integer("steps"))
        rate = try request.double("rate")
        ridge = try request.double("ridge")
        rho = try request.optionalDouble("rho")
        invitation = try RoundsInvitation(&request)
        try request.finish()
        for text in [dataset, response.name] + features.map(\.name) { try Submission.checkStored(text, as: "a name") }
        guard invitation.sites.count == 3, rows.count == 3 else {
            throw Problem.invalidRequest(
                "'sites' names \(invitation.sites.count) keys and 'rows' \(rows.count) numbers, and three sites compute together",
                hint: "one that has no rows brings 0")
        }
    }

    private static func list(_ key: String, in request: inout StrictObject) throws -> [StrictJSON] {
        guard case .array(let listed)? = request.value(key) else {
            throw Problem.invalidRequest("'\(key)' is missing, or no list")
        }
        return listed
    }

    private static func column(_ value: StrictJSON, _ path: String) throws -> Column {
        var column = try StrictObject(value, path: path)
        let read = Column(try column.string("name"), try column.double("lower"), try column.double("upper"))
        try column.finish()
        return read
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

/// What all three sites of a computation must agree on: each says it of itself.
public struct ComputationAgreement: Sendable, Hashable, Codable {
    /// SHA-256 of what is computed, in hexadecimal digits.
    public var task: String
    /// SHA-256 of the program that all run: sites whose versions of Parley make another one of it refuse each other.
    public var program: String
    /// How many rounds there are, that of greetings among them.
    public var rounds: Int
    /// The most bytes that a site brings in a round.
    public var mostBytes: Int
    /// Of all sites together, in all rounds.
    public var bytes: Int
}

extension ComputationRequest: CoordinatedWork {
    /// The engine that is asked.
    public static var engine: String { ComputationWork.engine.rawValue }
    /// Shares, keys and nonces are in memory alone.
    public static var goesOn: Bool { false }

    /// What all would compute.
    public func agreed(
        _ agreements: [ComputationAgreement], by sites: [CoordinatedSite]
    ) throws -> ComputationAgreement {
        guard sites.count == 3, let first = agreements.first else {
            throw Problem.invalidRequest("a computation is of three sites, each of which says what it would compute")
        }
        for (site, other) in zip(sites, agreements).dropFirst() where other != first {
            throw Problem.conflict(
                "\(sites[0].name) and \(site.name) would compute different things by this request",
                hint: "their versions of Parley may differ")
        }
        // A site that lies in its review makes this process keep no more than a site may ask to be kept.
        guard (2...ComputationTask.mostRounds).contains(first.rounds),
            (0...ComputationTask.mostRoundBytes).contains(first.mostBytes)
        else {
            throw Problem.invalidRequest("\(sites[0].name) says \(first.rounds) rounds of \(first.mostBytes) bytes")
        }
        return first
    }

    /// Frames are in memory alone: nothing is there before.
    public func prepared(
        _ agreement: ComputationAgreement, roster: [Data]
    ) throws -> @Sendable (_ folder: String) throws -> Void { { _ in } }

    /// Who stands between the sites.
    public func run(_ agreement: ComputationAgreement, roster: [Data], _ opening: RunOpening) throws -> SealedRoundsRun
    {
        try SealedRoundsRun(
            run: try invitation.runBytes, roster: roster,
            relay: SealedRoundsRelay(sites: roster.count, rounds: agreement.rounds, mostBytes: agreement.mostBytes),
            opening)
    }
}

extension Coordination where Work == ComputationRequest {
    /// A computation that nobody was asked for yet.
    ///
    /// - Parameters:
    ///   - request: What is computed, with any invitation.
    ///   - address: Where sites dial out to.
    /// - Throws: A `Problem`: an address that is none.
    public init(
        sites: [CoordinatedSite], address: String, request: (RoundsInvitation) throws -> ComputationRequest
    ) throws {
        let key = Curve25519.Signing.PrivateKey()
        let invitation = try RoundsInvitation(sites: sites.map(\.key), address: address, key: key)
        self.init(try request(invitation), sites: sites, key: key)
    }

    /// Whether a site's release is of this computation.
    ///
    /// - Parameter place: The site's.
    public func isReleased(_ made: ReleasedComputation, by place: Int) -> Bool {
        let invitation = request.invitation
        return made.run == invitation.run && made.sites == invitation.sites && made.place == place
            && made.coordinatorKey == invitation.coordinatorKey && made.dataset == request.dataset
            && made.analysis == request.analysis.rawValue && made.rho == request.rho && made.rows == request.rows
            && made.steps == request.steps && made.rate == request.rate && made.ridge == request.ridge
    }
}
