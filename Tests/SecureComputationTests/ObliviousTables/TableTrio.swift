import Secrets

@testable import SecureComputation

/// Three parties with tables in one process, with every message as bytes.
struct TableTrio {
    let program: TableProgram
    let session: ThreePartySession
    let tables: [[[[Int64]]]]
    private let seed: UInt64

    /// A run's results, and what each party received: words, round after round.
    struct Run {
        /// By party, by what was revealed, by column.
        let outputs: [[[[Int64]]]]
        let received: [[[UInt64]]]
        /// By round and party.
        let sent: [[ThreePartyMessages]]
        let keys: [PairwiseKeys]
        let cost: ThreePartyCost
    }

    /// - Parameter tables: By party, its tables in the program's order, column by column.
    init(_ program: TableProgram, _ tables: [ComputingParty: [[[Int64]]]], seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        (self.program, self.seed) = (program, seed)
        self.tables = ComputingParty.three.map { tables[$0] ?? [] }
        session = try ThreePartySession(
            program: program, parties: ["hospital", "company", "university"],
            nonce: (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    func machine(_ party: ComputingParty) throws -> TableMachine {
        var random = SeededGenerator(key: (seed, 8, 8, 8), stream: UInt64(party.rawValue))
        return try TableMachine(
            program: program, session: session, party: party, tables: tables[party.rawValue], random: &random)
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
            cost: machines[0].cost)
    }
}
