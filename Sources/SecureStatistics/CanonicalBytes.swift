internal import Crypto
internal import SecureComputation

/// An unambiguous encoding of a task: fixed widths, and counts before what is counted.
struct CanonicalBytes {
    private(set) var bytes: [UInt8] = []

    init(_ label: String) { append(label) }

    mutating func append(_ number: Int) {
        withUnsafeBytes(of: Int64(number).littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ number: Double) {
        // Equal numbers have equal bytes: nought has two signs.
        let number = number == 0 ? 0 : number
        withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ text: String) {
        append(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func append(_ parties: [ComputingParty]) {
        append(parties.count)
        for party in parties { append(party.rawValue) }
    }

    /// SHA-256.
    static func digest(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
