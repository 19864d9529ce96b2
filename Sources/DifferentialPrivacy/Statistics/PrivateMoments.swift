/// Count, first and second moments of several clipped columns, with exact noise: what covariance matrices and linear
/// regressions need (Dwork, Talwar, Thakurta and Zhang 2014, "Analyze Gauss"; Wang 2018, "Revisiting differentially
/// private linear regression").
///
/// Each column is measured from the middle of its bounds, in steps, v_i in [-r_i, r_i]. Released are the sums of E,
/// c_i v_i and c_ij v_i v_j (i <= j), with public integers c_i = floor(E / r_i), c_ij = floor(E / (r_i r_j)): d (d + 3) / 2
/// + 1 integers of which a row adds at most E to each. Rows in which any column is NaN or infinite are left out.
///
/// Privacy: a row's L1 norm is at most E times the number of sums, its squared L2 norm E^2 times it; see `IntegerNoise`.
/// Everything else is post-processing.
public struct PrivateMoments: Sendable {
    /// The grids in use: those given, coarsened until half of each is at most 2^12 steps, further where the noise for so
    /// small a loss would exceed 2^40.
    public let grids: [ValueGrid]
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    /// The noise on each sum.
    public let noise: IntegerNoise

    /// E: 64 times the square of the largest r, so that rounding c down costs little.
    let largest: Int64

    static let mostColumns = 64

    /// Throws unless there are from 1 to 64 columns, `rowsPerUnit` is from 1 to 2^31, and noise for that loss exists.
    public init(grids: [ValueGrid], rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        guard (1...Self.mostColumns).contains(grids.count) else {
            throw .parameter("columns", expected: "a number from 1 to 64")
        }
        var bits = 12
        var made = try Self.noise(grids, bits: bits, rowsPerUnit, loss)
        while made.noise == nil && bits > 6 {
            bits -= 1
            made = try Self.noise(grids, bits: bits, rowsPerUnit, loss)
        }
        guard let noise = made.noise else {
            throw .parameter("loss", expected: "a loss that noise of scale 2^40 can give")
        }
        self.grids = made.grids
        self.rowsPerUnit = rowsPerUnit
        self.noise = noise
        largest = Self.largest(bits: bits)
    }

    private static func largest(bits: Int) -> Int64 { 1 << Int64(2 * bits + 6) }

