import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import Tables

/// A kind of work that is asked of a datasite: a question, a synthetic table. Each kind is an engine: one folder under
/// `Engines`, whose conforming type stands in ``EngineTable/standard``; nothing else names it.
///
/// What a value of it holds follows from the request and from public knowledge alone, so that its charge, its time and its
/// memory do too (docs/privacy.md, rules 2, 5 and 26). Private rows are met in ``run(_:using:)`` alone.
protocol EngineWork: Sendable {
    /// What is computed: already private.
    associatedtype Product: Sendable

    /// The engine's name, in stored requests, policies and receipts: never changed.
    static var engine: EngineName { get }
    /// What is asked for, in errors: "the question".
    static var noun: String { get }
    /// What makes it cost less, where no single number does.
    static var cheaper: String? { get }
    /// Who may ask for it. What an owner asks for is bounded by the population's total alone; she need not approve it, and
    /// no policy of hers forbids it.
    static var roles: Set<Role> { get }
    /// Whether a policy that names no engines allows it.
    static var isAllowedUnlessSaid: Bool { get }
    /// Whether it may take hours: whoever asks is told at once that it runs, and it has a thread and limits of its own.
    static var isLong: Bool { get }
    /// Whether work that was cut short goes on under its charge.
    static var goesOn: Bool { get }
    /// Whether it talks to others while it runs, each message at the end of its own time slot (``Pace``): then its steps and its end follow from what
    /// they see, and wait for no other slot.
    static var isPaced: Bool { get }
    /// Whether what leaves follows from earlier releases too (``following(_:of:in:)``): its document, a short one, is then made in the transaction that stores it, so that of two
    /// releases at one moment the later knows the earlier.
    static var followsEarlier: Bool { get }

    /// Reads a request as it comes over the wire, strictly, and gives the engine's own form of it, which is stored: the same
    /// request is the same bytes. Only engines that researchers ask for have one.
    ///
    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it, and where.
    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8]
    /// Plans a request.
    ///
    /// - Parameter body: The engine's own form of the request: strict, and the same bytes for the same request.
    /// - Throws: A `Problem` that says what is wrong, and where.
    init(body: [UInt8], in knowledge: PublicKnowledge) throws

    /// The datasets that it reads: first the private ones, the one that was asked foremost, then public lookup tables.
    var assets: [Catalogue.Entry] { get }
    /// What it costs.
    var charge: Charge { get }
    /// In which unit its cost was asked for, and is told.
    var unit: AskedUnit { get }
    /// The relative error for which the least cost was asked; nil: a cost was asked.
    var askedError: Double? { get }
    /// How what is not let out stays private; nil: as the rows of a question do.
    var inputPrivacy: String? { get }
    /// What of rows becomes known to people without differential privacy, and to whom (docs/privacy.md, rule 34); nil: the charge says what is promised.
    var outputPrivacy: String? { get }
    /// What is known of rows being as they should; nil: as of a question.
    var inputVerification: String? { get }
    /// The most work and memory that it takes, whatever the rows hold.
    var bound: PlanBound { get }
    /// What it does one after the other, in public words with public bounds, which add up to the whole's. The run says when
    /// a step is done (``StepTrack/finish(_:)``).
    var steps: [WorkStep] { get }

    /// The request in words, for lists and the journal: from its body alone.
    static func words(_ body: [UInt8]) -> String
    /// What a receipt says was asked: SHA-256, hex.
    ///
    /// - Parameter version: Of the dataset that was asked.
    static func digest(_ body: [UInt8], version: String) -> String

    /// Computes on the private rows. It cannot throw, since an error would be an output that depends on rows: nil is a
    /// fault of the machine, told at the end of the time slot in one public word, and the charge stays.
    func run(_ grant: borrowing Grant<Self>, using randomness: inout SecureRandom) -> Measured<Product, SecureRandom>?
    /// What is stored, hashed and sent, from the release alone.
    func document(_ release: Release<Product>, _ terms: ReleaseTerms) throws -> [UInt8]
    /// Why it is refused by what was asked before; nil: it is not. Decided in the transaction that reserves.
    func refusal(to asker: String, in db: Database) throws -> Problem?
    /// What is kept of a request that is reserved, or waits, in that transaction.
    func note(_ request: String, in db: Database) throws
    /// What leaves behind earlier releases: from what was let out before, and from this release, alone.
    func following(_ release: Release<Product>, of asker: String, in db: Database) throws -> Release<Product>
    /// What an owner sees of it before she decides, beside what every request has: from the plan and from mock rows.
    func review(at site: Datasite) throws -> WorkReview
    /// What the engine records beside the release, in its transaction.
    func record(_ release: Release<Product>, in context: inout WriteContext) throws
}

extension EngineWork {
    static var cheaper: String? { nil }

