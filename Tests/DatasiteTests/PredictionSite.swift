import Crypto
import DatasiteProtocol
import Dispatch
import EncryptedPrediction
import Foundation
import Learning
import ModularArithmetic
import Secrets
import SecureComputation
import Synchronization
import Testing

@testable import Datasite

/// A site with a model, a dealer in the same process, and whoever asks.
final class PredictionSite: Sendable {
    let test: TestSite
    let office: DealerOffice
    let connection: DealerConnection
    let model: ServedModel
    let prepared: PreparedModel

    var site: Datasite { test.site }

    static let width = 6

    init(
        rows: Int = 4, uses: Int = 100, each: Int = 50, approval: String? = "automatic",
        output: PredictionTerms.Output = .scores
    ) async throws {
        test = try TestSite(researchers: ["ada", "bea"])
        let folder = try DealerFolder.create(at: test.path + "-dealer")
        try folder.admit("site", key: test.site.signingKey.publicKey.rawRepresentation)
        office = try DealerOffice(folder)
        connection = DealerConnection(office)
        test.site.connect(by: connection)
        let model = try Model(inputShape: [Self.width]) {
            Linear(8, name: "one")
            ReLU()
            Linear(3, name: "two")
        }
        var generator = SeededGenerator(seed: 5)
        prepared = try PreparedModel(
            model, model.initialParameters(using: &generator), inputBound: 1, output: output)
        self.model = try await test.site.addModel(
            prepared, AddedModel(name: "chest", dataset: "visits"),
            dealer: ServedPrediction.Dealer(url: "http://127.0.0.1:1", key: office.key), over: connection)
        try test.site.setPolicy(
            of: "visits", policyText: policy(rows: rows, uses: uses, each: each, approval: approval))
    }

    deinit { try? FileManager.default.removeItem(atPath: test.path + "-dealer") }

    func policy(rows: Int, uses: Int, each: Int, approval: String?, version: String? = nil) -> String {
        "{loss: pure, total: {epsilon: 10}, engines: {questions: {}, prediction: {model: chest, version: \(version ?? model.version), rows: \(rows), uses: \(uses), uses-per-researcher: \(each)"
            + (approval.map { ", approval: \($0)" } ?? "") + "}}}"
    }

    func uses(by name: String = "ada") throws -> Int64 {
        try site.read { try UseLedger.spent(of: "visits", engine: PredictionWork.engine, by: name, in: $0).own }
    }

