internal import ModularArithmetic
internal import SecureComputation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Solves (A + ridge) w = b on shares, where A = sum of x x' / n and b = sum of x y / n for n a power of two, and each number of x and y is from -1 to 1. No division, and no comparison.
///
/// **Inverse.** Z = 1 / L at first, L a power of two that no eigenvalue exceeds (A's trace is at most its size), and (2 - Z (A + ridge)) Z thereafter (Schulz 1933): with R = 1 - Z (A + ridge), R' = R^2, also where rounding keeps Z from commuting with A. Divisions of it are rounded
/// up or down, whichever: what they miss is mended by what follows. **Refinement.** The residual b - (A + ridge) w is exact, of the moments as they are, and w moves by Z times it: what is left of the error is ||R|| of it.
///
/// **Range.** A is positive semidefinite whatever the rows are, being a sum of x x'. So Z_k, a polynomial of A, has eigenvalues (1 - (1 - m / L)^(2^k)) / m <= min(2^k / L, 1 / ridge) for m >= ridge, R is between 0 and 1, and
/// ||w|| <= 1 / (2 sqrt(ridge)), since (A + ridge)^(-1) X' has a norm of at most that and sum of y^2 / n <= 1. Bounds below are twice these; a product's sums may wrap on the way.
///
/// **Rounding.** With s the size: entries of Z (A + ridge) miss by 2^-24, and of Z by 2^-F, where F is what the range leaves, so that a step adds to R at most s 2^-24 and s L 2^-F. Behind k steps 1 - ||R|| is 2^k ridge / L; the first
/// steps' part is s L 2^-24 / ridge, which is held to 1/16 (``init(size:momentBits:ridge:)``), and halves with each. Four steps more than exact numbers would need make up for that, and leave ||R|| <= 1/8. Each refinement takes three
/// bits of the error at least, down to half a unit of 2^-22 of each weight, and what rounding the residual adds, which has ever more bits. A test measures it.
struct LinearSolver {
    /// The most bits behind the point of moments, divided by n.
    static let momentBits = 34
    /// Bits behind the point of the solution.
    static let solutionBits = 22
    /// Bits behind the point of A and of Z A in the inverse's steps.
    private static let matrixBits = 24
    /// What a number on shares may have.
    private static let ringBits = 61

    /// How many weights.
    let size: Int
    /// Bits behind the point of the moments that it is given.
    let momentBits: Int
    let ridge: Double
    /// L is 2 to this.
    private let traceBits: Int

    /// - Throws: ``SecureStatisticsError/task(_:expected:)`` where the ridge is below size times L times 2^-20.
    init(size: Int, momentBits: Int, ridge: Double) throws(SecureStatisticsError) {
        (self.size, self.momentBits, self.ridge) = (size, momentBits, ridge)
        traceBits = Int.bitWidth - size.leadingZeroBitCount
        let least = Double(size) * Self.power(traceBits - 20)
        guard ridge >= least else {
            throw .task("a ridge of \(ridge) of rows rounded up to a power of two", expected: "at least \(least)")
        }
    }

    private static func power(_ bits: Int) -> Double { Double(sign: .plus, exponent: bits, significand: 1) }

    /// Twice the largest eigenvalue of Z behind so many steps, as a power of two.
    private func inverseBits(_ steps: Int) -> Int {
        min(steps + 1 - traceBits, Int(log2(2 / ridge).rounded(.up)))
    }

    /// Bits behind the point of Z behind so many steps.
    private func fractionBits(_ steps: Int) -> Int {
        min(Self.ringBits - Self.matrixBits - 1, Self.ringBits - Self.matrixBits - inverseBits(steps + 1))
    }

    /// The weights: [size].
    ///
    /// - Parameter moments: Of all pairs of columns, the response behind the others: the upper triangle row by row.
    func solution(_ moments: Value, in builder: inout ProgramBuilder) throws(ComputationError) -> Value {
        func place(_ i: Int, _ j: Int) -> Int {
            let (row, column) = (min(i, j), max(i, j))
            return row * (size + 1) - row * (row - 1) / 2 + column - row
        }
        let pairs = (0..<size * size).map { place($0 / size, $0 % size) }
        let exact = try builder.sum(
            try builder.gathered(moments, places: pairs, shape: [size, size]),
            try diagonal((ridge * Self.power(momentBits)).rounded(), in: &builder))
        let response = try builder.gathered(
            moments, places: (0..<size).map { place($0, size) }, shape: [size, 1])
        let inverse = try inverse(exact, in: &builder)
        return try refined(try builder.maskedOnce(exact), response, inverse, in: &builder)
    }

