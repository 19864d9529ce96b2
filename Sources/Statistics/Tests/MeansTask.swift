public import DifferentialPrivacy

/// One row of a comparison: the group, and the number that is compared.
public struct GroupedValue: Sendable, Hashable {
    /// The number of the public group, from 0 on.
    public var group: Int
    /// The number; clipped to the task's bounds.
    public var value: Double

    /// A row as it is, bounded later.
    public init(group: Int, value: Double) {
        self.group = group
        self.value = value
    }
}

/// Count, sum and sum of squares of a clipped number by public group: what t tests and analysis of variance need.
///
/// A value is clipped to its bounds, rounded to the grid, and measured from their middle: v in [-r, r], in steps. A row
/// adds r^2, 2 r v and v^2 to its group's three integers. The sum has twice the weight of count and squares, since a
/// mean's error is mostly its: with equal weights its deviation would be 3/4 of the L1 sensitivity instead of half.
/// Rows whose value is no finite number, or whose group is not declared, are left out.
///
/// The vector, for each group: count, sum, squares.
///
/// Privacy: a row's L1 norm is `r^2 + 2 r |v| + v^2`, at most 4 r^2, its squared L2 norm at most 6 r^4; of a unit's R
/// rows the triangle inequality makes 4 r^2 R and 6 r^4 R^2.
public struct MeansTask: Sendable, Hashable {
    /// The most groups.
    public static let groupLimit = 4096

    /// The grid in use: the one given, coarsened until half of it is at most 2^10 steps.
    public let grid: ValueGrid
    /// The number of public groups.
    public let groups: Int
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int

    /// Throws unless there are from 1 to 4096 groups and from 1 to 2^31 rows of a unit.
    public init(grid: ValueGrid, groups: Int, rowsPerUnit: Int = 1) throws(MechanismError) {
        guard (1...Self.groupLimit).contains(groups) else {
            throw .parameter("groups", expected: "a number from 1 to 4096")
        }
        var coarse = grid
        while coarse.highest - coarse.centre > 1 << 10 && coarse.step * 4 <= grid.upper - grid.lower {
            coarse = try ValueGrid(lower: grid.lower, upper: grid.upper, step: coarse.step * 2)
        }
        self.grid = coarse
        self.groups = groups
        self.rowsPerUnit = try RowBound.check(rowsPerUnit)
    }

    /// The largest distance from the middle, in steps: r.
    public var radius: Int64 { grid.highest - grid.centre }

    /// What is taken of a group's number of rows, of its sum and of its sum of squares, both in steps from the middle: r^2, 2 r and 1.
    public var factors: (count: Int64, sum: Int64, squares: Int64) { (radius * radius, 2 * radius, 1) }

    /// The vector's length.
    public var length: Int { 3 * groups }
    /// The largest L1 change of the vector by one unit.
    public var l1Sensitivity: UInt128 { 4 * square * UInt128(rowsPerUnit) }
    /// The largest squared L2 change.
    public var l2SensitivitySquared: UInt128 { 6 * square * square * UInt128(rowsPerUnit) * UInt128(rowsPerUnit) }

    private var square: UInt128 { UInt128((radius * radius).magnitude) }

    /// The row's group, and what it adds to that group's three integers; nil where it is left out.
    public func contribution(of row: GroupedValue) -> (group: Int, count: Int64, sum: Int64, squares: Int64)? {
        guard (0..<groups).contains(row.group), let index = grid.index(row.value) else { return nil }
        let v = index - grid.centre
        let factors = factors
        return (row.group, factors.count, factors.sum * v, factors.squares * v * v)
    }

    /// The exact vector: private, to be added noise to. Sums beyond 2^62 become that bound, which brings neighbours no
    /// further apart.
    public func sums(_ rows: some Sequence<GroupedValue>) -> [Int64] {
        var sums = [Int128](repeating: 0, count: length)
        for row in rows {
            guard let added = contribution(of: row) else { continue }
            sums[3 * added.group] += Int128(added.count)
            sums[3 * added.group + 1] += Int128(added.sum)
            sums[3 * added.group + 2] += Int128(added.squares)
        }
        let limit: Int128 = 1 << 62
        return sums.map { Int64(truncatingIfNeeded: min(max($0, -limit), limit)) }
    }

    /// What noisy integers of this vector say. Throws unless there are as many as entries.
    public func estimate(_ noisy: [Int64], noise: AddedNoise) throws(MechanismError) -> NoisyMeans {
        guard noisy.count == length else { throw .parameter("integers", expected: "one for each entry") }
        return NoisyMeans(task: self, noisy: noisy, noise: noise)
    }
}

/// Means and variances by group with Welch's t test and the analysis of variance, from noisy sums.
///
/// Privacy: see `MeansTask` for the sensitivities and `IntegerNoise` for the noise; estimates are post-processing.
public struct PrivateMeans: Sendable {
    /// What is added up.
    public let task: MeansTask
    /// The noise on each sum.
    public let noise: IntegerNoise

    /// Throws unless noise for that loss, pure epsilon or rho, exists.
    public init(_ task: MeansTask, loss: PrivacyLoss) throws(MechanismError) {
        self.task = task
        noise = try IntegerNoise(
            l1Sensitivity: task.l1Sensitivity, l2SensitivitySquared: task.l2SensitivitySquared, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The noisy sums of the rows.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Sequence<GroupedValue>, using generator: inout R
    ) throws(MechanismError) -> NoisyMeans {
        var sums = task.sums(rows)
        noise.add(to: &sums, using: &generator)
        return try task.estimate(sums, noise: AddedNoise(noise))
    }
}
