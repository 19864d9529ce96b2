internal import Crypto
public import Foundation

/// What sites that compute together in sealed rounds agree on beforehand.
public struct SealedRoundsTerms: Sendable, Hashable {
    /// 16 bytes that name the run.
    public let run: Data
    /// SHA-256 of what is computed: where another site's differs, they refuse each other.
    public let agreement: Data
    /// All sites' Ed25519 public keys, in the order of their places.
    public let roster: [Data]
    /// This site's place.
    public let place: Int

    /// The most sites.
    public static let mostSites = 16

    /// - Throws: `own`: a parameter that no run can have.
    public init(run: Data, agreement: Data, roster: [Data], place: Int) throws(SealedRoundsObstacle) {
        guard run.count == 16, agreement.count == 32, (2...Self.mostSites).contains(roster.count),
            roster.allSatisfy({ $0.count == 32 }), Set(roster).count == roster.count, roster.indices.contains(place)
        else { throw .own("expected a run, what is computed, and the keys of 2 to \(Self.mostSites) sites") }
        (self.run, self.agreement, self.roster, self.place) = (run, agreement, roster, place)
    }

    /// The places of the others, in ascending order.
    public var others: [Int] { roster.indices.filter { $0 != place } }

    /// What a greeting is signed over beside its own content.
    func signed(_ content: Data, of place: Int) -> Data {
        Data("parley sealed rounds greeting 1\n".utf8) + run + agreement + roster.reduce(Data(), +)
            + Data([UInt8(truncatingIfNeeded: place)]) + content
    }

    /// The session that all greetings make: fresh wherever one site is, since each drew a key and a nonce for it.
    func session(_ greetings: [Data]) -> Data {
        var hash = SHA256()
        hash.update(data: Data("parley sealed rounds session 1\n".utf8))
        for part in [run, agreement] + roster + greetings { hash.update(data: part) }
        return Data(hash.finalize())
    }
}

/// Why a site's part in sealed rounds does not go on: in public words.
public enum SealedRoundsObstacle: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was relayed is not that site's, or not of this session and round: its own may come yet.
    case notFromSite(Int)
    /// A site left, by its place: nothing comes of the run any more.
    case left(Int)
    /// The relay's reply is of another round.
    case reply
    /// This site's own part cannot be made.
    case own(String)

    /// What was wrong.
    public var description: String {
        switch self {
        case .notFromSite(let place): "what was relayed as site \(place + 1)'s is not from it"
        case .left(let place): "site \(place + 1) left"
        case .reply: "who relays answered of another round"
        case .own(let words): words
        }
    }
}
