/// Decides what becomes of one column's values as they come in: what is wrong, what is null, what the domain, the
/// declared infinity and the cap on bytes make of them (PRIVACY.md, rules 12 and 16). One worker's own.
final class ColumnIntake {
    let schema: ColumnSchema
    let interner: TextInterner?
    private let domain: Set<Int64>?
    private let other: Int64
    /// Whether any integer goes in as it is, so that a reader need not ask.
    let takesEveryInteger: Bool
    /// Whether any finite real goes in as it is.
    let takesEveryReal: Bool
    var report: IngestReport.Column

    init(schema: ColumnSchema) {
        self.schema = schema
        report = IngestReport.Column(name: schema.name)
        interner = schema.type == .text ? TextInterner(schema: schema) : nil
        domain = schema.type == .text ? nil : schema.domain.map { Set($0.compactMap { $0.word }) }
        other = schema.other?.word ?? (schema.type == .real ? nullReal : ColumnEncoding.null)
        takesEveryInteger = domain == nil && schema.type != .text && schema.type != .real
        takesEveryReal = domain == nil && schema.type == .real
    }

    /// What a value of this column must be, in words.
    var expected: String {
        let kind =
            switch schema.type {
            case .integer: "an integer"
            case .real: "a number"
            case .text: "UTF-8 text"
            case .boolean: "true or false"
            case .date: "a date as YYYY-MM-DD"
            case .timestamp: "a time as YYYY-MM-DDTHH:MM:SSZ"
            }
        if schema.isNullable { return kind + " or nothing" }
        return (schema.domain != nil && schema.other == nil ? kind + " of the declared domain" : kind)
            + ", since the column is not nullable"
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
        guard integer != ColumnEncoding.null else { return nil }
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
        guard let domain, !domain.contains(word) else { return word }
        report.outsideDomain += 1
        return other == nullReal ? null() : other
    }

    /// The word of a text; nil where it is not UTF-8.
    func accept(text: UnsafeRawBufferPointer) -> Int64? {
        guard let interner, let number = interner.number(of: text) else { return nil }
        let entry = interner.entry(number)
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
