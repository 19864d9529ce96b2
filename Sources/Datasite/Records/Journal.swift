import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB

/// What the journal records.
enum JournalAction: String, Sendable, CaseIterable {
    case siteCreated = "site created"
    case userAdded = "user added"
    case userRevoked = "user revoked"
    case tokenRotated = "token rotated"
    case datasetAdded = "dataset added"
    case versionAdded = "version added"
    case datasetRemoved = "dataset removed"
    case policyChanged = "policy changed"
    case budgetRaised = "budget raised"
    /// Held for approval: counts as spent until denied or lapsed.
    case pending
    case approved
    /// Charged for good.
    case reserved
    /// Rows are read for a round with other sites, under the charge of its request: written before they are.
    case round
    case released
    /// An outcome whose events its reservation did not cover: it stays charged and is never sent.
    case withheld
    case denied
    case lapsed
    /// A request, or the addition of a table, that was cancelled. What a request held is given back; where it was charged for
    /// good, the entry has no charge.
    case cancelled
    case refused
    case restoreAccepted = "restore accepted"
    case limitsChanged = "limits changed"
    /// The transparency log's: another one is begun.
    case logEnded = "log ended"
}

/// One entry. Its charge, where it names populations, changes their ledgers: `pending`, `reserved` and `restoreAccepted` add
/// it, `denied`, `lapsed` and `cancelled` take it back.
struct JournalEntry: Sendable, Equatable {
    var action: JournalAction
    var actor: String
    var time: Int64
    var dataset: String?
    var request: String?
    var populations: [Int64] = []
    var loss: PrivacyLoss?
    /// Counted of each of `assets`, for the kind of work `engine`.
    var uses: Int64 = 0
    var engine: String?
    /// The names of the private datasets of a request.
    var assets: [String] = []
    var detail: String = ""
    /// What a release let out: the document's SHA-256, hex.
    var answer: String?
    /// Whom a change of users concerns, and her role.
    var user: String?
    var role: String?
    /// The dataset's version and its population's name, where a change made them.
    var version: String?
    var population: String?
    /// What the change left behind (``RecordedState``).
    var state: [String: String] = [:]

    /// The form that is hashed and stored: canonical JSON of strings and integers. The nonce is shown to nobody, so that
    /// the hashes in receipts confirm no guess of another's entry; entries of earlier versions have none.
    func canonical(number: Int64, nonce: String) -> [UInt8] {
        var members: [String: CanonicalJSON] = [
            "number": .integer(number), "time": .integer(time), "action": .string(action.rawValue),
            "actor": .string(actor), "detail": .string(detail), "nonce": .string(nonce),
        ]
        members["dataset"] = dataset.map(CanonicalJSON.string)
        members["request"] = request.map(CanonicalJSON.string)
        if !populations.isEmpty {
            members["populations"] = .string(populations.map { String($0) }.joined(separator: " "))
        }
        for (name, value) in [
            ("engine", engine), ("answer", answer), ("user", user), ("role", role), ("version", version),
            ("population", population),
        ] { members[name] = value.map(CanonicalJSON.string) }
        if !assets.isEmpty { members["assets"] = .array(assets.map(CanonicalJSON.string)) }
        if uses != 0 { members["uses"] = .integer(uses) }
        if !state.isEmpty { members["state"] = .object(state.mapValues(CanonicalJSON.string)) }
        if let loss {
            members["kind"] = .string(loss.kind.rawValue)
            members[loss.amounts.count == 1 ? "amount" : "amounts"] =
                loss.amounts.count == 1 ? .integer(loss.amount) : .array(loss.amounts.map(CanonicalJSON.integer))
            members["delta"] = .integer(loss.delta)
        }
        return CanonicalJSON.object(members).bytes
    }

    private struct Stored: Decodable {
        var number: Int64
        var time: Int64
        var action: String
        var actor: String
        var detail: String
        var nonce: String?
        var dataset: String?
        var request: String?
        var populations: String?
        var kind: String?
        var amount: Int64?
        var amounts: [Int64]?
        var delta: Int64?
        var uses: Int64?
        var engine: String?
        var assets: [String]?
        var state: [String: String]?
        var answer: String?
        var user: String?
        var role: String?
        var version: String?
        var population: String?
    }

