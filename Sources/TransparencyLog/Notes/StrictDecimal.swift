/// ASCII decimal numbers from 0 to 2^63 - 1 without sign and without leading zeros: each number has one text.
enum StrictDecimal {
    static func decode(_ text: some Collection<UInt8>) -> UInt64? {
        guard (1...19).contains(text.count), text.count == 1 || text.first != UInt8(ascii: "0") else { return nil }
        var number: UInt64 = 0
        for character in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
            // Nineteen digits stay below 2^64.
            number = number * 10 + UInt64(character - UInt8(ascii: "0"))
        }
        return number <= UInt64(Int64.max) ? number : nil
    }
}
