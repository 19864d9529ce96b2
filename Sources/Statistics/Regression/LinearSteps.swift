internal import DifferentialPrivacy

/// Least squares from noisy sums of products of z and the response y, scaled to [-1, 1] (Wang 2018, "Revisiting
/// differentially private linear regression"), with a second release of the units' squared scores where the sampling
/// variance is robust.
///
/// With A = sum of w z z' and b = sum of w z y, of noises E and e, `b - A beta` at the population's coefficients is the sum of
/// scores and `e - E beta`, whose variance is known. The inverse of a noisy A has a bias of second order in E (attenuation, as
/// of regressors with errors: Fuller 1987, "Measurement error models", section 2.2), which is taken off.
struct LinearSteps: Sendable {
    let design: RegressionDesign
    /// The middle of the response's bounds, and half their distance.
    let middle: Double
    let radius: Double
    let rowsPerUnit: Int
    let isRobust: Bool
    let losses: [PrivacyLoss]
    let pairs: ColumnPairs
    let unitPairs: ColumnPairs

    init(
        _ design: RegressionDesign, bounds: (lower: Double, upper: Double), rowsPerUnit: Int, isRobust: Bool,
        loss: PrivacyLoss
    ) throws(MechanismError) {
        let (lower, upper) = bounds
        guard lower < upper, (upper - lower).isFinite else {
            throw .parameter("bounds", expected: "finite numbers, the lower one below the upper one")
        }
        self.design = design
        middle = lower + (upper - lower) / 2
        radius = (upper - lower) / 2
        self.rowsPerUnit = rowsPerUnit
        self.isRobust = isRobust
        losses = try loss.divided(isRobust ? [3, 1] : [1])
        pairs = ColumnPairs(design.groups)
        unitPairs = rowsPerUnit == 1 ? pairs : ColumnPairs([Int](repeating: -1, count: design.width))
    }

    var count: Int { losses.count }

    /// Sums of products of z with z, of z with y, and of the square of y.
    func momentLayout() throws(MechanismError) -> IntegerLayout {
        func block(_ entries: Int, _ nonzero: Int) -> IntegerLayout.Block {
            IntegerLayout.Block(
                entries: entries, largest: IntegerLayout.unit, nonzero: nonzero, times: rowsPerUnit, bound: 1)
        }
        let products = block(pairs.pairs.count, ColumnPairs.products(design.nonzero))
        return try IntegerLayout([products, block(design.width, design.nonzero), block(1, 1)])
    }

    /// Products of a unit's scores, over the square of the largest score, and how much was cut of them.
    func squareLayout(cap: Double) throws(MechanismError) -> IntegerLayout {
        let nonzero = min(design.width, 1 + (design.nonzero - 1) * rowsPerUnit)
        return try IntegerLayout([
            IntegerLayout.Block(
                entries: unitPairs.pairs.count, largest: IntegerLayout.unit, nonzero: ColumnPairs.products(nonzero),
                times: 1, bound: cap * cap),
            IntegerLayout.Block(entries: 1, largest: IntegerLayout.unit, nonzero: 1, times: 1, bound: 1),
        ])
    }

    func layout(after noisy: [[Int64]]) throws(MechanismError) -> IntegerLayout {
        noisy.isEmpty ? try momentLayout() : try next(after: noisy).layout
    }

    /// The response of a row, scaled.
    @inline(__always)
    func scaled(_ row: EncodedRow) -> Double {
        min(max((row.response - row.offset - middle) / radius, -1), 1)
    }

    /// Adds a unit's contribution; `solution` is what the first release gave, in the second.
    func add(
        _ rows: some Sequence<RegressionRow>, to sums: inout [ExactSum], at point: LinearPoint,
        _ encoded: inout EncodedRow
    ) throws(MechanismError) {
        var scores = [Double](repeating: 0, count: point.solution == nil ? 0 : design.width)
        var taken = 0
        for row in rows {
            guard taken < rowsPerUnit else { break }
            taken += 1
            guard try design.encode(row, into: &encoded) else { continue }
            let y = scaled(encoded)
            if let solution = point.solution {
                encoded.offset = 0
                let residual = encoded.weight * (y - encoded.predictor(solution))
                for a in 0..<encoded.count { scores[encoded.columns[a]] += residual * encoded.values[a] }
            } else {
                addMoments(encoded, y, to: &sums, point.layout)
            }
        }
        guard point.solution != nil else { return }
        let largest = scores.reduce(0.0) { max($0, abs($1)) }
        // The unit's scores as a whole are held to the cap.
        let factor = largest > point.cap ? 1 / largest : 1 / point.cap
        if largest > point.cap { sums[point.layout.starts[1]].add(IntegerLayout.unit) }
        let columns = scores.indices.filter { scores[$0] != 0 }
        for (place, i) in columns.enumerated() {
            for j in columns[0...place] {
                let part = scores[i] * factor * (scores[j] * factor)
                let pair = unitPairs.numbers[i * design.width + j]
                sums[pair].add(IntegerLayout.rounded(part, IntegerLayout.unit))
            }
        }
    }

