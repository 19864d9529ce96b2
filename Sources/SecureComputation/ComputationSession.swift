internal import Crypto
internal import Foundation
internal import ModularArithmetic
internal import Secrets

/// One run: who computes, who deals, and what. Its digest is in every message and in all correlations.
public struct ComputationSession: Sendable, Hashable {
    /// Who the first party is: a name that stands for a key, as the caller has it.
    public let first: String
    /// Who the second party is.
    public let second: String
    /// Who deals.
    public let dealer: String
    /// Sixteen bytes that no other session has.
    public let nonce: [UInt8]
    /// SHA-256 of names, nonce and program.
    public let digest: [UInt8]

    /// - Parameter nonce: Sixteen bytes of the operating system's randomness unless the session is one that another party began.
    /// - Throws: ``ComputationError/roles(_:)`` where the three are not three: a dealer who is one of the two would see everything; ``ComputationError/thirdParty``.
    public init(
        program: Program, first: String, second: String, dealer: String, nonce: [UInt8]? = nil
    ) throws(ComputationError) {
        try program.checkTwoParties()
        guard first != second else { throw .roles("both parties are \(first)") }
        guard dealer != first, dealer != second else { throw .roles("the dealer is one of the two parties") }
        let nonce = nonce ?? SecureRandom.bytes(16)
        guard nonce.count == 16 else { throw .malformed("a nonce of \(nonce.count) bytes", expected: "16") }
        (self.first, self.second, self.dealer, self.nonce) = (first, second, dealer, nonce)
        var hash = SHA256()
        for part in [
            Array("parley/two-party/1".utf8), Array(first.utf8), Array(second.utf8), Array(dealer.utf8), nonce,
            program.digest,
        ] {
            hash.update(data: Data("\(part.count):".utf8))
            hash.update(data: part)
        }
        digest = Array(hash.finalize())
    }

    /// The key of the comparison functions' hash in a step, which all know: it differs from session to session and step to step, so that work against one step says nothing of another.
    func fixedKey(step: Int) -> CipherKey {
        let digest = Array(SHA256.hash(data: Array("fixed key \(step)".utf8) + digest))
        return CipherKey(words: (word(digest, 0), word(digest, 8)))
    }
}

/// The little-endian word at a place of bytes that has eight.
func word(_ bytes: some RandomAccessCollection<UInt8>, _ offset: Int) -> UInt64 {
    let start = bytes.index(bytes.startIndex, offsetBy: offset)
    return bytes[start..<bytes.index(start, offsetBy: 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
}
