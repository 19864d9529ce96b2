import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import MultipartyComputation
import Query
import Secrets
import Tables

/// This site's part in a private set intersection with another: planned from request, manifest and policy alone. What comes of it stays in this site's folder, for its owners
/// (``KeptIntersection``); what leaves to whoever asked is that it was made (docs/privacy.md, rules 33 and 34).
struct IntersectionWork: EngineWork {
    static let engine = IntersectionRule.engine
    static let noun = "the intersection"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    // It waits for the other site, and its owners.
    static let isLong = true
    static let isPaced = true

    /// What is public of an intersection that was made.
    struct Made: Sendable {
        /// The session's digest, the same at both sites.
        let session: Data
        /// What each site brought, in their order.
        let parts: [IntersectionPart]
    }

    let task: IntersectionTask
    let bounds: IntersectionBounds

    var assets: [Catalogue.Entry] { [task.entry] }
    var charge: Charge { Charge(loss: nil, uses: 1) }
    var bound: PlanBound { PlanBound(work: bounds.whole, memory: bounds.memory) }
    var steps: [WorkStep] {
        [
            WorkStep("hiding its identifiers", bounds.opening + bounds.blinding),
            WorkStep("answering the other site's", bounds.evaluating(task.rule.guesses)),
            WorkStep("comparing both", bounds.concluding),
        ]
    }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        task = try IntersectionTask(try Self.request(body), site: knowledge.publicKey, in: knowledge.catalogue)
        let times = knowledge.timings.measured("set intersection") { IntersectionBounds.measured() }
        bounds = IntersectionBounds(task, nanoseconds: times)
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try AnswerEncoding.bytes(IntersectionRequest(request))
    }

    static func request(_ body: [UInt8]) throws -> IntersectionRequest {
        try JSONDecoder().decode(IntersectionRequest.self, from: Data(body))
    }

    static func words(_ body: [UInt8]) -> String {
        (try? request(body)).map { request in
            "INTERSECT \(request.dataset) BY \(request.columns.joined(separator: ", ")): \(request.output.rawValue) for \(request.recipients.rawValue), of the sites "
                + "\(request.invitation.sites.joined(separator: " and ")), at \(request.invitation.coordinator)"
        } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<IntersectionWork>, using randomness: inout SecureRandom
    ) -> Measured<Made, SecureRandom>? {
        guard case .table(let table) = grant.tables[0] else { return nil }
        let exchange = IntersectionExchange(
            task: task, bounds: bounds,
            desk: RoundsDesk(outside: grant.outside, workspace: grant.workspace, track: grant.track),
            kept: grant.kept)
        return exchange.run(table).map { Measured(answer: $0, events: []) }
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        "the rows stayed on the datasite; its identifiers went to the other site alone, hashed to a curve under a secret that was drawn for this session"
    }
    var outputPrivacy: String? { task.outputPrivacy }
    var inputVerification: String? {
        "the lists' lengths and points were checked; that identifiers are true is not verified"
    }

    func document(_ release: Release<Made>, _ terms: ReleaseTerms) throws -> [UInt8] {
        let (request, made) = (task.request, release.answer)
        return try AnswerEncoding.bytes(
            ReleasedIntersection(
                request: release.request, dataset: request.dataset, version: task.entry.version,
                columns: request.columns, output: request.output.rawValue, recipients: request.recipients.rawValue,
                run: request.invitation.run, sites: request.invitation.sites, place: task.role.place,
                coordinator: request.invitation.coordinator, coordinatorKey: request.invitation.coordinatorKey,
                session: hexadecimal(made.session),
                parts: made.parts.map { .init(capacity: $0.capacity, isPadded: $0.isPadded) }, charge: terms.charge,
                notes: [task.promise], guarantees: terms.guarantees, nonce: Nonce.new()))
    }

    func review(at site: Datasite) throws -> WorkReview {
        let agreement = IntersectionAgreement(
            inputs: task.inputs, parts: [task.terms.part], guesses: [task.rule.guesses])
        return WorkReview(
            notes: [task.rounds.words, task.promise],
            document: String(decoding: try AnswerEncoding.bytes(agreement), as: UTF8.self))
    }
}

