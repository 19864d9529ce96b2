internal import DifferentialPrivacy

/// Noisy moments of scaled columns, and the statistics that follow from their covariance matrix.
struct ScaledMoments: Sendable {
    let count: Double
    let means: [Double]
    let covariance: SymmetricMatrix
    /// The standard deviation of the noise of each sum.
    let deviation: Double
    let excess: Double
    /// Eigenvalues in falling order, and their vectors in rows, the largest entry of each positive.
    let values: [Double]
    let vectors: [[Double]]

    init(_ sums: SymmetricMatrix, deviation: Double, excess: Double) {
        let count = max(sums[0, 0], 1)
        let width = sums.size - 1
        let means = (0..<width).map { min(max(sums[0, $0 + 1] / count, -1), 1) }
        let covariance = SymmetricMatrix(size: width) { i, j in sums[i + 1, j + 1] / count - means[i] * means[j] }
        self.count = count
        self.means = means
        self.covariance = covariance
        self.deviation = deviation
        self.excess = excess
        (values, vectors) = Self.ordered(covariance)
    }

    static func ordered(_ matrix: SymmetricMatrix) -> (values: [Double], vectors: [[Double]]) {
        let (values, vectors) = matrix.eigen()
        let order = values.indices.sorted { values[$0] > values[$1] }
        return (
            order.map { values[$0] },
            order.map { place in
                let largest = vectors[place].max { abs($0) < abs($1) } ?? 1
                return largest < 0 ? vectors[place].map { -$0 } : vectors[place]
            }
        )
    }

    /// On which scale a statistic's interval is made.
    enum Scale: Sendable, Hashable {
        case plain
        /// Positive numbers.
        case logarithm
        /// Correlations: Fisher's z.
        case correlation
        /// Shares of a whole.
        case share
    }

    /// A statistic of the covariance matrix.
    struct Statistic: Sendable {
        let name: ComponentsStatistic
        let estimate: Double
        /// Its derivative by the entries of the covariance matrix; nil where that is not known well enough.
        let gradient: SymmetricMatrix?
        let scale: Scale
        /// By how much the variance of the noise counts.
        var noiseFactor = 1.0
    }

    /// What must be large enough beside its noise for an interval is, near that bound, so where the noise is in its favour: there
    /// twice the noise's deviation counts (of eigenvalues, which noise drives up besides, thrice), and once far above it.
    private static func noiseFactor(_ ratio: Double, least: Double, most: Double = 4) -> Double {
        let part = min(1, least / max(ratio, least))
        let square = part * part
        return 1 + (most - 1) * square * square * square * square
    }

    func statistics(_ target: ComponentsTarget) -> [Statistic] {
        let width = covariance.size
        switch target {
        case .covariances:
            return (0..<width).flatMap { i in (0...i).map { covariance(i, $0) } }
        case .correlations:
            return (1..<width).flatMap { i in (0..<i).map { correlation(i, $0) } }
        case .principal(let number, let isStandardised):
            return isStandardised ? standardised(number) : principal(number)
        }
    }

    /// About the deviation of the noise of an entry of the covariance matrix.
    var entryDeviation: Double { deviation / count }

    private func covariance(_ i: Int, _ j: Int) -> Statistic {
        let width = covariance.size
        let gradient = SymmetricMatrix(size: width) { a, b in
            a == max(i, j) && b == min(i, j) ? (i == j ? 1 : 0.5) : 0
        }
        // Linear in the noise: on its own scale an interval needs nothing, and on that of logarithms a positive number.
        let isPositive = i == j && covariance[i, i] > 10 * entryDeviation
        return Statistic(
            name: .covariance(i, j), estimate: covariance[i, j], gradient: count > 5 * deviation ? gradient : nil,
            scale: isPositive ? .logarithm : .plain)
    }

