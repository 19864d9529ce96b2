import Foundation
import ModularArithmetic
import SecureComputation
import SecureStatistics

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Statistics and training on shares: parties and dealer one after the other in one process without a network. CPU time of each party, the best of several runs.
///
/// An epoch's time is the difference of a long and a short run over the epochs between them.
struct JointTrainingBenchmark {
    private struct Table {
        let columns: [ColumnBounds]
        let features: [[Double]]
        let labels: [Double]

        /// The breast cancer data (569 rows, 30 features; CC BY 4.0), as the tests have it.
        init(_ file: URL) throws {
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst()
            let names = lines.first?.split(separator: ",").map(String.init) ?? []
            let rows = lines.dropFirst().map { $0.split(separator: ",").compactMap { Double($0) } }
            features = (0..<names.count - 1).map { column in rows.map { $0[column] } }
            labels = rows.map { $0[names.count - 1] }
            columns = try zip(names, features).map { try ColumnBounds($0, $1.min() ?? 0, $1.max() ?? 1) }
        }

        /// The first half's rows are one owner's, the second half's another's.
        func halves(_ owners: (ComputingParty, ComputingParty), response: [Double], features: [[Double]])
            -> [ComputingParty: OwnerRows]
        {
            let middle = labels.count / 2
            return [
                owners.0: OwnerRows(
                    features: features.map { Array($0[..<middle]) }, response: Array(response[..<middle])),
                owners.1: OwnerRows(
                    features: features.map { Array($0[middle...]) }, response: Array(response[middle...])),
            ]
        }

        var halves: [ComputingParty: Int] { [.first: labels.count / 2, .second: labels.count - labels.count / 2] }
        func row(_ place: Int) -> [Double] { features.map { $0[place] } }
    }

    /// What a run took.
    struct Taken {
        /// CPU seconds of each party.
        var party: [Double]
        /// CPU seconds of the dealer.
        var dealer = 0.0
        var outputs: [RingTensor] = []
        var rounds = 0
        var bytes = 0
    }

    let file: URL

    /// - Parameter file: The data, with a line of licence and one of names.
    init(file: URL? = nil) {
        self.file =
            file
            ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(
                path: "Tests/SecureStatisticsTests/Resources/breast-cancer.csv")
    }

    /// One run of a program with its parties' inputs.
    private func run(
        _ program: Program, _ setting: JointSetting, _ inputs: [ComputingParty: [RingTensor]]
    ) throws -> Taken {
        setting == .dealer ? try two(program, inputs) : try three(program, inputs, tables: [:])
    }

    private func two(_ program: Program, _ inputs: [ComputingParty: [RingTensor]]) throws -> Taken {
        var taken = Taken(party: [0, 0])
        func timed<Result>(_ party: Int, _ work: () throws -> Result) rethrows -> Result {
            let start = processorSeconds()
            defer { taken.party[party] += processorSeconds() - start }
            return try work()
        }
        let session = try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
        let start = processorSeconds()
        let dealt = try Dealer(program: program, session: session).correlations()
        taken.dealer = processorSeconds() - start
        var machines = try [dealt.first, dealt.second].enumerated().map { place, correlations in
            try timed(place) {
                var ledger = CorrelationLedger()
                let claim = try ledger.claim(
                    correlations, inputs: PartyInputs(inputs: inputs[correlations.party] ?? []))
                return try TwoPartyMachine(
                    program: program, session: session, correlations: correlations, claim: claim)
            }
        }
        var sent = [try timed(0) { try machines[0].begin() }, try timed(1) { try machines[1].begin() }]
        while let one = sent[0], let two = sent[1] {
            let (toSecond, toFirst) = (timed(0) { one.bytes }, timed(1) { two.bytes })
            sent = [
                try timed(0) {
                    try machines[0].receive(RoundMessage(bytes: toFirst, words: machines[0].expectedWords))
                },
                try timed(1) {
                    try machines[1].receive(RoundMessage(bytes: toSecond, words: machines[1].expectedWords))
                },
            ]
        }
        taken.outputs = machines[0].outputs ?? []
        (taken.rounds, taken.bytes) = (machines[0].cost.rounds, machines[0].cost.bytes)
        return taken
    }

