import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Intervals of linear forms of noisy integers")
struct ErrorModelTests {
    private let gaussian: ErrorModel
    private let laplace: ErrorModel
    private let sigmas = [30.0, 50, 20]
    private let scales = [20.0, 40, 10]

    init() throws {
        gaussian = ErrorModel(try sigmas.map { IntegerError(try DiscreteGaussian(sigma: $0)) })
        laplace = ErrorModel(try scales.map { IntegerError(try DiscreteLaplace(scale: $0)) })
    }

    private func form(_ coefficients: [Double], constant: Double = 0) -> LinearForm {
        coefficients.enumerated().reduce(LinearForm(constant: constant)) {
            $1.element == 0 ? $0 : $0 + LinearForm(number: $1.offset, coefficient: $1.element)
        }
    }

    @Test("The tail of a sum of Laplace variables agrees with known cases")
    func laplaceTail() {
        // One variable; two of equal scale: (1 + h / 2b) exp(-h / b), approached from above.
        #expect(abs(LaplaceSum(scales: [1]).tail(3) - 0.049787) < 1e-5)
        let equal = LaplaceSum(scales: [1, 1]).tail(4)
        #expect(equal >= 3 * 0.0183156 && equal < 3.2 * 0.0183156)
        #expect(abs(LaplaceSum(scales: [1, 3]).tail(5) - (9 * 0.1888756 - 0.0067379) / 8) < 1e-5)
        let half = LaplaceSum(scales: [1, 2, 3]).halfWidth(confidence: 0.95)
        #expect(abs(LaplaceSum(scales: [1, 2, 3]).tail(half) - 0.05) < 1e-9)
        #expect(LaplaceSum(scales: []).tail(1) == 0 && LaplaceSum(scales: [0]).halfWidth(confidence: 0.95) == 0)
    }

    @Test("More than five Laplace terms: an upper bound, near what partial fractions of five say")
    func chernoff() {
        let five = LaplaceSum(scales: [1, 2, 3, 4, 5]).halfWidth(confidence: 0.95)
        let six = LaplaceSum(scales: [1, 2, 3, 4, 5, 0.01]).halfWidth(confidence: 0.95)
        #expect(six > five && six < 2 * five)
        #expect(LaplaceSum(scales: [1, 1, 1, 1, 1, 1, 1]).halfWidth(confidence: 0.95) < 20)
    }

    @Test("One integer has its exact quantile; several the law's, by the root of the sum of squares")
    func sums() throws {
        #expect(gaussian.halfWidth(form([-2, 0, 0], constant: 7)) == 2 * 59)
        #expect(Double(try DiscreteGaussian(sigma: 30).halfWidth(confidence: 0.95)) == 59)
        let deviation = (4.0 * 900 + 9 * 2_500).squareRoot()
        #expect(abs(gaussian.standardDeviation(form([2, -3, 0])) / deviation - 1) < 1e-9)
        let half = gaussian.halfWidth(form([2, -3, 0]))
        #expect(half >= 1.959963984540054 * deviation && half < 1.97 * deviation)
        // Each scale is widened to its integer quantile, by less than a unit.
        let exact = LaplaceSum(scales: [40, 30]).halfWidth(confidence: 0.95)
        let wide = laplace.halfWidth(form([2, 0, -3]))
        #expect(wide >= exact && wide < 1.02 * exact)
        let interval = gaussian.interval(LinearEstimate(form: form([2, -3, 0]), value: 100))
        #expect(interval == ConfidenceInterval(lower: 100 - half, upper: 100 + half))
        #expect(gaussian.halfWidth(LinearForm(constant: 3)) == 0)
    }

    @Test("Noise that is mostly zero still has its parameter beside others")
    func smallNoise() throws {
        let small = IntegerError(try DiscreteGaussian(sigma: 0.3))
        #expect(small.halfWidth == 0 && small.parameter == 0.3)
        #expect(ErrorModel([small, small]).halfWidth(form([1, 1])) > 0.8)
    }

