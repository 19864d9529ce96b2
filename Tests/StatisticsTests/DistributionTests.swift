import DifferentialPrivacy
import Foundation
import Testing

@testable import Statistics

@Suite("Laws of tests")
struct DistributionTests {
    /// scipy 1.17.1: chi2.sf, 2 t.sf, t.ppf, f.sf, norm.ppf.
    @Test("Tails and quantiles are those of scipy")
    func knownAnswers() {
        func near(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-11 * max(abs(b), 1e-3) }
        for (n, x, tail) in [
            (1.0, 3.84, 0.05004352124870519), (5, 1.2, 0.9448773650021219), (7, 40, 1.258790387371308e-06),
            (100, 120, 0.08440668109369177), (0.5, 0.3, 0.3331718023153565),
        ] {
            #expect(near(ChiSquareLaw(degreesOfFreedom: n).upperTail(x), tail))
        }
        for (n, t, tail, quantile) in [
            (1.0, 2.0, 0.2951672353008665, 12.706204736174694), (4.3, 2.5, 0.06244807463621133, 2.70169489828223),
            (30, 0.1, 0.9210096117902712, 2.0422724563012378), (200, 5, 1.2501981277715407e-06, 1.9718962236339088),
        ] {
            let law = StudentLaw(degreesOfFreedom: n)
            #expect(near(law.tail(t), tail) && near(law.quantile(confidence: 0.95), quantile))
        }
        for (a, b, x, tail) in [
            (1.0, 5.0, 3.0, 0.1438108087116039), (3.5, 20, 2.2, 0.1123167006294913), (10, 200, 0.7, 0.7238559091602681),
            (2, 27, 4.846, 0.015910986998726832),
        ] {
            #expect(near(FisherLaw(numerator: a, denominator: b).upperTail(x), tail))
        }
        #expect(
            near(NormalLaw.quantile(0.975), 1.959963984540054) && near(NormalLaw.quantile(1e-10), -6.361340902404056))
        #expect(abs(NormalLaw.quantile(0.5)) < 1e-15 && NormalLaw.quantile(2).isNaN)
    }

    @Test("Limits: laws with many degrees of freedom become the normal and the chi-square one")
    func limits() {
        #expect(abs(StudentLaw(degreesOfFreedom: 1e8).tail(2) - NormalLaw.outside(2)) < 1e-8)
        #expect(StudentLaw(degreesOfFreedom: .infinity).tail(2) == NormalLaw.outside(2))
        let law = FisherLaw(numerator: 3, denominator: 1e8)
        #expect(abs(law.upperTail(2) - ChiSquareLaw(degreesOfFreedom: 3).upperTail(6)) < 1e-7)
        #expect(
            FisherLaw(numerator: 3, denominator: .infinity).upperTail(2)
                == ChiSquareLaw(degreesOfFreedom: 3).upperTail(6))
    }

    @Test("Draws of a null law have its moments, and follow from the released integers alone")
    func draws() {
        for law in [ErrorLaw.gaussian, .laplace] {
            var draws = NullDraws([3, -1, 4])
            let sample = (0..<100_000).map { _ in draws.draw(law) }
            let fourth = law == .gaussian ? 3.0 : 6.0
            // 4.9 standard deviations of the mean and of the square (a false alarm in 10^6).
            #expect(abs(sample.reduce(0, +)) / 1e5 < 4.9 / 316.2)
            #expect(abs(sample.reduce(0) { $0 + $1 * $1 } / 1e5 - 1) < 4.9 * (fourth - 1).squareRoot() / 316.2)
        }
        for n in [1.0, 5, 200] {
            var draws = NullDraws([7])
            let mean = (0..<50_000).reduce(0.0) { sum, _ in sum + draws.meanSquare(degreesOfFreedom: n) } / 5e4
            #expect(abs(mean - 1) < 4.9 * (2 / n / 5e4).squareRoot())
        }
        var (a, b, c) = (NullDraws([1, 2]), NullDraws([1, 2]), NullDraws([1, 3]))
        let first = a.uniform()
        #expect(first == b.uniform() && first != c.uniform())
    }
}
