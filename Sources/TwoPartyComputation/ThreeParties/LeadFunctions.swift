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
        let count = range.count
        let sums = Self.sum(operands.value, range)
        // For a division.
        let parts = isRough ? zip(sums, operands.dither[range]).map { $0 &+ $1 } : sums
        var words: [UInt64] = []
        words.reserveCapacity(functions * count)
        func append(_ element: (Int) -> UInt64) { for i in 0..<count { words.append(element(i)) } }
        switch self {
        case .truncation(let bits, let isExact):
            let shift = UInt64(bits)
            append { parts[$0] >> shift &- (parts[$0] >> 63) << (64 - shift) }
            append { (parts[$0] >> 63) << (64 - shift) }
            if isExact {
                let packed = operands.bits?.parts[part.number] ?? []
                append { PackedBits.bit(packed, $0) }
            }
        case .sign(let thresholds, let results):
            let carried = operands.carried.map { Self.sum($0, range) } ?? []
            for tree in thresholds.indices {
                let bits = Self.bits(operands, part, tree)
                words += bits
                for result in results {
                    switch result {
                    case .bit: break
                    case .excess: append { bits[$0] &* sums[$0] }
                    case .carried: append { bits[$0] &* carried[$0] }
                    case .truncated(let bitCount):
                        let shift = UInt64(bitCount)
                        append { bits[$0] &* (parts[$0] >> shift &- (parts[$0] >> 63) << (64 - shift)) }
                        append { parts[$0] >> shift &- (parts[$0] >> 63) << (64 - shift) }
                        append { bits[$0] &* (parts[$0] >> 63) << (64 - shift) }
                        append { (parts[$0] >> 63) << (64 - shift) }
                    }
                }
            }
        }
        return words
    }

    /// A share of the results at one of the other two, results one behind the other.
    ///
    /// - Parameters:
    ///   - functions: Its share of the lead's.
    ///   - isMiddle: Whether it is the one that takes what both know.
    func shares(
        _ operands: LeadOperands, _ part: LeadParts.Part, functions: [UInt64], isMiddle: Bool
    ) -> [UInt64] {
        let range = part.range
        let count = range.count
        // t, which both know, and a number of which the lead knows the sum.
        let both = isMiddle ? operands.value.next : operands.value.own
        let half = isMiddle ? operands.value.own : operands.value.next
        let once: UInt64 = isMiddle ? ~0 : 0
        // For a division.
        let parts = isRough ? zip(both[range], operands.dither[range]).map { $0 &- $1 } : Array(both[range])
        var words: [UInt64] = []
        words.reserveCapacity(results * count)
        switch self {
        case .truncation(let bits, let isExact):
            let shift = UInt64(bits)
            let offset = Self.offset(bits, isExact: isExact)
            let d = isExact ? Self.bits(operands, part, 0) : []
            let constant: UInt64 = (isExact ? 0 : 1) &- (UInt64(1) << (62 - shift))
            for i in 0..<count {
                let t = parts[i] &+ offset
                let top = t >> 63
                let known: UInt64 = t >> shift &- top << (64 - shift) &+ constant
                var share: UInt64 = functions[i] &+ functions[count + i] &* top
                if isExact { share &+= functions[2 * count + i] &* (1 &- 2 &* d[i]) &+ d[i] & once }
                words.append(share &+ known & once)
            }
        case .sign(let thresholds, let results):
            var place = 0
            for (tree, threshold) in thresholds.enumerated() {
                let d = Self.bits(operands, part, tree)
                let bit = place
                place += count
                for result in results {
                    switch result {
                    case .bit:
                        for i in 0..<count { words.append(functions[bit + i] &* (1 &- 2 &* d[i]) &+ d[i] & once) }
                    case .excess, .carried:
                        let isCarried = result == .carried
                        let own = isCarried ? (isMiddle ? operands.carried?.own : operands.carried?.next) ?? [] : half
                        let known = isCarried ? (isMiddle ? operands.carried?.next : operands.carried?.own) ?? [] : both
                        let offset: UInt64 = isCarried ? 0 : threshold
                        for i in 0..<count {
                            let t = known[range.lowerBound + i] &- offset
                            let turned = 1 &- 2 &* d[i]
                            let fromLead: UInt64 = turned &* (functions[place + i] &+ functions[bit + i] &* t)
                            let direct: UInt64 = own[range.lowerBound + i] &+ t & once
                            words.append(fromLead &+ d[i] &* direct)
                        }
                        place += count
                    case .truncated(let bitCount):
                        let shift = UInt64(bitCount)
                        for i in 0..<count {
                            // Where the bit is 1, x is not negative: it is rounded up, and by the carry that is left out, down.
                            let t = parts[i] &- threshold &+ (UInt64(1) << shift &- 1)
                            let top = t >> 63
                            let known: UInt64 = t >> shift &- top << (64 - shift)
                            let divided: UInt64 = functions[place + i] &+ functions[place + 2 * count + i] &* top
                            let whole: UInt64 = functions[place + count + i] &+ functions[place + 3 * count + i] &* top
                            let fromLead: UInt64 = (1 &- 2 &* d[i]) &* (divided &+ functions[bit + i] &* known)
                            words.append(fromLead &+ d[i] &* (whole &+ known & once))
                        }
                        place += 4 * count
                    }
                }
            }
        }
        return words
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
