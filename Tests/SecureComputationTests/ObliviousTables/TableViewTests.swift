import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

/// What each of three parties sees of tables. Every test draws from fixed seeds; with the system's randomness a correct protocol would fail one of them once in a million runs.
@Suite("What one of three parties sees of tables follows from their sizes")
struct TableViewTests {
    static let runs = 4000
    static let alarm = 1e-6

    private typealias Tables = [ComputingParty: [[[Int64]]]]

    /// Each operation on few rows, with nothing opened at the end.
    private func programs() throws -> [TableProgram] {
        let makes: [(inout TableProgramBuilder, SharedTable, SharedTable) throws -> Void] = [
            { b, one, _ in _ = try b.shuffled(one) }, { b, one, _ in _ = try b.sorted(one, by: "group") },
            { b, one, _ in _ = try b.groupSums(one, by: "group", of: ["id"]) },
            { b, one, two in _ = try b.joined(one, two, on: "id", "number") },
        ]
        return try makes.map { make in
            var builder = TableProgramBuilder()
            let one = try builder.input(
                from: .first, rows: 2,
                columns: [TableColumn("id", bound: 3, isUnique: true), TableColumn("group", bound: 1)])
            let two = try builder.input(
                from: .second, rows: 1, columns: [TableColumn("number", bound: 3, isUnique: true)])
            try make(&builder, one, two)
            return builder.program()
        }
    }

    private func views(_ program: TableProgram, _ tables: Tables, first: UInt64) throws -> [ViewStatistics] {
        var views = ComputingParty.three.map { _ in ViewStatistics() }
        for run in 0..<UInt64(Self.runs) {
            let result = try TableTrio(program, tables, seed: first + run).run()
            for party in 0..<3 { views[party].add(result.received[party].flatMap { $0 }) }
        }
        return views
    }

    @Test(
        "A simulator that has sizes and its own table alone, and gives others' tables of its own making, makes what a party sees: shuffle, sort, sums of groups, join"
    )
    func simulator() throws {
        for (number, program) in try programs().enumerated() {
            // Ties and a match; and neither.
            let real = try views(program, [.first: [[[1, -2], [1, 1]]], .second: [[[-2]]]], first: 0)
            let ideal = try views(program, [.first: [[[0, 3], [-1, 0]]], .second: [[[2]]]], first: 100_000)
            for party in 0..<3 {
                #expect(real[party].homogeneity(with: ideal[party]) > Self.alarm, "program \(number), party \(party)")
            }
        }
    }

    @Test("Each mask of a shuffle is needed: a copy that leaves out one shows a permutation, or the numbers")
    func shuffleMasks() throws {
        var builder = TableProgramBuilder()
        let table = try builder.input(from: .second, rows: 2, columns: [TableColumn("a", bound: 9)])
        _ = try builder.shuffled(table)
        let program = builder.program()
        // The shuffle's place follows the program's steps.
        let shape = ShuffleShape(rows: 2, columns: 1, place: program.steps.count + 1)
        let (lead, middle, last) = (shape.lead, shape.lead.next, shape.lead.previous)
        #expect(lead == .first)
        let (masks, results) = (MaskStream(shape.place, .planes), MaskStream(shape.place, .results))
        var fair = (0..<3).map { _ in ViewStatistics() }
        var broken = fair
        for seed in 0..<UInt64(Self.runs) {
            let run = try TableTrio(program, [.second: [[[7, 2]]]], seed: seed).run()
            let (leadKeys, middleKeys) = (run.keys[lead.rawValue], run.keys[middle.rawValue])
            // The middle knows the first mask, and of its own table what the lead has: without the second mask it sees in which order that stands.
            let order = ShuffleStep.permutation(2, leadKeys.own, MaskStream(shape.place, .permutation))
            let first = middleKeys.own.words(2, MaskStream(0, .input))[0] &+ middleKeys.own.words(2, masks)[0]
            let toMiddle = run.sent[1][lead.rawValue].toNext.words[0]
            let second = leadKeys.own.words(2, masks)[Int(order[0])]
            fair[0].add([toMiddle, first])
            broken[0].add([toMiddle &- second, first])
            // The last one has the middle's component itself: without the first mask it sees the order in which that stands.
            let component = run.received[last.rawValue][0][0]
            let turned = ShuffleStep.permutation(2, middleKeys.own, MaskStream(shape.place, .permutation))
            let toLast = run.sent[1][middle.rawValue].toNext.words[0]
            fair[1].add([toLast, component])
            broken[1].add([toLast &+ middleKeys.own.words(2, masks)[Int(turned[0])], component])
            // Beside its own part, the last one would see the number.
            let shared = run.sent[2][middle.rawValue].toNext.words[0]
            let part = run.sent[2][last.rawValue].toPrevious.words[0] &+ leadKeys.own.words(2, results)[0]
            fair[2].add([shared, part])
            broken[2].add([shared &+ middleKeys.own.words(2, results)[0] &+ part])
        }
        for stage in 0..<3 {
            #expect(fair[stage].uniformity > Self.alarm, "stage \(stage)")
            #expect(broken[stage].uniformity < Self.alarm, "stage \(stage)")
        }
    }

