public import Crypto
public import DatasiteProtocol
public import Foundation

/// What is asked of a dealer.
public enum DealerQuestion: Sendable, Hashable {
    /// A mask for a model's weights, for whoever asks. The reply is ``SecureComputation/WeightMask/stored``.
    case mask
    /// A session of the asker, who has the weights, with whoever holds a key: a program by its terms, for so many rows. The reply is the session's nonce of sixteen bytes.
    case session(terms: [UInt8], rows: Int, first: Data, mask: [UInt8])
    /// What the asker's correlations begin with, in a session.
    case header(session: [UInt8])
    /// The asker's correlations of a step of the program.
    case step(session: [UInt8], step: Int)
    /// Gives a session up, to see whether it was dealt rightly: nothing of it is dealt any more. The reply is empty until the other party asked too, and then ``SecureComputation/Dealer/openedSeeds``.
    case open(session: [UInt8])
    /// Forgets a session of the asker's, of which nobody needs more. The reply is empty.
    case end(session: [UInt8])
}

/// A question to a dealer on its way, and who asks.
///
/// 4 bytes "PDL1", 32 of the dealer's Ed25519 key, 32 of the asker's, 8 of the time in seconds since 1970 (little-endian), 64 of the asker's signature (RFC 8032), and the question as JSON. The signature is over a
/// label, what stands before it, and SHA-256 of the question. A reply is 4 bytes "PDR1", 64 of the dealer's signature over a label, the question's signature and SHA-256 of what follows, and that.
///
/// **Threat model.** Nobody asks in another's name, and no reply passes for the dealer's or for another question's. A copy of a question is answered again, with the same: what is in it goes to the
/// connection that sent it, so that who reads and repeats what others send must be kept out by TLS.
public struct SignedQuestion: Sendable {
    /// The dealer's key.
    public let dealer: Data
    /// The asker's key.
    public let asker: Data
    /// Seconds since 1970, by the asker's clock.
    public let time: UInt64
    private let body: Data
    private let signature: Data

    /// With what a question begins.
    public static let magic = Data("PDL1".utf8)
    private static let replyMagic = Data("PDR1".utf8)
    private static let head = 4 + 32 + 32 + 8
    /// The longest question: terms in base64, and little beside them.
    public static let mostBytes = 512 << 10
    /// Bytes of a reply before what it says.
    public static let replyHead = 4 + 64
    /// How far clocks may be apart, in seconds.
    public static let mostApart: UInt64 = 300

    /// Signs a question.
    public init(
        _ question: DealerQuestion, dealer: Data, key: Curve25519.Signing.PrivateKey, time: UInt64
    ) throws {
        (self.dealer, asker, self.time) = (dealer, key.publicKey.rawRepresentation, time)
        body = try JSONEncoder().encode(Body(question))
        signature = try key.signature(
            for: Self.signed(Self.head(dealer: dealer, asker: key.publicKey.rawRepresentation, time: time), body))
    }

    /// Reads a question; nothing of it is believed before ``verified(at:now:)``.
    ///
    /// - Throws: ``DealingError/malformed(_:)``.
    public init(reading bytes: [UInt8]) throws(DealingError) {
        guard bytes.count > Self.head + 64, bytes.count <= Self.mostBytes, bytes.starts(with: Self.magic) else {
            throw .malformed("expected a signed question, which begins with PDL1")
        }
        let frame = Data(bytes)
        (dealer, asker) = (frame.subdata(in: 4..<36), frame.subdata(in: 36..<68))
        time = frame.subdata(in: 68..<76).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        (signature, body) = (frame.subdata(in: 76..<140), frame.subdata(in: 140..<frame.count))
    }

    /// Its bytes.
    public var bytes: [UInt8] { Array(Self.head(dealer: dealer, asker: asker, time: time) + signature + body) }

