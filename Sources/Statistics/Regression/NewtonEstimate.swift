internal import DifferentialPrivacy

/// From noisy vectors to the next step, and to the answer.
extension NewtonSteps {
    /// A step as it was released.
    private struct Released {
        let coefficients: [Double]
        let score: [Double]
        let information: SymmetricMatrix
        /// The standard deviations of the noise on an entry.
        let scoreDeviation: Double
        let informationDeviation: Double
        let excess: Double
        let layout: IntegerLayout
        let noise: IntegerNoise

        /// About the deviation of the intercept's score: of the rows and of the noise.
        var scoreSpread: Double {
            (max(information[0, 0], 0) + scoreDeviation * scoreDeviation).squareRoot()
        }

        /// How far a change of coefficients moves the linear predictor, in the mean square over the rows; at least what the
        /// noise lets it be seen.
        func length(_ change: [Double]) -> Double {
            let image = zip(change, information.times(change)).reduce(0.0) { $0 + $1.0 * $1.1 }
            let norm = change.reduce(0.0) { $0 + $1 * $1 }
            return (max(image, informationDeviation * norm) / max(information[0, 0], informationDeviation)).squareRoot()
        }
    }

    /// Where the next release is taken: nil behind the last.
    func next(after noisy: [[Int64]]) throws(MechanismError) -> NewtonPoint {
        let walk = try walk(noisy)
        let curve = walk.curve
        let step = noisy.count
        let layout = try layout(step, curve: curve)
        let squares = isLast(step) && isRobust ? 2 : nil
        let beyond = isLast(step) && pilots > 0 ? layout.blocks.count - 1 : nil
        return NewtonPoint(
            layout: layout, curve: curve, coefficients: walk.coefficients, squares: squares, beyond: beyond)
    }

    private struct Walk {
        var curve: ResponseCurve?
        var steps: [Released] = []
        /// Where the next step is taken.
        var coefficients: [Double]
        /// Whether the information determined the coefficients of the last step, and those behind it.
        var wasDetermined = false
        var isDetermined = false
    }

    /// Replays what was released: the curve, the steps and the coefficients to which they lead.
    private func walk(
        _ noisy: [[Int64]]
    ) throws(MechanismError) -> Walk {
        var walk = Walk(
            curve: family == .logistic ? ResponseCurve(kind: .logistic) : nil,
            coefficients: [Double](repeating: 0, count: design.width))
        for (step, vector) in noisy.enumerated() {
            let layout = try layout(step, curve: walk.curve)
            guard vector.count == layout.length else {
                throw .parameter("noisy vectors", expected: "as many integers as the layout has")
            }
            let noise = try noise(step, layout)
            guard walk.curve != nil else {
                let begin = try start(vector, noise)
                walk.curve = ResponseCurve(kind: .poisson(cap: begin.cap, steepest: begin.steepest))
                walk.coefficients = begin.coefficients
                continue
            }
            walk.steps.append(
                Released(
                    coefficients: walk.coefficients, score: layout.values(0, of: vector),
                    information: pairs.matrix(layout.values(1, of: vector)),
                    scoreDeviation: layout.deviation(0, noise), informationDeviation: layout.deviation(1, noise),
                    excess: noise.excess, layout: layout, noise: noise))
            advance(&walk)
        }
        return walk
    }

    /// The coefficients behind the steps: a Newton step on what is pooled of them, not too long.
    private func advance(_ walk: inout Walk) {
        guard let last = walk.steps.last else { return }
        let pooled = Pooled(walk.steps, width: design.width)
        let floor = Self.leastRatio * pooled.norm
        let least = pooled.information.least
        walk.wasDetermined = walk.isDetermined
        walk.isDetermined = least > floor
        guard let inverse = pooled.information.raised(max(0, floor - least)).inverse() else { return }
        let change = inverse.times(pooled.score)
        let length = change.reduce(0.0) { $0 + abs($1) }
        let factor = length > Self.longestStep ? Self.longestStep / length : 1
        walk.coefficients = zip(last.coefficients, change).map { min(max($0 + factor * $1, -30), 30) }
    }

    /// Steps pooled at the last one's coefficients.
    private struct Pooled {
        /// The steps that take part, each with its weight and how far its coefficients are from the last one's.
        private(set) var parts: [(step: Int, weight: Double, distance: [Double])] = []
        private(set) var score: [Double]
        private(set) var information: SymmetricMatrix
        /// About the norm of the noise in the information matrix.
        private(set) var norm: Double

        /// Takes part a step from which the rule of trapezoids errs, by its third order, by less than a twentieth of the deviation
        /// of the last score.
        init(_ steps: [Released], width: Int) {
            let last = steps[steps.count - 1]
            let deviation = last.scoreSpread
            let precision = steps.reduce(0.0) { $0 + 1 / ($1.scoreDeviation * $1.scoreDeviation) }
            score = [Double](repeating: 0, count: width)
            var sum = [Double](repeating: 0, count: width * width)
            var (total, square) = (0.0, 0.0)
            for (number, step) in steps.enumerated() {
                let distance = zip(step.coefficients, last.coefficients).map { $0 - $1 }
                let weight = 1 / (step.scoreDeviation * step.scoreDeviation)
                let way = last.length(distance)
                let error = 0.03 * weight / precision * last.information[0, 0] * way * way * way
                guard number == steps.count - 1 || error <= 0.05 * deviation else { continue }
                parts.append((number, weight, distance))
                total += weight
                // The score at the last coefficients, by the rule of trapezoids.
                let own = step.information.times(distance)
                let end = last.information.times(distance)
                for i in 0..<width { score[i] += weight * (step.score[i] + (own[i] + end[i]) / 2) }
                for k in sum.indices { sum[k] += weight * step.information.entries[k] }
                square += weight * weight * step.informationDeviation * step.informationDeviation
            }
            for i in 0..<width { score[i] /= total }
            for part in parts.indices { parts[part].weight /= total }
            // Slopes fall as coefficients grow: the pooled matrix is brought to the last one's size, by their traces.
            let trace = (0..<width).reduce(0.0) { $0 + sum[$1 * (width + 1)] / total }
            let lastTrace = (0..<width).reduce(0.0) { $0 + last.information[$1, $1] }
            let size = trace > 0 ? min(max(lastTrace / trace, 0.5), 2) : 1
            information = SymmetricMatrix(size: width) { i, j in size * sum[i * width + j] / total }
            norm = 2 * Double(width).squareRoot() * size * square.squareRoot() / total
        }
    }

