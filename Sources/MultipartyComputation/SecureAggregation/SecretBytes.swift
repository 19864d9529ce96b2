internal import Foundation
internal import Secrets

/// Bytes that are never printed, and compared in constant time. Encoded as they are: a state that holds them is as secret as they are.
struct SecretBytes: Sendable, Codable, CustomStringConvertible, CustomReflectable {
    let data: Data

    init(_ data: Data) { self.data = data }

    /// Fresh bytes of the operating system.
    init(random count: Int) { data = Data(SecureRandom.bytes(count)) }

    init(from decoder: any Decoder) throws {
        data = try decoder.singleValueContainer().decode(Data.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(data)
    }

    /// In a time that depends on the lengths alone.
    func isEqual(_ other: Data) -> Bool { constantTimeEqual([UInt8](data), [UInt8](other)) }

    var description: String { "SecretBytes" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