    private func three(
        _ program: Program, _ inputs: [ComputingParty: [RingTensor]], tables: [ComputingParty: SharedColumns]
    ) throws -> Taken {
        var taken = Taken(party: [0, 0, 0])
        func timed<Result>(_ party: ComputingParty, _ work: () throws -> Result) rethrows -> Result {
            let start = processorSeconds()
            defer { taken.party[party.rawValue] += processorSeconds() - start }
            return try work()
        }
        let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        var machines = try ComputingParty.three.map { party in
            try timed(party) {
                try ThreePartyMachine(
                    program: program, session: session, party: party,
                    inputs: ThreePartyInputs(inputs: inputs[party] ?? [], tables: tables[party].map { [$0] } ?? []))
            }
        }
        var messages: [ThreePartyMessages?] = try ComputingParty.three.map { party in
            try timed(party) { try machines[party.rawValue].begin() }
        }
        while messages[0] != nil {
            let bytes = messages.map { sent in
                sent.map { sent in
                    timed(sent.toNext.from) {
                        [sent.toNext.to: sent.toNext.bytes, sent.toPrevious.to: sent.toPrevious.bytes]
                    }
                } ?? [:]
            }
            messages = try ComputingParty.three.map { party in
                try timed(party) {
                    let read = try [party.next, party.previous].map { other in
                        try ThreePartyMessage(
                            bytes: bytes[other.rawValue][party] ?? [],
                            words: machines[party.rawValue].expectedWords(from: other))
                    }
                    return try machines[party.rawValue].receive(read)
                }
            }
        }
        taken.outputs = machines[0].outputs ?? []
        (taken.rounds, taken.bytes) = (machines[0].cost.rounds, machines[0].cost.bytes)
        return taken
    }

    /// The least of several runs, for each party and the dealer.
    private func best(
        _ program: Program, _ setting: JointSetting, _ inputs: [ComputingParty: [RingTensor]]
    ) throws -> Taken {
        var least = try run(program, setting, inputs)
        for _ in 0..<4 {
            let next = try run(program, setting, inputs)
            least.party = zip(least.party, next.party).map { min($0, $1) }
            least.dealer = min(least.dealer, next.dealer)
        }
        return least
    }

    func logistic(_ setting: JointSetting) throws {
        let table = try Table(file)
        let given = table.halves((.first, .second), response: table.labels, features: table.features)
        func plan(_ epochs: Int) throws -> LogisticPlan {
            try LogisticPlan(
                try LogisticTask(
                    table: try JointTable(
                        features: table.columns, response: try ColumnBounds("benign", 0, 1), rowsOf: table.halves),
                    epochs: epochs, rate: 8, ridge: 0.001, setting: setting, recipients: [.first]))
        }
        func taken(_ plan: LogisticPlan) throws -> Taken {
            var inputs: [ComputingParty: [RingTensor]] = [:]
            for party in setting.parties { inputs[party] = try plan.inputs(of: party, given[party]) }
            return try best(plan.program, setting, inputs)
        }
        let (long, short) = (try plan(50), try plan(10))
        let (whole, part) = (try taken(long), try taken(short))
        let parties = zip(whole.party, part.party).map { ($0 - $1) / 40 * 1000 }
        let model = try long.model(whole.outputs)
        let clear = clearWeights(table, epochs: 50, rate: long.rate, ridge: long.ridge)
        let other = try LogisticModel(features: table.columns, weights: clear)
        let different = table.labels.indices.count {
            ((model.logit(table.row($0)) ?? 0) >= 0) != ((other.logit(table.row($0)) ?? 0) >= 0)
        }
        let names = ["first", "second", "third"].map { "\($0)_ms_epoch" }
        report(
            "joint-logistic-\(setting == .dealer ? "two" : "three")",
            zip(names, parties).map { ($0, $1) } + [
                ("ms_epoch_all_parties", parties.reduce(0, +)), ("ms_epoch_busiest_party", parties.max() ?? 0),
                ("dealer_ms_epoch", (whole.dealer - part.dealer) / 40 * 1000),
                ("bytes_epoch", Double(long.epochCost.bytes)), ("rounds_epoch", Double(long.epochCost.rounds)),
                ("key_bytes_epoch", Double(long.epochCost.keyBytesTo.reduce(0, +))),
                ("bytes_run_50", Double(whole.bytes)), ("label_disagreements", Double(different)),
                ("largest_weight_distance", zip(model.weights, clear).map { abs($0 - $1) }.max() ?? 0),
            ])
    }

