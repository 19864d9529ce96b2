import DifferentialPrivacy
import Foundation
import Secrets

/// Errors of statistics of one column, for the side-by-side with other libraries: `parley-bench errors FILE EPSILON RUNS`.
/// FILE holds values between 0 and 100 as little-endian doubles. For each statistic a line with the median error over the
/// runs, the system's randomness, add/remove neighbours, each statistic at the full pure epsilon; and the processor
/// seconds of one run.
struct ErrorBenchmark {
    let values: [Double]
    let epsilon: Double
    let runs: Int

    static let bounds = (lower: 0.0, upper: 100.0)
    static let quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
    static let rangeBins = 4096

    init(file: String, epsilon: Double, runs: Int) throws {
        let data = try Data(contentsOf: URL(filePath: file))
        values = data.withUnsafeBytes { bytes in
            (0..<bytes.count / 8).map {
                Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)))
            }
        }
        self.epsilon = epsilon
        self.runs = runs
    }

    func run() throws {
        let loss = try PrivacyLoss(roundingDownEpsilon: epsilon)
        let grid = try ValueGrid(lower: Self.bounds.lower, upper: Self.bounds.upper)
        try mean(grid, loss)
        try quantiles([0.5], "median", grid, loss)
        try quantiles(Self.quantiles, "quantiles", grid, loss)
        try histogram(loss)
        try ranges(loss)
    }

    private func record(_ name: String, _ figures: [(String, Double)] = [], error: () throws -> Double) rethrows {
        var errors: [Double] = []
        let start = processorSeconds()
        for _ in 0..<runs { errors.append(try error()) }
        let seconds = (processorSeconds() - start) / Double(runs)
        report("errors_\(name)", [("epsilon", epsilon), ("error", median(errors)), ("cpu_s", seconds)] + figures)
    }

    private func mean(_ grid: ValueGrid, _ loss: PrivacyLoss) throws {
        var generator = SecureRandom()
        let mechanism = try PrivateMean(grid: grid, loss: loss)
        let truth = values.reduce(0, +) / Double(values.count)
        record("mean") { abs(mechanism.release(values, using: &generator).mean - truth) }
    }

    /// The mean distance, in ranks, of the quantiles from their targets.
    private func quantiles(_ quantiles: [Double], _ name: String, _ grid: ValueGrid, _ loss: PrivacyLoss) throws {
        var generator = SecureRandom()
        let mechanism = try JointQuantiles(quantiles: quantiles, loss: loss)
        let sorted = values.sorted()
        try record(name) {
            let found = try mechanism.release(values, grid: grid, using: &generator)
            let errors = zip(found, quantiles).map { abs(rank($0, sorted) - $1 * Double(sorted.count)) }
            return errors.reduce(0, +) / Double(errors.count)
        }
    }

    /// The number of values below x.
    private func rank(_ x: Double, _ sorted: [Double]) -> Double {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < x { low = middle + 1 } else { high = middle }
        }
        return Double(low)
    }

    private func histogram(_ loss: PrivacyLoss) throws {
        var generator = SecureRandom()
        let bins = try EqualBins(lower: Self.bounds.lower, upper: Self.bounds.upper, count: 100)
        let mechanism = try PrivateHistogram(bins: 100, loss: loss)
        let truth = bins.counts(values)
        try record("histogram") {
            let noisy = try mechanism.release(bins.counts(values), using: &generator)
            return zip(noisy, truth).reduce(0.0) { $0 + abs(Double($1.0 - $1.1)) } / 100
        }
    }

    /// The mean error over all ranges of a width, of 4096 bins.
    private func ranges(_ loss: PrivacyLoss) throws {
        var generator = SecureRandom()
        let bins = try EqualBins(lower: Self.bounds.lower, upper: Self.bounds.upper, count: Self.rangeBins)
        let counts = bins.counts(values)
        let cumulative = counts.reduce(into: [Double(0)]) { $0.append($0[$0.count - 1] + Double($1)) }
        let tree = try PrivateRangeTree(leaves: Self.rangeBins, loss: loss)
        let histogram = try PrivateHistogram(bins: Self.rangeBins, loss: loss)
        func error(_ released: [Double], _ width: Int) -> Double {
            let starts = 0...(Self.rangeBins - width)
            let total = starts.reduce(0.0) {
                let truth = cumulative[$1 + width] - cumulative[$1]
                return $0 + abs(released[$1 + width] - released[$1] - truth)
            }
            return total / Double(starts.count)
        }
        for width in [1, 10, 100, 1000] {
            try record("ranges_\(width)", [("fanout", Double(tree.fanout))]) {
                error(try tree.release(bins.counts(values), using: &generator).cumulative, width)
            }
            try record("ranges_\(width)_histogram") {
                let noisy = try histogram.release(bins.counts(values), using: &generator)
                return error(noisy.reduce(into: [Double(0)]) { $0.append($0[$0.count - 1] + Double($1)) }, width)
            }
        }
    }
}
