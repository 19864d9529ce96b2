import DatasiteProtocol
import Federation
import Foundation
import Governance
import MultipartyComputation
import Tables

/// What an intersection comes to at this site: from request, manifest and policy alone.
struct IntersectionTask: Sendable {
    let request: IntersectionRequest
    let entry: Catalogue.Entry
    /// With whom.
    let rounds: AllowedRounds
    let rule: IntersectionRule
    /// Positions in the schema, in the request's order.
    let columns: [Int]
    /// What is matched, as the manifest declares it.
    let inputs: [String]
    /// At most, of an identifier.
    let bytes: Int
    /// What goes between the sites.
    let terms: IntersectionTerms

    var role: IntersectionSession.Role { terms.role }
    /// Which of the two learns something, seen from here.
    var isRecipient: Bool { request.recipients.contains(role) }
    var isPeerRecipient: Bool { request.recipients.contains(role.other) }
    /// The other site's key, in base64.
    var peer: String { request.invitation.sites[role.other.place] }

    /// - Parameter site: This site's public key.
    init(_ request: IntersectionRequest, site: Data, in catalogue: Catalogue) throws {
        self.request = request
        guard let entry = catalogue.datasets[request.dataset] else { throw catalogue.absent(request.dataset) }
        guard let policy = entry.policy, !entry.isLookup else {
            throw Problem.invalidRequest("\(request.dataset) is a public lookup table: its keys are shown to everybody")
        }
        self.entry = entry
        let engineRule = policy.rule(
            for: IntersectionWork.engine, isAllowedUnlessSaid: IntersectionWork.isAllowedUnlessSaid)
        rounds = try AllowedRounds(
            request.invitation, at: site, rule: engineRule?.federation,
            what: "\(entry.manifest.name) is not intersected",
            engine: IntersectionWork.engine)
        guard let role = IntersectionSession.Role(place: rounds.index), let rule = engineRule?.intersection else {
            throw Problem.forbidden("\(entry.manifest.name) is not intersected: its owner's policy does not say how")
        }
        self.rule = rule
        columns = try request.columns.map { try Self.column($0, entry.manifest.schema) }
        try Self.check(request, role, rule)
        let declared = columns.map { entry.manifest.schema.columns[$0] }
        inputs = declared.map(\.identifying)
        bytes = declared.reduce(0) { $0 + $1.identifierBytes }
        guard IntersectionSession.Limit.listed.contains(bytes) else {
            throw Problem.invalidRequest(
                "\(request.columns.joined(separator: ", ")) may have \(bytes) bytes together, and an identifier has at most \(IntersectionSession.Limit.listed.upperBound)",
                hint: "name fewer columns")
        }
        do throws(IntersectionObstacle) {
            terms = try IntersectionTerms(
                run: rounds.run,
                agreement: AllowedRounds.digest(
                    "parley set intersection 1\n",
                    of: [entry.manifest.name, request.output.rawValue, request.recipients.rawValue] + inputs),
                roster: rounds.roster, role: role, output: request.output, recipients: request.recipients,
                part: IntersectionPart(capacity: rule.capacity, isPadded: rule.isPadded), mostGuesses: rule.guesses)
        } catch { throw Problem.invalidRequest("\(error)") }
    }

    private static func column(_ name: String, _ schema: Schema) throws -> Int {
        guard let index = schema.columns.firstIndex(where: { $0.name == name }) else {
            throw Problem.invalidRequest(
                "there is no column \(DisplayedName.of(name))",
                hint: schema.columns.map(\.name).prefix(100).joined(separator: ", "))
        }
        if let reason = schema.columns[index].identifiesNobody {
            throw Problem.invalidRequest("\(name) cannot be matched: \(reason.words)", hint: reason.hint)
        }
        return index
    }

