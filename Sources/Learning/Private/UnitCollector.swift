/// Gathers what the rows of some units contribute, to bound each unit's whole gradient and add the units up.
///
/// One way back through the model serves both the norms and the sum (Bu et al. 2023, "Differentially private optimization on
/// large foundation models", book-keeping). For each parameter a unit's norm is had from inputs and output gradients where that
/// is cheaper (see ``Contribution/squaredNorm(rows:)``), or from the unit's gradient itself, which then is kept and need not be
/// made again. A parameter that several layers share has the second way: parts of one gradient may point against each other.
struct UnitCollector: GradientCollector {
    /// How a parameter's norms are had.
    enum Way: Sendable, Equatable { case ghost, exact, cheaper }

    /// The rows of each unit, one unit after the other.
    private let units: [Range<Int>]
    private let way: Way
    private var parts: [Part]

    private enum Part: Sendable {
        case nothing
        case ghost(any Contribution)
        /// The units' gradients, one after the other.
        case exact([Float], size: Int)
    }

    /// - Parameter units: The rows of each, one unit after the other.
    init(_ model: Model, units: [Range<Int>], way: Way = .cheaper) {
        self.units = units
        self.way = way
        parts = model.declarations.map { _ in .nothing }
    }

    mutating func add(_ contribution: any Contribution, to parameter: Int) {
        switch parts[parameter] {
        case .nothing:
            parts[parameter] =
                prefersGhost(contribution)
                ? .ghost(contribution) : .exact(gradients(of: contribution), size: contribution.size)
        case .ghost(let first):
            parts[parameter] = .nothing
            var sum = gradients(of: first)
            addGradients(of: contribution, to: &sum)
            parts[parameter] = .exact(sum, size: contribution.size)
        case .exact(var sum, let size):
            parts[parameter] = .nothing
            addGradients(of: contribution, to: &sum)
            parts[parameter] = .exact(sum, size: size)
        }
    }

    /// What decides is told by shapes alone. The units' gradients save the sum its product, which costs as much again.
    private func prefersGhost(_ contribution: any Contribution) -> Bool {
        switch way {
        case .ghost: return true
        case .exact: return false
        case .cheaper: break
        }
        let (ghost, exact) = units.reduce((0, 0)) { costs, unit in
            (
                costs.0 + contribution.normCost(rows: unit.count) + contribution.gradientCost(rows: unit.count),
                costs.1 + contribution.gradientCost(rows: unit.count) + 4 * Double(contribution.size)
            )
        }
        return ghost <= exact
    }

    private func gradients(of contribution: any Contribution) -> [Float] {
        var sum = [Float](repeating: 0, count: units.count * contribution.size)
        addGradients(of: contribution, to: &sum)
        return sum
    }

    private func addGradients(of contribution: any Contribution, to sum: inout [Float]) {
        let size = contribution.size
        sum.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for (index, unit) in units.enumerated() { contribution.add(rows: unit, to: base + index * size) }
        }
    }

    /// Of each unit's whole gradient, rounded up by the error of the way it is computed; no number where the gradient is none.
    func norms() -> [Double] {
        var squares = [Double](repeating: 0, count: units.count)
        for part in parts {
            switch part {
            case .nothing: break
            case .ghost(let contribution):
                for (index, unit) in units.enumerated() { squares[index] += contribution.squaredNorm(rows: unit) }
            case .exact(let gradients, let size):
                gradients.withUnsafeBufferPointer { buffer in
                    guard let base = buffer.baseAddress else { return }
                    for index in units.indices { squares[index] += Dense.squaredNorm(base + index * size, count: size) }
                }
            }
        }
        return squares.map { $0.squareRoot() }
    }

    /// Adds to `sums`, one array a parameter, the units' gradients, each times its factor; factor 0 leaves a unit out, whatever it is.
    mutating func addUnits(_ factors: [Float], to sums: inout [[Float]]) {
        let left = factors.indices.filter { factors[$0] == 0 }
        var scales = [Float](repeating: 0, count: units.last?.upperBound ?? 0)
        for (unit, factor) in zip(units, factors) { for row in unit { scales[row] = factor } }
        for position in parts.indices {
            switch parts[position] {
            case .nothing: break
            case .ghost(var contribution):
                for index in left { contribution.clear(rows: units[index]) }
                contribution.addAll(to: &sums[position], scales: scales)
            case .exact(let gradients, let size):
                gradients.withUnsafeBufferPointer { buffer in
                    sums[position].withUnsafeMutableBufferPointer { sum in
                        guard let base = buffer.baseAddress, let target = sum.baseAddress else { return }
                        for index in units.indices where factors[index] != 0 {
                            Dense.addScaled(base + index * size, factors[index], to: target, count: size)
                        }
                    }
                }
            }
            parts[position] = .nothing
        }
    }
}
