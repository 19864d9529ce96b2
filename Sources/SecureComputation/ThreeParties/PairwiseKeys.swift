internal import Crypto
internal import ModularArithmetic

/// A party's two keys: that of its own number, which the party before it has too, and that of the next number, which the party behind it has too. The third key it does not know.
///
/// From them follow, without a message, masks that one other party cannot know, and zero sharings: F(k_i) - F(k_(i+1)) at each party i sum to zero, and each is pseudorandom to whoever
/// lacks one of both keys (Araki, Furukawa, Lindell, Nof and Ohara 2016, protocol 3.1, with AES in counter mode as F).
///
/// A class, since expanded keys are large and each step has them.
final class PairwiseKeys: Sendable, CustomStringConvertible, CustomReflectable {
    let own: CipherKey
    let next: CipherKey
    /// A key that all three know, of the session's digest: what it gives hides nothing.
    let common: CipherKey

    init(own: CipherKey, next: CipherKey, session: [UInt8]) {
        (self.own, self.next) = (own, next)
        let digest = Array(SHA256.hash(data: Array("parley/three-party-common/1".utf8) + session))
        common = CipherKey(words: (word(digest, 0), word(digest, 8)))
    }

    /// Shares of zero for the usual sum, as many as wanted.
    func zeros(_ count: Int, _ stream: MaskStream) -> [UInt64] {
        var zeros = own.words(count, stream: stream.number)
        let other = next.words(count, stream: stream.number)
        for i in 0..<count { zeros[i] &-= other[i] }
        return zeros
    }

    /// Shares of zero for exclusive or.
    func zeroBits(_ count: Int, _ stream: MaskStream) -> [UInt64] {
        var zeros = own.words(count, stream: stream.number)
        let other = next.words(count, stream: stream.number)
        for i in 0..<count { zeros[i] ^= other[i] }
        return zeros
    }

    var description: String { "PairwiseKeys" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// The key that a party drew a seed for: bound to the session, so that a seed that comes again in another one gives another key.
struct SeededKey: Sendable, CustomStringConvertible, CustomReflectable {
    let key: CipherKey

    init(seed: [UInt64], of party: ComputingParty, session: [UInt8]) {
        var bytes = Array("parley/three-party-key/1".utf8) + session + [UInt8(party.rawValue)]
        append(seed, to: &bytes)
        let digest = Array(SHA256.hash(data: bytes))
        key = CipherKey(words: (word(digest, 0), word(digest, 8)))
    }

    var description: String { "SeededKey" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// The name of a stream of a key. What is drawn for two purposes, or in two places, never is of one stream.
struct MaskStream: Sendable, Hashable {
    enum Purpose: UInt64 {
        case input = 0
        case product, planes, blocks, gates, functions, results, permutation, fresh
        case owned, proof, coins
    }

    let number: UInt64

    /// - Parameters:
    ///   - place: The step's, below 2^40.
    ///   - layer: Below 256.
    ///   - part: Below 16.
    init(_ place: Int, _ purpose: Purpose, layer: Int = 0, part: Int = 0) {
        number = UInt64(place) << 20 | purpose.rawValue << 12 | UInt64(layer) << 4 | UInt64(part)
    }
}

extension CipherKey {
    func words(_ count: Int, _ stream: MaskStream) -> [UInt64] { words(count, stream: stream.number) }
}
