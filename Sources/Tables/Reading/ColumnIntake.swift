/// Decides what becomes of one column's values as they come in: what is wrong, what is null, what the domain, the
/// declared infinity and the cap on bytes make of them (docs/privacy.md, rules 12 and 16). What resolution and bounds make of
/// them is done for many rows at once, in `bound`. One worker's own.
final class ColumnIntake {
    let schema: ColumnSchema
    /// Whether the values name units or are a lookup table's keys: never cut, rounded or clipped, since two would become
    /// one. What would have to be is wrong.
    let isKey: Bool
    /// The least and largest integer that a key may be.
    let keyRange: ClosedRange<Int64>
    private let bounds: DeclaredBounds?
    let interner: TextInterner?
    private let domain: Set<Int64>?
    private let other: Int64
    /// What stands for null: texts, and words of the column's type.
    private let missing: [[UInt8]]
    private let missingWords: Set<Int64>
    var hasMissingWords: Bool { !missingWords.isEmpty }
    /// Whether fields are numbers as programs write them.
    let readsPlainNumbers: Bool
    private var plain: [UInt8] = []
    /// What a draft asks of the values; nil where a table is read.
    private(set) var survey: ColumnSurvey?
    /// Whether any integer goes in as it is, so that a reader need not ask.
    let takesEveryInteger: Bool
    /// Whether any finite real goes in as it is.
    let takesEveryReal: Bool
    var report: IngestReport.Column

    init(schema: ColumnSchema, isKey: Bool, isSurveyed: Bool = false) {
        self.schema = schema
        survey = isSurveyed ? ColumnSurvey() : nil
        missing = schema.form.missing.map { Array($0.utf8) }
        missingWords = Set(missing.compactMap { marker in marker.withUnsafeBytes { Self.word($0, schema) } })
        readsPlainNumbers = schema.form.hasPlainNumbers && !isSurveyed
        self.isKey = isKey
        bounds = DeclaredBounds(schema)
        keyRange = bounds?.integers ?? -Int64.max...Int64.max
        report = IngestReport.Column(name: schema.name)
        interner = schema.type == .text ? TextInterner(schema: schema, cuts: !isKey) : nil
        domain = schema.type == .text ? nil : schema.domain.map { Set($0.compactMap { $0.word }) }
        other = schema.other?.word ?? (schema.type == .real ? nullReal : ColumnEncoding.null)
        let takesEvery = domain == nil && !isKey && missingWords.isEmpty
        takesEveryInteger = takesEvery && schema.type != .text && schema.type != .real
        takesEveryReal = takesEvery && schema.type == .real
    }

    /// What a value of this column must be, in words.
    var expected: String {
        let kind =
            switch schema.type {
            case .integer: "an integer"
            case .real: "a number"
            case .timestamp where schema.form.epochTicks != nil: "a time as a number since 1970"
            case .text: RowError.text
            case .boolean: "true or false"
            case .date: "a date as YYYY-MM-DD"
            case .timestamp: RowError.time
            }
        let limit = isKey ? keyLimit : ""
        if schema.isNullable { return kind + " or nothing" + limit }
        return (schema.domain != nil && schema.other == nil ? kind + " of the declared domain" : kind)
            + ", since the column is not nullable" + limit
    }

    /// What a name of a unit, or a lookup table's key, may not exceed, in words.
    private var keyLimit: String {
        let reason = "; what names a unit or a lookup's row is never cut or clipped"
        if schema.type == .text { return ", of at most \(schema.maximumBytes) bytes" + reason }
        guard let lower = schema.lowerBound, let upper = schema.upperBound else {
            return schema.type == .timestamp ? ", without a fraction of a second" + reason : ""
        }
        func text(_ bound: Double) -> String {
            switch schema.type {
            case .real: "\(bound)"
            case .date: Int64(exactly: bound).flatMap { CivilDate(daysSince1970: $0)?.text } ?? "\(bound)"
            case .timestamp: Int64(exactly: bound).flatMap(timestampText) ?? "\(bound)"
            default: Int64(exactly: bound).map { "\($0)" } ?? "\(bound)"
            }
        }
        return ", from \(text(lower)) to \(text(upper))" + reason
    }