    /// A whole run of twenty epochs with noise: rows are held to their norm once, which takes most of it.
    func noisyLogistic(_ setting: JointSetting) throws {
        let table = try Table(file)
        let given = table.halves((.first, .second), response: table.labels, features: table.features)
        let plan = try LogisticPlan(
            try LogisticTask(
                table: try JointTable(
                    features: table.columns, response: try ColumnBounds("benign", 0, 1), rowsOf: table.halves),
                epochs: 20, rate: 16, privacy: try JointPrivacy(rho: 2, delta: 1e-6), setting: setting,
                recipients: [.first]))
        var inputs: [ComputingParty: [RingTensor]] = [:]
        for party in setting.parties { inputs[party] = try plan.inputs(of: party, given[party]) }
        let taken = try best(plan.program, setting, inputs)
        let model = try plan.model(taken.outputs)
        let wrong = table.labels.indices.count {
            ((model.logit(table.row($0)) ?? 0) >= 0) != (table.labels[$0] == 1)
        }
        report(
            "joint-logistic-\(setting == .dealer ? "two" : "three")-noisy-20",
            [
                ("ms_all_parties", taken.party.reduce(0, +) * 1000), ("dealer_ms", taken.dealer * 1000),
                ("bytes", Double(taken.bytes)), ("rounds", Double(taken.rounds)),
                ("key_bytes", Double(plan.cost.keyBytesTo.reduce(0, +))), ("bytes_epoch", Double(plan.epochCost.bytes)),
                ("epsilon", plan.noise?.epsilon ?? .nan), ("wrong_labels", Double(wrong)),
            ])
    }

