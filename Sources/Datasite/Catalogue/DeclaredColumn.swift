import Query
import Tables

extension ColumnSchema {
    /// All that a question's meaning depends on, in words: two sites that declare a column alike have the same ones.
    var declared: String {
        var words = ["\(name): \(type.rawValue)"]
        if let lowerBound, let upperBound { words.append("from \(text(lowerBound)) to \(text(upperBound))") }
        if let domain { words.append("one of " + domain.map(CanonicalText.of).joined(separator: ", ")) }
        if let other { words.append("others as " + CanonicalText.of(other)) }
        if let resolution { words.append("in steps of \(resolution)") }
        if outsideIsNull { words.append("null outside") }
        if infinityIsBound { words.append("infinity as its bound") }
        words.append(isNullable ? "may be null" : "never null")
        if type == .text { words.append("at most \(maximumBytes) bytes") }
        if let computed { words.append("\(computed.kind.rawValue) of \(computed.array)") }
        return words.joined(separator: ", ")
    }

    private func text(_ bound: Double) -> String {
        type == .date || type == .timestamp ? DisplayedTime.text(bound, isDate: type == .date) : "\(bound)"
    }
}
