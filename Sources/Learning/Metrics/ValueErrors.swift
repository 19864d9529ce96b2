/// True values beside what a model says of them, as scikit-learn 1.9 measures them.
public struct ValueErrors: Sendable {
    private let targets: [Double]
    private let outputs: [Double]
    private let width: Int

    /// - Parameters:
    ///   - targets: [rows, width].
    ///   - outputs: [rows, width].
    /// - Throws: Rows that do not fit; outputs that are no number.
    public init(targets: [Double], outputs: [Double], width: Int = 1) throws(MetricError) {
        guard targets.count == outputs.count, width >= 1, targets.count % width == 0, !targets.isEmpty else {
            throw .mismatch(
                "\(outputs.count) outputs beside \(targets.count) targets: the same number, of at least one row")
        }
        guard outputs.allSatisfy(\.isFinite), targets.allSatisfy(\.isFinite) else { throw .notANumber }
        self.targets = targets
        self.outputs = outputs
        self.width = width
    }

    /// One metric.
    ///
    /// - Throws: That these rows have none, and why.
    public func value(_ metric: Metric) throws(MetricError) -> Double {
        switch metric {
        case .meanSquaredError: return zip(targets, outputs).map { ($0 - $1) * ($0 - $1) }.mean
        case .meanAbsoluteError: return zip(targets, outputs).map { abs($0 - $1) }.mean
        case .r2:
            guard targets.count > width else { throw .undefined(metric, reason: "one row has no variance") }
            return (0..<width).map(explained).mean
        default: throw .undefined(metric, reason: "it is one of labels, and these are values")
        }
    }

    /// Of targets that are all the same: 1 where they are met, 0 otherwise.
    private func explained(_ output: Int) -> Double {
        let rows = stride(from: output, to: targets.count, by: width)
        let mean = rows.map { targets[$0] }.mean
        let total = rows.reduce(0) { $0 + (targets[$1] - mean) * (targets[$1] - mean) }
        let left = rows.reduce(0) { $0 + (targets[$1] - outputs[$1]) * (targets[$1] - outputs[$1]) }
        return total == 0 ? (left == 0 ? 1 : 0) : 1 - left / total
    }
}
