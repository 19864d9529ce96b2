internal import DatasiteProtocol
public import Foundation
public import SecureComputation

/// A dealer's sessions and masks: pure, for whoever serves it (docs/privacy.md, rule 33).
///
/// Parties whom its operator admitted keep masks and begin sessions; with whom, they say. Both of a session ask for their own correlations, step by step; each step is made when it is asked for, from seeds that are in memory
/// alone, and forgotten with the session. What a party has is derived from its own seed and what the dealer made for it; nobody gets the other one's, but of a session that both gave up (``SecureComputation/OpenedDealing``).
///
/// **Threat model.** That of ``SecureComputation/Dealer``: trusted not to collude. It learns who computes with whom, which architecture, on how many rows, and when: no input, no weights, no result.
public struct DealerDesk: Sendable, CustomStringConvertible, CustomReflectable {
    /// What a stranger or a party can make it hold or compute.
    public enum Limits {
        /// Masks of one party.
        public static let masks = 1_000
        /// Sessions of one party at a time.
        public static let sessions = 256
        /// Seconds that a session lasts: sixteen of some gigabytes take hours on a slow line.
        public static let lifetime: UInt64 = 21_600
        /// Seconds that a session lasts of which nobody asks for anything.
        public static let idle: UInt64 = 600
        /// Seconds that a session lasts which both of it gave up.
        public static let opened: UInt64 = 60
        /// Elements of all values of a program.
        public static let elements = 1 << 26
        /// Bytes of one step's correlations of one party: it is made and sent whole.
        public static let stepBytes = 1 << 29
        /// Times that a party gets a step: once, and again where the line broke.
        public static let takes = 4
    }

    /// A session: who, and what each of them has had.
    private struct Session {
        let dealer: Dealer
        let owner: Data
        let first: Data
        /// Those of one model for as many rows have one in common.
        let program: Program
        var expires: UInt64
        var asked: UInt64
        var taken: [Int: [Int]] = [:]
        /// Who gave it up.
        var givenUp: Set<ComputingParty> = []
    }

    /// What is to be done for a question.
    public enum Work: Sendable {
        /// The reply.
        case reply([UInt8])
        /// The reply, once this mask of the asker's is stored.
        case keep(WeightMask)
        /// A step's correlations, which take a while: for ``bytes``.
        case step(Dealer, ComputingParty, Int)

        /// The reply's content.
        public var bytes: [UInt8] {
            switch self {
            case .reply(let bytes): return bytes
            case .keep(let mask): return mask.stored
            case .step(let dealer, let party, let step): return dealer.encodedStep(step, for: party)
            }
        }

        /// How many bytes the reply's content has.
        public var count: Int {
            switch self {
            case .reply(let bytes): bytes.count
            case .keep: 64
            case .step(let dealer, let party, let step): dealer.correlationBytes(step: step, for: party)
            }
        }
    }

    /// Its key.
    public let key: Data
    /// The keys of the parties that it serves.
    public var parties: Set<Data>
    private var masks: [Data: [WeightMask]]
    private var sessions: [[UInt8]: Session] = [:]

    /// - Parameter masks: By owner, as they were stored.
    public init(key: Data, parties: Set<Data>, masks: [Data: [WeightMask]]) {
        (self.key, self.parties, self.masks) = (key, parties, masks)
    }

    /// Takes a question that its asker signed.
    ///
    /// - Throws: ``DealingError``.
    /// - Parameter program: Of a question for a session, as ``program(of:rows:)`` gives it, which takes a while; nil: it is made here.
    public mutating func take(
        _ question: DealerQuestion, from asker: Data, now: UInt64, program: Program? = nil
    ) throws(DealingError) -> Work {
        sessions = sessions.filter { $0.value.expires > now && $0.value.asked + Limits.idle > now }
        switch question {
        case .mask:
            guard parties.contains(asker) else { throw .stranger }
            guard masks[asker, default: []].count < Limits.masks else {
                throw .full("a party has at most \(Limits.masks) masks here, one a model")
            }
            return .keep(Dealer.weightMask())
        case .session(let terms, let rows, let first, let mask):
            guard parties.contains(asker) else { throw .stranger }
            let opening = Opening(owner: asker, first: first, mask: mask, now: now)
            guard let program else { return .reply(try open(try Self.program(of: terms, rows: rows), opening)) }
            return .reply(try open(program, opening))
        case .end(let name):
            // A stranger is told that she is one.
            guard parties.contains(asker) || sessions[name]?.first == asker else { throw .stranger }
            _ = try session(name, of: asker)
            sessions[name] = nil
            return .reply([])
        case .open(let name):
            let (session, party) = try session(name, of: asker)
            sessions[name]?.givenUp.insert(party)
            // Whoever still may compute with it has not asked, and is safe from the other one's asking.
            guard session.givenUp.union([party]).count == 2 else { return .reply([]) }
            // Nobody computes with it: it takes its place for as long as both need to ask.
            sessions[name]?.expires = min(session.expires, now + Limits.opened)
            return .reply(session.dealer.openedSeeds)
        case .header(let name):
            let (session, party) = try served(name, to: asker)
            sessions[name]?.asked = now
            let headers = session.dealer.headers
            return .reply(party == .first ? headers.first : headers.second)
        case .step(let name, let step):
            let (session, party) = try served(name, to: asker)
            sessions[name]?.asked = now
            guard session.dealer.steps.contains(step) else { throw .program("the program has no such step") }
            let taken = session.taken[step] ?? [0, 0]
            guard taken[party.rawValue] < Limits.takes else {
                throw .full("a step is given at most \(Limits.takes) times: begin a new session")
            }
            sessions[name]?.taken[step, default: [0, 0]][party.rawValue] += 1
            return .step(session.dealer, party, step)
        }
    }