    @Test(
        "What is opened in sums of groups, a comparison's answer and a row's place, are two fair coins, whatever the rows: 4,000 runs each, false alarm below 1e-6"
    )
    func coins() throws {
        var builder = TableProgramBuilder()
        let table = try builder.input(from: .third, rows: 2, columns: [TableColumn("key", bound: 3)])
        _ = try builder.groupSums(table, by: "key", of: [])
        let program = builder.program()
        // Behind the inputs and the shuffle, the comparison of the two rows.
        let elements = LeadParts(count: 1, place: program.steps.count + 2)
        let carry = CarryShape(elements, bits: SortTask.keyBits(bound: 3, rows: 2), trees: 1)
        let lead = try #require(elements.parts.first { !$0.range.isEmpty }).lead
        for keys in [[0, 1], [1, 0], [2, 2], [-3, 3]] as [[Int64]] {
            var counts = [Double](repeating: 0, count: 4)
            for seed in 0..<UInt64(Self.runs) {
                let run = try TableTrio(program, [.third: [[keys]]], seed: seed).run()
                let answers = run.sent[3 + carry.rounds]
                let answer = answers[lead.rawValue].toNext.words[0] ^ answers[lead.next.rawValue].toPrevious.words[0]
                // Before the last products, each party gives its component of the places.
                let places = run.sent[run.sent.count - 2].reduce(0) { $0 &+ $1.toNext.words[0] }
                #expect(places < 2)
                counts[Int(2 * (answer & 1) + places & 1)] += 1
            }
            let expected = Double(Self.runs) / 4
            let statistic = counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
            // Chi-square with 3 degrees of freedom: above 33.5 with a probability of 2.5e-7.
            #expect(statistic < 33.5, "\(keys): \(counts)")
        }
    }

    @Test("A broken copy that sorts without the shuffle's permutation is caught: answers follow the keys")
    func withoutShuffle() throws {
        func answers(_ keys: [Int64]) -> [UInt64] {
            let (left, right) = ComparisonSort(count: keys.count).pairs()
            return PackedBits.packed(zip(left, right).map { keys[Int($0)] > keys[Int($1)] ? 1 : 0 })
        }
        var (fair, other, broken) = (ViewStatistics(), ViewStatistics(), ViewStatistics())
        let (ascending, descending): ([Int64], [Int64]) = ([1, 2, 3, 4], [9, 7, 5, 3])
        for seed in 0..<UInt64(Self.runs) {
            let key = CipherKey(words: (seed, 1))
            let order = ShuffleStep.permutation(4, key, MaskStream(1, .permutation))
            let again = ShuffleStep.permutation(4, key, MaskStream(2, .permutation))
            fair.add(answers(order.map { ascending[Int($0)] }))
            other.add(answers(again.map { descending[Int($0)] }))
            broken.add(answers(descending))
        }
        #expect(fair.homogeneity(with: other) > Self.alarm)
        #expect(fair.homogeneity(with: broken) < Self.alarm)
    }

    @Test("Lying parties and wrong messages give a wrong table or none, and never a crash")
    func liar() throws {
        var builder = TableProgramBuilder()
        let people = try builder.input(
            from: .first, rows: 30,
            columns: [TableColumn("id", bound: 99, isUnique: true), TableColumn("town", bound: 3)])
        let incomes = try builder.input(
            from: .second, rows: 40, columns: [TableColumn("number", bound: 99, isUnique: true)])
        let joined = try builder.joined(people, incomes, on: "id", "number")
        try builder.reveal(try builder.groupSums(joined, by: "town", of: ["isMatch"]), to: .first)
        let program = builder.program()
        let tables: Tables = [
            .first: [[(0..<30).map { Int64($0) }, (0..<30).map { Int64($0 % 4) }]],
            .second: [[(0..<40).map { Int64(2 * $0) }]],
        ]
        var generator = SeededGenerator(seed: 8)
        for seed in 0..<60 as Range<UInt64> {
            let trio = try TableTrio(program, tables, seed: seed)
            var machine = try trio.machine(.first)
            var message: ThreePartyMessages? = try machine.begin()
            var round = 0
            while message != nil, round < 10_000 {
                let lies = [ComputingParty.second, .third].map { other in
                    ThreePartyMessage(
                        session: Array(trio.session.digest.prefix(16)), from: other, to: .first, round: round,
                        words: (0..<machine.expectedWords(from: other)).map { _ in
                            seed % 3 == 0 ? generator.next() : seed % 3 == 1 ? 0 : .max
                        })
                }
                let wrong: [[ThreePartyMessage]] = [[], [lies[0]], [lies[0], lies[0]]]
                for messages in wrong { #expect(throws: ComputationError.self) { try machine.receive(messages) } }
                let longer = ThreePartyMessage(
                    session: lies[0].session, from: .second, to: .first, round: round, words: lies[0].words + [1])
                #expect(throws: ComputationError.self) { try machine.receive([longer, lies[1]]) }
                message = try machine.receive(lies)
                round += 1
            }
            #expect(machine.isFinished && machine.outputs?.count == 1)
        }
    }

    @Test("Neither description nor dump of a machine with tables, or of its steps, shows a number of it")
    func redacted() throws {
        var builder = TableProgramBuilder()
        let table = try builder.input(from: .first, rows: 1, columns: [TableColumn("a", bound: 1 << 60)])
        try builder.reveal(try builder.shuffled(table), to: .first)
        let trio = try TableTrio(builder.program(), [.first: [[[424_242_424_242]]]], seed: 3)
        let run = try trio.run()
        var machine = try trio.machine(.first)
        var text = "\(machine)"
        dump(machine, to: &text)
        let message = try machine.begin()
        _ = try machine.receive([run.sent[0][1].toPrevious, run.sent[0][2].toNext])
        text += "\(machine) \(message)"
        dump(machine, to: &text)
        dump(message, to: &text)
        for word in message.toNext.words + machine.rounds.seed + [424_242_424_242] {
            #expect(!text.contains("\(word)"))
        }
    }
}
