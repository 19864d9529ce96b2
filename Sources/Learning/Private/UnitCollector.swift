/// Gathers what the rows of some units contribute, to bound each unit's whole gradient and add the units up.
///
/// One way back through the model serves both the norms and the sum (Bu et al. 2023, "Differentially private optimization on
/// large foundation models", book-keeping). For each parameter a unit's norm is had from inputs and output gradients where that
/// is cheaper (see ``Contribution/squaredNorm(rows:)``), or from the unit's gradient itself, which then is kept and need not be
/// made again. A parameter that several layers share has the second way: parts of one gradient may point against each other.
///
/// Which way a unit goes follows from the model and its own number of rows. The ways differ in their rounding, and where terms cancel:
/// if others decided, one unit that is absent could change what all of them add.
struct UnitCollector: GradientCollector {
    /// How a parameter's norms are had.
    enum Way: Sendable, Equatable { case ghost, exact, cheaper }

    /// The rows of each unit, one unit after the other.
    private let units: [Range<Int>]
    private let way: Way
    private var parts: [Part]

    private enum Part: Sendable {
        case nothing
        /// One layer's. `exact`: for the units that go this way, the first value of their gradient in `gradients`.
        case one(any Contribution, exact: [Int?], gradients: [Float])
        /// The units' gradients, one after the other, of what several layers share.
        case shared([Float], size: Int)
    }

    /// - Parameter units: The rows of each, one unit after the other.
    init(_ model: Model, units: [Range<Int>], way: Way = .cheaper) {
        self.units = units
        self.way = way
        parts = model.declarations.map { _ in .nothing }
    }

    mutating func add(_ contribution: any Contribution, to parameter: Int) {
        let size = contribution.size
        switch parts[parameter] {
        case .nothing:
            var (exact, count) = ([Int?](), 0)
            for unit in units {
                let isExact = !prefersGhost(contribution, rows: unit.count)
                exact.append(isExact ? count : nil)
                count += isExact ? size : 0
            }
            var gradients = [Float](repeating: 0, count: count)
            addGradients(of: contribution, at: exact, to: &gradients)
            parts[parameter] = .one(contribution, exact: exact, gradients: gradients)
        case .one(let first, _, _):
            let all = units.indices.map { Optional($0 * size) }
            var sum = [Float](repeating: 0, count: units.count * size)
            addGradients(of: first, at: all, to: &sum)
            addGradients(of: contribution, at: all, to: &sum)
            parts[parameter] = .shared(sum, size: size)
        case .shared(var sum, _):
            parts[parameter] = .nothing
            addGradients(of: contribution, at: units.indices.map { $0 * size }, to: &sum)
            parts[parameter] = .shared(sum, size: size)
        }
    }

    /// The units' gradients save the sum its product, which costs as much again.
    private func prefersGhost(_ contribution: any Contribution, rows: Int) -> Bool {
        switch way {
        case .ghost: true
        case .exact: false
        case .cheaper: contribution.normCost(rows: rows) <= 4 * Double(contribution.size)
        }
    }

    private func addGradients(of contribution: any Contribution, at places: [Int?], to sum: inout [Float]) {
        sum.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for case (let unit, let place?) in zip(units, places) { contribution.add(rows: unit, to: base + place) }
        }
    }

    /// Of each unit's whole gradient, from above (``Contribution/squaredNorm(rows:)``); not finite where the gradient is none.
    func norms() -> [Double] {
        var squares = [Double](repeating: 0, count: units.count)
        for part in parts {
            switch part {
            case .nothing: break
            case .one(let contribution, let exact, let gradients):
                for index in units.indices {
                    squares[index] +=
                        exact[index].map { Self.squaredNorm(gradients, at: $0, size: contribution.size) }
                        ?? contribution.squaredNorm(rows: units[index])
                }
            case .shared(let gradients, let size):
                for index in units.indices {
                    squares[index] += Self.squaredNorm(gradients, at: index * size, size: size)
                }
            }
        }
        return squares.map { $0.squareRoot() }
    }

    private static func squaredNorm(_ gradients: [Float], at place: Int, size: Int) -> Double {
        gradients.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { Dense.squaredNorm($0 + place, count: size) } ?? 0
        }
    }

    /// Adds to `sums`, one array a parameter, the units' gradients, each times its factor; factor 0 leaves a unit out, whatever it is.
    mutating func addUnits(_ factors: [Float], to sums: inout [[Float]]) {
        for position in parts.indices {
            switch parts[position] {
            case .nothing: break
            case .one(let contribution, let exact, let gradients):
                addGhosts(of: contribution, factors, exact, to: &sums[position])
                addScaled(gradients, at: exact, factors, size: contribution.size, to: &sums[position])
            case .shared(let gradients, let size):
                let all = units.indices.map { Optional($0 * size) }
                addScaled(gradients, at: all, factors, size: size, to: &sums[position])
            }
            parts[position] = .nothing
        }
    }

    /// The sum of the units whose gradients were not made.
    private func addGhosts(
        of contribution: any Contribution, _ factors: [Float], _ exact: [Int?], to sum: inout [Float]
    ) {
        guard exact.contains(where: { $0 == nil }) else { return }
        var contribution = contribution
        var scales = [Float](repeating: 0, count: units.last?.upperBound ?? 0)
        for index in units.indices {
            // Zero times what is no number is none.
            if factors[index] == 0 || exact[index] != nil {
                contribution.clear(rows: units[index])
            } else {
                for row in units[index] { scales[row] = factors[index] }
            }
        }
        contribution.addAll(to: &sum, scales: scales)
    }

    private func addScaled(
        _ gradients: [Float], at places: [Int?], _ factors: [Float], size: Int, to sum: inout [Float]
    ) {
        gradients.withUnsafeBufferPointer { buffer in
            sum.withUnsafeMutableBufferPointer { sum in
                guard let base = buffer.baseAddress, let target = sum.baseAddress else { return }
                for case (let factor, let place?) in zip(factors, places) where factor != 0 {
                    Dense.addScaled(base + place, factor, to: target, count: size)
                }
            }
        }
    }
}
