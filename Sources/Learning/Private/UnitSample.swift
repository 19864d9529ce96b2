/// Which units a step takes: each independently with the same probability (Poisson sampling).
struct UnitSample {
    /// A unit is taken where a word is below it; the word below 2^64 is taken always.
    private let threshold: UInt64
    private let isEverybody: Bool

    /// The probability is the rate, rounded down to a multiple of 2^-64, which costs no more.
    init(rate: Double) {
        isEverybody = rate >= 1
        threshold = isEverybody ? .max : UInt64(rate * 0x1p64)
    }

    /// The numbers of the units that are taken, of so many.
    func draw(of count: Int, using generator: inout some RandomNumberGenerator) -> [Int] {
        (0..<count).filter { _ in isEverybody || generator.next() < threshold }
    }
}
