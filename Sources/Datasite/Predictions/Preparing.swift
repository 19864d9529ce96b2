import Crypto
public import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Governance
import ModularArithmetic
import Secrets
import SecureComputation
import Synchronization

extension SiteFolder {
    /// What was dealt ahead of time, a folder each.
    var prepared: String { path + "/prepared" }
}

/// What is to be dealt.
private struct Dealing: Sendable {
    let calls: DealerCalls
    let program: Program
    let model: ServedModel
    let first: Data
    let rows: Int
    let name: String
}

extension Datasite {
    /// Begins to be dealt what a prediction takes: it goes on behind this call (``preparations(of:)`` says how far it is), stays on the disk for three days, and serves one request of hers.
    ///
    /// - Throws: A `Problem`: the policy allows no such prediction, the dealer cannot be reached, or there is no room.
    public func prepare(
        _ request: PreparationRequest, of dataset: String, as identity: Identity
    ) async throws -> Preparation {
        let name = identity.name
        let (dealing, usesLeft) = try await reading(for: name) { site in
            let (dealing, left) = try site.dealing(request, of: dataset, by: identity)
            return (dealing, try site.isCharged(request, of: dataset, by: identity) ? nil : left)
        }
        let admission = try preparing.threads.admission(of: name)
        let cost = dealing.program.cost
        let now = clock.now()
        let ends = UInt64(clamping: now) + PreparedSession.lifetime
        let reserved = try await reading(for: name) { site in
            try site.preparing.reserve(
                Preparation(
                    session: "", dataset: dataset, version: request.version, rows: request.rows, state: .dealing,
                    bytes: 0, wholeBytes: cost.correlationBytesToSecond, expires: Timestamp.text(Int64(ends))),
                of: name, dealer: dealing.model.dealer.key, usesLeft: usesLeft, now: now)
        }
        let session: Data
        do {
            session = try await preparing.threads.run(for: name) {
                Data(
                    try dealing.calls.ask(
                        .session(
                            terms: dealing.model.terms.bytes, rows: dealing.rows, first: dealing.first,
                            mask: dealing.model.mask.identifier), largest: 1 << 10))
            }
        } catch {
            preparing.forget(reserved)
            throw error
        }
        guard session.count == 16 else {
            preparing.forget(reserved)
            throw Problem.unavailable("the dealer's session has no name of 16 bytes")
        }
        guard let begun = preparing.name(reserved, session) else {
            _ = try? await preparing.threads.run(for: name) {
                try dealing.calls.ask(.end(session: Array(session)), largest: 1 << 10)
            }
            throw Problem.conflict(
                "what was prepared with that model was given up just now",
                hint: "its owner removed it, or doubts its dealer")
        }
        let record = PreparedSession(
            session: session, dataset: dataset, version: request.version, rows: request.rows, other: name,
            dealer: dealing.model.dealer.key, key: dealing.first, header: Data(), expires: ends)
        Task {
            defer { withExtendedLifetime(admission) {} }
            try? await preparing.threads.run(for: name) { self.take(record, dealing) }
        }
        return begun
    }

    /// Whether it is for a request of hers that was charged, and waits for it.
    ///
    /// - Throws: A `Problem`: it says so, and is not.
    private func isCharged(
        _ request: PreparationRequest, of dataset: String, by identity: Identity
    ) throws -> Bool {
        guard let id = request.request else { return false }
        let row = try read { try RequestRow.find(id, $0) }
        guard let row, row.researcher == identity.name, row.engine == PredictionWork.engine, row.state == .reserved,
            let asked = try? PredictionWork.request(Array(row.body)), asked.dataset == dataset,
            asked.version == request.version, asked.rows == request.rows, asked.key == request.key
        else {
            throw Problem.absent("no charged request of yours waits for this", hint: "leave 'request' out")
        }
        return true
    }

