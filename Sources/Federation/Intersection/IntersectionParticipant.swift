public import Crypto
public import Foundation
public import MultipartyComputation

/// One site's part in a private set intersection with another, by way of who relays: what to send, and what is made of what comes. No I/O, and no clock.
///
/// 1. Each site says hello: a key drawn for this session, and how much it brings, signed by the site's own key. Both hellos make the session (`IntersectionSession`).
/// 2. Each sends its list under its scalar, sealed under what both drawn keys share.
/// 3. Each multiplies the other's list and, where the other is a recipient, sends it back, sealed.
///
/// **Durable.** Whoever runs it stores ``state`` after each ``take(_:identifiers:)`` that made something, before the next message leaves: a site that is killed goes on with the
/// same scalar and the same points, and none answers a second list.
public struct IntersectionParticipant: Sendable {
    /// What is kept between messages. It is as secret as the list.
    public struct State: Sendable, Codable, CustomReflectable {
        /// What the hello's key belongs to.
        fileprivate var key: Data
        /// As the other site sent it.
        fileprivate var hello: Data?
        fileprivate var party: IntersectionParty?

        /// Nothing: a state holds secrets.
        public var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// What came of a message: what was made from rows, or from what the other sent.
    public enum Made: Sendable, Hashable {
        /// This site's own list.
        case blinded
        /// The answer to the other's.
        case evaluated
        /// What both have in common.
        case result
    }

    /// What was asked.
    public let terms: IntersectionTerms
    /// What is kept.
    public private(set) var state: State
    /// What both have in common, once it is known and this site may know it.
    public private(set) var result: IntersectionResult?
    private let key: Curve25519.KeyAgreement.PrivateKey
    private let identity: Curve25519.Signing.PrivateKey
    private var held: Set<IntersectionFrame> = []

    /// - Parameters:
    ///   - identity: The site's own key.
    ///   - state: What was kept; nil: it begins.
    /// - Throws: `own`: a state of other terms, or none.
    public init(
        _ terms: IntersectionTerms, identity: Curve25519.Signing.PrivateKey, state: State? = nil
    ) throws(IntersectionObstacle) {
        (self.terms, self.identity) = (terms, identity)
        guard let state else {
            key = Curve25519.KeyAgreement.PrivateKey()
            self.state = State(key: key.rawRepresentation)
            return
        }
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: state.key) else {
            throw .own(.parameter("state", expected: "one that was kept"))
        }
        (self.key, self.state) = (key, state)
        if let party = state.party {
            guard state.hello != nil, party.role == terms.role, try session() == party.session else {
                throw .own(.parameter("state", expected: "one of these terms"))
            }
        }
    }

    /// The session, once both sites have said hello.
    public var agreed: IntersectionSession? { state.party?.session }

    /// Whether this site needs nothing more, and the other has all that it needs of this one.
    public var isFinished: Bool {
        guard let party = state.party, party.hasEvaluated else { return false }
        let isAnswered = !terms.recipients.contains(terms.role.other) || held.contains(.evaluated)
        return isAnswered && (!terms.recipients.contains(terms.role) || result != nil)
    }

    /// What to send now; nil where a frame cannot be made, which only a broken machine brings about.
    public func next() -> IntersectionMessage? {
        // The last that who relays is not known to have: those before were sent before, unless it lost them.
        guard let missing = ready.last(where: { !held.contains($0) }) else {
            return IntersectionMessage(frame: nil, wants: wants)
        }
        return frame(missing).map { IntersectionMessage(frame: (missing, $0), wants: wants) }
    }

    private var wants: IntersectionFrame? {
        guard let party = state.party else { return .hello }
        guard party.hasEvaluated else { return .blinded }
        return terms.recipients.contains(terms.role) && result == nil ? .evaluated : nil
    }

    /// What this site has for the other.
    private var ready: [IntersectionFrame] {
        guard let party = state.party else { return [.hello] }
        return party.evaluated == nil ? [.hello, .blinded] : [.hello, .blinded, .evaluated]
    }

