/// What a plan's steps are computed on: bounds, a program's values, real numbers, or what is known of errors. One walk serves all, so that they mean the same.
protocol PlanArithmetic {
    associatedtype Quantity

    /// - Parameter divisor: A real number is the integer's over it: weights are divided by it, so that behind the step it is 1.
    /// - Returns: The result, and the bits behind the point that the weights add.
    mutating func linear(
        _ value: Quantity, _ step: PlannedLinear, divisor: Int
    ) throws(PredictionError) -> (value: Quantity, bits: Int)
    /// max(0, x), divided by 2^bits where bits are not 0, and held to the limit that the number has.
    mutating func relu(_ value: Quantity, number: Int, _ scaling: Scaling) throws(PredictionError) -> Quantity
    /// Division by 2^bits.
    mutating func truncated(_ value: Quantity, exactly: Bool, _ scaling: Scaling) throws(PredictionError) -> Quantity
    mutating func maximum(_ value: Quantity, _ windows: PlannedWindows) throws(PredictionError) -> Quantity
    /// Sums, where what is real is their average.
    mutating func sum(_ value: Quantity, _ windows: PlannedWindows) throws(PredictionError) -> Quantity
    mutating func shaped(_ value: Quantity, _ shape: [Int]) throws(PredictionError) -> Quantity
    /// 2^shift times each, and the sum of both.
    mutating func added(
        _ a: (value: Quantity, shift: Int), _ b: (value: Quantity, shift: Int), title: String
    ) throws(PredictionError) -> Quantity
}

/// How integers stand for real numbers where a step divides them.
struct Scaling {
    /// What the step is called.
    let title: String
    /// It divides by 2^bits.
    let bits: Int
    /// The real number that one unit stands for behind the step.
    let unit: Double
}

/// A value on its way: real numbers are integers, over 2^scale and over the divisor.
struct Scaled<Quantity> {
    var value: Quantity
    var scale: Int
    var divisor = 1

    /// Takes the divisor's powers of two for bits behind the point.
    mutating func halve() {
        scale += divisor.trailingZeroBitCount
        divisor >>= divisor.trailingZeroBitCount
    }

    /// The real number that one unit stands for.
    var unit: Double { Double(sign: .plus, exponent: -scale, significand: 1) / Double(divisor) }
}

extension PredictionPlan {
    /// Through all steps, and an exact division to so many bits behind the point.
    ///
    /// - Parameters:
    ///   - fractionBits: Behind the point in front of each linear step.
    ///   - outputBits: Behind the point of the scores, or fewer: at least one is cut off.
    func walk<Arithmetic: PlanArithmetic>(
        _ input: Arithmetic.Quantity, fractionBits: Int, outputBits: Int, _ arithmetic: inout Arithmetic
    ) throws(PredictionError) -> Scaled<Arithmetic.Quantity> {
        let walk = PlanWalk(fractionBits: fractionBits)
        let last = try walk.through(steps, Scaled(value: input, scale: fractionBits), &arithmetic)
        return try walk.truncated(
            last, to: min(outputBits, last.scale - 1), exactly: true, title: "the scores", &arithmetic)
    }
}

/// The walk through steps.
private struct PlanWalk {
    let fractionBits: Int

    func through<Arithmetic: PlanArithmetic>(
        _ steps: [PlannedStep], _ input: Scaled<Arithmetic.Quantity>, _ arithmetic: inout Arithmetic
    ) throws(PredictionError) -> Scaled<Arithmetic.Quantity> {
        var now = input
        for step in steps { now = try take(step, now, &arithmetic) }
        return now
    }

    private func take<Arithmetic: PlanArithmetic>(
        _ step: PlannedStep, _ input: Scaled<Arithmetic.Quantity>, _ arithmetic: inout Arithmetic
    ) throws(PredictionError) -> Scaled<Arithmetic.Quantity> {
        var now = input
        switch step {
        case .linear(let linear):
            now = try truncated(now, to: fractionBits, exactly: false, title: linear.title, &arithmetic)
            let (value, bits) = try arithmetic.linear(now.value, linear, divisor: now.divisor)
            return Scaled(value: value, scale: now.scale + bits)
        case .relu(let number, let title):
            let bits = now.scale - fractionBits
            now.scale = fractionBits
            now.value = try arithmetic.relu(
                now.value, number: number, Scaling(title: title, bits: bits, unit: now.unit))
        case .maximum(let windows): now.value = try arithmetic.maximum(now.value, windows)
        case .sum(let windows):
            now.value = try arithmetic.sum(now.value, windows)
            let (divisor, overflow) = now.divisor.multipliedReportingOverflow(by: windows.area)
            guard !overflow, divisor < 1 << 40 else {
                throw .unsupported(layer: windows.title, instead: "averages of less than 2^40 values, one in the other")
            }
            now.divisor = divisor
        case .shaped(let shape): now.value = try arithmetic.shaped(now.value, shape)
        case .residual(let title, let body, let shortcut):
            var long = try through(body, now, &arithmetic)
            var short = try through(shortcut, now, &arithmetic)
            if long.divisor != short.divisor {
                long.halve()
                short.halve()
            }
            guard long.divisor == short.divisor else {
                throw .unsupported(
                    layer: title,
                    instead:
                        "an average on one way of a block takes a linear step behind it, or windows of 2, 4, 8 or 16")
            }
            now = long
            now.scale = max(long.scale, short.scale)
            guard now.scale <= 61 else { throw .overflow(layer: title, bits: now.scale + 2) }
            now.value = try arithmetic.added(
                (long.value, now.scale - long.scale), (short.value, now.scale - short.scale), title: title)
        }
        return now
    }

    func truncated<Arithmetic: PlanArithmetic>(
        _ value: Scaled<Arithmetic.Quantity>, to scale: Int, exactly: Bool, title: String,
        _ arithmetic: inout Arithmetic
    ) throws(PredictionError) -> Scaled<Arithmetic.Quantity> {
        guard value.scale > scale else { return value }
        var now = value
        now.scale = scale
        now.value = try arithmetic.truncated(
            value.value, exactly: exactly, Scaling(title: title, bits: value.scale - scale, unit: now.unit))
        return now
    }
}
