/// The weights from which joint quantiles are drawn, bounded in one arithmetic.
///
/// Quantile j takes a rank r_j; ranks r_1 <= ... <= r_m have the weight
/// `product of exp(-rate |D (r_j - r_(j-1)) - n P_j|)` (j = 1...m + 1, r_0 = 0, r_(m+1) = n, P_j / D the targets'
/// differences) times the volume of the places they stand for: a run of k equal ranks in a gap of width w has w^k / k!.
/// With f_j(r) the weight of all ways to place the first j quantiles, the j-th and no later one at rank r,
/// f_(j+1) is a convolution of f_j with a two-sided geometric kernel, which recurrences compute in linear time; and
/// ranks are drawn from the last to the first.
///
/// Only ranks within `reach` of a quantile's target are tabled. Whatever places a quantile further away weighs at most
/// `exp(-rate D reach)` of all volume, since the deviations up to it add up to at least its own: `outside` is from
/// nothing to that much. It belongs to unknown ranks, some below all tabled ones, so it comes first in each line of
/// items: then all their ends are as uncertain as it is, and a rank is drawn only if every finer table draws the same.
struct JointQuantileTable<Bounds: PositiveBounds> {
    let targets: QuantileTargets
    let bits: Int
    let windows: [ClosedRange<Int>]
    private let volumes: [[Bounds]]
    /// The weights of all that is not tabled, together: from zero.
    private let outside: Bounds
    /// f_j(r), from j = 1.
    private(set) var placed: [[Bounds]] = []
    /// The weight of the first j quantiles below rank r, times the kernel to a next one at r; from j = 0.
    private var before: [[Bounds]] = []
    /// The kernels at distance 0, from j = 1.
    private let standing: [Bounds]

    init(_ targets: QuantileTargets, ranks: RefinedRanks, bits: Int) {
        self.targets = targets
        self.bits = bits
        let reach = targets.reach(bits: bits)
        let windows = targets.windows(reach: reach)
        self.windows = windows
        let isWhole = windows.allSatisfy { $0 == 0...targets.count }
        outside =
            isWhole
            ? .zero
            : Bounds.exponential(targets.rate, UInt128(reach) * UInt128(targets.denominator), bits: bits).orLess
        let shift = Int.bitWidth - Int(ranks.places - 1).leadingZeroBitCount
        volumes = windows.map { window in
            ranks.gaps(window).map { .fraction($0.width, shift: shift, bits: bits) }
        }
        standing = (0..<targets.differences.count).map {
            .exponential(targets.rate, targets.deviation(step: $0, distance: 0), bits: bits)
        }
        for j in windows.indices {
            before.append(j == 0 ? first() : convolve(j))
            placed.append(windows[j].map { rank in runs(j, rank).reduce(.zero, +) })
        }
    }

    private func kernel(step: Int, distance: Int) -> Bounds {
        .exponential(targets.rate, targets.deviation(step: step, distance: distance), bits: bits)
    }

    private func first() -> [Bounds] {
        windows[0].map { kernel(step: 0, distance: $0) }
    }

    /// The weights of quantile j (from 0) at that rank by the number of quantiles at the same rank that end with it:
    /// 1, 2, ... up to all.
    private func runs(_ j: Int, _ rank: Int) -> [Bounds] {
        let volume = volumes[j][rank - windows[j].lowerBound]
        var factor = Bounds.fraction(1, shift: 0, bits: bits)
        var result: [Bounds] = []
        for length in 1...(j + 1) {
            let start = j + 1 - length
            factor = (factor * volume).divided(by: UInt64(length))
            if length > 1 { factor = factor * standing[start + 1] }
            let window = windows[start]
            result.append(window.contains(rank) ? factor * before[start][rank - window.lowerBound] : .zero)
        }
        return result
    }

    // MARK: - The convolution

    /// Sum over r' < r of `placed[j - 1][r'] * kernel(r - r')`, for each r of window j.
    ///
    /// The target distance is a + s / D. A rank r' at most a below r deviates by `D (a - d) + s`, one further below by
    /// `D (d - a - 1) + (D - s)`: geometric sums on both sides, the near one over a sliding window of length a.
    private func convolve(_ j: Int) -> [Bounds] {
        let (steps, remainder) = targets.distance(step: j)
        let ratio = Bounds.exponential(targets.rate, UInt128(targets.denominator), bits: bits)
        let nearFactor = Bounds.exponential(targets.rate, UInt128(remainder), bits: bits)
        let farFactor = Bounds.exponential(
            targets.rate, UInt128(targets.denominator - remainder), bits: bits)
        let far = farSums(j, steps: steps, ratio: ratio)
        let near = nearSums(j, steps: steps, ratio: ratio)
        return zip(near, far).map { nearFactor * $0 + farFactor * $1 }
    }

    private func value(_ j: Int, _ rank: Int) -> Bounds {
        windows[j].contains(rank) ? placed[j][rank - windows[j].lowerBound] : .zero
    }