    /// Rounds and clips the numbers of some rows as declared, and counts what was outside.
    func bound(_ words: UnsafeMutablePointer<Int64>, count: Int) {
        guard !isKey, let bounds else { return }
        report.outsideBounds += bounds.apply(to: words, count: count)
    }

    /// The word of a value as a file has it; nil where it is wrong. `isQuoted`: whether it stands in quotes, in which a text
    /// is never null, but what is no text can be nothing else.
    func accept(field bytes: UnsafeRawBufferPointer, isQuoted: Bool) -> Int64? {
        if schema.type == .text ? !isQuoted && isMissing(bytes) : trim(bytes).isEmpty || isMissing(trim(bytes)) {
            return null()
        }
        survey?.see(bytes, isNumber: schema.type == .integer || schema.type == .real)
        switch schema.type {
        case .text: return accept(text: bytes)
        case .real:
            guard readsPlainNumbers else {
                guard schema.form.plainNumber(bytes, into: &plain) else { return nil }
                return plain.withUnsafeBytes { parseReal($0) }.flatMap(accept(real:))
            }
            return parseReal(bytes).flatMap(accept(real:))
        default:
            guard let word = word(bytes) else { return nil }
            // Two times of one second would be one unit.
            if isKey, schema.type == .timestamp, Self.hasFraction(bytes) { return nil }
            if schema.type == .integer, Self.hasLeadingZero(bytes) { report.leadingZeros += 1 }
            return accept(integer: word)
        }
    }

    /// The word of a number as JSON writes it, whatever the form of fields; nil where it is wrong.
    func accept(number bytes: UnsafeRawBufferPointer) -> Int64? {
        survey?.see(bytes, isNumber: schema.type == .integer || schema.type == .real)
        switch schema.type {
        case .real: return parseReal(bytes).flatMap(accept(real:))
        case .timestamp: return seconds(bytes).flatMap(accept(integer:))
        default: return parseWord(bytes, .integer).flatMap(accept(integer:))
        }
    }

    /// The second that a number of ticks since 1970 says; a part of a tick is cut off.
    private func seconds(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        let ticks = parseWord(bytes, .integer) ?? parseReal(bytes).flatMap { Int64(exactly: $0.rounded(.down)) }
        return ticks.flatMap(schema.form.second(ofTicks:))
    }

    private func word(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        switch schema.type {
        case .timestamp where schema.form.epochTicks != nil: return seconds(bytes)
        case .integer where !schema.form.hasPlainNumbers:
            guard schema.form.plainNumber(bytes, into: &plain) else { return nil }
            return plain.withUnsafeBytes { parseWord($0, .integer) }
        default: return parseWord(bytes, schema.type)
        }
    }

    private func isMissing(_ field: UnsafeRawBufferPointer) -> Bool {
        guard let marker = missing.firstIndex(where: { $0.count == field.count && $0.elementsEqual(field) }) else {
            return false
        }
        survey?.missing.insert(marker)
        return true
    }

    /// A marker of missing values as a value of the column's type; nil where it is none, as most are.
    private static func word(_ marker: UnsafeRawBufferPointer, _ schema: ColumnSchema) -> Int64? {
        switch schema.type {
        case .text: nil
        case .real: parseReal(marker).flatMap { $0.isFinite ? Int64(bitPattern: ($0 + 0.0).bitPattern) : nil }
        case .timestamp where schema.form.epochTicks != nil:
            parseWord(marker, .integer).flatMap(schema.form.second(ofTicks:))
        default: parseWord(marker, schema.type)
        }
    }

