import Crypto
public import DatasiteProtocol
import Secrets

extension DatasetDetail.Array {
    /// Made-up rows as a `.npy` file: numbers drawn uniformly between the declared bounds, from the declaration alone, the same for all who look
    /// (docs/privacy.md, rule 24).
    ///
    /// - Parameters:
    ///   - rows: From 0 on.
    ///   - dataset: The name of the dataset that it belongs to.
    public func mock(rows: Int, of dataset: String) -> [UInt8] {
        let text = "parley mock array v1\n\(dataset)\n\(name)\n\(type)\n"
        let seed = SHA256.hash(data: Array(text.utf8)).prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        var generator = SeededGenerator(seed: seed)
        let isBytes = type == "uint8"
        let extents = ([rows] + shape).map { "\($0)," }.joined(separator: " ")
        var header = "{'descr': '\(isBytes ? "|u1" : "<f4")', 'fortran_order': False, 'shape': (\(extents)), }"
        // The numbers begin at a multiple of 64 bytes (NumPy Enhancement Proposal 1).
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        let length = header.utf8.count
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
        bytes += header.utf8
        for _ in 0..<rows * shape.reduce(1, *) {
            let fraction = Double(generator.next() >> 11) * 0x1p-53
            let number = lower + (upper - lower) * fraction
            if isBytes {
                bytes.append(number.isFinite ? UInt8(min(max(number.rounded(), 0), 255)) : 0)
            } else {
                withUnsafeBytes(of: Float(number).bitPattern.littleEndian) { bytes += $0 }
            }
        }
        return bytes
    }
}
