internal import DifferentialPrivacy
internal import SecureComputation

/// The scales of a logistic task, and the program that they make.
struct LogisticSteps {
    let task: LogisticTask
    let encoding: EncodedTable
    /// Bits behind the point of weights.
    let weightBits: Int
    /// A step's factors: gradients times this ...
    let factor: Int64
    /// ... and weights times this, over 2^shift.
    let decay: Int64
    let shift: Int
    let noise: JointNoise?
    /// By which power of two gradients are divided for the noise's grid.
    let gridBits: Int

    /// Bits behind the point of a row's squared norm and of its inverse root.
    private static let normBits = 16
    /// A gradient's bits behind the point, on the noise's grid.
    private static let noiseBits = 20

    private var featureBits: Int { encoding.featureBits }
    private var residualBits: Int { encoding.responseBits + 1 }
    private var gradientBits: Int { featureBits + residualBits - gridBits }
    var rate: Double {
        Double(factor) * Double(task.table.rows) / Self.power(shift - gradientBits + weightBits)
    }
    var ridge: Double { Double(decay) / Self.power(shift) / rate }

    /// The finest scales for which no number reaches 2^62, by a range analysis of the whole program, and that program.
    static func fitting(
        _ task: LogisticTask
    ) throws(SecureStatisticsError) -> (steps: LogisticSteps, program: Program) {
        var last = SecureStatisticsError.task("scales", expected: "at least one that fits")
        for featureBits in stride(from: 12, through: 8, by: -1) {
            for factorBits in [9, 7, 5] {
                do throws(SecureStatisticsError) {
                    let steps = try LogisticSteps(task, featureBits: featureBits, factorBits: factorBits)
                    return (steps, try steps.program(epochs: task.epochs))
                } catch {
                    guard case .computation(.overflow) = error else { throw error }
                    last = error
                }
            }
        }
        throw last
    }

    init(_ task: LogisticTask, featureBits: Int, factorBits: Int) throws(SecureStatisticsError) {
        self.task = task
        weightBits = featureBits + 4
        let residualBits = featureBits + weightBits + LogisticCurve.slopeBits
        encoding = EncodedTable(table: task.table, featureBits: featureBits, responseBits: residualBits - 1)
        gridBits = task.privacy == nil ? 0 : featureBits + residualBits - Self.noiseBits
        // rate / rows, in units of weights over units of gradients, as a factor of so many bits over a power of two.
        let exact = task.rate / Double(task.table.rows) * Self.power(weightBits - featureBits - residualBits + gridBits)
        // Rates that a task has are far from what has no such exponent.
        guard exact.isNormal, (1...61).contains(factorBits - 1 - Int(exact.exponent)) else {
            throw .task("a rate of \(task.rate) over \(task.table.rows) rows", expected: "a larger one, or fewer rows")
        }
        shift = factorBits - 1 - Int(exact.exponent)
        factor = Int64((exact * Self.power(shift)).rounded())
        decay = Int64((task.rate * task.ridge * Self.power(shift)).rounded())
        guard let privacy = task.privacy else {
            noise = nil
            return
        }
        noise = try JointNoise(
            privacy, sensitivity: Self.sensitivity(task.table.width), dimension: task.table.width, steps: task.epochs,
            owners: task.table.owners)
    }

    private static func power(_ bits: Int) -> Double { Double(sign: .plus, exponent: bits, significand: 1) }

    /// The largest L2 norm of a row behind ``held(_:in:)``, in real units, for so many columns, where its squared norm counts as 1 + 2^-m times what it is.
    ///
    /// With v the squared norm of what is put in, n = v (1 + 2^-m) + e, |e| <= 2^-17, is held to 1 from below (and to twice the width from above, which it cannot reach), and s = n^(-1/2) (1 + d) + e', |d| <= 2^-25, |e'| <= 2^-17. Where n is above 1, sqrt(v) s is at most
    /// ((1 + 2^-17) / (1 + 2^-m))^(1/2) (1 + 2^-25) + sqrt(width) 2^-17, since v (1 + 2^-m) / n <= 1 + 2^-17 / n; elsewhere v is at most (1 + 2^-17) / (1 + 2^-m), and s at most 1 + 2^-25 + 2^-17: the same bound holds. Rounding each number
    /// to a feature's unit adds half a unit times sqrt(width).
    private static func heldNorm(_ width: Int, featureBits: Int, margin: Int) -> Double {
        let root = ((1 + 0x1p-17) / (1 + power(-margin))).squareRoot() * (1 + 0x1p-25)
        let columns = Double(width).squareRoot()
        return (root + columns * 0x1p-17 + columns * power(-featureBits - 1)) * (1 + 0x1p-40)
    }

