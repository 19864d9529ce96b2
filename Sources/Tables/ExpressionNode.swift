/// A compiled expression: a node of a graph in which equal subexpressions are one, with room for one chunk's results.
///
/// Results are words (integers, booleans as 0 and 1, dates, timestamps, text numbers; null: `ColumnEncoding.null`) or
/// doubles (null: NaN; never infinite). Nodes are evaluated a chunk at a time, in an order in which inputs come first.
final class ExpressionNode {
    let operation: NodeOperation
    let type: ValueType
    let inputs: [ExpressionNode]
    /// Results where the type is not real.
    let words: UnsafeMutablePointer<Int64>
    /// Results where the type is real.
    let reals: UnsafeMutablePointer<Double>
    private let capacity: Int
    /// What a text has been found to give, by its number; grown when met.
    var memo: [Int64] = []

    /// A memo's "not yet known".
    static let unknown = Int64.min + 1

    init(_ operation: NodeOperation, _ type: ValueType, _ inputs: [ExpressionNode]) {
        self.operation = operation
        self.type = type
        self.inputs = inputs
        capacity = RowChunk.capacity
        words = .allocate(capacity: type == .real ? 1 : capacity)
        words.initialize(repeating: ColumnEncoding.null, count: type == .real ? 1 : capacity)
        reals = .allocate(capacity: type == .real ? capacity : 1)
        reals.initialize(repeating: .nan, count: type == .real ? capacity : 1)
    }

    deinit {
        words.deallocate()
        reals.deallocate()
    }

    /// A node that has one value in every row.
    convenience init(constant word: Int64, _ type: ValueType) {
        self.init(.constant, type, [])
        words.update(repeating: word, count: capacity)
    }

    convenience init(constant real: Double) {
        self.init(.constant, .real, [])
        reals.update(repeating: finiteOrNull(real), count: capacity)
    }
}

/// What a node does with its inputs.
enum NodeOperation {
    case constant
    case column(StoredColumn, isRight: Bool, firstText: Int64)
    case integerArithmetic(ArithmeticOperator)
    case realArithmetic(ArithmeticOperator)
    case integerFunction(NumericFunction)
    case realFunction(NumericFunction)
    case round(digits: Int)
    case integerBin(width: Int64, origin: Int64)
    case realBin(width: Double, origin: Double)
    case integerClamp(lower: Int64, upper: Int64)
    case realClamp(lower: Double, upper: Double)
    case comparison(ComparisonOperator)
    case and, or, not, isNull
    case isIn(Set<Int64>)
    case textIsIn(Set<String>)
    case like(LikePattern)
    /// Inputs: condition, value, condition, value, ..., otherwise.
    case conditional
    case coalesce
    case extremum(ExtremumFunction)
    case cast
    case datePart(DatePart)
    case dateTruncate(DatePart)
    case textFunction(TextFunction)
    case textLength
    /// The row of a lookup table whose key is the input.
    case lookupRow(LookupTable)
    /// The value in the row that the input gives: of words, or of doubles as bits.
    case lookupValue([Int64])
    case lookupMatches
}

/// All expressions of a question, compiled against a source.
final class ExpressionProgram {
    let source: RowSource
    let lookups: [LookupTable]
    let pool = TextPool()
    private var nodes: [ExpressionNode] = []
    private var known: [Expression: ExpressionNode] = [:]
    private var lookupRows: [Expression: ExpressionNode] = [:]
    private var lookupTexts: [Int: [Int64]] = [:]
    private var firstTexts: [Int: Int64] = [:]

    init(source: RowSource, lookups: [LookupTable]) {
        self.source = source
        self.lookups = lookups
        for index in source.columns.indices {
            if let dictionary = source.column(index)?.stored.dictionary {
                firstTexts[index] = Int64(pool.add(dictionary))
            }
        }
    }

    /// Computes all nodes for a chunk.
    func evaluate(_ chunk: RowChunk) {
        for node in nodes { node.evaluate(chunk, pool) }
    }

    /// Compiles an expression; its node's results are there after each `evaluate`.
    func compile(_ expression: Expression) -> ExpressionNode {
        if let node = known[expression] { return node }
        let node = build(expression)
        known[expression] = node
        return node
    }

    /// Compiles with a cast where the type is another: a plan of the wrong type gives nulls, not nonsense.
    func compile(_ expression: Expression, as type: ValueType) -> ExpressionNode {
        convert(compile(expression), to: type)
    }

