import ModularArithmetic
import Secrets

@testable import SecureComputation

/// Two parties and a dealer in one process, with every message as bytes.
struct Pair {
    let program: Program
    let session: ComputationSession
    var correlations: (first: Correlations, second: Correlations)
    var inputs: (first: PartyInputs, second: PartyInputs)

    /// A run's results, and what each party received: words, round after round.
    struct Run {
        let outputs: [[RingTensor]]
        let received: [[[UInt64]]]
        let cost: ComputationCost
    }

    init(
        _ program: Program, _ inputs: [RingTensor], weights: [RingTensor] = [],
        masks: [ComputingParty: WeightMask]? = nil, seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        self.program = program
        session = try ComputationSession(
            program: program, first: "hospital", second: "company", dealer: "dealer",
            nonce: (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        var masks = masks ?? [.first: WeightMask(random: &random), .second: WeightMask(random: &random)]
        let dealer = try Dealer(program: program, session: session, masks: masks, random: &random)
        correlations = dealer.correlations()
        var sides: [PartyInputs] = []
        for party in ComputingParty.two {
            let own = zip(program.inputs, inputs).filter { program.operation($0.0.place) == .input(party) }.map { $0.1 }
            func weightsOf(_ owner: ComputingParty) -> [RingTensor] {
                zip(program.weights, weights).filter { $0.0.owner == owner }.map { $0.1 }
            }
            let masked = try masks[party.other]?.masked(weightsOf(party.other), of: party.other, in: program)
            _ = try masks[party]?.masked(weightsOf(party), of: party, in: program)
            sides.append(PartyInputs(inputs: own, weights: weightsOf(party), mask: masks[party], maskedWeights: masked))
        }
        self.inputs = (sides[0], sides[1])
    }

    func machine(_ party: ComputingParty) throws -> TwoPartyMachine {
        var ledger = CorrelationLedger()
        let correlations = party == .first ? correlations.first : correlations.second
        let claim = try ledger.claim(correlations, inputs: party == .first ? inputs.first : inputs.second)
        return try TwoPartyMachine(program: program, session: session, correlations: correlations, claim: claim)
    }

    func run() throws -> Run {
        var first = try machine(.first)
        var second = try machine(.second)
        var (fromFirst, fromSecond) = (try first.begin(), try second.begin())
        var received: [[[UInt64]]] = [[], []]
        while let one = fromFirst, let two = fromSecond {
            let toSecond = try RoundMessage(bytes: one.bytes, words: second.expectedWords)
            let toFirst = try RoundMessage(bytes: two.bytes, words: first.expectedWords)
            received[0].append(toFirst.words)
            received[1].append(toSecond.words)
            fromFirst = try first.receive(toFirst)
            fromSecond = try second.receive(toSecond)
        }
        guard let one = first.outputs, let two = second.outputs, first.cost == second.cost else {
            throw ComputationError.order(round: -1, expected: "an end at both parties with the same costs")
        }
        return Run(outputs: [one, two], received: received, cost: first.cost)
    }
}

/// Tensors of a fixed sequence.
struct Tensors {
    private var generator: SeededGenerator

    init(_ seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// Numbers evenly in -bound ... bound.
    mutating func callAsFunction(_ shape: [Int], within bound: Int64) throws -> RingTensor {
        let count = shape.reduce(1, *)
        return try RingTensor(
            shape: shape,
            words: (0..<count).map { _ in UInt64(bitPattern: Int64.random(in: -bound...bound, using: &generator)) })
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
}

func signed(_ words: [UInt64]) -> [Int64] { words.map { Int64(bitPattern: $0) } }

func tensor(_ shape: [Int], _ numbers: [Int64]) throws -> RingTensor {
    try RingTensor(shape: shape, words: numbers.map { UInt64(bitPattern: $0) })
}
