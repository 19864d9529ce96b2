/// A public table with at most a declared number of rows for each key, one unless it says more: joining it adds columns to a
/// row, which then stands once for each row of its key (docs/privacy.md, rule 13).
public struct LookupTable: Sendable {
    /// Its columns.
    public let schema: Schema
    /// The position of the key's column.
    public let keyColumn: Int
    /// The most rows that a key may have.
    public let rowsPerKey: Int
    let keys: Keys
    /// Each column's values: words, doubles as bits, texts as numbers in `texts`.
    let words: [[Int64]]
    let texts: [String]
    /// The values that stand in each column, each once, in their order, null first; nil where they are more than
    /// `largestDomain`. Public, as the table is.
    public let domains: [[Value]?]

    /// The most different values that a column's domain lists.
    public static let largestDomain = 1 << 16

    enum Keys: Sendable {
        case words([Int64: Int32])
        case texts([String: Int32])
    }

    /// Why a table cannot be looked up.
    public enum Failure: Error, Sendable, Hashable {
        /// The schema has no column at the key's position.
        case noSuchKeyColumn
        /// More rows have one key than it may have.
        case keyIsNotUnique
        /// A row's value is not of its column's type; the row's number from 1 and the column's name.
        case wrongValue(row: Int, column: String)
    }

    /// The number of rows: public, as the table is.
    public var rowCount: Int { words.first?.count ?? 0 }

    /// The values of a row, by its number from 0.
    public func values(ofRow row: Int) -> [Value] {
        zip(schema.columns, words).map { Self.value($1[row], as: $0.type, texts) }
    }

    /// Makes one of rows given as values. Rows whose key is null can never match.
    public init(schema: Schema, keyColumn: Int, rowsPerKey: Int = 1, rows: [[Value]]) throws(Failure) {
        guard schema.columns.indices.contains(keyColumn) else { throw .noSuchKeyColumn }
        var words = [[Int64]](repeating: [], count: schema.columns.count)
        var texts: [String] = []
        var numbers: [String: Int64] = [:]
        for (number, row) in rows.enumerated() {
            guard row.count == schema.columns.count else { throw .wrongValue(row: number + 1, column: "") }
            for (column, value) in row.enumerated() {
                let value = column == keyColumn ? value : schema.columns[column].bounded(value)
                guard let word = Self.word(value, as: schema.columns[column].type, texts: &texts, numbers: &numbers)
                else {
                    throw .wrongValue(row: number + 1, column: schema.columns[column].name)
                }
                words[column].append(word)
            }
        }
        try self.init(schema: schema, keyColumn: keyColumn, rowsPerKey: rowsPerKey, words: words, texts: texts)
    }

    /// Makes one of a stored table.
    public init(_ table: Table, keyColumn: Int, rowsPerKey: Int = 1) throws(Failure) {
        guard table.schema.columns.indices.contains(keyColumn) else { throw .noSuchKeyColumn }
        var texts: [String] = []
        var words: [[Int64]] = []
        for column in table.columns {
            var values = Self.load(column, rows: table.rowCount)
            if let dictionary = column.dictionary {
                let first = Int64(texts.count)
                for code in 0..<dictionary.count {
                    texts.append(String(decoding: dictionary.bytes(of: code), as: UTF8.self))
                }
                values = values.map { $0 == ColumnEncoding.null ? $0 : $0 + first }
            }
            words.append(values)
        }
        // Keys are compared as they were stored: clipped, two of them could be one.
        var keys: [Int64]?
        var key = table.columns[keyColumn]
        if key.bounds != nil {
            key.bounds = nil
            keys = Self.load(key, rows: table.rowCount)
        }
        try self.init(
            schema: table.schema, keyColumn: keyColumn, rowsPerKey: rowsPerKey, words: words, texts: texts, keys: keys)
    }

    /// Where keys may have several rows, the rows of each are numbered by `places[starts[key]..<starts[key + 1]]`, and `keys`
    /// gives a key's number in place of its row.
    private let starts: [Int32]
    private let places: [Int32]

    private static func load(_ column: StoredColumn, rows: Int) -> [Int64] {
        var values = [Int64](repeating: 0, count: rows)
        values.withUnsafeMutableBufferPointer { values in
            guard let base = values.baseAddress, rows > 0 else { return }
            if column.encoding.kind == .real {
                base.withMemoryRebound(to: Double.self, capacity: rows) {
                    column.loadReals(from: 0, count: rows, into: $0)
                }
            } else {
                column.loadIntegers(from: 0, count: rows, into: base)
            }
        }
        return values
    }