    private func convert(_ node: ExpressionNode, to type: ValueType) -> ExpressionNode {
        node.type == type ? node : add(.cast, type, [node])
    }

    private func add(_ operation: NodeOperation, _ type: ValueType, _ inputs: [ExpressionNode]) -> ExpressionNode {
        let node = ExpressionNode(operation, type, inputs)
        nodes.append(node)
        return node
    }

    private func build(_ expression: Expression) -> ExpressionNode {
        switch expression {
        case .column(let index, let type): return column(index, type)
        case .literal(let value, let type): return literal(value, type)
        case .arithmetic, .function, .round, .bin, .clamp: return numeric(expression)
        case .comparison(let comparison, let left, let right):
            let left = compile(left)
            return add(.comparison(comparison), .boolean, [left, compile(right, as: left.type)])
        case .and(let left, let right):
            return add(.and, .boolean, [compile(left, as: .boolean), compile(right, as: .boolean)])
        case .or(let left, let right):
            return add(.or, .boolean, [compile(left, as: .boolean), compile(right, as: .boolean)])
        case .not(let operand): return add(.not, .boolean, [compile(operand, as: .boolean)])
        case .isNull(let operand): return add(.isNull, .boolean, [compile(operand)])
        case .isIn(let operand, let values): return membership(compile(operand), values)
        case .like(let operand, let pattern):
            return add(.like(LikePattern(pattern.normalizedForKeys)), .boolean, [compile(operand, as: .text)])
        case .conditional(let branches, let otherwise, let type):
            let inputs = branches.flatMap { [compile($0.condition, as: .boolean), compile($0.value, as: type)] }
            return add(.conditional, type, inputs + [compile(otherwise, as: type)])
        case .coalesce(let operands, let type):
            return add(.coalesce, type, operands.map { compile($0, as: type) })
        case .extremum(let function, let operands, let type):
            return add(.extremum(function), type, operands.map { compile($0, as: type) })
        case .cast(let operand, let type): return compile(operand, as: type)
        case .datePart(let part, let operand): return add(.datePart(part), .integer, [moment(operand)])
        case .dateTruncate(let part, let operand, let type):
            return convert(truncated(part, moment(operand)), to: type)
        case .textFunction(let function, let operand):
            return add(.textFunction(function), .text, [compile(operand, as: .text)])
        case .textLength(let operand): return add(.textLength, .integer, [compile(operand, as: .text)])
        case .lookup(let slot, let key, let column, let type): return lookup(slot, key, column, type)
        case .lookupMatches(let slot, let key):
            guard let row = lookupRow(slot, key) else { return ExpressionNode(constant: 0, .boolean) }
            return add(.lookupMatches, .boolean, [row])
        }
    }

    private func truncated(_ part: DatePart, _ moment: ExpressionNode) -> ExpressionNode {
        add(.dateTruncate(part), moment.type, [moment])
    }

    /// A date or timestamp as it is; anything else cast to a timestamp.
    private func moment(_ expression: Expression) -> ExpressionNode {
        let node = compile(expression)
        return node.type == .date ? node : convert(node, to: .timestamp)
    }

    private func column(_ index: Int, _ type: ValueType) -> ExpressionNode {
        guard let (stored, storedType, isRight) = source.column(index) else { return null(type) }
        let node = add(
            .column(stored, isRight: isRight, firstText: firstTexts[index] ?? 0), storedType, [])
        return convert(node, to: type)
    }

    private func null(_ type: ValueType) -> ExpressionNode {
        type == .real ? ExpressionNode(constant: .nan) : ExpressionNode(constant: ColumnEncoding.null, type)
    }

    private func literal(_ value: Value, _ type: ValueType) -> ExpressionNode {
        let node: ExpressionNode
        switch value {
        case .null: return null(type)
        case .integer(let number): node = ExpressionNode(constant: number, .integer)
        case .boolean(let flag): node = ExpressionNode(constant: flag ? 1 : 0, .boolean)
        case .date(let day): node = ExpressionNode(constant: day, .date)
        case .timestamp(let second): node = ExpressionNode(constant: second, .timestamp)
        case .real(let number): node = ExpressionNode(constant: number)
        case .text(let text): node = ExpressionNode(constant: pool.intern(text.normalizedForKeys), .text)
        }
        return convert(node, to: type)
    }