    /// What a request may be dealt, by policy and manifest.
    private func dealing(
        _ request: PreparationRequest, of dataset: String, by identity: Identity
    ) throws -> (Dealing, usesLeft: Int64) {
        guard identity.role == .researcher else {
            throw Problem.forbidden("researchers predict, and nobody else")
        }
        let catalogue = try catalogue()
        let (model, rule) = try predictionModel(dataset, in: catalogue)
        let work = PredictionRequest(
            dataset: dataset, version: request.version, rows: request.rows, key: request.key)
        let (program, first) = try PredictionWork.checked(
            work, model, rule, site: signingKey.publicKey.rawRepresentation)
        guard let connection = outward.withLock({ $0 }) else {
            throw Problem.unavailable("this process reaches no dealer: `parley serve` does")
        }
        guard
            let whole = catalogue.datasets[dataset]?.policy?.rule(
                for: PredictionWork.engine, isAllowedUnlessSaid: false)
        else { throw Problem.notAllowed("the policy of \(dataset) allows no predictions on shares") }
        let limits = try read {
            try UseLedger.limits(
                of: dataset, engine: PredictionWork.engine, by: identity.name, rule: whole, in: $0)
        }
        let calls = DealerCalls(dealer: model.dealer, key: signingKey, connection: connection)
        return (
            Dealing(
                calls: calls, program: program, model: model, first: first, rows: request.rows, name: identity.name),
            limits.map(\.left).min() ?? 0
        )
    }

    /// Takes all that the dealer gives, on a thread of its own.
    private func take(_ prepared: PreparedSession, _ dealing: Dealing) {
        let (session, calls) = (Array(prepared.session), dealing.calls)
        do {
            var record = prepared
            let named = try PredictionSession.session(
                dealing.program, first: dealing.first, second: signingKey.publicKey.rawRepresentation,
                dealer: dealing.model.dealer.key, nonce: session)
            record.header = Data(try calls.ask(.header(session: session), largest: 1 << 10))
            _ = try Correlations(Array(record.header), program: dealing.program, session: named)
            let steps = try preparing.shelf.begin(prepared.session)
            for step in dealing.program.correlatedSteps {
                guard dealing.program.correlationBytes(step: step, of: .second) > 0 else { continue }
                try steps.append(try calls.step(step, of: session, program: dealing.program), step: step)
                guard preparing.note(prepared.session, bytes: steps.count) else {
                    preparing.shelf.abandon(prepared.session)
                    _ = try? calls.ask(.end(session: session), largest: 1 << 10)
                    return
                }
            }
            try preparing.keep(record, steps)
        } catch {
            let words = (error as? Problem)?.detail ?? (error as? ComputationError).map { "\($0)" }
            // Whoever asked can end the session at its dealer, and take its places for large replies.
            preparing.fail(
                prepared.session, words ?? "what the dealer gave cannot be kept: \(systemError())",
                isHers: (error as? Problem).map { $0.kind == .notFound || $0.kind == .busy } ?? false,
                now: clock.now())
            _ = try? calls.ask(.end(session: session), largest: 1 << 10)
        }
    }

    /// What is prepared, or being dealt, for a researcher.
    public func preparations(of identity: Identity) async throws -> [Preparation] {
        try await reading(for: identity.name) { site in site.preparing.list(of: identity.name, now: site.clock.now()) }
    }

    /// How many requests for predictions with a model are prepared for, and what that takes of the disk in bytes.
    public func prepared(for model: ServedModel) -> (count: Int, bytes: Int) {
        preparing.held(version: model.version)
    }

    /// Gives up something that was prepared for her.
    ///
    /// - Returns: What it was.
    /// - Throws: A `Problem`: it is not there.
    public func cancelPreparation(_ session: String, by identity: Identity) async throws -> Preparation {
        let name = try Self.sessionBytes(session)
        guard let given = try await reading(for: identity.name, { $0.preparing.cancel(name, of: identity.name) }) else {
            throw Problem.absent("no prepared prediction of yours has that name here")
        }
        // The dealer need not keep it; where it cannot be told, it forgets by itself.
        if let connection = outward.withLock({ $0 }),
            let model = try? await reading(
                for: identity.name, { try $0.predictionModel(given.dataset, in: $0.catalogue()).0 })
        {
            let calls = DealerCalls(dealer: model.dealer, key: signingKey, connection: connection)
            _ = try? await preparing.threads.run(for: identity.name) {
                try calls.ask(.end(session: Array(name)), largest: 1 << 10)
            }
        }
        return given
    }

