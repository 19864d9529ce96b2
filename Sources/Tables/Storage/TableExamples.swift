/// A column as numbers that go into a model, by what is declared of it alone.
package struct ColumnInput: Sendable, Hashable {
    /// How its values become numbers.
    package enum Form: Sendable, Hashable {
        /// One number a value, 1 where it is the row's; all 0 where the row has none of them.
        case oneOf([Value])
        /// Scaled so that the bounds become 0 and 1; what is missing is that number, scaled already.
        case number(lower: Double, upper: Double, missing: Float)
    }

    /// Its position in the schema.
    package let column: Int
    package let form: Form

    package init(column: Int, form: Form) {
        self.column = column
        self.form = form
    }

    /// How many numbers it becomes.
    package var width: Int { if case .oneOf(let values) = form { values.count } else { 1 } }
}

/// Rows to learn from: private, as the table's are. It prints nothing.
package struct TableExamples: Sendable {
    /// Row after row, the inputs' numbers one behind the other; of an array nothing.
    package let inputs: [Float]
    /// Of an array: its numbers, row after row, as they are stored; else nothing.
    package let bytes: [UInt8]
    /// Of a label with a domain: its position there; else nil.
    package let labels: [Int32]?
    /// Of a label with bounds: the number, scaled to 0 and 1; else nil.
    package let values: [Float]?
    /// The rows of each unit, one unit after the other; units without rows are not there.
    package let units: [Range<Int>]
}

extension TableExamples: CustomReflectable {
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension Table {
    /// All rows that have a label, of each unit at most `rowsPerUnit` in their keyed order (docs/privacy.md, rule 11): a unit's rows are had from
    /// its own alone.
    ///
    /// - Parameters:
    ///   - array: The position of the array that goes in, in the place of columns.
    ///   - units: Of each unit whether its rows are wanted; nil: all are.
    package func examples(
        inputs: [ColumnInput], array: Int? = nil, label: ColumnInput, rowsPerUnit: Int, units wanted: [Bool]? = nil
    ) -> TableExamples {
        let width = inputs.reduce(0) { $0 + $1.width }
        let labels = codes(label)
        var rows: [Int] = []
        var units: [Range<Int>] = []
        for unit in 0..<unitCount where wanted?[unit] ?? true {
            let first = rows.count
            for row in self.rows(ofUnit: unit).prefix(max(0, rowsPerUnit)) where !labels[row].isNaN { rows.append(row) }
            if rows.count > first { units.append(first..<rows.count) }
        }
        var numbers = [Float](repeating: 0, count: rows.count * width)
        var offset = 0
        for input in inputs {
            let codes = codes(input)
            let isOneOf = if case .oneOf = input.form { true } else { false }
            for (place, row) in rows.enumerated() {
                let code = codes[row]
                if !isOneOf {
                    numbers[place * width + offset] = code
                } else if !code.isNaN {
                    numbers[place * width + offset + Int(code)] = 1
                }
            }
            offset += input.width
        }
        let own = rows.map { labels[$0] }
        let isLabel = if case .oneOf = label.form { true } else { false }
        return TableExamples(
            inputs: numbers, bytes: array.map { bytes(rows, ofArray: $0) } ?? [],
            labels: isLabel ? own.map { Int32($0) } : nil, values: isLabel ? nil : own, units: units)
    }

    private func bytes(_ rows: [Int], ofArray array: Int) -> [UInt8] {
        let size = schema.arrays[array].rowBytes
        return [UInt8](unsafeUninitializedCapacity: rows.count * size) { target, count in
            arrays[array].withBytes { bytes in
                for (place, row) in rows.enumerated() {
                    let own = UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(target)[(place * size)...])
                    own.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[row * size..<(row + 1) * size]))
                }
            }
            count = rows.count * size
        }
    }

    /// Of each row its value's position in the domain, or its number; NaN where it has none. Float counts positions exactly, which
    /// are below 2^24.
    func codes(_ input: ColumnInput) -> [Float] {
        let stored = columns[input.column]
        var result = [Float](repeating: .nan, count: rowCount)
        if stored.encoding.kind == .real {
            chunks { first, count in
                withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { values in
                    guard let base = values.baseAddress else { return }
                    stored.loadReals(from: first, count: count, into: base)
                    for index in 0..<count { result[first + index] = number(values[index], input.form) }
                }
            }
            return result
        }
        let positions = positions(input)
        chunks { first, count in
            withUnsafeTemporaryAllocation(of: Int64.self, capacity: count) { words in
                guard let base = words.baseAddress else { return }
                stored.loadIntegers(from: first, count: count, into: base)
                for index in 0..<count {
                    let word = words[index]
                    let isNull = word == ColumnEncoding.null
                    if let positions {
                        if !isNull, let position = positions[word] { result[first + index] = Float(position) }
                    } else {
                        result[first + index] = number(isNull ? .nan : Double(word), input.form)
                    }
                }
            }
        }
        return result
    }

    private func number(_ value: Double, _ form: ColumnInput.Form) -> Float {
        switch form {
        case .number(_, _, let missing) where value.isNaN: missing
        case .number(let lower, let upper, _): Float((min(max(value, lower), upper) - lower) / (upper - lower))
        case .oneOf(let values): values.firstIndex(of: .real(value)).map { Float($0) } ?? .nan
        }
    }

    /// Where each stored word stands in the domain; nil where there is none.
    private func positions(_ input: ColumnInput) -> [Int64: Int]? {
        guard case .oneOf(let domain) = input.form else { return nil }
        var positions: [Int64: Int] = [:]
        if let dictionary = columns[input.column].dictionary {
            let places = Dictionary(domain.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
            for code in 0..<dictionary.count {
                let text = String(decoding: dictionary.bytes(of: code), as: UTF8.self)
                positions[Int64(code)] = places[.text(text)]
            }
            return positions
        }
        for (position, value) in domain.enumerated() {
            switch value {
            case .integer(let word), .date(let word), .timestamp(let word): positions[word] = position
            case .boolean(let isTrue): positions[isTrue ? 1 : 0] = position
            default: break
            }
        }
        return positions
    }

    /// A row's text, as it is stored; nil where it has none. For who makes a table of this one.
    package func text(column: Int, row: Int) -> String? {
        if case .text(let text) = value(column, row) { text } else { nil }
    }

    private func chunks(_ body: (_ first: Int, _ count: Int) -> Void) {
        for first in stride(from: 0, to: rowCount, by: RowChunk.capacity) {
            body(first, min(RowChunk.capacity, rowCount - first))
        }
    }
}
