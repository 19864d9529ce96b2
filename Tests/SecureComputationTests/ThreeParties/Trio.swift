import ModularArithmetic
import Secrets

@testable import SecureComputation

/// Three parties in one process, with every message as bytes.
struct Trio {
    let program: Program
    let session: ThreePartySession
    var inputs: [ThreePartyInputs]
    let seed: UInt64

    /// A run's results, and what each party received: words, round after round.
    struct Run {
        let outputs: [[RingTensor]]
        let received: [[[UInt64]]]
        /// By round and party.
        let sent: [[ThreePartyMessages]]
        let keys: [PairwiseKeys]
        let seeds: [[UInt64]]
        let cost: ThreePartyCost
    }

    init(
        _ program: Program, _ inputs: [RingTensor], weights: [RingTensor] = [],
        security: ThreePartySecurity = .semiHonest, verifications: [ComputingParty: [UInt8]] = [:], seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        self.program = program
        self.seed = seed
        var shared: [[ComputingParty: SharedWeights]] = []
        var names: [ComputingParty: [UInt8]] = [:]
        for owner in ComputingParty.three {
            let own = zip(program.weights, weights).filter { $0.0.owner == owner }.map { $0.1 }
            guard !own.isEmpty else { continue }
            let parts = try SharedWeights.sharing(own, of: owner, in: program, random: &random)
            names[owner] = parts[owner]?.identifier
            shared.append(parts)
        }
        session = try ThreePartySession(
            program: program, parties: ["hospital", "company", "university"], weights: names, security: security,
            verifications: verifications,
            nonce: (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        self.inputs = try ComputingParty.three.map { party in
            let own = zip(program.inputs, inputs).filter { program.operation($0.0.place) == .input(party) }.map { $0.1 }
            let parts = try shared.compactMap { $0[party] }.map {
                try SharedWeights($0.encoded, program: program)
            }
            return ThreePartyInputs(inputs: own, weights: parts)
        }
    }

    /// Other weights under the session's identifier, as an owner that deviates shares them.
    func shared(_ weights: RingTensor, of owner: ComputingParty, seed: UInt64) throws -> [ThreePartyInputs] {
        var random = SeededGenerator(seed: seed)
        var builder = ProgramBuilder()
        _ = try builder.weights("w", of: owner, shape: weights.shape, bound: .max, sumBound: .max)
        let parts = try SharedWeights.sharing([weights], of: owner, in: builder.program(), random: &random)
        return try ComputingParty.three.map { party in
            var bytes = parts[party]?.encoded ?? []
            bytes.replaceSubrange(10..<26, with: session.weights[owner.rawValue])
            return ThreePartyInputs(
                inputs: inputs[party.rawValue].inputs, weights: [try SharedWeights(bytes, program: program)])
        }
    }

    func machine(_ party: ComputingParty) throws -> ThreePartyMachine {
        var random = SeededGenerator(key: (seed, 7, 7, 7), stream: UInt64(party.rawValue))
        return try ThreePartyMachine(
            program: program, session: session, party: party, inputs: inputs[party.rawValue], random: &random)
    }

    func run() throws -> Run {
        var machines = try ComputingParty.three.map(machine)
        var messages: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
        var received: [[[UInt64]]] = [[], [], []]
        var all: [[ThreePartyMessages]] = []
        while messages[0] != nil {
            let sent = messages.compactMap { $0 }
            all.append(sent)
            messages = try ComputingParty.three.map { party in
                let read = try [party.previous, party.next].map { other in
                    let bytes = sent[other.rawValue][party]?.bytes ?? []
                    return try ThreePartyMessage(
                        bytes: bytes, words: machines[party.rawValue].expectedWords(from: other))
                }
                received[party.rawValue].append(read.flatMap(\.words))
                return try machines[party.rawValue].receive(read)
            }
        }
        let outputs = machines.compactMap(\.outputs)
        guard outputs.count == 3, machines.allSatisfy({ $0.cost == machines[0].cost }) else {
            throw ComputationError.order(round: -1, expected: "an end at all parties with the same costs")
        }
        return Run(
            outputs: outputs, received: received, sent: all, keys: machines.compactMap(\.rounds.keys),
            seeds: machines.map(\.rounds.seed),
            cost: machines[0].cost)
    }
}
