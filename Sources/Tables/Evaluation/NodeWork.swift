/// What a node costs at most, whatever the rows hold, in the units in which the engine counts its work.
extension NodeOperation {
    /// What one row costs beside the bytes of its texts.
    func rowWork(_ type: ValueType, _ inputs: [ExpressionNode]) -> [(kind: WorkKind, units: Double)] {
        let ofText = inputs.first?.type == .text
        switch self {
        case .constant: return []
        case .column: return [(.step, 2)]
        case .integerArithmetic(let operation):
            return operation == .modulo || operation == .divide ? [(.real, 1)] : [(.step, 2)]
        case .realArithmetic(.modulo): return [(.remainder, 1)]
        case .realArithmetic(.power): return [(.transcendental, 2)]
        case .realArithmetic: return [(.real, 1)]
        case .integerFunction, .integerClamp, .realClamp, .not, .isNull, .lookupMatches: return [(.step, 1)]
        case .realFunction(let function):
            switch function {
            case .exponential, .naturalLogarithm: return [(.transcendental, 1)]
            default: return [(.real, 1)]
            }
        case .round: return [(.transcendental, 1)]
        case .integerBin: return [(.real, 1)]
        case .realBin: return [(.real, 3)]
        case .comparison: return [(.step, ofText ? Self.cacheSteps : 1)]
        case .and, .or: return [(.step, 1)]
        case .textIsIn, .like, .textLength, .textFunction: return [(.step, Self.cacheSteps)]
        case .concatenation: return [(.step, Self.joinSteps * Double(inputs.count))]
        case .isIn: return [(.probe, 1)]
        case .conditional, .coalesce: return [(.step, Double(inputs.count))]
        case .extremum: return [(.step, Double(inputs.count) * (ofText ? Self.cacheSteps : 1))]
        case .cast: return Self.castWork(from: inputs[0].type, to: type)
        case .datePart, .dateTruncate: return [(.calendar, 1)]
        case .lookupRow(_, let rows):
            let work: [(kind: WorkKind, units: Double)] = [ofText ? (.step, Self.cacheSteps) : (.probe, 1)]
            return rows > Double(cachedEntries) ? work + [(.miss, 2)] : work
        case .lookupCopy(_, _, let rows):
            return [(.step, 12)] + (rows > Double(cachedEntries) ? [(.miss, 2)] : [])
        case .lookupValue(_, let rows):
            return [(.step, 2)] + (rows > Double(cachedEntries) ? [(.miss, 1)] : [])
        }
    }

    /// Looking up what a text gave, or a text's bytes.
    static let cacheSteps = 4.0

    /// Finding a text that is joined to others, and making room for it.
    private static let joinSteps = 16.0

    private static func castWork(from: ValueType, to: ValueType) -> [(kind: WorkKind, units: Double)] {
        switch (from, to) {
        case (.text, _): [(.step, cacheSteps)]
        case (_, .text): [(.format, 1)]
        case (.timestamp, .date): [(.real, 1)]
        default: [(.step, 1)]
        }
    }

    /// The kinds of work that a byte of text costs, and whether the last texts' results are looked up.
    func byteWork(_ inputs: [ExpressionNode]) -> [(kind: WorkKind, units: Double)] {
        guard let first = inputs.first, first.type == .text else { return [] }
        switch self {
        case .comparison, .textIsIn, .textLength, .extremum: return [(.byte, 1)]
        case .lookupRow: return [(.byte, 1)]
        case .like(let pattern): return [(.byte, 1), (.pattern, Double(pattern.steps))]
        case .cast: return [(.parsedByte, 1)]
        case .textFunction(let function): return [(function.byteKind, 1)]
        case .concatenation:
            let isNormal = inputs.dropFirst().allSatisfy(\.isASCII)
            return isNormal ? [(.byte, 1)] : [(.byte, 1), (.caseByte, 1)]
        default: return []
        }
    }

    /// Whether results of texts are kept in a cache.
    func remembersTexts(_ inputs: [ExpressionNode]) -> Bool {
        guard inputs.first?.type == .text else { return false }
        switch self {
        case .comparison: return inputs[1].operation.isConstant
        case .textIsIn, .like, .textLength, .textFunction, .lookupRow, .cast: return true
        default: return false
        }
    }