    private func correlation(_ i: Int, _ j: Int) -> Statistic {
        let (a, b) = (covariance[i, i], covariance[j, j])
        let width = covariance.size
        let noise = entryDeviation * 2.0.squareRoot()
        let least = Self.leastRatio * noise
        guard count > 5 * deviation, a > least, b > least else {
            return Statistic(
                name: .correlation(i, j), estimate: a > 0 && b > 0 ? held(covariance[i, j] / (a * b).squareRoot()) : 0,
                gradient: nil, scale: .correlation)
        }
        let raw = covariance[i, j] / (a * b).squareRoot()
        // Of second order in the variances' noise.
        let bias = 0.375 * raw * noise * noise * (1 / (a * a) + 1 / (b * b))
        let estimate = held(raw - bias)
        let gradient = SymmetricMatrix(size: width) { row, column in
            if row == max(i, j) && column == min(i, j) { return 0.5 / (a * b).squareRoot() }
            guard row == column else { return 0 }
            return row == i ? -estimate / (2 * a) : (row == j ? -estimate / (2 * b) : 0)
        }
        return Statistic(
            name: .correlation(i, j), estimate: estimate, gradient: abs(raw) < 1 ? gradient : nil, scale: .correlation,
            noiseFactor: Self.noiseFactor(min(a, b) / noise, least: Self.leastRatio))
    }

    /// Variances over the deviation of their noise, from which on they divide.
    static let leastRatio = 5.0

    private func held(_ correlation: Double) -> Double { min(max(correlation, -1), 1) }
}

// MARK: Principal components

extension ScaledMoments {
    /// How far an eigenvalue must be from its neighbours, in deviations of what moves it.
    static let leastGap = 5.0

    /// The deviation of an eigenvalue's sampling and noise.
    private func spread(_ k: Int) -> Double {
        let value = max(values[k], 0)
        return (2 * value * value / count + 2 * entryDeviation * entryDeviation).squareRoot()
    }

    /// How far the component is from its neighbours and from 0, in deviations; 0 where nothing is known.
    private func gap(_ k: Int) -> Double {
        guard count > 5 * deviation, values[k] > 0, spread(k) > 0 else { return 0 }
        var least = values[k] / (2.0.squareRoot() * entryDeviation)
        if k > 0 { least = min(least, (values[k - 1] - values[k]) / spread(k)) }
        if k + 1 < values.count { least = min(least, (values[k] - values[k + 1]) / spread(k)) }
        return least
    }

    private func isApart(_ k: Int) -> Bool { gap(k) >= Self.leastGap }

    private var total: Double { covariance.size == 0 ? 0 : (0..<covariance.size).reduce(0) { $0 + covariance[$1, $1] } }

    private func principal(_ number: Int) -> [Statistic] {
        let width = covariance.size
        let total = total
        let isTotalKnown = total > 5 * entryDeviation * Double(2 * width).squareRoot()
        return (0..<number).flatMap { k in
            let value = unbiased(k)
            let vector = vectors[k]
            let share = isTotalKnown ? min(max(value / total, 0), 1) : 0
            let isApart = isApart(k)
            let factor = Self.noiseFactor(gap(k), least: Self.leastGap, most: 9)
            // Where noise is much of it, the scale of logarithms would be too short at the lower end.
            let isFar = gap(k) > 2.5 * Self.leastGap
            let along = SymmetricMatrix(size: width) { vector[$0] * vector[$1] }
            let shared = SymmetricMatrix(size: width) { i, j in
                (vector[i] * vector[j] - (i == j ? share : 0)) / total
            }
            return [
                Statistic(
                    name: .eigenvalue(k), estimate: value, gradient: isApart && value > 0 ? along : nil,
                    scale: isFar ? .logarithm : .plain, noiseFactor: factor),
                Statistic(
                    name: .share(k), estimate: share,
                    gradient: isApart && isTotalKnown && share > 0 && share < 1 ? shared : nil,
                    scale: isFar ? .share : .plain,
                    noiseFactor: factor),
            ]
        }
    }

    /// An eigenvalue less its bias of second order, by sampling and noise, which drive eigenvalues apart (Anderson 2003,
    /// section 13.5; Stewart and Sun 1990, "Matrix perturbation theory", theorem V.2.3).
    private func unbiased(_ k: Int) -> Double {
        guard isApart(k) else { return max(values[k], 0) }
        let noise = entryDeviation * entryDeviation
        let bias = values.indices.reduce(0.0) { sum, l in
            guard l != k else { return sum }
            let sampling = max(values[k], 0) * max(values[l], 0) / count
            return sum + (sampling + noise) / (values[k] - values[l])
        }
        return max(values[k] - bias, 0)
    }

