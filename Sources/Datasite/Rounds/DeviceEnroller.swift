import Crypto
import DatasiteProtocol
import Federation
import Foundation

/// Who says which devices there are: a key of its own, apart from the coordinator's.
public struct DeviceEnroller: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// - Parameter path: Of the private key, in base64; it is made, for its owner alone, where it is not there.
    /// - Throws: A `Problem`.
    public init(keyFile path: String) throws {
        if let bytes = FileManager.default.contents(atPath: path) {
            guard let key = Curve25519.Signing.PrivateKey(fileContent: bytes) else {
                throw Problem.invalidRequest("\(path) is no Ed25519 key in base64")
            }
            self.key = key
            return
        }
        key = Curve25519.Signing.PrivateKey()
        let parent = URL(filePath: path).deletingLastPathComponent().path
        try TrainingFolder.replace(path, with: key.fileContent, in: parent)
    }

    /// In base64.
    public var publicKey: String { key.publicKey.rawRepresentation.base64EncodedString() }

    /// A device's certificate, in base64.
    ///
    /// - Parameter device: Its public key, in base64.
    public func certificate(_ device: String) throws -> String {
        guard let bytes = Data(base64Encoded: device), let device = DeviceKey(bytes) else {
            throw Problem.invalidRequest("a device's key: expected 32 bytes in base64")
        }
        return try SignedDeviceMessage.certificate(for: device, by: key).base64EncodedString()
    }
}
