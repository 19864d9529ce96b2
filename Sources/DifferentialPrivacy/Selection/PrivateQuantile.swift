/// A quantile on a public grid, chosen by the exponential mechanism.
///
/// The utility of a grid point is minus the distance of `q n` from the interval [number of values below it, number of
/// values at or below it], n the number of values: 0 for a point that is a q-quantile. (Where no value lies on the
/// point, that is `-|#below - q n|`; where many do, as the zeros of a cost, the whole step counts, so that the point
/// itself can be chosen.)
///
/// Privacy: adding a value changes each end of the interval minus `q n` by -q or 1 - q, so the distance by at most
/// max(q, 1 - q), and a unit with m values in the group changes it by at most m times that. One choice is thus
/// epsilon-differentially private with bounded range epsilon; a unit in k groups pays k times (docs/privacy.md, rule 20).
/// The choice is by the exact law: see `ExponentialMechanism`. Utilities are integers after multiplication by q's
/// denominator.
///
/// **Brackets.** A choice at an offset of t ranks aims at `q n + t` in place of `q n`: the same constant is taken off both
/// ends of each point's interval, in any two tables, so the sensitivity is the same. A target below all ranks, or above
/// them, belongs to the grid's first point, or last: nothing lies beyond it, so the interval of the first point begins at
/// minus infinity where t is negative, that of the last ends at infinity where it is positive; an end that never moves
/// changes no distance more. So some point's utility is 0 whatever n is, and by `rankError` the point chosen at -t has
/// more than `q n` values below it with a probability of 1 - confidence at most, if t exceeds the rank error at that
/// confidence; the one chosen at t likewise. Between the two lies the quantile (`bracketOffset`).
public struct PrivateQuantile: Sendable {
    /// q = numerator / denominator.
    public let numerator: Int64
    /// The denominator of q.
    public let denominator: Int64
    /// What one choice costs, pure, for one group.
    public let epsilon: Double
    /// The most values of one privacy unit in a group.
    public let rowsPerUnitAndGroup: Int
    private let mechanism: ExponentialMechanism

    /// The quantile numerator / denominator. Throws unless it is from 0 to 1 with a denominator of at most 10^9,
    /// epsilon is from 2^-40 to 2^20, and the number of rows from 1 to 2^31.
    public init(
        numerator: Int64, denominator: Int64, epsilon: Double, rowsPerUnitAndGroup: Int = 1
    ) throws(MechanismError) {
        guard (1...1_000_000_000).contains(denominator), (0...denominator).contains(numerator) else {
            throw .parameter("quantile", expected: "a number from 0 to 1 with at most nine decimal digits")
        }
        guard (1...(1 << 31)).contains(rowsPerUnitAndGroup) else {
            throw .parameter("rows per unit and group", expected: "a number from 1 to 2^31")
        }
        self.numerator = numerator
        self.denominator = denominator
        self.epsilon = epsilon
        self.rowsPerUnitAndGroup = rowsPerUnitAndGroup
        mechanism = try ExponentialMechanism(
            epsilon: epsilon, sensitivity: max(numerator, denominator - numerator) * Int64(rowsPerUnitAndGroup))
    }

    /// The quantile that the number's shortest decimal text names: 0.1 is one tenth.
    public init(q: Double, epsilon: Double, rowsPerUnitAndGroup: Int = 1) throws(MechanismError) {
        guard let (coefficient, exponent) = DecimalUnits.decimal(q), q <= 1, exponent >= -9 else {
            throw .parameter("quantile", expected: "a number from 0 to 1 with at most nine decimal digits")
        }
        let denominator = (0..<max(0, -exponent)).reduce(1 as Int64) { product, _ in product * 10 }
        try self.init(
            numerator: Int64(coefficient), denominator: denominator, epsilon: epsilon,
            rowsPerUnitAndGroup: rowsPerUnitAndGroup)
    }

    /// What happens when quantiles of all groups are chosen and one unit may occur in `groupsPerUnit` of them.
    public func event(groupsPerUnit: Int) -> PrivacyEvent {
        mechanism.event(times: groupsPerUnit)
    }