    /// Of the correlation matrix: estimates alone.
    private func standardised(_ number: Int) -> [Statistic] {
        let (values, _) = Self.ordered(correlations)
        let width = Double(covariance.size)
        return (0..<number).flatMap { k in
            [
                Statistic(name: .eigenvalue(k), estimate: max(values[k], 0), gradient: nil, scale: .logarithm),
                Statistic(name: .share(k), estimate: min(max(values[k] / width, 0), 1), gradient: nil, scale: .share),
            ]
        }
    }

    /// The correlation matrix, of ones on the diagonal.
    var correlations: SymmetricMatrix {
        SymmetricMatrix(size: covariance.size) { i, j in
            i == j ? 1 : correlation(i, j).estimate
        }
    }

    /// Loadings of components that are apart from all others: entry j of the vector v_k moves by the sum over l of
    /// `v_lj (v_l' dS v_k) / (lambda_k - lambda_l)`.
    func loadings(_ target: ComponentsTarget) -> [Statistic] {
        guard case .principal(let number, let isStandardised) = target else { return [] }
        let (values, vectors) = isStandardised ? Self.ordered(correlations) : (values, vectors)
        let width = covariance.size
        return (0..<number).flatMap { k in
            let isApart = !isStandardised && isApart(k)
            let factor = Self.noiseFactor(gap(k), least: Self.leastGap, most: 9)
            return (0..<width).map { j in
                let gradient = SymmetricMatrix(size: width) { a, b in
                    guard isApart else { return 0 }
                    return (0..<width).reduce(0.0) { sum, l in
                        guard l != k else { return sum }
                        let part = vectors[l][j] / (values[k] - values[l]) / 2
                        return sum + part * (vectors[l][a] * vectors[k][b] + vectors[l][b] * vectors[k][a])
                    }
                }
                return Statistic(
                    name: .loading(component: k, column: j), estimate: vectors[k][j],
                    gradient: isApart ? gradient : nil, scale: .plain, noiseFactor: factor)
            }
        }
    }
}

// MARK: Influence

extension ScaledMoments {
    /// `c' G c - tr(G S)` of a row's (1, z).
    struct Influence: Sendable {
        /// By rows, of (1, z).
        let form: SymmetricMatrix
        /// The largest magnitude that is not cut.
        let cap: Double
        /// Its mean square by the normal law.
        let normal: Double

        func value(_ z: [Double]) -> Double {
            var sum = 0.0
            for i in 0..<form.size {
                var part = form[i, i] * z[i]
                for j in 0..<i { part += 2 * form[i, j] * z[j] }
                sum += part * z[i]
            }
            return sum
        }
    }

    func influence(_ statistic: Statistic) -> Influence {
        let width = covariance.size
        guard let gradient = statistic.gradient else {
            return Influence(form: SymmetricMatrix(size: width + 1) { _, _ in 0 }, cap: 1, normal: 0)
        }
        let image = gradient.times(means)
        var constant = zip(means, image).reduce(0.0) { $0 + $1.0 * $1.1 }
        for i in 0..<width {
            for j in 0..<width { constant -= gradient[i, j] * covariance[i, j] }
        }
        let form = SymmetricMatrix(size: width + 1) { i, j in
            if i > 0 && j > 0 { return gradient[i - 1, j - 1] }
            return i == 0 && j == 0 ? constant : -image[max(i, j) - 1]
        }
        let largest = form.entries.reduce(0.0) { $0 + abs($1) }
        // A noisy matrix that came out too small must not make the cap too small.
        let raised = Self.normalSquare(gradient, covariance.raised(2 * entryDeviation))
        return Influence(
            form: form, cap: max(min(8 * raised.squareRoot(), largest), 0x1p-40),
            normal: Self.normalSquare(gradient, covariance))
    }

    /// `2 tr(G S G S)`.
    private static func normalSquare(_ gradient: SymmetricMatrix, _ covariance: SymmetricMatrix) -> Double {
        let width = covariance.size
        var product = [Double](repeating: 0, count: width * width)
        for i in 0..<width {
            for j in 0..<width {
                product[i * width + j] = (0..<width).reduce(0.0) { $0 + gradient[i, $1] * covariance[$1, j] }
            }
        }
        var trace = 0.0
        for i in 0..<width {
            for j in 0..<width { trace += product[i * width + j] * product[j * width + i] }
        }
        return max(0, 2 * trace)
    }
}
