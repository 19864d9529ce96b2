import Crypto
import DatasiteProtocol
import EncryptedPrediction
import Foundation
import Secrets
import SecureComputation

/// This site's part in a prediction on shares: message for message with whoever asked, by what was dealt to both beforehand.
///
/// Correlations serve once: they have no name on the disk any more before the first message leaves, and a run that was cut short behind that is not gone on with (docs/privacy.md, rule 33).
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
        guard let first = PredictionWork.keyBytes(work.request.key) else { return fault("the request's key is none") }
        do {
            let visit = outside.receives(RoundMessage.headerBytes + 8 * program.mostOpenedWords(by: .first))
            visit.open([])
            guard wait(until: { visit.isKnocked }, for: Self.patience) else {
                return fault("whoever asked did not come within \(Self.patience.components.seconds) seconds")
            }
            guard let (prepared, steps) = prepared(visit, for: first) else {
                return track.goesOn ? fault("whoever asked named nothing that was prepared for the request") : nil
            }
            let session = try PredictionSession.session(
                program, first: first, second: outside.identity.publicKey.rawRepresentation,
                dealer: work.model.dealer.key, nonce: Array(prepared.session))
            let correlations = try Correlations(Array(prepared.header), program: program, session: session)
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

    /// What whoever asked says is prepared for the request: her first message, 16 bytes, names it. It has its reply when this site's part is ready; who names nothing that fits may name another.
    private func prepared(_ visit: Visit, for first: Data) -> (PreparedSession, SpooledSteps)? {
        var end = outside.pace.now + Self.patience
        for _ in 0..<Self.mostRefused {
            guard let bytes = next(visit, until: end) else { return nil }
            do {
                return try outside.prepared(Data(bytes)) { prepared in
                    prepared.dataset == work.request.dataset && prepared.version == work.request.version
                        && prepared.rows == work.request.rows && prepared.key == first
                }
            } catch {
                visit.refuse((error as? Problem) ?? Problem.unavailable("what was prepared cannot be read"))
                // She may have another prepared for the same request.
                end = deadline
            }
        }
        return nil
    }

    /// The next message, looking now and then whether it is still wanted.
    private func next(_ visit: Visit, until end: Duration) -> [UInt8]? {
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

    private func converse(
        _ begun: TwoPartyMachine, _ steps: SpooledSteps, _ visit: Visit
    ) throws -> [UInt8]? {
        var machine = begun
        guard var own = try machine.begin() else { return fault("the program opens nothing") }
        // It named what is prepared.
        visit.answer([])
        var refused = 0
        while true {
            for step in machine.awaitedSteps { try machine.supply(try steps.take(step), step: step) }
            guard let bytes = next(visit, until: min(deadline, outside.pace.now + Self.patience)) else {
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
