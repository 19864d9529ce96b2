import Crypto
public import DatasiteProtocol
import EncryptedPrediction
import Foundation
import SecureComputation
import Synchronization

/// A dealer, asked by this site under its own key.
struct DealerCalls {
    let dealer: ServedPrediction.Dealer
    let key: Curve25519.Signing.PrivateKey
    let connection: any CoordinatorConnection

    /// - Parameter largest: Of what is replied.
    /// - Throws: A `Problem`; ``UnusableCoordinator``.
    func ask(_ question: DealerQuestion, largest: Int) throws -> [UInt8] {
        let (asked, reply) = try replied(question, largest: largest)
        return try content(of: reply, to: asked)
    }

    /// Has a session opened.
    ///
    /// - Returns: Its seeds, empty where the other party has not given it up, and what shows others that the dealer said so.
    func open(_ session: [UInt8]) throws -> (seeds: [UInt8], proof: OpeningProof) {
        let (asked, reply) = try replied(.open(session: session), largest: 1 << 10)
        return (
            try content(of: reply, to: asked), OpeningProof(question: Data(asked.bytes), reply: Data(reply))
        )
    }

    private func replied(_ question: DealerQuestion, largest: Int) throws -> (SignedQuestion, [UInt8]) {
        let asked = try SignedQuestion(
            question, dealer: dealer.key, key: key, time: UInt64(max(0, Date().timeIntervalSince1970)))
        do {
            return (asked, try exchange(asked.bytes, largest: largest + SignedQuestion.replyHead))
        } catch let problem as Problem { throw problem } catch let unusable as UnusableCoordinator {
            throw Problem.unavailable(unusable.words.replacing("coordinator", with: "dealer"))
        } catch {
            throw Problem.unavailable(
                "the dealer at \(dealer.url) cannot be reached", hint: "is it served? `parley mpc check` looks")
        }
    }

    private func content(of reply: [UInt8], to asked: SignedQuestion) throws -> [UInt8] {
        do throws(DealingError) { return try asked.verifiedReply(reply) } catch {
            throw Problem.unavailable(
                "the dealer at \(dealer.url) does not have the key \(hexadecimal(dealer.key))", hint: "\(error)")
        }
    }

    /// Few are dealt to at a time: who finds no room comes again, for ten seconds.
    private func exchange(_ message: [UInt8], largest: Int) throws -> [UInt8] {
        for _ in 0..<40 {
            do {
                return try connection.exchange(message, with: dealer.url, largestReply: largest)
            } catch let problem as Problem where problem.status == 503 {
                Thread.sleep(forTimeInterval: 0.25)
            }
        }
        return try connection.exchange(message, with: dealer.url, largestReply: largest)
    }

    /// What the site gets of a step, which has a public length.
    func step(_ step: Int, of session: [UInt8], program: Program) throws -> [UInt8] {
        let count = program.correlationBytes(step: step, of: .second)
        let bytes = try ask(.step(session: session, step: step), largest: count)
        guard bytes.count == count else {
            throw Problem.unavailable(
                "the dealer at \(dealer.url) gave \(bytes.count) bytes of a step, and it has \(count)")
        }
        return bytes
    }

    func mask() throws -> WeightMask {
        do { return try WeightMask(stored: try ask(.mask, largest: 1 << 10)) } catch let error as ComputationError {
            throw Problem.unavailable("the dealer's mask cannot be read", hint: "\(error)")
        }
    }

    /// Asks what an admitted party is refused otherwise than a stranger: nothing is begun.
    func check() -> DealerCheck {
        let start = ContinuousClock.now
        let nothing = DealerQuestion.end(session: [UInt8](repeating: 0, count: 16))
        do { _ = try ask(nothing, largest: 1 << 10) } catch let problem as Problem {
            let away = "\(ShortNumber.text(((ContinuousClock.now - start) / .milliseconds(1)).rounded())) ms"
            switch problem.status {
            case 404:
                return DealerCheck(isAdmitted: true, detail: "the site is admitted at \(dealer.url), \(away) away")
            case 403:
                return DealerCheck(
                    isAdmitted: false,
                    detail:
                        "the dealer at \(dealer.url) serves the site not: its operator has to admit it: parley dealer admit DIR NAME \(key.publicKey.rawRepresentation.base64EncodedString())"
                )
            default: return DealerCheck(isAdmitted: false, detail: problem.detail)
            }
        } catch { return DealerCheck(isAdmitted: false, detail: "the dealer at \(dealer.url) cannot be reached") }
        return DealerCheck(isAdmitted: true, detail: "the site is admitted at \(dealer.url)")
    }
}

extension Datasite {
    /// Whether this site reaches the dealer of the model that a dataset's policy names. One look at a time, on a thread of its own: a dealer may be silent for long.
    ///
    /// - Throws: A `Problem`: the policy allows no predictions, this process reaches nobody, or somebody else looks.
    public func dealerCheck(of dataset: String) async throws -> DealerCheck {
        let model = try await reading { site in try site.predictionModel(dataset, in: site.catalogue()).0 }
        guard let connection = outward.withLock({ $0 }) else {
            throw Problem.unavailable("this process reaches no dealer: `parley serve` does")
        }
        let isFirst = isCheckingDealer.withLock { isChecking in
            defer { isChecking = true }
            return !isChecking
        }
        guard isFirst else { throw Problem.busy("a look at the dealer is under way: its thread is") }
        let calls = DealerCalls(dealer: model.dealer, key: signingKey, connection: connection)
        return await withCheckedContinuation { continuation in
            Thread {
                let check = calls.check()
                self.isCheckingDealer.withLock { $0 = false }
                continuation.resume(returning: check)
            }.start()
        }
    }
}
