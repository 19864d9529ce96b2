import Foundation

/// Arithmetic and functions of numbers. Overflow, division by zero and whatever is not finite give null.
extension ExpressionNode {
    func evaluateInteger(_ operation: ArithmeticOperator, _ count: Int) {
        switch operation {
        case .add: combineWords(count) { $0.addingReportingOverflow($1) }
        case .subtract: combineWords(count) { $0.subtractingReportingOverflow($1) }
        case .multiply: combineWords(count) { $0.multipliedReportingOverflow(by: $1) }
        case .modulo: combineWords(count) { $0.remainderReportingOverflow(dividingBy: $1) }
        case .divide: combineWords(count) { $0.dividedReportingOverflow(by: $1) }
        // Compiled as reals.
        case .power: combineWords(count) { _, _ in (0, true) }
        }
    }

    /// A result of `Int64.min` is itself the null, and so an overflow.
    @inline(__always)
    private func combineWords(_ count: Int, _ body: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)) {
        let (left, right, target) = (inputs[0].words, inputs[1].words, words)
        for i in 0..<count {
            let (a, b) = (left[i], right[i])
            let result = body(a, b)
            let isNull = a == ColumnEncoding.null || b == ColumnEncoding.null || result.overflow
            target[i] = isNull ? ColumnEncoding.null : result.partialValue
        }
    }

    func evaluateReal(_ operation: ArithmeticOperator, _ count: Int) {
        switch operation {
        case .add: combineReals(count) { $0 + $1 }
        case .subtract: combineReals(count) { $0 - $1 }
        case .multiply: combineReals(count) { $0 * $1 }
        case .divide: combineReals(count) { $0 / $1 }
        case .modulo: combineReals(count) { fmod($0, $1) }
        case .power: combineReals(count) { ScalarFunctions.power($0, $1) }
        }
    }

    @inline(__always)
    private func combineReals(_ count: Int, _ body: (Double, Double) -> Double) {
        let (left, right, target) = (inputs[0].reals, inputs[1].reals, reals)
        for i in 0..<count { target[i] = finiteOrNull(body(left[i], right[i])) }
    }

    func evaluateInteger(_ function: NumericFunction, _ count: Int) {
        switch function {
        case .negate: mapWords(count) { 0 &- $0 }
        case .absolute: mapWords(count) { $0 < 0 ? 0 &- $0 : $0 }
        default: mapWords(count) { $0 }
        }
    }

    func evaluateReal(_ function: NumericFunction, _ count: Int) {
        switch function {
        case .negate: mapReals(count) { 0 - $0 }
        case .absolute: mapReals(count) { abs($0) }
        case .floor: mapReals(count) { $0.rounded(.down) }
        case .ceiling: mapReals(count) { $0.rounded(.up) }
        case .squareRoot: mapReals(count) { $0.squareRoot() }
        case .exponential: mapReals(count) { ScalarFunctions.exponential($0) }
        case .naturalLogarithm: mapReals(count) { ScalarFunctions.logarithm($0) }
        }
    }

    func evaluateRound(_ digits: Int, _ count: Int) {
        mapReals(count) { ScalarFunctions.round($0, digits: digits) }
    }

    func evaluateBin(_ width: Int64, _ origin: Int64, _ count: Int) {
        mapWords(count) { word in
            guard word != ColumnEncoding.null, width > 0 else { return ColumnEncoding.null }
            let (distance, overflow) = word.subtractingReportingOverflow(origin)
            guard !overflow else { return ColumnEncoding.null }
            let remainder = distance % width
            let (edge, below) = word.subtractingReportingOverflow(remainder < 0 ? remainder + width : remainder)
            return below ? ColumnEncoding.null : edge
        }
    }

    func evaluateBin(_ width: Double, _ origin: Double, _ count: Int) {
        let isPossible = width > 0
        mapReals(count) { isPossible ? ScalarFunctions.bin($0, width: width, origin: origin) : .nan }
    }

    func evaluateClamp(_ lower: Int64, _ upper: Int64, _ count: Int) {
        mapWords(count) { $0 == ColumnEncoding.null ? $0 : Swift.min(Swift.max($0, lower), upper) }
    }

    func evaluateClamp(_ lower: Double, _ upper: Double, _ count: Int) {
        mapReals(count) { $0.isNaN ? $0 : Swift.min(Swift.max($0, lower), upper) }
    }
}
