import Foundation

/// Numbers as people read them.
enum NumberText {
    /// Beyond them a number is written by its exponent.
    private static let mostDecimals = 9

    /// With that many decimals and commas between thousands.
    static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-∞" : "∞" }
        if abs(value) >= 1e15 { return String(format: "%.4g", value) }
        let text = String(format: "%.\(decimals)f", value)
        let isZero = !text.contains { $0 != "0" && $0 != "." && $0 != "-" }
        // All decimals that are ever shown, and nothing in them: a p-value.
        if isZero, value != 0, decimals >= mostDecimals { return tidiedExponent(String(format: "%.2g", value)) }
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        let parts = digits.split(separator: ".", maxSplits: 1)
        var result = grouped(String(parts[0]))
        if parts.count == 2 { result += "." + parts[1] }
        return text.hasPrefix("-") && !isZero ? "-" + result : result
    }

    static func integer(_ value: Int64) -> String {
        let digits = grouped(String(value.magnitude))
        return value < 0 ? "-" + digits : digits
    }

    static func integer(_ value: Int) -> String { integer(Int64(value)) }

    /// That many significant digits, without trailing zeros: for parameters such as epsilon.
    static func significant(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite else { return fixed(value, decimals: 0) }
        let text = String(format: "%.\(digits)g", value)
        guard !text.contains("e"), abs(value) >= 1000 else { return tidiedExponent(text) }
        return fixed(value, decimals: text.contains(".") ? digits - 4 : 0)
    }

    /// The same, but never less than the value, what sums of binary fractions alone make of it aside: of what must at least be
    /// spent, and of what is.
    static func significantAtLeast(_ value: Double, digits: Int = 4) -> String {
        guard value.isFinite, value > 0, Double(String(format: "%.\(digits)g", value)) ?? value < value * (1 - 1e-12)
        else {
            return significant(value, digits: digits)
        }
        let step = pow(10, log10(value).rounded(.down) - Double(digits - 1))
        return significant(value + step / 2, digits: digits)
    }

    /// The same, but never more than the value, what rounding alone makes of it aside: of what may at most be spent.
    static func significantAtMost(_ value: Double, digits: Int = 4) -> String {
        let most = value * (1 + 1e-9)
        guard value.isFinite, value > 0, Double(String(format: "%.\(digits)g", value)) ?? value > most else {
            return significant(value, digits: digits)
        }
        let step = pow(10, log10(value).rounded(.down) - Double(digits - 1))
        return significant(value - step / 2, digits: digits)
    }

    /// The decimals that show two significant digits of an uncertainty of that size.
    static func decimals(forHalfWidth halfWidth: Double) -> Int {
        guard halfWidth.isFinite, halfWidth > 0 else { return 2 }
        return min(mostDecimals, max(0, 1 - Int(log10(halfWidth).rounded(.down))))
    }

    private static func grouped(_ digits: String) -> String {
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// `1e-07` becomes `1e-7`.
    private static func tidiedExponent(_ text: String) -> String {
        guard let mark = text.firstIndex(of: "e") else { return text }
        let exponent = Int(text[text.index(after: mark)...]) ?? 0
        return text[..<mark] + "e\(exponent)"
    }
}
