/// What the rows of a batch contribute to one parameter's gradient, kept so that the part of each row, of each unit and of
/// all can be had: a layer that applies a weight to inputs contributes inputs and output gradients, not their product.
///
/// Rows of one unit stand one after the other.
public protocol Contribution: Sendable {
    /// The number of values of the parameter.
    var size: Int { get }
    /// Adds to `sum` the gradients of all rows, each times its scale (nil: 1).
    func addAll(to sum: inout [Float], scales: [Float]?)
    /// Adds to `target`, which has ``size`` values, the gradient of some rows.
    func add(rows: Range<Int>, to target: UnsafeMutablePointer<Float>)
    /// The squared L2 norm of the sum of some rows' gradients, without making it; more where their terms cancel
    /// (``Cancellation``), infinite where values are too large to be scaled. It follows from these rows alone, to the bit.
    func squaredNorm(rows: Range<Int>) -> Double
    /// Multiplications and additions that ``squaredNorm(rows:)`` takes for a unit of so many rows.
    func normCost(rows: Int) -> Double
    /// Multiplications and additions that ``add(rows:to:)`` takes for a unit of so many rows.
    func gradientCost(rows: Int) -> Double
    /// Makes the gradient of some rows zero.
    mutating func clear(rows: Range<Int>)
}

/// Takes what layers contribute.
protocol GradientCollector {
    /// - Parameter parameter: Its position among the model's.
    mutating func add(_ contribution: any Contribution, to parameter: Int)
}

/// The plain gradient: the sum over rows, at once.
struct SumCollector: GradientCollector {
    /// One for each parameter; empty where it is frozen.
    private(set) var sums: [[Float]]

    init(_ model: Model) {
        sums = model.declarations.map { [Float](repeating: 0, count: $0.isTrainable ? $0.shape.product : 0) }
    }

    mutating func add(_ contribution: any Contribution, to parameter: Int) {
        contribution.addAll(to: &sums[parameter], scales: nil)
    }
}