    /// The smallest margin, 2^-8 at least, that keeps a row's norm to 1. Eight bits of a feature and 128 columns take 2^-4.
    private var margin: Int {
        (1...8).last { Self.heldNorm(task.table.width, featureBits: featureBits, margin: $0) <= 1 } ?? 0
    }

    /// What a row's presence changes in a step's gradients on the noise's grid: a residual of at most 1 times a norm of at most 1, and half a unit of each number for either table's rounding.
    private static func sensitivity(_ width: Int) -> Double {
        power(noiseBits) + Double(width).squareRoot()
    }

    /// Rows with their norms held to 1: [rows, width].
    private func held(_ rows: Value, in builder: inout ProgramBuilder) throws(SecureStatisticsError) -> Value {
        let width = task.table.width
        return try computing { () throws(ComputationError) in
            let squares = try builder.summed(try builder.product(rows, rows))
            // 2^8 times the sum, and the margin.
            let raised = try builder.combined([(squares, 256 + 1 << Int64(8 - margin))])
            let bits = 2 * featureBits + 8 - Self.normBits
            let norms = try builder.truncated(raised, by: bits, exactly: true)
            let inverse = try builder.inverseSquareRoot(
                norms, fractionBits: Self.normBits, over: 1...Double(2 * width))
            let places = (0..<task.table.rows * width).map { $0 / width }
            let factors = try builder.gathered(inverse, places: places, shape: [task.table.rows, width])
            return try builder.truncated(try builder.product(rows, factors), by: Self.normBits, exactly: true)
        }
    }

    func program(epochs: Int) throws(SecureStatisticsError) -> Program {
        var builder = ProgramBuilder()
        builder.comparisons = task.comparisons
        let (given, labels) = try computing { () throws(ComputationError) in try encoding.inputs(&builder) }
        let draws = try computing { () throws(ComputationError) in try noise?.inputs(&builder) ?? [] }
        let rows = noise == nil ? given : try held(given, in: &builder)
        return try computing { () throws(ComputationError) in
            let operand = try builder.maskedOnce(rows)
            var weights: Value?
            for epoch in 0..<epochs {
                weights = try step(
                    from: weights, operand, labels, draw: draws.isEmpty ? nil : draws[epoch % draws.count], in: &builder
                )
            }
            if let weights { for party in task.recipients { _ = try builder.reveal(weights, to: party) } }
            return builder.program()
        }
    }

    /// Rows behind ``held(_:in:)``, and gradients before noise at some weights: what a test compares between neighbouring tables.
    func gradientProgram(at weights: [Int64]) throws(SecureStatisticsError) -> Program {
        var builder = ProgramBuilder()
        let (given, labels) = try computing { () throws(ComputationError) in try encoding.inputs(&builder) }
        let rows = try held(given, in: &builder)
        let words = try tensor([weights.count], weights.map { UInt64(bitPattern: $0) })
        return try computing { () throws(ComputationError) in
            _ = try builder.reveal(rows, to: .first)
            let sums = try gradients(at: try builder.constant(words), rows, labels, in: &builder)
            _ = try builder.reveal(try builder.truncated(sums, by: gridBits, exactly: true), to: .first)
            return builder.program()
        }
    }

    /// Sums of residuals times rows, of the shape [width]; of weights that are noughts where there are none.
    private func gradients(
        at weights: Value?, _ rows: Value, _ labels: Value, in builder: inout ProgramBuilder
    ) throws(ComputationError) -> Value {
        let width = task.table.width
        var terms: [(value: Value, factor: Int64)] = [(labels, -1)]
        if let weights {
            let logits = try builder.matrixProduct(rows, try builder.reshaped(weights, to: [width, 1]))
            let flat = try builder.reshaped(logits, to: [task.table.rows])
            terms.append((try task.curve.applied(to: flat, fractionBits: featureBits + weightBits, in: &builder), 1))
        }
        let residuals = try builder.reshaped(try builder.combined(terms), to: [1, task.table.rows])
        return try builder.reshaped(try builder.matrixProduct(residuals, rows), to: [width])
    }

    /// Weights behind a step, of the shape [width]; nil for noughts.
    private func step(
        from weights: Value?, _ rows: Value, _ labels: Value, draw: Value?, in builder: inout ProgramBuilder
    ) throws(ComputationError) -> Value {
        var gradients = try gradients(at: weights, rows, labels, in: &builder)
        if let draw {
            gradients = try builder.sum(try builder.truncated(gradients, by: gridBits, exactly: true), draw)
        }
        var change: [(value: Value, factor: Int64)] = [(gradients, factor)]
        if let weights, decay > 0 { change.append((weights, decay)) }
        let divided = try builder.truncated(try builder.combined(change), by: shift, exactly: true)
        guard let weights else { return try builder.combined([(divided, -1)]) }
        return try builder.difference(weights, divided)
    }
}
