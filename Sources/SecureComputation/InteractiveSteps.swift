internal import ModularArithmetic

extension TwoPartyMachine {
    func stream(_ place: Int) -> StepStream { StepStream(key: key, place: place) }

    private func share(_ value: Value) -> [UInt64] { shares[value.place] ?? [UInt64](repeating: 0, count: value.count) }

    /// A party's shares of what the dealer shared: they follow from the seed, or stand in the correlation.
    func dealt(_ place: Int) -> [UInt64] {
        party == program.correctedParty(place)
            ? correlations[place]?.shares ?? [] : stream(place).words(program.shareWords(place), .shares)
    }

    /// Adds to every word of the first party's share.
    private func adding(_ number: UInt64, to words: [UInt64]) -> [UInt64] {
        party == .first ? words.map { $0 &+ number } : words
    }

    /// This party's share of what a step opens: each word under a mask of which the other party knows nothing, or, in the last case, of an output.
    func openedWords(_ place: Int) -> [UInt64] {
        let stream = stream(place)
        switch program.operation(place) {
        case .product(_, let left, let right):
            func opened(_ value: Value, _ purpose: StepStream.Purpose) -> [UInt64] {
                guard program.maskedOperand(value) == nil else { return [] }
                return Self.difference(share(value), stream.words(value.count, purpose))
            }
            return opened(left, .mask) + opened(right, .otherMask)
        case .masked(let value): return Self.difference(share(value), stream.words(value.count, .mask))
        case .weighted(let map, let left, let weights):
            guard party != weights.owner else { return [] }
            return Self.difference(share(left), stream.words(map.leftCount, .mask))
        case .truncation(let value, let bits, let isExact):
            let offset = Self.truncationOffset(bits, isExact)
            return adding(offset, to: Self.sum(share(value), stream.words(value.count, .mask)))
        case .sign(let sign):
            var words = Self.sum(share(sign.value), stream.words(sign.value.count, .mask))
            if let carried = sign.carried { words += Self.sum(share(carried), stream.words(carried.count, .otherMask)) }
            return words
        case .compactSign(let value, _): return Self.sum(share(value), stream.words(value.count, .mask))
        case .compactProduct(let product):
            let bits = PackedBits.packed(Array(share(product.sign)[product.count...]))
            return zip(bits, stream.words(bits.count, .mask)).map { $0 ^ $1 }
        case .reveal(let value, let to): return party == to ? [] : share(value)
        default: return []
        }
    }

    /// What makes numbers of less than 62 bits non-negative, and half of a unit where the truncation is exact.
    static func truncationOffset(_ bits: Int, _ isExact: Bool) -> UInt64 {
        1 << 62 + (isExact ? 1 << UInt64(bits - 1) : 0)
    }

    /// This party's share of a step's result, from what both opened.
    func finished(_ place: Int, own: ArraySlice<UInt64>, received: ArraySlice<UInt64>) -> [UInt64] {
        switch program.operation(place) {
        case .product(let map, let left, let right):
            return product(place, map, of: (left, right), opened: Self.sum(own, received))
        case .masked(let value): return share(value)
        case .weighted(let map, let left, let weights):
            return weighted(place, map, left, weights: weights, received: received)
        case .truncation(_, let bits, _): return truncation(place, bits, opened: Self.sum(own, received))
        case .sign(let sign): return self.sign(place, sign, opened: Self.sum(own, received))
        case .compactSign(_, let thresholds):
            return compactSign(place, opened: Self.sum(own, received), thresholds: thresholds)
        case .compactProduct(let product):
            return product.finished(
                isFirst: party == .first, opened: share(product.sign)[..<product.count],
                bits: zip(own, received).map { $0 ^ $1 },
                dealt: dealt(place),
                mask: product.results.contains(.excess)
                    ? self.stream(product.sign.place).words(product.count, .mask) : [])
        case .reveal(let value, let to): return party == to ? Self.sum(share(value), received) : []
        default: return []
        }
    }

    /// A product of secret values by a triple A, B, A B (Beaver 1991): with E = X - A and F = Y - B, X Y = X F + E B + A B. Openings are as large as the operands, whatever the product costs.
    ///
    /// Both openings are uniform to either party: each holds one of two shares of A and B.
    ///
    /// **Operands that are masked once** (``ProgramBuilder/maskedOnce(_:)``) keep A, and E is what was opened then. With the same A, A B_1, A B_2, ... are dealt for fresh B_1, B_2, ..., each
    /// under a fresh sharing: E is uniform and sent once, each F is uniform by its own B, and a share of A B is uniform by itself, so that the view is simulated as before. What must not be is another X
    /// under that A: E - E' would be X - X'. So A belongs to the step that masks, and not to a value.
    private func product(
        _ place: Int, _ map: BilinearMap, of operands: (left: Value, right: Value), opened: [UInt64]
    ) -> [UInt64] {
        var rest = opened[...]
        /// What was opened of an operand.
        func open(_ value: Value) -> [UInt64] {
            if let operand = program.maskedOperand(value) { return operand.gathered(openedOnce[operand.step] ?? []) }
            defer { rest = rest.dropFirst(value.count) }
            return Array(rest.prefix(value.count))
        }
        var result = dealt(place)
        let (left, right) = operands
        let (e, f) = (open(left), open(right))
        map.add(share(left), f, to: &result, threads: threads)
        map.add(e, mask(of: right, place), to: &result, threads: threads)
        return result
    }

