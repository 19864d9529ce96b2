public import Crypto
public import DatasiteClient
public import DatasiteProtocol
public import EncryptedPrediction
import Foundation
import ModularArithmetic
import SecureComputation

/// Where whoever asks keeps what she is dealt.
public enum PreparationPlace: Sendable {
    /// A folder of files without names, which vanish with this process.
    case memory(String)
    /// A shelf, for a later call.
    case shelf(PreparationShelf)
    /// A shelf, on which it is to be found only when it is published: what will be drawn from to be opened.
    case draft(PreparationShelf)
}

/// What both sides were dealt for a prediction, as whoever asks has it: it serves once.
public struct PreparedPrediction: Sendable, CustomStringConvertible, CustomReflectable {
    /// What it is for.
    public let record: PreparedSession
    private let place: Place

    private enum Place {
        case memory(SpooledSteps)
        case draft(SpooledSteps, PreparationShelf)
        /// What is held, so that no other process chooses it: a claim, or the file since it was made.
        case shelf(PreparationShelf, any Sendable)
    }

    private init(_ record: PreparedSession, _ place: Place) { (self.record, self.place) = (record, place) }

    init(_ record: PreparedSession, _ steps: SpooledSteps, in place: PreparationPlace) throws {
        switch place {
        case .memory: self.init(record, .memory(steps))
        case .draft(let shelf):
            try shelf.complete(record, steps)
            self.init(record, .draft(steps, shelf))
        case .shelf(let shelf):
            try shelf.keep(record, steps)
            self.init(record, .shelf(shelf, steps))
        }
    }

    /// Chooses one of a shelf, until this ends.
    ///
    /// - Returns: nil: it is gone, or another process has chosen it.
    public init?(_ record: PreparedSession, on shelf: PreparationShelf) {
        guard let claim = shelf.claim(record.session) else { return nil }
        self.init(record, .shelf(shelf, claim))
    }

    /// Puts a draft on its shelf.
    ///
    /// - Throws: That it cannot be moved.
    public func publish() throws {
        if case .draft(_, let shelf) = place { try shelf.publish(record.session) }
    }

    /// Removes a draft.
    public func abandon() {
        if case .draft(_, let shelf) = place { shelf.abandon(record.session) }
    }

    /// The key by which dealer and site know whoever asks.
    var key: Curve25519.Signing.PrivateKey {
        get throws { try Curve25519.Signing.PrivateKey(rawRepresentation: record.key) }
    }

    /// What was dealt, which serves nobody else from here on; nil: it served already.
    func take() throws -> SpooledSteps? {
        switch place {
        case .memory(let steps): return steps
        case .shelf(let shelf, _): return try shelf.take(record.session)?.1
        case .draft(let steps, _):
            abandon()
            return steps
        }
    }

    func session(_ program: Program, with served: ServedPrediction) throws -> ComputationSession {
        try PredictionSession.session(
            program, first: key.publicKey.rawRepresentation, second: served.site, dealer: served.dealer.key,
            nonce: Array(record.session))
    }

    /// The dealer needs to know no more of it. A session that is not closed ends by itself.
    public func close(_ dealer: DealerClient, _ served: ServedPrediction) async {
        guard let key = try? key else { return }
        _ = try? await dealer.ask(
            .end(session: Array(record.session)), dealer: served.dealer.key, key: key, largest: 1 << 10)
    }

    /// Tells the dealer that it is still needed: who asks for nothing in ten minutes is forgotten.
    public func keepOpen(_ dealer: DealerClient, _ served: ServedPrediction) async {
        guard let key = try? key else { return }
        _ = try? await dealer.ask(
            .header(session: Array(record.session)), dealer: served.dealer.key, key: key, largest: 1 << 10)
    }

