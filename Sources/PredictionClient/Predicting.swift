import Crypto
public import DatasiteClient
public import DatasiteProtocol
public import EncryptedPrediction
import Foundation
import ModularArithmetic
public import SecureComputation

/// How far a prediction is.
public enum PredictionProgress: Sendable, Hashable {
    /// The request of this id waits for its owners' decision.
    case waiting(String)
    /// The request of this id is charged.
    case charged(String)
    /// So many bytes of the correlations are here, of so many.
    case dealt(Int, of: Int)
    /// So many rounds are over, of so many.
    case round(Int, of: Int)
}

/// Predictions that came out, and what they took.
public struct PredictionOutcome: Sendable {
    /// Labels or scores.
    public var results: PredictionResults
    /// The labels, row by row.
    public var labels: [Int] { results.labels }
    /// As it was counted.
    public var cost: ComputationCost
    /// From the first message to the last.
    public var online: Duration
    /// Until the correlations were here, and at the site.
    public var dealing: Duration
    /// The release, its receipt verified.
    public var released: ReleasedWork
    /// The first bytes of the first messages with words that were sent, and that came.
    public var peek: (sent: [UInt8], received: [UInt8])
}

extension ServedPrediction {
    /// Whether these are the masked weights that the site told of.
    public func hasWeights(_ bytes: [UInt8]) -> Bool {
        hexadecimal(SHA256.hash(data: bytes)) == weights && hexadecimal(bytes.prefix(16)) == version
    }
}

extension DatasiteClient {
    /// What is public of the model that a dataset's policy lets one predict with.
    ///
    /// - Throws: `Problem`, `TransportError`.
    public func prediction(of dataset: String) async throws -> ServedPrediction {
        try Self.decode(
            try await transport.get("/v1/predictions/\(Self.escaped(dataset))", timeout: options.timeout).body)
    }

    /// The model's weights under their mask: the same for all predictions with that version, so that they are fetched once.
    ///
    /// - Throws: `Problem`, `TransportError`: also where they are not those that the site told of.
    public func maskedWeights(of served: ServedPrediction) async throws -> [UInt8] {
        let bytes = 16 + 8 * (try PredictionTerms(bytes: Array(served.terms)).program(rows: 1).weightCount)
        let weights = try await transport.get(
            "/v1/predictions/\(Self.escaped(served.dataset))/weights", timeout: .seconds(60 + bytes >> 20),
            largest: bytes
        ).body
        guard served.hasWeights(weights) else {
            throw TransportError(
                .notADatasite, "the masked weights are not those that the site told of",
                hint: "tell the site's owner: its model may have changed just now")
        }
        return weights
    }

    /// Whether the site reaches the dealer of a model, and may ask it.
    ///
    /// - Throws: `Problem`, `TransportError`.
    public func dealerCheck(of dataset: String) async throws -> DealerCheck {
        try Self.decode(
            try await transport.get("/v1/predictions/\(Self.escaped(dataset))/dealer", timeout: options.timeout).body)
    }

    /// Predicts on shares: the site learns neither rows nor results, and whoever calls not the model.
    ///
    /// Correlations are fetched first, and serve this call alone: what was cut short is asked for anew, and charged anew.
    ///
    /// - Parameters:
    ///   - values: Rows one after the other, as the model takes them.
    ///   - weights: ``maskedWeights(of:)``.
    ///   - dealer: Reaches the dealer that the model's owner trusts, whom the caller must trust too.
    ///   - directory: Where correlations are kept meanwhile.
    /// - Throws: `Problem`, `TransportError`, and what is wrong in the rows.
    public func predict(
        _ values: [Float], rows: Int, with served: ServedPrediction, weights: [UInt8], dealer: DealerClient,
        directory: String, purpose: String? = nil, idempotencyKey: String? = nil,
        progress: @Sendable (PredictionProgress) -> Void = { _ in }
    ) async throws -> PredictionOutcome {
        let terms = try PredictionTerms(bytes: Array(served.terms))
        let program = try terms.program(rows: rows)
        let inputs = try terms.inputs(values, rows: rows)
        let masked = try MaskedWeights(bytes: weights, of: .second, in: program)
        let key = Curve25519.Signing.PrivateKey()
        let request = PredictionRequest(
            dataset: served.dataset, version: served.version, rows: rows,
            key: hexadecimal(key.publicKey.rawRepresentation))
        var summary: RequestSummary
        switch try await submit(
            engine: PredictionRequest.engine, request, purpose: purpose, idempotencyKey: idempotencyKey)
        {
        case .pending(let pending): summary = pending
        case .released:
            throw Problem(.conflict, "this request was answered before", hint: "ask with a new idempotency key")
        }
        if summary.state == "pending" { progress(.waiting(summary.id)) }
        while summary.state == "pending" {
            try await Task.sleep(for: .seconds(1))
            summary = try await self.request(summary.id)
        }
        progress(.charged(summary.id))
        do {
            return try await computed(
                Asked(request: summary.id, rows: rows, key: key), terms, program, inputs: inputs, masked: masked,
                with: served, dealer: dealer, directory: directory, progress: progress)
        } catch {
            // Nobody has its key but this call: the site need not wait for it.
            _ = try? await cancelJob(summary.id)
            throw error
        }
    }

