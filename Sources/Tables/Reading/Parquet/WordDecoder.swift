/// Decodes a page's values of a fixed width, each to a word: an integer with its sign, a real's bits, 0 or 1.
struct WordDecoder {
    private enum Form {
        case bits
        case hybrid
        case plain32
        case plain64
        case delta
        /// The values' first bytes, then their second ones, and so on.
        case split(width: Int, count: Int)
        case dictionary
    }

    private let form: Form
    private let bytes: UnsafeRawBufferPointer
    /// Values done.
    private var place = 0
    private let is32: Bool
    private let isSigned: Bool
    private var hybrid: HybridDecoder
    private var delta: DeltaDecoder?
    private let dictionary: [Int64]
    private let indices = Scratch<UInt32>()

    /// `count`: the values that the page has, without nulls.
    init(
        _ bytes: UnsafeRawBufferPointer, _ encoding: ParquetEncoding, _ physical: ParquetMetadata.Physical, count: Int,
        dictionary: [Int64]
    ) throws(ParquetError) {
        is32 = physical == .int32 || physical == .float
        isSigned = physical == .int32
        self.dictionary = dictionary
        var (content, width) = (bytes, 1)
        switch (encoding, physical) {
        case (.plain, .boolean): form = .bits
        case (.plain, _): form = is32 ? .plain32 : .plain64
        case (.hybrid, .boolean):
            // Its length comes before it.
            guard bytes.count >= 4 || count == 0 else { throw .endsEarly }
            let length = bytes.count < 4 ? 0 : Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
            guard length <= Swift.max(0, bytes.count - 4) else { throw .endsEarly }
            content = UnsafeRawBufferPointer(rebasing: bytes[Swift.min(4, bytes.count)...].prefix(length))
            form = .hybrid
        case (.delta, .int32), (.delta, .int64):
            form = .delta
            delta = count == 0 ? nil : try DeltaDecoder(bytes)
        case (.split, .int32), (.split, .int64), (.split, .float), (.split, .double):
            guard bytes.count == count * (is32 ? 4 : 8) else { throw .endsEarly }
            form = .split(width: is32 ? 4 : 8, count: count)
        case (.dictionary, _):
            (content, width) = try ParquetEncoding.indices(bytes, count: count)
            form = .dictionary
        default: throw encoding.unknown
        }
        hybrid = HybridDecoder(content, width: width)
        self.bytes = content
    }

    mutating func next(_ count: Int, into target: UnsafeMutablePointer<Int64>) throws(ParquetError) {
        switch form {
        case .bits:
            guard place + count <= bytes.count * 8 else { throw .endsEarly }
            for i in 0..<count { target[i] = Int64(truncatingIfNeeded: packedBits(bytes, at: place + i, width: 1)) }
        case .plain32:
            guard (place + count) * 4 <= bytes.count else { throw .endsEarly }
            for i in 0..<count {
                target[i] = word32(bytes.loadUnaligned(fromByteOffset: (place + i) * 4, as: UInt32.self))
            }
        case .plain64:
            guard (place + count) * 8 <= bytes.count else { throw .endsEarly }
            for i in 0..<count {
                target[i] = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: (place + i) * 8, as: Int64.self))
            }
        case .delta:
            for i in 0..<count {
                guard let value = try delta?.next() else { throw .endsEarly }
                target[i] = is32 ? Int64(Int32(truncatingIfNeeded: value)) : value
            }
        case .split(let width, let all): try nextSplit(count, width: width, of: all, into: target)
        case .hybrid, .dictionary:
            indices.reserve(count)
            try hybrid.next(count, into: indices.start)
            for i in 0..<count {
                let index = Int(indices.start[i])
                if case .hybrid = form {
                    target[i] = Int64(index)
                } else {
                    guard index < dictionary.count else { throw ParquetEncoding.beyondDictionary }
                    target[i] = dictionary[index]
                }
            }
        }
        place += count
    }

    @inline(__always)
    private func word32(_ bits: UInt32) -> Int64 {
        let bits = UInt32(littleEndian: bits)
        return isSigned ? Int64(Int32(bitPattern: bits)) : Int64(bits)
    }

    private func nextSplit(
        _ count: Int, width: Int, of all: Int, into target: UnsafeMutablePointer<Int64>
    ) throws(ParquetError) {
        guard place + count <= all else { throw .endsEarly }
        for i in 0..<count {
            var bits: UInt64 = 0
            for byte in 0..<width { bits |= UInt64(bytes[byte * all + place + i]) &<< UInt64(8 * byte) }
            target[i] = width == 8 ? Int64(bitPattern: bits) : word32(UInt32(truncatingIfNeeded: bits).littleEndian)
        }
    }
}
