import Crypto
import Foundation
import Testing

@testable import MultipartyComputation

@Suite("Keys with which nobody can go on")
struct UselessKeyTests {
    @Test("They keep their owner out, and nobody else: of small order, the same twice, another's")
    func kept() throws {
        let identities = (0..<4).map { _ in Curve25519.Signing.PrivateKey() }
        let session = try AggregationSession(
            identifier: Data(repeating: 1, count: 16), subject: Data(repeating: 2, count: 32),
            roster: identities.map { $0.publicKey.rawRepresentation }, length: 2, modulusBits: 32, threshold: 3)
        let honest = try AggregationParticipant(session: session, index: 0, identity: identities[0]).advertisement
        var coordinator = AggregationCoordinator(session: session)
        _ = try coordinator.receive(honest)
        let fresh = Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation
        for (encryption, mask) in [
            (Data(repeating: 0, count: 32), fresh), (fresh, Data(repeating: 0, count: 32)), (fresh, fresh),
            (honest.maskKey, fresh),
        ] {
            func advertisement(_ signature: Data) -> Advertisement {
                Advertisement(
                    sender: 1, encryptionKey: encryption, maskKey: mask, commitment: Data(repeating: 3, count: 32),
                    signature: signature)
            }
            let signature = try AggregationParticipant.sign(
                advertisement(Data()).signedBytes(session), identities[1], participant: 1)
            #expect(throws: AggregationError.self) { try coordinator.receive(advertisement(signature)) }
        }
        for place in [1, 2] {
            _ = try coordinator.receive(
                AggregationParticipant(session: session, index: place, identity: identities[place]).advertisement)
        }
        #expect(try coordinator.closeAdvertising().map(\.sender) == [0, 1, 2])
    }
}
