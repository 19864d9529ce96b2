public import Crypto
public import Foundation

/// A participant's message on its way to the coordinator: its bytes, and who says so.
///
/// 4 bytes "PRM1", 16 of the run, 4 of the sender's place, 8 of a number, 64 of an Ed25519 signature (RFC 8032), and the message as JSON; numbers are little-endian. The
/// signature is over a label, all that stands before it, and SHA-256 of the message.
///
/// A vector of more than ``largestInText`` bytes is not in the JSON: the frame begins with "PRM2", 4 bytes of the JSON's length stand before it, and the vectors behind it. The JSON holds
/// their lengths and SHA-256 in their places, so that who sends how much is known, signed, before a byte of them.
///
/// **Threat model.** Whoever does not hold the key of a place in the roster says nothing in its name. A frame that was seen before is refused by its number, which only
/// grows: a copy is not answered, so that a reply with the model or with shares goes to its asker alone. What others may read is for the connection to hide (TLS).
public struct SignedMessage: Sendable {
    /// 16 bytes that name the run.
    public let run: Data
    /// The sender's place in the roster.
    public let sender: Int
    /// Larger than any that this sender used before in this run.
    public let number: UInt64
    /// A ``ParticipantMessage`` as JSON, or the bytes of an ``IntersectionMessage``: as the run is.
    public let message: Data
    /// What stands behind the message; nil: a frame that has nothing there.
    private let behind: [VectorBytes]?
    private let signature: Data

    /// Larger vectors, in bytes, stand behind the JSON.
    public static let largestInText = 1 << 20
    /// The longest JSON before vectors, in bytes.
    private static let longestText = 1 << 16
    private static let magic = Data("PRM1".utf8)
    private static let magicBehind = Data("PRM2".utf8)
    private static let head = 4 + 16 + 4 + 8

    /// Signs a message.
    public init(
        _ message: ParticipantMessage, run: Data, sender: Int, number: UInt64, key: Curve25519.Signing.PrivateKey
    ) throws {
        let writing = VectorWriting(largestInText: Self.largestInText)
        let body = try writing.encode(message)
        let behind = writing.named.isEmpty ? nil : writing.named
        try self.init(body: body, behind: behind, run: run, sender: sender, number: number, key: key)
    }

    /// Signs a message of another kind of run: its bytes.
    public init(
        body: Data, run: Data, sender: Int, number: UInt64, key: Curve25519.Signing.PrivateKey
    ) throws {
        try self.init(body: body, behind: nil, run: run, sender: sender, number: number, key: key)
    }

    private init(
        body: Data, behind: [VectorBytes]?, run: Data, sender: Int, number: UInt64, key: Curve25519.Signing.PrivateKey
    ) throws {
        (self.run, self.sender, self.number, message, self.behind) = (run, sender, number, body, behind)
        let magic = behind == nil ? Self.magic : Self.magicBehind
        signature = try key.signature(
            for: Self.signed(Self.head(magic, run: run, sender: sender, number: number), body))
    }

    /// So many bytes say how long a frame's JSON is, where vectors follow it.
    public static let headLength = 4 + 16 + 4 + 8 + 64 + 4

    /// How many bytes of a frame come before its vectors, as its first bytes say.
    ///
    /// - Parameter first: The first ``headLength`` bytes.
    /// - Returns: nil: a frame without vectors behind it, or none.
    public static func lengthBeforeVectors(_ first: Data) -> Int? {
        let first = Data(first.prefix(headLength))
        guard first.count == headLength, first.prefix(4) == magicBehind else { return nil }
        let text = Int(first.littleEndian(at: head + 64, as: UInt32.self))
        return (1...longestText).contains(text) ? headLength + text : nil
    }

