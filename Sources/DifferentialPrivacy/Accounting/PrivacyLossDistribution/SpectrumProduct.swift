#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The product of the tilted laws' transforms, each to its power, with a bound on its error.
struct SpectrumProduct {
    private(set) var spectrum: HalfSpectrum
    private(set) var logScale = 0.0
    /// A bound on the 2-norm of the errors of all N coefficients.
    private(set) var error = 0.0
    /// The 2-norm of all N coefficients, rounded up.
    private(set) var norm = 0.0
    /// A bound on the logarithm of the values' common relative error, from the tilting.
    private(set) var logError = 0.0

    init(_ moments: LossMoments, theta: Double, transform: RealFourierTransform) {
        let size = transform.count / 2 + 1
        spectrum = HalfSpectrum(
            re: [Double](repeating: 1, count: size), im: [Double](repeating: 0, count: size))
        var magnitudes = [Double](repeating: 1, count: size)
        var relative = [Double](repeating: 0, count: size)
        for (law, times) in moments.laws {
            let logMoment = law.logMoment(theta)
            let tilted = law.tilted(theta, logMoment: logMoment, count: transform.count)
            logScale += times * logMoment
            // exp's argument, and logScale itself, are rounded; powers of exp(theta step) are right to 2^-46.
            let extreme = max(abs(Double(law.first)), abs(Double(law.first + law.masses.count))) * law.step
            logError += times * (0x1p-45 + (theta * extreme + abs(logMoment)) * 0x1p-50)
            let coefficients = transform.forward(tilted)
            multiply(
                coefficients, times: times, error: transform.forwardError * 1.001, &magnitudes, &relative)
        }
        var (squares, errors) = (0.0, 0.0)
        for k in 0..<size {
            let weight = k == 0 || k == size - 1 ? 1.0 : 2.0
            let bound = magnitudes[k] * relative[k]
            squares += weight * magnitudes[k] * magnitudes[k]
            errors += weight * bound * bound
        }
        norm = squares.squareRoot() * 1.001
        error = errors.squareRoot() * 1.001
    }

    /// Multiplies by the coefficients to the power of `times`. `magnitudes` holds bounds on the product's coefficients, and
    /// `relative` those of their errors over these.
    private mutating func multiply(
        _ z: HalfSpectrum, times: Double, error: Double, _ magnitudes: inout [Double], _ relative: inout [Double]
    ) {
        let power = UInt64(times)
        // Where the power is below 1e-60, it is taken to be 0: that is an error of its own size.
        let negligible = exp(-60 * 2.302585092994046 / times)
        for k in z.re.indices where magnitudes[k] > 0 {
            let (x, y) = (z.re[k], z.im[k])
            let magnitude = (x * x + y * y).squareRoot() + error
            if magnitude < negligible {
                (spectrum.re[k], spectrum.im[k]) = (0, 0)
                (magnitudes[k], relative[k]) = (1e-60, 1)
                continue
            }
            relative[k] += times * (error / magnitude + 3 * 0x1p-53)
            Self.raise(
                (x, y), size: magnitude, to: power, re: &spectrum.re[k], im: &spectrum.im[k], magnitude: &magnitudes[k])
        }
    }

    /// Multiplies by `base`, whose magnitude is at most `size`, to the power, by repeated squaring.
    @inline(__always)
    private static func raise(
        _ base: (Double, Double), size: Double, to power: UInt64, re: inout Double, im: inout Double,
        magnitude: inout Double
    ) {
        var (x, y, m, rest) = (base.0, base.1, size, power)
        var (a, b, c) = (re, im, magnitude)
        while rest > 0 {
            if rest & 1 == 1 {
                (a, b, c) = (a * x - b * y, a * y + b * x, c * m)
            }
            rest >>= 1
            if rest > 0 {
                (x, y, m) = (x * x - y * y, 2 * x * y, m * m)
            }
        }
        (re, im, magnitude) = (a, b, c * (1 + 0x1p-30 + Double(power) * 0x1p-50))
    }
}

extension GridMasses {
    /// Masses times exp(theta loss) over the moment, wrapped around a length of `count`.
    func tilted(_ theta: Double, logMoment: Double, count: Int) -> [Double] {
        var result = [Double](repeating: 0, count: count)
        let ratio = exp(theta * step)
        var position = ((first % count) + count) % count
        var start = 0
        while start < masses.count {
            let exponent = theta * (Double(first + start) * step) - logMoment
            let end = min(start + 32, masses.count)
            // A weight beyond exp(690) meets only masses below exp(-690), as each product is at most 1.
            var weight = exp(min(exponent, 690))
            for i in start..<end {
                let mass = masses[i]
                if exponent >= 600 && mass > 0 {
                    result[position] += exp(log(mass) + theta * (Double(first + i) * step) - logMoment)
                } else {
                    result[position] += mass * weight
                }
                weight *= ratio
                position += 1
                if position == count { position = 0 }
            }
            start = end
        }
        return result
    }
}
