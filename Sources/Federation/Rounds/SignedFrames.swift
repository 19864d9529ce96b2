public import Crypto
public import Foundation

/// A participant's message on its way to the coordinator: its bytes, and who says so.
///
/// 4 bytes "PRM1", 16 of the run, 4 of the sender's place, 8 of a number, 64 of an Ed25519 signature (RFC 8032), and the message as JSON; numbers are little-endian. The
/// signature is over a label, all that stands before it, and SHA-256 of the message.
///
/// **Threat model.** Whoever does not hold the key of a place in the roster says nothing in its name. A frame that was seen before is refused by its number, which only
/// grows: a copy is not answered, so that a reply with the model or with shares goes to its asker alone. What others may read is for the connection to hide (TLS).
public struct SignedMessage: Sendable, Hashable {
    /// 16 bytes that name the run.
    public let run: Data
    /// The sender's place in the roster.
    public let sender: Int
    /// Larger than any that this sender used before in this run.
    public let number: UInt64
    /// A ``ParticipantMessage`` as JSON, or the bytes of an ``IntersectionMessage``: as the run is.
    public let message: Data
    private let signature: Data

    private static let magic = Data("PRM1".utf8)
    private static let head = 4 + 16 + 4 + 8

    /// Signs a message.
    public init(
        _ message: ParticipantMessage, run: Data, sender: Int, number: UInt64, key: Curve25519.Signing.PrivateKey
    ) throws {
        try self.init(
            body: try JSONEncoder().encode(message), run: run, sender: sender, number: number, key: key)
    }

    /// Signs a message of another kind of run: its bytes.
    public init(
        body: Data, run: Data, sender: Int, number: UInt64, key: Curve25519.Signing.PrivateKey
    ) throws {
        (self.run, self.sender, self.number, message) = (run, sender, number, body)
        signature = try key.signature(
            for: Self.signed(Self.head(run: run, sender: sender, number: number), self.message))
    }

    /// Reads a frame; who it is from is not known before ``verified(roster:)``.
    ///
    /// - Throws: `frame`.
    public init(reading frame: Data) throws(FrameError) {
        let frame = Data(frame)
        guard frame.count > Self.head + 64, frame.prefix(4) == Self.magic else {
            throw .frame(expected: "a participant's signed message, which begins with PRM1")
        }
        run = frame.subdata(in: 4..<20)
        sender = Int(frame.littleEndian(at: 20, as: UInt32.self))
        number = frame.littleEndian(at: 24, as: UInt64.self)
        signature = frame.subdata(in: Self.head..<Self.head + 64)
        message = frame.subdata(in: Self.head + 64..<frame.count)
    }

    /// The frame.
    public var bytes: Data { Self.head(run: run, sender: sender, number: number) + signature + message }

    /// The message, if the key at the sender's place signed it.
    ///
    /// - Throws: `sender`, `message`.
    public func verified(roster: [Data]) throws(FrameError) -> ParticipantMessage {
        let body = try verifiedBody(roster: roster)
        guard let message = try? JSONDecoder().decode(ParticipantMessage.self, from: body) else { throw .message }
        return message
    }

    /// The message's bytes, if the key at the sender's place signed them.
    ///
    /// - Throws: `sender`.
    public func verifiedBody(roster: [Data]) throws(FrameError) -> Data {
        let head = Self.head(run: run, sender: sender, number: number)
        guard roster.indices.contains(sender),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: roster[sender]),
            key.isValidSignature(signature, for: Self.signed(head, message))
        else { throw .sender }
        return message
    }

    private static func head(run: Data, sender: Int, number: UInt64) -> Data {
        magic + run + Data(littleEndian: UInt32(truncatingIfNeeded: sender)) + Data(littleEndian: number)
    }

    private static func signed(_ head: Data, _ message: Data) -> Data {
        Data("parley round message 1\n".utf8) + head + Data(SHA256.hash(data: message))
    }
}

/// A coordinator's reply on its way to one participant, to one message of its.
///
/// 4 bytes "PRR1", 64 of the coordinator's Ed25519 signature, and the reply as JSON. The signature is over a label, run, place and number of the message that it answers,
/// and SHA-256 of the reply: it is no answer to another one, nor to anybody else.
public struct SignedReply: Sendable, Hashable {
    /// The frame.
    public let bytes: Data

    private static let magic = Data("PRR1".utf8)

    /// Signs a reply.
    public init(_ reply: CoordinatorReply, to message: SignedMessage, key: Curve25519.Signing.PrivateKey) throws {
        try self.init(body: try JSONEncoder().encode(reply), to: message, key: key)
    }

    /// Signs a reply of another kind of run: its bytes.
    public init(body: Data, to message: SignedMessage, key: Curve25519.Signing.PrivateKey) throws {
        bytes =
            Self.magic + (try key.signature(for: Self.signed(body, to: message))) + body
    }

    /// The reply, if the coordinator signed it for that message.
    ///
    /// - Parameter coordinator: Its Ed25519 public key, as the owner allowed it.
    /// - Throws: `frame`, `sender`, `message`.
    public static func verified(
        _ frame: Data, to message: SignedMessage, coordinator: Data
    ) throws(FrameError) -> CoordinatorReply {
        let body = try verifiedBody(frame, to: message, coordinator: coordinator)
        guard let reply = try? JSONDecoder().decode(CoordinatorReply.self, from: body) else { throw .message }
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