    /// The answer from all releases.
    func estimate(_ noisy: [[Int64]]) throws(MechanismError) -> RegressionEstimate {
        guard noisy.count == count else {
            throw .parameter("noisy vectors", expected: "one for each release")
        }
        let walk = try walk(noisy)
        let (steps, coefficients) = (walk.steps, walk.coefficients)
        guard let last = steps.last else { throw .parameter("noisy vectors", expected: "one for each release") }
        let pooled = Pooled(steps, width: design.width)
        let change = zip(coefficients, last.coefficients).map { $0 - $1 }
        // Where an earlier step was held back, the last one may begin anywhere.
        let isDetermined = walk.isDetermined && walk.wasDetermined
        let inverse = isDetermined ? pooled.information.inverse() : nil
        var withheld: WithheldReason?
        if inverse == nil { withheld = .undetermined }
        // The second order of the last step, which is not in the answer.
        let way = last.length(change)
        let rest = (family == .logistic ? 0.08 : 0.25) * last.information[0, 0] * way * way
        if rest > Self.largestRest * last.scoreSpread { withheld = withheld ?? .unsettled }
        let size = design.width
        let identity = SymmetricMatrix(size: size) { i, j in i == j ? 1 : 0 }
        var meat = pooled.information.raised(pooled.norm / (2 * Double(size).squareRoot()))
        var meatDeviation = 0.0
        if isRobust, let end = noisy.last {
            let deviation = last.layout.deviation(2, last.noise)
            meatDeviation = deviation
            meat = squares.pairs.matrix(last.layout.values(2, of: end)).mapEigenvalues { max(0, $0) }
                .raised(deviation / 2)
        }
        var equation = ScoreEquation(design, solution: coefficients, inverse: inverse ?? identity, meat: meat)
        if inverse != nil { addNoise(pooled, steps, change, to: &equation) }
        if !equation.knowsVariance(deviation: meatDeviation) { withheld = withheld ?? .variance }
        if withheld == nil && pilots > 0, let end = noisy.last, isCut(end, last, equation) { withheld = .clipped }
        return RegressionEstimate(
            coefficients: equation.coefficients(withheld: withheld != nil), method: .newton(steps: count - pilots),
            variance: isRobust ? .robust : .model, withheld: withheld, count: nil)
    }

    /// The least eigenvalue of the information, over the norm of the noise in it, from which on coefficients are determined.
    static let leastRatio = 1.5
    /// The longest step, in the linear predictor.
    static let longestStep = 3.0
    /// Answers are given where the noisy information is large enough. Near that bound, these are the cases where its noise is in
    /// its favour: there twice its deviation counts, and once far above it.
    private static func matrixFactor(_ pooled: Pooled) -> Double {
        let ratio = leastRatio * pooled.norm / max(pooled.information.least, leastRatio * pooled.norm)
        return 1 + 3 * ratio * ratio * ratio
    }

    /// The largest second order of the last step, in deviations of the score, behind which an answer has settled.
    static let largestRest = 0.3

    private func addNoise(
        _ pooled: Pooled, _ steps: [Released], _ change: [Double], to equation: inout ScoreEquation
    ) {
        let width = design.width
        var lastVector = [Double](repeating: 0, count: width)
        let matrixFactor = Self.matrixFactor(pooled)
        for part in pooled.parts {
            let step = steps[part.step]
            let variance = step.scoreDeviation * step.scoreDeviation
            for column in 0..<width {
                equation.add([(column: column, factor: part.weight)], variance: variance, excess: step.excess)
            }
            // Its own matrix multiplies half the way to the last coefficients, and its part of the way from there.
            let own = zip(part.distance, change).map { part.weight * ($0 / 2 - $1) }
            for k in 0..<width { lastVector[k] += part.weight * part.distance[k] / 2 }
            if part.step == steps.count - 1 {
                for k in 0..<width { lastVector[k] += own[k] }
            } else {
                let deviation = step.informationDeviation
                equation.add(
                    pairs, times: own, variance: matrixFactor * deviation * deviation, excess: step.excess)
            }
        }
        let last = steps[steps.count - 1]
        let deviation = last.informationDeviation
        equation.add(
            pairs, times: lastVector, variance: matrixFactor * deviation * deviation, excess: last.excess)
    }

    /// Whether more was cut than the Poisson law explains, by the noisy sum, and enough to matter.
    private func isCut(_ vector: [Int64], _ last: Released, _ equation: ScoreEquation) -> Bool {
        let block = last.layout.blocks.count - 1
        let beyond = last.layout.values(block, of: vector)[0]
        let deviation = last.layout.deviation(block, last.noise)
        return equation.isBiased(by: beyond, deviation: deviation)
    }
}
