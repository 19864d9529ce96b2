internal import ModularArithmetic

/// What the dealer gives a party for a step, beside the seed: shares that do not follow from it, and the corrections of comparison functions, which both have.
struct StepCorrelation: Sendable, CustomStringConvertible, CustomReflectable {
    var shares: [UInt64] = []
    var corrections = HeldWords([])

    /// Its words, little-endian.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 * (shares.count + corrections.count))
        append(shares, to: &bytes)
        append(corrections.array, to: &bytes)
        return bytes
    }

    init(shares: [UInt64] = [], corrections: [UInt64] = []) {
        (self.shares, self.corrections) = (shares, HeldWords(corrections))
    }

    /// - Throws: ``ComputationError/correlation(step:count:expected:)`` where the length is not the one that the program needs.
    init(_ bytes: ArraySlice<UInt8>, place: Int, of party: ComputingParty, in program: Program) throws(ComputationError)
    {
        let corrected = program.correctionWords(place)
        let all = program.correlationWords(place, of: party)
        guard bytes.count == 8 * all else { throw .correlation(step: place, count: bytes.count / 8, expected: all) }
        shares = wordsOf(bytes, from: 0, count: all - corrected)
        corrections = HeldWords(wordsOf(bytes, from: 8 * (all - corrected), count: corrected))
    }

    /// The same, of bytes that stay where they are: corrections are most of them, and are read once.
    init(_ bytes: HeldBytes, place: Int, of party: ComputingParty, in program: Program) throws(ComputationError) {
        let corrected = program.correctionWords(place)
        let all = program.correlationWords(place, of: party)
        guard bytes.count == 8 * all else { throw .correlation(step: place, count: bytes.count / 8, expected: all) }
        shares = HeldWords(bytes, from: 0, count: all - corrected).array
        corrections = HeldWords(bytes, from: all - corrected, count: corrected)
    }

    var description: String { "StepCorrelation(\(shares.count) + \(corrections.count) words)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// What the dealer gives one party for one run of a program. It serves once, and is as secret as the party's inputs: both parties' together open everything.
public struct Correlations: Sendable, CustomStringConvertible, CustomReflectable {
    /// The session's digest.
    public let session: [UInt8]
    /// Whose they are.
    public let party: ComputingParty
    /// The key of the streams from which masks, seeds and shares are expanded.
    let seed: (UInt64, UInt64)
    /// The names of the masks of both parties' weights, sixteen bytes each; zeros where there are none.
    let masks: [UInt8]
    /// By step.
    var steps: [Int: StepCorrelation]

    /// The first bytes of the file form.
    static let magic: [UInt8] = Array("PRLYCOR1".utf8)

    /// The party alone.
    public var description: String { "Correlations(\(party))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Bytes of the file form before the first step's.
    static let headerBytes = 89

    /// Magic, session, party, masks and seed: what a run needs before its first step, where the steps' words follow one by one (``TwoPartyMachine/supply(_:step:)``).
    var header: [UInt8] {
        var bytes = Self.magic + session + [UInt8(party.rawValue)] + masks
        append([seed.0, seed.1], to: &bytes)
        return bytes
    }

    /// The header, and each step's words in the order of rounds, little-endian.
    public func encoded(for program: Program) -> [UInt8] {
        program.rounds.joined().reduce(into: header) { $0 += steps[$1]?.encoded ?? [] }
    }

    /// Reads what ``encoded(for:)`` wrote, or its header alone where the steps are supplied later; nothing is allocated before the length is right.
    ///
    /// - Throws: ``ComputationError``.
    public init(_ bytes: [UInt8], program: Program, session: ComputationSession) throws(ComputationError) {
        let header = Self.headerBytes
        guard bytes.count >= header, bytes.starts(with: Self.magic) else {
            throw .malformed(
                "correlations of \(bytes.count) bytes",
                expected: "a header of \(header) bytes that begins with PRLYCOR1")
        }
        guard bytes[Self.magic.count..<Self.magic.count + 32].elementsEqual(session.digest) else { throw .otherSession }
        guard let party = ComputingParty(rawValue: Int(bytes[40])), ComputingParty.two.contains(party) else {
            throw .malformed("party \(bytes[40])", expected: "0 or 1")
        }
        self.init(
            session: session.digest, party: party, seed: (word(bytes, header - 16), word(bytes, header - 8)),
            masks: Array(bytes[41..<73]), steps: [:])
        guard bytes.count > header else { return }
        let words = program.rounds.joined().reduce(0) { $0 + program.correlationWords($1, of: party) }
        guard bytes.count == header + 8 * words else {
            throw .malformed("correlations of \(bytes.count) bytes", expected: "\(header) or \(header + 8 * words)")
        }
        var offset = header
        for place in program.rounds.joined() {
            let length = 8 * program.correlationWords(place, of: party)
            steps[place] = try StepCorrelation(bytes[offset..<offset + length], place: place, of: party, in: program)
            offset += length
        }
    }

    init(session: [UInt8], party: ComputingParty, seed: (UInt64, UInt64), masks: [UInt8], steps: [Int: StepCorrelation])
    {
        (self.session, self.party, self.seed, self.masks, self.steps) = (session, party, seed, masks, steps)
    }

    /// The name of the mask of a party's weights.
    func mask(of owner: ComputingParty) -> ArraySlice<UInt8> { masks[16 * owner.rawValue..<16 * owner.rawValue + 16] }
}

/// Appends words, little-endian.
func append(_ words: [UInt64], to bytes: inout [UInt8]) {
    #if _endian(little)
        words.withUnsafeBytes { bytes.append(contentsOf: $0) }
    #else
        for word in words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
    #endif
}

/// Little-endian words out of bytes that have them.
func wordsOf(_ bytes: ArraySlice<UInt8>, from offset: Int, count: Int) -> [UInt64] {
    bytes.withUnsafeBytes { raw in
        [UInt64](unsafeUninitializedCapacity: count) { buffer, initialized in
            for i in 0..<count {
                buffer[i] = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 8 * i, as: UInt64.self))
            }
            initialized = count
        }
    }
}

