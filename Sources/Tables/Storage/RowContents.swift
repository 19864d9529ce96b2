/// What a row holds in some columns and arrays, as bytes that are the same wherever the row is: for rows that are committed to, and opened (docs/privacy.md, rule 34).
///
/// Of each column a byte for what it is, 0 of a missing value, and the value: whole numbers, dates (days), timestamps (seconds), booleans and the bits of real numbers in 8 bytes, most
/// significant first; a text behind the 4 bytes of its length. Then the numbers of each array, as they are stored.
package struct RowContents: Sendable {
    /// Positions in the schema.
    package let columns: [Int], arrays: [Int]
    private let schema: Schema

    /// - Parameters:
    ///   - columns: Positions of columns in the schema.
    ///   - arrays: Positions of arrays there.
    package init(columns: [Int], arrays: [Int], of schema: Schema) {
        (self.columns, self.arrays, self.schema) = (columns, arrays, schema)
    }

    /// The most bytes of a row.
    package var mostBytes: Int {
        columns.reduce(0) { $0 + (schema.columns[$1].type == .text ? 5 + schema.columns[$1].maximumBytes : 9) }
            + arrays.reduce(0) { $0 + schema.arrays[$1].rowBytes }
    }

    /// The rows of the units that are wanted, unit after unit, in their keyed order (docs/privacy.md, rule 11): positions in the table.
    package func rows(_ table: Table, units: [Bool]) -> [Int] {
        var rows: [Int] = []
        for unit in 0..<table.unitCount where units[unit] { rows += table.rows(ofUnit: unit) }
        return rows
    }

    /// A row's bytes.
    package func bytes(_ table: Table, row: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(mostBytes)
        for column in columns { Self.append(table.value(column, row), to: &bytes) }
        for array in arrays {
            let size = schema.arrays[array].rowBytes
            table.arrays[array].withBytes { bytes.append(contentsOf: $0[row * size..<(row + 1) * size]) }
        }
        return bytes
    }

    private static func append(_ value: Value, to bytes: inout [UInt8]) {
        func append(_ kind: UInt8, _ word: UInt64, _ count: Int = 8) {
            bytes.append(kind)
            for place in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * place))) }
        }
        switch value {
        case .null: bytes.append(0)
        case .integer(let number): append(1, UInt64(bitPattern: number))
        case .real(let number): append(2, number.bitPattern)
        case .text(let text):
            append(3, UInt64(text.utf8.count), 4)
            bytes.append(contentsOf: text.utf8)
        case .boolean(let flag): append(4, flag ? 1 : 0)
        case .date(let days): append(5, UInt64(bitPattern: days))
        case .timestamp(let seconds): append(6, UInt64(bitPattern: seconds))
        }
    }

    /// The values of a row's columns, and the numbers of its arrays; nil: these are no such row's bytes.
    package func row(_ bytes: [UInt8]) -> (values: [Value], arrays: [[UInt8]])? {
        var (rest, values) = (bytes[...], [Value]())
        func number(_ count: Int) -> UInt64? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
        }
        for column in columns {
            guard let kind = rest.popFirst() else { return nil }
            if kind == 0 {
                values.append(.null)
                continue
            }
            guard let word = number(kind == 3 ? 4 : 8) else { return nil }
            let signed = Int64(bitPattern: word)
            switch (kind, schema.columns[column].type) {
            case (1, .integer): values.append(.integer(signed))
            case (2, .real): values.append(.real(Double(bitPattern: word)))
            case (3, .text):
                guard rest.count >= Int(word), let text = String(validating: rest.prefix(Int(word)), as: UTF8.self)
                else { return nil }
                rest = rest.dropFirst(Int(word))
                values.append(.text(text))
            case (4, .boolean) where word < 2: values.append(.boolean(word == 1))
            case (5, .date): values.append(.date(signed))
            case (6, .timestamp): values.append(.timestamp(signed))
            default: return nil
            }
        }
        var numbers: [[UInt8]] = []
        for array in arrays {
            let size = schema.arrays[array].rowBytes
            guard rest.count >= size else { return nil }
            numbers.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return rest.isEmpty ? (values, numbers) : nil
    }
}

extension ColumnInput {
    /// What a value becomes: its position in the domain, or its number; nil where it is none.
    package func code(_ value: Value) -> Float? {
        switch (form, value) {
        case (.oneOf(let domain), _): return domain.firstIndex(of: value).map { Float($0) }
        case (.number(_, _, let missing), .null): return missing.isNaN ? nil : missing
        case (.number(let lower, let upper, _), .integer(let number)),
            (.number(let lower, let upper, _), .date(let number)),
            (.number(let lower, let upper, _), .timestamp(let number)):
            return Self.scaled(Double(number), lower, upper)
        case (.number(let lower, let upper, _), .real(let number)): return Self.scaled(number, lower, upper)
        case (.number, .text), (.number, .boolean): return nil
        }
    }

    private static func scaled(_ value: Double, _ lower: Double, _ upper: Double) -> Float {
        Float((min(max(value, lower), upper) - lower) / (upper - lower))
    }
}