    /// This party's share of a right operand's mask.
    private func mask(of right: Value, _ place: Int) -> [UInt64] {
        guard let operand = program.maskedOperand(right) else { return stream(place).words(right.count, .otherMask) }
        return operand.gathered(stream(operand.step).words(operand.count, .mask))
    }

    /// A product with weights W of one party, which alone knows B; the other party alone knows A. With E = X_o - A, X_o being the other party's share, and F = W - B, which it was
    /// sent once, A F + C_o and (X_w + E) W + C_w sum to X W, where C_o + C_w = A B. The owner sends nothing.
    ///
    /// E is uniform to the owner, which knows nothing of A, and F to the other party. A and C are fresh in each run; B is for as long as the weights are the same (``WeightMask``).
    private func weighted(
        _ place: Int, _ map: BilinearMap, _ left: Value, weights: Weights, received: ArraySlice<UInt64>
    ) -> [UInt64] {
        var result = dealt(place)
        let number = program.weights.filter { $0.owner == weights.owner }.prefix { $0.place != weights.place }.count
        if party == weights.owner {
            map.add(Self.sum(share(left), received), inputs.weights[number].words, to: &result, threads: threads)
        } else {
            let masked = inputs.maskedWeights?.words[number] ?? []
            map.add(stream(place).words(map.leftCount, .mask), masked, to: &result, threads: threads)
        }
        return result
    }

    /// Division of x, non-negative below 2^63, by 2^m: with c = x + r opened and t = r / 2^m rounded down, x / 2^m rounded down is c / 2^m - t + 2^(64 - m) v - u, where v says that the sum
    /// wrapped and u that r's low bits are above c's. v is r's highest bit where c's is 0, and 0 elsewhere, since x is below 2^63: linear in shares (Escudero, Ghosh, Keller, Rachuri and
    /// Scholl 2020, section 4). u is left out, which rounds up with the fraction as probability, or is a comparison of m bits on what is opened anyhow: then the result is exact.
    ///
    /// c is uniform to both. Without u, c's low bits are known to both and decide how the result is rounded: the ideal function draws them, tells them, and rounds by them.
    private func truncation(_ place: Int, _ bits: Int, opened: [UInt64]) -> [UInt64] {
        let count = opened.count
        let shift = UInt64(bits)
        let dealt = dealt(place)
        let below = comparison(place, inputs: opened)
        let constant = party == .first ? 0 &- (UInt64(1) << (62 - shift)) : 0
        return [UInt64](unsafeUninitializedCapacity: count) { result, initialized in
            for i in 0..<count {
                let c = opened[i]
                let own = party == .first ? c >> shift : 0
                let wrapped = (c >> 63 ^ 1) &* dealt[count + i]
                let sum = own &- dealt[i] &+ wrapped << (64 - shift) &+ constant
                result[i] = below.isEmpty ? sum : sum &- below[i]
            }
            initialized = count
        }
    }

    /// Shares of a step's comparison functions at public numbers; none where it has none.
    private func comparison(_ place: Int, inputs: [UInt64]) -> [UInt64] {
        guard let functions = program.comparisons(place), let corrections = correlations[place]?.corrections
        else { return [] }
        let padding = [UInt64](repeating: 0, count: functions.paddedCount - inputs.count)
        return functions.evaluate(
            fixed: session.fixedKey(step: place), party: party.rawValue,
            seeds: stream(place).words(functions.seedCount, .seeds),
            corrections: corrections,
            inputs: inputs + padding)
    }

    /// What follows from d(t) = (x >= t), x and x - t below 2^62 in magnitude. With c = x - t + r, which follows from what is opened, s the highest bit of r, and w = (c < r) on the 63
    /// low bits: x - t is negative where the highest bits of c and r differ by w's complement, so d = g + (1 - 2 g) w with g = 1 - s where c's highest bit is 0 and g = s elsewhere; 1 - 2 g is then 2 s - 1
    /// or its negative. The comparison functions give (2 s - 1) w times each item of the layout, and the dealer shared g times it, so that shares of d times the item are linear in them. The item r
    /// gives d (x - t) = c d - d r: ReLU in one round (Boyle et al. 2021, sections 4 and 5: interval containment and splines on masked wires). One key serves all numbers t.
    ///
    /// c is uniform to both, and so is the other opening; keys are pseudorandom to either party (``ComparisonFunctions``).
    private func sign(_ place: Int, _ sign: SignOperation, opened: [UInt64]) -> [UInt64] {
        let count = sign.value.count
        let evaluation = SignEvaluation(
            operation: sign, isFirst: party == .first, opened: opened, dealt: dealt(place),
            masks: sign.results.contains(.excess) ? stream(place).words(count, .mask) : [],
            otherMasks: sign.carried == nil ? [] : stream(place).words(count, .otherMask))
        var result: [UInt64] = []
        result.reserveCapacity(sign.thresholds.count * sign.results.count * count)
        for threshold in sign.thresholds {
            let inputs = threshold == 0 ? Array(opened[..<count]) : opened[..<count].map { $0 &- threshold }
            let values = comparison(place, inputs: inputs)
            let bits = evaluation.bits(inputs, values)
            for kind in sign.results { result += evaluation.result(kind, inputs: inputs, values: values, bits: bits) }
        }
        return result
    }