    /// Reads a frame; who it is from is not known before ``verified(roster:)``.
    ///
    /// - Throws: `frame`.
    public init(reading frame: Data) throws(FrameError) {
        let frame = frame.startIndex == 0 ? frame : Data(frame)
        let text = Self.lengthBeforeVectors(frame)
        guard frame.count > Self.head + 64, frame.prefix(4) == Self.magic || text.map({ $0 <= frame.count }) == true
        else {
            throw .frame(expected: "a participant's signed message, which begins with PRM1 or PRM2")
        }
        run = frame.subdata(in: 4..<20)
        sender = Int(frame.littleEndian(at: 20, as: UInt32.self))
        number = frame.littleEndian(at: 24, as: UInt64.self)
        signature = frame.subdata(in: Self.head..<Self.head + 64)
        message = frame.subdata(in: Self.head + (text == nil ? 64 : 68)..<(text ?? frame.count))
        behind = text.map { [.memory(frame.dropFirst($0))] }
    }

    private var head: Data {
        Self.head(behind == nil ? Self.magic : Self.magicBehind, run: run, sender: sender, number: number)
    }

    /// Whether vectors follow its JSON.
    public var hasVectorsBehind: Bool { behind != nil }

    /// The frame up to its vectors.
    public var beforeVectors: Data {
        behind == nil
            ? head + signature + message : head + signature + Data(littleEndian: UInt32(message.count)) + message
    }

    /// The frame.
    public var bytes: Data { (behind ?? []).reduce(into: beforeVectors) { $0 += $1.bytes } }

    /// The message, if the key at the sender's place signed it.
    ///
    /// - Throws: `sender`, `message`.
    public func verified(roster: [Data]) throws(FrameError) -> ParticipantMessage {
        let body = try verifiedBody(roster: roster)
        let vectors = behind ?? []
        let behind = VectorsBehind(
            vectors.count == 1 ? vectors[0].bytes : vectors.reduce(into: Data()) { $0 += $1.bytes })
        guard let message = try? behind.decode(ParticipantMessage.self, from: body) else { throw .message }
        return message
    }

    /// The message, if the key at the sender's place signed it, of a frame that was read without the vectors behind it.
    ///
    /// - Parameter reading: Says where these are.
    /// - Throws: `sender`, `message`.
    public func verified(roster: [Data], reading: VectorReading) throws(FrameError) -> ParticipantMessage {
        let body = try verifiedBody(roster: roster)
        guard let message = try? reading.decode(ParticipantMessage.self, from: body) else { throw .message }
        return message
    }

    /// The message's bytes, if the key at the sender's place signed them.
    ///
    /// - Throws: `sender`.
    public func verifiedBody(roster: [Data]) throws(FrameError) -> Data {
        guard roster.indices.contains(sender),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: roster[sender]),
            key.isValidSignature(signature, for: Self.signed(head, message))
        else { throw .sender }
        return message
    }

    private static func head(_ magic: Data, run: Data, sender: Int, number: UInt64) -> Data {
        magic + run + Data(littleEndian: UInt32(truncatingIfNeeded: sender)) + Data(littleEndian: number)
    }

    private static func signed(_ head: Data, _ message: Data) -> Data {
        Data("parley round message 1\n".utf8) + head + Data(SHA256.hash(data: message))
    }
}

extension SignedMessage: Hashable {
    /// Vectors behind it are told apart by their digests in it.
    public static func == (left: SignedMessage, right: SignedMessage) -> Bool {
        left.beforeVectors == right.beforeVectors
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(signature) }
}

/// A coordinator's reply on its way to one participant, to one message of its.
///
/// 4 bytes "PRR1", 64 of the coordinator's Ed25519 signature, and the reply as JSON. The signature is over a label, run, place and number of the message that it answers,
/// and SHA-256 of the reply: it is no answer to another one, nor to anybody else. With large vectors the frame begins with "PRR2", and they stand behind the JSON as in a ``SignedMessage``.
public struct SignedReply: Sendable {
    /// What comes before the vectors.
    public let head: Data
    /// The vectors behind it.
    public let vectors: [VectorBytes]

    /// The frame.
    public var bytes: Data { vectors.reduce(into: head) { $0 += $1.bytes } }
    /// How many bytes it has.
    public var count: Int { vectors.reduce(head.count) { $0 + $1.count } }

