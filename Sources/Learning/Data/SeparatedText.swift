/// Rows of comma-separated fields (RFC 4180) in UTF-8 under a header: label files, and small tables to train on.
///
/// It is strict, and reads whole texts in memory: what a datasite adds as a dataset is read by `Tables`, with types and policies for
/// wrong rows.
public struct SeparatedText: Sendable {
    /// The names in the header.
    public let columns: [String]
    /// One array a row, as many fields as columns.
    public let rows: [[String]]

    /// - Throws: A line that is not as the header, by its number.
    public init(_ bytes: [UInt8]) throws(DataError) {
        var reader = Reader(bytes: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...])
        guard let header = try reader.row() else { throw DataError("no header", expected: "a first line of names") }
        guard Set(header).count == header.count else {
            throw DataError("line 1", "a name given twice", expected: "each column named once")
        }
        var rows: [[String]] = []
        while true {
            let line = reader.line
            guard let row = try reader.row() else { break }
            guard row.count == header.count else {
                throw DataError("line \(line)", "\(row.count) fields", expected: "\(header.count), as the header has")
            }
            rows.append(row)
        }
        columns = header
        self.rows = rows
    }

    /// Where a column stands.
    ///
    /// - Throws: That there is none, with those that are.
    public func column(_ name: String) throws(DataError) -> Int {
        guard let index = columns.firstIndex(of: name) else {
            let isOther = columns.count == 1 && columns[0].contains { ";\t|".contains($0) }
            throw DataError(
                "no column '\(name)'",
                expected: isOther
                    ? "fields that commas separate" : "one of \(columns.prefix(40).joined(separator: ", "))")
        }
        return index
    }

    private struct Reader {
        let bytes: ArraySlice<UInt8>
        private var place: Int
        private(set) var line = 1

        init(bytes: ArraySlice<UInt8>) {
            self.bytes = bytes
            place = bytes.startIndex
        }

        private var next: UInt8? { place < bytes.endIndex ? bytes[place] : nil }

        /// nil at the end. Empty lines are left out.
        mutating func row() throws(DataError) -> [String]? {
            while next == 0x0A || next == 0x0D {
                if next == 0x0A { line += 1 }
                place += 1
            }
            guard next != nil else { return nil }
            var fields: [String] = []
            while true {
                fields.append(try field())
                guard let mark = next else { return fields }
                place += 1
                if mark == 0x0A {
                    line += 1
                    return fields
                }
            }
        }

        /// Ends before a comma, a line feed or the end.
        private mutating func field() throws(DataError) -> String {
            var text: [UInt8] = []
            if next == 0x22 {
                text = try quoted()
            } else {
                let end = bytes[place...].firstIndex { $0 == 0x2C || $0 == 0x0A } ?? bytes.endIndex
                text = Array(bytes[place..<end])
                place = end
                if text.last == 0x0D, next != 0x2C { text.removeLast() }
            }
            guard let result = String(validating: text, as: UTF8.self) else {
                throw DataError("line \(line)", "bytes that are no UTF-8", expected: "UTF-8")
            }
            return result
        }

        private mutating func quoted() throws(DataError) -> [UInt8] {
            let start = line
            var text: [UInt8] = []
            place += 1
            while let byte = next {
                place += 1
                if byte == 0x22 {
                    guard next == 0x22 else {
                        if next == 0x0D { place += 1 }
                        guard next == nil || next == 0x2C || next == 0x0A else {
                            throw DataError(
                                "line \(start)", "text behind a quoted field", expected: "quotes around whole fields")
                        }
                        return text
                    }
                    place += 1
                }
                if byte == 0x0A { line += 1 }
                text.append(byte)
            }
            throw DataError("line \(start)", "a quote without an end", expected: "quotes around whole fields")
        }
    }
}

/// A column of a table as inputs, by what is publicly declared of it.
public struct InputColumn: Sendable, Equatable {
    /// How its values become inputs.
    public enum Form: Sendable, Equatable {
        /// One input a value of the domain, 1 where it is the row's; all 0 for any other value.
        case oneOf([String])
        /// Clipped to the bounds, which become 0 and 1; what an empty field stands for, if it may be empty.
        case number(lower: Double, upper: Double, missing: Double?)
    }