    private func frame(_ kind: IntersectionFrame) -> Data? {
        switch kind {
        case .hello: return hello.signed(terms, by: identity)
        case .blinded:
            return state.party.flatMap { party in
                channel(party.session)?.seal(
                    party.blinded.points, .blinded, from: terms.role, capacity: terms.part.capacity)
            }
        case .evaluated:
            guard let party = state.party, let answer = party.evaluated else { return nil }
            return channel(party.session)?.seal(
                answer.points, list: answer.list, .evaluated, from: terms.role,
                capacity: party.session.party(terms.role.other).capacity)
        }
    }

    private var hello: IntersectionHello {
        IntersectionHello(key: key.publicKey.rawRepresentation, part: terms.part)
    }

    private func session() throws(IntersectionObstacle) -> IntersectionSession {
        guard let frame = state.hello,
            let other = IntersectionHello(verifying: frame, of: terms.role.other, terms)
        else { throw .notFromTheOther(.hello) }
        return try terms.session(own: hello, other: other)
    }

    private func channel(_ session: IntersectionSession) -> SealedPoints? {
        state.hello.flatMap { SealedPoints(key, with: $0.prefix(32), session: session.digest) }
    }

    /// Takes a reply. Nothing of the state is changed where it throws.
    ///
    /// - Parameter identifiers: This site's own, at most as many distinct ones as its capacity; nil: they cannot be read. Called once in a run, when the other has said hello.
    /// - Returns: What was made, which leaves at the end of a slot of its bound; nil: nothing.
    /// - Throws: `notFromTheOther`, behind which the other's own may come yet; else the part is over.
    public mutating func take(
        _ reply: IntersectionReply, identifiers: () -> [Data]?
    ) throws(IntersectionObstacle) -> Made? {
        held = reply.held
        switch reply.kind {
        case .hello where state.party == nil: return try takeHello(reply.frame, identifiers)
        case .blinded where state.party?.hasEvaluated == false: return try evaluate(reply.frame)
        case .evaluated where state.party?.hasEvaluated == true && result == nil: return try conclude(reply.frame)
        default: return nil
        }
    }

    private mutating func takeHello(
        _ frame: Data, _ identifiers: () -> [Data]?
    ) throws(IntersectionObstacle) -> Made {
        guard let other = IntersectionHello(verifying: frame, of: terms.role.other, terms) else {
            throw .notFromTheOther(.hello)
        }
        guard other.part.capacity <= terms.mostGuesses else {
            throw .tooManyGuesses(other.part.capacity, most: terms.mostGuesses)
        }
        let session = try terms.session(own: hello, other: other)
        guard SealedPoints(key, with: other.key, session: session.digest) != nil else {
            throw .other(.parameter("key", expected: "one that gives a secret"))
        }
        guard let list = identifiers() else {
            throw .own(.parameter("identifiers", expected: "a table that can be read"))
        }
        do throws(IntersectionError) {
            // How often the other is met, and with how many guesses in all, is counted where the session is paid for.
            var allowance = try IntersectionAllowance(
                peer: session.party(terms.role.other).name, sessions: 1, guesses: other.part.capacity)
            state.party = try IntersectionParty(
                session: session, role: terms.role, identifiers: list, allowance: &allowance)
        } catch { throw .own(error) }
        state.hello = frame
        return .blinded
    }

    private mutating func evaluate(_ frame: Data) throws(IntersectionObstacle) -> Made {
        guard var party = state.party,
            let opened = channel(party.session)?.open(frame, .blinded, from: terms.role.other)
        else { throw .notFromTheOther(.blinded) }
        do throws(IntersectionError) {
            _ = try party.evaluate(
                BlindedList(session: party.session.digest, sender: terms.role.other, points: opened.points))
        } catch { throw .other(error) }
        state.party = party
        return .evaluated
    }

    private mutating func conclude(_ frame: Data) throws(IntersectionObstacle) -> Made {
        guard var party = state.party,
            let opened = channel(party.session)?.open(frame, .evaluated, from: terms.role.other)
        else { throw .notFromTheOther(.evaluated) }
        do throws(IntersectionError) {
            result = try party.conclude(
                EvaluatedList(
                    session: party.session.digest, sender: terms.role.other, list: opened.list, points: opened.points))
        } catch { throw .other(error) }
        state.party = party
        return .result
    }
}

extension IntersectionParticipant: CustomStringConvertible, CustomReflectable {
    /// The role alone.
    public var description: String { "IntersectionParticipant(\(terms.role))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