    /// For each r of window j, with x = r - steps - 1: the sum over r' <= x of `ratio^(x - r') f(r')`.
    private func farSums(_ j: Int, steps: Int, ratio: Bounds) -> [Bounds] {
        let window = windows[j]
        var sum = Bounds.zero
        var x = windows[j - 1].lowerBound
        let start = window.lowerBound - steps - 1
        while x < start {
            sum = sum * ratio + value(j - 1, x)
            x += 1
        }
        return window.map { rank in
            let end = rank - steps - 1
            guard end >= windows[j - 1].lowerBound else { return .zero }
            sum = sum * ratio + value(j - 1, end)
            return sum
        }
    }

    /// For each r of window j, with y = r - steps: the sum over y <= r' < r of `ratio^(r' - y) f(r')`.
    ///
    /// A window that slides, without subtraction: positions are cut into blocks of the window's length, and a window is
    /// the end of one block and the start of the next. What lies beyond the last value does not count, so that a window
    /// need not be longer than the values.
    private func nearSums(_ j: Int, steps: Int, ratio: Bounds) -> [Bounds] {
        let window = windows[j]
        let origin = window.lowerBound - steps
        let length = min(steps, windows[j - 1].upperBound - origin + 1)
        guard length > 0 else { return window.map { _ in .zero } }
        let count = window.count + length
        let values = (0..<count).map { value(j - 1, origin + $0) }
        var powers = [Bounds.fraction(1, shift: 0, bits: bits)]
        for power in 1...length { powers.append(powers[power - 1] * ratio) }
        var (starts, ends) = (values, values)
        for index in values.indices {
            let offset = index % length
            if offset > 0 { starts[index] = starts[index - 1] + powers[offset] * values[index] }
        }
        for index in values.indices.reversed() where index + 1 < count && (index + 1) % length > 0 {
            ends[index] = values[index] + ratio * ends[index + 1]
        }
        return window.indices.enumerated().map { position, _ in
            let offset = position % length
            if offset == 0 { return ends[position] }
            let next = length - offset
            return ends[position] + powers[next] * starts[position + length - 1]
        }
    }

    // MARK: - Draws

    /// The rank of quantile j (from 0), whose next one has a later rank, or is the end; nil if not decided.
    func rank(of j: Int, next: Int?, at uniform: LazyUniform) -> Int? {
        let window = windows[j]
        var items = [outside]
        items.reserveCapacity(window.count + 1)
        for rank in window {
            guard rank < next ?? (targets.count + 1) else { break }
            items.append(
                placed[j][rank - window.lowerBound] * kernel(step: j + 1, distance: (next ?? targets.count) - rank))
        }
        guard let chosen = Bounds.item(of: items, at: uniform), chosen > 0 else { return nil }
        return window.lowerBound + chosen - 1
    }

    /// How many quantiles, the j-th and those just before it, share its rank; nil if not decided.
    func runLength(of j: Int, rank: Int, at uniform: LazyUniform) -> Int? {
        guard let chosen = Bounds.item(of: [outside] + runs(j, rank), at: uniform), chosen > 0 else { return nil }
        return chosen
    }
}

/// The targets q_j n of several quantiles, as integers.
struct QuantileTargets: Sendable {
    /// The number of values, n.
    let count: Int
    /// q_j = numerators[j] / denominator.
    let numerators: [Int64]
    let denominator: Int64
    /// Of the exponential weights, in utilities times the denominator.
    let rate: ExponentRate
    /// An estimate of rate times the denominator, for choosing how far tables reach.
    let rateOfStep: Double

    /// P_j = numerators[j] - numerators[j - 1], and the last up to the denominator.
    var differences: [Int64] {
        zip(numerators + [denominator], [0] + numerators).map { $0 - $1 }
    }

    /// `|D distance - n P|`.
    func deviation(step: Int, distance: Int) -> UInt128 {
        let target = Int128(count) * Int128(differences[step])
        return (Int128(denominator) * Int128(distance) - target).magnitude
    }

    /// The target distance n P / D as whole ranks and a rest, in units of 1 / D.
    func distance(step: Int) -> (ranks: Int, rest: Int64) {
        let target = Int128(count) * Int128(differences[step])
        let (quotient, rest) = target.quotientAndRemainder(dividingBy: Int128(denominator))
        return (Int(quotient), Int64(rest))
    }

    /// How many ranks from a target weights fall below about 2^-bits; at most the number of values.
    func reach(bits: Int) -> Int {
        let ranks = Double(bits) * 0.6932 / rateOfStep + 2
        return ranks < Double(count) ? Int(ranks) : max(1, count)
    }

    /// The ranks within `reach` of each target.
    func windows(reach: Int) -> [ClosedRange<Int>] {
        numerators.map { numerator in
            let target = Int128(count) * Int128(numerator)
            let floor = Int(target / Int128(denominator))
            let isWhole = target % Int128(denominator) == 0
            let low = max(0, (isWhole ? floor : floor + 1) - reach)
            return low...min(count, floor + reach)
        }
    }
}
