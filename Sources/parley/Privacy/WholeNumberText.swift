import ArgumentParser

/// Whole numbers as people and this program write them: `10000`, `10,000` and `1e4`.
enum WholeNumberText {
    static func parse(_ text: String) throws -> Int {
        if let number = number(text) { return number }
        throw ValidationError("'\(text)' is not a whole number, such as 10000, 10,000 or 1e4.")
    }

    static func number(_ text: String) -> Int? {
        if let number = Int(text) { return number }
        if text.wholeMatch(of: /[0-9]{1,3}(,[0-9]{3})+/) != nil { return Int(text.replacing(",", with: "")) }
        // Up to 2^53, a `Double` is the very number that was written.
        guard text.wholeMatch(of: /[0-9]+(\.[0-9]+)?[eE]\+?[0-9]{1,3}/) != nil, let number = Double(text),
            number <= 0x1p53
        else { return nil }
        return Int(exactly: number)
    }
}
