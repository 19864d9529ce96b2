/// A compiled expression: a node of a graph in which equal subexpressions are one, with room for one chunk's results.
///
/// Results are words (integers, booleans as 0 and 1, dates, timestamps, text numbers; null: `ColumnEncoding.null`) or
/// doubles (null: NaN; never infinite). Nodes are evaluated a chunk at a time, in an order in which inputs come first.
final class ExpressionNode {
    let operation: NodeOperation
    let type: ValueType
    let inputs: [ExpressionNode]
    /// Results where the type is not real.
    private(set) var words: UnsafeMutablePointer<Int64>
    /// Results where the type is real.
    private(set) var reals: UnsafeMutablePointer<Double>
    private var capacity = 0
    /// Nodes of the tree below, this one included.
    let treeSize: Double
    /// What one row costs, whatever it holds; the bytes of texts cost more.
    let rowWork: [(kind: WorkKind, units: Double)]
    /// Of text: the most bytes of a value.
    let largestText: Double
    /// Of text: how many different values there can be; nil where that is not public.
    let variety: TextVariety?
    /// Of text: whether it is public that no value holds more than ASCII, so that joined to another it stays as it is.
    let isASCII: Bool
    /// What functions of a text gave.
    var cache: TextCache?
    /// How many texts were not found in the cache.
    var textsRead = 0

    init(
        _ operation: NodeOperation, _ type: ValueType, _ inputs: [ExpressionNode], largestText: Double = 0,
        variety: TextVariety? = nil, isASCII: Bool = false
    ) {
        self.operation = operation
        self.type = type
        self.inputs = inputs
        self.largestText = largestText
        self.variety = variety
        self.isASCII = isASCII
        treeSize = inputs.reduce(1) { $0 + $1.treeSize }
        rowWork = operation.rowWork(type, inputs)
        words = .allocate(capacity: 1)
        reals = .allocate(capacity: 1)
        words.initialize(to: ColumnEncoding.null)
        reals.initialize(to: .nan)
    }

    deinit {
        words.deallocate()
        reals.deallocate()
    }

    /// Makes room for a chunk's results; a plan compiles without it. A constant is written to all rows at once.
    func allocate(_ capacity: Int, _ pool: TextPool) {
        guard self.capacity == 0 else { return }
        self.capacity = capacity
        if type == .real {
            let value = reals[0]
            reals.deallocate()
            reals = .allocate(capacity: capacity)
            reals.initialize(repeating: value, count: capacity)
        } else {
            let value = words[0]
            words.deallocate()
            words = .allocate(capacity: capacity)
            words.initialize(repeating: value, count: capacity)
        }
        if operation.remembersTexts(inputs) { cache = TextCache(pool) }
    }

    /// Bytes that it holds once it has room, if so many texts are interned.
    func heldBytes(interned: Double) -> Double {
        let cache = operation.remembersTexts(inputs) ? TextCache.heldBytes(interned: interned) : 0
        return Double(RowChunk.capacity * 8) + 400 + cache + operation.heldBytes
    }

    /// A node that has one value in every row.
    convenience init(constant word: Int64, _ type: ValueType, largestText: Double = 0, isASCII: Bool = true) {
        self.init(
            .constant, type, [], largestText: largestText, variety: TextVariety(interned: 1), isASCII: isASCII)
        words[0] = word
    }

    convenience init(constant real: Double) {
        self.init(.constant, .real, [])
        reals[0] = finiteOrNull(real)
    }
}

/// What a node does with its inputs.
enum NodeOperation {
    case constant
    /// nil in a plan, which has no rows, and for a column whose results are set from outside.
    case column(StoredColumn?, isRight: Bool, firstText: Int64)
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
    case textIsIn(TextTable)
    case like(LikePattern)
    /// Inputs: condition, value, condition, value, ..., otherwise.
    case conditional
    case coalesce
    case extremum(ExtremumFunction)
    case cast
    case datePart(DatePart)
    case dateTruncate(DatePart)
    case textFunction(TextFunction)
    case concatenation
    case textLength
    /// The row of a lookup table, of so many rows, whose key is the input.
    case lookupRow(LookupTable, rows: Double)
    /// The row that a row's copy stands for, of those of the key whose number is the input: the copies of every such table are
    /// counted through together, this one's after `every` copies of those before it.
    case lookupCopy(LookupTable, every: Int, rows: Double)
    /// The value in the row that the input gives: of words, or of doubles as bits.
    case lookupValue([Int64], rows: Double)
    case lookupMatches
}

