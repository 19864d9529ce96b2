import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

/// What each of three parties sees. Every test draws from fixed seeds; with the system's randomness a correct protocol would fail one of them once in a million runs.
@Suite("What one of three parties sees follows from its input and output")
struct ThreePartyViewTests {
    static let runs = 4000
    /// What a test may be wrong in, and below which a broken copy must fall.
    static let alarm = 1e-6

    private typealias Case = (program: Program, inputs: [RingTensor], weights: [RingTensor])

    /// A few programs with all that sends something, small enough that each two words can be compared.
    private func cases(reveals: Bool) throws -> [Case] {
        typealias Make = (inout ProgramBuilder, [Value], [Weights]) throws -> [Value]
        let makes: [Make] = [
            { b, x, w in
                let sum = try b.sum(try b.matrixProduct(x[0], w[0]), try b.matrixProduct(x[1], w[1]))
                let product = try b.product(try b.sum(sum, x[2]), x[1])
                let rough = try b.truncated(product, by: 4, exactly: false)
                return [try b.truncated(try b.product(rough, x[0]), by: 7, exactly: true), sum]
            },
            { b, x, _ in [try b.relu(try b.sum(x[0], x[1])), try b.isWithin(try b.sum(x[1], x[2]), -9...5)] },
            { b, x, _ in [try b.argmax(try b.reshaped(try b.concatenated(x), to: [1, 3]))] },
            { b, x, _ in
                b.comparisons = .twoRounds
                let rough = try b.relu(try b.sum(x[1], x[2]), truncatedBy: 3)
                return [try b.truncated(try b.sum(rough, x[0]), by: 2, exactly: true)]
            },
        ]
        return try makes.map { make in
            var builder = ProgramBuilder()
            let inputs = try ComputingParty.three.map { try builder.input(from: $0, shape: [1, 1], bound: 20) }
            let weights = try [ComputingParty.third, .first].map {
                try builder.weights("w", of: $0, shape: [1, 1], bound: 20, sumBound: 20)
            }
            let results = try make(&builder, inputs, weights)
            for (number, value) in results.enumerated() where reveals {
                for to in [ComputingParty.three[number], .third] { _ = try builder.reveal(value, to: to) }
            }
            return (
                builder.program(), try [-19, 7, 20].map { try tensor([1, 1], [$0]) },
                try [17, -5].map { try tensor([1, 1], [$0]) }
            )
        }
    }

