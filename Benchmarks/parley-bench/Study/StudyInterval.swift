/// The mean of results of several seeds, and where the true one lies with 95 % by Student's t.
struct StudyInterval {
    let mean: Double
    let low: Double
    let high: Double
    let count: Int

    /// The 97.5 % quantiles of Student's t, from 1 degree of freedom on.
    private static let quantiles = [
        12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.306, 2.26216, 2.22814, 2.20099, 2.17881,
        2.16037, 2.14479, 2.13145, 2.11991, 2.10982, 2.10092, 2.09302,
    ]

    /// How many seeds there may be.
    static let counts = 2...quantiles.count + 1

    /// - Parameter values: One a seed, as many as ``counts`` allows.
    init(_ values: [Double]) {
        count = values.count
        let mean = values.reduce(0, +) / Double(count)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let reach = Self.quantiles[count - 2] * (squares / Double(count - 1) / Double(count)).squareRoot()
        (self.mean, low, high) = (mean, mean - reach, mean + reach)
    }

    /// Of differences, paired by seed.
    init(_ values: [Double], minus others: [Double]) { self.init(zip(values, others).map { $0 - $1 }) }

    /// For JSON lines.
    var figures: [(String, Double)] { [("mean", mean), ("low", low), ("high", high), ("seeds", Double(count))] }
}
