internal import DifferentialPrivacy

/// How a vector of integers is made up that is summed over privacy units, to which noise is then added: whoever adds it up
/// needs no more than the layout and the contributions, and may add the noise itself.
///
/// Privacy: a unit changes each entry of a block by at most `times` times `largest`, and at most `nonzero` entries of it
/// by one of its rows (or, where `times` is 1 for a block of units, by the unit). With the triangle inequality over its
/// rows the L1 norm of the whole change is at most the sum of `largest nonzero times`, the squared L2 norm at most that of
/// `largest^2 nonzero times^2`. Contributions are held to `largest` after they were rounded, so that this is exact.
public struct IntegerLayout: Sendable, Hashable {
    /// Entries of one kind.
    public struct Block: Sendable, Hashable {
        /// How many entries.
        public let entries: Int
        /// The largest magnitude of an entry of a contribution.
        public let largest: Int64
        /// At most so many entries of a contribution are not 0.
        public let nonzero: Int
        /// How many contributions a unit makes: its rows, or 1 where the unit itself makes one.
        public let times: Int
        /// What one unit of the integer is worth.
        public let worth: Double

        /// - Parameter bound: what an entry of `largest` is worth.
        init(entries: Int, largest: Int64, nonzero: Int, times: Int, bound: Double) {
            self.entries = entries
            self.largest = largest
            self.nonzero = min(nonzero, entries)
            self.times = times
            worth = bound / Double(largest)
        }
    }

    /// The blocks, in order.
    public let blocks: [Block]
    /// Where each block begins, in the vector.
    let starts: [Int]
    /// How many integers.
    public let length: Int
    /// The largest L1 change of the sums by one privacy unit.
    public let l1Sensitivity: UInt128
    /// The largest squared L2 change.
    public let l2SensitivitySquared: UInt128

    /// The integer of an entry at its bound, where a block has no other.
    static let unit: Int64 = 1 << 16

    /// Throws where a norm is beyond 2^120, or nothing is to be released.
    init(_ blocks: [Block]) throws(MechanismError) {
        var (l1, square): (UInt128, UInt128) = (0, 0)
        var (starts, length): ([Int], Int) = ([], 0)
        for block in blocks {
            let entry = Double(block.largest) * Double(block.times)
            guard block.largest > 0, block.times > 0, entry * entry * Double(max(block.nonzero, 1)) < 0x1p110 else {
                throw .parameter("rows per unit", expected: "a sensitivity that noise of scale 2^40 can cover")
            }
            let change = UInt128(block.largest) * UInt128(block.times)
            l1 += change * UInt128(block.nonzero)
            square += change * change * UInt128(block.nonzero)
            starts.append(length)
            length += block.entries
        }
        guard length > 0 else { throw .parameter("statistics", expected: "at least one") }
        self.blocks = blocks
        self.starts = starts
        self.length = length
        l1Sensitivity = l1
        l2SensitivitySquared = square
    }

    /// A block that is to be fitted in with others.
    struct Part {
        let entries: Int
        let nonzero: Int
        let times: Int
        /// Which part of the sensitivity it gets.
        let share: Double
        /// What an entry at its bound is worth.
        let bound: Double
    }

    /// Blocks whose parts of the L1 norm (pure) or of the squared L2 norm are in the proportion of their shares, the first
    /// with entries of ``unit``.
    init(_ parts: [Part], kind: PrivacyLossKind) throws(MechanismError) {
        var blocks: [Block] = []
        for part in parts {
            let nonzero = Double(min(part.nonzero, part.entries))
            let ratio = part.share / parts[0].share * Double(parts[0].nonzero) / nonzero
            let factor = kind == .pure ? ratio : ratio.squareRoot()
            let largest = Double(Self.unit) * factor * Double(parts[0].times) / Double(part.times)
            blocks.append(
                Block(
                    entries: part.entries, largest: Int64(max(1, largest)), nonzero: part.nonzero, times: part.times,
                    bound: part.bound))
        }
        try self.init(blocks)
    }

    /// The noise on each integer for that loss; throws where there is none.
    func noise(loss: PrivacyLoss) throws(MechanismError) -> IntegerNoise {
        try IntegerNoise(l1Sensitivity: l1Sensitivity, l2SensitivitySquared: l2SensitivitySquared, loss: loss)
    }

    /// The values of a block, of a noisy vector.
    func values(_ block: Int, of noisy: [Int64]) -> [Double] {
        let start = starts[block]
        return (start..<start + blocks[block].entries).map { Double(noisy[$0]) * blocks[block].worth }
    }

    /// The standard deviation of the noise on an entry of a block, in what it is worth.
    func deviation(_ block: Int, _ noise: IntegerNoise) -> Double {
        noise.variance.squareRoot() * blocks[block].worth
    }

    /// The integer of an entry that is that part, from -1 to 1, of its bound.
    @inline(__always)
    static func rounded(_ part: Double, _ largest: Int64) -> Int64 {
        let scaled = (part * Double(largest)).rounded()
        // NaN becomes 0.
        guard scaled == scaled else { return 0 }
        let bound = Double(largest)
        return Int64(min(max(scaled, -bound), bound))
    }
}

extension PrivacyLoss {
    /// Its parts in those proportions, each rounded down to the unit: together at most the loss. Throws unless the loss is one
    /// positive number, epsilon or rho.
    func divided(_ shares: [Int]) throws(MechanismError) -> [PrivacyLoss] {
        guard kind != .renyi, amount > 0 else { throw .parameter("loss", expected: "a positive epsilon or rho") }
        let total = Int128(shares.reduce(0, +))
        return shares.map { share in
            PrivacyLoss(kind: kind, amount: Int64(Int128(amount) * Int128(share) / total))
        }
    }
}