    /// The most bytes of a text result.
    func largestText(_ inputs: [ExpressionNode]) -> Double {
        switch self {
        case .textFunction(.substring(_, .some(let length))):
            return Swift.min(inputs[0].largestText, 4 * Double(Swift.max(length, 0)))
        case .textFunction(let function): return inputs[0].largestText * function.growth
        case .concatenation:
            return inputs.reduce(0) { $0 + $1.largestText } + TextPool.seamBytes
                * Double(Swift.max(inputs.count - 1, 0))
        case .cast: return 32
        default: return inputs.filter { $0.type == .text }.map(\.largestText).max() ?? 0
        }
    }

    /// How many different texts a choice between texts gives; nil for texts that are made anew.
    func variety(_ inputs: [ExpressionNode]) -> TextVariety? {
        switch self {
        case .conditional, .coalesce, .extremum:
            return inputs.filter { $0.type == .text }.reduce(TextVariety()) { all, input in
                all.flatMap { all in input.variety.flatMap(all.union) }
            }
        default: return nil
        }
    }

    /// Whether a text result is of ASCII alone: numbers and dates are, and what is made of such texts.
    func isASCII(_ inputs: [ExpressionNode]) -> Bool {
        switch self {
        case .cast: return true
        case .textFunction, .concatenation, .conditional, .coalesce, .extremum:
            return inputs.allSatisfy { $0.type != .text || $0.isASCII }
        default: return false
        }
    }

    /// Whether a text result is made anew, in scratch.
    func makesText(_ type: ValueType) -> Bool {
        guard type == .text else { return false }
        switch self {
        case .textFunction, .concatenation, .cast: return true
        default: return false
        }
    }

    /// Bytes that the operation itself holds.
    var heldBytes: Double {
        switch self {
        case .like(let pattern): pattern.heldBytes
        case .textIsIn(let texts): texts.heldBytes
        case .isIn(let values): Double(values.capacity * 24)
        case .lookupValue(let values, _): Double(values.count * 8)
        default: 0
        }
    }

    /// The operation's name in a question: tells people what makes theirs expensive.
    var words: String {
        switch self {
        case .like: "LIKE"
        case .textFunction(let function): function.name
        case .concatenation: "||"
        case .textLength: "LENGTH"
        case .cast: "CAST"
        case .textIsIn, .isIn: "IN"
        case .realFunction(.exponential): "EXP"
        case .realFunction(.naturalLogarithm): "LN"
        case .round: "ROUND"
        case .realArithmetic(.modulo): "%"
        case .realArithmetic(.power): "POWER"
        case .datePart: "EXTRACT"
        case .dateTruncate: "DATE_TRUNC"
        case .comparison: "comparisons"
        case .conditional: "CASE"
        case .coalesce: "COALESCE"
        case .extremum(let function): function.rawValue.uppercased()
        case .lookupRow, .lookupCopy, .lookupValue, .lookupMatches: "JOIN"
        default: "arithmetic"
        }
    }
}

extension ExpressionNode {
    /// The most work that so many rows cost.
    func largestWork(rows: Double) -> Work {
        var work = Work()
        for (kind, units) in rowWork { work[kind] += units * rows }
        let bytes = operation.byteWork(inputs)
        guard !bytes.isEmpty else { return work }
        // What is made in a chunk is forgotten with it.
        let chunks = operation.makesText(type) ? rows / Double(RowChunk.capacity) + 1 : 1
        let times = operation.remembersTexts(inputs) ? inputs[0].textEvaluations(rows: rows, chunks: chunks) : rows
        if times > Double(cachedEntries) { work[.miss] += 2 * times }
        var largest = inputs[0].largestText
        if case .concatenation = operation { largest = inputs.reduce(0) { $0 + $1.largestText } }
        if case .comparison = operation { largest = Swift.min(largest, inputs[1].largestText) }
        if case .comparison = operation, inputs[1].operation.isConstant { largest = inputs[0].largestText }
        if case .extremum = operation {
            largest = inputs.map(\.largestText).max() ?? 0
            largest *= Double(inputs.count - 1)
        }
        for (kind, units) in bytes { work[kind] += units * largest * times }
        return work
    }

