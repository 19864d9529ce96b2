/// Several quantiles of values on a public grid, chosen together by the exponential mechanism (Gillenwater, Joseph and
/// Kulesza 2021, "Differentially Private Quantiles").
///
/// Among all m-tuples of places, sorted, y_1 <= ... <= y_m, the utility is
/// `-sum over j = 1...m + 1 of |n_j - n (q_j - q_(j-1))|`, with n_j the number of values from y_(j-1) on and below y_j,
/// q_0 = 0, q_(m+1) = 1: no budget is split among the quantiles. The places refine the grid, and equal values are spread
/// over them (`RefinedRanks`), so that a grid point where many values lie is chosen as often as its ranks say.
///
/// Privacy: a value more adds one place to the sorted ones (equal values take the first places of one fixed sequence).
/// One n_j grows by 1, and its target by q_j - q_(j-1), as all targets do, so the utility changes by at most
/// `2 (1 - min (q_j - q_(j-1)))`, and for a unit with several rows by as many times that. The choice is
/// epsilon-differentially private with bounded range epsilon. It follows the exact law (docs/privacy.md, rule 17): ranks are
/// drawn from the last to the first with weights known to outward-rounded bounds, first in floating point, and a draw
/// that the bounds do not decide is continued, with the same random digits, on bounds of more digits and wider reach,
/// until it is decided. So nothing depends on how the weights are rounded, but time.
///
/// Cost: about 1000 m / epsilon ranks a quantile, however many values there are, after the values are sorted; more where
/// thousands of values are equal, so that the time taken tells a little of the data: whoever shows it to others rounds it up
/// to a public one, as a datasite does.
public struct JointQuantiles: Sendable {
    /// The quantiles, rising.
    public let quantiles: [Double]
    /// What the choice costs, pure; it has bounded range epsilon.
    public let epsilon: Double
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int
    private let numerators: [Int64]
    private let denominator: Int64
    private let mechanism: ExponentialMechanism
    private let rate: ExponentRate
    private let rateOfStep: Double
    /// The utilities' sensitivity times the denominator.
    private let sensitivity: Int64

    static let mostQuantiles = 12

    /// Throws unless there are from 1 to 12 quantiles, rising, from 0 to 1 with at most nine decimal digits each (0.1 is
    /// one tenth), epsilon is from 2^-20 to 64, and `rowsPerUnit` is from 1 to 2^31.
    public init(quantiles: [Double], epsilon: Double, rowsPerUnit: Int = 1) throws(MechanismError) {
        guard (0x1p-20...64).contains(epsilon), let exact = Dyadic(epsilon) else {
            throw .parameter("epsilon", expected: "a number from 2^-20 to 64")
        }
        (numerators, denominator) = try Self.fractions(quantiles)
        let ends = zip(numerators + [denominator], [0] + numerators)
        let least = ends.reduce(denominator) { min($0, $1.0 - $1.1) }
        sensitivity = 2 * (denominator - least) * Int64(try IntegerNoise.check(rowsPerUnit: rowsPerUnit))
        mechanism = try ExponentialMechanism(epsilon: epsilon, sensitivity: sensitivity)
        rate = ExponentRate(
            numerator: exact.significand, divisors: [sensitivity.magnitude], shift: exact.exponent - 1)
        rateOfStep = epsilon / 2 / Double(sensitivity) * Double(denominator)
        self.quantiles = quantiles
        self.epsilon = epsilon
        self.rowsPerUnit = rowsPerUnit
    }

    /// With the largest epsilon, at most 64, that costs at most the loss: epsilon itself, or under zCDP epsilon^2 / 8.
    public init(quantiles: [Double], rowsPerUnit: Int = 1, loss: PrivacyLoss) throws(MechanismError) {
        try loss.checkIsBudget()
        let estimate = loss.kind == .pure ? loss.value : (8 * loss.value).squareRoot()
        var epsilon = min(64, estimate * (1 + 0x1p-50))
        while epsilon >= 0x1p-20,
            try PrivacyEvent.exponentialMechanism(epsilon: epsilon, times: 1).loss(kind: loss.kind).amount > loss.amount
        {
            epsilon = epsilon.nextDown
        }
        try self.init(quantiles: quantiles, epsilon: epsilon, rowsPerUnit: rowsPerUnit)
    }

    /// The quantiles' shortest decimal texts over one denominator, in lowest terms.
    private static func fractions(_ quantiles: [Double]) throws(MechanismError) -> ([Int64], Int64) {
        let expected = MechanismError.parameter(
            "quantiles", expected: "from 1 to 12 rising numbers from 0 to 1 with at most nine decimal digits")
        guard (1...mostQuantiles).contains(quantiles.count) else { throw expected }
        var numerators: [Int64] = []
        for quantile in quantiles {
            guard let (coefficient, exponent) = DecimalUnits.decimal(quantile), quantile <= 1, exponent >= -9 else {
                throw expected
            }
            let power = (0..<(9 + exponent)).reduce(1 as Int64) { product, _ in product * 10 }
            let numerator = Int64(coefficient) * power
            if let last = numerators.last, last >= numerator { throw expected }
            numerators.append(numerator)
        }
        let divisor = numerators.reduce(1_000_000_000, greatestCommonDivisor)
        return (numerators.map { $0 / divisor }, 1_000_000_000 / divisor)
    }