    /// Who began the session that a question is about, where the asker is its other party; nil of all else.
    public func owner(of question: DealerQuestion, by asker: Data) -> Data? {
        guard case .step(let name, _) = question, let session = sessions[name], session.first == asker else {
            return nil
        }
        return session.owner
    }

    /// A question was answered by nothing: what it took of a step is given back.
    public mutating func giveBack(_ question: DealerQuestion, of asker: Data) {
        guard case .step(let name, let step) = question, let (_, party) = try? session(name, of: asker),
            let count = sessions[name]?.taken[step]?[party.rawValue], count > 0
        else { return }
        sessions[name]?.taken[step]?[party.rawValue] = count - 1
    }

    /// A mask that is stored.
    public mutating func keep(_ mask: WeightMask, of owner: Data) { masks[owner, default: []].append(mask) }

    private func session(_ name: [UInt8], of asker: Data) throws(DealingError) -> (Session, ComputingParty) {
        guard let session = sessions[name] else { throw .session }
        if asker == session.first { return (session, .first) }
        guard asker == session.owner else { throw .session }
        return (session, .second)
    }

    /// The same, of a session that nobody gave up.
    private func served(_ name: [UInt8], to asker: Data) throws(DealingError) -> (Session, ComputingParty) {
        let (session, party) = try session(name, of: asker)
        guard session.givenUp.isEmpty else { throw .session }
        return (session, party)
    }

    /// The program of a session that is asked for.
    ///
    /// - Throws: ``DealingError/program(_:)``: it is none, or too large to be dealt for.
    public static func program(of terms: [UInt8], rows: Int) throws(DealingError) -> Program {
        let read: PredictionTerms
        do { read = try PredictionTerms(bytes: terms) } catch { throw .program("\(error)") }
        return try program(of: read, rows: rows)
    }

    /// The same, of terms that were read: what a site would ask for, it refuses where no dealer deals for it.
    ///
    /// - Throws: ``DealingError/program(_:)``.
    public static func program(of terms: PredictionTerms, rows: Int) throws(DealingError) -> Program {
        let program: Program
        do {
            let one = try terms.program(rows: 1).elements
            guard rows >= 1, rows <= Limits.elements / max(1, one) else {
                throw PredictionError.parameter(
                    "\(rows) rows", expected: "1 to \(Limits.elements / max(1, one)) of this model at a time")
            }
            program = try terms.program(rows: rows)
        } catch { throw .program("\(error)") }
        for party in ComputingParty.two {
            let largest = program.correlatedSteps.map { program.correlationBytes(step: $0, of: party) }.max() ?? 0
            guard largest <= Limits.stepBytes else {
                throw .program(
                    "a step's correlations have \(largest >> 20) MiB, and at most \(Limits.stepBytes >> 20) are dealt: predict fewer rows at a time"
                )
            }
        }
        return program
    }

    private struct Opening {
        let owner: Data
        let first: Data
        let mask: [UInt8]
        let now: UInt64
    }

    private mutating func open(_ program: Program, _ opening: Opening) throws(DealingError) -> [UInt8] {
        guard sessions.values.count(where: { $0.owner == opening.owner }) < Limits.sessions else {
            throw .full("a party has at most \(Limits.sessions) sessions at a time: try again when one is over")
        }
        guard let mask = masks[opening.owner]?.first(where: { $0.identifier == opening.mask }) else { throw .mask }
        guard PredictionSession.isKey(opening.first) else { throw .malformed("the other party's key is none") }
        let program = sessions.values.first { $0.program.digest == program.digest }?.program ?? program
        do throws(ComputationError) {
            let session = try PredictionSession.session(
                program, first: opening.first, second: opening.owner, dealer: key)
            let dealer = try Dealer(program: program, session: session, masks: [.second: mask])
            sessions[session.nonce] = Session(
                dealer: dealer, owner: opening.owner, first: opening.first, program: program,
                expires: opening.now + Limits.lifetime, asked: opening.now)
            return session.nonce
        } catch { throw .program("\(error)") }
    }

    /// How much it holds.
    public var description: String { "DealerDesk(\(parties.count) parties, \(sessions.count) sessions)" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The session of a prediction, as all three name it: by their keys.
public enum PredictionSession {
    /// Whether it may be a party's Ed25519 key: 32 bytes, and none of the eight points of small order, for which anybody can sign.
    public static func isKey(_ key: Data) -> Bool {
        guard key.count == 32, let last = key.last else { return false }
        // The highest bit is the sign of x.
        let point = hexadecimal(key.dropLast() + [last & 0x7f])
        return !smallOrder.contains(point)
    }

    private static let smallOrder: Set<String> = [
        String(repeating: "00", count: 32), "01" + String(repeating: "00", count: 31),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + String(repeating: "ff", count: 30) + "7f", "ed" + String(repeating: "ff", count: 30) + "7f",
        "ee" + String(repeating: "ff", count: 30) + "7f",
    ]

    /// - Parameter nonce: The dealer's; nil: a new one.
    /// - Throws: ``SecureComputation/ComputationError``.
    public static func session(
        _ program: Program, first: Data, second: Data, dealer: Data, nonce: [UInt8]? = nil
    ) throws(ComputationError) -> ComputationSession {
        try ComputationSession(
            program: program, first: hexadecimal(first), second: hexadecimal(second), dealer: hexadecimal(dealer),
            nonce: nonce)
    }
}
