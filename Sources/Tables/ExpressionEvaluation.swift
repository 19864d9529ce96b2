extension ExpressionNode {
    /// Computes the chunk's results from the inputs'.
    func evaluate(_ chunk: RowChunk, _ pool: TextPool) {
        let count = chunk.count
        switch operation {
        case .constant: break
        case .column(let stored, let isRight, let firstText): load(stored, isRight, firstText, chunk)
        case .integerArithmetic(let operation): evaluateInteger(operation, count)
        case .realArithmetic(let operation): evaluateReal(operation, count)
        case .integerFunction(let function): evaluateInteger(function, count)
        case .realFunction(let function): evaluateReal(function, count)
        case .round(let digits): evaluateRound(digits, count)
        case .integerBin(let width, let origin): evaluateBin(width, origin, count)
        case .realBin(let width, let origin): evaluateBin(width, origin, count)
        case .integerClamp(let lower, let upper): evaluateClamp(lower, upper, count)
        case .realClamp(let lower, let upper): evaluateClamp(lower, upper, count)
        case .comparison(let comparison): evaluate(comparison, count, pool)
        case .and: evaluateAnd(count)
        case .or: evaluateOr(count)
        case .not: evaluateNot(count)
        case .isNull: evaluateIsNull(count)
        case .isIn(let values): evaluateMembership(values, count)
        case .textIsIn(let texts): remember(count) { texts.contains(pool.text($0)) ? 1 : 0 }
        case .like(let pattern): remember(count) { number in pool.withBytes(number) { pattern.matches($0) ? 1 : 0 } }
        case .conditional: evaluateConditional(count)
        case .coalesce: evaluateCoalesce(count)
        case .extremum(let function): evaluate(function, count, pool)
        case .cast: evaluateCast(count, pool)
        case .datePart(let part): evaluate(part, count)
        case .dateTruncate(let part): evaluateTruncate(part, count)
        case .textFunction(let function): remember(count) { pool.intern(function.apply(pool.text($0))) }
        case .textLength: remember(count) { Int64(pool.text($0).unicodeScalars.count) }
        case .lookupRow(let table): evaluateLookup(table, count, pool)
        case .lookupValue(let values): evaluateLookup(values, count)
        case .lookupMatches: mapWords(count) { $0 == ColumnEncoding.null ? 0 : 1 }
        }
    }

    private func load(_ stored: StoredColumn, _ isRight: Bool, _ firstText: Int64, _ chunk: RowChunk) {
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

    /// Each result from the number of a text, computed once for each text.
    @inline(__always)
    func remember(_ count: Int, _ body: (Int64) -> Int64) {
        let source = inputs[0].words
        for i in 0..<count {
            let number = source[i]
            guard number != ColumnEncoding.null else {
                words[i] = ColumnEncoding.null
                continue
            }
            words[i] = remembered(number, body)
        }
    }

    @inline(__always)
    func remembered(_ number: Int64, _ body: (Int64) -> Int64) -> Int64 {
        let place = Int(number)
        if place >= memo.count {
            memo.append(
                contentsOf: repeatElement(Self.unknown, count: Swift.max(place + 1, memo.count * 2) - memo.count))
        }
        if memo[place] == Self.unknown { memo[place] = body(number) }
        return memo[place]
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

    private func evaluate(_ function: ExtremumFunction, _ count: Int, _ pool: TextPool) {
        guard let first = inputs.first else { return }
        copy(first, count)
        let least = function == .least
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
                    let order = type == .text ? pool.compare(other, mine) : (other < mine ? -1 : other > mine ? 1 : 0)
                    if least ? order < 0 : order > 0 { words[i] = other }
                }
            }
        }
    }

    private func copy(_ input: ExpressionNode, _ count: Int) {
        if type == .real {
            reals.update(from: input.reals, count: count)
        } else {
            words.update(from: input.words, count: count)
        }
    }

    // MARK: Lookups

    private func evaluateLookup(_ table: LookupTable, _ count: Int, _ pool: TextPool) {
        let key = inputs[0]
        func row(_ found: Int32?) -> Int64 { found.map(Int64.init) ?? ColumnEncoding.null }
        switch key.type {
        case .text: remember(count) { row(table.row(text: pool.text($0))) }
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
