import DatasiteProtocol
import Secrets

/// What makes a digest say nothing of what it was taken over to somebody who does not have that.
///
/// Answers and entries of the journal hold one, since their digests are shown to people who may not see them: an auditor
/// sees the digest of each answer, and a researcher's receipts name hashes of entries that are others'. Without one, a
/// noisy count is found in ten thousand guesses, and another's refused question confirmed by a few. Other digests need
/// none. A request's digest in a receipt is there to be recomputed, and whoever may see the receipt may see the request;
/// tokens are random themselves; checksums of tables and digests of manifests and policies stay in the owner's folder.
enum Nonce {
    /// 128 random bits, hexadecimal.
    static func new() -> String { hexadecimal(SecureRandom.bytes(16)) }
}