    /// Reads a stored entry, with its nonce, which is shown to nobody; nil if it is none.
    static func decode(_ text: String) -> (number: Int64, entry: JournalEntry, nonce: String?)? {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(text.utf8)),
            let action = JournalAction(rawValue: stored.action)
        else { return nil }
        var entry = JournalEntry(
            action: action, actor: stored.actor, time: stored.time, dataset: stored.dataset, request: stored.request)
        entry.detail = stored.detail
        entry.state = stored.state ?? [:]
        entry.uses = stored.uses ?? 0
        (entry.engine, entry.assets) = (stored.engine, stored.assets ?? [])
        (entry.answer, entry.user, entry.role) = (stored.answer, stored.user, stored.role)
        (entry.version, entry.population) = (stored.version, stored.population)
        entry.readDetail()
        entry.populations = (stored.populations ?? "").split(separator: " ").compactMap { Int64($0) }
        if let kind = stored.kind.flatMap(PrivacyLossKind.init(rawValue:)) {
            let amounts = stored.amounts ?? stored.amount.map { [$0] }
            entry.loss = amounts.flatMap { PrivacyLoss(kind: kind, amounts: $0, delta: stored.delta ?? 0) }
        }
        return (stored.number, entry, stored.nonce.flatMap { $0.isEmpty ? nil : $0 })
    }
}

extension JournalEntry {
    /// Entries of earlier versions (schemas 1 to 4) have in their detail what members of their own say now.
    private mutating func readDetail() {
        switch action {
        case .released where answer == nil && detail.hasPrefix("answer "):
            answer = String(detail.dropFirst("answer ".count))
        case .userAdded, .userRevoked, .tokenRotated:
            // `NAME`, or `NAME, ROLE`: a name has no comma.
            guard user == nil else { return }
            let parts = detail.split(separator: ", ", maxSplits: 1).map(String.init)
            user = parts.first
            if action == .userAdded { role = parts.dropFirst().first }
        case .datasetAdded, .versionAdded:
            guard version == nil, let match = detail.wholeMatch(of: #/version (.*), population (.*)/#) else { return }
            (version, population) = (String(match.1), String(match.2))
        default: break
        }
    }

    /// What happened, for people: the detail, or what stands in its place.
    var words: String {
        if let user, !detail.hasPrefix(user) {
            return [user, role ?? detail].filter { !$0.isEmpty }.joined(separator: ", ")
        }
        if !detail.isEmpty { return detail }
        if let answer { return "answer \(answer)" }
        if let version { return "version \(version), population \(population ?? "")" }
        return ""
    }
}

/// The journal: a hash chain from the first day. Entry n's hash is SHA-256 over the label "parley journal v1\n", the
/// hash of entry n - 1 (32 zero bytes before the first) and the entry's canonical JSON.
enum Journal {
    struct Head: Sendable, Equatable {
        var number: Int64 = 0
        var hash = [UInt8](repeating: 0, count: 32)
    }

    private static let label = Array("parley journal v1\n".utf8)

    static func head(_ db: Database) throws -> Head {
        let statement = try db.cachedStatement(sql: "SELECT number, hash FROM journal ORDER BY number DESC LIMIT 1")
        guard let row = try Row.fetchOne(statement) else { return Head() }
        return Head(number: row["number"], hash: Array(row["hash"] as Data))
    }

    /// Appends an entry after `head` and moves it on.
    static func append(_ entry: JournalEntry, to db: Database, after head: inout Head) throws {
        let number = head.number + 1
        let bytes = entry.canonical(number: number, nonce: Nonce.new())
        let next = hash(bytes, after: head.hash)
        try db.cachedStatement(sql: "INSERT INTO journal VALUES (:number, :entry, :hash)")
            .execute(arguments: [
                "number": number, "entry": String(decoding: bytes, as: UTF8.self), "hash": Data(next),
            ])
        head = Head(number: number, hash: next)
    }

    static func hash(_ entry: [UInt8], after previous: [UInt8]) -> [UInt8] {
        var hasher = SHA256()
        hasher.update(data: label)
        hasher.update(data: previous)
        hasher.update(data: entry)
        return Array(hasher.finalize())
    }
}
