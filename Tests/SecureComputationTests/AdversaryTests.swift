import Foundation
import ModularArithmetic
import Secrets
import Testing

@testable import SecureComputation

@Suite("Liars, faults and what is refused")
struct AdversaryTests {
    private func program() throws -> (Program, [RingTensor]) {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [3], bound: 1000)
        let b = try builder.input(from: .second, shape: [3], bound: 1000)
        let value = try builder.truncated(try builder.relu(try builder.product(a, b)), by: 3, exactly: true)
        _ = try builder.reveal(value, to: .first)
        return (builder.program(), [try tensor([3], [10, -20, 300]), try tensor([3], [7, 7, 7])])
    }

    @Test("A dealer that is one of the two, and one party in both places, are refused")
    func roles() throws {
        let (program, _) = try program()
        for (first, second, dealer) in [("a", "b", "a"), ("a", "b", "b"), ("a", "a", "c"), ("a", "a", "a")] {
            #expect(throws: ComputationError.self) {
                try ComputationSession(program: program, first: first, second: second, dealer: dealer)
            }
        }
        let one = try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
        let two = try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
        #expect(one.digest != two.digest)
    }

    @Test(
        "Messages out of order, replayed, of the other party, of another session or of a wrong size are refused, and the run goes on"
    )
    func order() throws {
        let (program, inputs) = try program()
        let pair = try Pair(program, inputs, seed: 1)
        let other = try Pair(program, inputs, seed: 2)
        var first = try pair.machine(.first)
        var second = try pair.machine(.second)
        var stranger = try other.machine(.second)
        #expect(throws: ComputationError.self) {
            try first.receive(
                RoundMessage(session: Array(pair.session.digest.prefix(16)), party: .second, round: 0, words: []))
        }
        guard let one = try first.begin(), let two = try second.begin(), let strange = try stranger.begin() else {
            Issue.record("no first round")
            return
        }
        #expect(throws: ComputationError.order(round: 0, expected: "no second beginning")) { try first.begin() }
        #expect(throws: ComputationError.otherSession) { try first.receive(strange) }
        #expect(throws: ComputationError.self) { try first.receive(one) }
        let session = Array(pair.session.digest.prefix(16))
        #expect(throws: ComputationError.order(round: 1, expected: "0")) {
            try first.receive(RoundMessage(session: session, party: .second, round: 1, words: two.words))
        }
        for words in [Array(two.words.dropLast()), two.words + [0], []] {
            #expect(throws: ComputationError.malformed("\(words.count) words", expected: "6")) {
                try first.receive(RoundMessage(session: session, party: .second, round: 0, words: words))
            }
        }
        _ = try first.receive(two)
        #expect(throws: ComputationError.order(round: 0, expected: "1")) { try first.receive(two) }
        #expect(try pair.run().outputs[0][0].words == [9, 0, 263])
    }

    @Test("A lying party gives a wrong number or none, and never a crash")
    func liar() throws {
        let (program, inputs) = try program()
        var generator = SeededGenerator(seed: 8)
        for seed in 0..<200 as Range<UInt64> {
            let pair = try Pair(program, inputs, seed: seed)
            var machine = try pair.machine(.first)
            var message = try machine.begin()
            var round = 0
            while message != nil {
                let words = (0..<machine.expectedWords).map { _ in seed % 2 == 0 ? generator.next() : 0 }
                message = try machine.receive(
                    RoundMessage(
                        session: Array(pair.session.digest.prefix(16)), party: .second, round: round, words: words))
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
        let message = RoundMessage(
            session: (0..<16).map { UInt8($0) }, party: .second, round: 70_000,
            words: (0..<5).map { _ in generator.next() })
        let bytes = message.bytes
        #expect(bytes.count == RoundMessage.headerBytes + 40)
        #expect(try RoundMessage(bytes: bytes, words: 5) == message)
        for length in 0..<bytes.count {
            #expect(throws: ComputationError.self) { try RoundMessage(bytes: Array(bytes.prefix(length)), words: 5) }
        }
        #expect(throws: ComputationError.self) { try RoundMessage(bytes: bytes + [0], words: 5) }
        #expect(throws: ComputationError.self) { try RoundMessage(bytes: bytes, words: 4) }
        // A number of words that would be absurd, and one whose bytes overflow: nothing is allocated for them.
        for count in [UInt64.max, 1 << 61, 1 << 40] {
            var lying = bytes
            withUnsafeBytes(of: count.littleEndian) { lying.replaceSubrange(32..<40, with: $0) }
            #expect(throws: ComputationError.self) { try RoundMessage(bytes: lying, words: 5) }
        }
        var refused = 0
        for place in 0..<RoundMessage.headerBytes {
            var changed = bytes
            changed[place] ^= 0x80
            if let read = try? RoundMessage(bytes: changed, words: 5) { #expect(read != message) } else { refused += 1 }
        }
        // Magic, party, zeros and number; session and round are the machine's to refuse.
        #expect(refused == 20)
        for _ in 0..<2000 {
            let random = (0..<Int.random(in: 0..<120, using: &generator)).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
            #expect(throws: ComputationError.self) { try RoundMessage(bytes: random, words: 5) }
        }
    }

    @Test(
        "Correlations as bytes: a round trip gives the same run; cut, lengthened, of another session or changed in the header they are refused"
    )
    func correlationBytes() throws {
        let (program, inputs) = try program()
        var pair = try Pair(program, inputs, seed: 4)
        let expected = try pair.run()
        let bytes = pair.correlations.second.encoded(for: program)
        let cost = program.cost
        #expect(bytes.count == 89 + cost.correlationBytesToSecond)
        #expect(pair.correlations.first.encoded(for: program).count == 89 + cost.correlationBytesToFirst)
        pair.correlations.second = try Correlations(bytes, program: program, session: pair.session)
        #expect(try pair.run().outputs == expected.outputs)
        for length in [0, 7, 8, 88, 90, bytes.count - 8, bytes.count - 1] {
            #expect(throws: ComputationError.self) {
                try Correlations(Array(bytes.prefix(length)), program: program, session: pair.session)
            }
        }
        #expect(throws: ComputationError.self) {
            try Correlations(bytes + [0], program: program, session: pair.session)
        }
        for place in 0..<41 {
            var changed = bytes
            changed[place] ^= 0x40
            #expect(throws: ComputationError.self) {
                try Correlations(changed, program: program, session: pair.session)
            }
        }
        let other = try Pair(program, inputs, seed: 5)
        #expect(throws: ComputationError.otherSession) {
            try Correlations(bytes, program: program, session: other.session)
        }
        // Read by a machine that they are not for.
        var short = pair.correlations.second
        let place = program.rounds[1][0]
        let whole = try #require(short.steps[place]).corrections.array
        short.steps[place]?.corrections = HeldWords(whole.dropLast())
        var ledger = CorrelationLedger()
        let claim = try ledger.claim(short, inputs: pair.inputs.second)
        #expect(throws: ComputationError.self) {
            try TwoPartyMachine(program: program, session: pair.session, correlations: short, claim: claim)
        }
    }

    @Test(
        "Correlations serve once: the same inputs again give the same bytes, others are refused and burn them, also after the ledger was stored"
    )
    func once() throws {
        let (program, inputs) = try program()
        let pair = try Pair(program, inputs, seed: 6)
        var ledger = CorrelationLedger()
        let claim = try ledger.claim(pair.correlations.first, inputs: pair.inputs.first)
        var stored = try JSONDecoder().decode(CorrelationLedger.self, from: JSONEncoder().encode(ledger))
        let again = try stored.claim(pair.correlations.first, inputs: pair.inputs.first)
        var machines = try [claim, again].map {
            try TwoPartyMachine(
                program: program, session: pair.session, correlations: pair.correlations.first, claim: $0)
        }
        #expect(try machines[0].begin() == machines[1].begin())
        var other = pair.inputs.first
        other.inputs = [try tensor([3], [10, -20, 301])]
        #expect(throws: ComputationError.correlationsServed) {
            try stored.claim(pair.correlations.first, inputs: other)
        }
        #expect(throws: ComputationError.correlationsServed) {
            try stored.claim(pair.correlations.first, inputs: pair.inputs.first)
        }
        // The other party's are its own.
        _ = try stored.claim(pair.correlations.second, inputs: pair.inputs.second)
        // Leave for one session is none for another.
        let next = try Pair(program, inputs, seed: 7)
        #expect(throws: ComputationError.otherSession) {
            try TwoPartyMachine(
                program: program, session: next.session, correlations: next.correlations.first, claim: claim)
        }
    }

    @Test("Inputs and weights that are missing, too many, of other shapes or beyond their bounds are refused")
    func wrongInputs() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [2, 3], bound: 10)
        let weights = try builder.weights("secret layer", of: .second, shape: [3, 2], bound: 5, sumBound: 9)
        _ = try builder.reveal(builder.matrixProduct(a, weights), to: .first)
        let program = builder.program()
        let good = try tensor([3, 2], [5, 0, 4, 5, 0, -4])
        _ = try Pair(program, [try tensor([2, 3], [1, 2, 3, 4, 5, 6])], weights: [good], seed: 1).run()
        for bad in [[6, 0, 0, 0, 0, 0], [5, 0, 5, 0, 0, 0], [0, 5, 0, -5, 0, 0], [.min, 0, 0, 0, 0, 0]] as [[Int64]] {
            let weights = try tensor([3, 2], bad)
            #expect(throws: ComputationError.weightsBeyondBound("secret layer")) {
                try Pair(program, [try tensor([2, 3], [1, 2, 3, 4, 5, 6])], weights: [weights], seed: 1)
            }
            #expect(throws: ComputationError.weightsBeyondBound("secret layer")) {
                try ClearText.run(program, inputs: [try tensor([2, 3], [1, 2, 3, 4, 5, 6])], weights: [weights])
            }
        }
        let pair = try Pair(program, [try tensor([2, 3], [1, 2, 3, 4, 5, 6])], weights: [good], seed: 1)
        let wrong: [PartyInputs] = [
            PartyInputs(), PartyInputs(inputs: pair.inputs.first.inputs),
            PartyInputs(maskedWeights: pair.inputs.first.maskedWeights),
            PartyInputs(
                inputs: [try tensor([3, 2], [1, 2, 3, 4, 5, 6])], maskedWeights: pair.inputs.first.maskedWeights),
            PartyInputs(
                inputs: pair.inputs.first.inputs, weights: [good], maskedWeights: pair.inputs.first.maskedWeights),
            PartyInputs(inputs: pair.inputs.first.inputs, maskedWeights: MaskedWeights(mask: [], words: [[1, 2, 3]])),
        ]
        for inputs in wrong {
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(pair.correlations.first, inputs: inputs)
            #expect(throws: ComputationError.self) {
                try TwoPartyMachine(
                    program: program, session: pair.session, correlations: pair.correlations.first, claim: claim)
            }
        }
        // The owner's side: weights that its mask does not hide, no mask, and one that the dealer did not mean.
        var owner = pair.inputs.second
        owner.weights = [try tensor([3, 2], [5, 0, 4, 5, 0, -3])]
        var unmasked = pair.inputs.second
        unmasked.mask = nil
        var other = pair.inputs.second
        var mask = Dealer.weightMask()
        let masked = try mask.masked([good], of: .second, in: program)
        other.mask = mask
        func machine(_ inputs: PartyInputs, _ correlations: Correlations) throws -> TwoPartyMachine {
            var ledger = CorrelationLedger()
            let claim = try ledger.claim(correlations, inputs: inputs)
            return try TwoPartyMachine(
                program: program, session: pair.session, correlations: correlations, claim: claim)
        }
        #expect(throws: ComputationError.maskOfOtherWeights) { try machine(owner, pair.correlations.second) }
        #expect(throws: ComputationError.maskOfOtherWeights) { try machine(unmasked, pair.correlations.second) }
        #expect(throws: ComputationError.otherMask) { try machine(other, pair.correlations.second) }
        let stale = PartyInputs(inputs: pair.inputs.first.inputs, maskedWeights: masked)
        #expect(throws: ComputationError.otherMask) { try machine(stale, pair.correlations.first) }
        #expect(throws: ComputationError.self) {
            try Dealer(program: program, session: pair.session, masks: [.first: Dealer.weightMask()])
        }
    }

    @Test("What could wrap is refused where it is added, with the step and the bits that it would need")
    func overflow() throws {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [100, 100], bound: 1 << 30)
        #expect(throws: ComputationError.overflow("step 1 (matrix product)", bits: 68)) {
            try builder.matrixProduct(a, a)
        }
        let square = try builder.product(a, a)
        #expect(throws: ComputationError.overflow("step 2 (sum)", bits: 64)) { try builder.combined([(square, 5)]) }
        #expect(throws: ComputationError.self) {
            try builder.truncated(try builder.combined([(square, 3)]), by: 0, exactly: true)
        }
        #expect(throws: ComputationError.self) { try builder.isAtLeast(square, 1 << 62) }
        #expect(throws: ComputationError.self) { try builder.input(from: .first, shape: [1], bound: .max) }
        #expect(throws: ComputationError.self) { try builder.input(from: .first, shape: [1 << 40], bound: 1) }
        #expect(throws: ComputationError.self) { try builder.maximumPool(a, window: 2, stride: 2) }
        // A value of another program.
        var other = ProgramBuilder()
        #expect(throws: ComputationError.self) { try other.relu(a) }
        #expect(throws: ComputationError.self) { try builder.gathered(a, places: [0], shape: [.max, .max]) }
        #expect(throws: ComputationError.self) { try builder.gathered(a, places: [10_000], shape: [1]) }
        // An opened value is no operand.
        let opened = try builder.reveal(a, to: .first)
        #expect(throws: ComputationError.self) { try builder.relu(opened) }
    }

    @Test("Neither description nor dump of anything that holds a secret shows a word of it")
    func redacted() throws {
        let (program, inputs) = try program()
        let pair = try Pair(program, inputs, seed: 10)
        var machine = try pair.machine(.first)
        let message = try machine.begin()
        var text = ""
        let mask = Dealer.weightMask()
        let secrets: [Any] = [
            pair.correlations.first, pair.inputs.first, machine, mask, CorrelationLedger(), message as Any,
            try Dealer(program: program, session: pair.session),
            StepCorrelation(shares: [424_242_424_242], corrections: [424_242_424_242]),
        ]
        for secret in secrets {
            dump(secret, to: &text)
            text += "\(secret)"
        }
        let seed = pair.correlations.first.seed
        let words =
            [seed.0, seed.1, 424_242_424_242, mask.seed.0] + (message?.words ?? []) + pair.inputs.first.inputs[0].words
        for word in words where word > 1000 { #expect(!text.contains("\(word)")) }
    }

    @Test("Programs that differ in anything have different digests")
    func digests() throws {
        func digest(_ make: (inout ProgramBuilder, Value, Weights) throws -> Void) throws -> [UInt8] {
            var builder = ProgramBuilder()
            let a = try builder.input(from: .first, shape: [1, 1, 4, 4], bound: 1000)
            let weights = try builder.weights("w", of: .second, shape: [1, 1, 2, 2], bound: 9, sumBound: 9)
            try make(&builder, a, weights)
            return builder.program().digest
        }
        let all = [
            try digest { _, _, _ in }, try digest { _ = try $0.relu($1) + $2.count },
            try digest { _ = try $0.relu($1, upTo: 5) + $2.count },
            try digest { _ = try $0.relu($1, upTo: 6) + $2.count },
            try digest { _ = try $0.relu($1, truncatedBy: 5) + $2.count },
            try digest {
                $0.comparisons = .twoRounds
                _ = try $0.relu($1) + $2.count
            }, try digest { _ = try $0.truncated($1, by: 5, exactly: true) + $2.count },
            try digest { _ = try $0.truncated($1, by: 5, exactly: false) + $2.count },
            try digest { _ = try $0.convolution($1, $2) + 0 },
            try digest { _ = try $0.convolution($1, $2, stride: 2) + 0 },
            try digest { _ = try $0.reveal($1, to: .first) + $2.count },
            try digest { _ = try $0.reveal($1, to: .second) + $2.count },
            try digest { _ = try $0.combined([($1, 2)]) + $2.count },
            try digest { _ = try $0.combined([($1, 3)]) + $2.count },
            try digest { _ = try $0.gathered($1, places: [3], shape: [1]) + $2.count },
            try digest { _ = try $0.gathered($1, places: [-1], shape: [1]) + $2.count },
            try digest { _ = try $0.input(from: .second, shape: [1], bound: 1) + $2.count + $1.count },
            try digest { _ = try $0.input(from: .second, shape: [1], bound: 2) + $2.count + $1.count },
            try digest {
                _ = try $0.weights("v", of: .first, shape: [1], bound: 2, sumBound: 2).count + $2.count + $1.count
            },
        ]
        #expect(Set(all).count == all.count)
        #expect(try digest { _ = try $0.relu($1) + $2.count } == all[1])
    }
}

private func + (value: Value, number: Int) -> Int { value.count + number }
