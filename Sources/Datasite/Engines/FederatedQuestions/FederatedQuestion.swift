import Crypto
public import DatasiteProtocol
public import Federation
import Foundation
import Governance

/// What a site is asked to answer with others: a question, what all sites plan the same by, and with whom. It is sent as one object, beside the invitation's members.
public struct FederatedQuestion: Sendable, Hashable, Codable {
    /// The question, of a dataset that each site has.
    public var question: AskRequest
    /// As many rows as all sites declare together.
    public var rows: Int
    /// How many sites may be in league with the coordinator; one, who takes part, is always reckoned with.
    public var colluders: Int
    /// How long a phase of the round waits for who is late.
    public var phaseSeconds: Double
    /// Which run, among whom.
    public var invitation: RoundsInvitation

    /// A request, by its parts.
    public init(
        question: AskRequest, rows: Int, colluders: Int = 1, phaseSeconds: Double = 30, invitation: RoundsInvitation
    ) {
        (self.question, self.rows, self.colluders) = (question, rows, colluders)
        (self.phaseSeconds, self.invitation) = (phaseSeconds, invitation)
    }

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        guard let asked = request.value("question") else {
            throw Problem.invalidRequest("'question' is missing", hint: "an object, as for POST /v1/ask")
        }
        question = try AskRequest(StrictObject(asked, path: "question"))
        rows = Int(clamping: try request.integer("rows"))
        colluders = Int(clamping: try request.integer("colluders"))
        phaseSeconds = try request.double("phaseSeconds")
        invitation = try RoundsInvitation(&request)
        try request.finish()
        guard question.purpose == nil else {
            throw Problem.invalidRequest(
                "'request.question.purpose': the purpose stands beside the request, as 'purpose'")
        }
        guard question.selectionDelta == nil else {
            throw Problem.invalidRequest("'question.selectionDelta': with other sites no keys are selected")
        }
        guard (1...1 << 50).contains(rows) else { throw Problem.invalidRequest("'rows' is from 1 to 2^50") }
        guard (0...RoundsInvitation.mostSites).contains(colluders) else {
            throw Problem.invalidRequest("'colluders' is from 0 to \(RoundsInvitation.mostSites)")
        }
        guard (1...86_400).contains(phaseSeconds) else {
            throw Problem.invalidRequest("'phaseSeconds' is from 1 to 86400")
        }
        guard question.sql.utf8.count <= QuestionWork.largestQuestion else {
            throw Problem.tooLarge("a question has at most \(QuestionWork.largestQuestion >> 10) KiB")
        }
    }

    private enum CodingKeys: CodingKey { case question, rows, colluders, phaseSeconds }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        question = try members.decode(AskRequest.self, forKey: .question)
        rows = try members.decode(Int.self, forKey: .rows)
        colluders = try members.decode(Int.self, forKey: .colluders)
        phaseSeconds = try members.decode(Double.self, forKey: .phaseSeconds)
        invitation = try RoundsInvitation(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        try invitation.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(question, forKey: .question)
        try members.encode(rows, forKey: .rows)
        try members.encode(colluders, forKey: .colluders)
        try members.encode(phaseSeconds, forKey: .phaseSeconds)
    }
}

/// What all sites of a question must agree on: each says it of itself, from its own manifest.
public struct FederatedQuestionAgreement: Sendable, Hashable, Codable {
    /// What is done; its digest binds all messages.
    public var plan: FederatedPlan
    /// What the question reads, as the site's manifest declares it, a line each.
    public var inputs: [String]
    /// What the budget comes to here. Sites whose policies convert otherwise come to other numbers: the least of them is what all can be asked for.
    public var rho: Double
    /// What is made of the rows leaves after so many seconds: a phase must be longer.
    public var seconds: Double
}

extension FederatedQuestion: CoordinatedRounds {
    /// The engine that is asked.
    public static var engine: String { FederatedAnswerWork.engine.rawValue }

    /// There is no model.
    public var averaging: Float? { nil }

    /// What all sites would measure.
    public func agreed(
        _ agreements: [FederatedQuestionAgreement], by sites: [CoordinatedSite]
    ) throws -> FederatedQuestionAgreement {
        try CoordinatedSite.check(sites, declare: agreements.map(\.inputs), "what the question reads")
        for (site, other) in zip(sites, agreements).dropFirst() where other.plan != agreements[0].plan {
            throw Problem.conflict(
                "\(sites[0].name) and \(site.name) would measure different things by this question",
                hint: "their versions of Parley may differ; a budget in rho is the same at all sites")
        }
        return agreements[0]
    }

    /// One round, without weights.
    public func beginning(
        _ agreement: FederatedQuestionAgreement
    ) throws -> (plan: FederatedPlan, weights: [Float]) { (agreement.plan, []) }
}

extension Coordination where Work == FederatedQuestion {
    /// A question that nobody was asked for yet.
    ///
    /// - Parameters:
    ///   - rows: As many as all sites declare together.
    ///   - address: Where sites dial out to.
    /// - Throws: A `Problem`: an address that is none.
    public init(question: AskRequest, rows: Int, colluders: Int, sites: [CoordinatedSite], address: String) throws {
        let key = Curve25519.Signing.PrivateKey()
        let invitation = try RoundsInvitation(sites: sites.map(\.key), address: address, key: key)
        let asked = FederatedQuestion(
            question: question, rows: rows, colluders: colluders, phaseSeconds: 86_400, invitation: invitation)
        self.init(asked, sites: sites, key: key)
    }

    /// The question that all sites can be asked, knowing what each makes of the one here: the least that its budget comes to at any of them, since policies
    /// convert an epsilon each at its own delta, and phases that are long enough for all.
    public func settled(_ agreements: [FederatedQuestionAgreement]) -> Coordination {
        with { request in
            // An error that is asked for comes to the same noise at all.
            if case .error = request.question.budget {
            } else {
                request.question.budget = .rho(agreements.map(\.rho).min() ?? 0)
            }
            request.phaseSeconds = max(30, 4 * (agreements.map(\.seconds).max() ?? 0)).rounded(.up)
        }
    }

    /// Whether a site's release is of this question.
    ///
    /// - Parameter place: The site's.
    public func isReleased(_ answer: Answer, by place: Int) -> Bool {
        guard let federation = answer.federation, let agreement else { return false }
        let invitation = request.invitation
        return federation.run == invitation.run && federation.sites == invitation.sites && federation.place == place
            && federation.coordinatorKey == invitation.coordinatorKey && answer.sql == request.question.sql
            && federation.planDigest == hexadecimal(agreement.plan.digest)
    }
}
