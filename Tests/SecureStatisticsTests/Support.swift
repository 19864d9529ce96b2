import Foundation
import ModularArithmetic
import SecureComputation

@testable import SecureStatistics

/// 569 rows of 30 features and a label, with the range of each column as its bounds.
struct BreastCancer {
    let features: [[Double]]
    let labels: [Double]
    let columns: [ColumnBounds]

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "Resources/breast-cancer.csv")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst()
        let names = lines.first?.split(separator: ",").map(String.init) ?? []
        let rows = lines.dropFirst().map { $0.split(separator: ",").compactMap { Double($0) } }
        features = (0..<names.count - 1).map { column in rows.map { $0[column] } }
        labels = rows.map { $0[names.count - 1] }
        columns = try zip(names, features).map { try ColumnBounds($0, $1.min() ?? 0, $1.max() ?? 1) }
    }

    var label: ColumnBounds { get throws { try ColumnBounds("benign", 0, 1) } }

    /// Rows divided among owners, and what each puts in.
    func byRows(_ owners: [ComputingParty]) throws -> (table: JointTable, given: [ComputingParty: OwnerRows]) {
        let ends = owners.indices.map { $0 * labels.count / owners.count } + [labels.count]
        var given: [ComputingParty: OwnerRows] = [:]
        var counts: [ComputingParty: Int] = [:]
        for (place, owner) in owners.enumerated() {
            let range = ends[place]..<ends[place + 1]
            given[owner] = OwnerRows(features: features.map { Array($0[range]) }, response: Array(labels[range]))
            counts[owner] = range.count
        }
        return (try JointTable(features: columns, response: try label, rowsOf: counts), given)
    }

    /// Columns divided between two owners, the second of which has the label.
    func byColumns(_ first: ComputingParty, _ second: ComputingParty) throws
        -> (table: JointTable, given: [ComputingParty: OwnerRows])
    {
        let table = try JointTable(
            features: columns, response: try label, rows: labels.count, featuresOf: [first: 12, second: 18],
            responseOf: second)
        return (
            table,
            [
                first: OwnerRows(features: Array(features[..<12])),
                second: OwnerRows(features: Array(features[12...]), response: labels),
            ]
        )
    }

    func row(_ place: Int) -> [Double] { features.map { $0[place] } }
}

/// A run of a program in one process, with every message as bytes.
struct JointRun {
    let outputs: [ComputingParty: [RingTensor]]
    let cost: JointCost

    init(
        _ program: Program, _ setting: JointSetting, _ inputs: [ComputingParty: [RingTensor]]
    ) throws {
        self = try setting == .dealer ? Self.two(program, inputs) : Self.three(program, inputs)
    }

    private init(outputs: [ComputingParty: [RingTensor]], cost: JointCost) {
        (self.outputs, self.cost) = (outputs, cost)
    }

    private static func two(_ program: Program, _ inputs: [ComputingParty: [RingTensor]]) throws -> JointRun {
        let session = try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
        let dealt = try Dealer(program: program, session: session).correlations()
        var machines = try [dealt.first, dealt.second].map { correlations in
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(
                correlations, inputs: PartyInputs(inputs: inputs[correlations.party] ?? []))
            return try TwoPartyMachine(
                program: program, session: session, correlations: correlations, claim: claim)
        }
        var sent = [try machines[0].begin(), try machines[1].begin()]
        while let one = sent[0], let two = sent[1] {
            let toSecond = try RoundMessage(bytes: one.bytes, words: machines[1].expectedWords)
            let toFirst = try RoundMessage(bytes: two.bytes, words: machines[0].expectedWords)
            sent = [try machines[0].receive(toFirst), try machines[1].receive(toSecond)]
        }
        let cost = machines[0].cost
        let keys = [dealt.first, dealt.second].map { $0.encoded(for: program).count - 89 }
        return JointRun(
            outputs: [.first: machines[0].outputs ?? [], .second: machines[1].outputs ?? []],
            cost: JointCost(
                rounds: cost.rounds, bytesFrom: [cost.bytesFromFirst, cost.bytesFromSecond], keyBytesTo: keys))
    }

    private static func three(_ program: Program, _ inputs: [ComputingParty: [RingTensor]]) throws -> JointRun {
        let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        let machines = try ComputingParty.three.map { party in
            try ThreePartyMachine(
                program: program, session: session, party: party,
                inputs: ThreePartyInputs(inputs: inputs[party] ?? []))
        }
        return try three(machines)
    }

    /// Machines of three parties, to the end.
    static func three(_ given: [ThreePartyMachine]) throws -> JointRun {
        var machines = given
        var messages: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
        while messages[0] != nil {
            let sent = messages.compactMap { $0 }
            messages = try ComputingParty.three.map { party in
                let read = try [party.next, party.previous].map { other in
                    try ThreePartyMessage(
                        bytes: sent[other.rawValue][party]?.bytes ?? [],
                        words: machines[party.rawValue].expectedWords(from: other))
                }
                return try machines[party.rawValue].receive(read)
            }
        }
        var outputs: [ComputingParty: [RingTensor]] = [:]
        for machine in machines { outputs[machine.party] = machine.outputs ?? [] }
        let cost = machines[0].cost
        return JointRun(
            outputs: outputs, cost: JointCost(rounds: cost.rounds, bytesFrom: cost.bytesFrom, keyBytesTo: []))
    }
}

/// The integers of words.
func signed(_ words: [UInt64]) -> [Int64] { words.map { Int64(bitPattern: $0) } }