    /// Gradient steps in floating point, with the logistic function itself.
    private func clearWeights(_ table: Table, epochs: Int, rate: Double, ridge: Double) -> [Double] {
        let rows = table.labels.indices.map { place in
            zip(table.columns, table.row(place)).map { bounds, value in
                2 * (value - bounds.lower) / (bounds.upper - bounds.lower) - 1
            } + [1]
        }
        var weights = [Double](repeating: 0, count: table.columns.count + 1)
        for _ in 0..<epochs {
            var gradients = weights.map { $0 * ridge }
            for (row, label) in zip(rows, table.labels) {
                let logit = zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 }
                let residual = (1 / (1 + exp(-logit)) - label) / Double(rows.count)
                for column in weights.indices { gradients[column] += residual * row[column] }
            }
            for column in weights.indices { weights[column] -= rate * gradients[column] }
        }
        return weights
    }

    /// The third column on 27 others, with and without noise.
    func linear(_ setting: JointSetting) throws {
        let table = try Table(file)
        let places = [0, 1] + Array(4..<30)
        let given = table.halves(
            (.first, .second), response: table.features[2], features: places.map { table.features[$0] })
        for privacy in [nil, try JointPrivacy(rho: 0.5, delta: 1e-6)] {
            let plan = try LinearPlan(
                try LinearTask(
                    table: try JointTable(
                        features: places.map { table.columns[$0] }, response: table.columns[2], rowsOf: table.halves),
                    ridge: privacy == nil ? 0.002 : 0.05, privacy: privacy, setting: setting, recipients: [.first]))
            var inputs: [ComputingParty: [RingTensor]] = [:]
            for party in setting.parties { inputs[party] = try plan.inputs(of: party, given[party]) }
            let taken = try best(plan.program, setting, inputs)
            report(
                "joint-linear-\(setting == .dealer ? "two" : "three")\(privacy == nil ? "" : "-noisy")",
                [
                    ("ms_all_parties", taken.party.reduce(0, +) * 1000),
                    ("ms_busiest_party", (taken.party.max() ?? 0) * 1000), ("dealer_ms", taken.dealer * 1000),
                    ("bytes", Double(taken.bytes)), ("rounds", Double(taken.rounds)),
                    ("key_bytes", Double(plan.cost.keyBytesTo.reduce(0, +))),
                ])
        }
    }

    /// Two tables of so many people, half of whom match, with three numbers and sixteen groups.
    func statistics(people: Int, _ measure: JoinedMeasure) throws {
        let columns = try (0..<3).map { try ColumnBounds("x\($0)", 0, 100) }
        let tables = [
            try PeopleTable(owner: .first, capacity: people, columns: Array(columns[..<1])),
            try PeopleTable(owner: .second, capacity: people, columns: Array(columns[1...])),
        ]
        let plan = try JoinedStatisticsPlan(
            try JoinedStatisticsTask(
                tables[0], tables[1], identifierBound: 1 << 31, measure: measure,
                privacy: try JointPrivacy(rho: 0.5, delta: 1e-6), recipients: [.third]))
        func numbers(_ factor: Int) -> [Double] { (0..<people).map { Double($0 * factor % 101) } }
        var groups: [Int64]?
        if case .groups(_, let count) = measure { groups = (0..<people).map { Int64($0 % count) } }
        let given = [
            ComputingParty.first: People(
                identifiers: (0..<Int64(people)).map { $0 }, columns: [numbers(7)], groups: groups),
            .second: People(identifiers: (0..<Int64(people)).map { 2 * $0 }, columns: [numbers(11), numbers(13)]),
        ]
        let session = try ThreePartySession(program: plan.tableProgram, parties: ["a", "b", "c"])
        var machines = try ComputingParty.three.map { party in
            try TableMachine(
                program: plan.tableProgram, session: session, party: party,
                tables: try plan.tables(of: party, given[party]))
        }
        let start = processorSeconds()
        var messages: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
        while messages[0] != nil {
            let sent = messages.compactMap { $0 }
            messages = try machines.indices.map { place in
                let party = machines[place].party
                return try machines[place].receive(sent.compactMap { $0[party] })
            }
        }
        let join = processorSeconds() - start
        var shares: [ComputingParty: SharedColumns] = [:]
        var inputs: [ComputingParty: [RingTensor]] = [:]
        for machine in machines {
            shares[machine.party] = machine.shared(plan.joined)
            inputs[machine.party] = try plan.inputs(of: machine.party)
        }
        let taken = try three(plan.program, inputs, tables: shares)
        let name = if case .moments = measure { "moments" } else { "groups" }
        report(
            "joint-statistics-\(name)-\(people)",
            [
                ("join_ms_all_parties", join * 1000), ("join_bytes", Double(machines[0].cost.bytes)),
                ("join_rounds", Double(machines[0].cost.rounds)),
                ("ms_all_parties", taken.party.reduce(0, +) * 1000), ("bytes", Double(taken.bytes)),
                ("rounds", Double(taken.rounds)),
            ])
    }

    func run() throws {
        for setting in [JointSetting.dealer, .threeParties] {
            try logistic(setting)
            try noisyLogistic(setting)
            try linear(setting)
        }
        try statistics(people: 10_000, .moments)
        try statistics(people: 10_000, .groups(of: .first, count: 16))
    }
}
