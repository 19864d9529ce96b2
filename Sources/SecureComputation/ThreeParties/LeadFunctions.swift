internal import ModularArithmetic

/// Which functions: of the lead's b and s, and of d and t of the others, where b + d is a comparison's or a carry's bit by exclusive or, and s + t the value.
///
/// **A bit** b + d - 2 b d, and **its product** with s + t: b (1 - 2 d) and b s (1 - 2 d) are shared by the lead's b and b s; t (b (1 - 2 d) + d) and d s follow, s being the sum of a number of each.
///
/// **Division** of x = s + t by 2^m, where 0 <= x < 2^63: s / 2^m + t / 2^m + u - 2^(64 - m) v, divisions rounded down, u the carry of the m low bits, and v that the sum wrapped. v is s's highest bit
/// or t's, since x's is 0 (Escudero, Ghosh, Keller, Rachuri and Scholl 2020, section 4): linear in what the lead shares. Without u the result is one too low where it carries; it then takes x - 1 and adds
/// 1, so that it is x / 2^m rounded down or up, up with the fraction as probability, and exact where x is a multiple. No other error is possible.
enum LeadFunctions: Sendable, Hashable {
    /// Of comparisons with numbers: d(t) times things.
    case sign(thresholds: [UInt64], results: [SignOperation.Result])
    /// A division.
    case truncation(bits: Int, isExact: Bool)

    /// Words that the lead shares of an element.
    var functions: Int {
        switch self {
        case .truncation(_, let isExact): isExact ? 3 : 2
        case .sign(let thresholds, let results):
            thresholds.count
                * results.reduce(1) { sum, result in
                    switch result {
                    case .bit: sum
                    case .excess, .carried: sum + 1
                    case .truncated: sum + 4
                    }
                }
        }
    }

    /// Whether something is rounded up or down by chance.
    var isRough: Bool {
        switch self {
        case .truncation(_, let isExact): !isExact
        case .sign(_, let results): results.contains { if case .truncated = $0 { true } else { false } }
        }
    }

    /// Words of the result of an element.
    var results: Int {
        switch self {
        case .truncation: 1
        case .sign(let thresholds, let results): thresholds.count * results.count
        }
    }

    /// What is added to x before it is divided exactly or not: it makes x positive, and rounds.
    static func offset(_ bits: Int, isExact: Bool) -> UInt64 {
        let positive: UInt64 = 1 << 62
        return isExact ? positive + 1 << UInt64(bits - 1) : positive - 1
    }

    /// The lead's functions, one behind the other.
    func functions(_ operands: LeadOperands, _ part: LeadParts.Part) -> [UInt64] {
        let range = part.range
        let sums = Self.sum(operands.value, range)
        // For a division.
        let parts = isRough ? zip(sums, operands.dither[range]).map { $0 &+ $1 } : sums
        var words: [UInt64] = []
        words.reserveCapacity(functions * range.count)
        switch self {
        case .truncation(let bits, let isExact):
            for word in parts { words.append(Self.quotient(word, bits)) }
            for word in parts { words.append(Self.wrap(word, bits)) }
            if isExact { words += Self.bits(operands, part, 0) }
        case .sign(let thresholds, let results):
            let carried = operands.carried.map { Self.sum($0, range) } ?? []
            for tree in thresholds.indices {
                let bits = Self.bits(operands, part, tree)
                words += bits
                for result in results {
                    switch result {
                    case .bit: break
                    case .excess: for i in sums.indices { words.append(bits[i] &* sums[i]) }
                    case .carried: for i in carried.indices { words.append(bits[i] &* carried[i]) }
                    case .truncated(let by):
                        for i in parts.indices { words.append(bits[i] &* Self.quotient(parts[i], by)) }
                        for word in parts { words.append(Self.quotient(word, by)) }
                        for i in parts.indices { words.append(bits[i] &* Self.wrap(parts[i], by)) }
                        for word in parts { words.append(Self.wrap(word, by)) }
                    }
                }
            }
        }
        return words
    }

    /// A part of a sum divided by 2^bits, as if the sum wrapped where this part's highest bit is 1.
    private static func quotient(_ word: UInt64, _ bits: Int) -> UInt64 { word >> UInt64(bits) &- wrap(word, bits) }

    /// What wrapping takes away, where this part's highest bit is 1.
    private static func wrap(_ word: UInt64, _ bits: Int) -> UInt64 { (word >> 63) << UInt64(64 - bits) }

    /// A share of the results at one of the other two, results one behind the other.
    ///
    /// - Parameters:
    ///   - functions: Its share of the lead's.
    ///   - isMiddle: Whether it is the one that takes what both know.
    func shares(
        _ operands: LeadOperands, _ part: LeadParts.Part, functions: [UInt64], isMiddle: Bool
    ) -> [UInt64] {
        let known = Known(operands, part, functions: functions, isMiddle: isMiddle, isRough: isRough)
        switch self {
        case .truncation(let bits, let isExact):
            return known.divided(bits, isExact: isExact, bits: isExact ? Self.bits(operands, part, 0) : [])
        case .sign(let thresholds, let results):
            var words: [UInt64] = []
            words.reserveCapacity(self.results * part.range.count)
            var place = 0
            for (tree, threshold) in thresholds.enumerated() {
                let d = Self.bits(operands, part, tree)
                let bit = place
                place += part.range.count
                for result in results {
                    switch result {
                    case .bit: words += known.bit(d, at: bit)
                    case .excess:
                        words += known.product(d, at: bit, place, with: operands.value, less: threshold)
                        place += part.range.count
                    case .carried:
                        words += operands.carried.map { known.product(d, at: bit, place, with: $0, less: 0) } ?? []
                        place += part.range.count
                    case .truncated(let by):
                        words += known.dividedProduct(d, at: bit, place, by: by, less: threshold)
                        place += 4 * part.range.count
                    }
                }
            }
            return words
        }
    }

