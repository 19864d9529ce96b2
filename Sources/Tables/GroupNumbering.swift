/// Gives each combination of keys a number. Declared domains: the position in their cross product, the last key fastest,
/// so that empty groups are there too. Otherwise: the order of discovery.
final class GroupNumbering {
    private let coders: [KeyCoder]
    private let isDiscovered: Bool
    private let scratch: UnsafeMutablePointer<Int32>
    /// Discovered combinations of several keys: level i numbers (number of the first i + 1 keys, code of key i + 2).
    private var pairs: [[UInt64: Int32]]
    private var combinations: [[(first: Int32, second: Int32)]]

    init(_ keys: [KeySpecification], _ program: ExpressionProgram) {
        coders = keys.map { key in
            KeyCoder(key, program.compile(key.expression), range: program.wordRange(key.expression))
        }
        isDiscovered = keys.contains { if case .discovered = $0.coding { true } else { false } }
        scratch = .allocate(capacity: RowChunk.capacity)
        pairs = Array(repeating: [:], count: Swift.max(keys.count - 1, 0))
        combinations = Array(repeating: [], count: Swift.max(keys.count - 1, 0))
    }

    deinit {
        scratch.deallocate()
    }

    /// How many group numbers there are now.
    var capacity: Int {
        if !isDiscovered { return coders.reduce(1) { $0 * $1.count } }
        return coders.count == 1 ? coders[0].count : combinations.last?.count ?? 0
    }

    /// Writes the group number of each selected row; -1 where a key is outside its domain.
    func number(_ rows: UnsafeBufferPointer<Int32>, into target: UnsafeMutablePointer<Int32>, _ pool: TextPool) {
        guard let first = coders.first else {
            for row in rows { target[Int(row)] = 0 }
            return
        }
        first.code(rows, into: target, pool)
        for (level, coder) in coders.dropFirst().enumerated() {
            coder.code(rows, into: scratch, pool)
            if isDiscovered {
                combine(rows, target, level)
            } else {
                let count = Int32(coder.count)
                for row in rows {
                    let (a, b) = (target[Int(row)], scratch[Int(row)])
                    target[Int(row)] = a < 0 || b < 0 ? -1 : a &* count &+ b
                }
            }
        }
    }

    private func combine(_ rows: UnsafeBufferPointer<Int32>, _ target: UnsafeMutablePointer<Int32>, _ level: Int) {
        for row in rows {
            let (a, b) = (target[Int(row)], scratch[Int(row)])
            guard a >= 0, b >= 0 else {
                target[Int(row)] = -1
                continue
            }
            let pair = UInt64(UInt32(bitPattern: a)) << 32 | UInt64(UInt32(bitPattern: b))
            if let known = pairs[level][pair] {
                target[Int(row)] = known
            } else {
                let number = Int32(combinations[level].count)
                combinations[level].append((a, b))
                pairs[level][pair] = number
                target[Int(row)] = number
            }
        }
    }

    /// The groups to list, by number and keys: all of declared domains; of discovered keys those with a unit, sorted.
    func listing(_ units: [Int64]) -> (numbers: [Int], keys: [[Value]]) {
        guard !coders.isEmpty else { return ([0], [[]]) }
        guard isDiscovered else {
            let numbers = Array(0..<capacity)
            return (numbers, numbers.map(domainKeys))
        }
        let listed = (0..<capacity).filter { units[$0] > 0 }.map { (number: $0, keys: discoveredKeys($0)) }
        let sorted = listed.sorted { left, right in
            for (a, b) in zip(left.keys, right.keys) where a != b { return Value.precedes(a, b) }
            return false
        }
        return (sorted.map(\.number), sorted.map(\.keys))
    }

    private func domainKeys(_ number: Int) -> [Value] {
        var rest = number
        var keys: [Value] = []
        for coder in coders.reversed() {
            keys.append(coder.values[rest % coder.count])
            rest /= coder.count
        }
        return keys.reversed()
    }

    private func discoveredKeys(_ number: Int) -> [Value] {
        var rest = Int32(number)
        var keys: [Value] = []
        for level in stride(from: coders.count - 1, to: 0, by: -1) {
            let pair = combinations[level - 1][Int(rest)]
            keys.append(coders[level].values[Int(pair.second)])
            rest = pair.first
        }
        keys.append(coders[0].values[Int(rest)])
        return keys.reversed()
    }
}

extension ExpressionProgram {
    /// A range that an expression's words cannot leave, where one is known: from stored columns, so private.
    func wordRange(_ expression: Expression) -> ClosedRange<Int64>? {
        switch expression {
        case .column(let index, let type):
            guard let (stored, storedType, _) = source.column(index), storedType == type, type != .real, type != .text,
                stored.encoding.largest >= stored.encoding.base, stored.encoding.width < 8
            else { return nil }
            return stored.encoding.base...stored.encoding.largest
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
