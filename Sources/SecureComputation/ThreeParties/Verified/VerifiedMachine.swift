internal import Crypto
internal import Foundation
internal import ModularArithmetic

/// One of three parties' run of a program with abort, as ``ThreePartyMachine`` drives it behind the first round: the program's steps, then one proof of all of them, then what is opened.
///
/// An opening is the component that its receiver lacks, which both others have: one sends it, the other one a hash.
struct VerifiedMachine: Sendable, CustomStringConvertible, CustomReflectable {
    private let plan: VerifiedPlan
    private let party: ComputingParty
    private let keys: PairwiseKeys
    private let session: [UInt8]
    private var run: VerifiedRun
    private(set) var proof: BatchProof?
    /// By the program's place.
    private(set) var outputs: [Int: [UInt64]] = [:]

    init(
        _ plan: VerifiedPlan, session: [UInt8], party: ComputingParty, keys: PairwiseKeys,
        inputs: [Int: ReplicatedWords], weights: [SharedWeights], threads: Int
    ) {
        (self.plan, self.party, self.keys, self.session) = (plan, party, keys, session)
        run = VerifiedRun(
            plan.verified, party: party, keys: keys, inputs: inputs, weights: weights, threads: threads)
        beginProof(after: 0)
    }

    private var reveals: [(place: Int, step: Int, to: ComputingParty)] { plan.verified.reveals }

    /// Behind the last round of the steps.
    private mutating func beginProof(after round: Int) {
        guard round == plan.verified.rounds.count else { return }
        proof = BatchProof(run.records, party: party, keys: keys)
        run.dropRecords()
    }

    /// - Parameter round: Of those behind the first one, from 0.
    mutating func send(_ round: Int) -> Outgoing {
        let steps = plan.verified.rounds.count
        if round < steps { return run.send(round) }
        if round < steps + plan.proofRounds { return proof?.send(round - steps) ?? Outgoing() }
        return opened()
    }

    /// Takes what both others sent.
    ///
    /// - Returns: What did not hold, where one of the others deviated.
    mutating func receive(_ round: Int, _ incoming: Incoming) -> String? {
        let steps = plan.verified.rounds.count
        if round < steps {
            run.receive(round, incoming)
            beginProof(after: round + 1)
            return nil
        }
        if round < steps + plan.proofRounds {
            return proof?.receive(round - steps, incoming) == true ? nil : "a proof of what was sent"
        }
        return take(incoming) ? nil : "an opening"
    }

    private func words(to receiver: ComputingParty, _ component: KeyPath<ReplicatedWords, [UInt64]>) -> [UInt64] {
        reveals.filter { $0.to == receiver }.flatMap { run.values[$0.step]?[keyPath: component] ?? [] }
    }

    /// SHA-256 of the session and words, as four words.
    private func digest(_ words: [UInt64]) -> [UInt64] {
        var hash = SHA256()
        hash.update(data: Array("parley/three-party-opening/1".utf8) + session)
        words.map(\.littleEndian).withUnsafeBytes { hash.update(bufferPointer: $0) }
        let digest = Array(hash.finalize())
        return (0..<4).map { word(digest, 8 * $0) }
    }

    private func opened() -> Outgoing {
        Outgoing(
            next: words(to: party.next, \.own),
            previous: reveals.contains { $0.to == party.previous } ? digest(words(to: party.previous, \.next)) : [])
    }

    private mutating func take(_ incoming: Incoming) -> Bool {
        let own = reveals.filter { $0.to == party }
        guard !own.isEmpty else { return true }
        guard incoming.next.elementsEqual(digest(Array(incoming.previous))) else { return false }
        var received = incoming.previous
        for reveal in own {
            guard let held = run.values[reveal.step] else { return false }
            outputs[reveal.place] = zip(received, zip(held.own, held.next)).map { $0 &+ $1.0 &+ $1.1 }
            received = received.dropFirst(held.count)
        }
        return true
    }

    var description: String { "VerifiedMachine" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// How many rounds a program takes with abort, and what each party sends in each: known beforehand.
struct VerifiedPlan: Sendable {
    let verified: VerifiedProgram
    /// Of the proof.
    let proofRounds: Int
    /// Behind the first round, by party.
    private let traffic: [[Traffic]]

    init(_ program: Program, weightsAreVerified: Bool = false) throws(ComputationError) {
        let verified = try VerifiedProgram(program, weightsAreVerified: weightsAreVerified)
        self.verified = verified
        var traffic = verified.rounds.map { steps in
            ComputingParty.three.map { party in
                steps.reduce(Traffic()) { $0 + Self.traffic(verified, $1, of: party) }
            }
        }
        let proof = Self.proof(verified)
        proofRounds = proof.rounds
        for round in 0..<proof.rounds { traffic.append([Traffic](repeating: proof.traffic(round), count: 3)) }
        if !verified.reveals.isEmpty {
            traffic.append(
                ComputingParty.three.map { party in
                    let next = verified.reveals.filter { $0.to == party.next }
                    let previous = verified.reveals.contains { $0.to == party.previous }
                    return Traffic(
                        next: next.reduce(0) { $0 + verified.counts[$1.step] }, previous: previous ? 4 : 0)
                })
        }
        self.traffic = traffic
    }

    /// Rounds behind the first one.
    var rounds: Int { traffic.count }

    func traffic(_ round: Int, of party: ComputingParty) -> Traffic { traffic[round][party.rawValue] }

    private static func traffic(_ verified: VerifiedProgram, _ step: Int, of party: ComputingParty) -> Traffic {
        let words = verified.traffic(step)
        return switch verified.steps[step] {
        case .carries(_, let owner, _), .joint(_, let owner), .positives(_, let owner):
            Traffic(next: party == owner ? words : 0)
        default: Traffic(previous: words)
        }
    }

    /// A proof of the right sizes.
    private static func proof(_ verified: VerifiedProgram) -> BatchProof {
        var records = VerifiedRecords()
        for step in verified.steps.indices {
            let words = verified.traffic(step)
            switch verified.steps[step] {
            case .gates: records.gates.x.append(ReplicatedWords(zeros: words))
            case .claims(let claims, let owner):
                records.claims[owner.rawValue].x.append(
                    ReplicatedWords(zeros: claims.count * verified.words(step)))
            case .productClaim(_, _, _, let owner):
                records.productClaims[owner.rawValue].x.append(ReplicatedWords(zeros: verified.counts[step]))
            case .product(.elements, _, _): records.elements.x.append(ReplicatedWords(zeros: words))
            case .product(let map, _, _): records.products.append((map, step, VerifiedRecords.Terms()))
            default: break
            }
        }
        let nothing = CipherKey(words: (0, 0))
        return BatchProof(
            records, party: .first, keys: PairwiseKeys(own: nothing, next: nothing, session: []))
    }
}
