import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

/// What each party sees. Every test draws from fixed seeds; with the system's randomness a correct protocol would fail one of them once in a million runs.
@Suite("What a party sees follows from its input and output")
struct ViewTests {
    static let runs = 4000
    /// What a test may be wrong in, and below which a broken copy must fall.
    static let alarm = 1e-6

    /// A few of everything that opens something.
    private func everything(reveals: Bool) throws -> (Program, [RingTensor], [RingTensor]) {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [1, 1], bound: 1000)
        let b = try builder.input(from: .second, shape: [1, 1], bound: 1000)
        let weights = try builder.weights("w", of: .second, shape: [1, 1], bound: 1000, sumBound: 1000)
        let own = try builder.weights("v", of: .first, shape: [1, 1], bound: 1000, sumBound: 1000)
        let weighted = try builder.matrixProduct(a, weights)
        let other = try builder.matrixProduct(b, own)
        let once = try builder.maskedOnce(a)
        let product = try builder.sum(
            try builder.product(once, b), try builder.product(once, try builder.product(b, once)))
        let exact = try builder.truncated(try builder.sum(weighted, other), by: 4, exactly: true)
        let rough = try builder.truncated(try builder.relu(product), by: 4, exactly: false)
        let both = try builder.relu(try builder.sum(exact, rough), truncatedBy: 3)
        let place = try builder.argmax(
            try builder.reshaped(try builder.concatenated([exact, a, product]), to: [1, 3]))
        builder.comparisons = .twoRounds
        let compact = try builder.relu(both, truncatedBy: 1)
        let held = try builder.relu(both, truncatedBy: 1, upTo: 40)
        let all = try builder.sum(try builder.sum(compact, held), try builder.isAtLeast(both, 1))
        let last = try builder.truncated(all, by: 2, exactly: true)
        if reveals {
            _ = try builder.reveal(place, to: .first)
            _ = try builder.reveal(last, to: .first)
            _ = try builder.reveal(last, to: .second)
        }
        let inputs = [try tensor([1, 1], [-321]), try tensor([1, 1], [77])]
        return (builder.program(), inputs, [try tensor([1, 1], [17]), try tensor([1, 1], [-5])])
    }

    @Test("Each word that a party receives is uniform, and each two are independent, whatever the inputs")
    func uniform() throws {
        let (program, inputs, weights) = try everything(reveals: false)
        let zeros = try inputs.map { try RingTensor(zeros: $0.shape) }
        for (number, given) in [inputs, zeros].enumerated() {
            var views = [ViewStatistics(), ViewStatistics()]
            for run in 0..<Self.runs {
                let result = try Pair(program, given, weights: weights, seed: UInt64(number * Self.runs + run)).run()
                for party in 0..<2 { views[party].add(result.received[party].flatMap { $0 }) }
            }
            for view in views { #expect(view.uniformity > Self.alarm) }
        }
    }

    /// A party's view made from its inputs and the outputs alone: random words, and shares that give the outputs.
    private func simulated(
        _ pair: Pair, _ party: ComputingParty, outputs: [RingTensor], random: inout SeededGenerator
    ) throws -> (view: [UInt64], found: [RingTensor]?) {
        var machine = try pair.machine(party)
        var left = outputs[...]
        var view: [UInt64] = []
        var own = try machine.begin()
        var round = 0
        while own != nil {
            var words: [UInt64] = []
            for place in pair.program.rounds[round] {
                if case .reveal(let value, let to) = pair.program.operation(place), to == party {
                    let share = machine.shares[value.place] ?? []
                    words += zip(left.removeFirst().words, share).map { $0 &- $1 }
                } else {
                    words += (0..<pair.program.openedWords(place, by: party.other)).map { _ in random.next() }
                }
            }
            view += words
            own = try machine.receive(
                RoundMessage(
                    session: Array(pair.session.digest.prefix(16)), party: party.other, round: round, words: words))
            round += 1
        }
        return (view, machine.outputs)
    }

    @Test("A simulator with a party's inputs and outputs makes what it sees, its own randomness beside it")
    func simulator() throws {
        let (program, inputs, weights) = try everything(reveals: true)
        for party in ComputingParty.two {
            var (real, ideal) = (ViewStatistics(), ViewStatistics())
            var random = SeededGenerator(seed: 99)
            for run in 0..<Self.runs {
                let pair = try Pair(program, inputs, weights: weights, seed: UInt64(50_000 + run))
                let result = try pair.run()
                let correlations = party == .first ? pair.correlations.first : pair.correlations.second
                let tape = StepStream(key: CipherKey(words: correlations.seed), place: program.rounds[0][0]).words(
                    2, .mask)
                real.add(result.received[party.rawValue].flatMap { $0 } + tape)
                let outputs = result.outputs[party.rawValue]
                let (view, found) = try simulated(pair, party, outputs: outputs, random: &random)
                // The party itself cannot tell: it ends with the outputs that it was to end with.
                #expect(found == outputs)
                ideal.add(view + tape)
            }
            #expect(real.homogeneity(with: ideal) > Self.alarm, "\(party)")
        }
    }

    @Test("The statistic sees a constant, a difference that repeats, and a mask that leaves out one bit")
    func sees() {
        var generator = SeededGenerator(seed: 3)
        var (fair, constant, repeated, short) = (ViewStatistics(), ViewStatistics(), ViewStatistics(), ViewStatistics())
        for _ in 0..<Self.runs {
            let (x, y) = (generator.next(), generator.next())
            fair.add([x, y])
            constant.add([x, 5])
            repeated.add([x, x &+ 5])
            short.add([x, y >> 1])
        }
        #expect(fair.uniformity > Self.alarm)
        for broken in [constant, repeated, short] { #expect(broken.uniformity < Self.alarm) }
    }

    // MARK: - Broken copies

    /// One run's received words of a party, where the correlations are those of the seed, whatever they served for.
    private func view(
        _ builder: ProgramBuilder, _ inputs: [RingTensor], weights: [RingTensor] = [], seed: UInt64,
        of party: ComputingParty
    ) throws -> [UInt64] {
        try Pair(builder.program(), inputs, weights: weights, seed: seed).run().received[party.rawValue].flatMap { $0 }
    }

    @Test("A broken copy that uses a mask twice is caught, a fresh one is not: products, comparisons, truncations")
    func maskTwice() throws {
        let operations: [(inout ProgramBuilder, Value, Value) throws -> Value] = [
            { try $0.product($1, $2) }, { try $0.relu($0.sum($1, $2), upTo: 9) },
            {
                $0.comparisons = .twoRounds
                return try $0.relu($0.sum($1, $2))
            },
            {
                $0.comparisons = .twoRounds
                return try $0.relu($0.sum($1, $2), truncatedBy: 2, upTo: 9)
            }, { try $0.relu($0.sum($1, $2), truncatedBy: 2, upTo: 9) }, { try $0.relu($0.sum($1, $2)) },
            { try $0.truncated($0.sum($1, $2), by: 5, exactly: true) },
            { try $0.truncated($0.sum($1, $2), by: 5, exactly: false) },
        ]
        for operation in operations {
            var builder = ProgramBuilder()
            let a = try builder.input(from: .first, shape: [1], bound: 1000)
            let b = try builder.input(from: .second, shape: [1], bound: 1000)
            _ = try operation(&builder, a, b)
            for party in ComputingParty.two {
                var (broken, fresh) = (ViewStatistics(), ViewStatistics())
                for run in 0..<UInt64(Self.runs) {
                    let inputs = [[3, 4], [-5, 9]].map { $0 as [Int64] }
                    let tensors = try inputs.map { try $0.map { try tensor([1], [$0]) } }
                    let first = try view(builder, tensors[0], seed: run, of: party)
                    broken.add(first + (try view(builder, tensors[1], seed: run, of: party)))
                    fresh.add(first + (try view(builder, tensors[1], seed: run + 1_000_000, of: party)))
                }
                #expect(broken.uniformity < Self.alarm)
                #expect(fresh.uniformity > Self.alarm)
            }
        }
    }

    @Test("A broken copy that draws A twice under one mask of the weights is caught; fresh A under that mask is not")
    func sameLeftMask() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [1, 2], bound: 1000)
        let weights = try builder.weights("w", of: .second, shape: [2, 1], bound: 1000, sumBound: 1000)
        _ = try builder.matrixProduct(a, weights)
        let program = builder.program()
        let values = [try tensor([2, 1], [3, 4])]
        var (broken, fresh) = (ViewStatistics(), ViewStatistics())
        for run in 0..<UInt64(Self.runs) {
            var random = SeededGenerator(seed: run)
            let mask = WeightMask(random: &random)
            func query(_ numbers: [Int64], seed: UInt64) throws -> [UInt64] {
                try Pair(
                    program, [try tensor([1, 2], numbers)], weights: values, masks: [.second: mask, .first: mask],
                    seed: seed
                )
                .run().received[1].flatMap { $0 }
            }
            let first = try query([1, 2], seed: run)
            broken.add(first + (try query([30, -40], seed: run)))
            fresh.add(first + (try query([30, -40], seed: run + 1_000_000)))
        }
        #expect(broken.uniformity < Self.alarm)
        #expect(fresh.uniformity > Self.alarm)
    }

    @Test("A broken copy whose weights change under one mask is caught, and the mask itself refuses them")
    func weightsTwice() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [1, 2], bound: 1000)
        let slot = try builder.weights("w", of: .second, shape: [2, 1], bound: 1000, sumBound: 1000)
        _ = try builder.matrixProduct(a, slot)
        let program = builder.program()
        let (old, new) = (try tensor([2, 1], [3, 4]), try tensor([2, 1], [3, 5]))
        var (broken, fresh) = (ViewStatistics(), ViewStatistics())
        for run in 0..<UInt64(Self.runs) {
            var random = SeededGenerator(seed: run)
            let mask = WeightMask(random: &random)
            let other = WeightMask(random: &random)
            func masked(_ mask: WeightMask, _ weights: RingTensor) throws -> [UInt64] {
                var unbound = mask
                return try unbound.masked([weights], of: .second, in: program).words.flatMap { $0 }
            }
            broken.add(try masked(mask, old) + masked(mask, new))
            fresh.add(try masked(mask, old) + masked(other, new))
        }
        #expect(broken.uniformity < Self.alarm)
        #expect(fresh.uniformity > Self.alarm)
        var random = SeededGenerator(seed: 5)
        var mask = WeightMask(random: &random)
        let once = try mask.masked([old], of: .second, in: program)
        #expect(try mask.masked([old], of: .second, in: program) == once)
        #expect(throws: ComputationError.maskOfOtherWeights) { try mask.masked([new], of: .second, in: program) }
    }

    @Test("A broken copy that truncates without its mask is caught, at its first share and behind a product")
    func truncationWithoutMask() throws {
        for isProduct in [false, true] {
            var builder = ProgramBuilder()
            let a = try builder.input(from: .first, shape: [1], bound: 1000)
            let b = try builder.input(from: .second, shape: [1], bound: 1000)
            let value = isProduct ? try builder.product(a, b) : try builder.sum(a, b)
            let step = try builder.truncated(value, by: 5, exactly: true)
            let program = builder.program()
            var (broken, fair) = (ViewStatistics(), ViewStatistics())
            for run in 0..<UInt64(Self.runs) {
                let pair = try Pair(program, [try tensor([1], [500]), try tensor([1], [-3])], seed: run)
                var machines = [try pair.machine(.first), try pair.machine(.second)]
                let begun = try machines.indices.map { try machines[$0].begin() }
                if isProduct, let one = begun[0], let two = begun[1] {
                    _ = try machines[0].receive(two)
                    _ = try machines[1].receive(one)
                }
                // What both see: each one's opening, and with that the value that is opened.
                let openings = machines.map { $0.openedWords(step.place)[0] }
                let masks = machines.map { StepStream(key: $0.key, place: step.place).words(1, .mask)[0] }
                let bare = zip(openings, masks).map { $0 &- $1 }
                fair.add([openings[0], openings[0] &+ openings[1]])
                broken.add([bare[0], bare[0] &+ bare[1]])
            }
            #expect(broken.uniformity < Self.alarm)
            #expect(fair.uniformity > Self.alarm)
        }
    }
}
