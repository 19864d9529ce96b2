/// Comparison and SQL's three-valued logic: 1, 0 and null.
extension ExpressionNode {
    func evaluate(_ comparison: ComparisonOperator, count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        if inputs[0].type == .text { return compareTexts(comparison, count: count, pool, meter) }
        guard inputs[0].type == .real else {
            switch comparison {
            case .equal: return combine(count) { $0 == $1 }
            case .notEqual: return combine(count) { $0 != $1 }
            case .less: return combine(count) { $0 < $1 }
            case .lessOrEqual: return combine(count) { $0 <= $1 }
            case .greater: return combine(count) { $0 > $1 }
            case .greaterOrEqual: return combine(count) { $0 >= $1 }
            }
        }
        switch comparison {
        case .equal: compareReals(count) { $0 == $1 }
        case .notEqual: compareReals(count) { $0 != $1 }
        case .less: compareReals(count) { $0 < $1 }
        case .lessOrEqual: compareReals(count) { $0 <= $1 }
        case .greater: compareReals(count) { $0 > $1 }
        case .greaterOrEqual: compareReals(count) { $0 >= $1 }
        }
    }

    private func compareTexts(_ comparison: ComparisonOperator, count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        var bytes = 0
        if inputs[1].operation.isConstant {
            let constant = inputs[1].words[0]
            guard constant != ColumnEncoding.null else { return words.update(repeating: constant, count: count) }
            pool.withBytes(constant) { constant in
                remember(count, pool, meter, counting: .byte) {
                    comparison.holds(order: compareBytes($0, constant)) ? 1 : 0
                }
            }
        } else {
            combine(count) { a, b in comparison.holds(order: pool.compare(a, b, bytes: &bytes)) }
            meter.add(.byte, Double(bytes))
        }
    }

    @inline(__always)
    private func combine(_ count: Int, _ body: (Int64, Int64) -> Bool) {
        let (left, right, target) = (inputs[0].words, inputs[1].words, words)
        for i in 0..<count {
            let (a, b) = (left[i], right[i])
            let isNull = a == ColumnEncoding.null || b == ColumnEncoding.null
            target[i] = isNull ? ColumnEncoding.null : body(a, b) ? 1 : 0
        }
    }

    @inline(__always)
    private func compareReals(_ count: Int, _ body: (Double, Double) -> Bool) {
        let (left, right, target) = (inputs[0].reals, inputs[1].reals, words)
        for i in 0..<count {
            let (a, b) = (left[i], right[i])
            target[i] = a.isNaN || b.isNaN ? ColumnEncoding.null : body(a, b) ? 1 : 0
        }
    }

    func evaluateAnd(_ count: Int) {
        let (left, right, target) = (inputs[0].words, inputs[1].words, words)
        for i in 0..<count {
            let (a, b) = (left[i], right[i])
            target[i] = a == 0 || b == 0 ? 0 : a == 1 && b == 1 ? 1 : ColumnEncoding.null
        }
    }

    func evaluateOr(_ count: Int) {
        let (left, right, target) = (inputs[0].words, inputs[1].words, words)
        for i in 0..<count {
            let (a, b) = (left[i], right[i])
            target[i] = a == 1 || b == 1 ? 1 : a == 0 && b == 0 ? 0 : ColumnEncoding.null
        }
    }

    func evaluateNot(_ count: Int) {
        mapWords(count) { $0 == ColumnEncoding.null ? $0 : 1 &- $0 }
    }

    func evaluateIsNull(_ count: Int) {
        if inputs[0].type == .real {
            let source = inputs[0].reals
            for i in 0..<count { words[i] = source[i].isNaN ? 1 : 0 }
        } else {
            mapWords(count) { $0 == ColumnEncoding.null ? 1 : 0 }
        }
    }

    func evaluateMembership(_ values: Set<Int64>, _ count: Int) {
        if inputs[0].type == .real {
            let source = inputs[0].reals
            for i in 0..<count {
                let value = source[i]
                let word = Int64(bitPattern: (value + 0.0).bitPattern)
                words[i] = value.isNaN ? ColumnEncoding.null : values.contains(word) ? 1 : 0
            }
        } else {
            mapWords(count) { $0 == ColumnEncoding.null ? $0 : values.contains($0) ? 1 : 0 }
        }
    }
}

extension ComparisonOperator {
    /// Whether it holds of two values whose order is that of `order` and 0.
    func holds(order: Int) -> Bool {
        switch self {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }
}

extension NodeOperation {
    var isConstant: Bool {
        if case .constant = self { true } else { false }
    }
}