    private static func sum(_ value: ReplicatedWords, _ range: Range<Int>) -> [UInt64] {
        value.own.withUnsafeBufferPointer { own in
            value.next.withUnsafeBufferPointer { next in
                [UInt64](unsafeUninitializedCapacity: range.count) { sums, initialized in
                    for i in 0..<range.count { sums[i] = own[range.lowerBound + i] &+ next[range.lowerBound + i] }
                    initialized = range.count
                }
            }
        }
    }

    /// A part's bits of a tree, one a word.
    private static func bits(_ operands: LeadOperands, _ part: LeadParts.Part, _ tree: Int) -> [UInt64] {
        let packed = operands.bits?.parts[part.number] ?? []
        let first = tree * part.words
        return [UInt64](unsafeUninitializedCapacity: part.range.count) { bits, initialized in
            for i in 0..<part.range.count { bits[i] = packed[first + i >> 6] >> UInt64(i & 63) & 1 }
            initialized = part.range.count
        }
    }
}

/// What the middle or the last party makes its share of results from: t, which both know, and of s and the lead's functions a share each.
private struct Known {
    let range: Range<Int>
    let functions: [UInt64]
    let isMiddle: Bool
    /// All ones at the party that takes what both know.
    let once: UInt64
    /// t of a division.
    let parts: [UInt64]

    private var count: Int { range.count }

    init(
        _ operands: LeadOperands, _ part: LeadParts.Part, functions: [UInt64], isMiddle: Bool, isRough: Bool
    ) {
        (range, self.functions, self.isMiddle) = (part.range, functions, isMiddle)
        once = isMiddle ? ~0 : 0
        let both = isMiddle ? operands.value.next : operands.value.own
        parts = isRough ? zip(both[range], operands.dither[range]).map { $0 &- $1 } : Array(both[range])
    }

    private func made(_ element: (Int) -> UInt64) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { result, initialized in
            for i in 0..<count { result[i] = element(i) }
            initialized = count
        }
    }

    /// x divided, where the bits are the carry's.
    func divided(_ by: Int, isExact: Bool, bits d: [UInt64]) -> [UInt64] {
        let shift = UInt64(by)
        let offset = LeadFunctions.offset(by, isExact: isExact)
        let constant: UInt64 = (isExact ? 0 : 1) &- (UInt64(1) << (62 - shift))
        return made { i in
            let t = parts[i] &+ offset
            let top = t >> 63
            let known: UInt64 = t >> shift &- top << (64 - shift) &+ constant
            var share: UInt64 = functions[i] &+ functions[count + i] &* top
            if isExact { share &+= functions[2 * count + i] &* (1 &- 2 &* d[i]) &+ d[i] & once }
            return share &+ known & once
        }
    }

    func bit(_ d: [UInt64], at bit: Int) -> [UInt64] {
        made { i in functions[bit + i] &* (1 &- 2 &* d[i]) &+ d[i] & once }
    }

    /// The bit times a value less a number.
    func product(
        _ d: [UInt64], at bit: Int, _ place: Int, with value: ReplicatedWords, less number: UInt64
    ) -> [UInt64] {
        let (both, half) = isMiddle ? (value.next, value.own) : (value.own, value.next)
        let first = range.lowerBound
        return made { i in
            let t = both[first + i] &- number
            let fromLead: UInt64 = (1 &- 2 &* d[i]) &* (functions[place + i] &+ functions[bit + i] &* t)
            let direct: UInt64 = half[first + i] &+ t & once
            return fromLead &+ d[i] &* direct
        }
    }

    /// The bit times x less a number, divided. Where the bit is 1, that is not negative: it is rounded up, and by the carry that is left out, down.
    func dividedProduct(_ d: [UInt64], at bit: Int, _ place: Int, by: Int, less number: UInt64) -> [UInt64] {
        let shift = UInt64(by)
        let offset = (UInt64(1) << shift &- 1) &- number
        return made { i in
            let t = parts[i] &+ offset
            let top = t >> 63
            let known: UInt64 = t >> shift &- top << (64 - shift)
            let divided: UInt64 = functions[place + i] &+ functions[place + 2 * count + i] &* top
            let whole: UInt64 = functions[place + count + i] &+ functions[place + 3 * count + i] &* top
            let fromLead: UInt64 = (1 &- 2 &* d[i]) &* (divided &+ functions[bit + i] &* known)
            return fromLead &+ d[i] &* (whole &+ known & once)
        }
    }
}
