import Crypto
import DatasiteProtocol
import Foundation
import Learning
import ModularArithmetic
import Secrets
import Testing

@testable import EncryptedPrediction
@testable import SecureComputation

@Suite("A dealer's desk, and what is asked of it")
struct DealingTests {
    private let dealer = Curve25519.Signing.PrivateKey()
    private let owner = Curve25519.Signing.PrivateKey()
    private let first = Curve25519.Signing.PrivateKey()

    private func key(_ key: Curve25519.Signing.PrivateKey) -> Data { key.publicKey.rawRepresentation }

    private func desk() -> DealerDesk { DealerDesk(key: key(dealer), parties: [key(owner)], masks: [:]) }

    private func prepared() throws -> PreparedModel {
        let model = try Model(inputShape: [5]) {
            Linear(7, name: "one")
            ReLU()
            Linear(3, name: "two")
        }
        return try PreparedModel(model, Trial.parameters(model, seed: 3), inputBound: 1, output: .scores)
    }

    /// A desk that keeps a mask of the owner's.
    private func keeping() throws -> (DealerDesk, WeightMask) {
        var desk = desk()
        guard case .keep(let mask) = try desk.take(.mask, from: key(owner), now: 10) else {
            throw DealingError.mask
        }
        desk.keep(mask, of: key(owner))
        return (desk, mask)
    }

