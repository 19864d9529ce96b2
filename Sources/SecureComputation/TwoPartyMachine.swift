public import ModularArithmetic

/// One party's run of a program: takes messages and gives messages, and does nothing else.
///
/// **Protocol.** Values are shared modulo 2^64: both parties' shares sum to the value. Sums are local. Every other operation opens, in one round, operands under masks that the dealer made and
/// neither party knows: products (Beaver 1991), truncation (Escudero, Ghosh, Keller, Rachuri and Scholl 2020), and everything that rests on a comparison (Boyle, Chandran, Gilboa, Gupta,
/// Ishai, Kumar and Rathee 2021: masked wires, distributed comparison functions, interval containment and splines); each says how where it stands. Openings of a round go in one message each way.
///
/// **Privacy.** Against one party that follows the protocol and looks at all it sees, with a dealer that colludes with neither: each word that it receives is the other party's share of a
/// value plus a mask, of which the other party's part is pseudorandom and serves once. So a simulator that has the party's inputs and outputs alone sends random words, and in the last
/// step the output minus the party's own share (a test does so). What it learns besides: the program, shapes, bounds, time, and of a truncation that is not exact the masked low bits that decide how it
/// is rounded, which is why nothing is opened behind one alone.
///
/// **Threat model.** Semi-honest. The dealer and one party together see everything, and the dealer must be neither. A party that deviates can make results wrong, and can learn more, since nothing is
/// authenticated here. A dealer's wrong correlation gives a wrong result that is not noticed.
///
/// **Once.** Correlations serve one run: a ``CorrelationLedger`` gives leave, and is stored before the first message is sent.
public struct TwoPartyMachine: Sendable, CustomStringConvertible, CustomReflectable {
    let program: Program
    let session: ComputationSession
    /// Who it is.
    public let party: ComputingParty
    /// On how many threads products are computed, 1 or 2.
    public var threads = 1
    /// By step, until it is taken.
    private(set) var correlations: [Int: StepCorrelation]
    let inputs: PartyInputs
    let key: CipherKey
    /// By step, until they are needed no more.
    var shares: [[UInt64]?]
    /// By step, what both opened of a value that is masked once; for as long as its share.
    var openedOnce: [Int: [UInt64]] = [:]
    /// What it opened in the round that is under way.
    private var opened: [UInt64] = []
    /// The round that is under way, or as many as there are rounds.
    private var round = 0
    private var hasBegun = false
    /// What was sent and received so far.
    public private(set) var cost = ComputationCost()

    /// A party that has sent nothing yet.
    ///
    /// - Parameter claim: Of a ledger that is stored before anything is sent.
    /// - Throws: ``ComputationError`` where correlations, weights or inputs are not what the program takes.
    public init(
        program: Program, session: ComputationSession, correlations: Correlations, claim: CorrelationClaim
    ) throws(ComputationError) {
        guard session.digest == correlations.session, claim.session == session.digest, claim.party == correlations.party
        else {
            throw .otherSession
        }
        try program.checkTwoParties()
        self.program = program
        self.session = session
        self.correlations = correlations.steps
        party = correlations.party
        inputs = claim.inputs
        key = CipherKey(words: correlations.seed)
        shares = [[UInt64]?](repeating: nil, count: program.steps.count)
        try checkInputs(correlations)
        for place in correlations.steps.keys { try checkCorrelation(place) }
    }

    private func checkInputs(_ correlations: Correlations) throws(ComputationError) {
        let own = program.inputs.filter { program.operation($0.place) == .input(party) }
        guard inputs.inputs.map(\.shape) == own.map(\.shape) else {
            throw .input("inputs of shapes \(inputs.inputs.map(\.shape))", expected: "\(own.map(\.shape))")
        }
        try program.check(inputs.weights, of: party)
        let others = program.weights.filter { $0.owner != party }
        guard (inputs.maskedWeights?.words.map(\.count) ?? []) == others.map(\.count) else {
            throw .input("the other party's masked weights", expected: "\(others.map(\.count)) words")
        }
        // The dealer's correlations are for these masks, and the own one for these weights: otherwise the result would be wrong.
        if !inputs.weights.isEmpty {
            guard let mask = inputs.mask, mask.hides(inputs.weights, of: party, in: program) else {
                throw .maskOfOtherWeights
            }
            guard correlations.mask(of: party).elementsEqual(mask.identifier) else { throw .otherMask }
        }
        if let masked = inputs.maskedWeights, !others.isEmpty {
            guard correlations.mask(of: party.other).elementsEqual(masked.mask) else { throw .otherMask }
        }
    }

    private func checkCorrelation(_ place: Int) throws(ComputationError) {
        let corrections = program.correctionWords(place)
        let expected = program.correlationWords(place, of: party)
        let step = correlations[place] ?? StepCorrelation()
        guard step.corrections.count == corrections, step.shares.count + corrections == expected else {
            throw .correlation(step: place, count: step.shares.count + step.corrections.count, expected: expected)
        }
    }

    /// Whether the run is over.
    public var isFinished: Bool { hasBegun && round == program.rounds.count }

