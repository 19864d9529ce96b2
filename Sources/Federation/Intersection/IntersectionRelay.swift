internal import Foundation
public import MultipartyComputation

/// Who stands between two sites that intersect their lists: it keeps what each sent for the other, and gives it on. No I/O, and no clock.
///
/// It is not trusted. It sees which sites take part, and frames whose lengths follow from the declared capacities; it can hold them back, so that nothing comes of it, and change
/// nothing (``SealedPoints``).
public struct IntersectionRelay: Sendable {
    /// The most identifiers of each site.
    public let capacities: [Int]
    /// Who learns something.
    public let recipients: IntersectionSession.Recipients
    private var frames: [[IntersectionFrame: Data]] = [[:], [:]]

    /// Nothing was sent yet.
    public init(capacities: [Int], recipients: IntersectionSession.Recipients) {
        (self.capacities, self.recipients) = (capacities, recipients)
    }

    /// Takes what a site says, and says what is there for it. Of two frames of one kind the first stays.
    ///
    /// - Parameter place: The site's.
    /// - Throws: `message`: a frame of another length than this site may send.
    public mutating func answer(
        _ message: IntersectionMessage, from place: Int
    ) throws(FrameError) -> IntersectionReply {
        guard let role = IntersectionSession.Role(place: place), capacities.count == 2 else { throw .sender }
        if let (kind, bytes) = message.frame, frames[place][kind] == nil {
            let list = kind == .evaluated ? role.other.place : place
            guard sends(kind, role), bytes.count == kind.length(capacity: capacities[list]) else { throw .message }
            frames[place][kind] = bytes
        }
        let wanted = message.wants.flatMap { kind in frames[role.other.place][kind].map { (kind, $0) } }
        return IntersectionReply(held: Set(frames[place].keys), frame: wanted)
    }

    /// Whether the site's frame of that kind is there.
    public func holds(_ kind: IntersectionFrame, of place: Int) -> Bool { frames[place][kind] != nil }

    /// Whether all that either site waits for is there.
    public var isComplete: Bool {
        IntersectionSession.Role.allCases.allSatisfy { role in
            IntersectionFrame.allCases.allSatisfy { !sends($0, role) || holds($0, of: role.place) }
        }
    }

    /// The longest message of a site.
    public var largestMessage: Int { IntersectionReply.largest(capacities: capacities) }

    /// Whose list is answered is who learns something.
    private func sends(_ kind: IntersectionFrame, _ role: IntersectionSession.Role) -> Bool {
        kind != .evaluated || recipients.contains(role.other)
    }
}