    /// How many rows, and of which version.
    public var description: String { "PreparedPrediction(\(record.rows) rows of \(record.version.prefix(8)))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension DatasiteClient {
    /// Has both sides dealt what a prediction of so many rows takes. Nothing is charged.
    ///
    /// - Parameters:
    ///   - place: Where this side's part is kept.
    ///   - key: By which dealer and site know whoever asks; nil: one that is drawn for it.
    ///   - request: One that was charged already with that key, for which it is.
    /// - Throws: `Problem`, `TransportError`.
    public func prepare(
        rows: Int, with served: ServedPrediction, dealer: DealerClient, in place: PreparationPlace,
        key: Curve25519.Signing.PrivateKey? = nil, request: String? = nil,
        progress: @Sendable (PredictionProgress) -> Void = { _ in }
    ) async throws -> PreparedPrediction {
        let key = key ?? Curve25519.Signing.PrivateKey()
        let program = try PredictionTerms(bytes: Array(served.terms)).program(rows: rows)
        let asked = PreparationRequest(
            version: served.version, rows: rows, key: hexadecimal(key.publicKey.rawRepresentation), request: request)
        let begun: Preparation = try Self.decode(
            try await transport.post(
                "/v1/predictions/\(Self.escaped(served.dataset))/preparations", asked, timeout: .seconds(60)
            ).body)
        guard let session = Data(hexadecimal: begun.session), session.count == 16 else {
            throw TransportError(.notADatasite, "the site's session has no name", hint: "tell the site's owner")
        }
        var record = PreparedSession(
            session: session, dataset: served.dataset, version: served.version, rows: rows,
            other: hexadecimal(served.site), dealer: served.dealer.key, key: key.rawRepresentation, header: Data(),
            expires: UInt64(max(0, Date().timeIntervalSince1970)) + PreparedSession.lifetime)
        do {
            let named = try PredictionSession.session(
                program, first: key.publicKey.rawRepresentation, second: served.site, dealer: served.dealer.key,
                nonce: Array(session))
            record.header = Data(
                try await dealer.ask(
                    .header(session: Array(session)), dealer: served.dealer.key, key: key, largest: 1 << 10))
            _ = try Correlations(Array(record.header), program: program, session: named)
            let steps =
                switch place {
                case .memory(let directory): try SpooledSteps(in: directory)
                case .shelf(let shelf), .draft(let shelf): try shelf.begin(session)
                }
            let whole = program.cost.correlationBytesToFirst
            for step in program.correlatedSteps {
                let count = program.correlationBytes(step: step, of: .first)
                guard count > 0 else { continue }
                let bytes = try await dealer.ask(
                    .step(session: Array(session), step: step), dealer: served.dealer.key, key: key, largest: count)
                guard bytes.count == count else {
                    throw TransportError(
                        .notADatasite, "the dealer gave \(bytes.count) bytes of a step, and it has \(count)",
                        hint: "tell the dealer's operator")
                }
                try steps.append(bytes, step: step)
                progress(.dealt(Int(steps.count), of: whole))
            }
            try await siteIsDealt(begun.session)
            record.places = steps.places
            return try PreparedPrediction(record, steps, in: place)
        } catch {
            switch place {
            case .memory: break
            case .shelf(let shelf), .draft(let shelf): shelf.abandon(session)
            }
            await discard(record)
            throw error
        }
    }

    /// Waits until the site has its part.
    private func siteIsDealt(_ session: String) async throws {
        let absent = Problem(
            .siteUnavailable, "the site has not what was prepared: it was started anew, or had no room",
            hint: "try again")
        var pause = Duration.milliseconds(5)
        while true {
            guard let there = try await preparations().first(where: { $0.session == session }) else { throw absent }
            switch there.state {
            case .ready: return
            case .failed:
                throw Problem(.siteUnavailable, "the site was not dealt to: \(there.detail ?? "it does not say why")")
            case .dealing:
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(500))
            }
        }
    }

    /// What the site has prepared for whoever asks, or is being dealt.
    ///
    /// - Throws: `Problem`, `TransportError`.
    public func preparations() async throws -> [Preparation] {
        try Self.decode(try await transport.get("/v1/preparations", timeout: options.timeout).body)
    }

