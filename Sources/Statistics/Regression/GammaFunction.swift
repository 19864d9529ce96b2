#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The gamma function's logarithm: `lgamma` writes a global variable.
enum GammaFunction {
    /// For x > 0: Stirling's series from 16 on, and the recurrence below.
    static func logarithm(_ x: Double) -> Double {
        guard x < 16 else {
            let square = x * x
            let series = 1 / (12 * x) - 1 / (360 * x * square) + 1 / (1260 * x * square * square)
            return (x - 0.5) * log(x) - x + log(2 * Double.pi) / 2 + series
        }
        return logarithm(x + 16) - (0..<16).reduce(0.0) { $0 + log(x + Double($1)) }
    }
}