    @Test("Exact integers widen nothing, and mixed laws have no bounded interval")
    func exactAndMixed() throws {
        let normal = IntegerError(try DiscreteGaussian(sigma: 30))
        let withExact = ErrorModel([normal, .none])
        #expect(withExact.halfWidth(form([1, 5])) == 59)
        let estimate = LinearEstimate(form: form([1, 0]), value: 90)
        let exact = LinearEstimate(form: LinearForm(constant: 3), value: 3)
        let third = withExact.ratio(estimate, to: exact)
        #expect(abs(third.lower - 31.0 / 3) < 1e-12 && abs(third.upper - 149.0 / 3) < 1e-12)
        #expect(withExact.ratio(estimate, to: LinearEstimate(form: LinearForm(), value: 0)) == .unbounded)
        let mixed = ErrorModel([normal, IntegerError(try DiscreteLaplace(scale: 1))])
        #expect(mixed.halfWidth(form([1, 1])) == .infinity && mixed.halfWidth(form([1, 0])) == 59)
        let other = LinearEstimate(form: form([0, 1]), value: 1e9)
        #expect(mixed.ratio(estimate, to: other) == .unbounded)
    }

    @Test("The ends of a ratio are where the test is just not rejected, also where the sums share an integer")
    func ratios() {
        let cases: [([Double], [Double])] = [
            ([1, 0, 0], [0, 1, 0]), ([1, 2, 0], [0, 1, 1]), ([3, -2, 1], [0, -2, 0]), ([1, -2, 0], [0, 1, 1]),
        ]
        for (numerator, denominator) in cases {
            for (a, b) in [(400.0, 900.0), (-5_000, 700), (0, -2_000), (60, 1e6)] {
                let (top, bottom) = (form(numerator), form(denominator))
                for (model, isLaplace) in [(gaussian, false), (laplace, true)] {
                    let interval = model.ratio(
                        LinearEstimate(form: top, value: a), to: LinearEstimate(form: bottom, value: b))
                    #expect(interval.lower < a / b && a / b < interval.upper)
                    for r in [interval.lower, interval.upper] {
                        // The half-width of what the test is about, at the end itself, by another way.
                        let difference = top - bottom.scaled(r)
                        let parts = difference.terms.filter { $0.coefficient != 0 }
                        guard parts.count > 1 else { continue }
                        let half = model.halfWidth(difference)
                        #expect(abs(abs(a - r * b) - half) < 1e-6 * half, "\(numerator) \(a) \(b) \(isLaplace)")
                    }
                }
            }
        }
        let small = LinearEstimate(form: form([0, 1, 0]), value: 80)
        #expect(gaussian.ratio(small, to: small) == .unbounded && laplace.ratio(small, to: small) == .unbounded)
    }

    @Test("A ratio of given variances is Fieller's, its covariance on the right side")
    func covariance() {
        let z = 1.959963984540054
        for covariance in [-30.0, 0, 50] {
            let interval = ConfidenceInterval.ratio(
                numerator: 200, numeratorVariance: 100, denominator: 90, denominatorVariance: 64,
                covariance: covariance)
            for r in [interval.lower, interval.upper] {
                let variance = 100 - 2 * r * covariance + r * r * 64
                #expect(abs(abs(200 - r * 90) - z * variance.squareRoot()) < 1e-9)
            }
        }
    }

    @Test("The ends of a variance are where its test is just not rejected, also where the three sums share integers")
    func variances() {
        let separate = [form([1, 0, 0]), form([0, 1, 0]), form([0, 0, 1])]
        // As the sums of Bernstein polynomials give them.
        let shared = [form([-1, 0, 1]), form([1, -1, 1]), form([1, 1, 1])]
        for (forms, sum) in [(separate, 700.0), (separate, -9_000), (shared, 3_000), (shared, 0)] {
            for model in [gaussian, laplace] {
                let (squares, count, largest) = (18_000.0, 10_000.0, 4.0)
                let interval = model.variance(
                    sum: LinearEstimate(form: forms[0], value: sum),
                    squares: LinearEstimate(form: forms[1], value: squares),
                    count: LinearEstimate(form: forms[2], value: count), largest: largest)
                let mean = sum / count
                let variance = squares / count - mean * mean
                #expect(interval.lower < variance && variance < interval.upper && interval.upper < largest)
                for end in [interval.lower, interval.upper] {
                    let noise = forms[1] - forms[0].scaled(2 * mean) + forms[2].scaled(mean * mean - end)
                    let half = model.halfWidth(noise)
                    #expect(abs(abs(squares - sum * mean - end * count) - half) < 1e-6 * half, "\(sum)")
                }
            }
        }
    }

