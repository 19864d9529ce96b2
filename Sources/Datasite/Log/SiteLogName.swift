import Crypto
import DatasiteProtocol
public import Foundation
import TransparencyLog

/// The origin of a datasite's log: `parley.log/`, what names the site's key, and from the second log on its number, which a restore that the owner accepted raises.
///
/// Each log has one such text: a number is written in decimal digits, without a sign and leading zeros, and the first log has none.
public struct SiteLogName: Sendable, Hashable, CustomStringConvertible {
    /// 128 bits of the digest of the site's public key, in hexadecimal digits.
    public let site: String
    /// Which of the site's logs, from 1.
    public let number: Int

    /// The name of the log of that number, of the site whose public key (32 bytes) it is.
    public init(publicKey: Data, number: Int) {
        (site, self.number) = (hexadecimal(SHA256.hash(data: publicKey).prefix(16)), number)
    }

    private init(site: String, number: Int) { (self.site, self.number) = (site, number) }

    /// Reads an origin; nil for any other text than ``description`` gives.
    public init?(_ origin: String) {
        let parts = origin.split(separator: "/", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), parts[0] == "parley.log" else { return nil }
        // Nobody restores a site a million times.
        guard let number = parts.count == 2 ? 1 : Int(parts[2]), (1...1_000_000).contains(number) else { return nil }
        site = String(parts[1])
        self.number = number
        guard site.utf8.count == 32, site.utf8.allSatisfy(Array("0123456789abcdef".utf8).contains),
            description.utf8.elementsEqual(origin.utf8)
        else { return nil }
    }

    init?(of checkpoint: SignedCheckpoint) { self.init("\(checkpoint.checkpoint.origin)") }

    /// The log that the site begins when this one has ended, so many times.
    func later(by count: Int) -> SiteLogName { SiteLogName(site: site, number: number + count) }

    /// The origin's text.
    public var description: String { "parley.log/\(site)" + (number == 1 ? "" : "/\(number)") }
}
