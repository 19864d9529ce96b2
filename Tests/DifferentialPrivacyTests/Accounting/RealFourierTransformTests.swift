import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Real Fourier transform")
struct RealFourierTransformTests {
    private func numbers(_ count: Int) -> [Double] {
        var random = SeededGenerator(seed: 11)
        return (0..<count).map { _ in Double(Int64(truncatingIfNeeded: random.next())) * 0x1p-63 }
    }

    @Test(
        "The definition, for lengths of every factor",
        arguments: [8, 16, 24, 32, 40, 48, 64, 80, 96, 160, 192, 640, 768])
    func definition(count: Int) {
        let transform = RealFourierTransform(count: count)
        let values = numbers(count)
        let spectrum = transform.forward(values)
        let size = values.reduce(0) { $0 + abs($1) }
        #expect(spectrum.re.count == count / 2 + 1)
        for k in 0...count / 2 {
            var (re, im) = (0.0, 0.0)
            for j in 0..<count {
                let angle = 2 * Double.pi * Double(j * k % count) / Double(count)
                re += values[j] * cos(angle)
                im -= values[j] * sin(angle)
            }
            // The naive sum errs too, by at most about 10 units for each term.
            let tolerance = transform.forwardError * size + size * 10 * 0x1p-53
            #expect(hypot(re - spectrum.re[k], im - spectrum.im[k]) <= tolerance, "\(count) \(k)")
        }
    }

    @Test("Lengths are the least supported ones, at most a third too long")
    func lengths() {
        #expect(RealFourierTransform.count(atLeast: 1) == 8)
        #expect(RealFourierTransform.count(atLeast: 41) == 48)
        #expect(RealFourierTransform.count(atLeast: 65_537) == 81_920)
        for minimum in stride(from: 33, to: 100_000, by: 977) {
            let count = RealFourierTransform.count(atLeast: minimum)
            #expect(count >= minimum && Double(count) <= 1.34 * Double(minimum + 8))
        }
    }

    @Test("Errors stay within the stated bounds as lengths grow", arguments: [1 << 10, 5 << 12, 3 << 15, 1 << 18])
    func errorGrowth(count: Int) {
        let transform = RealFourierTransform(count: count)
        // An impulse's transform is known exactly.
        let place = count / 3 + 1
        var impulse = [Double](repeating: 0, count: count)
        impulse[place] = 1
        let spectrum = transform.forward(impulse)
        var worst = 0.0
        for k in 0...count / 2 {
            let turn = Double((place * k) % count) / Double(count)
            let (re, im) = (cos(2 * Double.pi * turn), -sin(2 * Double.pi * turn))
            worst = max(worst, hypot(spectrum.re[k] - re, spectrum.im[k] - im))
        }
        // The reference's own angle is rounded: 2 pi u at most.
        #expect(worst <= transform.forwardError + 8 * 0x1p-53)
        #expect(worst > 0)

        let values = numbers(count)
        let back = transform.inverse(transform.forward(values))
        var (difference, norm, sum) = (0.0, 0.0, 0.0)
        for (a, b) in zip(values, back) {
            difference += (a - b) * (a - b)
            norm += a * a
            sum += abs(a)
        }
        // Both ways are unitary but for a factor; the bound in norm holds for either.
        #expect(difference.squareRoot() <= 2 * transform.inverseError * norm.squareRoot())
    }

    @Test("Convolution: the spectrum of a power is the power of the spectrum")
    func convolution() {
        let transform = RealFourierTransform(count: 24)
        var values = [Double](repeating: 0, count: 24)
        (values[0], values[1], values[3]) = (0.5, 0.25, 0.25)
        var spectrum = transform.forward(values)
        for k in spectrum.re.indices {
            let (x, y) = (spectrum.re[k], spectrum.im[k])
            (spectrum.re[k], spectrum.im[k]) = (x * x - y * y, 2 * x * y)
        }
        let square = transform.inverse(spectrum)
        let expected = [0.25, 0.25, 0.0625, 0.25, 0.125, 0, 0.0625]
        for (i, value) in square.enumerated() {
            #expect(abs(value - (i < 7 ? expected[i] : 0)) < 1e-15)
        }
    }
}
