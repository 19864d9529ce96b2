public import ModularArithmetic
internal import Secrets

/// What a party holds of one owner's weights, shared once among three and good for all runs: the owner the weights, the party before it a random component, the party behind it what that leaves.
///
/// **Privacy.** Either component alone is uniformly random; both together are the weights. A product masks its result anew in each run, so that components may stay for as long as the weights do; other
/// weights are shared anew, with other randomness. The party before gets a seed of sixteen bytes, the party behind as many words as there are weights.
public struct SharedWeights: Sendable, CustomStringConvertible, CustomReflectable {
    /// Whose weights they are.
    public let owner: ComputingParty
    /// Whose part of them it is.
    public let holder: ComputingParty
    /// Sixteen random bytes that name the sharing.
    public let identifier: [UInt8]
    /// The program's slots that they were made for: shapes in order.
    let shapes: [[Int]]
    /// The seed of the component that the owner and the party before it have.
    private let seed: [UInt64]
    /// For each of the owner's weights in the program's order.
    let words: [[UInt64]]
    /// Within which shapes and bounds (SHA-256), and in which session, a run with abort has proved the weights to be, the same at all three parties; empty where none has.
    public private(set) var verification: [UInt8] = []

    /// The first bytes of the file form.
    static let magic: [UInt8] = Array("PRLY3PW1".utf8)

    /// Shares an owner's weights: each party's part, for it alone.
    ///
    /// - Parameter weights: In the program's order, those of `owner` alone.
    /// - Throws: ``ComputationError`` where they are not what the program declares.
    public static func sharing(
        _ weights: [RingTensor], of owner: ComputingParty, in program: Program
    ) throws(ComputationError) -> [ComputingParty: SharedWeights] {
        var random = SecureRandom()
        return try sharing(weights, of: owner, in: program, random: &random)
    }

    static func sharing(
        _ weights: [RingTensor], of owner: ComputingParty, in program: Program,
        random: inout some RandomNumberGenerator
    ) throws(ComputationError) -> [ComputingParty: SharedWeights] {
        try program.check(weights, of: owner)
        let shapes = weights.map(\.shape)
        var identifier: [UInt8] = []
        append([random.next(), random.next()], to: &identifier)
        let seed: [UInt64] = [random.next(), random.next()]
        let components = expanded(seed, shapes)
        let rest = zip(weights, components).map { tensor, component in
            zip(tensor.words, component).map { $0 &- $1 }
        }
        func part(_ holder: ComputingParty, seed: [UInt64], words: [[UInt64]]) -> SharedWeights {
            SharedWeights(
                owner: owner, holder: holder, identifier: identifier, shapes: shapes, seed: seed, words: words)
        }
        return [
            owner: part(owner, seed: seed, words: weights.map(\.words)),
            owner.previous: part(owner.previous, seed: seed, words: components),
            owner.next: part(owner.next, seed: [], words: rest),
        ]
    }

    /// At the owner: the component of its own number of one of its weights.
    func component(_ number: Int) -> [UInt64] { Self.expanded(seed, shapes)[number] }

    private static func expanded(_ seed: [UInt64], _ shapes: [[Int]]) -> [[UInt64]] {
        let key = CipherKey(words: (seed[0], seed[1]))
        return shapes.enumerated().map { key.words($1.reduce(1, *), stream: UInt64($0)) }
    }

    /// Its bytes, as secret as the weights where both other parties' come together: magic, owner, holder, identifier, and, little-endian, the words, but of the party before the owner, and the seed, but of the one behind it; at last the 64 bytes of ``verification``, where there are any.
    public var encoded: [UInt8] {
        var bytes = Self.magic + [UInt8(owner.rawValue), UInt8(holder.rawValue)] + identifier
        append((holder == owner.previous ? [] : words.flatMap { $0 }) + seed, to: &bytes)
        return bytes + verification
    }

    /// Reads what ``encoded`` wrote; nothing is allocated before the length is right.
    ///
    /// - Throws: ``ComputationError``.
    public init(_ bytes: [UInt8], program: Program) throws(ComputationError) {
        let header = Self.magic.count + 18
        guard bytes.count >= header, bytes.starts(with: Self.magic) else {
            throw .malformed(
                "shared weights of \(bytes.count) bytes",
                expected: "a header of \(header) bytes that begins with PRLY3PW1")
        }
        guard let owner = ComputingParty(rawValue: Int(bytes[8])), let holder = ComputingParty(rawValue: Int(bytes[9]))
        else {
            throw .malformed("the weights' owner and holder", expected: "0, 1 or 2 each")
        }
        let shapes = program.weights.filter { $0.owner == owner }.map(\.shape)
        guard !shapes.isEmpty else { throw .otherWeights }
        let counts = shapes.map { $0.reduce(1, *) }
        let hasWords = holder != owner.previous
        let seedWords = holder == owner.next ? 0 : 2
        let expected = (hasWords ? counts.reduce(0, +) : 0) + seedWords
        let length = header + 8 * expected
        guard bytes.count == length || bytes.count == length + 64 else {
            throw .malformed("shared weights of \(bytes.count) bytes", expected: "\(header + 8 * expected)")
        }
        var offset = header
        var words: [[UInt64]] = []
        for count in hasWords ? counts : [] {
            words.append(wordsOf(bytes[...], from: offset, count: count))
            offset += 8 * count
        }
        let seed = wordsOf(bytes[...], from: offset, count: seedWords)
        self.init(
            owner: owner, holder: holder, identifier: Array(bytes[10..<26]), shapes: shapes, seed: seed,
            words: hasWords ? words : Self.expanded(seed, shapes))
        verification = Array(bytes[length...])
    }

    private init(
        owner: ComputingParty, holder: ComputingParty, identifier: [UInt8], shapes: [[Int]], seed: [UInt64],
        words: [[UInt64]]
    ) {
        (self.owner, self.holder, self.identifier, self.shapes) = (owner, holder, identifier, shapes)
        (self.seed, self.words) = (seed, words)
    }

    /// Whether a run with abort has proved the weights to be within the bounds that a program declares.
    public func isVerified(for program: Program) -> Bool {
        verification.count == 64 && verification.starts(with: Self.bounds(of: owner, in: program))
    }

    /// The same, behind such a run.
    func verified(for program: Program, in session: [UInt8]) -> SharedWeights {
        var result = self
        result.verification = Self.bounds(of: owner, in: program) + session
        return result
    }

    /// SHA-256 of an owner's weights' shapes and bounds.
    private static func bounds(of owner: ComputingParty, in program: Program) -> [UInt8] {
        var words = CanonicalWords("parley/three-party-weights/1")
        for slot in program.weights where slot.owner == owner {
            words.append(slot.shape)
            words.append([slot.bound.bitPattern, slot.sumBound.bitPattern])
        }
        return words.digest
    }

    /// Owner and holder alone.
    public var description: String { "SharedWeights(of \(owner), part of \(holder))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