    private static func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }

    /// What happens at one release: one choice for all quantiles.
    public var event: PrivacyEvent { mechanism.event() }

    /// The quantiles of the values, clipped and rounded to the grid; NaN and infinities left out. Without values: random
    /// points.
    public func release<R: RandomNumberGenerator>(
        _ values: some Sequence<Double>, grid: ValueGrid, using generator: inout R
    ) throws(MechanismError) -> [Double] {
        var sorted = values.compactMap { grid.index($0) }
        sorted.sort()
        var indices: [Int] = []
        var counts: [Int64] = []
        for value in sorted {
            let index = Int(value - grid.lowest)
            if indices.last == index {
                counts[counts.count - 1] += 1
            } else {
                indices.append(index)
                counts.append(1)
            }
        }
        let chosen = try select(
            indices: indices, counts: counts, points: Int(grid.width) + 1, using: &generator)
        return chosen.map { Double(Int64($0) + grid.lowest) * grid.step }
    }

    /// The chosen grid points, rising, from 0 to `points - 1`. `indices` are the occupied grid points, rising, and
    /// `counts` their numbers of values. Throws unless they match, lie on the grid, are positive and at most 2^31 in all,
    /// and unless the grid has from 1 to 2^40 points.
    public func select<R: RandomNumberGenerator>(
        indices: [Int], counts: [Int64], points: Int, using generator: inout R
    ) throws(MechanismError) -> [Int] {
        guard (1...RefinedRanks.mostPoints).contains(points) else {
            throw .parameter("points", expected: "from 1 to 2^40")
        }
        let ranks = try RefinedRanks(indices: indices, counts: counts, points: points)
        return places(ranks, using: &generator).map { Int($0 >> UInt64(ranks.bits)) }
    }

    /// The chosen places, rising. `firstDoubling` above 0 leaves out floating point, for tests.
    func places<R: RandomNumberGenerator>(
        _ ranks: RefinedRanks, firstDoubling: Int = 0, using generator: inout R
    ) -> [UInt64] {
        let targets = QuantileTargets(
            count: ranks.count, numerators: numerators, denominator: denominator, rate: rate, rateOfStep: rateOfStep)
        var draw = Draw(remaining: numerators.count)
        draw.uniform.refine(using: &generator)
        let bits = 96 + 24 * numerators.count
        var doubling = firstDoubling
        if doubling == 0 {
            // The wider reach is for many equal values, among which the best ranks have narrow gaps.
            for reach in [bits, 96 + 64 * numerators.count] {
                let table = JointQuantileTable<DoubleBounds>(targets, ranks: ranks, bits: reach)
                if draw.advance(table, using: &generator) { return placesInGaps(draw.runs, ranks, using: &generator) }
            }
            doubling = 1
        }
        while true {
            let table = JointQuantileTable<NaturalBounds>(targets, ranks: ranks, bits: bits << doubling)
            draw.uniform.refine(using: &generator)
            if draw.advance(table, using: &generator) { return placesInGaps(draw.runs, ranks, using: &generator) }
            doubling += 1
        }
    }

    /// Uniform places in the gaps of the drawn ranks.
    private func placesInGaps<R: RandomNumberGenerator>(
        _ runs: [(rank: Int, length: Int)], _ ranks: RefinedRanks, using generator: inout R
    ) -> [UInt64] {
        var places: [UInt64] = []
        for run in runs {
            for gap in ranks.gaps(run.rank...run.rank) {
                for _ in 0..<run.length { places.append(gap.first + generator.next(upperBound: gap.width)) }
            }
        }
        return places.sorted()
    }

    /// How far, in ranks, any of the chosen points may lie from its quantile with that confidence, whatever the data, as
    /// long as no grid point holds 2^20 values or more:
    /// half of `2 sensitivity / epsilon * ln(places^m / (1 - confidence))`, the utility's distance from the best
    /// (Dwork and Roth 2014, corollary 3.12), and half of the best's own, at most m + 1. Rounded up.
    public func rankError(points: Int, confidence: Double) -> Double {
        let places = Double(max(1, points)) * Double(1 << RefinedRanks.defaultBits)
        let count = Double(numerators.count)
        let logarithm =
            count * OutwardRounding.logarithm(places) - OutwardRounding.logarithm(1 - confidence)
        let scaled = Double(sensitivity) / Double(denominator) / epsilon
        return OutwardRounding.up(scaled * logarithm + (count + 1) / 2)
    }
}

/// A draw of ranks that is under way: what is decided stays so when the tables get finer.
private struct Draw {
    /// The quantiles that have no rank yet: the first ones.
    var remaining: Int
    /// The rank of the last of them, if it is drawn and only the length of its run is not.
    var rank: Int?
    var runs: [(rank: Int, length: Int)] = []
    var uniform = LazyUniform()

    init(remaining: Int) {
        self.remaining = remaining
    }

    /// Draws until all ranks are decided, or one is not by this table: then false.
    mutating func advance<Bounds: PositiveBounds, R: RandomNumberGenerator>(
        _ table: JointQuantileTable<Bounds>, using generator: inout R
    ) -> Bool {
        while remaining > 0 {
            guard let rank = rank ?? table.rank(of: remaining - 1, next: runs.last?.rank, at: uniform) else {
                return false
            }
            if self.rank == nil { renew(using: &generator) }
            self.rank = rank
            guard let length = table.runLength(of: remaining - 1, rank: rank, at: uniform) else { return false }
            renew(using: &generator)
            runs.append((rank, length))
            remaining -= length
            self.rank = nil
        }
        return true
    }

    private mutating func renew<R: RandomNumberGenerator>(using generator: inout R) {
        uniform = LazyUniform()
        uniform.refine(using: &generator)
    }
}
