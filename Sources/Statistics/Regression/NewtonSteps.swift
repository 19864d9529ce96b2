internal import DifferentialPrivacy

/// The releases of a private Newton method: each a noisy gradient (the score) and a noisy information matrix at the
/// coefficients that the earlier ones gave.
///
/// Nothing is clipped in logistic regression: a residual is within [-1, 1], z within [-1, 1], the slope at most 1/4. Counts are
/// cut at a cap that a noisy histogram of them chooses first, and what is expected of a count is that of a Poisson count
/// so cut: the score keeps mean zero where the response is Poisson (Cantoni and Ronchetti 2001, "Robust inference for
/// generalized linear models", the correction of equation 2), so that the cut does not bias.
///
/// The answer pools all releases whose coefficients were near the end: each tells the score at the end by the rule of
/// trapezoids on its information matrix and the last one's, with a remainder of third order. Under zCDP the noises of k
/// releases of a k-th of the loss average to that of one of the whole, so that steps are free; under pure epsilon they cost the
/// root of k.
struct NewtonSteps: Sendable {
    let design: RegressionDesign
    let family: RegressionFamily
    let rowsPerUnit: Int
    let isRobust: Bool
    /// The loss of each release: of Poisson regression the histogram's first.
    let losses: [PrivacyLoss]
    let pairs: ColumnPairs
    let squares: UnitSquares

    /// Parts of a step: of the score, the information matrix, the squares of scores, and what is beyond the cap.
    static let shares = (score: 0.6, information: 0.5, squares: 0.4, beyond: 0.1)

    init(
        _ design: RegressionDesign, family: RegressionFamily, rowsPerUnit: Int, isRobust: Bool, loss: PrivacyLoss
    ) throws(MechanismError) {
        self.design = design
        self.family = family
        self.rowsPerUnit = rowsPerUnit
        self.isRobust = isRobust
        losses = try loss.divided(Self.proportions(family, loss.kind))
        pairs = ColumnPairs(design.groups)
        squares = UnitSquares(design, pairs, rowsPerUnit: rowsPerUnit)
    }

    /// How the loss is divided among the releases.
    static func proportions(_ family: RegressionFamily, _ kind: PrivacyLossKind) -> [Int] {
        let steps = kind == .pure ? [2, 2, 3] : [2, 3, 3, 3]
        return family == .logistic ? steps : [1] + steps
    }

    /// Releases before the first step.
    var pilots: Int { family == .logistic ? 0 : 1 }
    var count: Int { losses.count }
    func isLast(_ step: Int) -> Bool { step == count - 1 }

    /// The layout of a release.
    func layout(_ step: Int, curve: ResponseCurve?) throws(MechanismError) -> IntegerLayout {
        guard let curve else { return try pilotLayout() }
        var parts = [
            IntegerLayout.Part(
                entries: design.width, nonzero: design.nonzero, times: rowsPerUnit, share: Self.shares.score,
                bound: curve.residualBound),
            IntegerLayout.Part(
                entries: pairs.pairs.count, nonzero: ColumnPairs.products(design.nonzero), times: rowsPerUnit,
                share: Self.shares.information, bound: curve.residualBound * curve.slopeBound),
        ]
        if isLast(step) && isRobust {
            parts.append(squares.part(share: Self.shares.squares, residual: curve.residualBound))
        }
        if isLast(step) && pilots > 0 {
            parts.append(
                IntegerLayout.Part(
                    entries: 1, nonzero: 1, times: rowsPerUnit, share: Self.shares.beyond, bound: curve.residualBound))
        }
        return try IntegerLayout(parts, kind: losses[step].kind)
    }

    func noise(_ step: Int, _ layout: IntegerLayout) throws(MechanismError) -> IntegerNoise {
        try layout.noise(loss: losses[step])
    }
}

// MARK: What rows contribute

extension NewtonSteps {
    /// Adds a unit's contribution at those coefficients.
    func add(
        _ rows: some Sequence<RegressionRow>, to sums: inout [ExactSum], at point: NewtonPoint,
        _ encoded: inout EncodedRow
    ) throws(MechanismError) {
        let layout = point.layout
        guard let curve = point.curve else { return try addCounts(rows, to: &sums, layout, &encoded) }
        let largest = layout.blocks.map(\.largest)
        var scores = [Double](repeating: 0, count: point.squares == nil ? 0 : design.width)
        var taken = 0
        for row in rows {
            guard taken < rowsPerUnit else { break }
            taken += 1
            guard try design.encode(row, into: &encoded), let response = curve.response(row.response) else { continue }
            let expected = curve.point(encoded.predictor(point.coefficients))
            let residual = encoded.weight * (response - expected.mean)
            let slope = encoded.weight * expected.slope / curve.slopeBound
            for a in 0..<encoded.count {
                let (i, z) = (encoded.columns[a], encoded.values[a])
                sums[i].add(IntegerLayout.rounded(residual * z, largest[0]))
                if point.squares != nil { scores[i] += residual * z }
                for b in 0...a {
                    let pair = pairs.numbers[i * design.width + encoded.columns[b]]
                    sums[layout.starts[1] + pair].add(
                        IntegerLayout.rounded(slope * z * encoded.values[b], largest[1]))
                }
            }
            if let beyond = point.beyond {
                let excess = point.excess(of: row.response, predictor: encoded.predictor(point.coefficients))
                sums[layout.starts[beyond]].add(IntegerLayout.rounded(encoded.weight * excess, largest[beyond]))
            }
        }
        guard let block = point.squares else { return }
        squares.add(scores, to: &sums, from: layout.starts[block], largest: largest[block])
    }
}

/// Where a release of the Newton method is taken.
struct NewtonPoint: Sendable {
    let layout: IntegerLayout
    /// nil for the histogram.
    let curve: ResponseCurve?
    let coefficients: [Double]
    /// The blocks of squared scores, and of what is beyond the cap.
    let squares: Int?
    let beyond: Int?

    /// How far a count is beyond the cap, less what a Poisson count would be, in units of the cap.
    func excess(of count: Double, predictor: Double) -> Double {
        guard let curve, case .poisson(let cap, _) = curve.kind else { return 0 }
        let bound = Double(cap)
        let mu = ResponseCurve.mean(predictor)
        let expected = max(0, mu / bound - curve.point(predictor).mean)
        return min(1, max(0, count - bound) / bound) - min(1, expected)
    }
}
