internal import Crypto
public import Foundation
internal import MultipartyComputation

/// What one site says to the other, by way of who relays it.
public enum IntersectionFrame: UInt8, Sendable, Hashable, Codable, CaseIterable, CustomStringConvertible {
    /// How much it brings, and a key that was drawn for this session, signed by the site.
    case hello
    /// Its own list under its scalar, sealed for the other site.
    case blinded
    /// The other's list under both scalars, sealed for the other site.
    case evaluated

    /// In words.
    public var description: String {
        switch self {
        case .hello: "greeting"
        case .blinded: "list"
        case .evaluated: "answer"
        }
    }

    /// How many bytes it has, for a list of that capacity: whatever is in the list.
    func length(capacity: Int) -> Int {
        switch self {
        case .hello: IntersectionHello.length
        case .blinded: SealedPoints.overhead + 32 * capacity
        case .evaluated: SealedPoints.overhead + 32 + 32 * capacity
        }
    }
}

/// The first thing that a site says: a key that it drew, 32 bytes (X25519, RFC 7748), and its part, 5 bytes, with its Ed25519 signature, 64 bytes, over a label, the run,
/// what is matched, both sites and all of it.
struct IntersectionHello: Sendable, Hashable {
    let key: Data
    let part: IntersectionPart

    static let length = 32 + 5 + 64

    var content: Data {
        key + Data(littleEndian: UInt32(truncatingIfNeeded: part.capacity)) + Data([part.isPadded ? 1 : 0])
    }

    func signed(_ terms: IntersectionTerms, by identity: Curve25519.Signing.PrivateKey) -> Data? {
        (try? identity.signature(for: Self.message(content, of: terms.role, terms))).map { content + $0 }
    }

    /// Reads the other site's; nil: it is not signed by it for these terms.
    init?(verifying frame: Data, of role: IntersectionSession.Role, _ terms: IntersectionTerms) {
        let frame = Data(frame)
        guard frame.count == Self.length, frame[36] <= 1 else { return nil }
        let content = frame.prefix(37)
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: terms.roster[role.place]),
            key.isValidSignature(frame.suffix(64), for: Self.message(content, of: role, terms))
        else { return nil }
        self.init(
            key: frame.prefix(32),
            part: IntersectionPart(
                capacity: Int(frame.littleEndian(at: 32, as: UInt32.self)), isPadded: frame[36] == 1))
    }

    init(key: Data, part: IntersectionPart) { (self.key, self.part) = (Data(key), part) }

    private static func message(_ content: Data, of role: IntersectionSession.Role, _ terms: IntersectionTerms) -> Data
    {
        terms.signedPrefix + Data([UInt8(role.place)]) + content
    }
}

/// Lists on their way between both sites: ChaCha20-Poly1305 (RFC 8439) under a key of this session, sender and kind, by HKDF-SHA256 over what both sites' drawn keys share.
///
/// **Why sealed.** Who relays both evaluated lists would count what they have in common. All frames of a kind have one length, that of the declared capacity: how many points are in
/// one only the other site sees. Who can open and make them is who holds one of the two drawn keys, which the sites signed.
struct SealedPoints {
    let session: Data
    private let secret: SharedSecret

    /// Nonce, tag and number of points.
    static let overhead = 12 + 16 + 4

    /// nil where the other's key gives no secret with any other (RFC 7748, section 6.1).
    init?(_ own: Curve25519.KeyAgreement.PrivateKey, with other: Data, session: Data) {
        guard let key = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: other),
            let secret = try? own.sharedSecretFromKeyAgreement(with: key),
            secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0
        else { return nil }
        (self.secret, self.session) = (secret, session)
    }

    /// - Parameters:
    ///   - list: Of an answer, whose it is: 32 bytes.
    ///   - capacity: Of the list: the frame is as long as if it were full.
    func seal(
        _ points: Data, list: Data = Data(), _ frame: IntersectionFrame, from sender: IntersectionSession.Role,
        capacity: Int
    ) -> Data? {
        var content = Data(littleEndian: UInt32(truncatingIfNeeded: points.count / 32))
        content.reserveCapacity(4 + list.count + 32 * capacity)
        content.append(list)
        content.append(points)
        content.append(Data(count: max(0, 32 * capacity - points.count)))
        // A drawn nonce: the same list, sealed again, shows nothing, and no state needs to hold it.
        return try? ChaChaPoly.seal(
            content, using: key(frame, sender), authenticating: associated(frame, sender)
        ).combined
    }

    /// nil: the other site did not make it.
    func open(
        _ bytes: Data, _ frame: IntersectionFrame, from sender: IntersectionSession.Role
    ) -> (list: Data, points: Data)? {
        guard let box = try? ChaChaPoly.SealedBox(combined: bytes),
            let content = try? ChaChaPoly.open(
                box, using: key(frame, sender), authenticating: associated(frame, sender))
        else { return nil }
        let head = frame == .evaluated ? 36 : 4
        guard content.count >= head else { return nil }
        let whole = Data(content)
        let count = Int(whole.littleEndian(at: 0, as: UInt32.self))
        guard count <= (whole.count - head) / 32 else { return nil }
        return (whole.subdata(in: 4..<head), whole.subdata(in: head..<head + 32 * count))
    }

    private func key(_ frame: IntersectionFrame, _ sender: IntersectionSession.Role) -> SymmetricKey {
        secret.hkdfDerivedSymmetricKey(
            using: SHA256.self, salt: session, sharedInfo: associated(frame, sender), outputByteCount: 32)
    }

    private func associated(_ frame: IntersectionFrame, _ sender: IntersectionSession.Role) -> Data {
        Data("parley intersection list 1\n".utf8) + session + Data([UInt8(sender.place), frame.rawValue])
    }
}

