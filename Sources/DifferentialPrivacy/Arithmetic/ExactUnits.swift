/// Real numbers as whole units of 10^-digits, exactly rounded.
enum DecimalUnits {
    /// The shortest decimal text of a non-negative number: `coefficient * 10^exponent`.
    static func decimal(_ value: Double) -> (coefficient: UInt64, exponent: Int)? {
        guard value.isFinite && value >= 0 else { return nil }
        let parts = value.description.split(separator: "e")
        let digits = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = digits.count > 1 ? digits[1] : ""
        guard let coefficient = UInt64(String(digits[0] + fraction)) else { return nil }
        let power = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        return (coefficient, power - fraction.count)
    }

    static func count(
        _ value: Double, digits: Int, roundingUp: Bool, name: String
    ) throws(MechanismError) -> Int64 {
        guard let (coefficient, exponent) = decimal(value) else {
            throw .parameter(name, expected: "a finite number that is not negative")
        }
        var units = Natural(coefficient)
        var power = exponent + digits
        while power > 0 && units.bitWidth < 128 {
            units = units * 10
            power -= 1
        }
        while power < 0 && !units.isZero {
            let step = max(power, -19)
            let divisor = (0..<(-step)).reduce(1 as UInt64) { product, _ in product * 10 }
            let (quotient, remainder) = units.quotientAndRemainder(dividingBy: divisor)
            units = roundingUp && remainder > 0 ? quotient + Natural(1 as UInt64) : quotient
            // What is not zero stays above zero when it is rounded up: one unit is enough.
            if quotient.isZero { break }
            power -= step
        }
        guard let word = units.word, let result = Int64(exactly: word) else { throw .overflow }
        return result
    }
}

/// Products and quotients of `Double`s as whole units, exactly rounded up: what an event costs.
enum ExactUnits {
    /// `ceil(factor / divisor * product of numerators / product of denominators * 10^digits)`.
    static func roundedUp(
        numerators: [Double], denominators: [Double], divisor: UInt64 = 1, factor: Int = 1, digits: Int = 12,
        names: String
    ) throws(MechanismError) -> Int64 {
        var product = Natural(UInt64(clamping: factor))
        for _ in 0..<digits { product = product * 10 }
        var shift = 0
        if factor == 0 || numerators.contains(0) { return 0 }
        var divisors = [divisor]
        for value in numerators {
            guard let exact = Dyadic(value) else {
                throw .parameter(names, expected: "numbers that are finite and not negative")
            }
            product = product * exact.significand
            shift += exact.exponent
        }
        for value in denominators {
            guard let exact = Dyadic(value) else { throw .parameter(names, expected: "a positive finite scale") }
            divisors.append(exact.significand)
            shift -= exact.exponent
        }
        if shift > 0 { product = product << shift }
        for divisor in divisors { product = product.dividedRoundingUp(by: divisor) }
        if shift < 0 {
            let quotient = product >> -shift
            product = (quotient << -shift) < product ? quotient + Natural(1 as UInt64) : quotient
        }
        guard let word = product.word, let result = Int64(exactly: word) else { throw .overflow }
        return result
    }
}
