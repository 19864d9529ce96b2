import DatasiteProtocol
import DifferentialPrivacy
import EncryptedPrediction
import Foundation
import Governance
import ModularArithmetic
import Query
import Secrets
import SecureComputation
import Tables

/// Predicting on shares with a model of this site: whoever asks sees neither model nor more than the result, and this site sees neither input nor result (docs/privacy.md, rules 33 and 34). A use is a prediction.
///
/// No row is read. What leaves while it runs is masked, and made by arithmetic whose time does not depend on a value, so that messages wait for no slot.
struct PredictionWork: EngineWork {
    static let engine = PredictionRule.engine
    static let noun = "the prediction"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = false
    // It waits for whoever asked, and for the dealer.
    static let isLong = true
    static let isPaced = true
    // What was dealt for it serves once.
    static let goesOn = false

    /// What leaves: the site's share of the result, under whoever asked's mask.
    struct Predicted: Sendable, CustomReflectable {
        let message: [UInt8]
        var customMirror: Mirror { Mirror(self, children: []) }
    }

    let request: PredictionRequest
    let entry: Catalogue.Entry
    let model: ServedModel
    let program: Program
    let bound: PlanBound
    private let times: [Double]

    var assets: [Catalogue.Entry] { [entry] }
    var charge: Charge { Charge(loss: nil, uses: Int64(request.rows)) }
    var steps: [WorkStep] {
        [WorkStep("computing with whoever asked", Self.computing(program, program.cost, times))]
    }

    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        request = try Self.request(body)
        let (model, rule) = try knowledge.model(request.dataset)
        guard let entry = knowledge.catalogue.datasets[request.dataset] else {
            throw knowledge.catalogue.absent(request.dataset)
        }
        (self.model, self.entry) = (model, entry)
        let (program, _) = try Self.checked(request, model, rule, site: knowledge.publicKey)
        self.program = program
        times = knowledge.timings.measured("two parties") { Self.measured() }
        let cost = program.cost
        let largest = program.correlatedSteps.map { program.correlationBytes(step: $0, of: .second) }.max() ?? 0
        bound = PlanBound(
            work: Self.computing(program, cost, times),
            memory: 4 * Double(largest) + 6 * Double(cost.bytes) + 24 * Double(program.elements + program.weightCount))
    }

    /// The program of a request, and the key of whoever asks, where model and rule allow it.
    static func checked(
        _ request: PredictionRequest, _ model: ServedModel, _ rule: PredictionRule, site: Data
    ) throws -> (Program, key: Data) {
        guard let key = Self.keyBytes(request.key), key != site, key != model.dealer.key else {
            throw Problem.invalidRequest("'key' is no key of whoever asks", hint: "one that is drawn for this request")
        }
        guard request.version == model.version else {
            throw Problem.conflict(
                "the model is another one now (\(model.version))",
                hint: "ask for what is public of it again, and predict with that")
        }
        guard request.rows >= 1 else { throw Problem.invalidRequest("'rows' is a number from 1 to \(rule.rows)") }
        guard request.rows <= rule.rows else {
            throw Problem.notAllowed(
                "the owner's policy allows \(rule.rows) predictions at a time", hint: "ask in parts")
        }
        do throws(DealingError) { return (try DealerDesk.program(of: model.terms, rows: request.rows), key) } catch {
            throw Problem.invalidRequest("\(error)", hint: "fewer predictions at a time")
        }
    }

    /// What it reads of what was dealt is mapped from the disk.
    private static func computing(_ program: Program, _ cost: ComputationCost, _ times: [Double]) -> Work {
        let products = program.multiplications * times[0]
        let keys = Double(cost.correlationBytesToSecond) * times[1]
        return Work([
            .measured: products + keys, .byte: 8 * Double(cost.bytes) + Double(cost.correlationBytesToSecond),
            .step: 8 * Double(program.elements),
            .scan: Double(20 + cost.rounds),
        ])
    }

    /// Nanoseconds of a multiply-add of a product, and of a byte of a comparison's key.
    private static func measured() -> [Double] {
        let side = 192
        let words = (0..<UInt64(side * side)).map { $0 &* 0x9E37_79B9_7F4A_7C15 }
        var result = words
        guard let product = try? BilinearMap.matrices(MatrixProduct(rows: side, inner: side, columns: side)) else {
            return [1, 1]
        }
        let multiplying = WorkCalibration.nanoseconds { product.add(words, words, to: &result) }
        return [multiplying / Double(side * side * side), (try? comparing()) ?? 1]
    }

    /// Of a byte of a comparison's key, on numbers that nobody has.
    private static func comparing() throws -> Double {
        var builder = ProgramBuilder()
        let count = 2_048
        _ = try builder.relu(try builder.input(from: .first, shape: [count], bound: 1 << 40))
        let program = builder.program()
        let session = try ComputationSession(program: program, first: "one", second: "two", dealer: "three")
        let dealt = try Dealer(program: program, session: session).correlations()
        var ledger = CorrelationLedger()
        let input = try RingTensor(zeros: [count])
        var one = try TwoPartyMachine(
            program: program, session: session, correlations: dealt.first,
            claim: try ledger.claim(dealt.first, inputs: PartyInputs(inputs: [input])))
        var two = try TwoPartyMachine(
            program: program, session: session, correlations: dealt.second,
            claim: try ledger.claim(dealt.second, inputs: PartyInputs()))
        _ = try two.begin()
        guard let message = try one.begin() else { return 1 }
        let time = WorkCalibration.nanoseconds { _ = try? two.receive(message) }
        return time / Double(program.cost.correlationBytesToSecond)
    }

    // MARK: The request

    static func body(of request: StrictObject, purpose: String?) throws -> [UInt8] {
        var request = request
        let read = PredictionRequest(
            dataset: try request.string("dataset"), version: try request.string("version"),
            rows: Int(clamping: try request.integer("rows")), key: try request.string("key"))
        try request.finish()
        try Submission.checkStored(read.dataset, as: "a name")
        guard Data(hexadecimal: read.version)?.count == 16 else {
            throw Problem.invalidRequest(
                "'version' is no model's version", hint: "32 hexadecimal digits, as the site tells")
        }
        guard (1...PredictionRule.mostRows).contains(read.rows) else {
            throw Problem.invalidRequest("'rows' is a number from 1 to \(PredictionRule.mostRows)")
        }
        guard Self.keyBytes(read.key) != nil else {
            throw Problem.invalidRequest("'key' is no Ed25519 key", hint: "64 hexadecimal digits")
        }
        return try AnswerEncoding.bytes(read)
    }

    static func request(_ body: [UInt8]) throws -> PredictionRequest {
        try JSONDecoder().decode(PredictionRequest.self, from: Data(body))
    }

    static func keyBytes(_ text: String) -> Data? {
        Data(hexadecimal: text).flatMap { PredictionSession.isKey($0) ? $0 : nil }
    }

    static func words(_ body: [UInt8]) -> String {
        (try? request(body)).map { request in
            "PREDICT \(request.rows) ROW\(request.rows == 1 ? "" : "S") OF WHOEVER ASKS, ON SHARES, BY THE MODEL \(request.version.prefix(8)) OF \(request.dataset)"
        } ?? ""
    }

    // MARK: The run

    func run(
        _ grant: borrowing Grant<PredictionWork>, using randomness: inout SecureRandom
    ) -> Measured<Predicted, SecureRandom>? {
        PredictionExchange(
            work: self, outside: grant.outside, workspace: grant.workspace, track: grant.track
        ).run().map { Measured(answer: Predicted(message: $0), events: []) }
    }

    // MARK: What leaves

    var inputPrivacy: String? {
        "the input never came here: both parties computed on shares, which say nothing without the other's, or the dealer's; the model's weights stayed on the datasite"
    }
    var outputPrivacy: String? {
        "no differential privacy: \(promise); \(request.rows) use\(request.rows == 1 ? "" : "s") counted against the owner's limits, since whoever asks often enough can copy a model"
    }
    var inputVerification: String? {
        "both parties and the dealer \(hexadecimal(model.dealer.key).prefix(16)) are taken to follow the protocol; nothing proves that they do, and the dealer together with one of them sees everything"
    }

    private var promise: String {
        switch model.terms.output {
        case .label: "the label of \(request.rows) row\(request.rows == 1 ? "" : "s") becomes known to whoever asked"
        case .scores:
            "the model's scores of \(request.rows) row\(request.rows == 1 ? "" : "s") become known to whoever asked"
        }
    }

    private var notes: [String] {
        [
            "Whoever asked learns \(model.terms.output == .label ? "labels" : "scores"), the architecture and bounds; this site learns how many rows it were, and when.",
            model.terms.isErrorProven
                ? "A score is within \(ShortNumber.text(model.terms.errorBound)) of what the model says in floating point, for inputs that no bound cuts."
                : "A score is within about \(ShortNumber.text(model.terms.errorBound)) of what the model says in floating point: measured, not proven.",
        ]
    }

    func document(_ release: Release<Predicted>, _ terms: ReleaseTerms) throws -> [UInt8] {
        try AnswerEncoding.bytes(
            ReleasedPrediction(
                request: release.request, dataset: request.dataset, version: entry.version, model: model.name,
                modelVersion: model.version, rows: request.rows, message: Data(release.answer.message),
                charge: terms.charge, notes: notes, guarantees: terms.guarantees, nonce: Nonce.new()))
    }

    func review(at site: Datasite) throws -> WorkReview {
        let cost = program.cost
        return WorkReview(
            notes: notes + [
                "\(cost.rounds) rounds, \(cost.bytes) bytes both ways, and correlations of \(cost.correlationBytesToSecond) bytes from the dealer at \(model.dealer.url)."
            ])
    }
}
