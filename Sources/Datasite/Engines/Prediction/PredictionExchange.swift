import Crypto
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Secrets
import SecureComputation

/// This site's part in a prediction on shares: dealt correlations first, then message for message with whoever asked.
///
/// Correlations serve once: that they do is stored before the first message leaves, and a run that was cut short behind that is not gone on with (docs/privacy.md, rule 33).
struct PredictionExchange {
    let work: PredictionWork
    let outside: Outside
    let workspace: Workspace
    let track: StepTrack

    /// So long whoever asked may be silent.
    static let patience: Duration = .seconds(120)
    /// So many messages that cannot be taken end the run.
    static let mostRefused = 20

    private var terms: PredictionTerms { work.model.terms }
    private var program: Program { work.program }

    /// The last message, which is let out with the release. nil: it did not come to its end; the workspace says why.
    func run() -> [UInt8]? {
        guard let lock = workspace.lock() else { return nil }
        defer { withExtendedLifetime(lock) {} }
        guard !workspace.folder.has(.participant) else {
            return fault("it was cut short behind its first message, and what was dealt for it serves once")
        }
        guard let connection = outside.connection else {
            return fault("this process reaches no dealer: `parley serve` does")
        }
        guard let first = PredictionWork.keyBytes(work.request.key) else { return fault("the request's key is none") }
        do {
            let calls = DealerCalls(dealer: work.model.dealer, key: outside.identity, connection: connection)
            let (session, correlations, steps) = try dealt(calls, first: first)
            guard track.finish(1) else { return nil }
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(
                correlations, inputs: PartyInputs(weights: try work.model.weights(), mask: work.model.mask))
            let machine = try TwoPartyMachine(
                program: program, session: session, correlations: correlations, claim: claim)
            guard workspace.save(Array(try JSONEncoder().encode(ledger)), to: .participant) else { return nil }
            return try converse(machine, steps, session)
        } catch let problem as Problem {
            return fault(problem.detail)
        } catch {
            // Errors of the protocol say numbers and places alone.
            return fault("\(error)")
        }
    }

    private func fault(_ words: String) -> [UInt8]? {
        workspace.note(words)
        return nil
    }

    private func dealt(
        _ calls: DealerCalls, first: Data
    ) throws -> (ComputationSession, Correlations, SpooledSteps) {
        let nonce = try calls.ask(
            .session(terms: terms.bytes, rows: work.request.rows, first: first, mask: work.model.mask.identifier),
            largest: 1 << 10)
        let session = try PredictionSession.session(
            program, first: first, second: outside.identity.publicKey.rawRepresentation, dealer: work.model.dealer.key,
            nonce: nonce)
        let header = try calls.ask(.header(session: nonce), largest: 1 << 10)
        let correlations = try Correlations(header, program: program, session: session)
        let steps = try SpooledSteps(in: workspace.folder.path)
        for step in program.correlatedSteps {
            let count = program.correlationBytes(step: step, of: .second)
            guard count > 0 else { continue }
            let bytes = try calls.ask(.step(session: nonce, step: step), largest: count)
            try steps.append(bytes, step: step)
            guard track.goesOn else { throw Problem.conflict("it was cancelled") }
        }
        return (session, correlations, steps)
    }

    private func converse(
        _ begun: TwoPartyMachine, _ steps: SpooledSteps, _ session: ComputationSession
    ) throws -> [UInt8]? {
        var machine = begun
        let visit = outside.receives(RoundMessage.headerBytes + 8 * program.mostOpenedWords(by: .first))
        guard var own = try machine.begin() else { return fault("the program opens nothing") }
        visit.open(session.nonce)
        var refused = 0
        while true {
            // Read while the other one computes.
            for step in machine.awaitedSteps { try machine.supply(try steps.take(step), step: step) }
            guard let bytes = visit.next(within: Self.patience) else {
                return fault("whoever asked was silent for \(Self.patience.components.seconds) seconds")
            }
            guard track.goesOn else { return nil }
            do throws(ComputationError) {
                let message = try RoundMessage(bytes: bytes, words: machine.expectedWords)
                try machine.check(message)
                // It follows from earlier messages alone, so that both compute at once; the last one is the release's.
                if !machine.isLastRound { visit.answer(own.bytes) }
                guard let next = try machine.receive(message) else { return own.bytes }
                own = next
            } catch {
                refused += 1
                guard refused < Self.mostRefused else { return fault("\(error)") }
                visit.refuse(.invalidRequest("\(error)"))
            }
        }
    }
}
