import Crypto
import EncryptedPrediction
import Foundation
import ModularArithmetic
import SecureComputation

/// What parties that compute on shares, and their dealer, read of each other: taken where it is of this run, refused in words elsewhere, and a machine that refused goes on.
enum ComputationTarget {
    /// Input: the kind (lowest two bits), whether the run's own head is put before it (bit 2), of which party (bit 3), and the rest.
    static func violations(_ input: [UInt8]) -> [String] {
        guard let first = input.first else { return [] }
        guard let fixture = Self.fixture else { return ["computation: the fixture is refused"] }
        let (rest, isOwn, isSecond) = (Array(input.dropFirst()), first & 4 != 0, first & 8 != 0)
        do {
            switch first & 3 {
            case 0: return try roundMessage(rest, isOwn: isOwn, isSecond: isSecond, fixture)
            case 1: return try threePartyMessage(rest, isOwn: isOwn, fixture)
            case 2: return try correlations(rest, isOwn: isOwn, isSecond: isSecond, fixture)
            default: return questions(rest)
            }
        } catch { return useless(error) }
    }

    private static func roundMessage(
        _ bytes: [UInt8], isOwn: Bool, isSecond: Bool, _ fixture: Fixture
    ) throws -> [String] {
        var machine = isSecond ? fixture.pair.1 : fixture.pair.0
        let right = (isSecond ? fixture.first.0 : fixture.first.1).bytes
        let sent = isOwn ? Array(right.prefix(RoundMessage.headerBytes)) + bytes : bytes
        do {
            let message = try RoundMessage(bytes: sent, words: machine.expectedWords)
            guard message.bytes == sent else { return ["a message is not written as it was read"] }
            _ = try machine.receive(message)
        } catch {
            let again = try RoundMessage(bytes: right, words: machine.expectedWords)
            guard (try? machine.receive(again)) != nil else { return ["a machine that refused does not go on"] }
            return useless(error)
        }
        return machine.isFinished && machine.outputs == nil ? ["an end without outputs"] : []
    }

    private static func threePartyMessage(_ bytes: [UInt8], isOwn: Bool, _ fixture: Fixture) throws -> [String] {
        var machine = fixture.trio
        let (next, previous) = fixture.others
        let sent = isOwn ? Array(next.bytes.prefix(ThreePartyMessage.headerBytes)) + bytes : bytes
        do {
            let message = try ThreePartyMessage(bytes: sent, words: machine.expectedWords(from: .second))
            guard message.bytes == sent else { return ["a message is not written as it was read"] }
            _ = try machine.receive([message, previous])
        } catch {
            guard (try? machine.receive([next, previous])) != nil else {
                return ["a machine of three that refused does not go on"]
            }
            return useless(error)
        }
        return []
    }

    private static func correlations(
        _ bytes: [UInt8], isOwn: Bool, isSecond: Bool, _ fixture: Fixture
    ) throws -> [String] {
        let header = isSecond ? fixture.headers.1 : fixture.headers.0
        var found: [String] = []
        let read = try Correlations(
            isOwn ? header + bytes : bytes, program: fixture.program, session: fixture.session)
        if !isOwn, read.encoded(for: fixture.program) != bytes { found.append("correlations are not written as read") }
        var ledger = CorrelationLedger()
        let claim = try ledger.claim(read, inputs: PartyInputs(inputs: [try RingTensor(zeros: [3])]))
        // The same inputs again are a run that goes on.
        let others = try RingTensor(shape: [3], words: [7, 7, 7])
        guard (try? ledger.claim(read, inputs: PartyInputs(inputs: [others]))) == nil else {
            return found + ["correlations serve twice"]
        }
        var machine = try TwoPartyMachine(
            program: fixture.program, session: fixture.session, correlations: read, claim: claim)
        for step in fixture.program.correlatedSteps { try machine.supply(bytes, step: step) }
        return found
    }

    private static func questions(_ bytes: [UInt8]) -> [String] {
        do {
            let question = try SignedQuestion(reading: bytes)
            guard question.bytes == bytes else { return ["a question is not written as it was read"] }
            _ = try question.verified(at: question.dealer, now: question.time)
        } catch {
            guard !error.description.isEmpty else { return ["an error of no use"] }
        }
        do { _ = try DealerDesk.program(of: bytes, rows: 1) } catch {
            guard !error.description.isEmpty else { return ["an error of no use"] }
        }
        return []
    }

    private static func useless(_ error: any Error) -> [String] {
        let words = "\(error)"
        return words.isEmpty || words.utf8.count > 10_000 ? ["an error of no use"] : []
    }

    // MARK: A right one

    private struct Fixture {
        let program: Program
        let session: ComputationSession
        let headers: ([UInt8], [UInt8])
        let pair: (TwoPartyMachine, TwoPartyMachine)
        let first: (RoundMessage, RoundMessage)
        let trio: ThreePartyMachine
        let others: (ThreePartyMessage, ThreePartyMessage)
    }

    private struct Failure: Error {}

    private static let fixture: Fixture? = try? make()

    private static func make() throws -> Fixture {
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [3], bound: 1 << 20)
        let b = try builder.input(from: .second, shape: [3], bound: 1 << 20)
        _ = try builder.reveal(try builder.relu(try builder.product(a, b)), to: .first)
        let program = builder.program()
        let given = try RingTensor(shape: [3], words: [1, 2, 3])
        let session = try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
        let dealer = try Dealer(program: program, session: session)
        let dealt = dealer.correlations()
        func machine(_ own: Correlations) throws -> (TwoPartyMachine, RoundMessage) {
            var ledger = CorrelationLedger()
            var machine = try TwoPartyMachine(
                program: program, session: session, correlations: own,
                claim: try ledger.claim(own, inputs: PartyInputs(inputs: [given])))
            guard let message = try machine.begin() else { throw Failure() }
            return (machine, message)
        }
        let (one, two) = (try machine(dealt.first), try machine(dealt.second))
        let three = try ThreePartySession(program: program, parties: ["a", "b", "c"])
        var machines = try ComputingParty.three.map { party in
            try ThreePartyMachine(
                program: program, session: three, party: party,
                inputs: ThreePartyInputs(inputs: party == .third ? [] : [given]))
        }
        let sent = try machines.indices.map { try machines[$0].begin() }
        guard let next = sent[1][.first], let previous = sent[2][.first] else { throw Failure() }
        return Fixture(
            program: program, session: session, headers: (dealer.headers.first, dealer.headers.second),
            pair: (one.0, two.0), first: (one.1, two.1), trio: machines[0], others: (next, previous))
    }
}
