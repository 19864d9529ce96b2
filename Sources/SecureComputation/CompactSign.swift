internal import ModularArithmetic

/// Signs in two rounds, with keys of less than half the bytes: first the sign alone, as a bit shared by exclusive or, then its products with what follows from the first opening.
///
/// **First round.** c = x + r is opened; with s the highest bit of r and w = (c < r) on the 63 low bits, d = (x >= 0) is the exclusive or of 1 - s, c's highest bit and w, of which the dealer shared
/// the first, and the comparison function the last (``BitComparisonFunctions``). For numbers t, c - t takes c's place: one opening and one key serve all of them.
///
/// **Second round.** d + m is opened (exclusive or; one bit an element), m being a bit of the dealer's. With e the opened bit, d is m where e = 0 and 1 - m elsewhere, so that d times r, of which the
/// dealer shared m and m r, is linear in shares, and ReLU is c d - d r; the truncated mask and r's highest bit alike.
///
/// **Privacy.** c and e are uniform to both parties: r and m are shared, and serve once. **Threat model** as ``TwoPartyMachine``'s.
struct CompactProduct: Sendable, Hashable {
    /// The first round's step.
    let sign: Value
    /// The numbers t, as words.
    let thresholds: [UInt64]
    /// What is wanted, number by number: not ``SignOperation/Result/carried``.
    let results: [SignOperation.Result]
    /// How many elements.
    let count: Int

    /// How many signs: each has a bit of the dealer's of its own.
    var bitCount: Int { thresholds.count * count }

    /// What the dealer shares, a number of each element. Products are with m.
    enum Constant: Sendable, Hashable {
        case bit, maskProduct, truncatedMask, truncatedMaskProduct, signOfMask, signProduct
    }

    var constants: [Constant] {
        var constants: [Constant] = [.bit]
        if results.contains(.excess) { constants.append(.maskProduct) }
        if truncatedBits != nil { constants += [.truncatedMask, .truncatedMaskProduct, .signOfMask, .signProduct] }
        return constants
    }

    var truncatedBits: Int? {
        for case .truncated(let bits) in results { return bits }
        return nil
    }

    /// What the dealer shares, from the first round's mask and this round's bit.
    func shared(mask: [UInt64], bits: [UInt64]) -> [UInt64] {
        let shift = UInt64(truncatedBits ?? 0)
        let mask = thresholds.flatMap { _ in mask }
        func elements(_ element: (Int) -> UInt64) -> [UInt64] { (0..<bitCount).map(element) }
        return constants.flatMap { constant in
            switch constant {
            case .bit: bits
            case .maskProduct: elements { mask[$0] &* bits[$0] }
            case .truncatedMask: elements { mask[$0] >> shift }
            case .truncatedMaskProduct: elements { (mask[$0] >> shift) &* bits[$0] }
            case .signOfMask: elements { mask[$0] >> 63 }
            case .signProduct: elements { (mask[$0] >> 63) &* bits[$0] }
            }
        }
    }

    /// A party's shares of the results.
    ///
    /// - Parameters:
    ///   - isFirst: Whether it is the first party.
    ///   - opened: The first round's c.
    ///   - bits: The second round's e, packed.
    ///   - dealt: Its shares of ``constants``.
    ///   - mask: Its share of r.
    func finished(
        isFirst: Bool, opened: ArraySlice<UInt64>, bits: [UInt64], dealt: [UInt64], mask: [UInt64]
    ) -> [UInt64] {
        let one: UInt64 = isFirst ? 1 : 0
        func place(_ constant: Constant) -> Int { (constants.firstIndex(of: constant) ?? 0) * bitCount }
        return thresholds.enumerated().flatMap { (number, threshold) -> [UInt64] in
            let first = number * count
            let opened = opened.map { $0 &- threshold }
            // d times an item.
            func product(_ product: Int, _ item: @escaping (Int) -> UInt64) -> (Int) -> UInt64 {
                { i in
                    let own = dealt[product + first + i]
                    return PackedBits.bit(bits, first + i) == 1 ? item(i) &- own : own
                }
            }
            let d = product(0) { _ in one }
            return results.flatMap { result -> [UInt64] in
                switch result {
                case .bit: return (0..<count).map(d)
                case .excess:
                    let masked = product(place(.maskProduct)) { mask[$0] }
                    return (0..<count).map { opened[$0] &* d($0) &- masked($0) }
                case .truncated(let truncated):
                    let shift = UInt64(truncated)
                    let t = place(.truncatedMask) + first
                    let s = place(.signOfMask) + first
                    let masked = product(place(.truncatedMaskProduct)) { dealt[t + $0] }
                    let wrapped = product(place(.signProduct)) { dealt[s + $0] }
                    return (0..<count).map { i in
                        let wrap = (opened[i] >> 63 ^ 1) &* wrapped(i)
                        return (opened[i] >> shift) &* d(i) &- masked(i) &+ wrap << (64 - shift)
                    }
                case .carried: preconditionFailure("Two rounds carry nothing.")
                }
            }
        }
    }
}

extension TwoPartyMachine {
    /// The opened words, and behind them this party's share of the bits, number by number.
    func compactSign(_ place: Int, opened: [UInt64], thresholds: [UInt64]) -> [UInt64] {
        guard let functions = program.bitComparisons(place), let corrections = correlations[place]?.corrections
        else { return [] }
        let padding = [UInt64](repeating: 0, count: functions.paddedCount - opened.count)
        let (fixed, seeds) = (session.fixedKey(step: place), stream(place).words(functions.seedCount, .seeds))
        let notSign = dealt(place)
        var result = opened
        for threshold in thresholds {
            let inputs = opened.map { $0 &- threshold }
            let below = functions.evaluate(
                fixed: fixed, party: party.rawValue, seeds: seeds, corrections: corrections, inputs: inputs + padding)
            result += inputs.indices.map { i in
                let own = party == .first ? inputs[i] >> 63 : 0
                return below[i] ^ PackedBits.bit(notSign, i) ^ own
            }
        }
        return result
    }
}
