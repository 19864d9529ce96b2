extension ExpressionNode {
    /// Computes the chunk's results from the inputs'.
    func evaluate(_ chunk: RowChunk, _ pool: TextPool, _ meter: WorkMeter) {
        let count = chunk.count
        switch operation {
        case .constant: break
        case .column(let stored, let isRight, let firstText):
            load(stored, isRight: isRight, firstText: firstText, chunk)
        case .integerArithmetic(let operation): evaluateInteger(operation, count)
        case .realArithmetic(let operation): evaluateReal(operation, count)
        case .integerFunction(let function): evaluateInteger(function, count)
        case .realFunction(let function): evaluateReal(function, count)
        case .round(let digits): evaluateRound(digits, count)
        case .integerBin(let width, let origin): evaluateBin(width, origin, count)
        case .realBin(let width, let origin): evaluateBin(width, origin, count)
        case .integerClamp(let lower, let upper): evaluateClamp(lower, upper, count)
        case .realClamp(let lower, let upper): evaluateClamp(lower, upper, count)
        case .comparison(let comparison): evaluate(comparison, count: count, pool, meter)
        case .and: evaluateAnd(count)
        case .or: evaluateOr(count)
        case .not: evaluateNot(count)
        case .isNull: evaluateIsNull(count)
        case .isIn(let values): evaluateMembership(values, count)
        case .textIsIn(let texts):
            remember(count, pool, meter, counting: .byte) { texts.code(of: $0) == nil ? 0 : 1 }
        case .like(let pattern):
            remember(count, pool, meter, counting: .byte, and: (.pattern, Double(pattern.steps))) {
                pattern.matches($0) ? 1 : 0
            }
        case .conditional: evaluateConditional(count)
        case .coalesce: evaluateCoalesce(count)
        case .extremum(let function): evaluate(function, count: count, pool, meter)
        case .cast: evaluateCast(count, pool, meter)
        case .datePart(let part): evaluate(part, count)
        case .dateTruncate(let part): evaluateTruncate(part, count)
        case .textFunction(let function): compute(function, count: count, pool, meter)
        case .concatenation: evaluateConcatenation(count, pool, meter)
        case .textLength:
            remember(count, pool, meter, counting: .byte) { text in
                text.reduce(0) { $0 + ($1 & 0xc0 == 0x80 ? 0 : 1) }
            }
        case .lookupRow(let table, _): evaluateLookup(table, count: count, pool, meter)
        case .lookupCopy(let table, let every, _): evaluateCopy(table, every: every, chunk)
        case .lookupValue(let values, _): evaluateLookup(values, count)
        case .lookupMatches: mapWords(count) { $0 == ColumnEncoding.null ? 0 : 1 }
        }
    }

    private func load(_ stored: StoredColumn?, isRight: Bool, firstText: Int64, _ chunk: RowChunk) {
        guard let stored else { return }
        let count = chunk.count
        if let indices = isRight ? chunk.right : chunk.left {
            if type == .real {
                stored.loadReals(at: indices, count: count, into: reals)
            } else {
                stored.loadIntegers(at: indices, count: count, into: words)
            }
        } else if type == .real {
            stored.loadReals(from: chunk.start, count: count, into: reals)
        } else {
            stored.loadIntegers(from: chunk.start, count: count, into: words)
        }
        guard type == .text, firstText != 0 else { return }
        for i in 0..<count where words[i] != ColumnEncoding.null { words[i] &+= firstText }
    }

    // MARK: Ways to go through a chunk

    /// Each result from the first input's word, nulls included.
    @inline(__always)
    func mapWords(_ count: Int, _ body: (Int64) -> Int64) {
        let source = inputs[0].words
        let target = words
        for i in 0..<count { target[i] = body(source[i]) }
    }

    /// Each real result from the first input's real; what is not finite becomes null.
    @inline(__always)
    func mapReals(_ count: Int, _ body: (Double) -> Double) {
        let source = inputs[0].reals
        let target = reals
        for i in 0..<count { target[i] = finiteOrNull(body(source[i])) }
    }

    /// Computes each result from the bytes of a text; for texts that were met last it is looked up. Counts the bytes
    /// that were read, and for each byte the units of `other`.
    @inline(__always)
    func remember(
        _ count: Int, _ pool: TextPool, _ meter: WorkMeter, counting kind: WorkKind,
        and other: (WorkKind, Double)? = nil,
        body: (UnsafeRawBufferPointer) -> Int64
    ) {
        let source = inputs[0].words
        let (target, isReal) = (words, type == .real)
        var (bytes, misses) = (0, 0)
        for i in 0..<count {
            let number = source[i]
            let result: Int64
            if number == ColumnEncoding.null {
                result = isReal ? nullReal : number
            } else if let known = cache?[number] {
                result = known
            } else {
                result = pool.withBytes(number) { text in
                    bytes += text.count
                    return body(text)
                }
                cache?.store(result, of: number)
                misses += 1
            }
            if isReal { reals[i] = Double(bitPattern: UInt64(bitPattern: result)) } else { target[i] = result }
        }
        meter.add(kind, Double(bytes))
        countReads(misses, meter)
        if let (other, units) = other { meter.add(other, Double(bytes) * units) }
    }

    /// A function of each text; for texts that were met before in this chunk the result is looked up.
    private func compute(_ function: TextFunction, count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        let source = inputs[0].words
        var (bytes, misses) = (0, 0)
        for i in 0..<count {
            let number = source[i]
            guard number != ColumnEncoding.null else {
                words[i] = number
                continue
            }
            if let known = cache?[number], pool.isKept(known) {
                words[i] = known
            } else {
                words[i] = pool.compute(function, of: number, bytes: &bytes)
                cache?.store(words[i], of: number)
                misses += 1
            }
        }
        meter.add(function.byteKind, Double(bytes))
        countReads(misses, meter)
    }

    private func evaluateConcatenation(_ count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        var (bytes, normalized) = (0, 0)
        var parts = [Int64](repeating: ColumnEncoding.null, count: inputs.count)
        for i in 0..<count {
            for place in inputs.indices { parts[place] = inputs[place].words[i] }
            words[i] =
                parts.contains(ColumnEncoding.null)
                ? ColumnEncoding.null : pool.compute(joining: parts, bytes: &bytes, normalized: &normalized)
        }
        meter.add(.byte, Double(bytes))
        meter.add(.caseByte, Double(normalized))
    }

    /// Counts accesses to the memory of texts that were not in the cache. While there were few of them, a processor's
    /// cache holds them.
    private func countReads(_ misses: Int, _ meter: WorkMeter) {
        textsRead += misses
        if textsRead > cachedEntries { meter.add(.miss, 2 * Double(misses)) }
    }

    // MARK: Choices

    private func evaluateConditional(_ count: Int) {
        let otherwise = inputs[inputs.count - 1]
        copy(otherwise, count)
        var place = inputs.count - 3
        while place >= 0 {
            let condition = inputs[place].words
            if type == .real {
                let value = inputs[place + 1].reals
                for i in 0..<count where condition[i] == 1 { reals[i] = value[i] }
            } else {
                let value = inputs[place + 1].words
                for i in 0..<count where condition[i] == 1 { words[i] = value[i] }
            }
            place -= 2
        }
    }

    private func evaluateCoalesce(_ count: Int) {
        guard let first = inputs.first else { return }
        copy(first, count)
        for input in inputs.dropFirst() {
            if type == .real {
                for i in 0..<count where reals[i].isNaN { reals[i] = input.reals[i] }
            } else {
                for i in 0..<count where words[i] == ColumnEncoding.null { words[i] = input.words[i] }
            }
        }
    }

    private func evaluate(_ function: ExtremumFunction, count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        guard let first = inputs.first else { return }
        copy(first, count)
        let least = function == .least
        var bytes = 0
        for input in inputs.dropFirst() {
            for i in 0..<count {
                if type == .real {
                    let (mine, other) = (reals[i], input.reals[i])
                    if mine.isNaN || (least ? other < mine : other > mine) { reals[i] = other }
                } else {
                    let (mine, other) = (words[i], input.words[i])
                    guard other != ColumnEncoding.null else { continue }
                    guard mine != ColumnEncoding.null else {
                        words[i] = other
                        continue
                    }
                    let order =
                        type == .text
                        ? pool.compare(other, mine, bytes: &bytes) : (other < mine ? -1 : other > mine ? 1 : 0)
                    if least ? order < 0 : order > 0 { words[i] = other }
                }
            }
        }
        meter.add(.byte, Double(bytes))
    }

    private func copy(_ input: ExpressionNode, _ count: Int) {
        if type == .real {
            reals.update(from: input.reals, count: count)
        } else {
            words.update(from: input.words, count: count)
        }
    }

    // MARK: Lookups

    private func evaluateLookup(_ table: LookupTable, count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        let key = inputs[0]
        func row(_ found: Int32?) -> Int64 { found.map(Int64.init) ?? ColumnEncoding.null }
        switch key.type {
        case .text:
            remember(count, pool, meter, counting: .byte) { row(table.row(text: String(decoding: $0, as: UTF8.self))) }
        case .real:
            for i in 0..<count {
                let value = key.reals[i]
                words[i] =
                    value.isNaN
                    ? ColumnEncoding.null : row(table.row(word: Int64(bitPattern: (value + 0.0).bitPattern)))
            }
        default:
            for i in 0..<count {
                let word = key.words[i]
                words[i] = word == ColumnEncoding.null ? word : row(table.row(word: word))
            }
        }
    }

    private func evaluateCopy(_ table: LookupTable, every: Int, _ chunk: RowChunk) {
        let keys = inputs[0].words
        for i in 0..<chunk.count {
            let copy = Int(chunk.copies?[i] ?? 0) / every % table.rowsPerKey
            let row = keys[i] == ColumnEncoding.null ? nil : table.row(copy, ofKey: Int(keys[i]))
            words[i] = row.map(Int64.init) ?? ColumnEncoding.null
        }
    }

    private func evaluateLookup(_ values: [Int64], _ count: Int) {
        let rows = inputs[0].words
        for i in 0..<count {
            let row = rows[i]
            if type == .real {
                reals[i] = row == ColumnEncoding.null ? .nan : Double(bitPattern: UInt64(bitPattern: values[Int(row)]))
            } else {
                words[i] = row == ColumnEncoding.null ? row : values[Int(row)]
            }
        }
    }
}

/// NaN for what is not finite; zero without a sign, since a negative zero would be another key and another text.
@inline(__always)
func finiteOrNull(_ value: Double) -> Double {
    value.isFinite ? value + 0.0 : .nan
}
