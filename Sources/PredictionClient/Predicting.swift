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
    /// So many bytes of the correlations are here, of so many, and the site is dealt to meanwhile.
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
    /// What both sides compute with is prepared first, unless it was before, and nothing is charged if that fails. It serves this call alone: what was cut short behind the charge is asked for anew, and charged anew.
    ///
    /// - Parameters:
    ///   - values: Rows one after the other, as the model takes them.
    ///   - weights: ``maskedWeights(of:)``.
    ///   - dealer: Reaches the dealer that the model's owner trusts, whom the caller must trust too.
    ///   - directory: Where correlations are kept meanwhile.
    ///   - prepared: For as many rows of the same model; nil: it is prepared now.
    /// - Throws: `Problem`, `TransportError`, and what is wrong in the rows.
    public func predict(
        _ values: [Float], rows: Int, with served: ServedPrediction, weights: [UInt8], dealer: DealerClient,
        directory: String, prepared: PreparedPrediction? = nil, purpose: String? = nil, idempotencyKey: String? = nil,
        progress: @Sendable (PredictionProgress) -> Void = { _ in }
    ) async throws -> PredictionOutcome {
        let terms = try PredictionTerms(bytes: Array(served.terms))
        let program = try terms.program(rows: rows)
        let inputs = try terms.inputs(values, rows: rows)
        let masked = try MaskedWeights(bytes: weights, of: .second, in: program)
        let start = ContinuousClock.now
        let place = PreparationPlace.memory(directory)
        var ready = prepared
        if ready == nil {
            do {
                ready = try await prepare(rows: rows, with: served, dealer: dealer, in: place, progress: progress)
                await ready?.close(dealer, served)
            } catch let problem as Problem where Self.isBoundAhead(problem) {
                // As much as one may have dealt ahead of a charge: what is charged first is dealt all the same.
            }
        }
        let dealing = ContinuousClock.now - start
        let key = try ready?.key ?? Curve25519.Signing.PrivateKey()
        let request = PredictionRequest(
            dataset: served.dataset, version: served.version, rows: rows,
            key: hexadecimal(key.publicKey.rawRepresentation))
        var summary: RequestSummary
        do {
            switch try await submit(
                engine: PredictionRequest.engine, request, purpose: purpose, idempotencyKey: idempotencyKey)
            {
            case .pending(let pending): summary = pending
            case .released:
                throw Problem(.conflict, "this request was answered before", hint: "ask with a new idempotency key")
            }
        } catch {
            if prepared == nil, let ready { await discard(ready.record) }
            throw error
        }
        if summary.state == "pending" { progress(.waiting(summary.id)) }
        while summary.state == "pending" {
            try await Task.sleep(for: .seconds(1))
            summary = try await self.request(summary.id)
        }
        progress(.charged(summary.id))
        do {
            let visit = "/v1/requests/\(Self.escaped(summary.id))/rounds"
            try await knock(visit)
            var steps = try? ready?.take()
            if try await !isNamed(ready, steps != nil, to: visit) {
                // It served, ended or was damaged while an owner decided, or there was none.
                let again = try await prepare(
                    rows: rows, with: served, dealer: dealer, in: place, key: key, request: summary.id,
                    progress: progress)
                await again.close(dealer, served)
                steps = try again.take()
                _ = try await isNamed(again, true, to: visit)
                ready = again
            }
            guard let ready, let steps else { throw Problem(.conflict, "what was prepared is not there any more") }
            let run = Run(
                request: summary.id, visit: visit, terms: terms, program: program, rows: rows,
                session: try ready.session(program, with: served), header: Array(ready.record.header), steps: steps,
                dealing: dealing)
            return try await computed(
                run, PartyInputs(inputs: inputs, maskedWeights: masked), progress: progress)
        } catch {
            // Nobody has its key but this call: the site need not wait for it.
            _ = try? await cancelJob(summary.id)
            throw error
        }
    }

    /// A charged request of this call, and what both sides compute it with.
    private struct Run {
        let request: String
        let visit: String
        let terms: PredictionTerms
        let program: Program
        let rows: Int
        let session: ComputationSession
        let header: [UInt8]
        let steps: SpooledSteps
        let dealing: Duration
    }

    /// Names what was prepared, and waits until the site's part is ready.
    ///
    /// - Returns: Whether the site has it.
    private func isNamed(_ prepared: PreparedPrediction?, _ isHere: Bool, to visit: String) async throws -> Bool {
        guard isHere, let prepared else { return false }
        do {
            _ = try await transport.exchangeRound(visit, Array(prepared.record.session), largest: 0)
            return true
        } catch let problem as Problem where problem.status == 404 { return false }
    }

    /// Whether a site refuses to be dealt more ahead of a charge.
    private static func isBoundAhead(_ problem: Problem) -> Bool {
        [.tooManyQuestions, .notAllowed].contains(problem.kind)
            || (problem.kind == .conflict && problem.hint?.contains("--discard") == true)
    }

    private func computed(
        _ run: Run, _ inputs: PartyInputs, progress: @Sendable (PredictionProgress) -> Void
    ) async throws -> PredictionOutcome {
        let (program, session, steps, visit) = (run.program, run.session, run.steps, run.visit)
        let correlations = try Correlations(run.header, program: program, session: session)
        // In memory alone: they have no name on the disk, and serve nobody again.
        var ledger = CorrelationLedger()
        let claim = try ledger.claim(correlations, inputs: inputs)
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
        let released = try await work(run.request)
        guard let answer = try? JSONDecoder().decode(ReleasedPrediction.self, from: Data(released.bytes)) else {
            throw TransportError(.notADatasite, "the answer is no prediction", hint: "tell the site's owner")
        }
        for step in machine.awaitedSteps { try machine.supply(try steps.take(step), step: step) }
        _ = try machine.receive(RoundMessage(bytes: Array(answer.message), words: machine.expectedWords))
        let online = ContinuousClock.now - began
        guard let outputs = machine.outputs else { throw Problem(.conflict, "the computation did not end") }
        return PredictionOutcome(
            results: try run.terms.results(outputs, rows: run.rows), cost: machine.cost, online: online,
            dealing: run.dealing, released: released, peek: peek)
    }

    /// Waits until the site's part is ready.
    private func knock(_ visit: String) async throws {
        for _ in 0..<30 {
            do {
                _ = try await transport.exchangeRound(visit, [], largest: 0)
                return
            } catch let problem as Problem where problem.status == 503 {
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