    @Test(
        "A variance is unbounded where the count may be zero or negative, and within what a variance can be elsewhere")
    func variancesAtTheEdge() {
        func variance(_ model: ErrorModel, squares: Double, count: Double) -> ConfidenceInterval {
            model.variance(
                sum: LinearEstimate(form: form([1, 0, 0]), value: 0),
                squares: LinearEstimate(form: form([0, 1, 0]), value: squares),
                count: LinearEstimate(form: form([0, 0, 1]), value: count), largest: 1)
        }
        for model in [gaussian, laplace] {
            for count in [-900.0, 0, 10, 29] { #expect(variance(model, squares: 100, count: count) == .unbounded) }
            let low = variance(model, squares: -20, count: 900)
            #expect(low.lower == 0 && low.upper > 0 && low.upper < 1)
            #expect(variance(model, squares: 9_000, count: 900) == ConfidenceInterval(lower: 0, upper: 1))
        }
    }

    /// 95 % falls below 93.9 % in 20,000 draws with a probability of 1e-12, rises above 97 % with less.
    @Test("Variances: 94 to 97 % of 20,000 draws, whatever the mean is, and no fewer at counts about the noise")
    func varianceCoverage() throws {
        var random = SeededGenerator(seed: 21)
        let noises = try sigmas.map { _ in try DiscreteGaussian(sigma: 1_000) }
        let model = ErrorModel(noises.map { IntegerError($0) })
        for (mean, variance) in [(0.0, 0.33), (-0.4, 0.04), (0.9, 0.01), (0, 0.98), (-0.6, 0.2), (0.5, 0.7)] {
            for multiple in [0.5, 2, 3, 5, 20, 1_000] {
                let count = multiple * 1_000
                let truth = [mean * count, (variance + mean * mean) * count, count]
                var covered = 0
                for _ in 0..<20_000 {
                    let noisy = zip(truth, noises).map { $0 + Double($1.sample(using: &random)) }
                    let interval = model.variance(
                        sum: LinearEstimate(form: form([1, 0, 0]), value: noisy[0]),
                        squares: LinearEstimate(form: form([0, 1, 0]), value: noisy[1]),
                        count: LinearEstimate(form: form([0, 0, 1]), value: noisy[2]), largest: 1)
                    if interval.lower <= variance && variance <= interval.upper { covered += 1 }
                }
                let rate = Double(covered) / 20_000
                #expect(rate >= 0.94, "\(mean) \(variance) \(multiple): \(rate)")
                if multiple == 1_000 { #expect(rate <= 0.97, "\(mean) \(variance): \(rate)") }
            }
        }
    }

    @Test("Within bounds: the part in them, and all of them where the interval misses them")
    func within() {
        let interval = ConfidenceInterval(lower: 2, upper: 5)
        #expect(interval.within(0, 10) == interval)
        #expect(interval.within(3, 4) == ConfidenceInterval(lower: 3, upper: 4))
        #expect(interval.within(5, 9) == ConfidenceInterval(lower: 5, upper: 9))
        #expect(interval.within(-4, 2) == ConfidenceInterval(lower: -4, upper: 2))
        #expect(ConfidenceInterval.unbounded.within(0, 1) == ConfidenceInterval(lower: 0, upper: 1))
    }

    @Test("Forms add term by term; whole ones have exact values, and those that do not fit have none")
    func forms() {
        let sum = form([1, 2, 0], constant: 4) - form([0, 2, 3], constant: 1)
        #expect(sum.constant == 3 && sum.terms.map(\.coefficient) == [1, 0, -3])
        let noisy: [Int64] = [.max - 2, 7, 1]
        #expect(form([1, 0, 2]).integer { noisy[$0] } == .max)
        #expect(form([1, 0, 3]).integer { noisy[$0] } == nil && form([2, 0, 0]).integer { noisy[$0] } == nil)
        #expect(
            form([0.5, 0, 0]).integer { noisy[$0] } == nil
                && form([0, 1, 0], constant: 0.5).integer { noisy[$0] } == nil)
        #expect(form([0, 0.5, 2], constant: 1).estimate { noisy[$0] }.value == 6.5)
    }
}
