public import Crypto
import DatasiteProtocol
import EncryptedPrediction
public import Foundation
import Governance
import SecureComputation

/// A dealer's folder: its key, the parties that it serves, and the masks of their models. It is for its operator alone, and must be no folder of a party's: a dealer is neither of the two.
public struct DealerFolder: Sendable {
    /// Someone who may keep masks here and begin sessions.
    public struct Party: Sendable, Hashable, Codable {
        /// For people.
        public var name: String
        /// Her Ed25519 key, 32 bytes.
        public var key: Data
    }

    private struct Masks: Codable {
        var owner: Data
        var masks: [Data]
    }

    /// Where it is.
    public let path: String
    /// The key that signs its replies.
    public let key: Curve25519.Signing.PrivateKey

    private var keyFile: String { path + "/dealer.key" }
    private var partiesFile: String { path + "/parties.json" }
    private var masksFile: String { path + "/masks.json" }

    /// Makes a folder with a new key.
    ///
    /// - Throws: A `Problem`.
    public static func create(at path: String) throws -> DealerFolder {
        let path = URL(filePath: path).standardizedFileURL.path
        try TrainingFolder(path: path).create()
        let key = Curve25519.Signing.PrivateKey()
        try TrainingFolder.replace(
            path + "/dealer.key", with: Array(key.rawRepresentation.base64EncodedString().utf8), in: path)
        return try DealerFolder(path: path)
    }

    /// Opens a folder.
    ///
    /// - Throws: A `Problem`: there is none, or others may enter it.
    public init(path: String) throws {
        let path = URL(filePath: path).standardizedFileURL.path
        self.path = path
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let mode = attributes?[.posixPermissions] as? Int else {
            throw Problem.absent("there is no dealer at \(path)", hint: "`parley dealer create \(path)` makes one")
        }
        guard mode & 0o077 == 0 else {
            throw Problem.forbidden("others may enter \(path)", hint: "chmod 700 \(path)")
        }
        guard let text = try? String(contentsOfFile: path + "/dealer.key", encoding: .utf8),
            let bytes = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes)
        else {
            throw Problem.absent("there is no dealer at \(path)", hint: "`parley dealer create \(path)` makes one")
        }
        self.key = key
    }

    /// Whom it serves.
    ///
    /// - Throws: A `Problem`.
    public func parties() throws -> [Party] { try read([Party].self, partiesFile) ?? [] }

    /// Serves a party from now on.
    ///
    /// - Throws: A `Problem`: a name or a key that is there already, or no key.
    public func admit(_ name: String, key: Data) throws {
        guard Manifest.isName(name) else { throw Problem.invalidRequest("a party is named as datasets are: hospital") }
        guard (try? Curve25519.Signing.PublicKey(rawRepresentation: key)) != nil else {
            throw Problem.invalidRequest("that is no Ed25519 key", hint: "`parley site key` prints a site's")
        }
        var parties = try parties()
        guard !parties.contains(where: { $0.name == name || $0.key == key }) else {
            throw Problem.conflict("\(name), or her key, is admitted already")
        }
        parties.append(Party(name: name, key: key))
        try write(parties, partiesFile)
    }

    func masks() throws -> [Data: [WeightMask]] {
        let read = try read([Masks].self, masksFile) ?? []
        return try read.reduce(into: [:]) { $0[$1.owner] = try $1.masks.map { try WeightMask(stored: Array($0)) } }
    }

    func store(_ masks: [Data: [WeightMask]]) throws {
        try write(
            masks.map { Masks(owner: $0.key, masks: $0.value.map { Data($0.stored) }) }.sorted {
                $0.owner.lexicographicallyPrecedes($1.owner)
            }, masksFile)
    }

    private func read<Value: Decodable>(_ type: Value.Type, _ file: String) throws -> Value? {
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        guard let bytes = try? Data(contentsOf: URL(filePath: file)),
            let value = try? JSONDecoder().decode(type, from: bytes)
        else { throw Problem.unavailable("\(file) cannot be read") }
        return value
    }

    private func write(_ value: some Encodable, _ file: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try TrainingFolder.replace(file, with: Array(try encoder.encode(value)), in: path)
    }
}