    private static let magic = Data("PRR1".utf8)
    private static let magicBehind = Data("PRR2".utf8)

    /// Signs a reply.
    public init(_ reply: CoordinatorReply, to message: SignedMessage, key: Curve25519.Signing.PrivateKey) throws {
        let writing = VectorWriting(largestInText: SignedMessage.largestInText)
        let body = try writing.encode(reply)
        guard let length = UInt32(exactly: body.count) else {
            throw FrameError.frame(expected: "a reply whose text is shorter than 4 GB")
        }
        let signature = try key.signature(for: Self.signed(body, to: message))
        vectors = writing.named
        head =
            vectors.isEmpty
            ? Self.magic + signature + body : Self.magicBehind + signature + Data(littleEndian: length) + body
    }

    /// Signs a reply of another kind of run: its bytes.
    public init(body: Data, to message: SignedMessage, key: Curve25519.Signing.PrivateKey) throws {
        (head, vectors) = (Self.magic + (try key.signature(for: Self.signed(body, to: message))) + body, [])
    }

    /// The reply, if the coordinator signed it for that message.
    ///
    /// - Parameter coordinator: Its Ed25519 public key, as the owner allowed it.
    /// - Throws: `frame`, `sender`, `message`.
    public static func verified(
        _ frame: Data, to message: SignedMessage, coordinator: Data
    ) throws(FrameError) -> CoordinatorReply {
        var (text, behind) = (frame, Data())
        if frame.count > 72, frame.prefix(4) == magicBehind {
            let rest = frame.dropFirst(72)
            let length = Int(Data(frame.dropFirst(68).prefix(4)).littleEndian(at: 0, as: UInt32.self))
            text = magic + frame.dropFirst(4).prefix(64) + rest.prefix(length)
            behind = rest.dropFirst(length)
        }
        let body = try verifiedBody(text, to: message, coordinator: coordinator)
        guard let reply = try? VectorsBehind(behind).decode(CoordinatorReply.self, from: body) else { throw .message }
        return reply
    }

    /// The reply's bytes, if the coordinator signed them for that message.
    ///
    /// - Throws: `frame`, `sender`.
    public static func verifiedBody(
        _ frame: Data, to message: SignedMessage, coordinator: Data
    ) throws(FrameError) -> Data {
        let frame = Data(frame)
        guard frame.count > 68, frame.prefix(4) == magic else {
            throw .frame(expected: "a coordinator's signed reply, which begins with PRR1")
        }
        let (signature, body) = (frame.subdata(in: 4..<68), frame.subdata(in: 68..<frame.count))
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: coordinator),
            key.isValidSignature(signature, for: signed(body, to: message))
        else { throw .sender }
        return body
    }

    private static func signed(_ body: Data, to message: SignedMessage) -> Data {
        Data("parley round reply 1\n".utf8) + message.run
            + Data(littleEndian: UInt32(truncatingIfNeeded: message.sender))
            + Data(littleEndian: message.number) + Data(SHA256.hash(data: body))
    }
}

/// Why a frame is not taken.
public enum FrameError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It is none.
    case frame(expected: String)
    /// Not signed by whom it names.
    case sender
    /// It is of another run.
    case run
    /// Its number, or a larger one, came before.
    case replayed
    /// Signed, and no message of this version.
    case message

    /// What would be right.
    public var description: String {
        switch self {
        case .frame(let expected): "expected \(expected)"
        case .sender: "the signature is not that of the key which it should be of"
        case .run: "the message is of another run"
        case .replayed: "a message with this number, or a later one, came before"
        case .message: "the signed bytes are no message that this version knows"
        }
    }
}

extension Data {
    init(littleEndian value: some FixedWidthInteger) {
        self = Swift.withUnsafeBytes(of: value.littleEndian) { Data($0) }
    }

    func littleEndian<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type) -> Number {
        withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
    }
}
