internal import Crypto
internal import Foundation
public import ModularArithmetic
internal import Secrets

/// What hides one party's weights for as long as they stay the same: the dealer makes it, and keeps it to make each query's correlations; the owner binds it to its weights.
///
/// **Privacy.** The other party sees W - B once, B being pseudorandom to who lacks this. Other weights under the same B would show their difference, so the mask is bound
/// to a digest of the weights, and is refused for others.
public struct WeightMask: Sendable, CustomStringConvertible, CustomReflectable {
    /// Sixteen random bytes that name it.
    public let identifier: [UInt8]
    let seed: (UInt64, UInt64)
    /// HMAC-SHA-256, under the seed, of the weights that it hides: nobody else can test a guess at them.
    private var binding: [UInt8]?

    init(random: inout some RandomNumberGenerator) {
        seed = (random.next(), random.next())
        var identifier: [UInt8] = []
        append([random.next(), random.next()], to: &identifier)
        self.identifier = identifier
    }

    /// B for some weights.
    func words(_ weights: Weights) -> [UInt64] {
        CipherKey(words: seed).words(weights.count, stream: UInt64(weights.place))
    }

    /// Masks the weights that belong to a party in a program. The caller stores the mask, bound now, before it sends what comes out.
    ///
    /// - Parameter weights: In the program's order, those of `owner` alone.
    /// - Throws: ``ComputationError/maskOfOtherWeights``, ``ComputationError/weightsBeyondBound(_:)``.
    public mutating func masked(
        _ weights: [RingTensor], of owner: ComputingParty, in program: Program
    ) throws(ComputationError) -> MaskedWeights {
        try program.check(weights, of: owner)
        let digest = digest(weights, of: owner, in: program)
        if let binding, !constantTimeEqual(binding, digest) { throw .maskOfOtherWeights }
        binding = digest
        let slots = program.weights.filter { $0.owner == owner }
        let masked = zip(slots, weights).map { slot, tensor in zip(tensor.words, words(slot)).map { $0 &- $1 } }
        return MaskedWeights(mask: identifier, words: masked)
    }

    /// Its bytes, as whoever keeps it stores them: the name (16), the seed (16), and 32 of what it is bound to where it is. As secret as the weights.
    public var stored: [UInt8] {
        var bytes = identifier
        append([seed.0, seed.1], to: &bytes)
        return bytes + (binding ?? [])
    }

    /// Reads ``stored``.
    ///
    /// - Throws: ``ComputationError/malformed(_:expected:)``.
    public init(stored bytes: [UInt8]) throws(ComputationError) {
        guard bytes.count == 32 || bytes.count == 64 else {
            throw .malformed("a weight mask of \(bytes.count) bytes", expected: "32 or 64")
        }
        identifier = Array(bytes[..<16])
        seed = (word(bytes, 16), word(bytes, 24))
        binding = bytes.count == 64 ? Array(bytes[32...]) : nil
    }

    /// Whether it was used for these weights, so that what the other party has fits them.
    func hides(_ weights: [RingTensor], of owner: ComputingParty, in program: Program) -> Bool {
        binding.map { constantTimeEqual($0, digest(weights, of: owner, in: program)) } ?? false
    }

    private func digest(_ weights: [RingTensor], of owner: ComputingParty, in program: Program) -> [UInt8] {
        var bytes: [UInt8] = []
        append([seed.0, seed.1], to: &bytes)
        var hash = HMAC<SHA256>(key: SymmetricKey(data: bytes))
        for (slot, tensor) in zip(program.weights.filter { $0.owner == owner }, weights) {
            hash.update(data: Data("\(slot.place) \(slot.shape):".utf8))
            tensor.words.map(\.littleEndian).withUnsafeBytes { hash.update(data: $0) }
        }
        return Array(hash.finalize())
    }

    /// The name alone.
    public var description: String { "WeightMask" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One party's weights under a mask, for the other one: uniformly random words to who lacks the mask. Serves all queries.
public struct MaskedWeights: Sendable, Hashable {
    /// The mask's name.
    public let mask: [UInt8]
    /// For each of the owner's weights in the program's order, W - B.
    public let words: [[UInt64]]

    init(mask: [UInt8], words: [[UInt64]]) { (self.mask, self.words) = (mask, words) }

    /// The mask's name, and the words, little-endian.
    public var bytes: [UInt8] {
        var bytes = mask
        bytes.reserveCapacity(16 + 8 * words.reduce(0) { $0 + $1.count })
        for one in words { append(one, to: &bytes) }
        return bytes
    }

    /// Reads ``bytes``, of the weights that an owner has in a program.
    ///
    /// - Throws: ``ComputationError/malformed(_:expected:)``.
    public init(bytes: [UInt8], of owner: ComputingParty, in program: Program) throws(ComputationError) {
        let counts = program.weights.filter { $0.owner == owner }.map(\.count)
        let expected = 16 + 8 * counts.reduce(0, +)
        guard bytes.count == expected else {
            throw .malformed("masked weights of \(bytes.count) bytes", expected: "\(expected)")
        }
        mask = Array(bytes[..<16])
        var offset = 16
        words = counts.map { count in
            defer { offset += 8 * count }
            return wordsOf(bytes[...], from: offset, count: count)
        }
    }
}

extension Program {
    /// Whether weights are what the program declares.
    func check(_ tensors: [RingTensor], of owner: ComputingParty) throws(ComputationError) {
        let slots = weights.filter { $0.owner == owner }
        guard tensors.map(\.shape) == slots.map(\.shape) else {
            throw .input("weights of shapes \(tensors.map(\.shape))", expected: "\(slots.map(\.shape))")
        }
        for (slot, tensor) in zip(slots, tensors) {
            let magnitudes = tensor.words.map { Double(Int64(bitPattern: $0).magnitude) }
            let isBounded = magnitudes.allSatisfy { $0 <= slot.bound }
            // Kernels are rows; a matrix's columns are what meets in an element.
            let outputs = slot.shape.count == 2 ? slot.shape[1] : slot.shape.first ?? 1
            var sums = [Double](repeating: 0, count: outputs)
            for (place, magnitude) in magnitudes.enumerated() {
                sums[slot.shape.count == 2 ? place % outputs : place / (magnitudes.count / outputs)] += magnitude
            }
            guard isBounded, sums.allSatisfy({ $0 <= slot.sumBound }) else { throw .weightsBeyondBound(slot.name) }
        }
    }
}