extension Program {
    /// The comparison functions of a step.
    func comparisons(_ place: Int) -> ComparisonFunctions? {
        let made: ComparisonFunctions? =
            switch operation(place) {
            case .truncation(let value, let bits, true):
                try? ComparisonFunctions(count: value.count, bits: bits, words: 1)
            case .sign(let sign): try? ComparisonFunctions(count: sign.value.count, bits: 63, words: sign.layout.count)
            default: nil
            }
        return made
    }

    /// Words of corrections that both parties get for a step.
    func correctionWords(_ place: Int) -> Int {
        comparisons(place)?.correctionCount ?? bitComparisons(place)?.correctionCount ?? 0
    }

    /// The comparison functions of a step that gives a bit.
    func bitComparisons(_ place: Int) -> BitComparisonFunctions? {
        guard case .compactSign(let value, _) = operation(place) else { return nil }
        return try? BitComparisonFunctions(count: value.count, bits: 63)
    }

    /// Words of shares that a step needs of both parties, of which the first party's follow from its seed.
    func shareWords(_ place: Int) -> Int {
        switch operation(place) {
        case .product(let map, _, _), .weighted(let map, _, _): map.resultCount
        case .truncation(let value, _, _): 2 * value.count
        case .sign(let sign): sign.constants.count * sign.value.count
        case .compactSign(let value, _): PackedBits.words(value.count)
        case .compactProduct(let product): product.constants.count * product.bitCount
        default: 0
        }
    }

    /// Who of both gets shares that do not follow from its seed.
    func correctedParty(_ place: Int) -> ComputingParty {
        if case .weighted(_, _, let weights) = operation(place) { return weights.owner }
        return .second
    }

    /// Words that the dealer gives a party for a step.
    func correlationWords(_ place: Int, of party: ComputingParty) -> Int {
        correctionWords(place) + (party == correctedParty(place) ? shareWords(place) : 0)
    }
}

extension SignOperation {
    /// A number of each element, that the dealer shares. With s the mask's highest bit:
    enum Constant: Sendable, Hashable {
        /// 1 - s.
        case notSign
        /// (1 - s) times the mask.
        case maskUnlessSign
        /// The truncated mask.
        case truncatedMask
        /// (1 - s) times that.
        case truncatedMaskUnlessSign
        /// (1 - s) times the other value's mask.
        case carriedMaskUnlessSign
    }

    var constants: [Constant] {
        layout.flatMap { item -> [Constant] in
            switch item {
            case .one: [.notSign]
            case .mask: [.maskUnlessSign]
            case .truncatedMask: [.truncatedMask, .truncatedMaskUnlessSign]
            case .signOfMask: []
            case .carriedMask: [.carriedMaskUnlessSign]
            }
        }
    }
}

/// What a party expands its seed to in a step.
struct StepStream: Sendable {
    /// For what: independent of each other.
    enum Purpose: UInt64 {
        case mask = 0
        case otherMask, seeds, shares
    }

    let key: CipherKey
    let place: Int

    func words(_ count: Int, _ purpose: Purpose) -> [UInt64] {
        key.words(count, stream: UInt64(place) << 8 | purpose.rawValue)
    }
}
