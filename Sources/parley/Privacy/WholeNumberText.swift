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
        guard let match = text.wholeMatch(of: /([0-9]{1,40})(?:\.([0-9]{1,40}))?[eE]([+-]?[0-9]{1,3})/),
            let exponent = Int(match.3)
        else { return nil }
        // By its digits, so that the number is the very one that was written.
        let digits = String(match.1 + (match.2 ?? ""))
        let shift = exponent - (match.2?.count ?? 0)
        if digits.allSatisfy({ $0 == "0" }) { return 0 }
        if shift >= 0 { return shift > 40 ? nil : Int(digits + String(repeating: "0", count: shift)) }
        guard digits.count > -shift, digits.suffix(-shift).allSatisfy({ $0 == "0" }) else { return nil }
        return Int(digits.dropLast(-shift))
    }
}