    @Test(
        "A question and its reply: read as they were signed, and nothing that was cut, changed, or is another's passes")
    func frames() throws {
        let question = DealerQuestion.session(
            terms: [1, 2, 3], rows: 4, first: key(first), mask: [UInt8](repeating: 7, count: 16))
        let signed = try SignedQuestion(question, dealer: key(dealer), key: owner, time: 1_000)
        let bytes = signed.bytes
        let read = try SignedQuestion(reading: bytes)
        #expect(try read.verified(at: key(dealer), now: 1_000) == question && read.asker == key(owner))
        for other in [
            DealerQuestion.mask, .header(session: [UInt8](repeating: 1, count: 16)),
            .step(session: [UInt8](repeating: 2, count: 16), step: 9), .end(session: [UInt8](repeating: 3, count: 16)),
            .open(session: [UInt8](repeating: 4, count: 16)),
        ] {
            let one = try SignedQuestion(other, dealer: key(dealer), key: owner, time: 1_000)
            #expect(try SignedQuestion(reading: one.bytes).verified(at: key(dealer), now: 1_000) == other)
        }
        for length in 0..<bytes.count {
            let cut = try? SignedQuestion(reading: Array(bytes.prefix(length))).verified(at: key(dealer), now: 1_000)
            #expect(cut == nil)
        }
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 0x10
            let taken = try? SignedQuestion(reading: changed).verified(at: key(dealer), now: 1_000)
            #expect(taken == nil, "\(place)")
        }
        #expect(throws: DealingError.otherDealer) { try read.verified(at: key(first), now: 1_000) }
        #expect(throws: DealingError.clock(seconds: 301)) { try read.verified(at: key(dealer), now: 1_301) }
        #expect(throws: DealingError.clock(seconds: 301)) { try read.verified(at: key(dealer), now: 699) }
        _ = try read.verified(at: key(dealer), now: 1_300)
        // Replies.
        let reply = try read.reply([5, 6], key: dealer)
        #expect(try signed.verifiedReply(reply) == [5, 6])
        let again = try SignedQuestion(.mask, dealer: key(dealer), key: owner, time: 1_000)
        #expect(throws: DealingError.signature) { try again.verifiedReply(reply) }
        #expect(throws: DealingError.signature) { try signed.verifiedReply(try read.reply([5, 6], key: owner)) }
        for length in 0..<reply.count {
            #expect(throws: DealingError.self) { try signed.verifiedReply(Array(reply.prefix(length))) }
        }
        #expect(throws: DealingError.self) {
            try SignedQuestion(reading: [UInt8](repeating: 0x50, count: SignedQuestion.mostBytes + 1))
        }
        // Signed bytes that are no question.
        var random = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            let noise =
                Array("PDL1".utf8)
                + (0..<Int.random(in: 0..<300, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect((try? SignedQuestion(reading: noise).verified(at: key(dealer), now: 0)) == nil)
        }
    }

    @Test("Two parties who are dealt to step by step come to what the twin says")
    func dealt() throws {
        var (desk, mask) = try keeping()
        let prepared = try prepared()
        let program = try prepared.terms.program(rows: 2)
        let values = Trial.values(10, in: -1...1, seed: 8)
        let nonce = try desk.take(
            .session(terms: prepared.terms.bytes, rows: 2, first: key(first), mask: mask.identifier), from: key(owner),
            now: 10
        ).bytes
        let session = try PredictionSession.session(
            program, first: key(first), second: key(owner), dealer: key(dealer), nonce: nonce)
        let masked = try mask.masked(prepared.weights, of: .second, in: program)
        func machine(_ own: Data, _ inputs: PartyInputs) throws -> TwoPartyMachine {
            let header = try desk.take(.header(session: nonce), from: own, now: 10).bytes
            let correlations = try Correlations(header, program: program, session: session)
            var ledger = CorrelationLedger()
            var machine = try TwoPartyMachine(
                program: program, session: session, correlations: correlations,
                claim: try ledger.claim(correlations, inputs: inputs))
            for step in program.correlatedSteps
            where program.correlationBytes(step: step, of: own == key(first) ? .first : .second) > 0 {
                try machine.supply(
                    try desk.take(.step(session: nonce, step: step), from: own, now: 10).bytes, step: step)
            }
            return machine
        }
        var one = try machine(
            key(first), PartyInputs(inputs: try prepared.terms.inputs(values, rows: 2), maskedWeights: masked))
        // As its owner stored it.
        let stored = try WeightMask(stored: mask.stored)
        var two = try machine(key(owner), PartyInputs(weights: prepared.weights, mask: stored))
        var messages = (try one.begin(), try two.begin())
        while let a = messages.0, let b = messages.1 {
            #expect(one.isLastRound == two.isLastRound)
            messages = (try one.receive(b), try two.receive(a))
        }
        let results = try prepared.terms.results(one.outputs ?? [], rows: 2)
        #expect(try results == prepared.clear(values, rows: 2))
    }

    @Test("Strangers, others' masks and sessions, programs that are none, and more than a party's share are refused")
    func refusals() throws {
        var (desk, mask) = try keeping()
        let prepared = try prepared()
        let opening = DealerQuestion.session(
            terms: prepared.terms.bytes, rows: 1, first: key(first), mask: mask.identifier)
        #expect(throws: DealingError.stranger) { try desk.take(.mask, from: key(first), now: 10) }
        #expect(throws: DealingError.stranger) { try desk.take(opening, from: key(first), now: 10) }
        desk.parties.insert(key(dealer))
        #expect(throws: DealingError.mask) { try desk.take(opening, from: key(dealer), now: 10) }
        for (terms, rows) in [
            ([] as [UInt8], 1), (prepared.terms.bytes, 0), (prepared.terms.bytes, 1 << 40),
            (prepared.terms.bytes + [0], 1),
        ] {
            #expect(throws: DealingError.self) {
                try desk.take(
                    .session(terms: terms, rows: rows, first: key(first), mask: mask.identifier), from: key(owner),
                    now: 10)
            }
        }
        // Both parties in one hand would be no parties.
        #expect(throws: DealingError.self) {
            try desk.take(
                .session(terms: prepared.terms.bytes, rows: 1, first: key(owner), mask: mask.identifier),
                from: key(owner), now: 10)
        }
        #expect(throws: DealingError.self) {
            try desk.take(
                .session(terms: prepared.terms.bytes, rows: 1, first: key(dealer), mask: mask.identifier),
                from: key(owner), now: 10)
        }
        let nonce = try desk.take(opening, from: key(owner), now: 10).bytes
        let program = try prepared.terms.program(rows: 1)
        let step = try #require(program.correlatedSteps.first)
        #expect(throws: DealingError.session) { try desk.take(.header(session: nonce), from: key(dealer), now: 10) }
        #expect(throws: DealingError.session) {
            try desk.take(.step(session: nonce, step: step), from: key(dealer), now: 10)
        }
        #expect(throws: DealingError.self) {
            try desk.take(.step(session: nonce, step: 10_000), from: key(first), now: 10)
        }
        #expect(throws: DealingError.self) { try desk.take(.step(session: nonce, step: -1), from: key(first), now: 10) }
        let both = try [key(first), key(owner)].map { try desk.take(.header(session: nonce), from: $0, now: 10).bytes }
        #expect(both[0] != both[1])
        for _ in 0..<DealerDesk.Limits.takes {
            _ = try desk.take(.step(session: nonce, step: step), from: key(first), now: 10)
        }
        #expect(throws: DealingError.self) {
            try desk.take(.step(session: nonce, step: step), from: key(first), now: 10)
        }
        // The other one's are not used up.
        _ = try desk.take(.step(session: nonce, step: step), from: key(owner), now: 10)
        for _ in 1..<DealerDesk.Limits.sessions { _ = try desk.take(opening, from: key(owner), now: 10) }
        #expect(throws: DealingError.self) { try desk.take(opening, from: key(owner), now: 10) }
        // One that is ended makes room; strangers do not end it, and are told that they are strangers.
        #expect(throws: DealingError.stranger) {
            try desk.take(.end(session: [UInt8](repeating: 0, count: 16)), from: key(first), now: 10)
        }
        #expect(throws: DealingError.session) { try desk.take(.end(session: nonce), from: key(dealer), now: 10) }
        #expect(try desk.take(.end(session: nonce), from: key(owner), now: 10).bytes.isEmpty)
        #expect(throws: DealingError.session) { try desk.take(.header(session: nonce), from: key(first), now: 10) }
        let other = try desk.take(opening, from: key(owner), now: 10).bytes
        #expect(throws: DealingError.self) {
            try desk.take(
                .session(
                    terms: prepared.terms.bytes, rows: 1, first: Data(count: 32), mask: mask.identifier),
                from: key(owner), now: 10)
        }
        // Some time later all are over.
        #expect(throws: DealingError.session) {
            try desk.take(.header(session: other), from: key(first), now: 10 + DealerDesk.Limits.idle)
        }
        _ = try desk.take(opening, from: key(owner), now: 10 + DealerDesk.Limits.lifetime)
        #expect("\(desk)" == "DealerDesk(2 parties, 1 sessions)")
    }

    @Test("What is dealt and not sent is given back: it uses up nothing of how often a step is given")
    func givenBack() throws {
        var (desk, mask) = try keeping()
        let nonce = try desk.take(
            .session(terms: prepared().terms.bytes, rows: 1, first: key(first), mask: mask.identifier),
            from: key(owner), now: 10
        ).bytes
        let asked = DealerQuestion.step(
            session: nonce, step: try #require(prepared().terms.program(rows: 1).correlatedSteps.first))
        for _ in 0..<10 {
            _ = try desk.take(asked, from: key(first), now: 10)
            desk.giveBack(asked, of: key(first))
        }
        // Nobody gives back another's.
        for other in [owner, dealer] { desk.giveBack(asked, of: key(other)) }
        for _ in 0..<DealerDesk.Limits.takes { _ = try desk.take(asked, from: key(first), now: 10) }
        #expect(throws: DealingError.self) { try desk.take(asked, from: key(first), now: 10) }
    }

    @Test("A session whose party looks after it lives for hours; one that nobody asks of ten minutes")
    func keptOpen() throws {
        var (desk, mask) = try keeping()
        let nonce = try desk.take(
            .session(terms: prepared().terms.bytes, rows: 1, first: key(first), mask: mask.identifier),
            from: key(owner), now: 0
        ).bytes
        var now: UInt64 = 0
        while now + 500 < DealerDesk.Limits.lifetime {
            now += 500
            _ = try desk.take(.header(session: nonce), from: key(first), now: now)
        }
        var later = desk
        #expect(throws: DealingError.session) {
            try later.take(.header(session: nonce), from: key(first), now: DealerDesk.Limits.lifetime)
        }
        #expect(throws: DealingError.session) {
            try desk.take(.header(session: nonce), from: key(first), now: now + DealerDesk.Limits.idle)
        }
    }

    @Test("A key of small order, for which anybody signs, is nobody's, whatever its sign; one that was drawn is")
    func keys() throws {
        #expect(PredictionSession.isKey(key(first)))
        let points = [
            String(repeating: "00", count: 32), "01" + String(repeating: "00", count: 31),
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ec" + String(repeating: "ff", count: 30) + "7f", "ed" + String(repeating: "ff", count: 30) + "7f",
            "ee" + String(repeating: "ff", count: 30) + "7f",
        ]
        for point in points {
            var bytes = try #require(Data(hexadecimal: point))
            #expect(!PredictionSession.isKey(bytes), "\(point)")
            bytes[31] |= 0x80
            #expect(!PredictionSession.isKey(bytes), "\(point)")
        }
        #expect(!PredictionSession.isKey(key(first).dropLast()) && !PredictionSession.isKey(Data()))
    }

    @Test("What a dealer opened to a party is shown by both signatures, and by nothing else")
    func shown() throws {
        let session = [UInt8](repeating: 3, count: 16)
        let seeds = (0..<32).map { UInt8($0) }
        func proof(
            _ question: DealerQuestion, asker: Curve25519.Signing.PrivateKey? = nil,
            signer: Curve25519.Signing.PrivateKey? = nil, says: [UInt8]? = nil
        ) throws -> OpeningProof {
            let asked = try SignedQuestion(question, dealer: key(dealer), key: asker ?? first, time: 77)
            return OpeningProof(
                question: Data(asked.bytes), reply: Data(try asked.reply(says ?? seeds, key: signer ?? dealer)))
        }
        func opened(_ proof: OpeningProof) throws(DealingError) -> [UInt8] {
            try SignedQuestion.opened(by: proof, session: session, asker: key(first), dealer: key(dealer))
        }
        let right = try proof(.open(session: session))
        #expect(try opened(right) == seeds)
        let other = try proof(.open(session: session))
        for wrong in [
            try proof(.open(session: [UInt8](repeating: 4, count: 16))), try proof(.end(session: session)),
            try proof(.open(session: session), asker: owner), try proof(.open(session: session), signer: owner),
            try proof(.open(session: session), says: []),
            OpeningProof(question: right.question, reply: Data()), OpeningProof(question: Data(), reply: right.reply),
        ] {
            #expect(throws: DealingError.self) { try opened(wrong) }
        }
        // A reply to another copy of the question is that copy's alone, where signatures differ.
        if other.question != right.question {
            #expect(throws: DealingError.self) {
                try opened(OpeningProof(question: right.question, reply: other.reply))
            }
        }
    }

    @Test("A session is opened when both of it gave it up, never by one alone, and serves nobody from then on")
    func opening() throws {
        var (desk, mask) = try keeping()
        let prepared = try prepared()
        let program = try prepared.terms.program(rows: 1)
        let steps = program.correlatedSteps
        for (one, other) in [(first, owner), (owner, first)] {
            let nonce = try desk.take(
                .session(terms: prepared.terms.bytes, rows: 1, first: key(first), mask: mask.identifier),
                from: key(owner), now: 10
            ).bytes
            let session = try PredictionSession.session(
                program, first: key(first), second: key(owner), dealer: key(dealer), nonce: nonce)
            var had: [ComputingParty: (Correlations, [Int: [UInt8]])] = [:]
            for (party, own) in [(ComputingParty.first, first), (.second, owner)] {
                let header = try desk.take(.header(session: nonce), from: key(own), now: 10).bytes
                had[party] = (
                    try Correlations(header, program: program, session: session),
                    try Dictionary(
                        uniqueKeysWithValues: steps.map {
                            ($0, try desk.take(.step(session: nonce, step: $0), from: key(own), now: 10).bytes)
                        })
                )
            }
            for _ in 0..<3 {
                #expect(try desk.take(.open(session: nonce), from: key(one), now: 10).bytes.isEmpty)
            }
            #expect(throws: DealingError.session) { try desk.take(.open(session: nonce), from: key(dealer), now: 10) }
            // Whom one party gave it up to is dealt nothing of it any more.
            #expect(throws: DealingError.session) {
                try desk.take(.step(session: nonce, step: steps[0]), from: key(other), now: 10)
            }
            let seeds = try desk.take(.open(session: nonce), from: key(other), now: 10).bytes
            #expect(seeds.count == 32)
            // It takes its place for a minute more, and for nobody's asking longer.
            var later = desk
            let end = 10 + DealerDesk.Limits.opened
            #expect(try later.take(.open(session: nonce), from: key(one), now: end - 1).bytes == seeds)
            #expect(throws: DealingError.session) { try later.take(.open(session: nonce), from: key(one), now: end) }
            #expect(try desk.take(.open(session: nonce), from: key(one), now: 10).bytes == seeds)
            for (party, (correlations, dealt)) in had {
                let own = party == .second ? mask : nil
                let opened = try OpenedDealing(
                    seeds: seeds, program: program, session: session, party: party, mask: own)
                #expect(opened.isRight(correlations))
                #expect(!opened.isRight(try #require(had[party.other]).0))
                var checked = 0
                for (step, bytes) in dealt {
                    #expect(opened.isRight(bytes, step: step), "\(party) \(step)")
                    #expect(!opened.isRight(bytes + [0], step: step))
                    for place in Set([0, bytes.count / 2, bytes.count - 1]) where bytes.indices.contains(place) {
                        var changed = bytes
                        changed[place] ^= 1
                        #expect(!opened.isRight(changed, step: step), "\(party) \(step) \(place)")
                        checked += 1
                    }
                }
                #expect(checked > 0)
                var others = seeds
                others[party == .first ? 3 : 20] ^= 1
                let wrong = try OpenedDealing(
                    seeds: others, program: program, session: session, party: party, mask: own)
                #expect(!wrong.isRight(correlations))
                #expect(throws: ComputationError.self) {
                    try OpenedDealing(
                        seeds: seeds + [0], program: program, session: session, party: party, mask: own)
                }
            }
            #expect(throws: ComputationError.self) {
                try OpenedDealing(seeds: seeds, program: program, session: session, party: .second)
            }
        }
    }

    @Test("Steps in a file come back as they were, each once, and the file has no name")
    func spool() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/spool-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let steps = try SpooledSteps(in: folder)
        try steps.append([1, 2, 3], step: 4)
        try steps.append([UInt8](repeating: 9, count: 100_000), step: 2)
        #expect(steps.count == 100_003)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        let held = try steps.take(2)
        #expect(held.withBytes(Array.init) == [UInt8](repeating: 9, count: 100_000))
        #expect(try steps.take(4).withBytes(Array.init) == [1, 2, 3])
        // What lies behind it does not change it.
        try steps.append([UInt8](repeating: 7, count: 5_000), step: 5)
        #expect(held.withBytes(Array.init) == [UInt8](repeating: 9, count: 100_000))
        #expect(HeldWords(held, from: 1, count: 2).array == [UInt64](repeating: 0x0909_0909_0909_0909, count: 2))
        #expect(throws: (any Error).self) { try steps.take(4) }
        #expect(throws: (any Error).self) { try SpooledSteps(in: folder + "/none") }
    }

    @Test("A mask and masked weights as bytes: round trips, and other lengths are refused")
    func stored() throws {
        var mask = Dealer.weightMask()
        #expect(mask.stored.count == 32)
        let prepared = try prepared()
        let program = try prepared.terms.program(rows: 1)
        let masked = try mask.masked(prepared.weights, of: .second, in: program)
        #expect(mask.stored.count == 64)
        var read = try WeightMask(stored: mask.stored)
        #expect(try read.masked(prepared.weights, of: .second, in: program) == masked)
        // Bound to these weights, also behind storage.
        var others = prepared.weights
        others[0] = try RingTensor(shape: others[0].shape, words: others[0].words.reversed())
        #expect(throws: ComputationError.maskOfOtherWeights) { try read.masked(others, of: .second, in: program) }
        #expect(try MaskedWeights(bytes: masked.bytes, of: .second, in: program) == masked)
        for bytes in [Array(masked.bytes.dropLast()), masked.bytes + [0], []] {
            #expect(throws: ComputationError.self) { try MaskedWeights(bytes: bytes, of: .second, in: program) }
        }
        for bytes in [Array(mask.stored.dropLast()), mask.stored + [0], []] {
            #expect(throws: ComputationError.self) { try WeightMask(stored: bytes) }
        }
    }
}
