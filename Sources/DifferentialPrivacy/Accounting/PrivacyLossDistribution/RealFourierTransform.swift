#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The coefficients 0 to n of a real sequence of length 2n; the others are their conjugates.
struct HalfSpectrum {
    var re: [Double]
    var im: [Double]
}

/// The discrete Fourier transform of real sequences of one length N = 2n, n = 4^a 2^b r with r in {1, 3, 5} and a >= 1: a
/// complex transform of half the length by Stockham passes of radix 4, then 2, 3 or 5.
///
/// Errors, with u = 2^-53 and L = log2 N. Twiddles come straight from the system's sine and cosine, reduced exactly to an
/// eighth of a turn, so that each is right to 1.5 u. A coefficient is a sum of inputs times products of twiddles along a
/// path through the passes. A pass of radix 4 (two of the L levels) multiplies once (sqrt(5) u and the twiddle's 1.5 u) and
/// adds twice (2 u): less than 3 u a level; one of radix 3 or 5 at most 12 u; taking the real sequence's coefficients from the
/// complex ones at most 8 u. Hence, with room to spare (Higham 2002, section 24.1, argued by absolute values rather than by
/// squares):
/// - `forward`: each coefficient is within `(4 L + 24) u` times the sum of absolute values of the input;
/// - `inverse`: the error's 2-norm is at most `(8 L + 64) u` times the result's (each pass is unitary but for a factor, and
///   its error in norm at most sqrt(radix) times that of an output).
struct RealFourierTransform {
    /// N.
    let count: Int
    private let half: Int
    private let passes: [FourierPass]
    /// Roots exp(-2 pi i k / N) for k in 0...n/2.
    private let cosines: [Double]
    private let sines: [Double]

    /// A bound on a coefficient's error, over the sum of absolute values of the input.
    var forwardError: Double { (4 * log2(Double(count)) + 24) * 0x1p-53 }
    /// A bound on the 2-norm of the inverse's error, over that of the result.
    var inverseError: Double { (8 * log2(Double(count)) + 64) * 0x1p-53 }

    /// The least length that is supported and not below.
    static func count(atLeast minimum: Int) -> Int {
        var power = 8
        while true {
            for (times, over) in [(1, 1), (5, 4), (3, 2)] {
                let length = power / over * times
                // Half of it must be divisible by 4 for the first pass.
                if length >= minimum && length % 8 == 0 { return length }
            }
            power *= 2
        }
    }

    /// `count` must be a result of `count(atLeast:)`.
    init(count: Int) {
        self.count = count
        half = count / 2
        let roots = RootTable(count: count)
        var passes: [FourierPass] = []
        var (length, stride) = (half, 1)
        while length > 1 {
            let radix = length % 4 == 0 ? 4 : length % 2 == 0 ? 2 : length
            let columns = length / radix
            var twiddles: [Double] = []
            twiddles.reserveCapacity(2 * (radix - 1) * columns)
            if radix == 4 || radix == 2 {
                for column in 0..<columns {
                    for power in 1..<radix {
                        let root = roots[column * power * (count / length)]
                        twiddles.append(root.re)
                        twiddles.append(root.im)
                    }
                }
            } else {
                twiddles = [1, 0]
            }
            passes.append(FourierPass(radix: radix, stride: stride, columns: columns, twiddles: twiddles))
            (length, stride) = (columns, stride * radix)
        }
        self.passes = passes
        cosines = (0...half / 2).map { roots[$0].re }
        sines = (0...half / 2).map { roots[$0].im }
    }

    /// sum over j of x_j exp(-2 pi i j k / N), k in 0...n. `values` must hold N numbers.
    func forward(_ values: [Double]) -> HalfSpectrum {
        var re = [Double](repeating: 0, count: half)
        var im = re
        for j in 0..<half {
            re[j] = values[2 * j]
            im[j] = values[2 * j + 1]
        }
        transform(&re, &im)
        re.append(re[0])
        im.append(im[0])
        for k in 0...half / 2 {
            let m = half - k
            let (evenRe, evenIm) = ((re[k] + re[m]) / 2, (im[k] - im[m]) / 2)
            let (oddRe, oddIm) = ((im[k] + im[m]) / 2, (re[m] - re[k]) / 2)
            let turnedRe = oddRe * cosines[k] - oddIm * sines[k]
            let turnedIm = oddRe * sines[k] + oddIm * cosines[k]
            (re[k], im[k]) = (evenRe + turnedRe, evenIm + turnedIm)
            (re[m], im[m]) = (evenRe - turnedRe, turnedIm - evenIm)
        }
        return HalfSpectrum(re: re, im: im)
    }

    /// The real sequence with that spectrum.
    func inverse(_ spectrum: HalfSpectrum) -> [Double] {
        var (re, im) = (spectrum.re, spectrum.im)
        for k in 0...half / 2 {
            let m = half - k
            let (evenRe, evenIm) = ((re[k] + re[m]) / 2, (im[k] - im[m]) / 2)
            let (turnedRe, turnedIm) = ((re[k] - re[m]) / 2, (im[k] + im[m]) / 2)
            let oddRe = turnedRe * cosines[k] + turnedIm * sines[k]
            let oddIm = turnedIm * cosines[k] - turnedRe * sines[k]
            (re[k], im[k]) = (evenRe - oddIm, evenIm + oddRe)
            (re[m], im[m]) = (evenRe + oddIm, oddRe - evenIm)
        }
        re.removeLast()
        im.removeLast()
        // The inverse is the transform with real and imaginary parts exchanged, before and after.
        transform(&im, &re)
        var values = [Double](repeating: 0, count: count)
        let scale = 1 / Double(half)
        for j in 0..<half {
            values[2 * j] = re[j] * scale
            values[2 * j + 1] = im[j] * scale
        }
        return values
    }

    private func transform(_ re: inout [Double], _ im: inout [Double]) {
        var spareRe = [Double](repeating: 0, count: half)
        var spareIm = spareRe
        re.withUnsafeMutableBufferPointer { a in
            im.withUnsafeMutableBufferPointer { b in
                spareRe.withUnsafeMutableBufferPointer { c in
                    spareIm.withUnsafeMutableBufferPointer { d in
                        guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress,
                            let d = d.baseAddress
                        else { return }
                        var (from, to) = (ComplexPointers(re: a, im: b), ComplexPointers(re: c, im: d))
                        for pass in passes {
                            pass.run(from: from, to: to)
                            (from, to) = (to, from)
                        }
                    }
                }
            }
        }
        if passes.count % 2 == 1 { (re, im) = (spareRe, spareIm) }
    }
}

/// exp(-2 pi i k / N), N divisible by 8: an eighth of a turn is computed, the rest is its mirror image.
private struct RootTable {
    private let count: Int
    private let cosines: [Double]
    private let sines: [Double]

    init(count: Int) {
        self.count = count
        let unit = 2 * Double.pi / Double(count)
        cosines = (0...count / 8).map { cos(unit * Double($0)) }
        sines = (0...count / 8).map { sin(unit * Double($0)) }
    }

    subscript(index: Int) -> (re: Double, im: Double) {
        let k = index % count
        let eighth = count / 8
        let within = k % (2 * eighth)
        // The angle's cosine and sine within its quarter turn.
        let (c, s) =
            within <= eighth
            ? (cosines[within], sines[within]) : (sines[2 * eighth - within], cosines[2 * eighth - within])
        switch k / (2 * eighth) {
        case 0: return (c, -s)
        case 1: return (-s, -c)
        case 2: return (-c, s)
        default: return (s, c)
        }
    }
}
