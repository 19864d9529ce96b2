/// Gives each value of a key a number, chunk by chunk: by a table where the values' range is small and known, else in the
/// order of discovery. For a declared domain the numbers are positions in the domain.
///
/// Values are kept as words and bytes: a key becomes a `Value` only when it is asked for, which is after it was selected.
final class KeyCoder {
    /// The number of a value that is outside a domain.
    static let outside: Int32 = -1

    private enum Method {
        /// `table[word - base + 1]`, null first; discovered values get their numbers in the order in which they are
        /// met.
        case table(base: Int64, size: Int)
        case hashed
        /// Texts of one stored dictionary, which has each text once: a table by the text's number, counted from the
        /// dictionary's first.
        case stored(first: Int64)
        /// Other texts: by their bytes; a cache remembers those that were met last.
        case text
    }

    private let node: ExpressionNode
    private let pool: TextPool
    private let meter: WorkMeter
    private let method: Method
    /// The declared values; nil where keys are discovered.
    private let domain: [Value]?
    /// The most numbers that are given. While declarations hold, no more values can occur; more count as outside.
    private let largestCount: Double
    private var table: [Int32] = []
    private var cache: TextCache?
    private var words = WordTable()
    private let texts = TextTable()
    /// The number that each word or text of the two tables above has.
    private var codes: [Int32] = []
    /// Discovered: what each number stands for, as its place among words or texts, or its text's number; -1 for null.
    private var origins: [Int64] = []
    private var nullCode: Int32 = KeyCoder.unknown

    private static let unknown: Int32 = -2
    private static let largestTable = 1 << 20

    init(_ key: KeySpecification, _ program: ExpressionProgram) {
        node = program.compile(key.expression)
        pool = program.pool
        meter = program.meter
        largestCount = program.cardinality(key.expression) ?? .infinity
        if case .domain(let values) = key.coding { domain = values } else { domain = nil }
        let range = program.wordRange(key.expression)
        if node.type == .text {
            if case .column(let stored, _, let first) = node.operation, domain == nil {
                method = .stored(first: first)
                table = Array(repeating: Self.unknown, count: stored?.dictionary?.count ?? 0)
            } else {
                method = .text
            }
        } else if let range, range.upperBound &- range.lowerBound < Int64(Self.largestTable),
            range.upperBound &- range.lowerBound >= 0
        {
            method = .table(base: range.lowerBound, size: Int(range.upperBound - range.lowerBound) + 2)
        } else {
            method = .hashed
        }
        if let domain { declare(domain) }
    }

    var isDiscovered: Bool { domain == nil }

    /// How many numbers there are now.
    var count: Int { domain?.count ?? origins.count }

    /// The value of a number.
    func value(_ code: Int) -> Value {
        if let domain { return domain[code] }
        let origin = origins[code]
        if origin < 0 { return .null }
        switch method {
        case .stored: return .text(pool.text(origin))
        case .text: return .text(texts.text(Int(origin)))
        case .table, .hashed:
            let word = words.words[Int(origin)]
            if node.type == .real { return .real(Double(bitPattern: UInt64(bitPattern: word))) }
            return Value(word: word, type: node.type)
        }
    }

    /// Writes the numbers of the chunk's rows that are selected.
    func code(_ rows: UnsafeBufferPointer<Int32>, into target: UnsafeMutablePointer<Int32>) {
        let before = origins.count
        switch method {
        case .table(let base, let size): codeByTable(rows, base: base, size: size, into: target)
        case .stored(let first): codeStored(rows, first, target)
        case .text: codeTexts(rows, target)
        case .hashed:
            meter.add(.probe, Double(rows.count))
            if codes.count > cachedEntries { meter.add(.miss, 2 * Double(rows.count)) }
            if node.type == .real {
                for row in rows { target[Int(row)] = codeReal(node.reals[Int(row)]) }
            } else {
                for row in rows { target[Int(row)] = codeWord(node.words[Int(row)]) }
            }
        }
        meter.add(.discovery, Double(origins.count - before))
    }

