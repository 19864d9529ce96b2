/// Casts and parts of dates.
extension ExpressionNode {
    func evaluateCast(_ count: Int, _ pool: TextPool, _ meter: WorkMeter) {
        let source = inputs[0]
        switch (source.type, type) {
        case (.real, .text):
            for i in 0..<count {
                words[i] = source.reals[i].isNaN ? ColumnEncoding.null : pool.compute("\(source.reals[i])")
            }
        case (.real, .boolean):
            for i in 0..<count { words[i] = source.reals[i].isNaN ? ColumnEncoding.null : source.reals[i] != 0 ? 1 : 0 }
        case (.real, _):
            for i in 0..<count { words[i] = Self.integer(source.reals[i]) }
        case (.text, .real):
            remember(count, pool, meter, counting: .parsedByte) { text in
                parseReal(text).map { Int64(bitPattern: finiteOrNull($0).bitPattern) } ?? nullReal
            }
        case (.text, _):
            let type = type
            remember(count, pool, meter, counting: .parsedByte) { parseWord($0, type) ?? ColumnEncoding.null }
        case (_, .real):
            for i in 0..<count {
                reals[i] = source.words[i] == ColumnEncoding.null ? .nan : Double(source.words[i])
            }
        case (_, .text):
            for i in 0..<count {
                let text = source.words[i] == ColumnEncoding.null ? nil : Self.text(source.words[i], source.type)
                words[i] = text.map(pool.compute) ?? ColumnEncoding.null
            }
        case (_, .boolean): mapWords(count) { $0 == ColumnEncoding.null ? $0 : $0 != 0 ? 1 : 0 }
        case (.date, .timestamp):
            mapWords(count) { CivilDate.days.contains($0) ? $0 * secondsPerDay : ColumnEncoding.null }
        case (.integer, .date): mapWords(count) { CivilDate.days.contains($0) ? $0 : ColumnEncoding.null }
        case (.timestamp, .date):
            mapWords(count) { $0 == ColumnEncoding.null ? $0 : floorDivide($0, secondsPerDay) }
        default: mapWords(count) { $0 }
        }
    }

    /// Null where it does not fit.
    private static func integer(_ value: Double) -> Int64 {
        guard value > -0x1p63, value < 0x1p63 else { return ColumnEncoding.null }
        return Int64(ScalarFunctions.whole(value))
    }

    private static func text(_ word: Int64, _ type: ValueType) -> String? {
        switch type {
        case .boolean: word == 0 ? "false" : "true"
        case .date: CivilDate(daysSince1970: word)?.text
        case .timestamp: timestampText(word)
        default: String(word)
        }
    }

    func evaluate(_ part: DatePart, _ count: Int) {
        let type = inputs[0].type
        mapWords(count) { $0 == ColumnEncoding.null ? $0 : part.value(of: $0, type) ?? ColumnEncoding.null }
    }

    func evaluateTruncate(_ part: DatePart, _ count: Int) {
        let type = inputs[0].type
        mapWords(count) { $0 == ColumnEncoding.null ? $0 : part.start(of: $0, type) ?? ColumnEncoding.null }
    }
}