    /// In the header.
    public let name: String
    /// How its values become inputs.
    public let form: Form

    /// - Throws: A domain or bounds that are none.
    public init(_ name: String, _ form: Form) throws(DataError) {
        switch form {
        case .oneOf(let domain):
            guard domain.count >= 2, Set(domain).count == domain.count else {
                throw DataError(
                    "column '\(name)'", "a domain of \(domain.count)", expected: "at least two different values")
            }
        case .number(let lower, let upper, let missing):
            guard lower < upper, lower.isFinite, upper.isFinite, missing?.isFinite ?? true else {
                throw DataError(
                    "column '\(name)'", "bounds that hold nothing", expected: "a lower and a higher finite number")
            }
        }
        self.name = name
        self.form = form
    }

    /// How many inputs it becomes.
    public var width: Int {
        switch form {
        case .oneOf(let domain): domain.count
        case .number: 1
        }
    }

    fileprivate func append(_ field: String, to values: inout [Float], line: Int) throws(DataError) {
        switch form {
        case .oneOf(let domain): values += domain.map { $0 == field ? 1 : 0 }
        case .number(let lower, let upper, let missing):
            let number = field.isEmpty ? missing : Double(field).flatMap { $0.isNaN ? nil : $0 }
            guard let number else {
                throw DataError(
                    "row \(line), column '\(name)'", "no number",
                    expected: missing == nil ? "a number, or `missing` declared for the column" : "a number or nothing")
            }
            values.append(Float((min(max(number, lower), upper) - lower) / (upper - lower)))
        }
    }
}

extension SeparatedText {
    /// Columns as inputs: [rows, inputs].
    ///
    /// - Throws: A column that is not there; the first row, by its number, that has no number where one is declared.
    public func inputs(_ declared: [InputColumn]) throws(DataError) -> Tensor {
        var places: [Int] = []
        for column in declared { places.append(try self.column(column.name)) }
        let width = declared.reduce(0) { $0 + $1.width }
        var values: [Float] = []
        values.reserveCapacity(rows.count * width)
        for (number, row) in rows.enumerated() {
            for (column, place) in zip(declared, places) {
                try column.append(row[place], to: &values, line: number + 1)
            }
        }
        return Tensor(shape: [rows.count, width], values: values)
    }

    /// A column's labels: places in a domain.
    ///
    /// - Throws: The first row, by its number, whose label is not in the domain.
    public func labels(_ name: String, domain: [String]) throws(DataError) -> [Int32] {
        let place = try column(name)
        let numbers = Dictionary(
            domain.enumerated().map { ($0.element, Int32($0.offset)) }, uniquingKeysWith: { first, _ in first })
        var labels: [Int32] = []
        for (number, row) in rows.enumerated() {
            guard let label = numbers[row[place]] else {
                throw DataError(
                    "row \(number + 1), column '\(name)'", "a label outside the declared domain",
                    expected: "one of \(domain.prefix(20).joined(separator: ", "))")
            }
            labels.append(label)
        }
        return labels
    }

    /// A column's values, clipped to the bounds: [rows, 1].
    ///
    /// - Throws: The first row, by its number, that has no number.
    public func values(_ name: String, lower: Double, upper: Double) throws(DataError) -> Tensor {
        let place = try column(name)
        var values: [Float] = []
        for (number, row) in rows.enumerated() {
            guard let value = Double(row[place]), !value.isNaN else {
                throw DataError("row \(number + 1), column '\(name)'", "no number", expected: "a number")
            }
            values.append(Float(min(max(value, lower), upper)))
        }
        return Tensor(shape: [rows.count, 1], values: values)
    }

    /// The rows of each unit that a column names, one unit after the other, in the order in which units first occur.
    public func units(_ name: String) throws(DataError) -> (order: [Int], units: [Range<Int>]) {
        let place = try column(name)
        var rowsOf: [String: [Int]] = [:]
        var names: [String] = []
        for (number, row) in rows.enumerated() {
            if rowsOf[row[place]] == nil { names.append(row[place]) }
            rowsOf[row[place], default: []].append(number)
        }
        var (order, units): ([Int], [Range<Int>]) = ([], [])
        for name in names {
            let own = rowsOf[name] ?? []
            units.append(order.count..<order.count + own.count)
            order += own
        }
        return (order, units)
    }
}
