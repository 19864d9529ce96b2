import ModularArithmetic
import Secrets

@testable import SecureComputation

/// A run with abort in which one of three does something else: its machine is an honest one, whose messages are changed, or whose inputs are not held.
struct Deviation {
    /// How it went for one of both others.
    enum End: Equatable {
        case outputs([RingTensor])
        case aborted(round: Int)
        /// The other honest party stopped before.
        case left
    }

    let trio: Trio
    let deviator: ComputingParty
    /// Round, receiver and words, to what is sent.
    let change: (Int, ComputingParty, [UInt64]) -> [UInt64]
    var isHeld = true

    struct Result {
        var ends: [ComputingParty: End] = [:]
        /// What the deviating party received, round after round.
        var view: [[UInt64]] = []
        /// The last round of which an honest party sent a message.
        var lastRound = 0
    }

    private func machine(_ party: ComputingParty) throws -> ThreePartyMachine {
        guard party == deviator, !isHeld else { return try trio.machine(party) }
        var random = SeededGenerator(key: (trio.seed, 7, 7, 7), stream: UInt64(party.rawValue))
        return try ThreePartyMachine(
            program: trio.program, session: trio.session, party: party, inputs: trio.inputs[party.rawValue],
            isHeld: false, random: &random)
    }

    func run() throws -> Result {
        var machines = try ComputingParty.three.map(machine)
        var sent: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
        var result = Result()
        let honest = [deviator.next, deviator.previous]
        var round = 0
        while honest.allSatisfy({ sent[$0.rawValue] != nil }) {
            result.lastRound = round
            var next: [ThreePartyMessages?] = [nil, nil, nil]
            for party in ComputingParty.three {
                let read = [party.next, party.previous].compactMap { other -> ThreePartyMessage? in
                    guard let message = sent[other.rawValue]?[party] else { return nil }
                    guard other == deviator else { return message }
                    return ThreePartyMessage(
                        session: message.session, from: other, to: party, round: round,
                        words: change(round, party, message.words))
                }
                if party == deviator { result.view.append(read.flatMap(\.words)) }
                do { next[party.rawValue] = try machines[party.rawValue].receive(read) } catch {
                    guard case ComputationError.abort(let at, _) = error else { throw error }
                    // What it still computes for itself is nobody's concern.
                    if party != deviator { result.ends[party] = .aborted(round: at) }
                }
            }
            if next[deviator.rawValue] == nil, honest.allSatisfy({ next[$0.rawValue] != nil }) {
                // Its own machine noticed; it goes on with noise of the right form.
                next[deviator.rawValue] = noise(machines, round + 1)
            }
            sent = next
            round += 1
        }
        for party in honest where result.ends[party] == nil {
            result.ends[party] = machines[party.rawValue].outputs.map { .outputs($0) } ?? .left
        }
        return result
    }

    private func noise(_ machines: [ThreePartyMachine], _ round: Int) -> ThreePartyMessages {
        func message(to party: ComputingParty) -> ThreePartyMessage {
            let words = machines[party.rawValue].expectedWords(from: deviator)
            return ThreePartyMessage(
                session: Array(trio.session.digest.prefix(16)), from: deviator, to: party, round: round,
                words: [UInt64](repeating: 1, count: words))
        }
        return ThreePartyMessages(toNext: message(to: deviator.next), toPrevious: message(to: deviator.previous))
    }
}
