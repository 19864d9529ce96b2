internal import DifferentialPrivacy

/// Least squares from two releases. First noisy sums of products of z and the response y, scaled to [-1, 1] (the sufficient
/// statistics; Wang 2018, "Revisiting differentially private linear regression"), which give coefficients and the residuals'
/// deviation s. Then, at these coefficients, the sum of scores z r, with residuals r cut at 4 s, and their squares: where the
/// response's bounds are wide, that has less noise by their width over s.
///
/// With A = sum of w z z' of the first release, of noise E, the answer is `beta_1 + A^-1 g` for the noisy score g at beta_1. At the
/// population's coefficients the score is that of the rows, the noise of g, and E times the way from beta_1, which is small: noise
/// in A does not attenuate, as it does where it multiplies the coefficients themselves.
struct LinearSteps: Sendable {
    let design: RegressionDesign
    /// The middle of the response's bounds, and half their distance.
    let middle: Double
    let radius: Double
    let rowsPerUnit: Int
    let isRobust: Bool
    let losses: [PrivacyLoss]
    let pairs: ColumnPairs
    let squares: UnitSquares

    /// Parts of the second release: of scores, their squares and what was cut.
    static let shares = (score: 0.7, squares: 0.1, unitSquares: 0.8, beyond: 0.1)

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
        losses = try loss.divided([1, 1])
        pairs = ColumnPairs(design.groups)
        squares = UnitSquares(design, pairs, rowsPerUnit: rowsPerUnit)
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

    /// Scores, their squares (of units, where robust) and how much was cut.
    func scoreLayout(cap: Double) throws(MechanismError) -> IntegerLayout {
        let scores = IntegerLayout.Part(
            entries: design.width, nonzero: design.nonzero, times: rowsPerUnit, share: Self.shares.score, bound: cap)
        let squared =
            isRobust
            ? squares.part(share: Self.shares.unitSquares, residual: cap)
            : IntegerLayout.Part(
                entries: 1, nonzero: 1, times: rowsPerUnit, share: Self.shares.squares, bound: cap * cap)
        let beyond = IntegerLayout.Part(
            entries: 1, nonzero: 1, times: rowsPerUnit, share: Self.shares.beyond, bound: cap)
        return try IntegerLayout([scores, squared, beyond], kind: losses[1].kind)
    }

    /// The response of a row, scaled.
    @inline(__always)
    func scaled(_ row: EncodedRow) -> Double {
        min(max((row.response - row.offset - middle) / radius, -1), 1)
    }

    /// Adds a unit's contribution.
    func add(
        _ rows: some Sequence<RegressionRow>, to sums: inout [ExactSum], at point: LinearPoint,
        _ encoded: inout EncodedRow
    ) throws(MechanismError) {
        var scores = [Double](repeating: 0, count: isRobust && point.solution != nil ? design.width : 0)
        var taken = 0
        for row in rows {
            guard taken < rowsPerUnit else { break }
            taken += 1
            guard try design.encode(row, into: &encoded) else { continue }
            let y = scaled(encoded)
            if let solution = point.solution {
                addScores(encoded, y, at: solution, of: point, to: &sums, scores: &scores)
            } else {
                addMoments(encoded, y, to: &sums, point.layout)
            }
        }
        guard isRobust, point.solution != nil else { return }
        squares.add(scores, to: &sums, from: point.layout.starts[1], largest: point.layout.blocks[1].largest)
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

    private func addScores(
        _ row: EncodedRow, _ y: Double, at solution: [Double], of point: LinearPoint, to sums: inout [ExactSum],
        scores: inout [Double]
    ) {
        let layout = point.layout
        var fitted = 0.0
        for a in 0..<row.count { fitted += row.values[a] * solution[row.columns[a]] }
        let residual = (y - fitted) / point.cap
        let held = min(max(residual, -1), 1)
        for a in 0..<row.count {
            let part = row.weight * held * row.values[a]
            sums[row.columns[a]].add(IntegerLayout.rounded(part, layout.blocks[0].largest))
            if isRobust { scores[row.columns[a]] += part }
        }
        if !isRobust {
            sums[layout.starts[1]].add(IntegerLayout.rounded(row.weight * held * held, layout.blocks[1].largest))
        }
        let beyond = min(abs(residual) - abs(held), 1)
        sums[layout.starts[2]].add(IntegerLayout.rounded(row.weight * beyond, layout.blocks[2].largest))
    }
}

/// Where a release of ``LinearSteps`` is taken.
struct LinearPoint: Sendable {
    let layout: IntegerLayout
    /// nil in the first release.
    let solution: [Double]?
    /// The largest residual that is not cut.
    let cap: Double
}
