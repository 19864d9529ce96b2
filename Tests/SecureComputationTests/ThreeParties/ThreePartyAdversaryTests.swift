import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

@Suite("Liars, faults and what is refused, among three parties")
struct ThreePartyAdversaryTests {
    private func program() throws -> (Program, [RingTensor]) {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [3], bound: 1000)
        let b = try builder.input(from: .third, shape: [3], bound: 1000)
        let value = try builder.truncated(try builder.relu(try builder.product(a, b)), by: 3, exactly: true)
        _ = try builder.reveal(value, to: .second)
        return (builder.program(), [try tensor([3], [10, -20, 300]), try tensor([3], [7, 7, 7])])
    }

    @Test("Two names for three parties are refused; sessions of the same three differ")
    func roles() throws {
        let (program, _) = try program()
        for parties in [["a", "b"], ["a", "b", "a"], ["a", "a", "a"], ["a", "b", "c", "d"], []] {
            #expect(throws: ComputationError.self) { try ThreePartySession(program: program, parties: parties) }
        }
        let one = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        let two = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        #expect(one.digest != two.digest)
        let turned = try ThreePartySession(program: program, parties: ["b", "a", "c"], nonce: one.nonce)
        #expect(one.digest != turned.digest)
        #expect(throws: ComputationError.self) {
            try ThreePartySession(program: program, parties: ["a", "b", "c"], nonce: [1, 2, 3])
        }
        #expect(throws: ComputationError.self) {
            try ThreePartySession(program: program, parties: ["a", "b", "c"], weights: [.first: one.nonce])
        }
    }

    @Test("A machine takes no session of another program")
    func otherProgram() throws {
        let (program, inputs) = try program()
        let session = try ThreePartySession(program: ProgramBuilder().program(), parties: ["a", "b", "c"])
        #expect(throws: ComputationError.otherSession) {
            try ThreePartyMachine(
                program: program, session: session, party: .first, inputs: ThreePartyInputs(inputs: [inputs[0]]))
        }
        var builder = TableProgramBuilder()
        let table = try builder.input(from: .first, rows: 1, columns: [TableColumn("a", bound: 1)])
        let tables = try ThreePartySession(program: builder.program(), parties: ["a", "b", "c"])
        _ = try builder.shuffled(table)
        #expect(throws: ComputationError.otherSession) {
            try TableMachine(program: builder.program(), session: tables, party: .first, tables: [[[1]]])
        }
    }

    @Test("Two parties with a dealer refuse a program that names a third, at each place where it comes in")
    func thirdParty() throws {
        var builders = [ProgramBuilder](repeating: ProgramBuilder(), count: 3)
        _ = try builders[0].input(from: .third, shape: [1], bound: 1)
        _ = try builders[1].weights("w", of: .third, shape: [1, 1], bound: 1, sumBound: 1)
        let a = try builders[2].input(from: .first, shape: [1], bound: 1)
        _ = try builders[2].reveal(a, to: .third)
        for builder in builders {
            let program = builder.program()
            #expect(program.namesThirdParty)
            #expect(throws: ComputationError.thirdParty) {
                try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
            }
            let other = try ComputationSession(
                program: ProgramBuilder().program(), first: "a", second: "b", dealer: "c")
            #expect(throws: ComputationError.thirdParty) { try Dealer(program: program, session: other) }
            let dealt = try Dealer(program: ProgramBuilder().program(), session: other).correlations().first
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(dealt, inputs: PartyInputs())
            #expect(throws: ComputationError.thirdParty) {
                try TwoPartyMachine(program: program, session: other, correlations: dealt, claim: claim)
            }
        }
        // Nor do two take a third one's message.
        var bytes = RoundMessage(session: [UInt8](repeating: 0, count: 16), party: .first, round: 0, words: []).bytes
        bytes[24] = 2
        #expect(throws: ComputationError.self) { try RoundMessage(bytes: bytes, words: 0) }
    }

    @Test(
        "Messages out of order, replayed, missing, doubled, for another party, of another session or of a wrong size are refused, and the run goes on as if they had not come"
    )
    func order() throws {
        let (program, inputs) = try program()
        let trio = try Trio(program, inputs, seed: 1)
        let expected = try trio.run()
        let other = try Trio(program, inputs, seed: 2).run()
        var machine = try trio.machine(.second)
        let sent = expected.sent.map { round in [round[0].toNext, round[2].toPrevious] }
        #expect(throws: ComputationError.self) { try machine.receive(sent[0]) }
        let begun = try machine.begin()
        #expect(begun == expected.sent[0][1])
        #expect(throws: ComputationError.order(round: 0, expected: "no second beginning")) { try machine.begin() }
        for round in sent.indices {
            let (one, two) = (sent[round][0], sent[round][1])
            let later = sent[(round + 1) % sent.count]
            #expect(throws: ComputationError.order(round: later[0].round, expected: "\(round)")) {
                try machine.receive(later)
            }
            let strange = [other.sent[round][0].toNext, other.sent[round][2].toPrevious]
            #expect(throws: ComputationError.otherSession) { try machine.receive(strange) }
            let wrong: [[ThreePartyMessage]] = [
                [], [one], [one, one], [one, two, two], [expected.sent[round][0].toPrevious, two],
                [one, expected.sent[round][1].toNext],
            ]
            for messages in wrong { #expect(throws: ComputationError.self) { try machine.receive(messages) } }
            for words in [one.words + [0], Array(one.words.dropLast()) + (one.words.isEmpty ? [1, 2] : [])] {
                let resized = ThreePartyMessage(
                    session: one.session, from: one.from, to: one.to, round: one.round, words: words)
                #expect(throws: ComputationError.self) { try machine.receive([resized, two]) }
            }
            // In either order, and with the same answer as without all of that.
            let answer = try machine.receive(round % 2 == 0 ? [one, two] : [two, one])
            #expect(answer == (round + 1 < expected.sent.count ? expected.sent[round + 1][1] : nil))
        }
        #expect(throws: ComputationError.self) { try machine.receive(sent[0]) }
        #expect(machine.outputs?[0].words == [9, 0, 263])
        #expect(machine.cost == program.threePartyCost)
    }

    @Test("Lying parties give a wrong number or none, and never a crash")
    func liar() throws {
        let (program, inputs) = try program()
        var generator = SeededGenerator(seed: 8)
        for seed in 0..<200 as Range<UInt64> {
            let trio = try Trio(program, inputs, seed: seed)
            var machine = try trio.machine(.second)
            var message: ThreePartyMessages? = try machine.begin()
            var round = 0
            while message != nil {
                message = try machine.receive(
                    [ComputingParty.first, .third].map { other in
                        ThreePartyMessage(
                            session: Array(trio.session.digest.prefix(16)), from: other, to: .second, round: round,
                            words: (0..<machine.expectedWords(from: other)).map { _ in
                                seed % 2 == 0 ? generator.next() : 0
                            })
                    })
                round += 1
            }
            #expect(machine.isFinished && machine.outputs?.count == 1)
        }
    }

    @Test(
        "Bytes of a message: a round trip, and every cut, every changed byte of the header and random bytes are refused or read, never a crash"
    )
    func messageBytes() throws {
        var generator = SeededGenerator(seed: 9)
        let message = ThreePartyMessage(
            session: (0..<16).map { UInt8($0) }, from: .third, to: .first, round: 70_000,
            words: (0..<5).map { _ in generator.next() })
        let bytes = message.bytes
        #expect(bytes.count == ThreePartyMessage.headerBytes + 40)
        #expect(try ThreePartyMessage(bytes: bytes, words: 5) == message)
        for length in 0..<bytes.count {
            #expect(throws: ComputationError.self) {
                try ThreePartyMessage(bytes: Array(bytes.prefix(length)), words: 5)
            }
        }
        #expect(throws: ComputationError.self) { try ThreePartyMessage(bytes: bytes + [0], words: 5) }
        #expect(throws: ComputationError.self) { try ThreePartyMessage(bytes: bytes, words: 4) }
        // A number of words that would be absurd, and one whose bytes overflow: nothing is allocated for them.
        for count in [UInt64.max, 1 << 61, 1 << 40] {
            var lying = bytes
            withUnsafeBytes(of: count.littleEndian) { lying.replaceSubrange(32..<40, with: $0) }
            #expect(throws: ComputationError.self) { try ThreePartyMessage(bytes: lying, words: 5) }
        }
        for (from, to) in [(0, 0), (3, 0), (0, 3), (255, 1)] as [(UInt8, UInt8)] {
            var lying = bytes
            (lying[24], lying[25]) = (from, to)
            #expect(throws: ComputationError.self) { try ThreePartyMessage(bytes: lying, words: 5) }
        }
        var refused = 0
        for place in 0..<ThreePartyMessage.headerBytes {
            var changed = bytes
            changed[place] ^= 0x80
            if let read = try? ThreePartyMessage(bytes: changed, words: 5) {
                #expect(read != message)
            } else {
                refused += 1
            }
        }
        // Magic, parties, zeros and number; session and round are the machine's to refuse.
        #expect(refused == 20)
        for _ in 0..<2000 {
            let random = (0..<Int.random(in: 0..<120, using: &generator)).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
            #expect(throws: ComputationError.self) { try ThreePartyMessage(bytes: random, words: 5) }
        }
    }

    @Test(
        "Shared weights: bytes of a round trip, refusal of cut ones, of another holder's, another sharing's or another program's, and of weights beyond their bounds"
    )
    func weights() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [2, 3], bound: 10)
        let slot = try builder.weights("secret layer", of: .second, shape: [3, 2], bound: 5, sumBound: 9)
        _ = try builder.reveal(builder.matrixProduct(a, slot), to: .first)
        let program = builder.program()
        let given = try tensor([3, 2], [5, 0, 4, 5, 0, -4])
        let parts = try SharedWeights.sharing([given], of: .second, in: program)
        let again = try SharedWeights.sharing([given], of: .second, in: program)
        let first = try #require(parts[.first])
        #expect(first.encoded.count == 26 + 16)
        for part in parts.values {
            let bytes = part.encoded
            let read = try SharedWeights(bytes, program: program)
            #expect(read.words == part.words && read.encoded == bytes)
            for length in [0, 7, 8, 25, 26, bytes.count - 8, bytes.count - 1] {
                #expect(throws: ComputationError.self) {
                    try SharedWeights(Array(bytes.prefix(length)), program: program)
                }
            }
            #expect(throws: ComputationError.self) { try SharedWeights(bytes + [0], program: program) }
            #expect(throws: ComputationError.self) { try SharedWeights(bytes, program: ProgramBuilder().program()) }
        }
        for bad in [[6, 0, 0, 0, 0, 0], [5, 0, 5, 0, 0, 0], [.min, 0, 0, 0, 0, 0]] as [[Int64]] {
            #expect(throws: ComputationError.weightsBeyondBound("secret layer")) {
                try SharedWeights.sharing([try tensor([3, 2], bad)], of: .second, in: program)
            }
        }
        let session = try ThreePartySession(
            program: program, parties: ["a", "b", "c"], weights: [.second: first.identifier])
        let input = try tensor([2, 3], [1, 2, 3, 4, 5, 6])
        func machine(_ inputs: [RingTensor], _ weights: [SharedWeights?]) throws -> ThreePartyMachine {
            try ThreePartyMachine(
                program: program, session: session, party: .first,
                inputs: ThreePartyInputs(inputs: inputs, weights: weights.compactMap { $0 }))
        }
        _ = try machine([input], [first])
        #expect(throws: ComputationError.otherWeights) { try machine([input], [parts[.second]]) }
        #expect(throws: ComputationError.otherWeights) { try machine([input], [again[.first]]) }
        for (inputs, weights) in [
            ([], [first]), ([input], []), ([input], [first, first]), ([given], [first]), ([input, input], [first]),
        ] as [([RingTensor], [SharedWeights])] {
            #expect(throws: ComputationError.self) { try machine(inputs, weights) }
        }
        // Somebody else's bytes as the owner's: beyond its bounds, they are refused like the owner's own.
        var foreign = try #require(parts[.second]).encoded
        for place in 26..<34 { foreign[place] = 0x7f }
        let read = try SharedWeights(foreign, program: program)
        #expect(throws: ComputationError.weightsBeyondBound("secret layer")) {
            try ThreePartyMachine(
                program: program, session: session, party: .second, inputs: ThreePartyInputs(weights: [read]))
        }
    }

    @Test("Neither description nor dump of anything that holds a secret shows a word of it")
    func redacted() throws {
        let (program, inputs) = try program()
        let trio = try Trio(program, inputs, seed: 10)
        var machine = try trio.machine(.first)
        let message = try machine.begin()
        let run = try trio.run()
        var builder = ProgramBuilder()
        _ = try builder.weights("w", of: .first, shape: [1, 1], bound: 1 << 50, sumBound: 1 << 50)
        let parts = try SharedWeights.sharing(
            [try tensor([1, 1], [424_242_424_242])], of: .first, in: builder.program())
        let held = ReplicatedWords(own: [424_242_424_242], next: [424_242_424_242])
        let secrets: [Any] = [
            machine, message, message.toNext, trio.inputs[0], Array(parts.values), held, run.keys[0],
            LeadBits(parts: [[424_242_424_242]]),
        ]
        var text = ""
        for secret in secrets {
            dump(secret, to: &text)
            text += "\(secret)"
        }
        let words = machine.rounds.seed + message.toNext.words + [424_242_424_242] + inputs[0].words
        for word in words where word > 1000 { #expect(!text.contains("\(word)")) }
    }
}
