public import Foundation

/// What a site says to who relays sealed rounds. It travels in a ``SignedMessage``.
///
/// A byte for what it does, four of the round (little-endian), and where it brings something, for each other site in ascending order, four bytes of a length and so many bytes.
public struct SealedRoundsMessage: Sendable, Hashable {
    /// What is done.
    public enum Act: UInt8, Sendable, Hashable {
        /// Asks for the round's, having brought its own.
        case asks
        /// Brings its own of the round.
        case brings
        /// Leaves: nothing comes from it any more.
        case leaves
        /// Has come to its end before the last round that there might have been.
        case ends
    }

    /// What is done.
    public let act: Act
    /// From 0, which is that of greetings.
    public let round: Int
    /// For the other sites, in the ascending order of their places.
    public let frames: [Data]

    /// A message, by its parts.
    public init(_ act: Act, round: Int, frames: [Data] = []) {
        (self.act, self.round, self.frames) = (act, round, frames)
    }

    /// - Throws: `message`.
    public init(reading bytes: Data) throws(FrameError) {
        let bytes = Data(bytes)
        guard let first = bytes.first, let act = Act(rawValue: first), bytes.count >= 5 else { throw .message }
        self.act = act
        round = Int(bytes.littleEndian(at: 1, as: UInt32.self))
        frames = try SealedFrames.read(bytes, from: 5)
        guard (act == .brings) != frames.isEmpty else { throw .message }
    }

    /// As it is signed.
    public var bytes: Data {
        Data([act.rawValue]) + Data(littleEndian: UInt32(truncatingIfNeeded: round)) + SealedFrames.bytes(frames)
    }
}

/// What who relays says to a site of a round. It travels in a ``SignedReply``.
///
/// A byte: bit 0 says that the site's own are here, bit 1 that all others' follow, bit 2 that a site left; a byte of that site's place; four of the round; and the others' frames as in a message.
public struct SealedRoundsReply: Sendable, Hashable {
    /// The round that was asked for.
    public let round: Int
    /// Whether the site's own of the round are here.
    public let isHeld: Bool
    /// Who left.
    public let left: Int?
    /// The others', in the ascending order of their places; nil: some are not here yet.
    public let frames: [Data]?

    /// A reply, by its parts.
    public init(round: Int, isHeld: Bool, left: Int? = nil, frames: [Data]? = nil) {
        (self.round, self.isHeld, self.left, self.frames) = (round, isHeld, left, frames)
    }

    /// - Throws: `message`.
    public init(reading bytes: Data) throws(FrameError) {
        let bytes = Data(bytes)
        guard bytes.count >= 6, bytes[0] < 8 else { throw .message }
        isHeld = bytes[0] & 1 != 0
        left = bytes[0] & 4 != 0 ? Int(bytes[1]) : nil
        round = Int(bytes.littleEndian(at: 2, as: UInt32.self))
        let read = try SealedFrames.read(bytes, from: 6)
        frames = bytes[0] & 2 != 0 ? read : nil
        guard frames != nil || read.isEmpty, left != nil || bytes[1] == 0 else { throw .message }
    }

    /// As it is signed.
    public var bytes: Data {
        let bits = UInt8(isHeld ? 1 : 0) | (frames == nil ? 0 : 2) | (left == nil ? 0 : 4)
        return Data([bits, UInt8(truncatingIfNeeded: left ?? 0)])
            + Data(littleEndian: UInt32(truncatingIfNeeded: round)) + SealedFrames.bytes(frames ?? [])
    }
}

/// Frames one behind the other, each behind its length.
enum SealedFrames {
    static func bytes(_ frames: [Data]) -> Data {
        frames.reduce(into: Data(capacity: frames.reduce(0) { $0 + 4 + $1.count })) { bytes, frame in
            bytes.append(Data(littleEndian: UInt32(truncatingIfNeeded: frame.count)))
            bytes.append(frame)
        }
    }

    /// - Throws: `message`: lengths that are not those of what follows, or more than the most sites have.
    static func read(_ bytes: Data, from start: Int) throws(FrameError) -> [Data] {
        var (frames, place): ([Data], Int) = ([], start)
        while place < bytes.count {
            guard frames.count < SealedRoundsTerms.mostSites, bytes.count - place >= 4 else { throw .message }
            let count = Int(bytes.littleEndian(at: place, as: UInt32.self))
            place += 4
            guard count <= bytes.count - place else { throw .message }
            frames.append(bytes.subdata(in: place..<place + count))
            place += count
        }
        return frames
    }
}