    private func addMoments(
        _ row: EncodedRow, _ y: Double, to sums: inout [ExactSum], _ layout: IntegerLayout
    ) {
        let unit = IntegerLayout.unit
        for a in 0..<row.count {
            let (i, z) = (row.columns[a], row.weight * row.values[a])
            for b in 0...a {
                let pair = pairs.numbers[i * design.width + row.columns[b]]
                sums[pair].add(IntegerLayout.rounded(z * row.values[b], unit))
            }
            sums[layout.starts[1] + i].add(IntegerLayout.rounded(z * y, unit))
        }
        sums[layout.starts[2]].add(IntegerLayout.rounded(row.weight * y * y, unit))
    }
}

/// Where a release of ``LinearSteps`` is taken.
struct LinearPoint: Sendable {
    let layout: IntegerLayout
    /// nil in the first release.
    let solution: [Double]?
    /// The largest score of a unit that is not cut.
    let cap: Double
}

extension LinearSteps {
    /// What the first release gives.
    struct Solved {
        let layout: IntegerLayout
        let noise: IntegerNoise
        let gram: SymmetricMatrix
        /// The inverse; the identity where the matrix does not determine the coefficients.
        let inverse: SymmetricMatrix
        let isDetermined: Bool
        let solution: [Double]
        let deviation: Double
    }

    func next(after noisy: [[Int64]]) throws(MechanismError) -> LinearPoint {
        guard let first = noisy.first else {
            return LinearPoint(layout: try momentLayout(), solution: nil, cap: 1)
        }
        let solved = try solved(first)
        let cap = cap(solved, first)
        return LinearPoint(layout: try squareLayout(cap: cap), solution: solved.solution, cap: cap)
    }

    func solved(_ vector: [Int64]) throws(MechanismError) -> Solved {
        let layout = try momentLayout()
        guard vector.count == layout.length else {
            throw .parameter("noisy vectors", expected: "as many integers as the layout has")
        }
        let noise = try layout.noise(loss: losses[0])
        let deviation = layout.deviation(0, noise)
        let gram = pairs.matrix(layout.values(0, of: vector))
        let response = layout.values(1, of: vector)
        let width = design.width
        let norm = 2 * Double(width).squareRoot() * deviation
        let least = gram.least
        let isDetermined = least > Self.leastRatio * norm
        let floor = Self.leastRatio * norm + 1e-9
        let inverse = gram.raised(isDetermined ? 0 : floor - least).inverse()
        let identity = SymmetricMatrix(size: width) { i, j in i == j ? 1 : 0 }
        let raw = (inverse ?? identity).times(response)
        let bias = isDetermined ? attenuation(inverse ?? identity, raw, deviation * deviation) : raw.map { _ in 0 }
        let solution = zip(raw, bias).map { min(max($0 - $1, -8), 8) }
        return Solved(
            layout: layout, noise: noise, gram: gram, inverse: inverse ?? identity,
            isDetermined: isDetermined && inverse != nil, solution: solution, deviation: deviation)
    }

    /// The least eigenvalue, over the norm of the noise, from which on coefficients are determined.
    static let leastRatio = 2.0

    /// A bound of a unit's scores that hardly one reaches: four deviations of a residual, for several rows more, but
    /// less than they together can reach.
    private func cap(_ solved: Solved, _ vector: [Int64]) -> Double {
        let deviation = max(0, residualVariance(solved, vector)).squareRoot()
        let rows = Double(rowsPerUnit)
        let typical = 4 * deviation * (rows * rows.squareRoot()).squareRoot()
        return typical > 0 ? min(typical, 2 * rows) : 2 * rows
    }

