import Secrets
import Testing

@testable import SecureComputation

@Suite("Tables that nobody sees: shuffle, sort, sums of groups, join")
struct TableTests {
    /// Numbers of a fixed sequence.
    private struct Numbers {
        private var generator: SeededGenerator
        init(_ seed: UInt64) { generator = SeededGenerator(seed: seed) }
        mutating func callAsFunction(_ count: Int, within bound: Int64) -> [Int64] {
            (0..<count).map { _ in Int64.random(in: -bound...bound, using: &generator) }
        }
        mutating func distinct(_ count: Int, of all: Int) -> [Int64] {
            var numbers = (0..<Int64(all)).map { 3 * $0 - Int64(all) }
            numbers.shuffle(using: &generator)
            return Array(numbers.prefix(count))
        }
    }

    static let sizes = [0, 1, 2, 3, 24, 25, 64, 65, 200, 1000]

    @Test("A shuffle keeps rows whole, and orders them otherwise in each run")
    func shuffle() throws {
        for (number, rows) in Self.sizes.enumerated() {
            var numbers = Numbers(UInt64(number))
            var builder = TableProgramBuilder()
            let table = try builder.input(
                from: .second, rows: rows, columns: [TableColumn("a", bound: 1 << 40), TableColumn("b", bound: 9)])
            try builder.reveal(try builder.shuffled(table), to: .first)
            let given = [numbers(rows, within: 1 << 40), numbers(rows, within: 9)]
            let runs = try (0..<2).map { try TableTrio(builder.program(), [.second: [given]], seed: $0).run() }
            let rowsOf = { (columns: [[Int64]]) in zip(columns[0], columns[1]).map { [$0, $1] } }
            for run in runs {
                let found = rowsOf(run.outputs[0][0])
                #expect(Set(found) == Set(rowsOf(given)) && found.count == rows)
            }
            if rows > 20 { #expect(runs[0].outputs != runs[1].outputs) }
            #expect(runs[0].cost.rounds == 4)
        }
    }

    @Test("All orders of four rows are equally likely: 12,000 shuffles, false alarm below 1e-6")
    func fair() throws {
        var builder = TableProgramBuilder()
        let table = try builder.input(from: .third, rows: 4, columns: [TableColumn("a", bound: 9)])
        try builder.reveal(try builder.shuffled(table), to: .first)
        var counts: [[Int64]: Double] = [:]
        let runs = 12_000
        for seed in 0..<UInt64(runs) {
            counts[
                try TableTrio(builder.program(), [.third: [[[1, 2, 3, 4]]]], seed: seed).run().outputs[0][0][0],
                default: 0] += 1
        }
        let expected = Double(runs) / 24
        let statistic = counts.values.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
        // Chi-square with 23 degrees of freedom: above 73.9 with a probability of 3e-7.
        #expect(counts.count == 24 && statistic < 73.9)
    }

    @Test("A sort is ascending and stable, with ties, negative numbers, and columns that come along")
    func sort() throws {
        for (number, rows) in Self.sizes.enumerated() {
            for bound in [0, 2, 1 << 30, 1 << 48] as [Int64] {
                var numbers = Numbers(UInt64(100 + number))
                var builder = TableProgramBuilder()
                let table = try builder.input(
                    from: .first, rows: rows,
                    columns: [TableColumn("place", bound: 2000), TableColumn("key", bound: bound)])
                try builder.reveal(try builder.sorted(table, by: "key"), to: .third)
                let keys = numbers(rows, within: bound)
                let run = try TableTrio(
                    builder.program(), [.first: [[(0..<Int64(rows)).map { $0 }, keys]]], seed: UInt64(bound) + 5
                ).run()
                let order = (0..<rows).sorted { (keys[$0], $0) < (keys[$1], $1) }
                #expect(run.outputs[2][0] == [order.map { Int64($0) }, order.map { keys[$0] }])
            }
        }
    }

    @Test("Sums of groups are what a dictionary gives, in ascending order, and rows behind the last group are empty")
    func groups() throws {
        for (number, rows) in Self.sizes.enumerated() {
            for bound in [0, 3, 1 << 40] as [Int64] {
                var numbers = Numbers(UInt64(200 + number))
                var builder = TableProgramBuilder()
                let table = try builder.input(
                    from: .second, rows: rows,
                    columns: [
                        TableColumn("income", bound: 1 << 30), TableColumn("group", bound: bound),
                        TableColumn("one", bound: 1),
                    ])
                let sums = try builder.groupSums(table, by: "group", of: ["one", "income"])
                try builder.reveal(sums, to: .second)
                let (values, keys) = (numbers(rows, within: 1 << 30), numbers(rows, within: bound))
                let run = try TableTrio(
                    builder.program(), [.second: [[values, keys, keys.map { _ in 1 }]]], seed: UInt64(number)
                ).run()
                var expected: [Int64: (Int64, Int64)] = [:]
                for (key, value) in zip(keys, values) {
                    let so = expected[key] ?? (0, 0)
                    expected[key] = (so.0 + 1, so.1 + value)
                }
                let groups = expected.keys.sorted()
                let zeros = [Int64](repeating: 0, count: rows - groups.count)
                #expect(
                    run.outputs[1][0] == [
                        groups + zeros, groups.map { expected[$0]?.0 ?? 0 } + zeros,
                        groups.map { expected[$0]?.1 ?? 0 } + zeros, groups.map { _ in 1 } + zeros,
                    ])
            }
        }
    }

