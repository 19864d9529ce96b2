internal import ModularArithmetic
internal import Secrets

/// Makes the correlations of a session. It is neither of the two parties, sees no message of theirs, and is trusted by both: with one of them it sees everything.
///
/// **Privacy.** What a party gets is a seed, and words that are pseudorandom whatever the other party's are: shares of which the other one's follow from its own seed, and keys of comparison
/// functions. So a party's correlations are simulated by random words. **Threat model.** The dealer follows the protocol, erases what it made, and colludes with nobody. A wrong
/// correlation gives a wrong result. Spot checks (``OpenedDealing``) find faults in proportion to how many sessions are checked, and not a dealer who colludes.
public struct Dealer: Sendable, CustomStringConvertible, CustomReflectable {
    let program: Program
    let session: ComputationSession
    let seeds: ((UInt64, UInt64), (UInt64, UInt64))
    private let keys: [CipherKey]
    private let masks: [ComputingParty: WeightMask]

    /// A mask for a model's weights.
    public static func weightMask() -> WeightMask {
        var random = SecureRandom()
        return WeightMask(random: &random)
    }

    /// A dealer of one session, with fresh seeds.
    ///
    /// - Parameter masks: Of the weights' owners.
    /// - Throws: ``ComputationError/input(_:expected:)`` where a mask is missing.
    public init(
        program: Program, session: ComputationSession, masks: [ComputingParty: WeightMask] = [:]
    ) throws(ComputationError) {
        var random = SecureRandom()
        try self.init(program: program, session: session, masks: masks, random: &random)
    }

    init(
        program: Program, session: ComputationSession, masks: [ComputingParty: WeightMask],
        random: inout some RandomNumberGenerator
    ) throws(ComputationError) {
        try program.checkTwoParties()
        for weights in program.weights where masks[weights.owner] == nil {
            throw .input("no mask of the \(weights.owner) party's weights", expected: "one")
        }
        self.init(
            program: program, session: session, masks: masks,
            seeds: ((random.next(), random.next()), (random.next(), random.next())))
    }

    /// With seeds that were drawn before. Where a mask is missing, what follows from it must not be asked for.
    init(
        program: Program, session: ComputationSession, masks: [ComputingParty: WeightMask],
        seeds: ((UInt64, UInt64), (UInt64, UInt64))
    ) {
        (self.program, self.session, self.masks, self.seeds) = (program, session, masks, seeds)
        keys = [CipherKey(words: seeds.0), CipherKey(words: seeds.1)]
    }

    /// Both seeds, from which all that was dealt follows, but for the masks of weights: what the dealer of a session tells that both parties give up (``OpenedDealing``). 32 bytes.
    public var openedSeeds: [UInt8] {
        var bytes: [UInt8] = []
        append([seeds.0.0, seeds.0.1, seeds.1.0, seeds.1.1], to: &bytes)
        return bytes
    }

    /// Both parties' correlations, each for its party alone.
    public func correlations() -> (first: Correlations, second: Correlations) {
        var (first, second) = (begun(.first), begun(.second))
        for place in program.rounds.joined() {
            let (one, two) = correlation(place)
            first.steps[place] = one
            second.steps[place] = two
        }
        return (first, second)
    }

    /// A party's correlations of no step.
    private func begun(_ party: ComputingParty) -> Correlations {
        let names = ComputingParty.two.flatMap { masks[$0]?.identifier ?? [UInt8](repeating: 0, count: 16) }
        return Correlations(
            session: session.digest, party: party, seed: party == .first ? seeds.0 : seeds.1, masks: names, steps: [:])
    }

    /// The steps that have correlations, in the order in which a run takes them.
    public var steps: [Int] { program.correlatedSteps }

    /// What each party's run begins with, where its correlations follow step by step.
    public var headers: (first: [UInt8], second: [UInt8]) { (begun(.first).header, begun(.second).header) }

    /// One step's correlations of one party, as bytes: made one after the other, they are never in memory together.
    public func encodedStep(_ step: Int, for party: ComputingParty) -> [UInt8] {
        let (first, second) = correlation(step)
        return party == .first ? first.encoded : second.encoded
    }

    /// How many bytes ``encodedStep(_:for:)`` gives.
    public func correlationBytes(step: Int, for party: ComputingParty) -> Int {
        program.correlationBytes(step: step, of: party)
    }