/// What an intersection takes at most, whatever is in the lists: from what was declared, and what a point takes here.
struct IntersectionBounds: Sendable {
    private let rows: Double
    private let units: Double
    private let columns: Double
    private let capacity: Double
    private let guesses: Double
    /// Of an identifier.
    private let bytes: Double
    /// Of a point: in one's own list, in the other's, and in what comes back.
    private let times: [Double]

    init(_ task: IntersectionTask, nanoseconds: [Double]) {
        let manifest = task.entry.manifest
        (rows, units) = (Double(manifest.capacityRows), Double(manifest.capacityUnits))
        columns = Double(task.columns.count)
        (capacity, guesses) = (Double(task.rule.capacity), Double(task.rule.guesses))
        bytes = Double(task.bytes)
        times = nanoseconds
    }

    /// On made-up identifiers, as long as they may be, in batches as large as they get.
    static func measured() -> [Double] {
        let count = 1_024
        func list(_ name: String) -> [Data] {
            (0..<count).map {
                Data("\(name) \($0) ".utf8) + Data(count: IntersectionSession.Limit.listed.upperBound - 32)
            }
        }
        let parties = ["first", "second"].map { IntersectionSession.Party(name: $0, capacity: count) }
        var times: [Double] = []
        guard
            let session = try? IntersectionSession(
                identifier: Data(count: 16), first: parties[0], second: parties[1], output: .size, recipients: .both)
        else { return [] }
        func party(_ role: IntersectionSession.Role) -> IntersectionParty? {
            guard
                var allowance = try? IntersectionAllowance(
                    peer: session.party(role.other).name, sessions: 1, guesses: count)
            else { return nil }
            return try? IntersectionParty(
                session: session, role: role, identifiers: list(role.rawValue), allowance: &allowance)
        }
        guard let other = party(.second) else { return [] }
        var (own, answer) = (IntersectionParty?.none, other)
        times.append(WorkCalibration.nanoseconds { own = party(.first) })
        times.append(WorkCalibration.nanoseconds { _ = try? own?.evaluate(other.blinded) })
        guard var own, let evaluated = try? answer.evaluate(own.blinded) else { return [] }
        times.append(WorkCalibration.nanoseconds { _ = try? own.conclude(evaluated) })
        return times.map { $0 / Double(count) }
    }

    /// Sealing, storing and hashing, of each point.
    private static let kept = Work([.byte: 2_000, .probe: 20])

    private func points(_ count: Double, _ time: Int) -> Work {
        let kept = Self.kept
        return Work([
            .scan: 500, .measured: count * (times.indices.contains(time) ? times[time] : 1e6),
            .byte: count * kept[.byte], .probe: count * kept[.probe],
        ])
    }

    /// A table is opened, and a folder made.
    var opening: Work { Work([.scan: 50, .unit: units]) }

    /// Reading the rows, and hiding the list.
    var blinding: Work {
        points(capacity, 0) + reading
    }

    private var reading: Work {
        Work([.row: rows, .format: 2 * rows * columns, .byte: 8 * bytes * rows, .probe: 2 * rows, .miss: 2 * rows])
    }

    /// Answering a list of so many.
    func evaluating(_ count: Int) -> Work { points(Double(count), 1) + Work([.probe: 8 * capacity]) }

    /// Checking and comparing what came back, and storing what both have.
    var concluding: Work { points(capacity, 2) + reading + Work([.probe: 8 * guesses, .byte: 8 * bytes * capacity]) }

    var whole: Work { opening + blinding + evaluating(Int(guesses)) + concluding }

    /// Lists, points in batches, and states as they are stored.
    var memory: Double { 2_000 * (capacity + guesses) + 3 * bytes * rows }
}
