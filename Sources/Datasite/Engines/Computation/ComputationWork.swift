import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import ModularArithmetic
import Query
import Secrets
import SecureComputation
import SecureStatistics
import Tables

/// This site's part in a computation on shares with two others: planned from request, manifest and policy alone. What goes to another site is a share, or masked; what is opened is the result (docs/privacy.md, rules 33 and 34).
struct ComputationWork: EngineWork {
    static let engine = ComputationRule.engine
    static let noun = "the computation"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    // It waits for the other sites, and their owners.
    static let isLong = true
    static let isPaced = true
    // What was drawn for it serves once.
    static let goesOn = false

    /// What was opened, and in which session.
    struct Computed: Sendable {
        let session: Data
        /// nil: noise left nothing that has a solution.
        let result: (intercept: Double, coefficients: [Double])?
    }

    let task: ComputationTask
    let bounds: ComputationBounds

    var assets: [Catalogue.Entry] { [task.entry] }
    let charge: Charge
    var bound: PlanBound { PlanBound(work: bounds.reading + bounds.computing, memory: bounds.memory) }
    var steps: [WorkStep] {
        [WorkStep("reading its rows", bounds.reading), WorkStep("computing with the others", bounds.computing)]
    }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        task = try ComputationTask(try Self.request(body), site: knowledge.publicKey, in: knowledge.catalogue)
        let times = knowledge.timings.measured("three parties") { ComputationBounds.measured() }
        bounds = ComputationBounds(task, nanoseconds: times)
        charge = Charge(loss: try Self.loss(task), uses: 1)
    }

    /// A site without rows loses nothing.
    private static func loss(_ task: ComputationTask) throws -> PrivacyLoss? {
        guard let event = event(task), let policy = task.entry.policy else { return nil }
        do { return try event.loss(kind: policy.regime.kind) } catch { throw Problem.invalidRequest("\(error)") }
    }

    private static func event(_ task: ComputationTask) -> PrivacyEvent? {
        task.rows == 0 ? nil : task.plan.noise.map { .zeroConcentrated(rho: $0.rho) }
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        try AnswerEncoding.bytes(ComputationRequest(request))
    }

    static func request(_ body: [UInt8]) throws -> ComputationRequest {
        try JSONDecoder().decode(ComputationRequest.self, from: Data(body))
    }

    static func words(_ body: [UInt8]) -> String {
        (try? request(body)).map { request in
            "\(request.rho == nil ? "WITHOUT NOISE, " : "")\(request.analysis.rawValue.uppercased()) OF \(request.response.name) BY \(request.features.map(\.name).joined(separator: ", ")), of \(request.dataset) at three sites, "
                + (request.rho.map { "with noise for rho \(ShortNumber.text($0)), " } ?? "")
                + "by way of \(request.invitation.coordinator)"
        } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<ComputationWork>, using randomness: inout SecureRandom
    ) -> Measured<Computed, SecureRandom>? {
        guard case .table(let table) = grant.tables[0] else { return nil }
        let exchange = ComputationExchange(
            task: task, bounds: bounds,
            desk: RoundsDesk(outside: grant.outside, workspace: grant.workspace, track: grant.track))
        let events = Self.event(task).map { [$0] } ?? []
        return exchange.run(table).map { Measured(answer: $0, events: events) }
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        "the rows stayed on the datasite; two other sites have shares of them, of which neither could read anything, and both together everything"
    }
    var outputPrivacy: String? { task.outputPrivacy }
    var inputVerification: String? {
        "what went in was held to declared bounds, and each step was verified before anything was opened: one site that deviates would have ended it; that rows are true is not verified"
    }

    private var notes: [String] { [task.promise, task.model] + (task.noiseNote.map { [$0] } ?? []) }

    func document(_ release: Release<Computed>, _ terms: ReleaseTerms) throws -> [UInt8] {
        let (request, computed) = (task.request, release.answer)
        let coefficients = computed.result.map { result in
            zip(request.features, result.coefficients).map { column, value in
                ReleasedComputation.Coefficient(
                    name: column.name, lower: column.lower, upper: column.upper, value: value)
            }
        }
        let unsolved = "Noise left nothing that has a solution: a larger ridge, a larger loss or more rows would."
        return try AnswerEncoding.bytes(
            ReleasedComputation(
                request: release.request, dataset: request.dataset, version: task.entry.version,
                analysis: request.analysis.rawValue, response: request.response.name,
                coefficients: coefficients ?? [], intercept: computed.result?.intercept, rows: request.rows,
                steps: request.steps, rate: request.rate, ridge: request.ridge,
                rho: request.rho, run: request.invitation.run, sites: request.invitation.sites,
                place: task.rounds.index, coordinator: request.invitation.coordinator,
                coordinatorKey: request.invitation.coordinatorKey, session: hexadecimal(computed.session),
                charge: terms.charge, notes: notes + (coefficients == nil ? [unsolved] : []),
                guarantees: terms.guarantees, nonce: Nonce.new()))
    }

    func review(at site: Datasite) throws -> WorkReview {
        WorkReview(
            notes: [task.rounds.words] + notes + [
                "\(task.cost.rounds) rounds, \(task.cost.bytes) bytes among all three sites."
            ],
            document: String(decoding: try AnswerEncoding.bytes(task.agreement), as: UTF8.self))
    }
}

