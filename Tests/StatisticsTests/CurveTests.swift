import Foundation
import Testing

@testable import Statistics

@Suite("Laws behind the statistics")
struct StatisticsLawTests {
    @Test("A cut Poisson count's mean and slope are those of its probabilities")
    func capped() {
        // mu, cap, E min(Y, cap) / cap, mu P(Y < cap) / cap: sums of scipy's probabilities.
        let known: [(Double, Int, Double, Double)] = [
            (2, 3, 0.5939941502901619, 0.45111761078870893), (2, 8, 0.2499632675862965, 0.24972582025803533),
            (0.1, 1, 0.09516258196404045, 0.09048374180359596), (30, 25, 0.9803330680187432, 0.18869043268606991),
            (400, 380, 0.9957247010610036, 0.16058368638349976),
        ]
        for (mu, cap, mean, slope) in known {
            let point = ResponseCurve(kind: .poisson(cap: cap, steepest: cap)).point(log(mu))
            #expect(abs(point.mean - mean) < 1e-9 && abs(point.slope - slope) < 1e-9)
        }
        for eta in stride(from: -30.0, through: 60, by: 0.37) {
            for kind in [
                ResponseCurve.Kind.logistic, .poisson(cap: 7, steepest: 4), .poisson(cap: 3000, steepest: 3000),
            ] {
                let curve = ResponseCurve(kind: kind)
                let point = curve.point(eta)
                #expect((0...1).contains(point.mean) && (0...curve.slopeBound).contains(point.slope))
            }
        }
    }

    @Test("Student's quantiles and tails are those of tables, also for a fraction of degrees of freedom")
    func student() {
        let known: [(Double, Double)] = [
            (1, 12.706204736174694), (2, 4.302652729749462), (2.5, 3.5746548420036817), (5, 2.5705818356363146),
            (10, 2.228138851986274), (30, 2.0422724563012378), (200, 1.9718962236339088),
        ]
        for (degrees, quantile) in known {
            #expect(abs(StudentLaw(degreesOfFreedom: degrees).quantile(confidence: 0.95) - quantile) < 1e-8)
        }
        #expect(abs(StudentLaw(degreesOfFreedom: 7).tail(2) - 0.08561932856297605) < 1e-12)
        #expect(abs(GammaFunction.logarithm(0.5) - log(Double.pi) / 2) < 1e-11)
        #expect(abs(GammaFunction.logarithm(21) - 42.335616460753485) < 1e-11)
    }

    @Test("An error of sampling alone has the normal quantile, of one Laplace noise a little more than its own")
    func shapes() {
        let normal = ErrorShape(samplingVariance: 4)
        #expect(abs(normal.criticalValue(confidence: 0.95) - 1.959963985) < 1e-8)
        #expect(abs(normal.tail(1.959963985) - 0.05) < 1e-9 && normal.deviation == 2)
        var laplace = ErrorShape(samplingVariance: 0)
        laplace.add(factor: 3, variance: 2, excess: 3)
        #expect(laplace.variance == 18)
        let own = log(20) / 2.0.squareRoot()
        #expect((own..<own + 0.06).contains(laplace.criticalValue(confidence: 0.95)))
        var mixed = ErrorShape(samplingVariance: 1)
        mixed.add(factor: 1, variance: 1, excess: 3)
        #expect((2.0..<2.02).contains(mixed.criticalValue(confidence: 0.95)))
        for z in stride(from: 0.0, to: 8, by: 0.01) { #expect(laplace.tail(z + 0.01) <= laplace.tail(z)) }
    }
}
