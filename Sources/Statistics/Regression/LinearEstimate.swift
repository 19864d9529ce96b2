internal import DifferentialPrivacy

/// From noisy vectors to the second release, and to the answer.
extension LinearSteps {
    /// What the first release gives.
    private struct Solved {
        let gram: SymmetricMatrix
        /// The inverse, of a matrix that is raised where it does not determine the coefficients.
        let inverse: SymmetricMatrix
        let isDetermined: Bool
        let solution: [Double]
        /// The largest residual that is not cut.
        let cap: Double
        let deviation: Double
        let excess: Double
    }

    /// The least eigenvalue, over the norm of the noise, from which on coefficients are determined.
    static let leastRatio = 1.5
    /// Residuals are cut at so many of their deviations.
    static let capDeviations = 4.0

    func next(after noisy: [[Int64]]) throws(MechanismError) -> LinearPoint {
        guard let first = noisy.first else {
            return LinearPoint(layout: try momentLayout(), solution: nil, cap: 1)
        }
        let solved = try solved(first)
        return LinearPoint(
            layout: try scoreLayout(cap: solved.cap), solution: solved.solution, cap: solved.cap)
    }

    private func solved(_ vector: [Int64]) throws(MechanismError) -> Solved {
        let layout = try momentLayout()
        guard vector.count == layout.length else {
            throw .parameter("noisy vectors", expected: "as many integers as the layout has")
        }
        let noise = try layout.noise(loss: losses[0])
        let deviation = layout.deviation(0, noise)
        let gram = pairs.matrix(layout.values(0, of: vector))
        let response = layout.values(1, of: vector)
        let squares = layout.values(2, of: vector)[0]
        let width = design.width
        let norm = 2 * Double(width).squareRoot() * deviation
        let least = gram.least
        let floor = Self.leastRatio * norm + 1e-9
        let isDetermined = least > floor
        let identity = SymmetricMatrix(size: width) { i, j in i == j ? 1 : 0 }
        let inverse = gram.raised(isDetermined ? 0 : floor - least).inverse()
        let solution = (inverse ?? identity).times(response).map { min(max($0, -8), 8) }
        // The residuals' sum of squares, and a bound of its noise.
        let fitted = zip(solution, response).reduce(0.0) { $0 + $1.0 * $1.1 }
        let image = zip(solution, gram.times(solution)).reduce(0.0) { $0 + $1.0 * $1.1 }
        let length = 1 + solution.reduce(0.0) { $0 + $1 * $1 }
        let rows = max(gram[0, 0], 1)
        let variance = max(0, squares - 2 * fitted + image) / rows + 2 * deviation * length / rows
        return Solved(
            gram: gram, inverse: inverse ?? identity, isDetermined: isDetermined && inverse != nil, solution: solution,
            cap: min(2, max(Self.capDeviations * variance.squareRoot(), 0x1p-20)), deviation: deviation,
            excess: noise.excess)
    }

    func estimate(_ noisy: [[Int64]]) throws(MechanismError) -> RegressionEstimate {
        guard noisy.count == count else {
            throw .parameter("noisy vectors", expected: "one for each release")
        }
        let solved = try solved(noisy[0])
        let layout = try scoreLayout(cap: solved.cap)
        guard noisy[1].count == layout.length else {
            throw .parameter("noisy vectors", expected: "as many integers as the layout has")
        }
        let noise = try layout.noise(loss: losses[1])
        let width = design.width
        let change = solved.inverse.times(layout.values(0, of: noisy[1]))
        let solution = zip(solved.solution, change).map { min(max($0 + $1, -8), 8) }
        var withheld: WithheldReason? = solved.isDetermined ? nil : .undetermined
        let squared = layout.values(1, of: noisy[1])
        let deviation = layout.deviation(1, noise)
        let rows = solved.gram[0, 0] - Double(width)
        var meat = solved.gram
        if isRobust {
            meat = squares.pairs.matrix(squared).mapEigenvalues { max(0, $0) }.raised(deviation / 2)
        } else {
            if squared[0] < 2 * deviation || rows < 1 { withheld = withheld ?? .variance }
            let variance = max(0, squared[0] + deviation) / max(rows, 1)
            meat = SymmetricMatrix(size: width) { i, j in solved.gram[i, j] * variance }
        }
        var equation = ScoreEquation(design, solution: solution, inverse: solved.inverse, meat: meat)
        let score = layout.deviation(0, noise)
        for column in 0..<width {
            equation.add([(column: column, factor: 1)], variance: score * score, excess: noise.excess)
        }
        // As in ``NewtonSteps``: near the bound, answers are given where the noise is in their favour.
        let norm = Self.leastRatio * 2 * Double(width).squareRoot() * solved.deviation
        let ratio = norm / max(solved.gram.least, norm)
        let factor = norm > 0 ? 1 + 3 * ratio * ratio * ratio : 1
        equation.add(
            pairs, times: change, variance: factor * solved.deviation * solved.deviation, excess: solved.excess)
        if isRobust && !equation.knowsVariance(deviation: deviation) { withheld = withheld ?? .variance }
        let beyond = layout.values(2, of: noisy[1])[0]
        if equation.isBiased(by: beyond, deviation: layout.deviation(2, noise)) { withheld = withheld ?? .clipped }
        return RegressionEstimate(
            coefficients: unscaled(equation, withheld: withheld != nil), method: .moments,
            variance: isRobust ? .robust : .model, withheld: withheld,
            count: design.largestWeight == nil ? solved.gram[0, 0] : nil)
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
