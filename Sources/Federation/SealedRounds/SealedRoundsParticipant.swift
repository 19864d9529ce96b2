public import Crypto
public import Foundation
internal import Secrets

/// One site's part in rounds in which each site sends each other one a message that nobody else reads, by way of who relays. No I/O, and no clock.
///
/// 1. In round 0 each site greets the others: an X25519 key (RFC 7748) and sixteen bytes, drawn for this run and signed by the site's own key. All greetings make the session.
/// 2. From round 1 on, a message is sealed by ChaCha20-Poly1305 (RFC 8439) under a key of session, sender, receiver and round, by HKDF-SHA256 over what both drawn keys share.
///
/// **Threat model.** Who relays sees lengths and times, and can hold messages back; it cannot read, change, exchange or repeat one, since each is bound to its session, sender, receiver and round. Sites know each other by
/// the keys that their owners allowed. What a site does with what it is sent, this does not bound.
///
/// **Once.** A run that was cut short is not gone on with: keys and nonces are in memory alone.
public struct SealedRoundsParticipant: Sendable {
    /// What was agreed on.
    public let terms: SealedRoundsTerms
    private let key: Curve25519.KeyAgreement.PrivateKey
    private let greeting: Data
    private var channels: [Int: SharedSecret] = [:]
    /// 32 bytes that no other session has; nil before all greetings are here.
    public private(set) var session: Data?
    /// The round that is under way, or that was the last.
    public private(set) var round = 0
    /// What this site brings to it, sealed.
    private var frames: [Data]
    private var isHeld = false
    /// Whether all of the round came.
    private var isOver = false

    private static let greetingLength = 32 + 16 + 64
    /// Nonce and tag.
    public static let sealing = 12 + 16

    /// - Parameter identity: The site's own key.
    /// - Throws: `own`.
    public init(
        _ terms: SealedRoundsTerms, identity: Curve25519.Signing.PrivateKey
    ) throws(SealedRoundsObstacle) {
        guard identity.publicKey.rawRepresentation == terms.roster[terms.place] else {
            throw .own("expected this site's key in its place")
        }
        self.terms = terms
        key = Curve25519.KeyAgreement.PrivateKey()
        let content = key.publicKey.rawRepresentation + Data(SecureRandom.bytes(16))
        guard let signature = try? identity.signature(for: terms.signed(content, of: terms.place)) else {
            throw .own("its greeting cannot be signed")
        }
        greeting = content + signature
        frames = terms.others.map { [greeting] _ in greeting }
    }

    /// The most bytes that a site brings in a round of messages of at most so many bytes, that of greetings included.
    public static func mostBytes(sites: Int, messages: [Int]) -> Int {
        (sites - 1) * (4 + max(greetingLength, sealing + (messages.max() ?? 0)))
    }

    /// What to send now: what who relays is not known to have, or a question for the others'.
    public var message: SealedRoundsMessage {
        isHeld ? SealedRoundsMessage(.asks, round: round) : SealedRoundsMessage(.brings, round: round, frames: frames)
    }

    /// What to send where this site's part ends before its time, so that nobody waits for it.
    public var leaving: SealedRoundsMessage { SealedRoundsMessage(.leaves, round: round) }

    /// What to say where this site has come to its end before the last round that there might have been.
    public var ending: SealedRoundsMessage { SealedRoundsMessage(.ends, round: round) }

    /// Begins the next round.
    ///
    /// - Parameter messages: For the other sites, in the ascending order of their places.
    /// - Precondition: The round before is over.
    /// - Throws: `own`.
    public mutating func send(_ messages: [Data]) throws(SealedRoundsObstacle) {
        precondition(
            isOver && messages.count == terms.others.count, "A round follows the one before, with a message for each.")
        guard let session else { throw .own("there is no session yet") }
        var sealed: [Data] = []
        for (message, other) in zip(messages, terms.others) {
            let associated = associated(round + 1, from: terms.place, to: other)
            // A drawn nonce: the key serves one message, however often that is made.
            guard let key = sealingKey(other, session, associated),
                let box = try? ChaChaPoly.seal(message, using: key, authenticating: associated)
            else { throw .own("a message cannot be sealed") }
            sealed.append(box.combined)
        }
        (round, frames, isHeld, isOver) = (round + 1, sealed, false, false)
    }

    /// Takes a reply.
    ///
    /// - Returns: The others' messages of the round, in the ascending order of their places, empty ones in the round of greetings; nil: not all are here.
    /// - Throws: ``SealedRoundsObstacle``; nothing is changed then.
    public mutating func take(_ reply: SealedRoundsReply) throws(SealedRoundsObstacle) -> [Data]? {
        guard !isOver else { return nil }
        guard reply.round == round else { throw .reply }
        if let left = reply.left {
            guard terms.roster.indices.contains(left) else { throw .reply }
            throw .left(left)
        }
        guard let others = reply.frames else {
            isHeld = reply.isHeld
            return nil
        }
        guard reply.isHeld, others.count == terms.others.count else { throw .reply }
        let opened = round == 0 ? try greeted(others) : try self.opened(others)
        // No longer needed.
        (isHeld, isOver, frames) = (true, true, [])
        return opened
    }

    private mutating func greeted(_ frames: [Data]) throws(SealedRoundsObstacle) -> [Data] {
        var (contents, secrets): ([Int: Data], [Int: SharedSecret]) = ([terms.place: greeting.prefix(48)], [:])
        for (frame, other) in zip(frames, terms.others) {
            let frame = Data(frame)
            guard frame.count == Self.greetingLength,
                let identity = try? Curve25519.Signing.PublicKey(rawRepresentation: terms.roster[other]),
                identity.isValidSignature(frame.suffix(64), for: terms.signed(frame.prefix(48), of: other)),
                let drawn = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: frame.prefix(32)),
                let secret = try? key.sharedSecretFromKeyAgreement(with: drawn),
                // A key that gives no secret with any other (RFC 7748, section 6.1).
                secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0
            else { throw .notFromSite(other) }
            contents[other] = frame.prefix(48)
            secrets[other] = secret
        }
        channels = secrets
        session = terms.session(terms.roster.indices.map { contents[$0] ?? Data() })
        return frames.map { _ in Data() }
    }

    private func opened(_ frames: [Data]) throws(SealedRoundsObstacle) -> [Data] {
        guard let session else { throw .reply }
        var opened: [Data] = []
        for (frame, other) in zip(frames, terms.others) {
            let associated = associated(round, from: other, to: terms.place)
            guard let key = sealingKey(other, session, associated),
                let box = try? ChaChaPoly.SealedBox(combined: frame),
                let message = try? ChaChaPoly.open(box, using: key, authenticating: associated)
            else { throw .notFromSite(other) }
            opened.append(message)
        }
        return opened
    }

    private func associated(_ round: Int, from sender: Int, to receiver: Int) -> Data {
        Data("parley sealed rounds message 1\n".utf8) + Data([UInt8(sender), UInt8(receiver)])
            + Data(littleEndian: UInt32(truncatingIfNeeded: round))
    }

    private func sealingKey(_ other: Int, _ session: Data, _ associated: Data) -> SymmetricKey? {
        channels[other]?.hkdfDerivedSymmetricKey(
            using: SHA256.self, salt: session, sharedInfo: associated, outputByteCount: 32)
    }
}

extension SealedRoundsParticipant: CustomStringConvertible, CustomReflectable {
    /// Place and round alone.
    public var description: String { "SealedRoundsParticipant(\(terms.place), round \(round))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