    private func codeByTable(
        _ rows: UnsafeBufferPointer<Int32>, base: Int64, size: Int, into target: UnsafeMutablePointer<Int32>
    ) {
        if table.isEmpty { fillTable(base, size) }
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
        meter.add(.step, Double(rows.count))
        guard missed else { return }
        var probes = 0
        for row in rows where target[Int(row)] == Self.unknown {
            let word = words[Int(row)]
            let place = Self.place(of: word, base, table.count)
            if place < table.count, table[place] != Self.unknown {
                target[Int(row)] = table[place]
                continue
            }
            let code = domain != nil ? Self.outside : codeWord(word)
            target[Int(row)] = code
            if place < table.count { table[place] = code }
            probes += 1
        }
        meter.add(.probe, Double(probes))
        if codes.count > cachedEntries { meter.add(.miss, 2 * Double(probes)) }
    }

    /// The declared values' places, once there are rows.
    private func fillTable(_ base: Int64, _ size: Int) {
        table = Array(repeating: Self.unknown, count: size)
        guard domain != nil else { return }
        for (place, word) in words.words.enumerated() {
            let entry = Self.place(of: word, base, size)
            if entry < size { table[entry] = codes[place] }
        }
        if nullCode != Self.unknown { table[0] = nullCode }
    }

    /// 0 for null, else from 1; `count` for what is not in the table.
    @inline(__always)
    private static func place(of word: Int64, _ base: Int64, _ count: Int) -> Int {
        if word == ColumnEncoding.null { return 0 }
        // An unsigned comparison sends what is below the base beyond the end.
        let distance = UInt64(bitPattern: word &- base)
        return distance < UInt64(count - 1) ? Int(truncatingIfNeeded: distance) + 1 : count
    }

    private func codeStored(_ rows: UnsafeBufferPointer<Int32>, _ first: Int64, _ target: UnsafeMutablePointer<Int32>) {
        meter.add(.step, NodeOperation.cacheSteps * Double(rows.count))
        if table.count > cachedEntries { meter.add(.miss, Double(rows.count)) }
        for row in rows {
            let number = node.words[Int(row)]
            guard number != ColumnEncoding.null else {
                target[Int(row)] = codeNull()
                continue
            }
            let place = Int(number &- first)
            if table[place] == Self.unknown { table[place] = claim(number) }
            target[Int(row)] = table[place]
        }
    }

    private func codeTexts(_ rows: UnsafeBufferPointer<Int32>, _ target: UnsafeMutablePointer<Int32>) {
        if cache == nil { cache = TextCache(pool) }
        meter.add(.step, NodeOperation.cacheSteps * Double(rows.count))
        if codes.count > cachedEntries { meter.add(.miss, 2 * Double(rows.count)) }
        var bytes = 0
        for row in rows {
            let number = node.words[Int(row)]
            if number == ColumnEncoding.null {
                target[Int(row)] = codeNull()
            } else if let known = cache?[number] {
                target[Int(row)] = Int32(truncatingIfNeeded: known)
            } else {
                let code = codeText(number, &bytes)
                cache?.store(Int64(code), of: number)
                target[Int(row)] = code
            }
        }
        meter.add(.byte, Double(bytes))
    }

    private func codeNull() -> Int32 {
        if nullCode == Self.unknown { nullCode = domain != nil ? Self.outside : claim(-1) }
        return nullCode
    }

    private func codeText(_ number: Int64, _ bytes: inout Int) -> Int32 {
        pool.withBytes(number) { text in
            bytes += text.count
            if domain != nil { return texts.code(of: text).map { codes[Int($0)] } ?? Self.outside }
            let place = Int(texts.insert(text))
            if place == codes.count { codes.append(claim(Int64(place))) }
            return codes[place]
        }
    }