    /// How often, of so many rows, the text is not in the cache. Texts of a public domain, if they are few, miss once
    /// each, since each has a place of its own there.
    func textEvaluations(rows: Double, chunks: Double = 1) -> Double {
        guard let variety, variety.ofColumn <= Double(TextCache.size) else { return rows }
        return Swift.min(rows, variety.count * chunks)
    }
}

extension ColumnSchema {
    /// The most bytes of a text in the column.
    var largestText: Double {
        guard type == .text else { return 0 }
        guard let domain else { return Double(maximumBytes) }
        let texts = (domain + [other].compactMap(\.self)).compactMap { value -> Int? in
            if case .text(let text) = value { text.normalizedForKeys.utf8.count } else { nil }
        }
        return Double(texts.max() ?? 0)
    }

    /// Whether all texts of the column's domain are ASCII.
    var isASCII: Bool {
        guard let domain else { return false }
        return (domain + [other].compactMap(\.self)).allSatisfy { value in
            if case .text(let text) = value { text.utf8.allSatisfy { $0 < 0x80 } } else { true }
        }
    }

    /// How many different texts the column has at most.
    var distinctTexts: Double? {
        guard type == .text, let domain else { return nil }
        return Double(domain.count + 1)
    }

    /// The range of the column's words, where bounds are declared: values are clipped to them.
    var wordRange: ClosedRange<Int64>? {
        guard type == .integer || type == .date || type == .timestamp, let lowerBound, let upperBound,
            abs(lowerBound) < 0x1p53, abs(upperBound) < 0x1p53
        else { return type == .boolean ? 0...1 : nil }
        let (least, largest) = (Int64(lowerBound.rounded(.up)), Int64(upperBound.rounded(.down)))
        return least <= largest ? least...largest : nil
    }

    /// How many different values the column has at most, null included, where that is declared.
    var cardinality: Double? {
        if let domain { return Double(domain.count + 2) }
        if type == .boolean { return 3 }
        guard type == .integer || type == .date || type == .timestamp, let lowerBound, let upperBound,
            upperBound - lowerBound < 0x1p53
        else { return nil }
        // One for null, and one for bounds that are no integers.
        return Swift.max(0, upperBound.rounded(.down) - lowerBound.rounded(.up) + 1) + 2
    }
}

extension ExpressionProgram {
    /// How many different values an expression takes at most, null included, where columns' declarations tell.
    func cardinality(_ expression: Expression) -> Double? {
        switch expression {
        case .column(let index, _): return columns.indices.contains(index) ? columns[index].cardinality : nil
        case .literal: return 1
        case .comparison, .and, .or, .not, .isNull, .isIn, .like, .lookupMatches: return 3
        case .datePart(let part, _): return Double(part.range.count + 1)
        case .conditional(let branches, let otherwise, _):
            return sum(branches.map(\.value) + [otherwise])
        case .coalesce(let operands, _), .extremum(_, let operands, _): return sum(operands)
        case .function(_, let operand, _), .round(let operand, _), .bin(let operand, _, _, _),
            .clamp(let operand, _, _, _), .cast(let operand, _), .dateTruncate(_, let operand, _),
            .textFunction(_, let operand), .textLength(let operand), .lookup(_, let operand, _, _):
            // A function of one value, which may also give null.
            return cardinality(operand).map { $0 + 1 }
        case .arithmetic(_, let left, let right, _):
            guard let a = cardinality(left), let b = cardinality(right) else { return nil }
            return a * b + 1
        case .concatenation(let operands):
            return operands.reduce(1 as Double?) { product, operand in
                product.flatMap { product in cardinality(operand).map { product * $0 } }
            }.map { $0 + 1 }
        }
    }

    private func sum(_ expressions: [Expression]) -> Double? {
        expressions.reduce(0 as Double?) { total, expression in
            total.flatMap { total in cardinality(expression).map { total + $0 } }
        }
    }
}
