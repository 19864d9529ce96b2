import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

@Suite("One of three who deviates: the others' outputs are right, or they stop before anything is opened")
struct ThreePartyAbortTests {
    /// A program with messages of every kind: inputs and weights, conjunctions, products of elements and of matrices, openings.
    static func program(reveals: Bool = true) throws -> (Program, [RingTensor], [RingTensor]) {
        var builder = ProgramBuilder()
        let inputs = try ComputingParty.three.map { try builder.input(from: $0, shape: [1, 2], bound: 20) }
        let slot = try builder.weights("w", of: .second, shape: [2, 2], bound: 9, sumBound: 12)
        let product = try builder.matrixProduct(inputs[0], slot)
        let relu = try builder.relu(try builder.sum(product, inputs[1]))
        let value = try builder.sum(relu, try builder.product(inputs[1], inputs[2]))
        for party in ComputingParty.three where reveals { _ = try builder.reveal(value, to: party) }
        return (
            builder.program(),
            [try tensor([1, 2], [-19, 7]), try tensor([1, 2], [3, -2]), try tensor([1, 2], [20, -20])],
            [try tensor([2, 2], [3, -9, 9, 3])]
        )
    }

    private func trio(seed: UInt64 = 1) throws -> Trio {
        let (program, inputs, weights) = try Self.program()
        return try Trio(program, inputs, weights: weights, security: .withAbort, seed: seed)
    }

    /// The rounds of a run: the first of the proof, and the one in which outputs are opened.
    static func rounds(_ program: Program) throws -> (proof: Int, opening: Int) {
        let plan = try VerifiedPlan(program)
        return (1 + plan.verified.rounds.count, plan.rounds)
    }

