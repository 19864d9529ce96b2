import Crypto
public import DatasiteProtocol
public import Federation
public import Foundation
import Governance
public import MultipartyComputation

/// What two sites are asked to intersect: which columns of a dataset that each has, what becomes known, and to whom. It is sent as one object, beside the invitation's members.
public struct IntersectionRequest: Sendable, Hashable, Codable {
    /// The dataset's name, at both sites.
    public var dataset: String
    /// The columns that identify together.
    public var columns: [String]
    /// What becomes known.
    public var output: IntersectionSession.Output
    /// To whom: the site that the invitation names first, the other one, or both.
    public var recipients: IntersectionSession.Recipients
    /// Which run, among whom.
    public var invitation: RoundsInvitation

    /// A request, by its parts.
    public init(
        dataset: String, columns: [String], output: IntersectionSession.Output,
        recipients: IntersectionSession.Recipients, invitation: RoundsInvitation
    ) {
        (self.dataset, self.columns, self.output) = (dataset, columns, output)
        (self.recipients, self.invitation) = (recipients, invitation)
    }

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        dataset = try request.string("dataset")
        guard case .array(let listed)? = request.value("columns") else {
            throw Problem.invalidRequest(
                "'columns' is missing, or no list", hint: "the names of the columns that identify")
        }
        columns = try listed.map { value in
            guard case .string(let name) = value else {
                throw Problem.invalidRequest("'columns' holds names of columns")
            }
            return name
        }
        func word<Word: RawRepresentable & CaseIterable>(_ key: String) throws -> Word where Word.RawValue == String {
            guard let word = Word(rawValue: try request.string(key)) else {
                throw Problem.invalidRequest(
                    "'\(key)' is one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return word
        }
        output = try word("output")
        recipients = try word("recipients")
        invitation = try RoundsInvitation(&request)
        try request.finish()
        guard (1...IntersectionRule.mostColumns).contains(columns.count), Set(columns).count == columns.count else {
            throw Problem.invalidRequest("'columns' names 1 to \(IntersectionRule.mostColumns) columns, each once")
        }
        for text in [dataset] + columns { try Submission.checkStored(text, as: "a name") }
        guard invitation.sites.count == 2 else {
            throw Problem.invalidRequest(
                "'sites' names \(invitation.sites.count) keys, and an intersection is of two sites",
                hint: "of more sites intersect two at a time")
        }
    }

    private enum CodingKeys: CodingKey { case dataset, columns, output, recipients }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        dataset = try members.decode(String.self, forKey: .dataset)
        columns = try members.decode([String].self, forKey: .columns)
        output = try members.decode(IntersectionSession.Output.self, forKey: .output)
        recipients = try members.decode(IntersectionSession.Recipients.self, forKey: .recipients)
        invitation = try RoundsInvitation(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        try invitation.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(dataset, forKey: .dataset)
        try members.encode(columns, forKey: .columns)
        try members.encode(output, forKey: .output)
        try members.encode(recipients, forKey: .recipients)
    }
}

/// What both sites of an intersection must agree on: each says it of itself, from its own manifest and policy.
public struct IntersectionAgreement: Sendable, Hashable, Codable {
    /// What is matched, as the site's manifest declares it, a line each.
    public var inputs: [String]
    /// How much the site brings; of both, in their order, where they agree.
    public var parts: [IntersectionPart]
    /// How much its owner allows the other to bring; of both, where they agree.
    public var guesses: [Int]
}

extension IntersectionRequest: CoordinatedWork {
    /// The engine that is asked.
    public static var engine: String { IntersectionWork.engine.rawValue }

    /// What both would match, and how much each brings.
    public func agreed(
        _ agreements: [IntersectionAgreement], by sites: [CoordinatedSite]
    ) throws -> IntersectionAgreement {
        guard sites.count == 2, agreements.count == 2,
            agreements.allSatisfy({ $0.parts.count == 1 && $0.guesses.count == 1 })
        else { throw Problem.invalidRequest("an intersection is of two sites, each of which says what it brings") }
        try CoordinatedSite.check(sites, declare: agreements.map(\.inputs), "what is matched")
        for place in sites.indices {
            let (brought, allowed) = (agreements[place].parts[0].capacity, agreements[1 - place].guesses[0])
            guard (1...IntersectionPart.largestCapacity).contains(brought) else {
                throw Problem.invalidRequest("\(sites[place].name) would bring \(brought) identifiers")
            }
            guard brought <= allowed else {
                throw Problem.conflict(
                    "\(sites[place].name) brings up to \(brought) identifiers, and the policy of \(sites[1 - place].name) allows \(allowed)",
                    hint: "its owner may raise `guesses`, or the other's owner lower `capacity`")
            }
        }
        return IntersectionAgreement(
            inputs: agreements[0].inputs, parts: agreements.flatMap(\.parts), guesses: agreements.flatMap(\.guesses))
    }

    /// What the sites send is kept as it comes: nothing is there before.
    public func prepared(
        _ agreement: IntersectionAgreement, roster: [Data]
    ) throws -> @Sendable (_ folder: String) throws -> Void { { _ in } }

    /// Who stands between the sites.
    public func run(
        _ agreement: IntersectionAgreement, roster: [Data], _ opening: RunOpening
    ) throws -> IntersectionRun {
        try IntersectionRun(
            run: try invitation.runBytes, roster: roster,
            relay: IntersectionRelay(capacities: agreement.parts.map(\.capacity), recipients: recipients), opening)
    }
}

extension Coordination where Work == IntersectionRequest {
    /// An intersection that nobody was asked for yet.
    ///
    /// - Parameter address: Where sites dial out to.
    /// - Throws: A `Problem`: an address that is none.
    public init(
        dataset: String, columns: [String], output: IntersectionSession.Output,
        recipients: IntersectionSession.Recipients, sites: [CoordinatedSite], address: String
    ) throws {
        let key = Curve25519.Signing.PrivateKey()
        let invitation = try RoundsInvitation(sites: sites.map(\.key), address: address, key: key)
        self.init(
            IntersectionRequest(
                dataset: dataset, columns: columns, output: output, recipients: recipients, invitation: invitation),
            sites: sites, key: key)
    }

    /// Whether a site's release is of this intersection.
    ///
    /// - Parameter place: The site's.
    public func isReleased(_ made: ReleasedIntersection, by place: Int) -> Bool {
        let invitation = request.invitation
        return made.run == invitation.run && made.sites == invitation.sites && made.place == place
            && made.coordinatorKey == invitation.coordinatorKey && made.dataset == request.dataset
            && made.columns == request.columns && made.output == request.output.rawValue
            && made.recipients == request.recipients.rawValue
    }
}
