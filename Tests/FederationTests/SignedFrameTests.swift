import Crypto
import Federation
import Foundation
import Testing

@Suite("Frames say who they are from")
struct SignedFrameTests {
    private let keys = Runs.identities(3)
    private var roster: [Data] { keys.map(\.publicKey.rawRepresentation) }
    private let coordinator = Curve25519.Signing.PrivateKey()
    private let run = Data(repeating: 7, count: 16)

    private func message(_ sender: Int = 1, number: UInt64 = 5, holds: Int? = 3) throws -> SignedMessage {
        try SignedMessage(.heartbeat(holds: holds), run: run, sender: sender, number: number, key: keys[sender])
    }

    private func verdict(_ frame: Data) -> FrameError? {
        do throws(FrameError) {
            _ = try SignedMessage(reading: frame).verified(roster: roster)
            return nil
        } catch { return error }
    }

    @Test("A frame is read as it was written, and its reply is one to it alone")
    func whole() throws {
        let sent = try message()
        let read = try SignedMessage(reading: sent.bytes)
        #expect(read == sent && read.sender == 1 && read.number == 5 && read.run == run)
        #expect(try read.verified(roster: roster) == .heartbeat(holds: 3))
        let reply = try SignedReply(.wait(seconds: 2), to: read, key: coordinator)
        let key = coordinator.publicKey.rawRepresentation
        #expect(try SignedReply.verified(reply.bytes, to: sent, coordinator: key) == .wait(seconds: 2))
        for other in [try message(number: 6), try message(2), try message(0, number: 5)] {
            #expect(throws: FrameError.sender) { try SignedReply.verified(reply.bytes, to: other, coordinator: key) }
        }
        #expect(throws: FrameError.sender) {
            try SignedReply.verified(reply.bytes, to: sent, coordinator: roster[0])
        }
    }

    @Test("Whatever byte is changed, a frame is not taken")
    func changed() throws {
        let frame = try message().bytes
        for place in frame.indices {
            var other = frame
            other[place] ^= 1 << (place % 8)
            #expect(verdict(other) != nil, "byte \(place)")
        }
        let reply = try SignedReply(.wait(seconds: 2), to: try message(), key: coordinator)
        for place in reply.bytes.indices {
            var other = reply.bytes
            other[place] ^= 1 << (place % 8)
            #expect(throws: FrameError.self) {
                try SignedReply.verified(other, to: try message(), coordinator: coordinator.publicKey.rawRepresentation)
            }
        }
    }

    @Test("A frame that is cut, of another sender or of nobody is refused in words")
    func malformed() throws {
        let frame = try message().bytes
        for length in 0..<frame.count { #expect(verdict(frame.prefix(length)) != nil, "\(length) bytes") }
        // Not from the beginning of what it lies in.
        #expect(verdict((Data([0, 0]) + frame).dropFirst(2)) == nil)
        // Signed by a key of the roster, for another's place.
        let posed = try SignedMessage(.heartbeat(holds: 3), run: run, sender: 0, number: 5, key: keys[1])
        #expect(verdict(posed.bytes) == .sender)
        let beyond = try SignedMessage(.heartbeat(holds: 3), run: run, sender: 3, number: 5, key: keys[1])
        #expect(verdict(beyond.bytes) == .sender)
        for error in [FrameError.frame(expected: "a frame"), .sender, .run, .replayed, .message] {
            #expect(error.description.count > 5)
        }
    }

    @Test("What a site signs in rounds is no receipt, and no frame of another run")
    func labels() throws {
        let sent = try message()
        var other = sent.bytes
        other.replaceSubrange(4..<20, with: Data(repeating: 8, count: 16))
        #expect(verdict(other) == .sender)
        let signature = sent.bytes.subdata(in: 32..<96)
        #expect(!keys[1].publicKey.isValidSignature(signature, for: sent.message))
        #expect(!keys[1].publicKey.isValidSignature(signature, for: sent.bytes.prefix(32) + sent.message))
    }
}
