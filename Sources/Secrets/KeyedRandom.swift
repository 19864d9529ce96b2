/// A cryptographic generator whose words follow from a key: for noise that must be the same when it is drawn again for the same thing, because a second draw would average out the first.
///
/// The words are the ChaCha20 key stream (RFC 8439) of the key. The caller derives one key for each thing that noise is drawn for, from a secret that nobody else has, by a pseudorandom function of all that tells
/// this thing from others (HKDF, RFC 5869). Then the words for different things cannot be told from fresh, independent ones by who lacks the secret and is bounded in time, and what is drawn from them is as private
/// as what `SecureRandom` draws, but for that bound; the words for the same thing are the same, and a second draw tells nothing new. Whoever has the secret can subtract the noise: it is kept like the data.
///
/// Copies give the same words. Its state stays in memory for as long as it lives, and is not erased.
public struct KeyedRandom: RandomNumberGenerator {
    private var words: SeededGenerator

    /// Bytes of a key.
    public static let keyBytes = 32

    /// The stream of a key; nil for anything but 32 bytes.
    public init?(key: some Collection<UInt8>) {
        guard key.count == Self.keyBytes else { return nil }
        let bytes = Array(key)
        func word(_ place: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[8 * place + $1]) << UInt64(8 * $1) } }
        words = SeededGenerator(key: (word(0), word(1), word(2), word(3)))
    }

    /// The next eight bytes of the key stream, little-endian.
    public mutating func next() -> UInt64 { words.next() }
}

extension KeyedRandom: CustomStringConvertible, CustomReflectable {
    /// The name alone: a key is never printed.
    public var description: String { "KeyedRandom" }
    /// Nothing: a key is never printed.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