    private static func check(
        _ request: IntersectionRequest, _ role: IntersectionSession.Role, _ rule: IntersectionRule
    ) throws {
        guard rule.allows(columns: request.columns) else {
            throw Problem.forbidden(
                "the owner's policy does not allow to match \(request.columns.joined(separator: " with "))",
                hint:
                    "it allows \(rule.columns.map { $0.joined(separator: " with ") }.sorted().prefix(10).joined(separator: ", or "))"
            )
        }
        guard let output = IntersectionRule.Output(rawValue: request.output.rawValue), rule.allows(output) else {
            throw Problem.forbidden(
                "the owner's policy allows only how many identifiers are at both sites, not which",
                hint: "ask with the output `size`")
        }
        for (recipient, asked) in [(IntersectionRule.Recipient.here, role), (.there, role.other)]
        where request.recipients.contains(asked) && !rule.recipients.contains(recipient) {
            throw Problem.forbidden(
                recipient == .there
                    ? "the owner's policy lets nothing become known to the other site's owners"
                    : "the owner's policy wants nothing to become known here",
                hint:
                    "it allows \(rule.recipients.map(\.rawValue).sorted().joined(separator: " and ")), and this site is the \(role.rawValue) one"
            )
        }
    }

    // MARK: What leaves

    /// What is said of the intersection to whoever decides, and with what comes of it.
    var promise: String {
        let what =
            request.output == .size
            ? "how many identifiers both sites have" : "which of their own identifiers the other site has"
        let who =
            switch request.recipients {
            case .both: "the owners of both sites learn \(what)"
            case .first, .second:
                "the owners of \(isRecipient ? "this site" : "the other site") learn \(request.output == .size ? what : "which of their own identifiers the other one has")"
            }
        let number = rule.isPadded ? "not how many identifiers are here" : "how many identifiers are here"
        return
            "Without differential privacy \(who), by \(request.columns.joined(separator: " with ")); \(DisplayedName.of(peer)) learns \(number). Whoever asks, and coordinates, learns neither. "
            + (isPeerRecipient
                ? "The other site may put up to \(rule.guesses) identifiers into its list, true ones or not: each is a guess that this session answers"
                    + (request.output == .size ? " in number, and with lists that are made for it one by one. " : ". ")
                : "")
            + "That the other's list is true, and its answer right, nobody proves."
    }

    /// What is promised of what leaves here.
    var outputPrivacy: String {
        guard isPeerRecipient else {
            return rule.isPadded
                ? "nothing of these rows becomes known at the other site"
                : "no differential privacy: how many identifiers are here becomes known to the owners of the site \(peer)"
        }
        let what =
            request.output == .size
            ? "how many identifiers both sites have becomes" : "which of the other site's identifiers are here becomes"
        return
            "no differential privacy: \(what) known to the owners of the site \(peer), for at most \(rule.guesses) identifiers of theirs; one use counted against the owner's limit"
    }
}

extension ColumnSchema {
    /// As both sites must declare it.
    fileprivate var identifying: String {
        "\(name): \(type.rawValue)" + (type == .text ? ", at most \(maximumBytes) bytes" : "")
    }

    /// At most, with its length.
    fileprivate var identifierBytes: Int { 2 + (type == .text ? maximumBytes : 20) }

    /// Why two people's values could be one, or one person's two; nil: they cannot.
    fileprivate var identifiesNobody: (words: String, hint: String)? {
        switch type {
        case .real, .boolean:
            return (
                "a column of the type \(type.rawValue) identifies nobody",
                "columns of whole numbers, text, dates or timestamps"
            )
        case .integer, .text, .date, .timestamp: break
        }
        if lowerBound != nil, !outsideIsNull {
            return (
                "values outside its bounds become the bounds, so that different ones become one",
                "its owner may declare `outside: null`"
            )
        }
        if let resolution, resolution != 1 {
            return ("its values are rounded, so that different ones become one", "its owner may leave out `resolution`")
        }
        return nil
    }
}
