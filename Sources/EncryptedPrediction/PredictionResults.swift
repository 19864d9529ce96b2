#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What was opened, row by row. It prints as its number of rows alone.
public struct PredictionResults: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// The number of the largest score, the first of several; with one score, 1 where it is at least 0.
    public let labels: [Int]
    /// The outputs before softmax, a row each; nil where labels alone were opened.
    public let scores: [[Double]]?

    init(labels: [Int]) { (self.labels, scores) = (labels, nil) }

    init(scores: [[Double]]) {
        self.scores = scores
        labels = scores.map { row in
            guard row.count > 1 else { return (row.first ?? -1) >= 0 ? 1 : 0 }
            return row.indices.reduce(0) { row[$1] > row[$0] ? $1 : $0 }
        }
    }

    /// Softmax of the scores; of one score, which is log odds, the probabilities of 0 and 1. nil where labels alone were opened.
    public var probabilities: [[Double]]? {
        scores?.map { row in
            let row = row.count == 1 ? [0, row[0]] : row
            let largest = row.max() ?? 0
            let powers = row.map { exp($0 - largest) }
            let sum = powers.reduce(0, +)
            return powers.map { $0 / sum }
        }
    }

    /// The number of rows.
    public var description: String { "PredictionResults(\(labels.count) rows)" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