/// All expressions of a question, compiled against a source, or against its columns alone for a plan.
final class ExpressionProgram {
    let columns: [ColumnSchema]
    let source: RowSource?
    let lookups: [LookupTable]
    /// The most rows of a chunk.
    let capacity: Int
    let pool = TextPool()
    let meter = WorkMeter()
    private(set) var nodes: [ExpressionNode] = []
    private var constants: [ExpressionNode] = []
    private var known: [Expression: ExpressionNode] = [:]
    private var lookupRows: [Expression: ExpressionNode] = [:]
    private var lookupTexts: [Int: [Int64]] = [:]
    private var firstTexts: [Int: Int64] = [:]
    private var lookupReads: [Int: Int] = [:]
    private let lookupRowCounts: [Double]
    private var hasRoom = false
    private var nodeBytes = 0.0

    init(source: RowSource, lookups: [LookupTable]) {
        columns = source.columns
        self.source = source
        self.lookups = lookups
        lookupRowCounts = lookups.map { Double($0.rowCount) }
        capacity = RowChunk.capacity
        for index in columns.indices {
            if let dictionary = source.column(index)?.stored.dictionary {
                firstTexts[index] = Int64(pool.add(dictionary))
            }
        }
    }

    /// For a plan, which weighs what it compiles and never evaluates it: of lookup tables it needs only the schema and
    /// the number of rows. Also for rows that are not stored, whose columns' results are set from outside.
    init(
        columns: [ColumnSchema], lookups: [LookupTable], lookupRowCounts: [Double] = [],
        capacity: Int = RowChunk.capacity
    ) {
        self.columns = columns
        source = nil
        self.lookups = lookups
        self.lookupRowCounts = lookupRowCounts
        self.capacity = capacity
    }

    /// Computes all nodes for a chunk.
    func evaluate(_ chunk: RowChunk) {
        if !hasRoom {
            for node in constants + nodes { node.allocate(capacity, pool) }
            nodeBytes = nodeBytes(interned: Double(pool.internedCount))
            hasRoom = true
        }
        pool.beginChunk()
        for node in nodes {
            let rows = Double(chunk.count)
            for (kind, units) in node.rowWork { meter.add(kind, units * rows) }
            node.evaluate(chunk, pool, meter)
        }
    }

    /// Bytes that nodes and texts hold now.
    var heldBytes: Double { nodeBytes + pool.heldBytes }

    /// Bytes of the nodes once they have room, if so many texts are interned.
    func nodeBytes(interned: Double) -> Double {
        (constants + nodes).reduce(0) { $0 + $1.heldBytes(interned: interned) }
    }

    /// The most texts that are interned, lookup tables' included.
    var largestInterned: Double {
        lookupReads.keys.reduce(Double(pool.internedCount)) { total, slot in
            let texts = lookups[slot].schema.columns.filter { $0.type == .text }.count
            return total + lookupRowCounts[slot] * Double(texts)
        }
    }

    /// Compiles an expression; its node's results are there after each `evaluate`.
    func compile(_ expression: Expression) -> ExpressionNode {
        if let node = known[expression] {
            meter.add(.compile, node.treeSize)
            return node
        }
        let node = build(expression)
        known[expression] = node
        meter.add(.compile, 2 * node.treeSize)
        return node
    }

    /// Compiles, with a cast if the type is another: a plan of the wrong type gives nulls, not nonsense.
    func compile(_ expression: Expression, as type: ValueType) -> ExpressionNode {
        convert(compile(expression), to: type)
    }

    private func convert(_ node: ExpressionNode, to type: ValueType) -> ExpressionNode {
        node.type == type ? node : add(.cast, type, [node])
    }

    private func add(_ operation: NodeOperation, _ type: ValueType, _ inputs: [ExpressionNode]) -> ExpressionNode {
        let node = ExpressionNode(
            operation, type, inputs, largestText: type == .text ? operation.largestText(inputs) : 0,
            variety: type == .text ? operation.variety(inputs) : nil,
            isASCII: type == .text && operation.isASCII(inputs))
        nodes.append(node)
        return node
    }

    private func constant(
        _ word: Int64, _ type: ValueType, largestText: Double = 0, isASCII: Bool = true
    ) -> ExpressionNode {
        let node = ExpressionNode(constant: word, type, largestText: largestText, isASCII: isASCII)
        constants.append(node)
        return node
    }