/// What a site says to who relays: perhaps a frame for the other site, and which of the other's it waits for. It travels in a ``SignedMessage``.
///
/// A byte for the frame that follows and one for what is wanted, 255 for none, and the frame.
public struct IntersectionMessage: Sendable, Hashable {
    /// For the other site.
    public let frame: (kind: IntersectionFrame, bytes: Data)?
    /// Of the other site.
    public let wants: IntersectionFrame?

    private static let none: UInt8 = 255

    /// A message, by its parts.
    public init(frame: (kind: IntersectionFrame, bytes: Data)?, wants: IntersectionFrame?) {
        (self.frame, self.wants) = (frame, wants)
    }

    /// - Throws: `message`.
    public init(reading bytes: Data) throws(FrameError) {
        let bytes = Data(bytes)
        guard bytes.count >= 2, let wants = Self.kind(bytes[1]), let kind = Self.kind(bytes[0]),
            (kind == nil) == (bytes.count == 2)
        else { throw .message }
        frame = kind.map { ($0, bytes.subdata(in: 2..<bytes.count)) }
        self.wants = wants
    }

    /// As it is signed.
    public var bytes: Data {
        Data([frame?.kind.rawValue ?? Self.none, wants?.rawValue ?? Self.none]) + (frame?.bytes ?? Data())
    }

    private static func kind(_ byte: UInt8) -> IntersectionFrame?? {
        guard byte != none else { return .some(.none) }
        guard let kind = IntersectionFrame(rawValue: byte) else { return nil }
        return .some(kind)
    }

    /// By its bytes.
    public static func == (a: Self, b: Self) -> Bool { a.bytes == b.bytes }
    /// By its bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

/// What who relays says to a site: which of its frames are there, and what it waits for, if that has come. It travels in a ``SignedReply``.
///
/// A byte whose bits are the site's own frames, one for the frame that follows, 255 for none, and the frame.
public struct IntersectionReply: Sendable, Hashable {
    /// Of the site's own.
    public let held: Set<IntersectionFrame>
    /// The other site's, as it is wanted.
    public let kind: IntersectionFrame?
    /// Its bytes.
    public let frame: Data

    /// A reply, by its parts.
    public init(held: Set<IntersectionFrame>, frame: (kind: IntersectionFrame, bytes: Data)?) {
        (self.held, kind, self.frame) = (held, frame?.kind, frame?.bytes ?? Data())
    }

    /// - Throws: `message`.
    public init(reading bytes: Data) throws(FrameError) {
        let bytes = Data(bytes)
        guard bytes.count >= 2, bytes[0] < 8 else { throw .message }
        let kind = IntersectionFrame(rawValue: bytes[1])
        guard kind != nil || bytes[1] == 255, (kind == nil) == (bytes.count == 2) else { throw .message }
        held = Set(IntersectionFrame.allCases.filter { bytes[0] & (1 << $0.rawValue) != 0 })
        (self.kind, frame) = (kind, bytes.subdata(in: 2..<bytes.count))
    }

    /// As it is signed.
    public var bytes: Data {
        let bits = held.reduce(UInt8(0)) { $0 | 1 << $1.rawValue }
        return Data([bits, kind?.rawValue ?? 255]) + frame
    }

    /// The longest that there is, where the other site brings at most so many identifiers, and this one so many.
    public static func largest(capacities: [Int]) -> Int {
        2 + IntersectionFrame.evaluated.length(capacity: capacities.max() ?? 0)
    }
}