    private static func hasLeadingZero(_ number: UnsafeRawBufferPointer) -> Bool {
        let digits = trim(number).drop { $0 == 0x2d || $0 == 0x2b }
        return digits.first == 0x30 && digits.dropFirst().first.map { decimalDigit($0) != nil } ?? false
    }

    private static func hasFraction(_ time: UnsafeRawBufferPointer) -> Bool {
        guard let point = time.firstIndex(of: 0x2e) else { return false }
        return time[(point + 1)...].prefix { decimalDigit($0) != nil }.contains { $0 != 0x30 }
    }

    /// The word of a null; nil where the column has none.
    @inline(__always)
    func null() -> Int64? {
        schema.isNullable ? (schema.type == .real ? nullReal : ColumnEncoding.null) : nil
    }

    /// The word of an integer, boolean, date or timestamp; nil where it is wrong.
    @inline(__always)
    func accept(integer: Int64) -> Int64? {
        if takesEveryInteger, integer != ColumnEncoding.null { return integer }
        return acceptChecked(integer)
    }

    private func acceptChecked(_ integer: Int64) -> Int64? {
        if missingWords.contains(integer) { return null() }
        guard integer != ColumnEncoding.null, !isKey || keyRange.contains(integer) else { return nil }
        guard let domain, !domain.contains(integer) else { return integer }
        report.outsideDomain += 1
        return other == ColumnEncoding.null ? null() : other
    }

    /// The word of a real; NaN is null, infinity the bound or null.
    @inline(__always)
    func accept(real: Double) -> Int64? {
        if takesEveryReal, real.isFinite { return Int64(bitPattern: (real + 0.0).bitPattern) }
        return acceptChecked(real)
    }

    private func acceptChecked(_ real: Double) -> Int64? {
        if real.isNaN { return null() }
        var value = real + 0.0  // no negative zero: it would be another key
        if real.isInfinite {
            report.infinities += 1
            let bound = real > 0 ? schema.upperBound : schema.lowerBound
            guard schema.infinityIsBound, let bound, bound.isFinite else { return null() }
            value = bound + 0.0
        }
        let word = Int64(bitPattern: value.bitPattern)
        if missingWords.contains(word) { return null() }
        if isKey, let bounds, !bounds.reals.contains(value) { return nil }
        guard let domain, !domain.contains(word) else { return word }
        report.outsideDomain += 1
        return other == nullReal ? null() : other
    }

    /// The word of a text; nil where it is not UTF-8.
    func accept(text: UnsafeRawBufferPointer) -> Int64? {
        guard let interner, let number = interner.number(of: text) else { return nil }
        let entry = interner.entry(number)
        if entry.isCut, isKey { return nil }
        if entry.isOutsideDomain { report.outsideDomain += 1 }
        if entry.isCut { report.textsCut += 1 }
        return entry.resolved == TextInterner.null ? null() : Int64(entry.resolved)
    }

    /// The word of a value; nil where it is of another type or wrong.
    func accept(_ value: Value) -> Int64? {
        switch (value, schema.type) {
        case (.null, _): return null()
        case (.integer(let number), .integer), (.date(let number), .date), (.timestamp(let number), .timestamp):
            return accept(integer: number)
        case (.integer(let number), .real): return accept(real: Double(number))
        case (.boolean(let flag), .boolean): return accept(integer: flag ? 1 : 0)
        case (.real(let number), .real): return accept(real: number)
        case (.text(let text), .text):
            var text = text
            return text.withUTF8 { accept(text: UnsafeRawBufferPointer($0)) }
        default: return nil
        }
    }
}

extension Value {
    /// The value as a column's word; nil for text and null.
    var word: Int64? {
        switch self {
        case .null, .text: nil
        case .integer(let number), .date(let number), .timestamp(let number): number
        case .boolean(let flag): flag ? 1 : 0
        case .real(let number): number.isNaN ? nil : Int64(bitPattern: (number + 0.0).bitPattern)
        }
    }
}