    static func sum(_ a: some RandomAccessCollection<UInt64>, _ b: some RandomAccessCollection<UInt64>) -> [UInt64] {
        combined(a, b) { $0 &+ $1 }
    }

    static func difference(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] { combined(a, b) { $0 &- $1 } }

    private static func combined(
        _ a: some RandomAccessCollection<UInt64>, _ b: some RandomAccessCollection<UInt64>,
        _ operation: (UInt64, UInt64) -> UInt64
    ) -> [UInt64] {
        precondition(a.count == b.count, "Shares of one value are of one size.")
        return [UInt64](unsafeUninitializedCapacity: a.count) { result, initialized in
            a.withContiguousStorageIfAvailable { a in
                b.withContiguousStorageIfAvailable { b in
                    for i in 0..<a.count { result[i] = operation(a[i], b[i]) }
                    initialized = a.count
                }
            }
        }
    }
}

/// A party's shares of what a sign gives, element by element.
private struct SignEvaluation {
    let operation: SignOperation
    let isFirst: Bool
    let opened: [UInt64]
    let dealt: [UInt64]
    let masks: [UInt64]
    let otherMasks: [UInt64]

    private var count: Int { operation.value.count }
    private var padded: Int {
        (count + ComparisonFunctions.lanes - 1) / ComparisonFunctions.lanes * ComparisonFunctions.lanes
    }

    /// Where a constant of the dealer begins.
    private func place(_ constant: SignOperation.Constant) -> Int {
        (operation.constants.firstIndex(of: constant) ?? 0) * count
    }

    /// Where the comparison functions' word for an item begins.
    private func place(_ item: SignOperation.Item) -> Int { (operation.layout.firstIndex(of: item) ?? 0) * padded }

    private func made(_ element: (Int) -> UInt64) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { result, initialized in
            for i in 0..<count { result[i] = element(i) }
            initialized = count
        }
    }

    /// d: g + (1 - 2 g) w.
    func bits(_ inputs: [UInt64], _ values: [UInt64]) -> [UInt64] {
        let one: UInt64 = isFirst ? 1 : 0
        let g = place(.notSign)
        return made { i in
            let isHigh = inputs[i] >> 63 == 1
            return isHigh ? one &- dealt[g + i] &- values[i] : dealt[g + i] &+ values[i]
        }
    }

    /// d times an item: of `whole`, the party's share of the item, and of the item times 1 - s.
    private func product(
        _ inputs: [UInt64], _ values: [UInt64], item: SignOperation.Item, constant: SignOperation.Constant,
        whole: ArraySlice<UInt64>
    ) -> [UInt64] {
        let w = place(item)
        let g = place(constant)
        let start = whole.startIndex
        return made { i in
            let isHigh = inputs[i] >> 63 == 1
            return isHigh ? whole[start + i] &- dealt[g + i] &- values[w + i] : dealt[g + i] &+ values[w + i]
        }
    }

    func result(
        _ kind: SignOperation.Result, inputs: [UInt64], values: [UInt64], bits: [UInt64]
    ) -> [UInt64] {
        switch kind {
        case .bit: return bits
        case .excess:
            let product = product(inputs, values, item: .mask, constant: .maskUnlessSign, whole: masks[...])
            return made { i in inputs[i] &* bits[i] &- product[i] }
        case .truncated(let truncated):
            let t = place(SignOperation.Constant.truncatedMask)
            let shift = UInt64(truncated)
            let s = place(.signOfMask)
            let product = product(
                inputs, values, item: .truncatedMask, constant: .truncatedMaskUnlessSign, whole: dealt[t..<t + count])
            // Where c's highest bit is 0 and r's is 1, their sum wrapped.
            return made { i in
                let wrapped = (inputs[i] >> 63 ^ 1) &* values[s + i]
                return (inputs[i] >> shift) &* bits[i] &- product[i] &+ wrapped << (64 - shift)
            }
        case .carried:
            let product = product(
                inputs, values, item: .carriedMask, constant: .carriedMaskUnlessSign, whole: otherMasks[...])
            return made { i in opened[count + i] &* bits[i] &- product[i] }
        }
    }
}
