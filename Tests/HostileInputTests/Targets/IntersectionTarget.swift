import Crypto
import Federation
import Foundation
import MultipartyComputation

/// What sites that intersect their lists say to who relays, and what that says to them: taken, or refused in words, and nothing learned from it.
enum IntersectionTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        var found: [String] = []
        let bytes = Data(input)
        if let message = try? IntersectionMessage(reading: bytes) {
            if message.bytes != bytes { found.append("a message is not written as it was read") }
            var relay = IntersectionRelay(capacities: [4, 2], recipients: .both)
            for place in [0, 1, 2] {
                guard let reply = try? relay.answer(message, from: place) else { continue }
                if (try? IntersectionReply(reading: reply.bytes)) != reply {
                    found.append("a reply is not read as it was written")
                }
                if let frame = message.frame, !relay.holds(frame.kind, of: place) { found.append("a frame is lost") }
            }
        }
        guard let reply = try? IntersectionReply(reading: bytes) else { return found }
        if reply.bytes != bytes { found.append("a reply is not written as it was read") }
        for place in [0, 1] {
            guard var site = site(place) else { return ["the fixture is refused"] }
            do throws(IntersectionObstacle) {
                if try site.take(reply, identifiers: { [Data("a".utf8)] }) != nil,
                    site.agreed?.party(.first).capacity != 4
                {
                    found.append("a greeting of other capacities is taken")
                }
            } catch {
                if error.description.isEmpty || error.description.utf8.count > 2_000 {
                    found.append("an error of no use")
                }
            }
            if site.result != nil || site.isFinished { found.append("something is learned from one reply") }
            guard site.next() != nil, let stored = try? JSONEncoder().encode(site.state),
                let read = try? JSONDecoder().decode(IntersectionParticipant.State.self, from: stored),
                (try? IntersectionParticipant(site.terms, identity: RoundFixture.identities[place], state: read)) != nil
            else {
                found.append("a site's state is not read again")
                continue
            }
        }
        return found
    }

    private static func site(_ place: Int) -> IntersectionParticipant? {
        guard let role = IntersectionSession.Role(place: place), RoundFixture.roster.count > 2,
            let terms = try? IntersectionTerms(
                run: RoundFixture.run, agreement: Data(repeating: 1, count: 32),
                roster: Array(RoundFixture.roster.prefix(2)), role: role, output: .identifiers, recipients: .both,
                part: .init(capacity: place == 0 ? 4 : 2, isPadded: true), mostGuesses: 4)
        else { return nil }
        return try? IntersectionParticipant(terms, identity: RoundFixture.identities[place])
    }
}