    /// Gives something up that was prepared, at the site, if that can be reached.
    public func discard(_ prepared: PreparedSession) async {
        _ = try? await discard(session: hexadecimal(prepared.session))
    }

    /// Gives something up that was prepared, at the site.
    ///
    /// - Parameter session: ``DatasiteProtocol/Preparation/session``.
    /// - Throws: `Problem`, `TransportError`.
    public func discard(session: String) async throws {
        _ = try await transport.post(
            "/v1/preparations/\(Self.escaped(session))/cancel", [UInt8](), largest: 1 << 12, timeout: options.timeout)
    }

    /// Gives something up that was prepared, and not closed, so that its dealer opens it: both sides see whether it was dealt rightly (`OpenedDealing`), and whether both were told the same, each by what the dealer signed for the other.
    ///
    /// - Throws: `Problem`, `TransportError`; ``WrongDealing`` where it was not.
    public func check(
        _ prepared: PreparedPrediction, with served: ServedPrediction, dealer: DealerClient
    ) async throws {
        let program = try PredictionTerms(bytes: Array(served.terms)).program(rows: prepared.record.rows)
        // From here on nothing is computed with it.
        guard let steps = try prepared.take() else { throw Problem(.conflict, "it served already") }
        let (nonce, key, session) = (
            Array(prepared.record.session), try prepared.key, try prepared.session(program, with: served)
        )
        let wrong = WrongDealing(url: served.dealer.url)
        func open() async throws -> (seeds: [UInt8], proof: OpeningProof) {
            let reply: (seeds: [UInt8], proof: OpeningProof)
            do {
                reply = try await dealer.open(nonce, dealer: served.dealer.key, key: key)
            } catch let problem as Problem where problem.kind != .busy {
                throw WrongDealing(
                    url: served.dealer.url,
                    detail:
                        "the dealer at \(served.dealer.url) did not open what was drawn (\(problem.detail)): one that was started anew does that too, and one that dealt wrongly"
                )
            }
            // Signed, and no answer to it.
            guard [0, 32].contains(reply.seeds.count) else { throw wrong }
            return reply
        }
        // The site finds it given up, and waits for nobody; what is opened to it this side may ask for then.
        _ = try await open()
        // What the site says of the dealer is the site's word: only what the dealer signed is believed against it.
        let site: OpeningProof = try Self.decode(
            try await transport.post(
                "/v1/preparations/\(hexadecimal(nonce))/check", [UInt8](), largest: 1 << 12, timeout: .seconds(600)))
        let own = try await open()
        guard !own.seeds.isEmpty else { throw wrong }
        let opened = try OpenedDealing(seeds: own.seeds, program: program, session: session, party: .first)
        let correlations = try Correlations(Array(prepared.record.header), program: program, session: session)
        let isRight = try prepared.record.places.allSatisfy { place in
            opened.isRight(try steps.take(place.step).withBytes { Array($0) }, step: place.step)
        }
        guard isRight, opened.isRight(correlations) else { throw wrong }
        let theirs: [UInt8]
        do throws(DealingError) {
            theirs = try SignedQuestion.opened(
                by: site, session: nonce, asker: served.site, dealer: served.dealer.key)
        } catch {
            throw Problem(
                .conflict, "the site does not show what the dealer opened to it: \(error)",
                hint: "do not use what was prepared with it: tell the site's owner")
        }
        let comparing = "/v1/preparations/\(hexadecimal(nonce))/opening"
        guard theirs == own.seeds else {
            // The site gives up what it was dealt, by what the dealer signed.
            _ = try? await transport.post(comparing, own.proof, timeout: options.timeout)
            throw wrong
        }
        _ = try await transport.post(comparing, own.proof, timeout: options.timeout)
        await prepared.close(dealer, served)
    }
}

/// A dealer gave something else than it should have.
public struct WrongDealing: Error, Sendable, CustomStringConvertible {
    /// Where it is.
    public let url: String
    /// What the site says of it; nil: what it dealt to this side shows it.
    public var detail: String?
    public var description: String { detail ?? "the dealer at \(url) dealt wrongly: what it deals must not be used" }
}