    /// `A^-1 E(E A^-1 E) beta`: entries of E are independent but for its symmetry, so that entry (k, l) of the inner
    /// expectation is the variance times the inverse's entry (l, k), and on the diagonal the sum of the inverse's diagonal
    /// over the pairs that may be.
    private func attenuation(_ inverse: SymmetricMatrix, _ solution: [Double], _ variance: Double) -> [Double] {
        let width = design.width
        let inner = SymmetricMatrix(size: width) { k, l in
            if k != l { return pairs.numbers[k * width + l] < 0 ? 0 : variance * inverse[k, l] }
            return (0..<width).reduce(0.0) { $0 + (pairs.numbers[k * width + $1] < 0 ? 0 : variance * inverse[$1, $1]) }
        }
        return inverse.times(inner.times(solution))
    }

    func estimate(_ noisy: [[Int64]]) throws(MechanismError) -> RegressionEstimate {
        guard noisy.count == count, let first = noisy.first else {
            throw .parameter("noisy vectors", expected: "one for each release")
        }
        let solved = try solved(first)
        let width = design.width
        let isExactCount = design.largestWeight == nil
        let rows = solved.gram[0, 0]
        var withheld: WithheldReason? = solved.isDetermined ? nil : .undetermined
        let meat: SymmetricMatrix
        if isRobust {
            let layout = try squareLayout(cap: cap(solved, first))
            guard noisy[1].count == layout.length else {
                throw .parameter("noisy vectors", expected: "as many integers as the layout has")
            }
            let noise = try layout.noise(loss: losses[1])
            let deviation = layout.deviation(0, noise)
            let raw = unitPairs.matrix(layout.values(0, of: noisy[1]))
            if raw.least < 2 * deviation && withheld == nil { withheld = .variance }
            meat = raw.raised(deviation)
            let cut = layout.values(1, of: noisy[1])[0] - 3 * layout.deviation(1, noise)
            if cut > 0.001 * rows && isExactCount && withheld == nil { withheld = .clipped }
        } else {
            let variance = residualVariance(solved, first)
            if !(variance > 0) && withheld == nil { withheld = .variance }
            meat = SymmetricMatrix(size: width) { i, j in solved.gram[i, j] * max(0, variance) }
        }
        var equation = ScoreEquation(design, solution: solved.solution, inverse: solved.inverse, meat: meat)
        let variance = solved.deviation * solved.deviation
        for column in 0..<width {
            equation.add([(column: column, factor: 1)], variance: variance, excess: solved.noise.excess)
        }
        equation.add(pairs, times: solved.solution, variance: variance, excess: solved.noise.excess)
        return RegressionEstimate(
            coefficients: unscaled(equation, withheld: withheld != nil), method: .moments,
            variance: isRobust ? .robust : .model, withheld: withheld, count: isExactCount ? rows : nil)
    }

    /// The variance of residuals of the scaled response, plus a deviation of its own noise; not positive where it drowns.
    private func residualVariance(_ solved: Solved, _ vector: [Int64]) -> Double {
        let width = design.width
        let response = solved.layout.values(1, of: vector)
        let squares = solved.layout.values(2, of: vector)[0]
        let beta = solved.solution
        let fitted = zip(beta, response).reduce(0.0) { $0 + $1.0 * $1.1 }
        let image = zip(beta, solved.gram.times(beta)).reduce(0.0) { $0 + $1.0 * $1.1 }
        let variance = solved.deviation * solved.deviation
        // The minimum over noisy coefficients is too low by the noise of the score in the inverse's metric.
        var noise = SymmetricMatrix(size: width) { i, j in i == j ? variance : 0 }
        let length = beta.reduce(0.0) { $0 + $1 * $1 }
        noise = SymmetricMatrix(size: width) { i, j in
            noise[i, j] + variance * (i == j ? length : beta[i] * beta[j])
        }
        let lost = (0..<width).reduce(0.0) { sum, i in
            sum + (0..<width).reduce(0.0) { $0 + solved.inverse[i, $1] * noise[i, $1] }
        }
        let deviation = solved.deviation * (1 + 2 * length).squareRoot() * (1 + length).squareRoot()
        let residual = squares - 2 * fitted + image + lost
        let rows = solved.gram[0, 0] - Double(width)
        guard rows > 0, residual > deviation else { return 0 }
        return (residual + deviation) / rows
    }

    /// The coefficients in the response's own unit.
    private func unscaled(_ equation: ScoreEquation, withheld: Bool) -> [Coefficient] {
        equation.coefficients(withheld: withheld).enumerated().map { k, coefficient in
            Coefficient(
                name: coefficient.name, estimate: radius * coefficient.estimate + (k == 0 ? middle : 0),
                shape: coefficient.shape?.scaled(radius))
        }
    }
}
