extension YAMLValue {
    /// A whole number from 1 on.
    func count(atMost largest: Int = 1 << 40) throws -> Int {
        let expected = "a whole number from 1 to \(largest)"
        let number = try integer(expected)
        guard (1...largest).contains(number) else { throw problem("expected \(expected)") }
        return number
    }

    /// A whole number from 0 on.
    func wholeNumber(atMost largest: Int) throws -> Int {
        let expected = "a whole number from 0 to \(largest)"
        let number = try integer(expected)
        guard (0...largest).contains(number) else { throw problem("expected \(expected)") }
        return number
    }
}
