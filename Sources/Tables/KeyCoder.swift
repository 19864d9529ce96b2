/// Gives each value of a key a number, chunk by chunk: by a table where the values' range is small and known, else in the
/// order of discovery. For a declared domain the numbers are positions in the domain.
final class KeyCoder {
    /// The number of a value that is outside a domain.
    static let outside: Int32 = -1

    private enum Method {
        /// `table[word - base + 1]`, null first; unknown entries of a discovered key are claimed in order.
        case table(base: Int64)
        case hashed
        /// Text: by its number in the pool, made canonical.
        case text
    }

    private let node: ExpressionNode
    private let method: Method
    private let isDomain: Bool
    private var table: [Int32] = []
    private var hashed: [Int64: Int32] = [:]
    private var canonicalTexts: [String: Int32] = [:]
    private var nullCode: Int32 = KeyCoder.unknown
    /// The value of each number.
    private(set) var values: [Value] = []

    private static let unknown: Int32 = -2
    private static let largestTable = 1 << 20

    init(_ key: KeySpecification, _ node: ExpressionNode, range: ClosedRange<Int64>?) {
        self.node = node
        if case .domain = key.coding { isDomain = true } else { isDomain = false }
        if node.type == .text {
            method = .text
        } else if let range, range.upperBound &- range.lowerBound < Int64(Self.largestTable),
            range.upperBound &- range.lowerBound >= 0
        {
            method = .table(base: range.lowerBound)
            table = Array(repeating: Self.unknown, count: Int(range.upperBound - range.lowerBound) + 2)
        } else {
            method = .hashed
        }
        if case .domain(let domain) = key.coding { declare(domain) }
    }

    /// How many numbers there are now.
    var count: Int { values.count }

    /// Writes the numbers of the chunk's rows that are selected.
    func code(_ rows: UnsafeBufferPointer<Int32>, into target: UnsafeMutablePointer<Int32>, _ pool: TextPool) {
        switch method {
        case .table(let base): codeByTable(rows, base, target)
        case .text: codeTexts(rows, target, pool)
        case .hashed:
            if node.type == .real {
                for row in rows { target[Int(row)] = codeReal(node.reals[Int(row)]) }
            } else {
                for row in rows { target[Int(row)] = codeWord(node.words[Int(row)]) }
            }
        }
    }

    private func codeByTable(_ rows: UnsafeBufferPointer<Int32>, _ base: Int64, _ target: UnsafeMutablePointer<Int32>) {
        let words = node.words
        var missed = false
        table.withUnsafeBufferPointer { table in
            for row in rows {
                let word = words[Int(row)]
                let place = Self.place(of: word, base, table.count)
                let code = place < table.count ? table[place] : KeyCoder.unknown
                target[Int(row)] = code
                missed = missed || code == KeyCoder.unknown
            }
        }
        guard missed else { return }
        for row in rows where target[Int(row)] == Self.unknown {
            let word = words[Int(row)]
            let code = isDomain ? Self.outside : codeWord(word)
            target[Int(row)] = code
            let place = Self.place(of: word, base, table.count)
            if place < table.count { table[place] = code }
        }
    }

    /// 0 for null, else from 1; `count` for what is not in the table.
    @inline(__always)
    private static func place(of word: Int64, _ base: Int64, _ count: Int) -> Int {
        if word == ColumnEncoding.null { return 0 }
        // An unsigned comparison sends what is below the base beyond the end.
        let distance = UInt64(bitPattern: word &- base)
        return distance < UInt64(count - 1) ? Int(truncatingIfNeeded: distance) + 1 : count
    }

    private func codeTexts(_ rows: UnsafeBufferPointer<Int32>, _ target: UnsafeMutablePointer<Int32>, _ pool: TextPool)
    {
        if table.count < pool.count {
            table.append(contentsOf: repeatElement(Self.unknown, count: pool.count - table.count))
        }
        for row in rows {
            let number = node.words[Int(row)]
            guard number != ColumnEncoding.null else {
                target[Int(row)] = codeNull()
                continue
            }
            if table[Int(number)] == Self.unknown { table[Int(number)] = codeText(pool.text(number)) }
            target[Int(row)] = table[Int(number)]
        }
    }

    private func codeNull() -> Int32 {
        if nullCode == Self.unknown { nullCode = isDomain ? Self.outside : claim(.null) }
        return nullCode
    }

    private func codeText(_ text: String) -> Int32 {
        if let known = canonicalTexts[text] { return known }
        guard !isDomain else { return Self.outside }
        let code = claim(.text(text))
        canonicalTexts[text] = code
        return code
    }

    private func codeWord(_ word: Int64) -> Int32 {
        guard word != ColumnEncoding.null else { return codeNull() }
        if let known = hashed[word] { return known }
        guard !isDomain else { return Self.outside }
        let code = claim(Value(word: word, type: node.type))
        hashed[word] = code
        return code
    }

    private func codeReal(_ real: Double) -> Int32 {
        guard !real.isNaN else { return codeNull() }
        let word = Int64(bitPattern: (real + 0.0).bitPattern)
        if let known = hashed[word] { return known }
        guard !isDomain else { return Self.outside }
        let code = claim(.real(real + 0.0))
        hashed[word] = code
        return code
    }

    private func claim(_ value: Value) -> Int32 {
        values.append(value)
        return Int32(values.count - 1)
    }

    private func declare(_ domain: [Value]) {
        for value in domain {
            let code = Int32(values.count)
            values.append(value)
            switch value {
            case .null: nullCode = code
            case .text(let text): canonicalTexts[text.normalizedForKeys] = code
            default: if let word = value.word(as: node.type) { hashed[word] = code }
            }
        }
        guard case .table(let base) = method else { return }
        for (word, code) in hashed {
            let place = Self.place(of: word, base, table.count)
            if place < table.count { table[place] = code }
        }
        if nullCode != Self.unknown { table[0] = nullCode }
    }
}

extension Value {
    init(word: Int64, type: ValueType) {
        switch type {
        case .boolean: self = .boolean(word != 0)
        case .date: self = .date(word)
        case .timestamp: self = .timestamp(word)
        default: self = .integer(word)
        }
    }

    /// The value's word in a column of that type, across integer and real where exact.
    func word(as type: ValueType) -> Int64? {
        switch (self, type) {
        case (.integer(let number), .real): Int64(bitPattern: (Double(number) + 0.0).bitPattern)
        case (.real(let number), .integer): Int64(exactly: number)
        default: word
        }
    }

    /// The order in which discovered keys are listed: null first, then by value.
    static func precedes(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.null, .null), (_, .null): false
        case (.null, _): true
        case (.text(let a), .text(let b)): a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
        case (.real(let a), .real(let b)): a < b
        default: (left.word ?? 0) < (right.word ?? 0)
        }
    }
}
