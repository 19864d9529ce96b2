public import ModularArithmetic
internal import Secrets

/// What a party of three brings to a run.
public struct ThreePartyInputs: Sendable, CustomStringConvertible, CustomReflectable {
    /// Its inputs, in the program's order. Magnitudes are held to the declared bounds.
    public var inputs: [RingTensor]
    /// Its part of each owner's weights, its own among them.
    public var weights: [SharedWeights]

    /// Its shares of tables, in the program's order.
    public var tables: [SharedColumns]

    /// What a party brings: nothing unless it is said.
    public init(inputs: [RingTensor] = [], weights: [SharedWeights] = [], tables: [SharedColumns] = []) {
        (self.inputs, self.weights, self.tables) = (inputs, weights, tables)
    }

    /// The name alone.
    public var description: String { "ThreePartyInputs" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One of three parties' run of a program, without a dealer: takes messages and gives messages, and does nothing else. The same programs run on a ``TwoPartyMachine``, and give the same.
///
/// **Protocol.** Values are replicated modulo 2^64 (Araki, Furukawa, Lindell, Nof and Ohara 2016): each of three components is known to two parties. Sums are local; a product takes one round and a word of
/// each party. For comparisons and truncations each element has a lead, which knows the sum of two components, while both others know the third: a sum of two numbers of one side each, whose carry a
/// tree of bits gives (``CarryShape``), and what follows from it is shared by the lead and finished by the others (``FunctionShape``). The first round shares inputs, and in it each party draws the
/// seed of one of three keys for itself and the party before it; all randomness of the run follows from these keys.
///
/// **Privacy.** Against one party that follows the protocol and looks at all it sees: each word that it receives is under a mask from the key that it lacks, which serves once, or is the component
/// that it lacks of an output. So a simulator that has the party's inputs and outputs alone sends random words, and in the last step the output minus both components that the party holds (a test
/// does so). What it learns besides: the program, shapes, bounds, time, and of a truncation that is not exact the low bits that decide how it is rounded.
///
/// **Threat model.** Semi-honest, and no two parties collude: any two together see everything. A party that deviates can make results wrong, and can learn more, since nothing is authenticated here; in a session with
/// abort (``ThreePartySecurity/withAbort``) other steps run, all of them verified before anything is opened.
/// Channels are the caller's: authenticated and secret from the third party, which TLS between each two gives; seeds travel in them.
///
/// **Once.** A machine draws its own randomness, and is not stored: a run that breaks begins anew, in another session.
public struct ThreePartyMachine: Sendable, CustomStringConvertible, CustomReflectable {
    let program: Program
    /// On how many threads products are computed, 1 or 2.
    public var threads = 1
    let plan: ThreePartyPlan
    let inputs: ThreePartyInputs
    private let isHeld: Bool
    private(set) var rounds: ThreePartyRounds
    /// By step, until they are needed no more.
    private(set) var values: [ReplicatedWords?]
    /// The bits of signs whose products come in a later step.
    private var bits: [Int: LeadBits] = [:]
    private(set) var running: [Int: any ReplicatedStep] = [:]
    /// With abort: how it goes, and what runs behind the first round.
    private let verifiedPlan: VerifiedPlan?
    private(set) var verified: VerifiedMachine?
    /// With abort: why the run is over.
    private var failure: ComputationError?

    /// A party that has sent nothing yet.
    ///
    /// - Throws: ``ComputationError`` where inputs or weights are not what the program and the session take.
    public init(
        program: Program, session: ThreePartySession, party: ComputingParty, inputs: ThreePartyInputs
    ) throws(ComputationError) {
        var random = SecureRandom()
        try self.init(program: program, session: session, party: party, inputs: inputs, random: &random)
    }

    /// - Parameter isHeld: Whether the party's own inputs and weights are held to their bounds; tests deviate without.
    init(
        program: Program, session: ThreePartySession, party: ComputingParty, inputs: ThreePartyInputs,
        isHeld: Bool = true, random: inout some RandomNumberGenerator
    ) throws(ComputationError) {
        guard session.program == program.digest else { throw .otherSession }
        let own = program.inputs.filter { program.operation($0.place) == .input(party) }
        guard inputs.inputs.map(\.shape) == own.map(\.shape) else {
            throw .input("inputs of shapes \(inputs.inputs.map(\.shape))", expected: "\(own.map(\.shape))")
        }
        self.program = program
        self.inputs = inputs
        self.isHeld = isHeld
        rounds = ThreePartyRounds(session: session, party: party, random: &random)
        verifiedPlan =
            session.security == .withAbort
            ? try VerifiedPlan(program, weightsAreVerified: session.weightsAreVerified) : nil
        plan = ThreePartyPlan(program)
        values = [ReplicatedWords?](repeating: nil, count: program.steps.count)
        try checkWeights()
        let columns = try program.columns(of: inputs.tables, at: party)
        for (value, words) in zip(program.sharedInputs, columns) { values[value.place] = words }
    }

    /// Who it is.
    public var party: ComputingParty { rounds.party }
    /// What was sent and received so far, by all three.
    public var cost: ThreePartyCost { rounds.cost }
    private var round: Int { rounds.round }

    private func checkWeights() throws(ComputationError) {
        for owner in ComputingParty.three {
            let slots = program.weights.filter { $0.owner == owner }
            let given = inputs.weights.filter { $0.owner == owner }
            guard given.count == (slots.isEmpty ? 0 : 1) else {
                throw .input(
                    "\(given.count) parts of the \(owner) party's weights", expected: "\(slots.isEmpty ? 0 : 1)")
            }
            guard let part = given.first else { continue }
            guard part.holder == party, part.shapes == slots.map(\.shape),
                part.identifier == rounds.session.weights[owner.rawValue]
            else { throw .otherWeights }
            guard
                !rounds.session.weightsAreVerified
                    || part.isVerified(for: program)
                        && part.verification == rounds.session.verifications[owner.rawValue]
            else {
                throw .unverifiable(
                    "run on weights that were not verified before, at this party and in the run that the session names")
            }
            guard owner == party, isHeld else { continue }
            var tensors: [RingTensor] = []
            for (slot, words) in zip(slots, part.words) {
                guard let tensor = try? RingTensor(shape: slot.shape, words: words) else { throw .otherWeights }
                tensors.append(tensor)
            }
            try program.check(tensors, of: owner)
        }
    }

    /// Whether the last round is over.
    public var isFinished: Bool { rounds.hasBegun && round == roundCount && failure == nil }

    private var roundCount: Int { verifiedPlan.map { $0.rounds + 1 } ?? plan.rounds.count }

    /// What a party sends in this round.
    private func traffic(of party: ComputingParty) -> Traffic {
        if let verifiedPlan, round > 0 { return verifiedPlan.traffic(round - 1, of: party) }
        return plan.traffic(round, of: party)
    }

    /// How many words the round's message from another party must have.
    public func expectedWords(from other: ComputingParty) -> Int {
        guard !isFinished, failure == nil, other != party else { return 0 }
        let traffic = traffic(of: other)
        return other == party.next ? traffic.previous : traffic.next
    }

    /// Begins, and gives the first round's messages.
    ///
    /// - Throws: ``ComputationError/order(round:expected:)`` where it began before.
    public mutating func begin() throws(ComputationError) -> ThreePartyMessages {
        try rounds.begin()
        var outgoing = Outgoing(previous: rounds.seed)
        var number = 0
        for value in program.inputs where program.operation(value.place) == .input(party) {
            let given = inputs.inputs[number].words
            let words = isHeld ? Program.held(given, to: Int64(value.bound)) : given
            let shared = rounds.shared(words, place: value.place)
            outgoing.next += shared.next
            values[value.place] = shared
            number += 1
        }
        // Constants.
        if verifiedPlan == nil { beginSteps() }
        return rounds.messages(outgoing)
    }

    /// Takes both others' messages of the round, and gives the next round's; nil where the run is over.
    ///
    /// - Parameter messages: One of each other party, in any order.
    /// - Throws: ``ComputationError``; the machine is as before then, but for ``ComputationError/abort(round:_:)``, behind which it throws this alone.
    public mutating func receive(_ messages: [ThreePartyMessage]) throws(ComputationError) -> ThreePartyMessages? {
        if let failure { throw failure }
        guard rounds.hasBegun, !isFinished else {
            throw .order(round: messages.first?.round ?? 0, expected: "none: the run has not begun, or is over")
        }
        if verifiedPlan != nil { return try receiveVerified(messages) }
        let (plan, round) = (plan, round)
        let incoming = try rounds.checked(messages) { plan.traffic(round, of: $0) }
        if round == 0 { takeKeysAndInputs(incoming) } else { take(incoming) }
        rounds.end { plan.traffic(round, of: $0) }
        beginSteps()
        for place in values.indices where plan.lastUse[place] <= round + 1 {
            values[place] = nil
            bits[place] = nil
        }
        return isFinished ? nil : open()
    }

    private mutating func receiveVerified(
        _ messages: [ThreePartyMessage]
    ) throws(ComputationError) -> ThreePartyMessages? {
        guard let verifiedPlan else { return nil }
        let (round, behind) = (round, round - 1)
        let expected = ComputingParty.three.map { traffic(of: $0) }
        let incoming = try rounds.checked(messages) { expected[$0.rawValue] }
        if round == 0 {
            takeKeysAndInputs(incoming)
            if let keys = rounds.keys {
                let shared = program.inputs.map { ($0.place, values[$0.place] ?? ReplicatedWords(zeros: $0.count)) }
                verified = VerifiedMachine(
                    verifiedPlan, session: rounds.session.digest, party: party, keys: keys,
                    inputs: Dictionary(uniqueKeysWithValues: shared), weights: inputs.weights, threads: threads)
            }
        } else if let failed = verified?.receive(behind, incoming) {
            verified = nil
            let error = ComputationError.abort(round: round, failed)
            failure = error
            throw error
        }
        rounds.end { expected[$0.rawValue] }
        guard !isFinished else { return nil }
        let outgoing = verified?.send(behind + 1) ?? Outgoing()
        return rounds.messages(outgoing)
    }

    /// What was opened to this party, in the program's order; nil before the run is over.
    public var outputs: [RingTensor]? {
        guard isFinished else { return nil }
        return program.steps.indices.compactMap { place in
            guard case .reveal(let value, party) = program.operation(place) else { return nil }
            if let verified {
                return verified.outputs[place].flatMap { try? RingTensor(shape: value.shape, words: $0) }
            }
            return values[place].flatMap { try? RingTensor(shape: value.shape, words: $0.own) }
        }
    }

    /// With abort: this party's parts of weights behind the run, which has proved them to be within their bounds. Sessions of programs that declare the same may say so
    /// by their ``SharedWeights/verification``.
    public var verifiedWeights: [SharedWeights]? {
        isFinished && verifiedPlan != nil
            ? inputs.weights.map { $0.verified(for: program, in: rounds.session.digest) } : nil
    }

    private mutating func takeKeysAndInputs(_ incoming: Incoming) {
        let keys = rounds.takeKey(incoming.next.prefix(ThreePartyRounds.seedWords))
        var received = incoming.previous
        for value in program.inputs {
            guard case .input(let owner) = program.operation(value.place), owner != party else { continue }
            values[value.place] = ThreePartyRounds.received(
                from: owner, at: party, count: value.count, place: value.place, keys: keys, &received)
        }
    }

    /// This round's messages.
    private mutating func open() -> ThreePartyMessages {
        var outgoing = Outgoing()
        let traffic = plan.traffic(round, of: party)
        outgoing.next.reserveCapacity(traffic.next)
        outgoing.previous.reserveCapacity(traffic.previous)
        for (place, round) in plan.rounds[round] { running[place]?.send(round, to: &outgoing) }
        return rounds.messages(outgoing)
    }

    private mutating func take(_ incoming: Incoming) {
        var incoming = incoming
        for (place, round) in plan.rounds[round] {
            guard let shape = plan.shapes[place] else { continue }
            let taken = incoming.taken(
                next: shape.traffic(round, of: party.next).previous,
                previous: shape.traffic(round, of: party.previous).next)
            running[place]?.receive(round, taken)
            guard round == shape.rounds - 1 else { continue }
            values[place] = running[place]?.result
            if case .compactSign = program.operation(place), let step = running[place] as? LeadStep {
                bits[place] = step.bits
            }
            running[place] = nil
        }
    }

    private mutating func beginSteps() {
        for place in plan.begun[round] {
            if plan.shapes[place] == nil {
                if values[place] == nil { values[place] = local(place) }
            } else if let keys = rounds.keys {
                running[place] = step(place, keys)
            }
        }
    }

    private func local(_ place: Int) -> ReplicatedWords {
        var (own, next) = (
            [[UInt64]?](repeating: nil, count: values.count), [[UInt64]?](repeating: nil, count: values.count)
        )
        for operand in program.operation(place).operands {
            own[operand.place] = values[operand.place]?.own
            next[operand.place] = values[operand.place]?.next
        }
        // Constants are the component that the first and the third party hold.
        func component(_ values: [[UInt64]?], _ holder: ComputingParty) -> [UInt64] {
            program.local(
                place, party: holder == .first ? .first : .second, inputs: [], values: values, threads: threads)
        }
        return ReplicatedWords(own: component(own, party), next: component(next, party.next))
    }

    private func value(_ value: Value) -> ReplicatedWords { values[value.place] ?? ReplicatedWords(zeros: value.count) }

    private func step(_ place: Int, _ keys: PairwiseKeys) -> (any ReplicatedStep)? {
        switch program.operation(place) {
        case .product(let map, let left, let right):
            let terms = ProductStep.terms(map, value(left), value(right), threads: threads)
            return ProductStep(terms: terms, keys: keys, place: place)
        case .weighted(let map, let left, let weights):
            let number = program.weights.filter { $0.owner == weights.owner }.prefix { $0.place != weights.place }.count
            let part = inputs.weights.first { $0.owner == weights.owner }?.words[number] ?? []
            let terms = ProductStep.terms(
                map, value(left), weights: part, owner: weights.owner, party: party, threads: threads)
            return ProductStep(terms: terms, keys: keys, place: place)
        case .reveal(let opened, let to): return RevealStep(value(opened), to: to, party: party)
        case .truncation(let operand, _, _), .compactSign(let operand, _):
            return program.leadShape(place).map { LeadStep($0, value(operand), party: party, keys: keys) }
        case .sign(let sign):
            return program.leadShape(place).map {
                LeadStep($0, value(sign.value), carried: sign.carried.map(value), party: party, keys: keys)
            }
        case .compactProduct(let product):
            return program.leadShape(place).map {
                LeadStep($0, value(product.sign), bits: bits[product.sign.place], party: party, keys: keys)
            }
        default: return nil
        }
    }

    /// The place in the run alone.
    public var description: String { "ThreePartyMachine(\(party), round \(round) of \(roundCount))" }
    /// The same.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