    static func values(rows: Int, seed: UInt64 = 9) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<rows * width).map { _ in Float.random(in: -1...1, using: &generator) }
    }

    func request(rows: Int, key: Curve25519.Signing.PrivateKey, version: String? = nil) throws -> WorkRequest {
        let body =
            #"{"engine":"prediction","request":{"dataset":"visits","version":"\#(version ?? model.version)","rows":\#(rows),"key":"\#(hexadecimal(key.publicKey.rawRepresentation))"}}"#
        return try WorkRequest(decoding: Array(body.utf8))
    }

    func preparation(
        rows: Int, key: Curve25519.Signing.PrivateKey, version: String? = nil
    ) -> PreparationRequest {
        PreparationRequest(
            version: version ?? model.version, rows: rows, key: hexadecimal(key.publicKey.rawRepresentation))
    }

    /// Has the site be dealt what rows take, and waits until it is.
    func prepared(
        rows: Int, key: Curve25519.Signing.PrivateKey = Curve25519.Signing.PrivateKey(), as identity: Identity = .ada
    ) async throws -> Data {
        let begun = try await site.prepare(preparation(rows: rows, key: key), of: "visits", as: identity)
        try await settled(begun.session, as: identity)
        return try #require(Data(hexadecimal: begun.session))
    }

    /// Waits until the site is dealt to.
    func settled(_ session: String, as identity: Identity = .ada) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while .now < end {
            let found = try await site.preparations(of: identity).first { $0.session == session }
            guard found?.state == .dealing else {
                guard found?.state == .ready else {
                    throw Problem.conflict("not dealt: \(found?.detail ?? "it is gone")")
                }
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Asks a dealer, as whoever has a key.
    func ask(_ question: DealerQuestion, as key: Curve25519.Signing.PrivateKey) async throws -> [UInt8] {
        let asked = try SignedQuestion(
            question, dealer: office.key, key: key, time: UInt64(Date().timeIntervalSince1970))
        return try asked.verifiedReply(try await office.answer(asked.bytes).bytes)
    }

    /// Prepares and asks, as `DatasiteClient` does over the wire.
    func asked(rows: Int, as identity: Identity = .ada) async throws -> Visitor {
        let key = Curve25519.Signing.PrivateKey()
        return try await asked(rows: rows, key, try await prepared(rows: rows, key: key, as: identity), as: identity)
    }

    /// Asks with what is prepared.
    func asked(
        rows: Int, _ key: Curve25519.Signing.PrivateKey, _ session: Data, as identity: Identity = .ada
    ) async throws -> Visitor {
        guard case .pending(let summary) = try await site.submit(request(rows: rows, key: key), as: identity) else {
            throw Problem.conflict("long work is told of at once")
        }
        return Visitor(at: self, request: summary.id, key: key, session: session, rows: rows, identity: identity)
    }

    /// Whoever asked for predictions.
    struct Visitor {
        let at: PredictionSite
        let request: String
        let key: Curve25519.Signing.PrivateKey
        let session: Data
        let rows: Int
        let identity: Identity

        /// Tells the site what is prepared, and waits until its part is ready.
        func name(_ session: Data? = nil) async throws {
            _ = try await at.site.greeting(of: request, as: identity)
            _ = try await at.site.exchange(Array(session ?? self.session), with: request, as: identity)
        }

        /// Her side, dealt to and begun, and the site's ready.
        func machine(_ values: [Float]) async throws -> TwoPartyMachine {
            let (terms, office, nonce) = (at.prepared.terms, at.office, Array(session))
            let program = try terms.program(rows: rows)
            let site = at.site.signingKey.publicKey.rawRepresentation
            let session = try PredictionSession.session(
                program, first: key.publicKey.rawRepresentation, second: site, dealer: office.key, nonce: nonce)
            let correlations = try Correlations(
                try await at.ask(.header(session: nonce), as: key), program: program, session: session)
            let masked = try MaskedWeights(
                bytes: try at.site.maskedWeights(of: "visits"), of: .second, in: program)
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(
                correlations, inputs: PartyInputs(inputs: try terms.inputs(values, rows: rows), maskedWeights: masked))
            var machine = try TwoPartyMachine(
                program: program, session: session, correlations: correlations, claim: claim)
            for step in program.correlatedSteps where program.correlationBytes(step: step, of: .first) > 0 {
                try machine.supply(try await at.ask(.step(session: nonce, step: step), as: key), step: step)
            }
            // She has all: the site, once it is told, has its dealer forget the session.
            try await name()
            return machine
        }

        func exchange(_ message: RoundMessage) async throws -> [UInt8]? {
            try await at.site.exchange(message.bytes, with: request, as: identity)
        }

        /// All rounds, and what came out.
        func predict(_ values: [Float]) async throws -> PredictionResults {
            var machine = try await machine(values)
            var message = try machine.begin()
            while let own = message, !machine.isLastRound {
                guard let bytes = try await exchange(own) else { throw Problem.conflict("it ended early") }
                message = try machine.receive(RoundMessage(bytes: bytes, words: machine.expectedWords))
            }
            if let own = message, try await exchange(own) != nil { throw Problem.conflict("it did not end") }
            let released = try released(await at.site.answer(request, as: identity))
            _ = try machine.receive(RoundMessage(bytes: Array(released.message), words: machine.expectedWords))
            return try at.prepared.terms.results(machine.outputs ?? [], rows: rows)
        }

        func released(_ bytes: [UInt8]) throws -> ReleasedPrediction {
            try JSONDecoder().decode(ReleasedPrediction.self, from: Data(bytes))
        }
    }
}

/// Reaches a dealer in this process; what is asked of it can be looked at, or not arrive.
final class DealerConnection: CoordinatorConnection {
    struct Lost: Error {}
    private let office: DealerOffice
    let isCut = Mutex(false)

    init(_ office: DealerOffice) { self.office = office }

    func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
        guard !isCut.withLock({ $0 }) else { throw Lost() }
        let result = Mutex<Result<[UInt8], any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        Self.answer(office, message) { given in
            result.withLock { $0 = given }
            isThere.signal()
        }
        isThere.wait()
        return try result.withLock { $0 }?.get() ?? []
    }

    private static func answer(
        _ office: DealerOffice, _ message: [UInt8],
        _ give: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
    ) {
        Task {
            do { give(.success(try await office.answer(message).bytes)) } catch { give(.failure(error)) }
        }
    }
}
