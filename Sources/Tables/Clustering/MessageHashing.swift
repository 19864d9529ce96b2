internal import Kernels

/// The first eight bytes of SipHash-2-4-128 of many messages at once: those that `KeyedHash` gives one by one.
struct MessageHashing: Sendable {
    /// The fastest variant that this processor has.
    static let best = MessageHashing(
        [.avx512, .avx2].first { kernels_have($0) } ?? .portable)

    /// All variants that this processor has: for tests.
    static var all: [MessageHashing] {
        [kernels_instructions.portable, .avx2, .avx512].filter { kernels_have($0) }.map { MessageHashing($0) }
    }

    /// Arrays of words and of hashes must have room for so many elements more than there are messages.
    static let slack = kernels_hash_lanes

    private let instructions: kernels_instructions

    private init(_ instructions: kernels_instructions) {
        self.instructions = instructions
    }

    /// Hashes messages of which word w of message i is `words[w][i]`, followed by `tailBytes` zero bytes, at most seven.
    /// `keys`: two words for each run of messages; run r is not empty and ends before message `ends[r]`.
    func hash(
        _ words: UnsafeBufferPointer<UnsafePointer<UInt64>>, keys: UnsafeBufferPointer<UInt64>,
        ends: UnsafeBufferPointer<Int64>, tailBytes: Int = 0, into target: UnsafeMutablePointer<UInt64>
    ) {
        let pointers = words.baseAddress.map {
            UnsafeRawPointer($0).assumingMemoryBound(to: UnsafePointer<UInt64>?.self)
        }
        let messages = kernels_messages(
            keys: keys.baseAddress, ends: ends.baseAddress, runs: ends.count, words: pointers, word_count: words.count,
            tail: 0, tail_bytes: tailBytes)
        kernels_hash(messages, target, instructions)
    }
}
