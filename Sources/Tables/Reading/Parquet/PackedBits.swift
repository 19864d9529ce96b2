/// Bits of a page, counted from the lowest of its first byte.
///
/// `width`, at most 64, bits from `bit` on must be within the bytes.
@inline(__always)
func packedBits(_ bytes: UnsafeRawBufferPointer, at bit: Int, width: Int) -> UInt64 {
    guard width > 0 else { return 0 }
    let (first, shift) = (bit >> 3, UInt64(truncatingIfNeeded: bit & 7))
    let mask = UInt64.max &>> UInt64(truncatingIfNeeded: 64 - width)
    var low: UInt64 = 0
    if first + 8 <= bytes.count {
        low = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: first, as: UInt64.self))
    } else {
        for index in first..<bytes.count { low |= UInt64(bytes[index]) &<< UInt64(8 * (index - first)) }
    }
    var value = low &>> shift
    // What is in a ninth byte.
    if Int(shift) + width > 64 { value |= UInt64(bytes[first + 8]) &<< (64 &- shift) }
    return value & mask
}

/// The number that is written in a page at `place`, seven bits a byte.
func varint(_ bytes: UnsafeRawBufferPointer, _ place: inout Int) throws(ParquetError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
        guard place < bytes.count else { throw .endsEarly }
        let byte = bytes[place]
        place += 1
        value |= UInt64(byte & 0x7f) &<< shift
        if byte < 0x80 { return value }
    }
    throw ParquetError("a number in it is damaged")
}

/// Decodes levels, indices of a dictionary and truth values: runs of one value, and runs of packed bits.
struct HybridDecoder {
    private let bytes: UnsafeRawBufferPointer
    private let width: Int
    private var place = 0
    /// What is left of a run of one value, or of a packed one.
    private var repeated = 0
    private var packed = 0
    private var value: UInt32 = 0
    private var bit = 0

    /// `width`: of a value, at most 32.
    init(_ bytes: UnsafeRawBufferPointer, width: Int) {
        self.bytes = bytes
        self.width = width
    }

    mutating func next(_ count: Int, into target: UnsafeMutablePointer<UInt32>) throws(ParquetError) {
        var done = 0
        while done < count {
            if repeated > 0 {
                let run = Swift.min(repeated, count - done)
                (target + done).update(repeating: value, count: run)
                repeated -= run
                done += run
            } else if packed > 0 {
                let run = Swift.min(packed, count - done)
                guard bit + run * width <= bytes.count * 8 else { throw .endsEarly }
                for index in 0..<run {
                    target[done + index] = UInt32(
                        truncatingIfNeeded: packedBits(bytes, at: bit + index * width, width: width))
                }
                bit += run * width
                packed -= run
                done += run
            } else {
                try beginRun()
            }
        }
    }

    private mutating func beginRun() throws(ParquetError) {
        let head = try varint(bytes, &place)
        // No page has 2^32 values.
        guard head >> 1 > 0, head >> 1 <= UInt64(UInt32.max) else { throw ParquetError("a run in it is damaged") }
        let count = Int(head >> 1)
        if head & 1 == 1 {
            packed = count * 8
            bit = place * 8
            // The last run may be cut.
            place = Swift.min(place + count * width, bytes.count)
        } else {
            let size = (width + 7) / 8
            guard size <= bytes.count - place else { throw .endsEarly }
            value = UInt32(truncatingIfNeeded: packedBits(bytes, at: place * 8, width: size * 8))
            guard width == 32 || value >> UInt32(width) == 0 else { throw ParquetError("a run in it is damaged") }
            repeated = count
            place += size
        }
    }
}

/// Decodes DELTA_BINARY_PACKED: blocks of differences, each from the least of its block.
struct DeltaDecoder {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0
    /// Miniblocks of a block, and values of a miniblock.
    private let miniblocks: Int
    private let perMiniblock: Int
    /// How many are still to come.
    private(set) var left: Int
    private var isFirst = true
    private var value: Int64
    private var least: Int64 = 0
    /// Where the block's widths are, and which miniblock is next.
    private var widths = 0
    private var miniblock: Int
    private var width = 0
    private var leftInMiniblock = 0
    private var bit = 0

    /// More values in a block than any writer makes.
    private static let largestBlock = 1 << 16

    init(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        self.bytes = bytes
        let block = try varint(bytes, &place)
        let parts = try varint(bytes, &place)
        let total = try varint(bytes, &place)
        let first = try varint(bytes, &place)
        guard block > 0, block <= UInt64(Self.largestBlock), parts > 0, parts <= block, block % parts == 0,
            (block / parts) % 8 == 0, total <= UInt64(Int32.max)
        else { throw ParquetError("its DELTA_BINARY_PACKED header is damaged") }
        (miniblocks, perMiniblock) = (Int(parts), Int(block / parts))
        miniblock = miniblocks
        left = Int(total)
        value = Self.unzigzag(first)
    }

    private static func unzigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Sums wrap around, as the format says.
    mutating func next() throws(ParquetError) -> Int64 {
        guard left > 0 else { throw .endsEarly }
        left -= 1
        if isFirst {
            isFirst = false
            return value
        }
        if leftInMiniblock == 0 { try beginMiniblock() }
        value = value &+ least &+ Int64(bitPattern: packedBits(bytes, at: bit, width: width))
        bit += width
        leftInMiniblock -= 1
        return value
    }

    private mutating func beginMiniblock() throws(ParquetError) {
        if miniblock == miniblocks {
            least = Self.unzigzag(try varint(bytes, &place))
            guard miniblocks <= bytes.count - place else { throw .endsEarly }
            widths = place
            place += miniblocks
            miniblock = 0
        }
        width = Int(bytes[widths + miniblock])
        guard width <= 64 else { throw ParquetError("its DELTA_BINARY_PACKED widths are damaged") }
        let size = width * perMiniblock / 8
        guard size <= bytes.count - place else { throw .endsEarly }
        bit = place * 8
        place += size
        miniblock += 1
        leftInMiniblock = perMiniblock
    }

    /// Where the values end.
    func end() throws(ParquetError) -> Int {
        var copy = self
        if copy.isFirst, copy.left > 0 {
            copy.left -= 1
            copy.isFirst = false
        }
        while copy.left > copy.leftInMiniblock {
            copy.left -= copy.leftInMiniblock
            try copy.beginMiniblock()
        }
        return copy.place
    }
}