    /// Gives up something that was prepared for her, which she gave up at its dealer before, to see whether the dealer dealt it rightly (``SecureComputation/OpenedDealing``).
    ///
    /// - Returns: What the dealer opened to this site, as it signed it: she compares it to what is opened to her.
    /// - Throws: A `Problem`: it is not there, or was dealt wrongly; all that was prepared by that dealer is given up then.
    public func checkPreparation(_ session: String, by identity: Identity) async throws -> OpeningProof {
        let (name, nonce) = (identity.name, try Self.sessionBytes(session))
        let admission = try preparing.threads.admission(of: name)
        defer { withExtendedLifetime(admission) {} }
        return try await preparing.threads.run(for: name) { [self] in
            guard let found = preparing.shelf.all().first(where: { $0.session == nonce && $0.other == name }) else {
                throw Problem.absent("no prepared prediction of yours has that name here")
            }
            let (model, _) = try predictionModel(found.dataset, in: try catalogue())
            guard model.version == found.version, let connection = outward.withLock({ $0 }) else {
                throw Problem.conflict("it was prepared for a model that is not there any more")
            }
            // Opened only when nothing can be computed with it any more.
            let (prepared, steps) = try preparing.take(nonce, of: name, isCharged: false, now: clock.now())
            let calls = DealerCalls(dealer: model.dealer, key: signingKey, connection: connection)
            let program = try model.terms.program(rows: prepared.rows)
            let named = try PredictionSession.session(
                program, first: prepared.key, second: signingKey.publicKey.rawRepresentation, dealer: model.dealer.key,
                nonce: Array(nonce))
            let (seeds, proof) = try calls.open(Array(nonce))
            guard !seeds.isEmpty else {
                throw Problem.conflict(
                    "the dealer opens nothing, since you have not given the session up: it serves nobody any more",
                    hint: "ask the dealer to open it first, then the site")
            }
            guard seeds.count == 32 else { throw wronglyDealt(by: model.dealer) }
            let opened = try OpenedDealing(
                seeds: seeds, program: program, session: named, party: .second, mask: model.mask)
            guard
                opened.isRight(try Correlations(Array(prepared.header), program: program, session: named)),
                try prepared.places.allSatisfy({ place in
                    opened.isRight(try steps.take(place.step).withBytes { Array($0) }, step: place.step)
                })
            else { throw wronglyDealt(by: model.dealer) }
            let now = clock.now()
            preparing.note(
                Preparations.Opened(
                    name: name, first: prepared.key, dealer: model.dealer, seeds: seeds, forgotten: now + 600),
                of: nonce, now: now)
            return proof
        }
    }

    /// Shows this site what a dealer opened to whoever asked, of a session that both gave up: it must be what was opened to this site.
    ///
    /// - Throws: A `Problem`: no such session was opened, it shows nothing of the kind, or the dealer told each something else; all that was prepared by that dealer is given up then. She alone cannot make it so: the dealer signed it.
    public func compareOpening(_ proof: OpeningProof, of session: String, by identity: Identity) async throws {
        let nonce = try Self.sessionBytes(session)
        guard let opened = preparing.opened(nonce, of: identity.name, now: clock.now()) else {
            throw Problem.absent("no session of yours with that name was opened here just now")
        }
        let seeds: [UInt8]
        do throws(DealingError) {
            seeds = try SignedQuestion.opened(
                by: proof, session: Array(nonce), asker: opened.first, dealer: opened.dealer.key)
        } catch { throw Problem.invalidRequest("that shows not what a dealer opened: \(error)") }
        guard constantTimeEqual(seeds, opened.seeds) else {
            throw try await reading(for: identity.name) { $0.wronglyDealt(by: opened.dealer) }
        }
    }

    /// What is said of a dealer that dealt wrongly, when all that it dealt is given up.
    private func wronglyDealt(by dealer: ServedPrediction.Dealer) -> Problem {
        preparing.removeAll(dealer: dealer.key)
        return Problem.conflict(
            "the dealer at \(dealer.url) dealt wrongly: all that this site was dealt by it is given up",
            hint: "do not predict by that dealer: tell its operator, and the site's owner")
    }

    /// Takes what was prepared, for a request that was charged. Whoever asked had her part of it before: the dealer needs to know no more of it.
    func takePrepared(
        _ session: Data, of name: String, fits: (PreparedSession) -> Bool
    ) throws -> (PreparedSession, SpooledSteps) {
        let taken = try preparing.take(session, of: name, isCharged: true, now: clock.now(), fits: fits)
        if let connection = outward.withLock({ $0 }),
            let (model, _) = try? predictionModel(taken.0.dataset, in: try catalogue()),
            model.dealer.key == taken.0.dealer
        {
            let calls = DealerCalls(dealer: model.dealer, key: signingKey, connection: connection)
            Task {
                _ = try? await preparing.threads.run(for: name) {
                    try calls.ask(.end(session: Array(session)), largest: 1 << 10)
                }
            }
        }
        return taken
    }

    private static func sessionBytes(_ text: String) throws -> Data {
        guard let bytes = Data(hexadecimal: text), bytes.count == 16 else {
            throw Problem.absent("no prepared prediction of yours has that name here")
        }
        return bytes
    }
}