/// What a computation takes at most, whatever the rows hold: from what was declared, and what three parties take here on numbers that nobody has.
struct ComputationBounds: Sendable {
    private let rows: Double
    private let columns: Double
    private let multiplications: Double
    private let elements: Double
    private let bytes: Double
    private let rounds: Double
    /// Nanoseconds of a multiply-add, and of a byte that a party sends.
    private let times: [Double]

    init(_ task: ComputationTask, nanoseconds: [Double]) {
        (rows, columns) = (Double(task.entry.manifest.capacityRows), Double(task.columns.count))
        multiplications = task.plan.program.multiplications
        elements = Double(task.plan.program.elements)
        (bytes, rounds) = (Double(task.cost.bytes), Double(task.cost.rounds))
        times = nanoseconds
    }

    /// Of a party: products of matrices, and a regression whose time is divided among its bytes.
    static func measured() -> [Double] {
        let side = 96
        let words = (0..<UInt64(side * side)).map { $0 &* 0x9E37_79B9_7F4A_7C15 }
        var result = words
        guard let product = try? BilinearMap.matrices(MatrixProduct(rows: side, inner: side, columns: side)),
            let (program, seconds) = try? regression()
        else { return [1, 1_000] }
        let multiplying = WorkCalibration.nanoseconds { product.add(words, words, to: &result) }
        return [
            multiplying / Double(side * side * side),
            seconds / Double(max(1, (try? program.threePartyCostWithAbort().bytes) ?? 1)),
        ]
    }

    /// A small one among three parties in this process: its program, and the nanoseconds of all three.
    private static func regression() throws -> (Program, Double) {
        let bounds = try (0..<4).map { try ColumnBounds("x\($0)", 0, 1) }
        let table = try JointTable(
            features: bounds, response: try ColumnBounds("y", 0, 1), rowsOf: [.first: 64, .second: 64])
        let plan = try LogisticPlan(
            LogisticTask(
                table: table, epochs: 3, rate: 1, setting: .threeParties, recipients: ComputingParty.three))
        let rows = OwnerRows(
            features: bounds.map { _ in [Double](repeating: 0.5, count: 64) },
            response: [Double](repeating: 1, count: 64))
        let inputs = try ComputingParty.three.map { party in
            try plan.inputs(of: party, party == .third ? nil : rows)
        }
        let time = WorkCalibration.nanoseconds { try? run(plan.program, inputs) }
        return (plan.program, time)
    }

    private static func run(_ program: Program, _ inputs: [[RingTensor]]) throws {
        let session = try ThreePartySession(
            program: program, parties: ["one", "two", "three"], security: .withAbort)
        var machines = try zip(ComputingParty.three, inputs).map { party, inputs in
            try ThreePartyMachine(
                program: program, session: session, party: party, inputs: ThreePartyInputs(inputs: inputs))
        }
        var sent = try machines.indices.map { try machines[$0].begin() }
        while !machines[0].isFinished {
            var next: [ThreePartyMessages] = []
            for place in machines.indices {
                let received = sent.compactMap { $0[ComputingParty.three[place]] }
                if let messages = try machines[place].receive(received) { next.append(messages) }
            }
            sent = next
        }
    }

    /// Opening the table, reading the rows, and making what goes in of them: noise, and a share.
    var reading: Work {
        Work([
            .scan: 50, .probe: rows * (columns + 1), .step: 20 * rows * (columns + 8) + 200 * elements, .row: rows,
        ])
    }

    /// All rounds.
    var computing: Work {
        Work([
            .measured: 2 * multiplications * times[0] + 2 * bytes * times[1], .byte: 8 * bytes, .scan: 4 * rounds,
        ])
    }

    /// What the proof of all steps is made of is kept until its end: measured at up to five times the first two.
    var memory: Double { 64e6 + 5 * (64 * elements + 4 * bytes) + 32 * rows * (columns + 1) }
}
