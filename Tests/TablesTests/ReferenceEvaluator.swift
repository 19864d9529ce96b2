import Foundation

@testable import Tables

/// Expressions one row at a time, in the most direct way: what the vectorised evaluator is compared with.
struct ReferenceEvaluator {
    let row: [Value]
    var lookups: [(key: Int, rows: [[Value]])] = []

    func evaluate(_ expression: Tables.Expression) -> Value {
        switch expression {
        case .column(let index, _): return row[index]
        case .literal(let value, _): return value
        case .arithmetic(let operation, let left, let right, let type):
            return arithmetic(operation, evaluate(left), evaluate(right), type)
        case .function(let function, let operand, let type): return apply(function, evaluate(operand), type)
        case .round(let operand, let digits):
            guard case .real(let value) = real(evaluate(operand)) else { return .null }
            return finite(roundDecimal(value, digits))
        case .bin(let operand, let width, let origin, let type): return bin(evaluate(operand), width, origin, type)
        case .comparison(let comparison, let left, let right):
            guard let order = order(evaluate(left), evaluate(right)) else { return .null }
            switch comparison {
            case .equal: return .boolean(order == 0)
            case .notEqual: return .boolean(order != 0)
            case .less: return .boolean(order < 0)
            case .lessOrEqual: return .boolean(order <= 0)
            case .greater: return .boolean(order > 0)
            case .greaterOrEqual: return .boolean(order >= 0)
            }
        case .and(let left, let right):
            let values = [evaluate(left), evaluate(right)]
            if values.contains(.boolean(false)) { return .boolean(false) }
            return values.contains(.null) ? .null : .boolean(true)
        case .or(let left, let right):
            let values = [evaluate(left), evaluate(right)]
            if values.contains(.boolean(true)) { return .boolean(true) }
            return values.contains(.null) ? .null : .boolean(false)
        case .not(let operand):
            guard case .boolean(let flag) = evaluate(operand) else { return .null }
            return .boolean(!flag)
        case .isNull(let operand): return .boolean(evaluate(operand) == .null)
        case .isIn(let operand, let values):
            let value = evaluate(operand)
            return value == .null ? .null : .boolean(values.contains { order($0, value) == 0 })
        case .like(let operand, let pattern):
            guard case .text(let text) = evaluate(operand) else { return .null }
            return .boolean(like(Array(text.unicodeScalars)[...], Array(pattern.unicodeScalars)[...]))
        case .conditional(let branches, let otherwise, _):
            for branch in branches where evaluate(branch.condition) == .boolean(true) { return evaluate(branch.value) }
            return evaluate(otherwise)
        case .coalesce(let operands, _): return operands.map(evaluate).first { $0 != .null } ?? .null
        case .extremum(let function, let operands, _):
            let values = operands.map(evaluate).filter { $0 != .null }
            return values.reduce(.null) { best, value in
                guard let order = order(value, best) else { return best == .null ? value : best }
                return (function == .least ? order < 0 : order > 0) ? value : best
            }
        case .clamp(let operand, let lower, let upper, _): return clamp(evaluate(operand), lower, upper)
        case .cast(let operand, let type): return cast(evaluate(operand), type)
        case .datePart(let part, let operand): return datePart(part, evaluate(operand))
        case .dateTruncate(let part, let operand, _): return truncate(part, evaluate(operand))
        case .textFunction(let function, let operand):
            guard case .text(let text) = evaluate(operand) else { return .null }
            switch function {
            case .lower: return .text(text.lowercased())
            case .upper: return .text(text.uppercased())
            case .trim: return .text(text.trimmingCharacters(in: CharacterSet(charactersIn: " ")))
            case .substring(let from, let length):
                var kept = String.UnicodeScalarView()
                for (place, scalar) in text.unicodeScalars.enumerated() {
                    let isBefore = length.map { Double(place + 1) < Double(from) + Double($0) } ?? true
                    if isBefore, place + 1 >= from { kept.append(scalar) }
                }
                return .text(String(kept))
            }
        case .concatenation(let operands):
            var joined = ""
            for operand in operands {
                guard case .text(let text) = evaluate(operand) else { return .null }
                joined += text
            }
            return .text(joined.precomposedStringWithCanonicalMapping)
        case .textLength(let operand):
            guard case .text(let text) = evaluate(operand) else { return .null }
            return .integer(Int64(text.unicodeScalars.count))
        case .lookup(let slot, let key, let column, _):
            return match(slot, evaluate(key)).map { $0[column] } ?? .null
        case .lookupMatches(let slot, let key): return .boolean(match(slot, evaluate(key)) != nil)
        }
    }

    private func match(_ slot: Int, _ key: Value) -> [Value]? {
        lookups[slot].rows.first { key != .null && order($0[lookups[slot].key], key) == 0 }
    }

    private func real(_ value: Value) -> Value {
        switch value {
        case .integer(let number): .real(Double(number))
        case .real: value
        default: .null
        }
    }

