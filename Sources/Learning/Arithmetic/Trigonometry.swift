#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

enum Trigonometry {
    static func cosine(_ angle: Float) -> Float { cos(angle) }
    static func cosine(_ angle: Double) -> Double { cos(angle) }
    static func sine(_ angle: Double) -> Double { sin(angle) }
}

enum Exponential {
    static func value(_ exponent: Double) -> Double { exp(exponent) }
}