    private func codeWord(_ word: Int64) -> Int32 {
        guard word != ColumnEncoding.null else { return codeNull() }
        return codeKnown(word)
    }

    private func codeReal(_ real: Double) -> Int32 {
        guard !real.isNaN else { return codeNull() }
        return codeKnown(Int64(bitPattern: (real + 0.0).bitPattern))
    }

    private func codeKnown(_ word: Int64) -> Int32 {
        if domain != nil { return words.code(of: word).map { codes[Int($0)] } ?? Self.outside }
        let place = Int(words.insert(word))
        if place == codes.count { codes.append(claim(Int64(place))) }
        return codes[place]
    }

    private func claim(_ origin: Int64) -> Int32 {
        guard Double(origins.count) < largestCount else { return Self.outside }
        origins.append(origin)
        return Int32(truncatingIfNeeded: origins.count - 1)
    }

    private func declare(_ domain: [Value]) {
        for (code, value) in domain.enumerated() {
            switch value {
            case .null: nullCode = Int32(code)
            case .text(let text):
                var text = text.normalizedForKeys
                declare(Int32(code), text.withUTF8 { texts.insert(UnsafeRawBufferPointer($0)) })
            default: if let word = value.word(as: node.type) { declare(Int32(code), words.insert(word)) }
            }
        }
    }

    /// If a value is declared twice, its last position counts.
    private func declare(_ code: Int32, _ place: Int32) {
        if Int(place) == codes.count { codes.append(code) } else { codes[Int(place)] = code }
    }

    // MARK: - What it costs at most

    /// The work of so many rows, beside the discoveries, where a table has at most `tableRows`.
    func largestWork(rows: Double, tableRows: Double) -> Work {
        let isLarge = largestCount(rows: rows) > Double(cachedEntries)
        let misses = isLarge ? 2 * rows : 0
        switch method {
        // Each value of the range is looked up once.
        case .table(_, let size):
            let probes = Swift.min(rows, Double(size))
            return Work([.step: rows, .probe: probes, .miss: isLarge ? 2 * probes : 0])
        // Where a scan finds that the stored values have a smaller range, it takes a table and saves these probes.
        case .hashed: return Work([.step: rows, .probe: rows, .miss: misses])
        case .stored:
            return Work([
                .step: NodeOperation.cacheSteps * rows, .miss: tableRows > Double(cachedEntries) ? rows : 0,
            ])
        case .text:
            return Work([
                .step: NodeOperation.cacheSteps * rows, .miss: misses,
                .byte: node.textEvaluations(rows: rows) * node.largestText,
            ])
        }
    }

    /// How many numbers there can be of so many rows.
    func largestCount(rows: Double) -> Double {
        domain.map { Double($0.count) } ?? Swift.min(rows, largestCount)
    }

    /// Bytes for the numbers of so many rows, where a table has at most `tableRows`.
    func largestMemory(rows: Double, tableRows: Double, interned: Double) -> Double {
        let count = largestCount(rows: rows)
        let fixed = TextCache.heldBytes(interned: interned) + 4_096
        let perCode = domain == nil ? 3 * (8.0 + 4.0) : 3 * 4.0
        switch method {
        case .table(_, let size): return fixed + Double(size) * 4 + count * (perCode + WordTable.bytesPerWord)
        case .hashed:
            return fixed + Double(Self.largestTable + 2) * 4 + count * (perCode + WordTable.bytesPerWord)
        case .stored: return fixed + tableRows * 4 + count * perCode
        case .text: return fixed + count * (perCode + TextTable.bytesPerText + 3 * node.largestText)
        }
    }

    var heldBytes: Double {
        Double(table.capacity * 4 + codes.capacity * 4 + origins.capacity * 8) + words.heldBytes + texts.heldBytes
            + (cache == nil ? 0 : TextCache.heldBytes(interned: Double(pool.internedCount)))
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
}
