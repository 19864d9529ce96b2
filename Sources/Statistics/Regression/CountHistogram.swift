internal import DifferentialPrivacy

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The first release of a Poisson regression: weighted counts of responses in bins that widen, and the sum of `exp(offset)`.
/// From them come the cap at which counts are cut, and the intercept at which the steps begin.
extension NewtonSteps {
    private var largestCount: Int {
        guard case .poisson(let largest) = family else { return 1 }
        return largest
    }

    /// The largest count of each bin: 0, 1, 2, 3, 4, 6, 8, 12, 16 and so on, to the declared bound.
    var bins: [Int] {
        var edges = [0, 1]
        while let last = edges.last, last < largestCount {
            let half = last.isMultiple(of: 3) && last > 3 ? last / 3 * 4 : last / 2 * 3
            edges.append(min(last < 4 ? last + 1 : half, largestCount))
        }
        return edges
    }

    func pilotLayout() throws(MechanismError) -> IntegerLayout {
        var blocks = [
            IntegerLayout.Block(
                entries: bins.count, largest: IntegerLayout.unit, nonzero: 1, times: rowsPerUnit, bound: 1)
        ]
        if let offset = design.offset {
            blocks.append(
                IntegerLayout.Block(
                    entries: 1, largest: IntegerLayout.unit, nonzero: 1, times: rowsPerUnit,
                    bound: exp(offset.upperBound)))
        }
        return try IntegerLayout(blocks)
    }

    func addCounts(
        _ rows: some Sequence<RegressionRow>, to sums: inout [ExactSum], _ layout: IntegerLayout,
        _ encoded: inout EncodedRow
    ) throws(MechanismError) {
        let edges = bins
        let curve = ResponseCurve(kind: .poisson(cap: largestCount, steepest: largestCount))
        var taken = 0
        for row in rows {
            guard taken < rowsPerUnit else { break }
            taken += 1
            guard try design.encode(row, into: &encoded), curve.response(row.response) != nil else { continue }
            let bin = edges.firstIndex { row.response <= Double($0) } ?? edges.count - 1
            sums[bin].add(IntegerLayout.rounded(encoded.weight, layout.blocks[0].largest))
            if let offset = design.offset {
                sums[layout.starts[1]].add(
                    IntegerLayout.rounded(
                        encoded.weight * exp(encoded.offset - offset.upperBound), layout.blocks[1].largest))
            }
        }
    }

    /// Where the steps begin, as the histogram says.
    struct Start {
        /// Counts above become this: all but 1 in 200, as far as the noise tells; where the variance is robust 1 in 2,000, since
        /// then the tail may be longer than Poisson's, and the cut biases.
        let cap: Int
        /// Slopes above become this: expected counts vary less than counts do, of which 1 in 40 are above.
        let steepest: Int
        let coefficients: [Double]
    }

    /// The place of the least edge beyond which at most such a part of the counts lies, as far as the noise tells.
    private static func edge(_ counts: [Double], beyond share: Double, deviation: Double) -> Int {
        let total = counts.reduce(0, +)
        var (above, place) = (0.0, counts.count - 1)
        while place > 0 {
            above += counts[place]
            let margin = deviation * Double(counts.count - place).squareRoot()
            if above > max(share * total, margin) { break }
            place -= 1
        }
        return place
    }

    /// The caps, and the coefficients at which the steps begin.
    func start(_ noisy: [Int64], _ noise: IntegerNoise) throws(MechanismError) -> Start {
        let layout = try pilotLayout()
        let counts = layout.values(0, of: noisy)
        let deviation = layout.deviation(0, noise)
        let total = counts.reduce(0, +)
        let edges = bins
        let least = min(2, largestCount)
        let cap = max(edges[Self.edge(counts, beyond: isRobust ? 0.0005 : 0.005, deviation: deviation)], least)
        let steepest = max(edges[Self.edge(counts, beyond: 0.025, deviation: deviation)], 1)
        var sum = 0.0
        for bin in edges.indices.dropFirst() {
            sum += max(0, counts[bin]) * Double(min(cap, (edges[bin - 1] + 1 + edges[bin]) / 2))
        }
        var exposure = max(total, 1)
        if design.offset != nil { exposure = max(layout.values(1, of: noisy)[0], exposure * 0x1p-20) }
        let rate = min(max(sum / exposure, 0x1p-20), 0x1p40)
        var coefficients = [Double](repeating: 0, count: design.width)
        coefficients[0] = log(rate)
        return Start(cap: cap, steepest: min(steepest, cap), coefficients: coefficients)
    }
}
