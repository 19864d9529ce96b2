public import Crypto
public import DatasiteClient
import DatasiteProtocol
public import EncryptedPrediction
public import Foundation

/// A dealer of correlations, seen from a party: signed questions and replies.
public final class DealerClient: Sendable {
    private let transport: Transport
    private let url: String

    /// - Parameters:
    ///   - url: Where it is: `https://dealer.example.org`.
    ///   - options: Whom to trust for TLS.
    /// - Throws: `TransportError`.
    public init(url: String, options: ClientOptions = ClientOptions()) throws {
        // Correlations are as secret as inputs: plain HTTP goes to this machine.
        transport = try Transport(url: url, token: nil, options: options, isPrivate: true)
        self.url = url
    }

    /// What a dealer says of itself.
    public struct Description: Sendable, Hashable, Codable {
        /// Its Ed25519 key, 32 bytes.
        public var key: Data
        /// Seconds since 1970, by its clock.
        public var time: UInt64
        /// Of the protocol.
        public var version: Int
    }

    /// Who it is.
    ///
    /// - Throws: `Problem`, `TransportError`.
    public func description() async throws -> Description {
        let reply: Transport.Reply
        do { reply = try await transport.get("/v1/dealer", timeout: .seconds(10), largest: 1 << 12) } catch let error
            as TransportError where error.kind == .unreachable
        {
            throw TransportError(
                .unreachable, "cannot connect to the dealer at \(url)",
                hint: "check the URL, and that the dealer is running (its operator runs 'parley dealer serve')")
        }
        guard let read = try? JSONDecoder().decode(Description.self, from: Data(reply.body)), read.key.count == 32
        else {
            throw TransportError(
                .notADatasite, "\(url) is no dealer", hint: "check the URL: `parley dealer serve` prints it")
        }
        return read
    }

    /// Asks for zeros, and says how long they took: the line's speed.
    ///
    /// - Parameter bytes: At most 16 MiB.
    /// - Returns: Bytes a second.
    public func bandwidth(bytes: Int = 4 << 20) async throws -> Double {
        let start = ContinuousClock.now
        let reply = try await transport.get("/v1/dealer/zeros?bytes=\(bytes)", timeout: .seconds(20), largest: bytes)
        return Double(reply.body.count) / ((ContinuousClock.now - start) / .seconds(1))
    }

    /// Asks, and gives what the dealer replied.
    ///
    /// - Parameter largest: A longer reply is not read, in bytes.
    /// - Throws: `Problem`, `TransportError`, ``EncryptedPrediction/DealingError``.
    public func ask(
        _ question: DealerQuestion, dealer: Data, key: Curve25519.Signing.PrivateKey, largest: Int
    ) async throws -> [UInt8] {
        let (asked, reply) = try await replied(question, dealer: dealer, key: key, largest: largest)
        return try asked.verifiedReply(reply)
    }

    /// Has a session opened.
    ///
    /// - Returns: Its seeds, empty where the other party has not given it up, and what shows others that the dealer said so.
    func open(
        _ session: [UInt8], dealer: Data, key: Curve25519.Signing.PrivateKey
    ) async throws -> (seeds: [UInt8], proof: OpeningProof) {
        let (asked, reply) = try await replied(.open(session: session), dealer: dealer, key: key, largest: 1 << 10)
        return (try asked.verifiedReply(reply), OpeningProof(question: Data(asked.bytes), reply: Data(reply)))
    }

    private func replied(
        _ question: DealerQuestion, dealer: Data, key: Curve25519.Signing.PrivateKey, largest: Int
    ) async throws -> (SignedQuestion, [UInt8]) {
        let asked = try SignedQuestion(
            question, dealer: dealer, key: key, time: UInt64(max(0, Date().timeIntervalSince1970)))
        let timeout = Duration.seconds(60 + largest >> 20)
        var attempt = 0
        while true {
            do {
                let reply = try await transport.post(
                    "/v1/rounds/messages", asked.bytes, largest: largest + SignedQuestion.replyHead, timeout: timeout)
                return (asked, reply)
            } catch let problem as Problem where problem.status == 503 && attempt < 40 {
                // Few are dealt to at a time.
                try await Task.sleep(for: .milliseconds(250))
                attempt += 1
            }
        }
    }
}
