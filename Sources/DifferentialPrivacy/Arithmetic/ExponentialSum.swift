#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A sum of exponentials, `scaled * e^logScale`: kept relative to its largest term, which need not be a Double.
struct ExponentialSum {
    var scaled = 0.0
    var logScale = -Double.infinity

    /// Adds `e^exponent`.
    @inline(__always)
    mutating func add(exponent: Double) {
        if exponent > logScale {
            scaled = scaled * exp(logScale - exponent) + 1
            logScale = exponent
        } else if exponent > -.infinity {
            scaled += exp(exponent - logScale)
        }
    }

    var logarithm: Double { scaled > 0 ? log(scaled) + logScale : -.infinity }
}