    @Test(
        "A join of two owners' tables has the rows whose identifiers are equal, in ascending order, and empty ones behind"
    )
    func join() throws {
        for (left, right, all) in [
            (0, 5, 9), (5, 0, 9), (1, 1, 1), (1, 1, 40), (20, 30, 40), (300, 100, 400), (60, 60, 60),
        ] {
            var numbers = Numbers(UInt64(left))
            var builder = TableProgramBuilder()
            let people = try builder.input(
                from: .first, rows: left,
                columns: [TableColumn("age", bound: 200), TableColumn("id", bound: 4000, isUnique: true)])
            let incomes = try builder.input(
                from: .third, rows: right,
                columns: [
                    TableColumn("number", bound: 3000, isUnique: true), TableColumn("income", bound: 1 << 40),
                    TableColumn("tax", bound: 99),
                ])
            try builder.reveal(try builder.joined(people, incomes, on: "id", "number"), to: .second)
            let one = [numbers(left, within: 200), numbers.distinct(left, of: all)]
            let two = [numbers.distinct(right, of: all), numbers(right, within: 1 << 40), numbers(right, within: 99)]
            let run = try TableTrio(builder.program(), [.first: [one], .third: [two]], seed: 7).run()
            let matches = Set(one[1]).intersection(two[0]).sorted()
            let zeros = [Int64](repeating: 0, count: min(left, right) - matches.count)
            func at(_ key: Int64, _ keys: [Int64], _ values: [Int64]) -> Int64 {
                keys.firstIndex(of: key).map { values[$0] } ?? .min
            }
            #expect(
                run.outputs[1][0] == [
                    matches + zeros, matches.map { at($0, one[1], one[0]) } + zeros,
                    matches.map { at($0, two[0], two[1]) } + zeros, matches.map { at($0, two[0], two[2]) } + zeros,
                    matches.map { _ in 1 } + zeros,
                ])
        }
    }

    @Test("A join's sums by group: one operation behind the other, and several openings")
    func together() throws {
        var numbers = Numbers(77)
        var builder = TableProgramBuilder()
        let people = try builder.input(
            from: .first, rows: 80,
            columns: [TableColumn("id", bound: 1000, isUnique: true), TableColumn("town", bound: 3)])
        let incomes = try builder.input(
            from: .second, rows: 100,
            columns: [TableColumn("id", bound: 1000, isUnique: true), TableColumn("income", bound: 1 << 30)])
        let joined = try builder.joined(people, try builder.shuffled(incomes), on: "id", "id")
        let sums = try builder.groupSums(joined, by: "town", of: ["income", "isMatch"])
        try builder.reveal(sums, columns: ["town", "income", "isMatch"], to: .third)
        try builder.reveal(try builder.sorted(incomes, by: "income"), columns: ["income"], to: .second)
        let one = [numbers.distinct(80, of: 200), numbers(80, within: 3).map { $0 + 4 == 4 ? 1 : $0 }]
        let two = [numbers.distinct(100, of: 200), numbers(100, within: 1 << 30)]
        let run = try TableTrio(builder.program(), [.first: [one], .second: [two]], seed: 9).run()
        var expected: [Int64: (Int64, Int64)] = [:]
        for (id, town) in zip(one[0], one[1]) {
            guard let place = two[0].firstIndex(of: id) else { continue }
            let so = expected[town] ?? (0, 0)
            expected[town] = (so.0 + two[1][place], so.1 + 1)
        }
        let found = run.outputs[2][0]
        for row in 0..<80 where found[2][row] > 0 {
            #expect(expected.removeValue(forKey: found[0][row]) ?? (0, 0) == (found[1][row], found[2][row]))
        }
        #expect(expected.isEmpty)
        #expect(run.outputs[1][0][0] == two[1].sorted())
        #expect(run.outputs[0].isEmpty)
    }

    @Test("A sort asks for about log2 n + 4 comparisons an element, in about log2 n + 5 batches")
    func comparisons() {
        var generator = SeededGenerator(seed: 4)
        for (count, most, batches) in [(10, 5.0, 1), (24, 12, 1), (100, 13, 11), (1000, 15, 18), (100_000, 24, 25)] {
            let keys = (0..<Int64(count)).shuffled(using: &generator)
            var sort = ComparisonSort(count: count)
            var (asked, rounds) = (0, 0)
            while true {
                let (left, right) = sort.pairs()
                guard !left.isEmpty else { break }
                asked += left.count
                rounds += 1
                sort.take(PackedBits.packed(zip(left, right).map { keys[Int($0)] > keys[Int($1)] ? 1 : 0 }))
            }
            #expect(sort.order.map { $0.map { keys[Int($0)] } } == (0..<Int64(count)).map { $0 })
            #expect(Double(asked) <= most * Double(count), "\(count): \(Double(asked) / Double(count))")
            #expect(rounds <= batches, "\(count): \(rounds)")
        }
    }

    @Test("Sorts, group sums and joins of all sizes stay within the cost that is said beforehand")
    func bounded() throws {
        var generator = SeededGenerator(seed: 12)
        for (left, right) in [(1, 1), (2, 0), (13, 12), (60, 70), (300, 129)] {
            for _ in 0..<3 {
                var builder = TableProgramBuilder()
                func columns(_ name: String) -> [TableColumn] {
                    [TableColumn(name, bound: 1 << 30, isUnique: true), TableColumn(name + "s", bound: 1 << 20)]
                }
                let one = try builder.input(from: .first, rows: left, columns: columns("a"))
                let two = try builder.input(from: .third, rows: right, columns: columns("b"))
                let joined = try builder.joined(one, two, on: "a", "b")
                let sums = try builder.groupSums(joined, by: "as", of: ["bs"])
                _ = try builder.sorted(one, by: "as")
                try builder.reveal(sums, to: .second)
                let program = builder.program()
                let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
                func table(_ rows: Int) -> [[Int64]] {
                    [
                        Array((0..<Int64(2 * rows)).shuffled(using: &generator).prefix(rows)),
                        (0..<rows).map { _ in Int64.random(in: 0...9, using: &generator) },
                    ]
                }
                var machines = try ComputingParty.three.map { party in
                    try TableMachine(
                        program: program, session: session, party: party,
                        tables: party == .first ? [table(left)] : party == .third ? [table(right)] : [])
                }
                var sent: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
                while sent[0] != nil {
                    let all = sent.compactMap { $0 }
                    sent = try machines.indices.map { place in
                        let party = machines[place].party
                        return try machines[place].receive(all.compactMap { $0[party] })
                    }
                }
                let most = program.mostCost
                #expect(machines[1].outputs != nil && most.holds(machines[1].cost), "\(most) \(machines[1].cost)")
                // It is no idle bound.
                #expect(most.bytes < 6 * machines[1].cost.bytes + 20_000, "\(most) \(machines[1].cost)")
            }
        }
    }

    @Test("Who makes a sort go on by wrong answers is stopped where no honest sort comes")
    func stopped() throws {
        // Each is said to be larger than all before it: a segment loses its sample alone.
        var sort = ComparisonSort(count: 1000)
        var batches = 0
        while case let pairs = sort.pairs(), !pairs.left.isEmpty {
            batches += 1
            #expect(pairs.left.count <= ComparisonSort.mostInBatch * 1000)
            sort.take([UInt64](repeating: ~0, count: PackedBits.words(pairs.left.count)))
        }
        #expect(batches > ComparisonSort.most(1000).batches)
        // The machine, whose bound is lower here.
        var builder = TableProgramBuilder()
        let table = try builder.input(from: .first, rows: 40, columns: [TableColumn("a", bound: 100)])
        try builder.reveal(try builder.sorted(table, by: "a"), to: .second)
        let program = builder.program()
        let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        var most = program.mostCost
        most.rounds = 9
        var generator = SeededGenerator(seed: 5)
        var machines = try ComputingParty.three.map { party in
            try TableMachine(
                program: program, session: session, party: party,
                tables: party == .first ? [[(0..<40).map { $0 }]] : [], most: most, random: &generator)
        }
        var sent: [ThreePartyMessages] = try machines.indices.map { try machines[$0].begin() }
        for _ in 0..<8 {
            let all = sent
            sent = try machines.indices.map { place in
                let party = machines[place].party
                return try #require(try machines[place].receive(all.compactMap { $0[party] }))
            }
        }
        let last = sent.compactMap { $0[.second] }
        #expect(throws: ComputationError.self) { try machines[1].receive(last) }
        #expect(!machines[1].isFinished && machines[1].outputs == nil)
        #expect(throws: ComputationError.self) { try machines[1].receive(last) }
    }

    @Test(
        "What a program on tables refuses: unknown columns, doubled names, joins on what is not unique, bounds beyond the ring"
    )
    func refused() throws {
        var builder = TableProgramBuilder()
        let table = try builder.input(
            from: .first, rows: 1000,
            columns: [TableColumn("a", bound: 1 << 52), TableColumn("b", bound: 9, isUnique: true)])
        let other = try builder.input(
            from: .second, rows: 10, columns: [TableColumn("b", bound: 9, isUnique: true), TableColumn("a", bound: 1)])
        let wrong: [(inout TableProgramBuilder) throws -> Void] = [
            { _ = try $0.sorted(table, by: "c") }, { _ = try $0.sorted(table, by: "a") },
            { _ = try $0.groupSums(table, by: "a", of: []) }, { _ = try $0.groupSums(table, by: "b", of: ["a"]) },
            { _ = try $0.joined(table, other, on: "a", "b") }, { _ = try $0.joined(table, other, on: "b", "b") },
            { try $0.reveal(table, columns: ["a", "a"], to: .first) },
            { try $0.reveal(table, columns: [], to: .first) },
            { _ = try $0.input(from: .first, rows: -1, columns: table.columns) },
            { _ = try $0.input(from: .first, rows: 1, columns: []) },
            { _ = try $0.input(from: .first, rows: 1, columns: [TableColumn("x", bound: .max)]) },
            { _ = try $0.input(from: .first, rows: 1, columns: [TableColumn("x", bound: -1)]) },
            { _ = try $0.shuffled(SharedTable(place: 0, rows: 5, columns: table.columns)) },
            { _ = try $0.shuffled(SharedTable(place: 9, rows: 5, columns: table.columns)) },
        ]
        for (number, make) in wrong.enumerated() {
            #expect(throws: ComputationError.self, "\(number)") { try make(&builder) }
        }
        try builder.reveal(other, to: .third)
        let opened = try #require(builder.program().steps.last?.table)
        #expect(throws: ComputationError.self) { try builder.shuffled(opened) }
        // What a party brings.
        let program = builder.program()
        let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        let good: [[Int64]] = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 1, 1, 0, 0, 0, 0, 0, -1]]
        _ = try TableMachine(program: program, session: session, party: .second, tables: [good])
        let bad: [[[[Int64]]]] = [
            [], [good, good], [[good[0]]], [[good[0], Array(good[1].dropLast())]], [[good[0].map { $0 + 1 }, good[1]]],
            [[good[0].map { _ in 4 }, good[1]]], [[good[0], good[1].map { _ in .min }]],
        ]
        for tables in bad {
            #expect(throws: ComputationError.self) {
                try TableMachine(program: program, session: session, party: .second, tables: tables)
            }
        }
    }
}
