import Testing

@testable import DifferentialPrivacy

/// Statistics, each on the neighbours that its proof names, and a copy of each with a mistake that has been made.
@Suite("Audits of statistics")
struct StatisticsAudits {
    let epsilon: PrivacyLoss
    let rho: PrivacyLoss
    let pure = PrivacyClaim.pure(epsilon: 1)
    let concentrated = PrivacyClaim.zeroConcentrated(rho: 0.5)
    /// Bounds 0 and 4, 8 steps.
    let grid: ValueGrid

    init() throws {
        epsilon = try PrivacyLoss(roundingDownEpsilon: 1)
        rho = try PrivacyLoss(roundingDownRho: 0.5)
        grid = try ValueGrid(lower: 0, upper: 4, step: 0.5)
    }

    private var claims: [(PrivacyLoss, PrivacyClaim)] { [(epsilon, pure), (rho, concentrated)] }

    @Test("Counts; one row where a unit has two")
    func counts() throws {
        for (loss, claim) in claims {
            let right = try PrivateCount(rowsPerUnit: 2, loss: loss)
            try Audit("count \(loss.kind)", claim).holds {
                right.release(7, using: &$0)
            } _: {
                right.release(5, using: &$0)
            }
            let broken = try PrivateCount(rowsPerUnit: 1, loss: loss)
            try Audit("count, broken \(loss.kind)", claim).catches {
                broken.release(7, using: &$0)
            } _: {
                broken.release(5, using: &$0)
            }
        }
    }

    @Test("Sums; a value that is not clipped; the noise of a centred sum on one that is not")
    func sums() throws {
        for (loss, claim) in claims {
            let right = try PrivateSum(grid: grid, loss: loss)
            try Audit("sum \(loss.kind)", claim).holds {
                right.release([1, 900], using: &$0)
            } _: {
                right.release([1], using: &$0)
            }
            try Audit("sum, not clipped \(loss.kind)", claim).catches {
                right.noise.add(to: 20, using: &$0)
            } _: {
                right.noise.add(to: 2, using: &$0)
            }
            let centred = try PrivateSum(grid: grid, isCentred: true, loss: loss)
            try Audit("centred sum \(loss.kind)", claim).holds {
                centred.release([1, 4], using: &$0)
            } _: {
                centred.release([1], using: &$0)
            }
            try Audit("sum, centred noise \(loss.kind)", claim).catches {
                centred.noise.add(to: 2 + 8, using: &$0)
            } _: {
                centred.noise.add(to: 2, using: &$0)
            }
        }
    }

    @Test("Means and variances; a division by the true count; the noise of half a budget spent twice")
    func means() throws {
        for (loss, claim) in claims {
            let mean = try PrivateMean(grid: grid, loss: loss)
            try Audit("mean \(loss.kind)", claim).holds {
                mean.release([1, 4], using: &$0).sum.rounded()
            } _: {
                mean.release([1], using: &$0).sum.rounded()
            }
            let sum = try PrivateSum(grid: grid, loss: loss)
            try Audit("mean, true count \(loss.kind)", claim).catches {
                sum.release([1, 1, 1], using: &$0) / 3
            } _: {
                sum.release([1, 1], using: &$0) / 2
            }
            let variance = try PrivateVariance(grid: grid, loss: loss)
            try Audit("variance \(loss.kind)", claim).holds {
                variance.release([1, 4], using: &$0).bernstein[2]
            } _: {
                variance.release([1], using: &$0).bernstein[2]
            }
            let both = try PrivateSum(grid: grid, loss: loss)
            try Audit("count and sum, a budget each \(loss.kind)", claim).catches {
                both.release([4], using: &$0) + both.release([4], using: &$0)
            } _: {
                both.release([], using: &$0) + both.release([], using: &$0)
            }
        }
    }

    @Test("Histograms; a unit in two bins where one is counted on")
    func histograms() throws {
        for (loss, claim) in claims {
            for binsPerUnit in [2, 1] {
                let histogram = try PrivateHistogram(bins: 3, binsPerUnit: binsPerUnit, loss: loss)
                let first: Audit.Draw<Int64> = {
                    try histogram.release([1, 1, 0], using: &$0).prefix(2).reduce(0, +)
                }
                let second: Audit.Draw<Int64> = {
                    try histogram.release([0, 0, 0], using: &$0).prefix(2).reduce(0, +)
                }
                let audit = Audit("histogram \(loss.kind) \(binsPerUnit)", claim)
                if binsPerUnit == 2 { try audit.holds(first, second) } else { try audit.catches(first, second) }
            }
        }
    }

