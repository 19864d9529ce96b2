/// Bits of many elements, 64 elements a word: plane i holds bit i of each.
enum BitPlanes {
    /// Exchanges rows and columns of 64 x 64 bits: bit j of word i for bit i of word j (Warren 2013, "Hacker's Delight", section 7-3).
    static func transpose(_ x: UnsafeMutablePointer<UInt64>) {
        var width = 32
        var mask: UInt64 = 0xffff_ffff
        while width > 0 {
            let shift = UInt64(width)
            var block = 0
            while block < 64 {
                for i in block..<block + width {
                    let difference = ((x[i] >> shift) ^ x[i + width]) & mask
                    x[i + width] ^= difference
                    x[i] ^= difference << shift
                }
                block += 2 * width
            }
            width >>= 1
            mask ^= mask << UInt64(width)
        }
    }

    /// Planes 0 ... count - 1 of numbers, plane behind plane; elements beyond the last are zero.
    static func planes(_ count: Int, of numbers: some RandomAccessCollection<UInt64>) -> [UInt64] {
        let words = PackedBits.words(numbers.count)
        var planes = [UInt64](repeating: 0, count: count * words)
        planes.withUnsafeMutableBufferPointer { planes in
            _ = numbers.withContiguousStorageIfAvailable { numbers in
                withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { square in
                    guard let rows = square.baseAddress else { return }
                    for word in 0..<words {
                        let left = min(64, numbers.count - 64 * word)
                        for i in 0..<64 { rows[i] = i < left ? numbers[64 * word + i] : 0 }
                        transpose(rows)
                        for plane in 0..<count { planes[plane * words + word] = rows[plane] }
                    }
                }
            }
        }
        return planes
    }
}

/// A sum's carry out of its lowest bits, in blocks: how many bits each has, lowest first. What a block gives is looked up in one step, and a tree of two-operand gates joins them, so that more bits
/// a block are fewer rounds; a block of k bits takes 2^k - 1 planes of its lead.
struct CarryBlocks: Sendable, Hashable {
    static let widest = 4

    let widths: [Int]

    /// As few layers of gates as blocks of at most four bits allow, and among those the fewest bits sent.
    init(bits: Int) {
        let least = (bits + Self.widest - 1) / Self.widest
        let most = min(bits, 1 << Self.layers(least))
        let all = bits == 0 ? [[]] : (least...most).map { Self.divided(bits, $0) }
        widths = all.min { Self.bitsSent($0) < Self.bitsSent($1) } ?? []
    }

    /// Equal blocks, the wider ones lowest.
    private static func divided(_ bits: Int, _ blocks: Int) -> [Int] {
        (0..<blocks).map { bits / blocks + ($0 < bits % blocks ? 1 : 0) }
    }

    private static func layers(_ blocks: Int) -> Int {
        blocks <= 1 ? 0 : Int.bitWidth - (blocks - 1).leadingZeroBitCount
    }

    private static func bitsSent(_ widths: [Int]) -> Int {
        var bits = widths.reduce(0) { $0 + 1 << $1 - 1 } + 2 * (2 * widths.count - 1)
        var left = widths.count
        while left > 1 {
            bits += 3 * gates(left)
            left = (left + 1) / 2
        }
        return bits
    }

    /// Gates that join neighbours of so many blocks: two for each pair, and one for the lowest, whose carry in is zero.
    static func gates(_ blocks: Int) -> Int { blocks < 2 ? 0 : 2 * (blocks / 2) - 1 }

    /// Layers of gates.
    var layers: Int { Self.layers(widths.count) }
    /// Blocks that are left before a layer.
    func blocks(before layer: Int) -> Int { (0..<layer).reduce(widths.count) { left, _ in (left + 1) / 2 } }
    /// Planes of the lead: for each block and each v from 1 to 2^k - 1, whether the block's bits are at least v.
    var planes: Int { widths.reduce(0) { $0 + 1 << $1 - 1 } }
    /// What blocks give: whether each carries, and, but for the lowest, whether it passes a carry on.
    var outputs: Int { max(2 * widths.count - 1, 0) }

