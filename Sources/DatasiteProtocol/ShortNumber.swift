/// Numbers in sentences, with few digits: what privacy costs, and what is left of it.
public enum ShortNumber {
    /// At most six significant digits. What is rounded up or down is so except for what floating point alone makes of it.
    public static func text(_ value: Double, _ rule: FloatingPointRoundingRule = .toNearestOrAwayFromZero) -> String {
        guard value.isFinite else { return value > 0 ? "infinite" : "0" }
        guard value != 0 else { return "0" }
        var scale = 1.0
        var exponent = 0
        while abs(value) * scale < 100_000, exponent < 30 {
            scale *= 10
            exponent += 1
        }
        let scaled = value * scale
        let slack =
            switch rule {
            case .down: 1 + 1e-11
            case .up: 1 - 1e-9
            default: 1.0
            }
        return plain((scaled * slack).rounded(rule) / scale)
    }

    /// The number with all the digits that it needs: `0.31`, `2`, `1e-6`.
    public static func plain(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        let text = "\(value)"
        guard let mark = text.range(of: "e-0") else { return text }
        return text[..<mark.lowerBound] + "e-" + text[mark.upperBound...]
    }
}

extension String {
    fileprivate func range(of part: String) -> Range<Index>? {
        indices.lazy.compactMap { self[$0...].hasPrefix(part) ? $0..<self.index($0, offsetBy: part.count) : nil }.first
    }
}
