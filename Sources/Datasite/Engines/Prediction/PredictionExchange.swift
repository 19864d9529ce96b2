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

    /// So long whoever asked may take to come, and be silent between two messages.
    static let patience: Duration = .seconds(30)
    /// A run takes at most so long, and a second more for each megabyte that is dealt or said.
    static let longest: Duration = .seconds(120)
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
            let nonce = try calls.ask(
                .session(terms: terms.bytes, rows: work.request.rows, first: first, mask: work.model.mask.identifier),
                largest: 1 << 10)
            // Whatever becomes of it: a dealer holds few sessions at a time.
            defer { _ = try? calls.ask(.end(session: nonce), largest: 1 << 10) }
            let visit = outside.receives(RoundMessage.headerBytes + 8 * program.mostOpenedWords(by: .first))
            visit.open(nonce)
            guard wait(until: { visit.isKnocked }, for: Self.patience) else {
                return fault("whoever asked did not come within \(Self.patience.components.seconds) seconds")
            }
            let (session, correlations, steps) = try dealt(calls, first: first, nonce)
            guard track.finish(1) else { return nil }
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(
                correlations, inputs: PartyInputs(weights: try work.model.weights(), mask: work.model.mask))
            let machine = try TwoPartyMachine(
                program: program, session: session, correlations: correlations, claim: claim)
            guard workspace.save(Array(try JSONEncoder().encode(ledger)), to: .participant) else { return nil }
            return try converse(machine, steps, visit)
        } catch let problem as Problem {
            return fault(problem.detail)
        } catch {
            // Errors of the protocol say numbers and places alone.
            return fault("\(error)")
        }
    }

    /// The next message, looking now and then whether it is still wanted; who asked may take as long to be dealt to as this site did.
    private func next(_ visit: Visit) -> [UInt8]? {
        let silence = max(Self.patience, min(deadline - outside.pace.now, (outside.pace.now - outside.start) * 2))
        let end = min(deadline, outside.pace.now + silence)
        while outside.pace.now < end, track.goesOn {
            if let bytes = visit.next(within: .milliseconds(250)) { return bytes }
        }
        return nil
    }

    private func fault(_ words: String) -> [UInt8]? {
        workspace.note(words)
        return nil
    }

    /// - Returns: Whether it became so in time; not, where the run is not wanted any more.
    private func wait(until isSo: () -> Bool, for time: Duration) -> Bool {
        let end = outside.pace.now + time
        while !isSo() {
            guard outside.pace.now < end, track.goesOn else { return false }
            outside.pace.sleep(until: outside.pace.now + .milliseconds(20))
        }
        return true
    }

    /// By when it is over.
    private var deadline: Duration {
        let cost = program.cost
        return outside.start + Self.longest
            + .seconds((cost.bytes + cost.correlationBytesToFirst + cost.correlationBytesToSecond) >> 20)
    }

    private func dealt(
        _ calls: DealerCalls, first: Data, _ nonce: [UInt8]
    ) throws -> (ComputationSession, Correlations, SpooledSteps) {
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
        _ begun: TwoPartyMachine, _ steps: SpooledSteps, _ visit: Visit
    ) throws -> [UInt8]? {
        var machine = begun
        guard var own = try machine.begin() else { return fault("the program opens nothing") }
        visit.becomeReady()
        var refused = 0
        while true {
            // Read while the other one computes.
            for step in machine.awaitedSteps { try machine.supply(try steps.take(step), step: step) }
            guard let bytes = next(visit) else {
                return track.goesOn ? fault("whoever asked was silent, or the run took too long") : nil
            }
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
