import Datasite
import Foundation
import TransparencyLog

/// A key as a reader gives it: a site's, of which all its logs are, or one log's own.
enum LogKey {
    case site(Data)
    case log(VerifierKey)

    /// - Parameter option: With which it was given.
    /// - Throws: A `Failure`: what was given seems to be, and what would be right.
    init(_ text: String, option: String = "--key") throws {
        if let bytes = Data(base64Encoded: text), bytes.count == 32 {
            self = .site(bytes)
            return
        }
        let right =
            "A site's key has 44 characters (parley whoami shows it to who is logged in), a log's own is NAME+ID+KEY (parley log key, at the site)."
        let key: VerifierKey
        do { key = try VerifierKey(text) } catch {
            let shown = PrintableText.escape(text.count > 60 ? text.prefix(60) + "…" : text)
            let found =
                if text.hasPrefix("parley_") {
                    "\(option) was given what seems to be a token: a secret of yours, which nobody else is to see, and no key."
                } else if text.hasPrefix("PRIVATE+KEY+") {
                    "\(option) was given a private key, which nobody else is to see."
                } else if let bytes = Data(base64Encoded: text), !bytes.isEmpty {
                    "\(option) is \(bytes.count) bytes long, and a site's key is 32: a part of it is missing, or it is another thing."
                } else if text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false).count == 3 {
                    "\(option): \(error)"
                } else { "\(option) is no key: \(shown)" }
            throw Failure(found, next: right)
        }
        switch key.kind {
        case .ed25519: self = .log(key)
        case .ed25519Cosignature:
            throw Failure(
                "\(option) is the key of the witness \(PrintableText.escape("\(key.name)")), which signs no log.",
                next:
                    "A witness stands in a policy (--policy FILE: witness NAME \(PrintableText.escape(text))). \(right)"
            )
        case .other(let type):
            throw Failure("\(option) is of type \(type), which this version does not verify.", next: right)
        }
    }

    /// The log of that name, if it is the key's.
    ///
    /// - Throws: A `Failure`: it is another's.
    func log(of origin: LogOrigin) throws -> LogIdentity {
        let found = SiteLogName("\(origin)")
        let shown = PrintableText.escape("\(origin)")
        switch self {
        case .site(let bytes):
            guard let found, found.site == SiteLogName(publicKey: bytes, number: 1).site else {
                throw Failure(
                    "The log is \(shown), which is not of this site: --key is another site's key.",
                    next: found == nil
                        ? "A log that is no datasite's is named by its own key, NAME+ID+KEY."
                        : "Ask the site's owner for its key, by another way than this address.")
            }
            do {
                return LogIdentity(
                    key: try VerifierKey(name: KeyName(origin.bytes), kind: .ed25519, publicKey: Array(bytes)))
            } catch { throw Failure("--key: \(error)") }
        case .log(let key):
            let log = LogIdentity(key: key)
            guard log.origin != origin else { return log }
            let named = PrintableText.escape("\(key.name)")
            if let own = SiteLogName("\(key.name)"), let found, own.site == found.site {
                throw Failure(
                    "--key is of the log \(named), and this is \(shown), another log of the same site.",
                    next: own.number < found.number
                        ? "Its owner accepted a restore, with which that log ended. The site's own key (44 characters) is good for all of its logs."
                        : "This is an earlier one, which ended with a restore: who shows it is behind. The site's own key (44 characters) is good for all of its logs."
                )
            }
            throw Failure(
                "--key is of the log \(named), and this is \(shown), the log of another.",
                next: "Compare the address and the key with what the site's owner told you.")
        }
    }
}
