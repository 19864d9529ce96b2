import DifferentialPrivacy
import Secrets

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Draws for null laws, from released integers alone: the same integers have the same draws, so that a p-value is a
/// function of what was released. They are no noise of a release: what they are used for is post-processing.
struct NullDraws {
    private var generator: SeededGenerator
    private var spare: Double?

    /// A key that is no secret: it tells this use of the hash from others.
    private static let hash = KeyedHash(key0: 0x6e75_6c6c_206c_6177, key1: 0x2064_7261_7773_2e31)

    init(_ released: some Sequence<Int64>) {
        var stream = KeyedHash.Stream(Self.hash)
        for value in released { stream.combine(UInt64(bitPattern: value)) }
        let digest = stream.finalize()
        generator = SeededGenerator(key: (digest.first, digest.second, 0, 0))
    }

    /// Above 0, at most 1.
    mutating func uniform() -> Double { (Double(generator.next() >> 11) + 1) * 0x1p-53 }

    /// A standard normal draw (Box and Muller 1958).
    mutating func normal() -> Double {
        if let spare {
            self.spare = nil
            return spare
        }
        let radius = (-2 * log(uniform())).squareRoot()
        let angle = 2 * Double.pi * uniform()
        spare = radius * sin(angle)
        return radius * cos(angle)
    }

    /// A draw of the law, with variance 1.
    mutating func draw(_ law: ErrorLaw) -> Double {
        switch law {
        case .gaussian: return normal()
        case .laplace:
            let magnitude = -log(uniform()) / 2.0.squareRoot()
            return generator.next() >> 63 == 0 ? magnitude : -magnitude
        }
    }

    /// A chi-square draw over its degrees of freedom (Marsaglia and Tsang 2000, "A simple method for generating gamma
    /// variables").
    mutating func meanSquare(degreesOfFreedom n: Double) -> Double {
        let shape = n / 2
        // For shapes below 1, a draw of shape + 1 times a power of a uniform one.
        let boost = shape < 1 ? exp(log(uniform()) / shape) : 1
        let d = (shape < 1 ? shape + 1 : shape) - 1 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let root = 1 + c * x
            guard root > 0 else { continue }
            let v = root * root * root
            if log(uniform()) < x * x / 2 + d - d * v + d * log(v) { return boost * d * v / shape }
        }
    }

    /// How often a draw of a null law is at least as large as what was observed: the observed one counted with, over
    /// all draws (Davison and Hinkley 1997, section 4.2), or 200 over the draws until that many were, if that is sooner
    /// (Besag and Clifford 1991, "Sequential Monte Carlo p-values"). Either is a valid p-value.
    mutating func share(atMost largest: Int, where isAtLeast: (inout NullDraws) -> Bool) -> Double {
        var found = 0
        for draw in 1...largest {
            if isAtLeast(&self) { found += 1 }
            if found == Self.enough { return Double(found) / Double(draw) }
        }
        return Double(found + 1) / Double(largest + 1)
    }

    private static let enough = 200
}
