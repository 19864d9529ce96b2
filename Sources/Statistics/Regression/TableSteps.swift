internal import DifferentialPrivacy

/// A logistic or Poisson regression on categories alone, from a noisy table with a cell for each combination: a row is in
/// one cell, so that the noise does not grow with the number of coefficients.
///
/// The noisy counts n_c and sums s_c of responses enter the score `sum of z_c (s_c - n_c m(z_c' beta))` as they are, also where
/// they are negative: at the population's coefficients their noise has mean zero in it whatever its size, since both are
/// linear in it. Of a logistic regression the counts of 1 and of 0 are released, of which a row changes one; of a Poisson one
/// counts and sums, the responses cut at a cap as in ``NewtonSteps``.
struct TableSteps: Sendable {
    let newton: NewtonSteps
    let cells: Int
    let losses: [PrivacyLoss]

    private var design: RegressionDesign { newton.design }
    private var isLogistic: Bool { newton.family == .logistic }
    private var isRobust: Bool { newton.isRobust }

    /// nil where predictors are numbers, cells too many, or rows have offsets or weights; a table has rows, and no units.
    init?(_ newton: NewtonSteps, loss: PrivacyLoss) throws(MechanismError) {
        let design = newton.design
        guard newton.rowsPerUnit == 1, design.offset == nil, design.largestWeight == nil, let cells = design.cells
        else {
            return nil
        }
        self.newton = newton
        self.cells = cells
        losses = try loss.divided(newton.family == .logistic ? [1] : [1, 9])
    }

    var count: Int { losses.count }

    func layout(_ curve: ResponseCurve?) throws(MechanismError) -> IntegerLayout {
        guard let curve else { return try newton.pilotLayout() }
        func block(_ entries: Int, _ bound: Double) -> IntegerLayout.Block {
            IntegerLayout.Block(entries: entries, largest: IntegerLayout.unit, nonzero: 1, times: 1, bound: bound)
        }
        if isLogistic { return try IntegerLayout([block(2 * cells, 1)]) }
        let bound = curve.residualBound
        let squares = isRobust ? [block(cells, bound * bound)] : []
        return try IntegerLayout([block(cells, 1), block(cells, bound)] + squares)
    }

    private func curve(after noisy: [[Int64]]) throws(MechanismError) -> ResponseCurve? {
        if isLogistic { return ResponseCurve(kind: .logistic) }
        guard let histogram = noisy.first else { return nil }
        let layout = try newton.pilotLayout()
        guard histogram.count == layout.length else {
            throw .parameter("noisy vectors", expected: "as many integers as the layout has")
        }
        let start = try newton.start(histogram, try layout.noise(loss: losses[0]))
        // A slope is known here, and needs no cap of its own.
        return ResponseCurve(kind: .poisson(cap: start.cap, steepest: start.cap))
    }

    func next(after noisy: [[Int64]]) throws(MechanismError) -> NewtonPoint {
        let curve = try curve(after: noisy)
        return NewtonPoint(
            layout: try layout(curve), curve: curve, coefficients: [Double](repeating: 0, count: design.width),
            squares: nil, beyond: nil)
    }

    func add(
        _ row: RegressionRow, to sums: inout [ExactSum], at point: NewtonPoint, _ encoded: inout EncodedRow
    ) throws(MechanismError) {
        guard let curve = point.curve else {
            return try newton.addCounts(CollectionOfOne(row), to: &sums, point.layout, &encoded)
        }
        guard try design.encode(row, into: &encoded), let response = curve.response(row.response) else { return }
        let cell = design.cell(encoded)
        if isLogistic { return sums[cell + (response == 1 ? cells : 0)].add(IntegerLayout.unit) }
        sums[cell].add(IntegerLayout.unit)
        sums[cells + cell].add(IntegerLayout.rounded(response, IntegerLayout.unit))
        if isRobust { sums[2 * cells + cell].add(IntegerLayout.rounded(response * response, IntegerLayout.unit)) }
    }
}

extension TableSteps {
    /// The table's cells, noisy.
    private struct Table {
        /// z of each cell.
        let rows: [EncodedRow]
        let counts: [Double]
        /// Sums of responses over the bound of residuals, and of their squares.
        let sums: [Double]
        let squares: [Double]
    }

    private func table(_ vector: [Int64], _ layout: IntegerLayout) throws(MechanismError) -> Table {
        var rows: [EncodedRow] = []
        for cell in 0..<cells {
            var encoded = EncodedRow()
            _ = try design.encode(RegressionRow(design.categories(ofCell: cell), response: 0), into: &encoded)
            rows.append(encoded)
        }
        let first = layout.values(0, of: vector)
        if isLogistic {
            let (zeros, ones) = (Array(first[..<cells]), Array(first[cells...]))
            return Table(rows: rows, counts: zip(zeros, ones).map { $0 + $1 }, sums: ones, squares: ones)
        }
        let bound = layout.blocks[1].worth * Double(layout.blocks[1].largest)
        return Table(
            rows: rows, counts: first, sums: layout.values(1, of: vector).map { $0 / bound },
            squares: isRobust ? layout.values(2, of: vector).map { $0 / (bound * bound) } : [])
    }