    /// One step's: steps are independent of each other, so that they can be made, sent and used one after the other.
    func correlation(_ place: Int) -> (first: StepCorrelation, second: StepCorrelation) {
        let streams = keys.map { StepStream(key: $0, place: place) }
        let wanted: [UInt64]
        var corrections: [UInt64] = []
        var isBits = false
        switch program.operation(place) {
        case .product(let map, let left, let right):
            func mask(_ value: Value, _ purpose: StepStream.Purpose) -> [UInt64] {
                guard let operand = program.maskedOperand(value) else { return sum(streams, value.count, purpose) }
                let once = keys.map { StepStream(key: $0, place: operand.step) }
                return operand.gathered(sum(once, operand.count, .mask))
            }
            wanted = product(map, mask(left, .mask), mask(right, .otherMask))
        case .weighted(let map, _, let weights):
            let left = streams[weights.owner.other.rawValue].words(map.leftCount, .mask)
            // Checked when the dealer was made.
            wanted = product(map, left, masks[weights.owner]?.words(weights) ?? [])
        case .truncation(let value, let bits, _):
            let mask = sum(streams, value.count, .mask)
            wanted = mask.map { $0 >> UInt64(bits) } + mask.map { $0 >> 63 }
            corrections = comparison(place, streams, alphas: mask, items: [[UInt64](repeating: 1, count: value.count)])
        case .sign(let sign): (wanted, corrections) = self.sign(place, sign, streams)
        case .compactSign(let value, _):
            let mask = sum(streams, value.count, .mask)
            wanted = PackedBits.packed(mask.map { $0 >> 63 ^ 1 })
            corrections = bitComparison(place, streams, alphas: mask)
            isBits = true
        case .compactProduct(let product):
            let before = keys.map { StepStream(key: $0, place: product.sign.place) }
            let packed = streams.map { $0.words(PackedBits.words(product.bitCount), .mask) }
            let bits = (0..<product.bitCount).map { PackedBits.bit(packed[0], $0) ^ PackedBits.bit(packed[1], $0) }
            wanted = product.shared(mask: sum(before, product.count, .mask), bits: bits)
        default: return (StepCorrelation(), StepCorrelation())
        }
        let corrected = program.correctedParty(place)
        let other = streams[corrected.other.rawValue].words(wanted.count, .shares)
        let shares = isBits ? zip(wanted, other).map { $0 ^ $1 } : zip(wanted, other).map { $0 &- $1 }
        let one = StepCorrelation(shares: shares, corrections: corrections)
        let two = StepCorrelation(shares: [], corrections: corrections)
        return corrected == .first ? (one, two) : (two, one)
    }

    private func sum(_ streams: [StepStream], _ count: Int, _ purpose: StepStream.Purpose) -> [UInt64] {
        zip(streams[0].words(count, purpose), streams[1].words(count, purpose)).map { $0 &+ $1 }
    }

    private func product(_ map: BilinearMap, _ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
        var result = [UInt64](repeating: 0, count: map.resultCount)
        map.add(left, right, to: &result)
        return result
    }

    /// The constants and corrections of a sign: beta is (2 s - 1) times each item, s being the mask's highest bit.
    private func sign(_ place: Int, _ sign: SignOperation, _ streams: [StepStream]) -> ([UInt64], [UInt64]) {
        let count = sign.value.count
        let mask = sum(streams, count, .mask)
        let carried = sign.carried == nil ? [] : sum(streams, count, .otherMask)
        let truncated = mask.map { $0 >> UInt64(sign.truncatedBits) }
        func unlessSign(_ words: [UInt64]) -> [UInt64] { zip(words, mask).map { $0 & (($1 >> 63) &- 1) } }
        func signed(_ words: [UInt64]) -> [UInt64] { zip(words, mask).map { $0 &* (2 &* ($1 >> 63) &- 1) } }
        let ones = [UInt64](repeating: 1, count: count)
        let constants = sign.constants.map { constant in
            switch constant {
            case .notSign: unlessSign(ones)
            case .maskUnlessSign: unlessSign(mask)
            case .truncatedMask: truncated
            case .truncatedMaskUnlessSign: unlessSign(truncated)
            case .carriedMaskUnlessSign: unlessSign(carried)
            }
        }
        let items = sign.layout.map { item in
            switch item {
            case .one: signed(ones)
            case .mask: signed(mask)
            case .truncatedMask: signed(truncated)
            case .signOfMask: signed(mask.map { $0 >> 63 })
            case .carriedMask: signed(carried)
            }
        }
        return (Array(constants.joined()), comparison(place, streams, alphas: mask, items: items))
    }

    /// Corrections of a step's comparison functions, none where it has none.
    private func comparison(_ place: Int, _ streams: [StepStream], alphas: [UInt64], items: [[UInt64]]) -> [UInt64] {
        guard let functions = program.comparisons(place) else { return [] }
        let zeros = [UInt64](repeating: 0, count: functions.paddedCount - functions.count)
        return functions.corrections(
            fixed: session.fixedKey(step: place),
            seeds: (streams[0].words(functions.seedCount, .seeds), streams[1].words(functions.seedCount, .seeds)),
            alphas: alphas + zeros, betas: items.flatMap { $0 + zeros })
    }

    private func bitComparison(_ place: Int, _ streams: [StepStream], alphas: [UInt64]) -> [UInt64] {
        guard let functions = program.bitComparisons(place) else { return [] }
        return functions.corrections(
            fixed: session.fixedKey(step: place),
            seeds: (streams[0].words(functions.seedCount, .seeds), streams[1].words(functions.seedCount, .seeds)),
            alphas: alphas + [UInt64](repeating: 0, count: functions.paddedCount - functions.count))
    }

    /// The name alone.
    public var description: String { "Dealer" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