    /// That both others stop, or one does and the other one is left waiting, and none has opened anything.
    private func expectAbort(_ result: Deviation.Result, before opening: Int, _ what: String) {
        let ends = Array(result.ends.values)
        #expect(
            ends.allSatisfy { if case .outputs = $0 { false } else { true } }
                && ends.contains { if case .aborted = $0 { true } else { false } }, "\(what): \(ends)")
        #expect(result.lastRound < opening, "\(what)")
    }

    @Test(
        "Each word of each message of each party, changed: the others stop before an opening, and behind it by its hash"
    )
    func eachWord() throws {
        let trio = try trio()
        let honest = try trio.run()
        let (proof, opening) = try Self.rounds(trio.program)
        var generator = SeededGenerator(seed: 5)
        var changed = [0, 0, 0]
        for deviator in ComputingParty.three {
            for round in honest.sent.indices {
                let messages = honest.sent[round][deviator.rawValue]
                for message in [messages.toNext, messages.toPrevious] {
                    // Of a polynomial's many coefficients some.
                    let step = round < proof || message.words.count < 64 ? 1 : 41
                    for place in stride(from: 0, to: message.words.count, by: step) {
                        let offset = [1, 1 << 63, generator.next() | 1][(place + round) % 3]
                        let deviation = Deviation(trio: trio, deviator: deviator) { at, to, words in
                            guard at == round, to == message.to else { return words }
                            var words = words
                            words[place] &+= offset
                            return words
                        }
                        let result = try deviation.run()
                        let what = "\(deviator), round \(round), to \(message.to), word \(place)"
                        if round > proof, message.words.count == 1,
                            result.ends.allSatisfy({ $0.value == .outputs(honest.outputs[$0.key.rawValue]) })
                        {
                            // A challenge told wrongly to a prover that has nothing more to fold.
                            continue
                        }
                        changed[deviator.rawValue] += 1
                        if round < opening {
                            // Both see what is false in a proof; what goes from one verifier to the other, one alone.
                            expectAbort(result, before: round == opening - 1 ? opening + 1 : opening, what)
                            guard round < proof else { continue }
                            #expect(
                                result.ends.values.allSatisfy { $0 == .aborted(round: opening - 1) }, "\(what)")
                        } else {
                            #expect(result.ends[message.to] == .aborted(round: opening), "\(what)")
                            let other = try #require(result.ends.first { $0.key != message.to })
                            #expect(other.value == .outputs(honest.outputs[other.key.rawValue]), "\(what)")
                        }
                    }
                }
            }
        }
        #expect(changed.allSatisfy { $0 > 100 })
    }

    @Test(
        "Chosen changes are caught like random ones: the highest bit, equal ones in two words, opposite ones, swapped words, all zeros, what was sent before, and another receiver's message"
    )
    func chosen() throws {
        let trio = try trio(seed: 2)
        let honest = try trio.run()
        let (proof, opening) = try Self.rounds(trio.program)
        let changes: [(String, ([UInt64]) -> [UInt64])] = [
            ("highest bits", { $0.map { $0 ^ 1 << 63 } }),
            ("one in two", { [$0[0] ^ 1, $0[1] ^ 1] + $0.dropFirst(2) }),
            ("highest bit in two", { [$0[0] ^ 1 << 63, $0[1] ^ 1 << 63] + $0.dropFirst(2) }),
            ("opposite", { [$0[0] &+ 77, $0[1] &- 77] + $0.dropFirst(2) }),
            ("swapped", { [$0[1], $0[0]] + $0.dropFirst(2) }),
            ("zeros", { $0.map { _ in 0 } }),
            ("turned", { Array($0.dropFirst()) + $0.prefix(1) }),
        ]
        for deviator in ComputingParty.three {
            for round in 1..<proof {
                for (name, change) in changes {
                    for to in [deviator.next, deviator.previous] {
                        let message = honest.sent[round][deviator.rawValue][to]?.words ?? []
                        guard message.count > 1, change(message) != message else { continue }
                        let result = try Deviation(trio: trio, deviator: deviator) {
                            $0 == round && $1 == to ? change($2) : $2
                        }.run()
                        expectAbort(result, before: opening, "\(name), \(deviator), round \(round)")
                    }
                }
                // What it sent in an earlier round, as far as it goes.
                let words = honest.sent[round][deviator.rawValue].toPrevious.words
                let old = honest.sent[..<round].flatMap { $0[deviator.rawValue].toPrevious.words }
                guard !words.isEmpty, old.count >= words.count else { continue }
                let result = try Deviation(trio: trio, deviator: deviator) { at, to, words in
                    at == round && to == deviator.previous ? Array(old.suffix(words.count)) : words
                }.run()
                expectAbort(result, before: opening, "replayed, \(deviator), round \(round)")
            }
        }
    }

    @Test("Messages cut, lengthened, replayed or of another session are refused before they change anything")
    func forms() throws {
        let trio = try trio()
        let expected = try trio.run()
        let other = try self.trio(seed: 9).run()
        var machine = try trio.machine(.second)
        _ = try machine.begin()
        for round in expected.sent.indices {
            let (one, two) = (expected.sent[round][0].toNext, expected.sent[round][2].toPrevious)
            for words in [one.words + [0], one.words.isEmpty ? [1] : Array(one.words.dropLast())] {
                let wrong = ThreePartyMessage(
                    session: one.session, from: one.from, to: one.to, round: one.round, words: words)
                #expect(throws: ComputationError.self) { try machine.receive([wrong, two]) }
            }
            #expect(throws: ComputationError.otherSession) { try machine.receive([other.sent[round][0].toNext, two]) }
            let late = expected.sent[(round + 1) % expected.sent.count]
            #expect(throws: ComputationError.self) { try machine.receive([late[0].toNext, late[2].toPrevious]) }
            let answer = try machine.receive([one, two])
            #expect(answer == (round + 1 < expected.sent.count ? expected.sent[round + 1][1] : nil))
        }
        #expect(machine.outputs == expected.outputs[1])
    }

    @Test("Behind an abort a machine gives nothing any more, and says abort again")
    func dead() throws {
        let trio = try trio()
        let sent = try trio.run().sent
        var machine = try trio.machine(.second)
        _ = try machine.begin()
        for round in sent.indices.dropLast(2) {
            _ = try machine.receive([sent[round][0].toNext, sent[round][2].toPrevious])
        }
        let last = sent[sent.count - 2]
        let wrong = ThreePartyMessage(
            session: last[0].toNext.session, from: .first, to: .second, round: sent.count - 2,
            words: last[0].toNext.words.map { $0 ^ 1 })
        for _ in 0..<2 {
            do {
                _ = try machine.receive([wrong, last[2].toPrevious])
                Issue.record("no abort")
            } catch { #expect(error == .abort(round: sent.count - 2, "a proof of what was sent")) }
        }
        #expect(throws: ComputationError.self) { try machine.receive([last[0].toNext, last[2].toPrevious]) }
        #expect(machine.outputs == nil && !machine.isFinished && machine.expectedWords(from: .first) == 0)
    }

    @Test("Inputs and weights beyond their bounds stop the others, whoever gives them; at the bounds they do not")
    func bounds() throws {
        for owner in ComputingParty.three {
            for number in [20, -20, 21, -21, 1 << 40, .max, .min, .min + 1, 1 << 62] as [Int64] {
                var builder = ProgramBuilder()
                let input = try builder.input(from: owner, shape: [2], bound: 20)
                _ = try builder.reveal(input, to: owner.next)
                let program = builder.program()
                let trio = try Trio(
                    program, [try tensor([2], [5, number])], security: .withAbort, seed: UInt64(owner.rawValue))
                let result = try Deviation(trio: trio, deviator: owner, change: { $2 }, isHeld: false).run()
                if number.magnitude <= 20 {
                    #expect(result.ends[owner.next] == .outputs([try tensor([2], [5, number])]))
                } else {
                    expectAbort(result, before: try Self.rounds(program).opening, "\(number) of \(owner)")
                }
            }
            for (weights, isFair) in [
                ([9, -9, 3, 3], true), ([10, 0, 0, 0], false), ([0, 0, -10, 0], false), ([9, 0, 4, 0], false),
                ([0, -7, 0, 6], false), ([.min, 0, 0, 0], false), ([.max, 0, 9, 0], false),
                ([1 << 62, 0, 1 << 62, 0], false),
                ([0, 0, 0, .min + 6], false),
            ] as [([Int64], Bool)] {
                func program(bound: Int64) throws -> Program {
                    var builder = ProgramBuilder()
                    let input = try builder.input(from: owner.next, shape: [1, 2], bound: 3)
                    let slot = try builder.weights(
                        "w", of: owner, shape: [2, 2], bound: min(bound, 9), sumBound: min(bound, 12))
                    _ = try builder.reveal(try builder.matrixProduct(input, slot), to: owner.previous)
                    return builder.program()
                }
                let strict = try program(bound: 12)
                var trio = try Trio(
                    strict, [try tensor([1, 2], [1, 3])], weights: [try tensor([2, 2], [0, 0, 0, 0])],
                    security: .withAbort, seed: 3)
                // The owner shares what it likes.
                trio.inputs = try trio.shared(try tensor([2, 2], weights), of: owner, seed: 4)
                let result = try Deviation(trio: trio, deviator: owner, change: { $2 }, isHeld: false).run()
                if isFair {
                    let sums = [weights[0] + 3 * weights[2], weights[1] + 3 * weights[3]]
                    #expect(result.ends[owner.previous] == .outputs([try tensor([1, 2], sums)]))
                } else {
                    expectAbort(result, before: try Self.rounds(strict).opening, "\(weights) of \(owner)")
                }
            }
        }
    }

    @Test(
        "Whether the others stop does not depend on what they gave: the same deviation ends alike over all their inputs"
    )
    func selectiveFailure() throws {
        let (program, _, weights) = try Self.program()
        let (proof, opening) = try Self.rounds(program)
        var generator = SeededGenerator(seed: 6)
        for deviator in ComputingParty.three {
            for round in 0...opening {
                var ends: [[ComputingParty: Deviation.End]] = []
                let (bit, place) = (UInt64.random(in: 0..<64, using: &generator), generator.next())
                for number in 0..<6 as Range<Int64> {
                    let inputs = try ComputingParty.three.map { party in
                        try tensor([1, 2], party == deviator ? [4, -4] : [20 - 8 * number, 8 * number - 20])
                    }
                    let trio = try Trio(
                        program, inputs,
                        weights: deviator == .second
                            ? weights : [try tensor([2, 2], [number, -number, 0, 9 - number])], security: .withAbort,
                        seed: 40)
                    let result = try Deviation(trio: trio, deviator: deviator) { at, _, words in
                        guard at == round, !words.isEmpty else { return words }
                        var words = words
                        words[Int(place % UInt64(words.count))] ^= 1 << bit
                        return words
                    }.run()
                    // Where no message was changed, outputs differ as inputs do.
                    ends.append(
                        result.ends.mapValues { if case .outputs = $0 { .outputs([]) } else { $0 } })
                }
                #expect(ends.allSatisfy { $0 == ends[0] }, "\(deviator), round \(round) of \(proof), \(opening)")
            }
        }
    }

    @Test("Tables, and weights whose sums could pass the ring, are refused with abort before a run, by what is missing")
    func refused() throws {
        var tables = TableProgramBuilder()
        _ = try tables.input(from: .first, rows: 1, columns: [TableColumn("a", bound: 1)])
        let table = tables.program()
        #expect(throws: ComputationError.self) {
            try ThreePartySession(program: table, parties: ["a", "b", "c"], security: .withAbort)
        }
        _ = try ThreePartySession(program: table, parties: ["a", "b", "c"])
        var builder = ProgramBuilder()
        let slot = try builder.weights("big", of: .first, shape: [4, 1], bound: 1 << 60, sumBound: 1 << 20)
        let input = try builder.input(from: .second, shape: [1, 4], bound: 1)
        _ = try builder.reveal(try builder.matrixProduct(input, slot), to: .second)
        let program = builder.program()
        do {
            _ = try ThreePartySession(
                program: program, parties: ["a", "b", "c"], weights: [.first: [UInt8](repeating: 1, count: 16)],
                security: .withAbort)
            Issue.record("not refused")
        } catch {
            guard case .unverifiable(let what) = error else { throw error }
            #expect(what.contains("big"))
        }
    }

    @Test(
        "Weights that one run has verified need no proof in the next; unverified parts, and those verified for other bounds, are refused there"
    )
    func weightsOnce() throws {
        let (program, inputs, weights) = try Self.program()
        let first = try Trio(program, inputs, weights: weights, security: .withAbort, seed: 8)
        var machines = try ComputingParty.three.map { try first.machine($0) }
        var sent = try machines.indices.map { try machines[$0].begin() }
        #expect(machines.allSatisfy { $0.verifiedWeights == nil })
        while !machines[0].isFinished {
            let now = sent
            for place in machines.indices {
                let answer = try machines[place].receive(now.compactMap { $0[machines[place].party] })
                sent[place] = answer ?? now[place]
            }
        }
        let verification = try #require(machines[0].verifiedWeights?.first?.verification)
        func trio(_ verification: [UInt8]) throws -> Trio {
            try Trio(
                program, inputs, weights: weights, security: .withAbort, verifications: [.second: verification], seed: 8
            )
        }
        var second = try trio(verification)
        #expect(second.session.digest != first.session.digest)
        #expect(throws: ComputationError.self) { try second.machine(.first) }
        for party in ComputingParty.three {
            let parts = try #require(machines[party.rawValue].verifiedWeights)
            second.inputs[party.rawValue].weights = try parts.map { part in
                let read = try SharedWeights(part.encoded, program: program)
                #expect(part.isVerified(for: program) && read.isVerified(for: program) && read.words == part.words)
                return read
            }
        }
        let run = try second.run()
        let both = try ClearText.run(program, inputs: inputs, weights: weights).outputs
        #expect(run.outputs.map { $0[0] } == both)
        #expect(try run.cost == program.threePartyCostWithAbort(weightsAreVerified: true))
        #expect(try run.cost.bytes < program.threePartyCostWithAbort().bytes)
        // Parts of another run that verified the same bounds: who mixed two could pass them.
        var third = try trio(verification.prefix(32) + [UInt8](repeating: 7, count: 32))
        third.inputs = second.inputs
        #expect(throws: ComputationError.self) { try third.machine(.first) }
        // The same shapes within other bounds.
        var builder = ProgramBuilder()
        _ = try builder.weights("w", of: .second, shape: [2, 2], bound: 8, sumBound: 12)
        let other = builder.program()
        let part = second.inputs[0].weights[0]
        #expect(!part.isVerified(for: other))
        let session = try ThreePartySession(
            program: other, parties: ["a", "b", "c"], weights: [.second: part.identifier], security: .withAbort,
            verifications: [.second: verification])
        #expect(throws: ComputationError.self) {
            try ThreePartyMachine(
                program: other, session: session, party: .first, inputs: ThreePartyInputs(weights: [part]))
        }
        #expect(throws: ComputationError.self) { try SharedWeights(part.encoded.dropLast(), program: program) }
    }

    @Test(
        "Eighty programs at random, in each of which one party changes a word at random: no output is wrong, and most runs end"
    )
    func random() throws {
        var aborted = 0
        for seed in 0..<80 as Range<UInt64> {
            var numbers = Tensors(7000 + seed)
            var builder = ProgramBuilder()
            var values = try ComputingParty.three.map { try builder.input(from: $0, shape: [6], bound: 1000) }
            for _ in 0..<6 {
                var next = builder
                let (a, b) = (
                    values[numbers.number(0...values.count - 1)], values[numbers.number(0...values.count - 1)]
                )
                guard let value = try? RandomProgramTests.added(numbers.number(0...14), a, b, to: &next) else {
                    continue
                }
                builder = next
                values.append(value)
            }
            for value in values { for party in ComputingParty.three { _ = try builder.reveal(value, to: party) } }
            let program = builder.program()
            let inputs = try program.inputs.map { try numbers($0.shape, within: 1000) }
            let trio = try Trio(program, inputs, security: .withAbort, seed: seed)
            let expected = try ClearText.run(program, inputs: inputs).outputs
            let deviator = ComputingParty.three[numbers.number(0...2)]
            let round = numbers.number(0...(try Self.rounds(program).opening))
            let (place, bit) = (numbers.number(0...1 << 40), UInt64(numbers.number(0...63)))
            let result = try Deviation(trio: trio, deviator: deviator) { at, _, words in
                guard at == round, !words.isEmpty else { return words }
                var words = words
                words[place % words.count] ^= 1 << bit
                return words
            }.run()
            for (party, end) in result.ends {
                switch end {
                case .outputs(let outputs):
                    #expect(
                        outputs == zip(program.outputs, expected).filter { $0.0.to == party }.map { $0.1 }, "\(seed)")
                case .aborted: aborted += 1
                case .left: break
                }
            }
        }
        #expect(aborted > 80)
    }

    @Test("Neither description nor dump of a run with abort, or of a part of it, shows a word")
    func redacted() throws {
        let trio = try trio(seed: 3)
        let honest = try trio.run()
        var machine = try trio.machine(.first)
        _ = try machine.begin()
        var text = ""
        for round in honest.sent.dropLast() {
            _ = try machine.receive([round[1].toPrevious, round[2].toNext])
            let verified = try #require(machine.verified)
            dump(machine, to: &text)
            dump(verified, to: &text)
            dump(verified.proof, to: &text)
            text += "\(machine) \(verified)"
        }
        for round in honest.received[0] { for word in round where word > 1000 { #expect(!text.contains("\(word)")) } }
    }

    @Test("Sessions with and without abort differ, so that no party can be made to run the one for the other")
    func sessions() throws {
        let (program, inputs, weights) = try Self.program()
        let two = try [ThreePartySecurity.semiHonest, .withAbort].map {
            try Trio(program, inputs, weights: weights, security: $0, seed: 1).session
        }
        #expect(two[0].nonce == two[1].nonce && two[0].digest != two[1].digest)
    }
}