    private func sum(_ rows: [EncodedRow], _ factor: (Int) -> Double) -> SymmetricMatrix {
        let width = design.width
        var entries = [Double](repeating: 0, count: width * width)
        for (cell, row) in rows.enumerated() {
            let factor = factor(cell)
            for a in 0..<row.count {
                for b in 0...a {
                    entries[row.columns[a] * width + row.columns[b]] += factor * row.values[a] * row.values[b]
                }
            }
        }
        return SymmetricMatrix(size: width) { i, j in entries[i * width + j] }
    }

    /// The answer from all releases.
    func estimate(_ noisy: [[Int64]]) throws(MechanismError) -> RegressionEstimate {
        guard noisy.count == count, let vector = noisy.last, let curve = try curve(after: noisy) else {
            throw .parameter("noisy vectors", expected: "one for each release")
        }
        let layout = try layout(curve)
        guard vector.count == layout.length else {
            throw .parameter("noisy vectors", expected: "as many integers as the layout has")
        }
        let noise = try layout.noise(loss: losses[count - 1])
        let table = try table(vector, layout)
        let width = design.width
        let unit = layout.deviation(0, noise)
        // In units of the residuals' bound.
        let (coefficients, isSettled) = solve(table, curve, deviation: unit)
        let points = table.rows.map { curve.point($0.predictor(coefficients)) }
        let information = sum(table.rows) { table.counts[$0] * points[$0].slope }
        let norm =
            2 * (sum(table.rows) { points[$0].slope * points[$0].slope }.eigen().values.max() ?? 0).squareRoot()
            * unit
        let inverse = information.least > NewtonSteps.leastRatio * norm ? information.inverse() : nil
        var withheld: WithheldReason? = inverse == nil ? .undetermined : (isSettled ? nil : .unsettled)
        let bound = curve.residualBound
        var meat = sum(table.rows) { cell in
            let (mean, slope) = (points[cell].mean, points[cell].slope)
            if isLogistic { return table.sums[cell] * (1 - 2 * mean) + table.counts[cell] * mean * mean }
            guard isRobust else { return table.counts[cell] * slope / bound }
            return table.squares[cell] - 2 * mean * table.sums[cell] + mean * mean * table.counts[cell]
        }
        if isLogistic && !isRobust { meat = information }
        if withheld == nil && meat.least <= 0 { withheld = .variance }
        let identity = SymmetricMatrix(size: width) { i, j in i == j ? 1 : 0 }
        var equation = ScoreEquation(design, solution: coefficients, inverse: inverse ?? identity, meat: meat)
        for (cell, row) in table.rows.enumerated() where inverse != nil {
            let mean = points[cell].mean
            for factor in isLogistic ? [1 - mean, mean] : [mean, 1] {
                let entries = (0..<row.count).map { (column: row.columns[$0], factor: row.values[$0] * factor) }
                equation.add(entries, variance: unit * unit, excess: noise.excess)
            }
        }
        return RegressionEstimate(
            coefficients: equation.coefficients(withheld: withheld != nil), method: .table,
            variance: isRobust ? .robust : .model, withheld: withheld, count: table.counts.reduce(0, +))
    }

    /// Newton's method on the noisy table: a root of its score.
    private func solve(
        _ table: Table, _ curve: ResponseCurve, deviation: Double
    ) -> (coefficients: [Double], isSettled: Bool) {
        var coefficients = [Double](repeating: 0, count: design.width)
        let (count, total) = (table.counts.reduce(0, +), table.sums.reduce(0, +))
        if !isLogistic {
            coefficients[0] = ResponseCurve.logarithm(max(total / max(count, 1), 1e-6) * curve.residualBound)
        }
        for _ in 0..<60 {
            let points = table.rows.map { curve.point($0.predictor(coefficients)) }
            var score = [Double](repeating: 0, count: design.width)
            for (cell, row) in table.rows.enumerated() {
                let residual = table.sums[cell] - table.counts[cell] * points[cell].mean
                for a in 0..<row.count { score[row.columns[a]] += residual * row.values[a] }
            }
            let information = sum(table.rows) { table.counts[$0] * points[$0].slope }
            let least = information.least
            let floor = 1e-9 + deviation * 0x1p-4
            guard let inverse = information.raised(least > floor ? 0 : floor - least).inverse() else { break }
            let change = inverse.times(score)
            let length = change.reduce(0.0) { $0 + abs($1) }
            let factor = length > 2 ? 2 / length : 1
            coefficients = zip(coefficients, change).map { min(max($0 + factor * $1, -30), 30) }
            if length < 1e-9 { return (coefficients, true) }
        }
        return (coefficients, false)
    }
}