    /// A request of this call.
    private struct Asked {
        let request: String
        let rows: Int
        let key: Curve25519.Signing.PrivateKey
    }

    private func computed(
        _ asked: Asked, _ terms: PredictionTerms, _ program: Program, inputs: [RingTensor], masked: MaskedWeights,
        with served: ServedPrediction, dealer: DealerClient, directory: String,
        progress: @Sendable (PredictionProgress) -> Void
    ) async throws -> PredictionOutcome {
        let (key, rows) = (asked.key, asked.rows)
        let visit = "/v1/requests/\(Self.escaped(asked.request))/rounds"
        let nonce = try await knock(visit)
        let start = ContinuousClock.now
        let session = try PredictionSession.session(
            program, first: key.publicKey.rawRepresentation, second: served.site, dealer: served.dealer.key,
            nonce: nonce)
        let header = try await dealer.ask(
            .header(session: nonce), dealer: served.dealer.key, key: key, largest: 1 << 10)
        let correlations = try Correlations(header, program: program, session: session)
        let steps = try SpooledSteps(in: directory)
        let whole = program.cost.correlationBytesToFirst
        for step in program.correlatedSteps {
            let count = program.correlationBytes(step: step, of: .first)
            guard count > 0 else { continue }
            let bytes = try await dealer.ask(
                .step(session: nonce, step: step), dealer: served.dealer.key, key: key, largest: count)
            try steps.append(bytes, step: step)
            progress(.dealt(Int(steps.count), of: whole))
        }
        _ = try await whenReady { try await transport.exchangeRound(visit, PredictionRequest.readiness, largest: 0) }
        let dealing = ContinuousClock.now - start
        // In memory alone: with this call they are gone, and serve nobody again.
        var ledger = CorrelationLedger()
        let claim = try ledger.claim(correlations, inputs: PartyInputs(inputs: inputs, maskedWeights: masked))
        var machine = try TwoPartyMachine(
            program: program, session: session, correlations: correlations, claim: claim)
        let began = ContinuousClock.now
        var peek: (sent: [UInt8], received: [UInt8]) = ([], [])
        var message = try machine.begin()
        while let own = message, !machine.isLastRound {
            let (sent, largest) = (own.bytes, RoundMessage.headerBytes + 8 * machine.expectedWords)
            async let reply = transport.exchangeRound(visit, sent, largest: largest)
            for step in machine.awaitedSteps { try machine.supply(try steps.take(step), step: step) }
            let bytes = try await reply
            if peek.sent.isEmpty, !own.words.isEmpty { peek.sent = Array(own.bytes.prefix(64)) }
            if peek.received.isEmpty, bytes.count > RoundMessage.headerBytes {
                peek.received = Array(bytes.prefix(64))
            }
            let received = try RoundMessage(bytes: bytes, words: machine.expectedWords)
            message = try machine.receive(received)
            progress(.round(machine.cost.rounds - 1, of: program.roundCount))
        }
        if let own = message {
            // Where its reply is lost the answer is there all the same.
            do { _ = try await transport.exchangeRound(visit, own.bytes, largest: 0) } catch let problem as Problem
                where problem.status == 409
            {}
        }
        let released = try await work(asked.request)
        guard let answer = try? JSONDecoder().decode(ReleasedPrediction.self, from: Data(released.bytes)) else {
            throw TransportError(.notADatasite, "the answer is no prediction", hint: "tell the site's owner")
        }
        for step in machine.awaitedSteps { try machine.supply(try steps.take(step), step: step) }
        _ = try machine.receive(RoundMessage(bytes: Array(answer.message), words: machine.expectedWords))
        let online = ContinuousClock.now - began
        guard let outputs = machine.outputs else { throw Problem(.conflict, "the computation did not end") }
        return PredictionOutcome(
            results: try terms.results(outputs, rows: rows), cost: machine.cost, online: online, dealing: dealing,
            released: released, peek: peek)
    }

    /// Waits until the site's part is ready.
    private func knock(_ visit: String) async throws -> [UInt8] {
        try await whenReady { try await transport.exchangeRound(visit, [], largest: 16) }
    }

    private func whenReady(_ ask: () async throws -> [UInt8]) async throws -> [UInt8] {
        for _ in 0..<30 {
            do { return try await ask() } catch let problem as Problem where problem.status == 503 {
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        throw Problem(
            .busy, "the site's part is not ready after ten minutes",
            hint: "`parley jobs` says where it is; its charge is kept")
    }
}

extension Transport {
    /// A message of a round, and its reply. A line that breaks is tried again: the same message has the same reply.
    fileprivate func exchangeRound(_ path: String, _ bytes: [UInt8], largest: Int) async throws -> [UInt8] {
        let timeout = Duration.seconds(120 + (bytes.count + largest) >> 20)
        for attempt in 0... {
            do { return try await post(path, bytes, largest: largest, timeout: timeout) } catch let error
                as TransportError
                where error.kind == .interrupted && attempt < 3
            {
                try await Task.sleep(for: .milliseconds(100 << attempt))
            }
        }
        return []
    }
}
