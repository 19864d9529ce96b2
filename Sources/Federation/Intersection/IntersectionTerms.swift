internal import Crypto
public import Foundation
public import MultipartyComputation

/// How much a site brings to an intersection: public, and said by itself.
public struct IntersectionPart: Sendable, Hashable, Codable {
    /// The most distinct identifiers that it brings, and so the most guesses that it has.
    public let capacity: Int
    /// Whether its list is filled up to the capacity, so that the other site does not learn how many identifiers it has.
    public let isPadded: Bool

    /// The most that a site may bring: 32 MiB of points, in one message.
    public static let largestCapacity = 1 << 20

    /// A part, by its numbers.
    public init(capacity: Int, isPadded: Bool) { (self.capacity, self.isPadded) = (capacity, isPadded) }
}

/// What one of two sites was asked to intersect with the other, and what its owner allows.
public struct IntersectionTerms: Sendable, Hashable {
    /// 16 bytes that name the run.
    public let run: Data
    /// SHA-256 of what is matched, as this site's manifest declares it: where the other's differs, they refuse each other.
    public let agreement: Data
    /// Both sites' Ed25519 public keys, the first one's first.
    public let roster: [Data]
    /// Which of the two this site is.
    public let role: IntersectionSession.Role
    /// What recipients learn.
    public let output: IntersectionSession.Output
    /// Who learns it.
    public let recipients: IntersectionSession.Recipients
    /// What this site brings.
    public let part: IntersectionPart
    /// The most identifiers that the other site may bring.
    public let mostGuesses: Int

    /// - Throws: `own`: a parameter that no session can have.
    public init(
        run: Data, agreement: Data, roster: [Data], role: IntersectionSession.Role,
        output: IntersectionSession.Output, recipients: IntersectionSession.Recipients, part: IntersectionPart,
        mostGuesses: Int
    ) throws(IntersectionObstacle) {
        guard run.count == 16, agreement.count == 32, roster.count == 2, roster.allSatisfy({ $0.count == 32 }),
            roster[0] != roster[1]
        else { throw .own(.parameter("terms", expected: "a run, what is matched, and the keys of two sites")) }
        let allowed = 1...IntersectionPart.largestCapacity
        guard allowed.contains(part.capacity), allowed.contains(mostGuesses) else {
            throw .own(.parameter("capacity", expected: "1 to \(allowed.upperBound) identifiers"))
        }
        (self.run, self.agreement, self.roster, self.role) = (run, agreement, roster, role)
        (self.output, self.recipients, self.part, self.mostGuesses) = (output, recipients, part, mostGuesses)
    }

    /// The other site's key.
    public var peer: Data { roster[role.other.place] }

    /// What a hello is signed over beside its own content.
    var signedPrefix: Data {
        Data("parley intersection hello 1\n".utf8) + run + agreement + roster[0] + roster[1]
    }

    /// The session that both sites' hellos make. It is fresh wherever one of them is: its identifier holds what both drew for it.
    func session(own: IntersectionHello, other: IntersectionHello) throws(IntersectionObstacle) -> IntersectionSession {
        let hellos = role == .first ? [own, other] : [other, own]
        var hash = SHA256()
        hash.update(data: Data("parley intersection session 1\n".utf8))
        for part in [agreement, roster[0], roster[1], hellos[0].content, hellos[1].content] { hash.update(data: part) }
        let parties = zip(roster, hellos).map { key, hello in
            IntersectionSession.Party(
                name: key.base64EncodedString(), capacity: hello.part.capacity, isPadded: hello.part.isPadded)
        }
        do throws(IntersectionError) {
            return try IntersectionSession(
                identifier: run + Data(hash.finalize()), first: parties[0], second: parties[1], output: output,
                recipients: recipients)
        } catch { throw .other(error) }
    }
}

extension IntersectionSession.Role {
    /// Its place among the two sites.
    public var place: Int { self == .first ? 0 : 1 }

    /// The role of the site at that place.
    public init?(place: Int) {
        guard (0...1).contains(place) else { return nil }
        self = place == 0 ? .first : .second
    }
}

/// Why a site's part in an intersection does not go on: in public words, by what was declared and by places in messages.
public enum IntersectionObstacle: Error, Sendable, Hashable, CustomStringConvertible {
    /// What came is not the other site's, or not of this session: whoever relays says it, and the other's own may come yet.
    case notFromTheOther(IntersectionFrame)
    /// The other site would bring more identifiers than this one's owner allows.
    case tooManyGuesses(Int, most: Int)
    /// What the other site sent is not as agreed.
    case other(IntersectionError)
    /// This site's own part cannot be made.
    case own(IntersectionError)

    /// What was wrong.
    public var description: String {
        switch self {
        case .notFromTheOther(let frame): "the \(frame) that was relayed is not the other site's"
        case .tooManyGuesses(let count, let most):
            "the other site would bring \(count) identifiers, and this one's owner allows \(most)"
        case .other(let error): "what the other site sent is not as agreed: \(error.words)"
        case .own: "its own list cannot be used"
        }
    }
}