    /// The lead's planes of its bit planes, `words` words each.
    func comparisons(_ bits: [UInt64], words: Int) -> [UInt64] {
        var result = [UInt64](repeating: 0, count: planes * words)
        result.withUnsafeMutableBufferPointer { result in
            bits.withUnsafeBufferPointer { bits in
                guard let base = result.baseAddress, let source = bits.baseAddress else { return }
                var (target, plane) = (base, source)
                for width in widths {
                    for bit in 0..<width {
                        // Of v below 2^bit with the bits so far; the next bit doubles them.
                        let half = 1 << bit
                        for w in 0..<words { target[(half - 1) * words + w] = plane[bit * words + w] }
                        for v in 1..<half {
                            let low = target + (v - 1) * words
                            let high = target + (v + half - 1) * words
                            for w in 0..<words {
                                let (top, rest) = (plane[bit * words + w], low[w])
                                high[w] = top & rest
                                low[w] = top | rest
                            }
                        }
                    }
                    target += ((1 << width) - 1) * words
                    plane += width * words
                }
            }
        }
        return result
    }

    /// A party's share of what blocks give, from its share of the lead's planes and the bit planes that both others know. With H(v) = (a >= v) for the lead's bits a and c the complement of the
    /// others' bits, a block carries where H(c + 1), and passes a carry on where a = c, which is H(c) and not H(c + 1): two selections by public bits, linear in shares.
    ///
    /// - Parameter ones: The share of H(0) = 1.
    func lookup(_ shares: [UInt64], others: [UInt64], words: Int, ones: UInt64) -> [UInt64] {
        let strip = 32
        var result = [UInt64](repeating: 0, count: outputs * words)
        result.withUnsafeMutableBufferPointer { result in
            shares.withUnsafeBufferPointer { shares in
                others.withUnsafeBufferPointer { others in
                    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2 * strip << Self.widest) { scratch in
                        guard let result = result.baseAddress, let shares = shares.baseAddress,
                            let others = others.baseAddress, let scratch = scratch.baseAddress
                        else { return }
                        var first = 0
                        while first < words {
                            let selection = Selection(
                                words: words, first: first, count: min(strip, words - first), strip: strip, ones: ones)
                            selection.run(widths, shares, others, to: result, scratch: scratch)
                            first += strip
                        }
                    }
                }
            }
        }
        return result
    }

    /// Some words of all blocks, so few that what is selected from stays in the cache.
    private struct Selection {
        let words: Int
        let first: Int
        let count: Int
        let strip: Int
        let ones: UInt64

        func run(
            _ widths: [Int], _ shares: UnsafePointer<UInt64>, _ others: UnsafePointer<UInt64>,
            to result: UnsafeMutablePointer<UInt64>, scratch: UnsafeMutablePointer<UInt64>
        ) {
            var (source, plane) = (shares + first, others + first)
            for (block, width) in widths.enumerated() {
                let size = 1 << width
                let carries = scratch
                let both = scratch + strip << CarryBlocks.widest
                for w in 0..<count {
                    both[w] = ones
                    carries[(size - 1) * strip + w] = 0
                }
                for v in 1..<size {
                    for w in 0..<count {
                        let share = source[(v - 1) * words + w]
                        both[v * strip + w] = share
                        carries[(v - 1) * strip + w] = share
                    }
                }
                select(carries, width, plane)
                let target = result + (block == 0 ? 0 : 2 * block - 1) * words + first
                for w in 0..<count { target[w] = carries[w] }
                if block > 0 {
                    select(both, width, plane)
                    for w in 0..<count { target[words + w] = both[w] ^ carries[w] }
                }
                source += (size - 1) * words
                plane += width * words
            }
        }

        /// The entry of 2^width whose number is the complement of the bits, to the first place.
        private func select(_ entries: UnsafeMutablePointer<UInt64>, _ width: Int, _ plane: UnsafePointer<UInt64>) {
            for bit in 0..<width {
                for pair in 0..<(1 << (width - 1 - bit)) {
                    let target = entries + pair * strip
                    let (even, odd) = (entries + 2 * pair * strip, entries + (2 * pair + 1) * strip)
                    for w in 0..<count { target[w] = even[w] ^ (~plane[bit * words + w] & (even[w] ^ odd[w])) }
                }
            }
        }
    }
}