    @Test("Each word that a party receives is uniform, and each two are independent, whatever the inputs")
    func uniform() throws {
        for (number, one) in try cases(reveals: false).enumerated() {
            let zeros = try one.inputs.map { try RingTensor(zeros: $0.shape) }
            for (kind, given) in [one.inputs, zeros].enumerated() {
                var views = [ViewStatistics(), ViewStatistics(), ViewStatistics()]
                for run in 0..<Self.runs {
                    let seed = UInt64((2 * number + kind) * Self.runs + run)
                    let result = try Trio(one.program, given, weights: one.weights, seed: seed).run()
                    for party in 0..<3 { views[party].add(result.received[party].flatMap { $0 }) }
                }
                for view in views { #expect(view.uniformity > Self.alarm, "program \(number)") }
            }
        }
    }

    /// A party's view made from its inputs and the outputs alone: random words, and components that give the outputs.
    private func simulated(
        _ trio: Trio, _ party: ComputingParty, outputs: [RingTensor], random: inout SeededGenerator
    ) throws -> (view: [UInt64], found: [RingTensor]?) {
        var machine = try trio.machine(party)
        let revealed = trio.program.steps.indices.filter { place in
            if case .reveal(_, party) = trio.program.operation(place) { true } else { false }
        }
        let wanted = Dictionary(uniqueKeysWithValues: zip(revealed, outputs))
        var view: [UInt64] = []
        var own: ThreePartyMessages? = try machine.begin()
        var round = 0
        while own != nil {
            var words: [[UInt64]] = [[], []]
            if round == 0 {
                for (side, other) in [party.previous, party.next].enumerated() {
                    words[side] = (0..<machine.expectedWords(from: other)).map { _ in random.next() }
                }
            } else {
                for (place, step) in machine.plan.rounds[round] {
                    guard let shape = machine.plan.shapes[place] else { continue }
                    if let output = wanted[place] {
                        let held = machine.running[place]?.result ?? ReplicatedWords(zeros: 1)
                        words[0] += zip(output.words, zip(held.own, held.next)).map { $0 &- $1.0 &- $1.1 }
                    } else {
                        words[0] += (0..<shape.traffic(step, of: party.previous).next).map { _ in random.next() }
                        words[1] += (0..<shape.traffic(step, of: party.next).previous).map { _ in random.next() }
                    }
                }
            }
            view += words[0] + words[1]
            own = try machine.receive(
                zip([party.previous, party.next], words).map { other, words in
                    ThreePartyMessage(
                        session: Array(trio.session.digest.prefix(16)), from: other, to: party, round: round,
                        words: words)
                })
            round += 1
        }
        return (view, machine.outputs)
    }

    @Test("A simulator with a party's inputs and outputs makes what it sees, its own randomness beside it")
    func simulator() throws {
        for (number, one) in try cases(reveals: true).enumerated() {
            var real = ComputingParty.three.map { _ in ViewStatistics() }
            var ideal = real
            var random = SeededGenerator(seed: 99)
            for run in 0..<Self.runs {
                let trio = try Trio(
                    one.program, one.inputs, weights: one.weights, seed: UInt64(50_000 * (number + 1) + run))
                let result = try trio.run()
                for party in ComputingParty.three {
                    let outputs = result.outputs[party.rawValue]
                    let (view, found) = try simulated(trio, party, outputs: outputs, random: &random)
                    // The party itself cannot tell: it ends with the outputs that it was to end with.
                    #expect(found == outputs)
                    let tape = result.seeds[party.rawValue]
                    real[party.rawValue].add(result.received[party.rawValue].flatMap { $0 } + tape)
                    ideal[party.rawValue].add(view + tape)
                }
            }
            for party in 0..<3 {
                #expect(real[party].homogeneity(with: ideal[party]) > Self.alarm, "program \(number)")
            }
        }
    }

    // MARK: - Broken copies

    @Test("A broken copy whose masks serve two runs is caught, a fresh one is not: products, comparisons, truncations")
    func maskTwice() throws {
        let operations: [(inout ProgramBuilder, Value, Value) throws -> Value] = [
            { try $0.product($1, $2) }, { try $0.relu($0.sum($1, $2)) },
            {
                $0.comparisons = .twoRounds
                return try $0.relu($0.sum($1, $2))
            },
            { try $0.truncated($0.sum($1, $2), by: 5, exactly: true) },
            { try $0.truncated($0.sum($1, $2), by: 5, exactly: false) },
        ]
        for operation in operations {
            var builder = ProgramBuilder()
            // Of a constant the operation's own words alone are compared: inputs would tell at once.
            let a = try builder.constant(tensor([1], [12]))
            let b = try builder.input(from: .second, shape: [1], bound: 1000)
            _ = try operation(&builder, a, b)
            let program = builder.program()
            var (broken, fresh) = ([ViewStatistics](), [ViewStatistics]())
            for _ in 0..<3 {
                broken.append(ViewStatistics())
                fresh.append(ViewStatistics())
            }
            for run in 0..<UInt64(Self.runs) {
                func views(_ number: Int64, _ seed: UInt64) throws -> [[UInt64]] {
                    let all = try Trio(program, [try tensor([1], [number])], seed: seed).run()
                    return all.received.map { $0.dropFirst().flatMap { $0 } }
                }
                let first = try views(-6, run)
                let (again, other) = (try views(92, run), try views(92, run + 1_000_000))
                for party in 0..<3 {
                    broken[party].add(first[party] + again[party])
                    fresh[party].add(first[party] + other[party])
                }
            }
            // Where one element alone is computed on, its lead receives nothing of some operations.
            let seen = (0..<3).filter { !fresh[$0].counts.isEmpty }
            #expect(seen.contains { broken[$0].uniformity < Self.alarm })
            #expect(seen.allSatisfy { fresh[$0].uniformity > Self.alarm })
        }
    }

    /// A message of a round and what it would be without a mask.
    private struct Stage {
        let round: Int
        let from: ComputingParty
        let toNext: Bool
        let unmasked: (PairwiseKeys, [UInt64]) -> [UInt64]
    }

    /// For each message, p of its words with the mask that they have and without it, over many runs.
    private func compared(
        _ program: Program, _ inputs: [RingTensor], _ stages: [Stage]
    ) throws -> [(fair: Double, broken: Double)] {
        var all = stages.map { _ in (fair: ViewStatistics(), broken: ViewStatistics()) }
        for seed in 0..<UInt64(Self.runs) {
            let run = try Trio(program, inputs, seed: seed).run()
            for (number, stage) in stages.enumerated() {
                let messages = run.sent[stage.round][stage.from.rawValue]
                let words = stage.toNext ? messages.toNext.words : messages.toPrevious.words
                all[number].fair.add(words)
                all[number].broken.add(stage.unmasked(run.keys[stage.from.rawValue], words))
            }
        }
        return all.map { ($0.fair.uniformity, $0.broken.uniformity) }
    }

    @Test("A broken copy that leaves out the zero sharing of a product is caught, at each party")
    func zerosLeftOut() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [1], bound: 1000)
        let b = try builder.input(from: .second, shape: [1], bound: 1000)
        let place = try builder.product(a, b).place
        let inputs = [try tensor([1], [6]), try tensor([1], [-4])]
        let stages = ComputingParty.three.map { party in
            Stage(round: 1, from: party, toNext: false) { keys, words in
                zip(words, keys.zeros(words.count, MaskStream(place, .product))).map { $0 &- $1 }
            }
        }
        for found in try compared(builder.program(), inputs, stages) {
            #expect(found.fair > Self.alarm && found.broken < Self.alarm)
        }
    }

    @Test(
        "Each mask of a comparison and of a truncation is needed: a copy that leaves out one is caught, round by round"
    )
    func masksLeftOut() throws {
        for isTruncation in [false, true] {
            var builder = ProgramBuilder()
            let a = try builder.input(from: .first, shape: [1], bound: 1000)
            let b = try builder.input(from: .second, shape: [1], bound: 1000)
            let sum = try builder.sum(a, b)
            let step = try isTruncation ? builder.truncated(sum, by: 9, exactly: true) : builder.relu(sum)
            let program = builder.program()
            let shape = try #require(program.leadShape(step.place))
            let tree = try #require(shape.carry)
            let part = try #require(tree.elements.parts.first { !$0.range.isEmpty })
            let inputs = [try tensor([1], [500]), try tensor([1], [-3])]
            func name(_ purpose: MaskStream.Purpose, layer: Int = 0) -> MaskStream {
                MaskStream(step.place, purpose, layer: layer, part: part.number)
            }
            func bits(_ words: [UInt64], _ mask: [UInt64]) -> [UInt64] { zip(words, mask).map { $0 ^ $1 } }
            func sums(_ words: [UInt64], _ mask: [UInt64]) -> [UInt64] { zip(words, mask).map { $0 &+ $1 } }
            let (lead, middle, last) = (part.lead, part.lead.next, part.lead.previous)
            let functions = 1 + tree.rounds
            var stages = [
                Stage(round: 1, from: lead, toNext: true) { bits($1, $0.own.words($1.count, name(.planes))) },
                Stage(round: 2, from: middle, toNext: true) { bits($1, $0.own.words($1.count, name(.blocks))) },
                Stage(round: 2, from: last, toNext: false) { bits($1, $0.next.words($1.count, name(.blocks))) },
                Stage(round: functions, from: lead, toNext: true) {
                    sums($1, $0.own.words($1.count, name(.functions)))
                },
                Stage(round: functions + 1, from: middle, toNext: true) {
                    sums($1, $0.own.words($1.count, name(.results)))
                },
                Stage(round: functions + 1, from: last, toNext: false) {
                    sums($1, $0.next.words($1.count, name(.results)))
                },
            ]
            for layer in 0..<tree.blocks.layers {
                stages += ComputingParty.three.map { party in
                    Stage(round: 3 + layer, from: party, toNext: false) {
                        bits($1, $0.zeroBits($1.count, name(.gates, layer: layer)))
                    }
                }
            }
            for (number, found) in try compared(program, inputs, stages).enumerated() {
                #expect(found.fair > Self.alarm, "stage \(number)")
                // A share of a result alone is uniform when its functions are, which their own stage shows.
                #expect(found.broken < Self.alarm || number == 4 || number == 5, "stage \(number)")
            }
        }
    }

    @Test("Shared weights are uniform to each of the two who do not own them, and differ each time they are shared")
    func weights() throws {
        var builder = ProgramBuilder()
        _ = try builder.weights("w", of: .second, shape: [2, 1], bound: 1000, sumBound: 1000)
        let program = builder.program()
        var views = [ComputingParty.first: ViewStatistics(), .third: ViewStatistics()]
        for seed in 0..<UInt64(Self.runs) {
            var random = SeededGenerator(seed: seed)
            let parts = try SharedWeights.sharing(
                [try tensor([2, 1], [3, -4])], of: .second, in: program, random: &random)
            for holder in [ComputingParty.first, .third] {
                views[holder]?.add(parts[holder]?.words.flatMap { $0 } ?? [])
            }
        }
        for view in views.values { #expect(view.uniformity > Self.alarm) }
    }
}