    /// The chosen grid point, from 0 to `points - 1`. `indices` are the occupied grid points, rising, and `counts`
    /// their numbers of values. Throws unless they match, lie on the grid, are positive and fewer than 2^62 in all, and
    /// unless the grid has from 1 to 2^61 points and the offset is within 2^61 either way.
    ///
    /// - Parameter offset: by how many ranks the target lies above `q n` (below it, if negative).
    public func select<R: RandomNumberGenerator>(
        indices: [Int32], counts: [Int64], points: Int, offset: Int64 = 0, using generator: inout R
    ) throws(MechanismError) -> Int {
        guard (1...(1 << 61)).contains(points) else { throw .parameter("points", expected: "from 1 to 2^61") }
        guard offset.magnitude <= 1 << 61 else { throw .parameter("offset", expected: "within 2^61 either way") }
        guard indices.count == counts.count else { throw .parameter("counts", expected: "as many as indices") }
        let runs = try runs(indices: indices, counts: counts, points: points, offset: offset)
        let least = runs.items.reduce(runs.items[0].shortfall) { min($0, $1.shortfall) }
        var items = runs.items
        for index in items.indices { items[index].shortfall -= least }
        let chosen = mechanism.choice.select(items, using: &generator)
        let count = items[chosen].count
        return Int(runs.starts[chosen]) + (count == 1 ? 0 : Int(generator.next(upperBound: count)))
    }

    /// Runs of grid points with one utility: each occupied point, and each gap.
    private func runs(
        indices: [Int32], counts: [Int64], points: Int, offset: Int64
    ) throws(MechanismError) -> (items: [WeightedChoice.Item], starts: [UInt64]) {
        var total: Int64 = 0
        for count in counts {
            guard count > 0, count < 1 << 62 - total else {
                throw .parameter("counts", expected: "positive numbers, fewer than 2^62 in all")
            }
            total += count
        }
        let target = Int128(numerator) * Int128(total) + Int128(denominator) * Int128(offset)
        var items: [WeightedChoice.Item] = []
        var starts: [UInt64] = []
        items.reserveCapacity(2 * indices.count + 2)
        starts.reserveCapacity(2 * indices.count + 2)
        func append(_ range: Range<Int>, below: Int64, atOrBelow: Int64) {
            guard !range.isEmpty else { return }
            // The grid's first point has utilities of its own below all ranks, its last one above them.
            let isFirst = offset < 0 && range.lowerBound == 0
            let isLast = offset > 0 && range.upperBound == points
            if range.count > 1, isFirst || isLast {
                let cut = isFirst ? range.lowerBound + 1 : range.upperBound - 1
                append(range.lowerBound..<cut, below: below, atOrBelow: atOrBelow)
                return append(cut..<range.upperBound, below: below, atOrBelow: atOrBelow)
            }
            let low = Int128(denominator) * Int128(below)
            let high = Int128(denominator) * Int128(atOrBelow)
            let isAbove = target > high && !isLast
            let isBelow = target < low && !isFirst
            let shortfall = isAbove ? target - high : isBelow ? low - target : 0
            items.append(.init(shortfall: UInt128(shortfall), count: UInt64(range.count)))
            starts.append(UInt64(range.lowerBound))
        }
        var next = 0
        var below: Int64 = 0
        for (index, count) in zip(indices, counts) {
            guard index >= next && index < points else {
                throw .parameter("indices", expected: "rising points of the grid")
            }
            append(next..<Int(index), below: below, atOrBelow: below)
            append(Int(index)..<Int(index) + 1, below: below, atOrBelow: below + count)
            below += count
            next = Int(index) + 1
        }
        append(next..<points, below: below, atOrBelow: below)
        return (items, starts)
    }

    /// The least whole number of ranks for which choices at both offsets of that size lie around the quantile, each with
    /// that confidence at least, whatever the data: one that exceeds the rank error.
    public func bracketOffset(points: Int, confidence: Double) -> Int64 {
        Int64(min(rankError(points: points, confidence: confidence).rounded(.down), 0x1p60)) + 1
    }

    /// How far, in ranks, the chosen point may lie from the quantile with that confidence, whatever the data:
    /// `2 sensitivity / epsilon * ln(points / (1 - confidence))` (Dwork and Roth 2014, corollary
    /// 3.12; some grid point's utility is always 0), rounded up.
    public func rankError(points: Int, confidence: Double) -> Double {
        let q = Double(numerator) / Double(denominator)
        let sensitivity = max(q, 1 - q) * Double(rowsPerUnitAndGroup)
        return OutwardRounding.up(
            2 * sensitivity / epsilon * OutwardRounding.logarithm(Double(points) / (1 - confidence)))
    }
}