    @Test("Range trees and distributions; each level with the noise of one")
    func ranges() throws {
        for (loss, claim) in claims {
            let tree = try PrivateRangeTree(leaves: 8, fanout: 2, loss: loss)
            try Audit("range tree \(loss.kind)", claim, runs: 40_000).holds {
                try tree.release([1, 0, 0, 0, 0, 0, 0, 0], using: &$0).counts[0].rounded()
            } _: {
                try tree.release([0, 0, 0, 0, 0, 0, 0, 0], using: &$0).counts[0].rounded()
            }
            let flat = try PrivateHistogram(bins: 1, loss: loss)
            try Audit("range tree, levels for one \(loss.kind)", claim).catches { random in
                try (0..<3).reduce(0) { total, _ in total + (try flat.release([1], using: &random)[0]) }
            } _: { random in
                try (0..<3).reduce(0) { total, _ in total + (try flat.release([0], using: &random)[0]) }
            }
        }
    }

    @Test("Joint quantiles; a sixth of the utility's sensitivity; four rows where one is counted on")
    func jointQuantiles() throws {
        // Neighbours by values below all others; what shows it best is where the quantiles lie among the others.
        func audit(_ name: String, _ joint: JointQuantiles, rows: Int64, isRight: Bool) throws {
            let audit = Audit(name, pure, runs: 20_000)
            func region(_ point: Int) -> Int { point <= 33 ? 0 : (point <= 66 ? 1 : 2) }
            func regions(_ indices: [Int], _ counts: [Int64], _ random: inout AuditRandom) throws -> Int {
                let chosen = try joint.select(indices: indices, counts: counts, points: 100, using: &random)
                return 3 * region(chosen[0]) + region(chosen[1])
            }
            let first: Audit.Draw<Int> = { try regions([0, 33, 66], [rows, rows, rows], &$0) }
            let second: Audit.Draw<Int> = { try regions([33, 66], [rows, rows], &$0) }
            if isRight { try audit.holds(first, second) } else { try audit.catches(first, second) }
        }
        let quantiles = [0.4, 0.6]
        try audit("joint quantiles", try JointQuantiles(quantiles: quantiles, epsilon: 1), rows: 1, isRight: true)
        try audit(
            "joint quantiles, four rows", try JointQuantiles(quantiles: quantiles, epsilon: 1, rowsPerUnit: 4), rows: 4,
            isRight: true)
        try audit(
            "joint quantiles, four rows for one", try JointQuantiles(quantiles: quantiles, epsilon: 1), rows: 4,
            isRight: false)
        try audit(
            "joint quantiles, a sixth of the sensitivity",
            try JointQuantiles(quantiles: quantiles, epsilon: 6, rowsPerUnit: 1), rows: 1, isRight: false)
    }

    @Test("Continual counting; fresh noise of one release for every step; a change of two where one is counted on")
    func counters() throws {
        for (loss, claim) in claims {
            let counter = try TreeCounter(steps: 8, loss: loss)
            func releases(_ first: Int64, _ random: inout AuditRandom) throws -> Double {
                var run = counter.begin()
                var total = 0.0
                for step in 0..<8 { total += try run.add(step == 0 ? first : 0, using: &random) }
                return total.rounded()
            }
            try Audit("tree counter \(loss.kind)", claim, runs: 20_000).holds {
                try releases(1, &$0)
            } _: {
                try releases(0, &$0)
            }
            let single = try PrivateCount(loss: loss)
            try Audit("running counts, each with one's noise \(loss.kind)", claim).catches { random in
                (0..<8).reduce(0) { total, _ in total + single.release(1, using: &random) }
            } _: { random in
                (0..<8).reduce(0) { total, _ in total + single.release(0, using: &random) }
            }
        }
        for (change, isRight) in [(1, true), (2, false)] as [(Int64, Bool)] {
            let audit = Audit("square-root counter \(isRight)", concentrated, runs: 20_000)
            // The changed step's own column is what shows it best: L (R x + z) turned back by differences of releases.
            func column(_ first: Int64, _ random: inout AuditRandom) throws -> Double {
                var counter = try SquareRootCounter(steps: 8, loss: rho).begin()
                var (sums, weights): ([Double], [Double]) = ([], [1])
                for index in 0..<8 { sums.append(try counter.add(index == 0 ? first : 0, using: &random)) }
                // R = (1 - X)^(-1/2) and the releases are (1 - X)^(-1/2) (R x + z): the inverse root gives R x + z.
                for k in 1..<8 { weights.append(weights[k - 1] * (Double(k) - 1.5) / Double(k)) }
                let noisy = (0..<8).map { t in (0...t).reduce(0.0) { $0 + weights[$1] * sums[t - $1] } }
                var (coefficient, score) = (1.0, 0.0)
                for k in 0..<8 {
                    if k > 0 { coefficient *= 1 - 1 / Double(2 * k) }
                    score += coefficient * noisy[k]
                }
                return (score * 8).rounded()
            }
            let first: Audit.Draw<Double> = { try column(change, &$0) }
            let second: Audit.Draw<Double> = { try column(0, &$0) }
            if isRight { try audit.holds(first, second) } else { try audit.catches(first, second) }
        }
    }