    private func finite(_ value: Double) -> Value { value.isFinite ? .real(value + 0) : .null }

    private func exact(_ result: (partialValue: Int64, overflow: Bool)) -> Value {
        result.overflow || result.partialValue == .min ? .null : .integer(result.partialValue)
    }

    private func arithmetic(_ operation: ArithmeticOperator, _ left: Value, _ right: Value, _ type: ValueType) -> Value
    {
        if type == .integer, case .integer(let a) = left, case .integer(let b) = right {
            switch operation {
            case .add: return exact(a.addingReportingOverflow(b))
            case .subtract: return exact(a.subtractingReportingOverflow(b))
            case .multiply: return exact(a.multipliedReportingOverflow(by: b))
            case .modulo: return b == 0 ? .null : .integer(a % b)
            case .divide, .power: return .null
            }
        }
        guard case .real(let a) = real(left), case .real(let b) = real(right), type == .real else { return .null }
        switch operation {
        case .add: return finite(a + b)
        case .subtract: return finite(a - b)
        case .multiply: return finite(a * b)
        case .divide: return b == 0 ? .null : finite(a / b)
        case .modulo: return b == 0 ? .null : finite(a.truncatingRemainder(dividingBy: b))
        case .power: return finite(Foundation.pow(a, b))
        }
    }

    private func apply(_ function: NumericFunction, _ value: Value, _ type: ValueType) -> Value {
        if case .integer(let number) = value, type == .integer {
            switch function {
            case .negate: return .integer(-number)
            case .absolute: return .integer(abs(number))
            default: return value
            }
        }
        guard case .real(let number) = real(value) else { return .null }
        let result: Double =
            switch function {
            case .negate: -number
            case .absolute: abs(number)
            case .floor: number.rounded(.down)
            case .ceiling: number.rounded(.up)
            case .squareRoot: number.squareRoot()
            case .exponential: Foundation.exp(number)
            case .naturalLogarithm: number <= 0 ? .nan : Foundation.log(number)
            }
        return type == .integer ? cast(finite(result), .integer) : finite(result)
    }

    private func roundDecimal(_ value: Double, _ digits: Int) -> Double {
        let scale = pow(10.0, Double(abs(digits)))
        if digits >= 0 {
            let scaled = value * scale
            return scaled.isFinite ? scaled.rounded(.toNearestOrAwayFromZero) / scale : value
        }
        return (value / scale).rounded(.toNearestOrAwayFromZero) * scale
    }

    private func bin(_ value: Value, _ width: Double, _ origin: Double, _ type: ValueType) -> Value {
        if type == .integer, case .integer(let number) = value {
            let (w, o) = (Int64(width), Int64(origin))
            let distance = number.subtractingReportingOverflow(o)
            if distance.overflow { return .null }
            var steps = distance.partialValue / w
            if distance.partialValue % w < 0 { steps -= 1 }
            let span = steps.multipliedReportingOverflow(by: w)
            return span.overflow ? .null : exact(o.addingReportingOverflow(span.partialValue))
        }
        guard case .real(let number) = real(value) else { return .null }
        return finite(origin + width * ((number - origin) / width).rounded(.down))
    }

    private func clamp(_ value: Value, _ lower: Double, _ upper: Double) -> Value {
        switch value {
        case .integer(let number): .integer(max(min(number, Int64(upper)), Int64(lower)))
        case .real(let number): .real(max(min(number, upper), lower))
        case .date(let number): .date(max(min(number, Int64(upper)), Int64(lower)))
        case .timestamp(let number): .timestamp(max(min(number, Int64(upper)), Int64(lower)))
        default: .null
        }
    }

    /// -1, 0 or 1; nil where either is null.
    func order(_ left: Value, _ right: Value) -> Int? {
        switch (left, right) {
        case (.integer(let a), .integer(let b)), (.date(let a), .date(let b)), (.timestamp(let a), .timestamp(let b)):
            return a < b ? -1 : a > b ? 1 : 0
        case (.real(let a), .real(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.boolean(let a), .boolean(let b)): return a == b ? 0 : a ? 1 : -1
        case (.text(let a), .text(let b)):
            let (x, y) = (a.unicodeScalars.map(\.value), b.unicodeScalars.map(\.value))
            return x == y ? 0 : x.lexicographicallyPrecedes(y) ? -1 : 1
        default: return nil
        }
    }

    private func like(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        switch first {
        case "%": return (0...text.count).contains { like(text.dropFirst($0), pattern.dropFirst()) }
        case "_": return !text.isEmpty && like(text.dropFirst(), pattern.dropFirst())
        case "\\" where pattern.count > 1:
            let rest = pattern.dropFirst()
            return text.first == rest.first && like(text.dropFirst(), rest.dropFirst())
        default: return text.first == first && like(text.dropFirst(), pattern.dropFirst())
        }
    }
}