    private func numeric(_ expression: Expression) -> ExpressionNode {
        switch expression {
        case .arithmetic(let operation, let left, let right, let type):
            if type == .integer, operation != .divide {
                let inputs = [compile(left, as: .integer), compile(right, as: .integer)]
                return add(.integerArithmetic(operation), .integer, inputs)
            }
            let inputs = [compile(left, as: .real), compile(right, as: .real)]
            return convert(add(.realArithmetic(operation), .real, inputs), to: type)
        case .function(let function, let operand, let type):
            let operand = compile(operand)
            let isExact = [.negate, .absolute, .floor, .ceiling].contains(function)
            if operand.type == .integer, isExact {
                return convert(add(.integerFunction(function), .integer, [operand]), to: type)
            }
            return convert(add(.realFunction(function), .real, [convert(operand, to: .real)]), to: type)
        case .round(let operand, let digits):
            return add(.round(digits: digits), .real, [compile(operand, as: .real)])
        case .bin(let operand, let width, let origin, let type):
            if type == .integer, let width = Int64(exactly: width), let origin = Int64(exactly: origin) {
                return add(.integerBin(width: width, origin: origin), .integer, [compile(operand, as: .integer)])
            }
            return convert(add(.realBin(width: width, origin: origin), .real, [compile(operand, as: .real)]), to: type)
        case .clamp(let operand, let lower, let upper, let type):
            return clamp(operand, lower, upper, type)
        default: return null(expression.type)
        }
    }

    private func clamp(_ operand: Expression, _ lower: Double, _ upper: Double, _ type: ValueType) -> ExpressionNode {
        guard lower <= upper else { return null(type) }
        guard type != .real else {
            return add(.realClamp(lower: lower, upper: upper), .real, [compile(operand, as: .real)])
        }
        let least = Int64(saturating: lower.rounded(.up))
        let largest = Int64(saturating: upper.rounded(.down))
        guard least <= largest else { return null(type) }
        return add(.integerClamp(lower: least, upper: largest), type, [compile(operand, as: type)])
    }

    private func membership(_ operand: ExpressionNode, _ values: [Value]) -> ExpressionNode {
        if operand.type == .text {
            let texts = values.compactMap { if case .text(let text) = $0 { text.normalizedForKeys } else { nil } }
            return add(.textIsIn(Set(texts)), .boolean, [operand])
        }
        let words = values.compactMap { value -> Int64? in
            switch (value, operand.type) {
            case (.integer(let number), .real): Int64(bitPattern: (Double(number) + 0.0).bitPattern)
            case (.real(let number), .integer): Int64(exactly: number)
            default: value.word
            }
        }
        return add(.isIn(Set(words)), .boolean, [operand])
    }

    private func lookupRow(_ slot: Int, _ key: Expression) -> ExpressionNode? {
        guard lookups.indices.contains(slot) else { return nil }
        let name = Expression.lookupMatches(slot: slot, key: key)
        if let row = lookupRows[name] { return row }
        let table = lookups[slot]
        let keyType = table.schema.columns[table.keyColumn].type
        let row = add(.lookupRow(table), .integer, [compile(key, as: keyType)])
        lookupRows[name] = row
        return row
    }

    private func lookup(_ slot: Int, _ key: Expression, _ column: Int, _ type: ValueType) -> ExpressionNode {
        guard let row = lookupRow(slot, key), lookups[slot].schema.columns.indices.contains(column) else {
            return null(type)
        }
        let table = lookups[slot]
        let valueType = table.schema.columns[column].type
        var values = table.words[column]
        if valueType == .text {
            let numbers = lookupTexts[slot] ?? table.texts.map(pool.intern)
            lookupTexts[slot] = numbers
            values = values.map { $0 == ColumnEncoding.null ? $0 : numbers[Int($0)] }
        }
        return convert(add(.lookupValue(values), valueType, [row]), to: type)
    }
}

extension Int64 {
    /// The nearest integer of the range -(2^63 - 1) ... 2^63 - 1; 0 for NaN.
    init(saturating value: Double) {
        if value.isNaN {
            self = 0
        } else if value >= 0x1p63 {
            self = .max
        } else if value <= -0x1p63 {
            self = -.max
        } else {
            self = Int64(value)
        }
    }
}