    /// A number times the identity.
    private func diagonal(_ number: Double, in builder: inout ProgramBuilder) throws(ComputationError) -> Value {
        let word = UInt64(bitPattern: Int64(number))
        let words = (0..<size * size).map { $0 / size == $0 % size ? word : 0 }
        do { return try builder.constant(RingTensor(shape: [size, size], words: words)) } catch let error
            as ComputationError
        {
            throw error
        } catch {
            throw .shapes("a diagonal of \(size)", expected: "\(error)")
        }
    }

    /// Z, and its bits behind the point.
    private func inverse(
        _ exact: Value, in builder: inout ProgramBuilder
    ) throws(ComputationError) -> (value: Value, bits: Int) {
        let rounded = try shifted(exact, by: Self.matrixBits - momentBits, in: &builder)
        let matrix = try builder.maskedOnce(rounded)
        // Behind the first step: 2 / L - (A + ridge) / L^2, of so many bits more.
        var bits = Self.matrixBits + 2 * traceBits
        var inverse = try builder.difference(
            try diagonal(Self.power(bits + 1 - traceBits), in: &builder), rounded)
        inverse = try shifted(inverse, by: fractionBits(1) - bits, in: &builder)
        bits = fractionBits(1)
        let steps = Int((Double(traceBits) - log2(ridge)).rounded(.up)) + 4
        for step in 2...steps {
            let near = try builder.truncated(
                try builder.matrixProduct(inverse, matrix, provenWithin: Self.power(bits + Self.matrixBits + 1)),
                by: bits, exactly: false)
            let rest = try builder.difference(try diagonal(Self.power(Self.matrixBits + 1), in: &builder), near)
            let next = try builder.matrixProduct(
                rest, inverse, provenWithin: Self.power(bits + Self.matrixBits + inverseBits(step)))
            inverse = try builder.truncated(next, by: bits + Self.matrixBits - fractionBits(step), exactly: false)
            bits = fractionBits(step)
        }
        return (inverse, bits)
    }

    /// Times a power of two, or divided by one.
    private func shifted(_ value: Value, by bits: Int, in builder: inout ProgramBuilder) throws(ComputationError)
        -> Value
    {
        if bits < 0 { return try builder.truncated(value, by: -bits, exactly: false) }
        return bits == 0 ? value : try builder.combined([(value, 1 << Int64(bits))])
    }

    /// From nought: residuals times the inverse, added up.
    private func refined(
        _ matrix: Value, _ response: Value, _ inverse: (value: Value, bits: Int), in builder: inout ProgramBuilder
    ) throws(ComputationError) -> Value {
        let operand = try builder.maskedOnce(inverse.value)
        // Twice the largest norm of the weights, and then of what is left of the error: an eighth behind each step, and rounding: twice half a unit of each weight, and as much again for what is left of that.
        let rounding = Self.power(1 - Self.solutionBits) * Double(size).squareRoot()
        var left = 1 / ridge.squareRoot()
        let steps = Int((log2(left) + Double(Self.solutionBits + 3)) / 3) + 1
        var weights = try change(operand, inverse.bits, residual: (response, momentBits), left: left, in: &builder)
        let residualBits = momentBits + Self.solutionBits
        for _ in 0..<steps {
            left = max(left / 8, rounding)
            // b - r, where |b| is at most 1 and |r| what is left times the largest norm of a row of A.
            let largest = 1 + left * Double(size).squareRoot() * (1 + ridge)
            let whole = try builder.matrixProduct(
                matrix, weights, provenWithin: Self.power(residualBits) * largest)
            let residual = try builder.combined([(response, 1 << Int64(Self.solutionBits)), (whole, -1)])
            let moved = try change(operand, inverse.bits, residual: (residual, residualBits), left: left, in: &builder)
            weights = try builder.sum(weights, moved)
        }
        return try builder.reshaped(weights, to: [size])
    }

    /// Z times a residual, of as many bits as its bound leaves room for.
    private func change(
        _ inverse: Value, _ bits: Int, residual: (value: Value, bits: Int), left: Double,
        in builder: inout ProgramBuilder
    ) throws(ComputationError) -> Value {
        let changeBits = Int(log2(left).rounded(.up)) + 1
        let room = min(Self.ringBits - 1 - changeBits, Self.ringBits - 1 + Self.solutionBits)
        let kept = min(residual.bits, room - bits)
        let few = try shifted(residual.value, by: kept - residual.bits, in: &builder)
        let product = try builder.matrixProduct(inverse, few, provenWithin: Self.power(bits + kept + changeBits))
        return try builder.truncated(product, by: bits + kept - Self.solutionBits, exactly: true)
    }
}