    /// Whether the round that is under way is the last.
    public var isLastRound: Bool { hasBegun && round == program.rounds.count - 1 }

    /// How many words the other party's next message has.
    public var expectedWords: Int { isFinished ? 0 : program.openedWords(round: round, by: party.other) }

    /// Steps of the round that is under way whose correlations are not here yet: who keeps them in a file supplies them round by round, and never holds them all.
    public var awaitedSteps: [Int] {
        guard !isFinished else { return [] }
        return program.rounds[round].filter { correlations[$0] == nil && program.correlationWords($0, of: party) > 0 }
    }

    /// Takes a step's correlation, as ``Dealer/encodedStep(_:for:)`` gave it.
    ///
    /// - Throws: ``ComputationError``; of a wrong length, or of no step of this program.
    public mutating func supply(_ bytes: [UInt8], step: Int) throws(ComputationError) {
        try checkSupply(step)
        correlations[step] = try StepCorrelation(bytes[...], place: step, of: party, in: program)
    }

    /// The same, of bytes that are not copied: a file's.
    ///
    /// - Throws: ``ComputationError``; of a wrong length, or of no step of this program.
    public mutating func supply(_ bytes: HeldBytes, step: Int) throws(ComputationError) {
        try checkSupply(step)
        correlations[step] = try StepCorrelation(bytes, place: step, of: party, in: program)
    }

    private func checkSupply(_ step: Int) throws(ComputationError) {
        guard program.steps.indices.contains(step), program.correlationWords(step, of: party) > 0 else {
            throw .parameter("a correlation of step \(step)", expected: "one of a step that has one")
        }
    }

    /// Begins, and gives the first round's message; nil where there are no rounds.
    ///
    /// - Throws: ``ComputationError/order(round:expected:)`` where it began before.
    public mutating func begin() throws(ComputationError) -> RoundMessage? {
        guard !hasBegun else { throw .order(round: 0, expected: "no second beginning") }
        hasBegun = true
        takeLocalSteps()
        return open()
    }

    /// Takes the other party's message of the round, and gives the next round's; nil where the run is over.
    ///
    /// - Throws: ``ComputationError``; the machine is as before then.
    public mutating func receive(_ message: RoundMessage) throws(ComputationError) -> RoundMessage? {
        try check(message)
        cost.send(message.words.count, from: party.other)
        finish(message.words)
        round += 1
        takeLocalSteps()
        for place in shares.indices where program.lastUse[place] <= round {
            shares[place] = nil
            openedOnce[place] = nil
        }
        return open()
    }

    /// Whether a message is the other party's of this round, and what it takes to compute with it is here; nothing changes.
    ///
    /// - Throws: ``ComputationError``.
    public func check(_ message: RoundMessage) throws(ComputationError) {
        guard hasBegun, !isFinished else {
            throw .order(round: message.round, expected: "none: the run has not begun, or is over")
        }
        guard message.session.elementsEqual(session.digest.prefix(16)) else { throw .otherSession }
        guard message.party == party.other else {
            throw .malformed("a message of the \(message.party) party", expected: "the other one's")
        }
        guard message.round == round else { throw .order(round: message.round, expected: "\(round)") }
        let expected = program.openedWords(round: round, by: party.other)
        guard message.words.count == expected else {
            throw .malformed("\(message.words.count) words", expected: "\(expected)")
        }
        if let step = awaitedSteps.first {
            throw .correlation(step: step, count: 0, expected: program.correlationWords(step, of: party))
        }
    }

    /// What was opened to this party, in the program's order; nil before the run is over.
    public var outputs: [RingTensor]? {
        guard isFinished else { return nil }
        return program.outputs.filter { $0.to == party }.compactMap { output, _ in
            shares[output.place].flatMap { try? RingTensor(shape: output.shape, words: $0) }
        }
    }

    private mutating func takeLocalSteps() {
        for place in program.locals[round] {
            shares[place] = program.local(place, party: party, inputs: inputs.inputs, values: shares, threads: threads)
        }
    }

    /// This round's message.
    private mutating func open() -> RoundMessage? {
        guard round < program.rounds.count else { return nil }
        opened = []
        opened.reserveCapacity(program.openedWords(round: round, by: party))
        for place in program.rounds[round] { opened += openedWords(place) }
        cost.rounds += 1
        cost.send(opened.count, from: party)
        return RoundMessage(session: Array(session.digest.prefix(16)), party: party, round: round, words: opened)
    }

    private mutating func finish(_ received: [UInt64]) {
        var (own, other) = (0, 0)
        for place in program.rounds[round] {
            let ownCount = program.openedWords(place, by: party)
            let otherCount = program.openedWords(place, by: party.other)
            let (mine, others) = (opened[own..<own + ownCount], received[other..<other + otherCount])
            if case .masked = program.operation(place) { openedOnce[place] = Self.sum(mine, others) }
            shares[place] = finished(place, own: mine, received: others)
            correlations[place] = nil
            own += ownCount
            other += otherCount
        }
        opened = []
    }

    /// The place in the run alone.
    public var description: String { "TwoPartyMachine(\(party), round \(round) of \(program.rounds.count))" }
    /// The same.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