    @Test("Moments for covariance and regression; the noise of one column where there are two")
    func moments() throws {
        let centred = try ValueGrid(lower: -1, upper: 1, step: 0.125)
        /// The log-likelihood ratio of Laplace noise, but for its scale; close to the best for Gaussian noise too.
        func score(_ sums: [Double], isPure: Bool) -> Double {
            let terms = sums.map { isPure ? min(max($0, 0), 1) : $0 }
            return (terms.reduce(0, +) * 8).rounded()
        }
        for (loss, claim) in claims {
            let isPure = loss.kind == .pure
            let right = try PrivateMoments(grids: [centred, centred], loss: loss)
            try Audit("moments \(loss.kind)", claim, runs: 20_000).holds {
                score(try right.release([[1, 1]], using: &$0).sums, isPure: isPure)
            } _: {
                score(try right.release([], using: &$0).sums, isPure: isPure)
            }
            let one = try PrivateMoments(grids: [centred], loss: loss)
            func twice(_ rows: [[Double]], _ random: inout AuditRandom) throws -> Double {
                // Twice the one column's three sums: what two columns have is one less.
                let sums = try (0..<2).flatMap { _ in try one.release(rows, using: &random).sums }
                return score(sums, isPure: isPure)
            }
            try Audit("moments, one column's noise \(loss.kind)", claim, runs: 50_000).catches {
                try twice([[1]], &$0)
            } _: {
                try twice([], &$0)
            }
        }
    }

    @Test("The matrix mechanism; one row where a unit has two")
    func matrices() throws {
        let workload = (0..<6).map { row in (0..<6).map { $0 <= row ? 1.0 : 0 } }
        for (loss, claim) in claims {
            for rows in [2, 1] {
                let mechanism = try MatrixMechanism(workload: workload, rowsPerUnit: rows, loss: loss)
                // The strategy's own noisy products show most: the changed column's direction.
                func score(_ answer: [Double]) -> Double {
                    let strategy = mechanism.strategy.rows
                    let products = strategy.map { row in zip(row, answer).reduce(0.0) { $0 + Double($1.0) * $1.1 } }
                    let column = strategy.map { Double($0[5]) }
                    let norm = column.reduce(0) { $0 + $1 * $1 }
                    return (zip(column, products).reduce(0.0) { $0 + $1.0 * $1.1 } / norm * 16).rounded()
                }
                let first: Audit.Draw<Double> = { score(try mechanism.release([0, 0, 0, 0, 0, 2], using: &$0).counts) }
                let second: Audit.Draw<Double> = {
                    score(try mechanism.release([0, 0, 0, 0, 0, 0], using: &$0).counts)
                }
                let audit = Audit("matrix mechanism \(loss.kind) \(rows)", claim, runs: 40_000)
                if rows == 2 { try audit.holds(first, second) } else { try audit.catches(first, second) }
            }
        }
    }

    @Test("Heavy hitters; the whole budget on every level")
    func heavyHitters() throws {
        for (loss, claim) in claims {
            let all = PrivacyLoss(kind: loss.kind, amount: 4 * loss.amount)
            for (spent, isRight) in [(loss, true), (all, false)] {
                let hitters = try HeavyHitters(bits: 4, bitsPerLevel: 1, falseAlarms: 0.99, loss: spent)
                let first: Audit.Draw<Int64> = {
                    hitters.release([0: hitters.threshold + 1], using: &$0).first { $0.value == 0 }?.noisyCount ?? -1
                }
                let second: Audit.Draw<Int64> = {
                    hitters.release([0: hitters.threshold], using: &$0).first { $0.value == 0 }?.noisyCount ?? -1
                }
                let audit = Audit("heavy hitters \(loss.kind) \(isRight)", claim)
                if isRight { try audit.holds(first, second) } else { try audit.catches(first, second) }
            }
        }
    }
}
