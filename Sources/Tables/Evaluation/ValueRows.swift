/// Rows of values in memory, on which expressions are computed by what computes them on tables: for constants, for the
/// values that a key can take, and for results, whose "rows" are groups' keys and noisy aggregates.
public struct ValueRows: Sendable {
    /// A column's values, row by row.
    public struct Column: Sendable {
        /// The type of its values.
        public var type: ValueType
        /// One for each row; null, or of the column's type.
        public var values: [Value]

        /// A column of that type.
        public init(_ type: ValueType, _ values: [Value]) {
            self.type = type
            self.values = values
        }
    }

    /// The number of rows.
    public let count: Int
    /// By the index that `Expression.column` names; columns that are not here are null.
    public let columns: [Int: Column]

    /// So many rows with those columns.
    public init(count: Int, columns: [Int: Column] = [:]) {
        self.count = count
        self.columns = columns
    }

    /// For each expression, its value in each row. Lookups find nothing.
    public func values(of expressions: [Expression]) -> [[Value]] {
        var results = [[Value]](repeating: [], count: expressions.count)
        let program = ExpressionProgram(
            columns: schemas, lookups: [], capacity: Swift.min(Swift.max(count, 1), RowChunk.capacity))
        var nodes: [(place: Int, node: ExpressionNode)] = []
        var read = Set<Int>()
        for (place, expression) in expressions.enumerated() {
            if case .column(let index, let type) = expression, let column = columns[index], column.type == type {
                results[place] = column.values
                continue
            }
            nodes.append((place, program.compile(expression)))
            expression.visit { if case .column(let index, _) = $0 { read.insert(index) } }
        }
        guard !nodes.isEmpty else { return results }
        for (place, _) in nodes { results[place].reserveCapacity(count) }
        let inputs = read.sorted().compactMap { input($0, program) }
        var chunk = RowChunk(isJoin: false)
        defer { chunk.deallocate() }
        // Nodes have room from the first chunk on.
        program.evaluate(chunk)
        for start in stride(from: 0, to: count, by: program.capacity) {
            chunk.count = Swift.min(program.capacity, count - start)
            for (node, words) in inputs { node.load(words[start..<start + chunk.count]) }
            program.evaluate(chunk)
            for (place, node) in nodes {
                for row in 0..<chunk.count { results[place].append(node.value(row, program.pool)) }
            }
        }
        return results
    }

    /// The columns up to the last, in order.
    private var schemas: [ColumnSchema] {
        (0..<(columns.keys.max() ?? -1) + 1).map { ColumnSchema(name: "", type: columns[$0]?.type ?? .boolean) }
    }

    /// A column's node, and its words: texts are numbered before anything is computed.
    private func input(_ index: Int, _ program: ExpressionProgram) -> (node: ExpressionNode, words: [Int64])? {
        guard let column = columns[index] else { return nil }
        let null = column.type == .real ? nullReal : ColumnEncoding.null
        let words = column.values.map { value -> Int64 in
            switch (value, column.type) {
            case (.null, _): null
            case (.text(let text), .text): program.pool.intern(text.normalizedForKeys)
            default: value.word(as: column.type) ?? null
            }
        }
        return (program.compile(.column(index, column.type)), words)
    }
}

extension ExpressionNode {
    /// Sets the results of a column that is not stored.
    fileprivate func load(_ source: ArraySlice<Int64>) {
        if type == .real {
            for (row, word) in source.enumerated() {
                reals[row] = finiteOrNull(Double(bitPattern: UInt64(bitPattern: word)))
            }
        } else {
            for (row, word) in source.enumerated() { words[row] = word }
        }
    }

    func value(_ row: Int, _ pool: TextPool) -> Value {
        if type == .real { return reals[row].isNaN ? .null : .real(reals[row]) }
        if words[row] == ColumnEncoding.null { return .null }
        return type == .text ? .text(pool.text(words[row])) : Value(word: words[row], type: type)
    }
}

extension Expression {
    /// The value of an expression without columns; nil where it has some.
    public var constant: Value? {
        if case .literal(let value, _) = self { return value }
        var isConstant = true
        visit { node in
            switch node {
            case .column, .lookup, .lookupMatches: isConstant = false
            default: break
            }
        }
        return isConstant ? ValueRows(count: 1).values(of: [self])[0][0] : nil
    }
}

extension Value {
    /// The order of two values of one type: null first, numbers by magnitude, text by Unicode scalar values; negative, zero or
    /// positive.
    public static func order(_ left: Value, _ right: Value) -> Int {
        switch (left, right) {
        case (.null, .null): return 0
        case (.null, _): return -1
        case (_, .null): return 1
        case (.text(var a), .text(var b)):
            return a.withUTF8 { a in
                b.withUTF8 { b in compareBytes(UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b)) }
            }
        case (.real(let a), .real(let b)): return a < b ? -1 : (a > b ? 1 : 0)
        default:
            let (a, b) = (left.word ?? 0, right.word ?? 0)
            return a < b ? -1 : (a > b ? 1 : 0)
        }
    }
}
