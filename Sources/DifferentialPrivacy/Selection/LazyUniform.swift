/// A real number, uniform in [0, 1), of which only as many digits are drawn as a decision needs:
/// it lies in `[numerator, numerator + spread) / 2^bits`.
struct LazyUniform {
    private(set) var numerator: Natural
    private(set) var bits: Int
    let spread: UInt64

    /// Uniform in `[numerator, numerator + spread) / 2^bits`.
    init(numerator: Natural, spread: UInt64, bits: Int) {
        self.numerator = numerator
        self.spread = spread
        self.bits = bits
    }

    /// Uniform in [0, 1), nothing drawn yet.
    init() {
        self.init(numerator: .zero, spread: 1, bits: 0)
    }

    var upper: Natural { numerator + Natural(spread) }

    /// Draws 64 more binary digits.
    mutating func refine<R: RandomNumberGenerator>(using generator: inout R) {
        numerator = (numerator << 64) + Natural(generator.next()) * spread
        bits += 64
    }
}
