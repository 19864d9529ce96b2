#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

enum Trigonometry {
    static func cosine(_ angle: Float) -> Float { cos(angle) }
}

enum Exponential {
    static func value(_ exponent: Double) -> Double { exp(exponent) }
}