    /// SHA-256 of the label "parley request v2\n" and the canonical JSON of engine, version and body.
    static func digest(_ body: [UInt8], version: String) -> String {
        let members: [String: CanonicalJSON] = [
            "engine": .string(engine.rawValue), "version": .string(version),
            "body": .string(String(decoding: body, as: UTF8.self)),
        ]
        return sha256Hex(Array("parley request v2\n".utf8) + CanonicalJSON.object(members).bytes)
    }

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        throw Problem.forbidden("\(noun) is asked for in the site's folder alone")
    }

    static var isLong: Bool { false }
    static var isPaced: Bool { false }
    static var goesOn: Bool { true }
    static var followsEarlier: Bool { false }

    var unit: AskedUnit { .epsilon }
    var askedError: Double? { nil }
    var inputPrivacy: String? { nil }
    var outputPrivacy: String? { nil }
    var inputVerification: String? { nil }

    /// What to do about work that cannot be completed: owners' work has no idempotency key.
    static var askAgain: String {
        roles.contains(.researcher)
            ? "whoever asked may ask again, with a new idempotency key"
            : "ask for \(noun) again, at a charge of its own"
    }

    var steps: [WorkStep] { [WorkStep("computing", bound.work)] }

    func refusal(to asker: String, in db: Database) throws -> Problem? { nil }
    func note(_ request: String, in db: Database) throws {}
    func following(_ release: Release<Product>, of asker: String, in db: Database) throws -> Release<Product> {
        release
    }
    func record(_ release: Release<Product>, in context: inout WriteContext) throws {}

    func review(at site: Datasite) throws -> WorkReview { WorkReview() }
}

/// What a plan may know: nothing of private rows.
struct PublicKnowledge: Sendable {
    let catalogue: Catalogue
    /// A public lookup table: all of it is public. nil: what its manifest declares is all that is known.
    var lookup: @Sendable (Catalogue.Entry) throws -> LookupTable? = { _ in nil }
    /// How long things take here that were measured on made-up rows.
    var timings = Timings()
    /// The key by which others know this site.
    var publicKey = Data()
    /// The model that a dataset's policy lets others predict with.
    var model: @Sendable (_ dataset: String) throws -> (ServedModel, PredictionRule) = { _ in
        throw Problem.unavailable("no model is served here")
    }
}

/// What a document says beside its product: from plan, policy and approvals.
struct ReleaseTerms: Sendable {
    let charge: Loss
    let guarantees: Guarantees
    /// What is said of the time that the answer took: from plan, capacities and limits.
    let timeNotes: [String]
}

/// What is known of a piece of work before it is done.
struct WorkReview: Sendable {
    var columns: [Preview.Column] = []
    var notes: [String] = []
    var mock: Answer?
    /// What the engine says of it for programs, in JSON.
    var document: String?
}

/// The engines of a datasite, by name.
struct EngineTable: Sendable {
    private let engines: [EngineName: any EngineWork.Type]

    init(_ engines: [any EngineWork.Type]) {
        self.engines = Dictionary(engines.map { ($0.engine, $0) }, uniquingKeysWith: { first, _ in first })
    }

    var names: EngineNames { EngineNames(all: engines.keys.sorted { $0.rawValue < $1.rawValue }) }

    /// - Throws: A `Problem`: of an engine that a later version had, or that there never was.
    func engine(_ name: EngineName) throws -> any EngineWork.Type {
        guard let engine = engines[name] else { throw names.absent(name) }
        return engine
    }
}

/// Work with what the pipeline keeps beside it.
struct PlannedWork: Sendable {
    let work: any EngineWork
    /// The engine's own form of the request.
    let body: [UInt8]
    /// The catalogue's version that it was planned on.
    let catalogueVersion: Int64
    let digest: String

    init(_ engine: any EngineWork.Type, body: [UInt8], in knowledge: PublicKnowledge) throws {
        work = try engine.init(body: body, in: knowledge)
        self.body = body
        catalogueVersion = knowledge.catalogue.version
        guard let asked = work.assets.first(where: { $0.policy != nil }) else {
            throw Problem.unavailable("the request reads no private dataset")
        }
        self.asked = asked
        digest = engine.digest(body, version: asked.version)
        let kind = asked.policy?.regime.kind
        if let loss = work.charge.loss, loss.kind != kind || loss.isNegative {
            throw Problem.unavailable("the plan's charge is not in the policy's unit of loss")
        }
        guard !work.charge.isNothing else { throw Problem.unavailable("the plan has no charge") }
    }

    /// The dataset that was asked.
    let asked: Catalogue.Entry
    var engine: any EngineWork.Type { type(of: work) }
    var charge: Charge { work.charge }
    /// For people, in the unit that was asked.
    var chargeWords: String { charge.words(in: work.unit, size) }
    /// Nobody's losses but those of the dataset that was asked are in it.
    var size: QuestionSize? { asked.policy.map { QuestionSize(regime: $0.regime) } }
    var words: String { engine.words(body) }
    /// The private datasets that it reads.
    var entries: [Catalogue.Entry] { work.assets.filter { $0.policy != nil } }
    var policies: [Policy] { work.assets.compactMap(\.policy) }
    var conversionDelta: Double { asked.policy?.regime.conversionDelta ?? 0 }

    /// The populations whose ledgers it draws on, once each.
    var populations: [Int64] {
        entries.compactMap(\.population).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// The largest number of owners that a dataset's policy asks for; one where it waits whatever they say.
    func approvals(isHeld: Bool) -> Int {
        policies.map { policy in
            if case .owners(let count) = policy.approval(of: type(of: work).engine) { count } else { 0 }
        }.reduce(isHeld ? 1 : 0, max)
    }
}
