internal import Kernels

/// How AES is computed on this processor.
let cipher: kernels_cipher =
    kernels_have_cipher(.wide) ? .wide : kernels_have_cipher(.instructions) ? .instructions : .sliced

/// A key of AES-128, expanded; never printed.
///
/// Under a secret key, its streams are pseudorandom words (counter mode, NIST SP 800-38A). Under a key that all know it is the permutation of a hash
/// (Guo, Katz, Wang and Yu 2020).
public struct CipherKey: Sendable, CustomStringConvertible, CustomReflectable {
    var expanded = kernels_aes_key()

    /// - Parameter words: The key's sixteen bytes as two little-endian words.
    public init(words: (UInt64, UInt64)) {
        withUnsafeBytes(of: (words.0.littleEndian, words.1.littleEndian)) {
            kernels_aes_expand($0.assumingMemoryBound(to: UInt8.self).baseAddress, &expanded)
        }
    }

    /// The next words of a stream, from word 2 `first` on.
    ///
    /// - Parameters:
    ///   - stream: Which; a use that must be independent of another has its own.
    ///   - first: In pairs of words.
    public func words(_ count: Int, stream: UInt64, first: Int = 0) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { buffer, initialized in
            withUnsafePointer(to: expanded) {
                kernels_aes_fill($0, stream, UInt64(first), buffer.baseAddress, count, cipher)
            }
            initialized = count
        }
    }

    /// The name alone.
    public var description: String { "CipherKey" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