    /// The question, if its asker signed it for this dealer, about now.
    ///
    /// - Throws: ``DealingError``.
    public func verified(at dealer: Data, now: UInt64) throws(DealingError) -> DealerQuestion {
        guard dealer == self.dealer else { throw .otherDealer }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: asker),
            key.isValidSignature(
                signature, for: Self.signed(Self.head(dealer: dealer, asker: asker, time: time), body))
        else { throw .signature }
        guard max(now, time) - min(now, time) <= Self.mostApart else {
            throw .clock(seconds: Int64(clamping: max(now, time) - min(now, time)))
        }
        guard let read = try? JSONDecoder().decode(Body.self, from: body), let question = read.question else {
            throw .malformed("the signed bytes are no question that this version knows")
        }
        return question
    }

    /// A reply's bytes, signed by the dealer.
    public func reply(_ content: [UInt8], key: Curve25519.Signing.PrivateKey) throws -> [UInt8] {
        Array(Self.replyMagic) + Array(try key.signature(for: Self.replied(content, to: signature))) + content
    }

    /// What a reply says, if the dealer signed it for this question.
    ///
    /// - Throws: ``DealingError``.
    public func verifiedReply(_ reply: [UInt8]) throws(DealingError) -> [UInt8] {
        guard reply.count >= Self.replyHead, reply.starts(with: Self.replyMagic) else {
            throw .malformed("expected a dealer's signed reply, which begins with PDR1")
        }
        let content = Array(reply[Self.replyHead...])
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: dealer),
            key.isValidSignature(Data(reply[4..<Self.replyHead]), for: Self.replied(content, to: signature))
        else { throw .signature }
        return content
    }

    /// What a dealer told a party of a session that was given up, as its signatures show it.
    ///
    /// - Parameters:
    ///   - session: Its nonce.
    ///   - asker: Whose question it must be.
    /// - Returns: ``SecureComputation/Dealer/openedSeeds``.
    /// - Throws: ``DealingError``: it shows nothing of the kind.
    public static func opened(
        by proof: OpeningProof, session: [UInt8], asker: Data, dealer: Data
    ) throws(DealingError) -> [UInt8] {
        let question = try SignedQuestion(reading: Array(proof.question))
        // Asked just now, by the asker's clock: no copy of it is of use.
        guard question.asker == asker,
            try question.verified(at: dealer, now: question.time) == .open(session: session)
        else { throw .malformed("the question is not this party's for this session to be opened") }
        let seeds = try question.verifiedReply(Array(proof.reply))
        guard seeds.count == 32 else { throw .malformed("the dealer opened nothing in this reply") }
        return seeds
    }

    private static func head(dealer: Data, asker: Data, time: UInt64) -> Data {
        magic + dealer + asker + withUnsafeBytes(of: time.littleEndian) { Data($0) }
    }

    private static func signed(_ head: Data, _ body: Data) -> Data {
        Data("parley dealer question 1\n".utf8) + head + Data(SHA256.hash(data: body))
    }

    private static func replied(_ content: [UInt8], to signature: Data) -> Data {
        Data("parley dealer reply 1\n".utf8) + signature + Data(SHA256.hash(data: content))
    }

    /// As JSON.
    private struct Body: Codable {
        var ask: String
        var terms: Data?
        var rows: Int?
        var first: Data?
        var mask: Data?
        var session: Data?
        var step: Int?

        init(_ question: DealerQuestion) {
            switch question {
            case .mask: ask = "mask"
            case .session(let terms, let rows, let first, let mask):
                (ask, self.terms, self.rows, self.first, self.mask) = ("session", Data(terms), rows, first, Data(mask))
            case .header(let session): (ask, self.session) = ("header", Data(session))
            case .step(let session, let step): (ask, self.session, self.step) = ("step", Data(session), step)
            case .open(let session): (ask, self.session) = ("open", Data(session))
            case .end(let session): (ask, self.session) = ("end", Data(session))
            }
        }

        var question: DealerQuestion? {
            switch (ask, terms, rows, first, mask, session, step) {
            case ("mask", nil, nil, nil, nil, nil, nil): return .mask
            case ("session", let terms?, let rows?, let first?, let mask?, nil, nil)
            where first.count == 32 && mask.count == 16:
                return .session(terms: Array(terms), rows: rows, first: first, mask: Array(mask))
            case ("header", nil, nil, nil, nil, let session?, nil) where session.count == 16:
                return .header(session: Array(session))
            case ("open", nil, nil, nil, nil, let session?, nil) where session.count == 16:
                return .open(session: Array(session))
            case ("end", nil, nil, nil, nil, let session?, nil) where session.count == 16:
                return .end(session: Array(session))
            case ("step", nil, nil, nil, nil, let session?, let step?) where session.count == 16:
                return .step(session: Array(session), step: step)
            default: return nil
            }
        }
    }
}

/// Why a dealer gives nothing, in words for people: what is wrong and what would be right.
public enum DealingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Bytes that are no question or reply.
    case malformed(String)
    /// The question is for another dealer.
    case otherDealer
    /// Not signed by whom it should be.
    case signature
    /// Clocks that are too far apart.
    case clock(seconds: Int64)
    /// Whoever asks is not known here.
    case stranger
    /// No such session, or it is not the asker's.
    case session
    /// No such mask of the asker's.
    case mask
    /// What is asked for is no program, or too large.
    case program(String)
    /// The asker has as much as it may have at a time.
    case full(String)

    public var description: String {
        switch self {
        case .malformed(let words): words
        case .otherDealer: "the question is for another dealer's key"
        case .signature: "the signature is not that of the key which it should be of"
        case .clock(let seconds):
            "the clocks are \(seconds) seconds apart, and \(SignedQuestion.mostApart) are allowed: set them right"
        case .stranger: "the key is of no party that this dealer serves (its operator admits one: parley dealer admit)"
        case .session: "there is no such session of this key: it is over, or the dealer was started anew"
        case .mask: "there is no such mask of this key here"
        case .program(let words): words
        case .full(let words): words
        }
    }
}
