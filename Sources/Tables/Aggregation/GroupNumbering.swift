/// Gives each combination of keys a number. Declared domains: the position in their cross product, the last key fastest,
/// so that empty groups are there too. Otherwise: the order of discovery.
final class GroupNumbering {
    private let coders: [KeyCoder]
    private let meter: WorkMeter
    private let isDiscovered: Bool
    private let scratch: UnsafeMutablePointer<Int32>
    /// Discovered combinations of several keys: level i gives a number to each pair (number of the first i + 1 keys,
    /// code of key i + 2).
    private var pairs: [WordTable]

    /// `compiled` is called with a key's position when that key has been compiled.
    init(_ keys: [KeySpecification], _ program: ExpressionProgram, compiled: (Int) -> Void) {
        coders = keys.enumerated().map { index, key in
            defer { compiled(index) }
            return KeyCoder(key, program)
        }
        meter = program.meter
        isDiscovered = keys.contains { if case .discovered = $0.coding { true } else { false } }
        scratch = .allocate(capacity: RowChunk.capacity)
        pairs = (1..<Swift.max(keys.count, 1)).map { _ in WordTable() }
    }

    deinit {
        scratch.deallocate()
    }

    /// How many group numbers there are now.
    var capacity: Int {
        if !isDiscovered { return coders.reduce(1) { $0 * $1.count } }
        return coders.count == 1 ? coders[0].count : pairs.last?.count ?? 0
    }

    /// Writes the group number of each selected row; -1 where a key is outside its domain.
    func number(_ rows: UnsafeBufferPointer<Int32>, into target: UnsafeMutablePointer<Int32>) {
        guard let first = coders.first else {
            for row in rows { target[Int(row)] = 0 }
            return
        }
        first.code(rows, into: target)
        for (level, coder) in coders.dropFirst().enumerated() {
            coder.code(rows, into: scratch)
            if isDiscovered {
                combine(rows, target, level)
            } else {
                let count = Int32(coder.count)
                meter.add(.step, Double(rows.count))
                for row in rows {
                    let (a, b) = (target[Int(row)], scratch[Int(row)])
                    target[Int(row)] = a < 0 || b < 0 ? -1 : a &* count &+ b
                }
            }
        }
    }

    private func combine(_ rows: UnsafeBufferPointer<Int32>, _ target: UnsafeMutablePointer<Int32>, _ level: Int) {
        let before = pairs[level].count
        for row in rows {
            let (a, b) = (target[Int(row)], scratch[Int(row)])
            let pair = Int64(a) << 32 | Int64(UInt32(bitPattern: b))
            target[Int(row)] = a < 0 || b < 0 ? -1 : pairs[level].insert(pair)
        }
        meter.add(.probe, Double(rows.count))
        if pairs[level].count > cachedEntries { meter.add(.miss, 2 * Double(rows.count)) }
        meter.add(.discovery, Double(pairs[level].count - before))
    }

    /// The groups that have a result: all of declared domains; of discovered keys those with a unit.
    func listing(_ units: [Int64]) -> [Int] {
        isDiscovered ? (0..<capacity).filter { units[$0] > 0 } : Array(0..<capacity)
    }

    /// The keys of a group.
    func keys(_ number: Int) -> [Value] {
        guard !coders.isEmpty else { return [] }
        return isDiscovered ? discoveredKeys(number) : domainKeys(number)
    }

    private func domainKeys(_ number: Int) -> [Value] {
        var rest = number
        var keys: [Value] = []
        for coder in coders.reversed() {
            keys.append(coder.value(rest % coder.count))
            rest /= coder.count
        }
        return keys.reversed()
    }

    private func discoveredKeys(_ number: Int) -> [Value] {
        var rest = number
        var keys: [Value] = []
        for level in stride(from: coders.count - 1, to: 0, by: -1) {
            let pair = pairs[level - 1].words[rest]
            keys.append(coders[level].value(Int(pair & 0xffff_ffff)))
            rest = Int(pair >> 32)
        }
        keys.append(coders[0].value(rest))
        return keys.reversed()
    }

    // MARK: - What it costs at most

    /// How many groups there can be.
    func largestCount(rows: Double) -> Double {
        let product = coders.reduce(1.0) { $0 * $1.largestCount(rows: rows) }
        return isDiscovered ? Swift.min(rows, product) : product
    }

    func largestWork(rows: Double, tableRows: Double) -> Work {
        var work = Work()
        var combinations = 1.0
        for (level, coder) in coders.enumerated() {
            work += coder.largestWork(rows: rows, tableRows: tableRows)
            let count = coder.largestCount(rows: rows)
            combinations = Swift.min(rows, combinations * count)
            if coder.isDiscovered { work[.discovery] += count }
            guard level > 0 else { continue }
            work[isDiscovered ? .probe : .step] += rows
            guard isDiscovered else { continue }
            work[.discovery] += combinations
            if combinations > Double(cachedEntries) { work[.miss] += 2 * rows }
        }
        return work
    }

    func largestMemory(rows: Double, tableRows: Double, interned: Double) -> Double {
        let coding = coders.reduce(Double(RowChunk.capacity * 4)) {
            $0 + $1.largestMemory(rows: rows, tableRows: tableRows, interned: interned)
        }
        guard isDiscovered, coders.count > 1 else { return coding }
        let levels = (2...coders.count).map { level in
            Swift.min(rows, coders.prefix(level).reduce(1.0) { $0 * $1.largestCount(rows: rows) })
        }
        return coding + levels.reduce(0) { $0 + $1 * WordTable.bytesPerWord + 4_096 }
    }

    var heldBytes: Double {
        coders.reduce(Double(RowChunk.capacity * 4)) { $0 + $1.heldBytes } + pairs.reduce(0) { $0 + $1.heldBytes }
    }
}

extension ExpressionProgram {
    /// A range that an expression's words cannot leave, where one is known: from declared bounds, or in a scan, if it is
    /// smaller, from the stored column, which is private.
    func wordRange(_ expression: Expression) -> ClosedRange<Int64>? {
        switch expression {
        case .column(let index, let type):
            guard columns.indices.contains(index), columns[index].type == type, type != .real, type != .text else {
                return nil
            }
            return source?.column(index)?.stored.range ?? columns[index].wordRange
        case .bin(let operand, let width, let origin, .integer):
            guard let range = wordRange(operand), let width = Int64(exactly: width), width > 0,
                Int64(exactly: origin) != nil, range.lowerBound > Int64.min + width
            else { return nil }
            return range.lowerBound - width...range.upperBound
        case .datePart(let part, _): return part.range
        default: return expression.type == .boolean ? 0...1 : nil
        }
    }
}

extension DatePart {
    /// The values that the part can have.
    public var range: ClosedRange<Int64> {
        switch self {
        case .year: 0...9999
        case .quarter: 1...4
        case .month: 1...12
        case .week: 1...53
        case .day: 1...31
        case .dayOfWeek: 1...7
        case .dayOfYear: 1...366
        case .hour: 0...23
        case .minute, .second: 0...59
        }
    }
}