    private func constant(_ real: Double) -> ExpressionNode {
        let node = ExpressionNode(constant: real)
        constants.append(node)
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
        case .concatenation(let operands):
            return add(.concatenation, .text, operands.map { compile($0, as: .text) })
        case .textLength(let operand): return add(.textLength, .integer, [compile(operand, as: .text)])
        case .lookup(let slot, let key, let column, let type):
            return lookup(slot: slot, key: key, column: column, as: type)
        case .lookupMatches(let slot, let key):
            guard let row = lookupRow(slot, key) else { return constant(0, .boolean) }
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
        guard columns.indices.contains(index) else { return null(type) }
        let schema = columns[index]
        let stored = source?.column(index)
        let node = ExpressionNode(
            .column(stored?.stored, isRight: stored?.isRight ?? false, firstText: firstTexts[index] ?? 0), schema.type,
            [], largestText: schema.largestText,
            variety: schema.distinctTexts.map { TextVariety(column: index, ofColumn: $0) }, isASCII: schema.isASCII)
        nodes.append(node)
        return convert(node, to: type)
    }

    private func null(_ type: ValueType) -> ExpressionNode {
        type == .real ? constant(.nan) : constant(ColumnEncoding.null, type)
    }

    private func literal(_ value: Value, _ type: ValueType) -> ExpressionNode {
        let node: ExpressionNode
        switch value {
        case .null: return null(type)
        case .integer(let number): node = constant(number, .integer)
        case .boolean(let flag): node = constant(flag ? 1 : 0, .boolean)
        case .date(let day): node = constant(day, .date)
        case .timestamp(let second): node = constant(second, .timestamp)
        case .real(let number): node = constant(number)
        case .text(let text):
            let text = text.normalizedForKeys
            node = constant(
                pool.intern(text), .text, largestText: Double(text.utf8.count),
                isASCII: text.utf8.allSatisfy { $0 < 0x80 })
        }
        return convert(node, to: type)
    }

    private func numeric(_ expression: Expression) -> ExpressionNode {
        switch expression {
        case .arithmetic(let operation, let left, let right, let type):
            if type == .integer, operation != .divide, operation != .power {
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
            return clamp(operand, lower: lower, upper: upper, as: type)
        default: return null(expression.type)
        }
    }

    private func clamp(_ operand: Expression, lower: Double, upper: Double, as type: ValueType) -> ExpressionNode {
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
            let texts = TextTable()
            for case .text(let text) in values {
                var text = text.normalizedForKeys
                _ = text.withUTF8 { texts.insert(UnsafeRawBufferPointer($0)) }
            }
            return add(.textIsIn(texts), .boolean, [operand])
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
        var row = add(
            .lookupRow(table, rows: lookupRowCounts[slot]), .integer, [compile(key, as: keyType)])
        if table.rowsPerKey > 1 {
            let every = lookups[..<slot].reduce(1) { $0 * $1.rowsPerKey }
            row = add(.lookupCopy(table, every: every, rows: lookupRowCounts[slot]), .integer, [row])
        }
        lookupRows[name] = row
        return row
    }

    private func lookup(slot: Int, key: Expression, column: Int, as type: ValueType) -> ExpressionNode {
        guard let row = lookupRow(slot, key), lookups[slot].schema.columns.indices.contains(column) else {
            return null(type)
        }
        let table = lookups[slot]
        let valueType = table.schema.columns[column].type
        var values = table.words[column]
        if valueType == .text {
            let numbers = lookupTexts[slot] ?? internTexts(table)
            lookupTexts[slot] = numbers
            values = values.map { $0 == ColumnEncoding.null ? $0 : numbers[Int($0)] }
        }
        meter.add(.step, Double(values.count))
        lookupReads[slot, default: 0] += 1
        let node = ExpressionNode(
            .lookupValue(values, rows: lookupRowCounts[slot]), valueType, [row],
            largestText: table.schema.columns[column].largestText,
            variety: TextVariety(interned: lookupRowCounts[slot]))
        nodes.append(node)
        return convert(node, to: type)
    }

    /// How many columns of a lookup table the expressions read.
    func columnsRead(ofLookup slot: Int) -> Int { lookupReads[slot, default: 0] }

    private func internTexts(_ table: LookupTable) -> [Int64] {
        meter.add(.discovery, Double(table.texts.count))
        meter.add(.byte, Double(table.texts.reduce(0) { $0 + $1.utf8.count }))
        return table.texts.map(pool.intern)
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