    private init(
        schema: Schema, keyColumn: Int, rowsPerKey: Int, words: [[Int64]], texts: [String], keys: [Int64]? = nil
    ) throws(Failure) {
        self.schema = schema
        self.keyColumn = keyColumn
        self.rowsPerKey = Swift.max(1, rowsPerKey)
        self.words = words
        self.texts = texts
        domains = schema.columns.indices.map { column in
            // Keys that are compared as they were stored are not the values that the column shows.
            column == keyColumn && keys != nil
                ? nil : Self.domain(words[column], as: schema.columns[column].type, texts)
        }
        let type = schema.columns[keyColumn].type
        var byWord: [Int64: Int32] = [:]
        var byText: [String: Int32] = [:]
        // The rows of each key that was met, in the order of the table.
        var rows: [[Int32]] = []
        for (row, word) in (keys ?? words[keyColumn]).enumerated() {
            if type == .real ? Double(bitPattern: UInt64(bitPattern: word)).isNaN : word == ColumnEncoding.null {
                continue
            }
            let number = self.rowsPerKey == 1 ? Int32(row) : Int32(rows.count)
            guard let known = type == .text ? byText[texts[Int(word)]] : byWord[word] else {
                if type == .text { byText[texts[Int(word)]] = number } else { byWord[word] = number }
                if self.rowsPerKey > 1 { rows.append([Int32(row)]) }
                continue
            }
            guard self.rowsPerKey > 1, rows[Int(known)].count < self.rowsPerKey else { throw .keyIsNotUnique }
            rows[Int(known)].append(Int32(row))
        }
        self.keys = type == .text ? .texts(byText) : .words(byWord)
        places = rows.flatMap(\.self)
        var starts: [Int32] = self.rowsPerKey > 1 ? [0] : []
        for rows in rows { starts.append((starts.last ?? 0) + Int32(rows.count)) }
        self.starts = starts
    }

    private static func domain(_ words: [Int64], as type: ValueType, _ texts: [String]) -> [Value]? {
        var seen = Set<Int64>()
        for word in words where seen.insert(word).inserted && seen.count > largestDomain { return nil }
        return Set(seen.map { value($0, as: type, texts) }).sorted { Value.order($0, $1) < 0 }
    }

    private static func value(_ word: Int64, as type: ValueType, _ texts: [String]) -> Value {
        if type == .real {
            let number = Double(bitPattern: UInt64(bitPattern: word))
            return number.isNaN ? .null : .real(number)
        }
        if word == ColumnEncoding.null { return .null }
        return type == .text ? .text(texts[Int(word)]) : Value(word: word, type: type)
    }

    private static func word(
        _ value: Value, as type: ValueType, texts: inout [String], numbers: inout [String: Int64]
    ) -> Int64? {
        switch (value, type) {
        case (.null, .real): return nullReal
        case (.null, _): return ColumnEncoding.null
        case (.integer, .integer), (.boolean, .boolean), (.date, .date), (.timestamp, .timestamp): return value.word
        case (.integer(let number), .real): return Int64(bitPattern: (Double(number) + 0.0).bitPattern)
        case (.real(let number), .real):
            return number.isFinite ? Int64(bitPattern: (number + 0.0).bitPattern) : nullReal
        case (.text(let text), .text):
            let normal = text.normalizedForKeys
            if let known = numbers[normal] { return known }
            texts.append(normal)
            numbers[normal] = Int64(texts.count - 1)
            return Int64(texts.count - 1)
        default: return nil
        }
    }

    /// How often a row stands in a source that is joined to these tables: once for each combination of rows that its keys
    /// may have.
    static func copies(_ lookups: [LookupTable]) -> Int {
        lookups.reduce(1) { product, lookup in
            let (copies, overflow) = product.multipliedReportingOverflow(by: lookup.rowsPerKey)
            return overflow ? .max : copies
        }
    }

    /// A key's row of that number, from 0: of the number that the key has where it may have several rows.
    func row(_ copy: Int, ofKey number: Int) -> Int32? {
        let place = Int(starts[number]) + copy
        return place < Int(starts[number + 1]) ? places[place] : nil
    }

    /// The row with that key; the key's number where it may have several.
    func row(word: Int64) -> Int32? {
        if case .words(let rows) = keys { return rows[word] }
        return nil
    }

    func row(text: String) -> Int32? {
        if case .texts(let rows) = keys { return rows[text] }
        return nil
    }
}
