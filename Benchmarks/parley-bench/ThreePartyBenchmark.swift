import ModularArithmetic
import SecureComputation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Three parties' computation without a dealer: operations and a LeNet, one after the other in one process without a network. CPU time of each party, the best of several runs.
struct ThreePartyBenchmark {
    /// Runs a program, and reports the largest of the parties' CPU seconds, rounds, and bytes that all send together.
    func online(
        _ name: String, _ program: Program, _ inputs: [RingTensor], weights: [RingTensor] = [],
        security: ThreePartySecurity = .semiHonest, weightsAreVerified: Bool = false, runs: Int = 3
    ) throws {
        let measuring = ComputationBenchmark()
        var least = [Double](repeating: .infinity, count: 3)
        var cost = ThreePartyCost()
        for _ in 0..<runs {
            var shared = weights.isEmpty ? [:] : try SharedWeights.sharing(weights, of: .second, in: program)
            if weightsAreVerified { shared = try verified(shared, program, inputs) }
            let session = try ThreePartySession(
                program: program, parties: ["a", "b", "c"],
                weights: shared[.second].map { [.second: $0.identifier] } ?? [:], security: security,
                verifications: weightsAreVerified ? shared[.second].map { [.second: $0.verification] } ?? [:] : [:])
            var times = [0.0, 0.0, 0.0]
            func timed<Result>(_ party: ComputingParty, _ work: () throws -> Result) rethrows -> Result {
                let start = measuring.seconds(CLOCK_PROCESS_CPUTIME_ID)
                defer { times[party.rawValue] += measuring.seconds(CLOCK_PROCESS_CPUTIME_ID) - start }
                return try work()
            }
            var machines = try ComputingParty.three.map { party in
                try timed(party) {
                    let own = zip(program.inputs, inputs).enumerated().filter { owner($0.offset) == party }
                    let given = ThreePartyInputs(
                        inputs: own.map(\.element.1), weights: shared[party].map { [$0] } ?? [])
                    return try ThreePartyMachine(program: program, session: session, party: party, inputs: given)
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
            cost = machines[0].cost
            for party in 0..<3 { least[party] = min(least[party], times[party]) }
        }
        report(
            name,
            [
                ("party_cpu_s", least.max() ?? 0), ("rounds", Double(cost.rounds)),
                ("mb_all_parties", Double(cost.bytes) / 1e6),
            ])
    }

    /// Weights behind a run with abort.
    private func verified(
        _ shared: [ComputingParty: SharedWeights], _ program: Program, _ inputs: [RingTensor]
    ) throws -> [ComputingParty: SharedWeights] {
        let session = try ThreePartySession(
            program: program, parties: ["a", "b", "c"],
            weights: shared[.second].map { [.second: $0.identifier] } ?? [:],
            security: .withAbort)
        var machines = try ComputingParty.three.map { party in
            let own = inputs.enumerated().filter { owner($0.offset) == party }.map(\.element)
            return try ThreePartyMachine(
                program: program, session: session, party: party,
                inputs: ThreePartyInputs(inputs: own, weights: shared[party].map { [$0] } ?? []))
        }
        var sent: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
        while !machines[0].isFinished {
            let now = sent.compactMap { $0 }
            for (place, party) in ComputingParty.three.enumerated() {
                sent[place] = try machines[place].receive(now.compactMap { $0[party] })
            }
        }
        var result: [ComputingParty: SharedWeights] = [:]
        for (machine, party) in zip(machines, ComputingParty.three) { result[party] = machine.verifiedWeights?.first }
        return result
    }

    /// Inputs come from the first and the second party in turn; images from the first alone.
    private func owner(_ number: Int) -> ComputingParty { number % 2 == 0 ? .first : .second }

    func operations() throws {
        let numbers = ComputationBenchmark().numbers
        let count = 1_000_000
        func elements(
            _ name: String, _ add: (inout ProgramBuilder, Value, Value) throws -> Void
        ) throws {
            var builder = ProgramBuilder()
            let a = try builder.input(from: .first, shape: [count], bound: 1 << 40)
            let b = try builder.input(from: .second, shape: [count], bound: 1 << 40)
            try add(&builder, a, b)
            try online(
                name, builder.program(),
                [numbers([count], 1 << 40, 1), numbers([count], 1 << 40, 2)])
        }
        try elements("three-relu-1e6") { _ = try $0.relu(try $0.sum($1, $2)) }
        try elements("three-exact-truncation-1e6") { _ = try $0.truncated(try $0.sum($1, $2), by: 12, exactly: true) }
        try elements("three-truncation-1e6") { _ = try $0.truncated(try $0.sum($1, $2), by: 12, exactly: false) }
        try elements("three-comparison-1e6") { _ = try $0.isAtLeast($1, $2) }

        var builder = ProgramBuilder()
        let wide = try builder.input(from: .first, shape: [count], bound: 1 << 61)
        _ = try builder.relu(wide)
        try online("three-relu-1e6-62-bits", builder.program(), [numbers([count], 1 << 61, 1)])

        builder = ProgramBuilder()
        let x = try builder.input(from: .first, shape: [1024, 1024], bound: 1 << 20)
        let y = try builder.input(from: .second, shape: [1024, 1024], bound: 1 << 20)
        _ = try builder.matrixProduct(x, y)
        let matrices = [try numbers([1024, 1024], 1 << 20, 3), try numbers([1024, 1024], 1 << 20, 4)]
        try online("three-product-1024", builder.program(), matrices)

        builder = ProgramBuilder()
        let z = try builder.input(from: .first, shape: [1024, 1024], bound: 1 << 20)
        let w = try builder.weights("w", of: .second, shape: [1024, 1024], bound: 1 << 20, sumBound: 1 << 30)
        _ = try builder.matrixProduct(z, w)
        try online("three-product-1024-weights", builder.program(), [matrices[0]], weights: [matrices[1]])
    }

    /// What abort costs, each beside the same without.
    func abort() throws {
        let numbers = ComputationBenchmark().numbers
        func both(
            _ name: String, _ program: Program, _ inputs: [RingTensor], weights: [RingTensor] = [], runs: Int = 2
        ) throws {
            try online("three-party-semi-honest-\(name)", program, inputs, weights: weights, runs: runs)
            try online(
                "three-party-abort-\(name)", program, inputs, weights: weights, security: .withAbort, runs: runs)
        }
        func elements(
            _ name: String, _ count: Int, _ add: (inout ProgramBuilder, Value, Value) throws -> Value
        ) throws {
            var builder = ProgramBuilder()
            let a = try builder.input(from: .first, shape: [count], bound: 1 << 40)
            let b = try builder.input(from: .second, shape: [count], bound: 1 << 40)
            _ = try builder.reveal(try add(&builder, a, b), to: .third)
            try both(name, builder.program(), [numbers([count], 1 << 40, 1), numbers([count], 1 << 40, 2)])
        }
        try elements("inputs-1e5", 100_000) { try $0.sum($1, $2) }
        try elements("relu-1e5", 100_000) { try $0.relu(try $0.sum($1, $2)) }
        try elements("comparison-1e5", 100_000) { try $0.isAtLeast($1, $2) }
        try elements("exact-truncation-1e5", 100_000) { try $0.truncated(try $0.sum($1, $2), by: 12, exactly: true) }

        var builder = ProgramBuilder()
        let x = try builder.input(from: .first, shape: [1024, 1024], bound: 1 << 20)
        let y = try builder.input(from: .second, shape: [1024, 1024], bound: 1 << 20)
        _ = try builder.reveal(try builder.matrixProduct(x, y), to: .first)
        try both(
            "product-1024", builder.program(),
            [try numbers([1024, 1024], 1 << 20, 3), try numbers([1024, 1024], 1 << 20, 4)], runs: 1)

        // One person's score of a logistic regression of 20 columns, by weights of the second party.
        builder = ProgramBuilder()
        let row = try builder.input(from: .first, shape: [1, 20], bound: 1 << 20)
        let slot = try builder.weights("w", of: .second, shape: [20, 1], bound: 1 << 16, sumBound: 1 << 20)
        let score = try builder.truncated(try builder.matrixProduct(row, slot), by: 16, exactly: true)
        _ = try builder.reveal(try builder.sigmoid(score, fractionBits: 16), to: .first)
        try both(
            "logistic-20", builder.program(), [try numbers([1, 20], 1 << 20, 5)],
            weights: [try numbers([20, 1], 1 << 15, 6)], runs: 3)

        let (program, inputs, weights) = try ComputationBenchmark().lenetProgram(batch: 1)
        try both("lenet-batch-1", program, inputs, weights: weights)
        try online(
            "three-party-abort-lenet-batch-1-verified-weights", program, inputs, weights: weights, security: .withAbort,
            weightsAreVerified: true, runs: 2)
    }

    func lenet(batch: Int) throws {
        let (program, inputs, weights) = try ComputationBenchmark().lenetProgram(batch: batch)
        try online("three-lenet-batch-\(batch)", program, inputs, weights: weights)
    }

    /// A run of operations on tables: the largest of the parties' CPU seconds, rounds, and bytes that all send together.
    private func online(_ name: String, _ program: TableProgram, _ tables: [ComputingParty: [[[Int64]]]]) throws {
        let measuring = ComputationBenchmark()
        let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        var times = [0.0, 0.0, 0.0]
        func timed<Result>(_ party: ComputingParty, _ work: () throws -> Result) rethrows -> Result {
            let start = measuring.seconds(CLOCK_PROCESS_CPUTIME_ID)
            defer { times[party.rawValue] += measuring.seconds(CLOCK_PROCESS_CPUTIME_ID) - start }
            return try work()
        }
        var machines = try ComputingParty.three.map { party in
            try TableMachine(program: program, session: session, party: party, tables: tables[party] ?? [])
        }
        var messages: [ThreePartyMessages?] = try ComputingParty.three.map { try machines[$0.rawValue].begin() }
        while messages[0] != nil {
            let sent = messages.compactMap { $0 }
            messages = try ComputingParty.three.map { party in
                try timed(party) {
                    let read = try [party.next, party.previous].map { other in
                        try ThreePartyMessage(
                            bytes: sent[other.rawValue][party]?.bytes ?? [],
                            words: machines[party.rawValue].expectedWords(from: other))
                    }
                    return try machines[party.rawValue].receive(read)
                }
            }
        }
        let cost = machines[0].cost
        report(
            name,
            [
                ("party_cpu_s", times.max() ?? 0), ("rounds", Double(cost.rounds)),
                ("mb_all_parties", Double(cost.bytes) / 1e6),
            ])
    }

    /// Keys of 32 bits and a column of numbers beside them; groups of about a hundred rows; a join of which half the rows match.
    func tables(rows: Int) throws {
        let numbers = ComputationBenchmark().numbers
        let values = try numbers([rows], 1 << 31, 5).words.map { Int64(bitPattern: $0) }
        let groups = values.map { abs($0) % Int64(max(rows / 100, 1)) }
        func columns(_ key: Int64) -> [TableColumn] {
            [TableColumn("key", bound: key), TableColumn("value", bound: 1 << 31)]
        }
        func one(
            _ name: String, _ key: Int64, _ keys: [Int64],
            _ add: (inout TableProgramBuilder, SharedTable) throws -> Void
        ) throws {
            var builder = TableProgramBuilder()
            try add(&builder, try builder.input(from: .first, rows: rows, columns: columns(key)))
            try online("three-\(name)-\(rows)", builder.program(), [.first: [[keys, values]]])
        }
        try one("shuffle", 1 << 31, values) { _ = try $0.shuffled($1) }
        try one("sort", 1 << 31, values) { _ = try $0.sorted($1, by: "key") }
        try one("group-sums", Int64(rows), groups) { _ = try $0.groupSums($1, by: "key", of: ["value"]) }
        var builder = TableProgramBuilder()
        let left = try builder.input(
            from: .first, rows: rows,
            columns: [TableColumn("id", bound: 1 << 31, isUnique: true), TableColumn("a", bound: 1 << 31)])
        let right = try builder.input(
            from: .second, rows: rows,
            columns: [TableColumn("id", bound: 1 << 31, isUnique: true), TableColumn("b", bound: 1 << 31)])
        _ = try builder.joined(left, right, on: "id", "id")
        let identifiers = (0..<Int64(rows)).map { $0 }
        try online(
            "three-join-\(rows)-\(rows)", builder.program(),
            [.first: [[identifiers, values]], .second: [[identifiers.map { 2 * $0 }, values]]])
    }

    func run() throws {
        try operations()
        for batch in [1, 32] { try lenet(batch: batch) }
        try abort()
        for rows in [10_000, 100_000] { try tables(rows: rows) }
    }
}