    /// The grids of at most 2^bits steps on each side, and the noise, where that exists.
    private static func noise(
        _ grids: [ValueGrid], bits: Int, _ rowsPerUnit: Int, _ loss: PrivacyLoss
    ) throws(MechanismError) -> (grids: [ValueGrid], noise: IntegerNoise?) {
        _ = try IntegerNoise.check(rowsPerUnit: rowsPerUnit)
        var coarsened: [ValueGrid] = []
        for grid in grids { coarsened.append(try grid.coarsened(bits: bits, of: \.radius)) }
        let sums = UInt128(1 + grids.count * (grids.count + 3) / 2)
        let one = UInt128(largest(bits: bits).magnitude)
        let noise = try? IntegerNoise(
            rowsPerUnit: rowsPerUnit, rowL1: sums * one, rowL2Squared: sums * one * one, loss: loss)
        return (coarsened, noise)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The noisy moments of the rows; throws unless each has a value for every column.
    public func release<R: RandomNumberGenerator>(
        _ rows: some Sequence<[Double]>, using generator: inout R
    ) throws(MechanismError) -> NoisyMoments {
        let count = grids.count
        var sums = [ExactSum](repeating: ExactSum(), count: 1 + count * (count + 3) / 2)
        var distances = [Int64](repeating: 0, count: count)
        for row in rows {
            guard row.count == count else { throw .parameter("row", expected: "a value for every column") }
            guard measure(row, into: &distances) else { continue }
            add(distances, to: &sums)
        }
        var totals = sums.map(\.clamped)
        noise.add(to: &totals, using: &generator)
        return NoisyMoments(unscaled(totals), scales: scales, grids: grids, noise: noise)
    }

    private func measure(_ row: [Double], into distances: inout [Int64]) -> Bool {
        for (column, grid) in grids.enumerated() {
            guard let index = grid.index(row[column]) else { return false }
            distances[column] = index - grid.centre
        }
        return true
    }

    /// 1, the columns, and then the products of each column with itself and those before it.
    private func add(_ distances: [Int64], to sums: inout [ExactSum]) {
        sums[0].add(largest)
        var next = 1
        for (i, v) in distances.enumerated() {
            sums[next].add(largest / grids[i].radius * v)
            next += 1
        }
        for (i, v) in distances.enumerated() {
            for j in 0...i {
                sums[next].add(largest / (grids[i].radius * grids[j].radius) * (v * distances[j]))
                next += 1
            }
        }
    }

    /// What one unit of each noisy integer is worth, with columns in units of half their bounds' distance.
    private var scales: [Double] {
        var scales = [1 / Double(largest)]
        let radii = grids.map(\.radius)
        for radius in radii { scales.append(1 / Double(largest / radius) / Double(radius)) }
        for i in radii.indices {
            for j in 0...i {
                let product = radii[i] * radii[j]
                scales.append(1 / Double(largest / product) / Double(product))
            }
        }
        return scales
    }

    private func unscaled(_ totals: [Int64]) -> [Double] {
        zip(totals, scales).map { Double($0) * $1 }
    }
}

/// Noisy moments of several columns.
public struct NoisyMoments: Sendable {
    /// The columns' bounds and grids, in order.
    public let grids: [ValueGrid]
    /// The sums of 1, of the columns x_i in [-1, 1] (measured from the middle of their bounds, in units of `radius`), and of
    /// their products.
    let sums: [Double]
    /// The standard deviation of each sum's noise.
    let deviations: [Double]
    let noise: IntegerNoise

    init(_ sums: [Double], scales: [Double], grids: [ValueGrid], noise: IntegerNoise) {
        self.sums = sums
        self.grids = grids
        self.noise = noise
        let deviation = noise.variance.squareRoot()
        deviations = scales.map { $0 * deviation }
    }

    /// The noisy number of rows that took part.
    public var count: Double { sums[0] }

    /// The position of a sum: of column i, or of the product of columns i and j.
    func position(_ i: Int) -> Int { 1 + i }
    func position(_ i: Int, _ j: Int) -> Int {
        let (low, high) = (min(i, j), max(i, j))
        return 1 + grids.count + high * (high + 1) / 2 + low
    }

    func radius(_ column: Int) -> Double { Double(grids[column].radius) * grids[column].step }
    func middle(_ column: Int) -> Double { Double(grids[column].centre) * grids[column].step }

    /// The columns' means, within their bounds; their middles where the noisy count is not positive.
    public var means: [Double] {
        grids.indices.map { column in
            let scaled = count > 0 ? min(max(sums[position(column)] / count, -1), 1) : 0
            return middle(column) + radius(column) * scaled
        }
    }

    /// The covariance matrix by rows (of the values as they are: divided by their number): the positive semidefinite one
    /// nearest to the noisy one, in units of the columns' bounds (eigenvalues below zero set to zero); zero where the
    /// noisy count is not positive.
    public var covariance: [[Double]] {
        let nearest = scaledCovariance.mapEigenvalues { max(0, $0) }
        return grids.indices.map { i in
            grids.indices.map { radius(i) * radius($0) * nearest[i, $0] }
        }
    }

    private var scaledCovariance: SymmetricMatrix {
        SymmetricMatrix(size: grids.count) { i, j in
            guard count > 0 else { return 0 }
            let first = sums[position(i)] / count
            let second = sums[position(j)] / count
            return sums[position(i, j)] / count - first * second
        }
    }
}
