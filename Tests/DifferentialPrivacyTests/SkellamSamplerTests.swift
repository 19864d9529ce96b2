import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// Chi-square and moments at a false-alarm rate of 1e-9 each, seeded.
@Suite("Skellam noise of any variance")
struct SkellamSamplerTests {
    /// z of a false-alarm rate of 1e-9, one-sided.
    static let deviation = 5.9978

    static let means: [Double] = [
        0x1p12, 4096.75, 5000.123, 6143.9999, 8191.5, 12_345.678, 0x1p16, 99_999.1, 0x1p20, 3e6, 0x1.8p29, 0x1.2345p39,
        0x1.fffp46, 0x1p47,
    ]

    private static func sampler(_ mean: Double) throws -> EnvelopeSampler {
        let exact = try #require(Dyadic(mean))
        let law = try #require(PoissonExponent(mean: exact))
        return EnvelopeSampler(poisson: law, mean: mean)
    }

    private static func value(_ bound: Natural, bits: Int) -> Double {
        Double((bound >> (bits - 60)).word ?? .max) * 0x1p-60
    }

    /// Distances from the mode: near ones, and up to twelve standard deviations.
    private static func distances(_ mean: Double) -> [UInt64] {
        [1, 2, 3, 10] + (1...48).map { UInt64(mean.squareRoot() * Double($0) / 4) }
    }

    @Test(
        "Exponents are the law's: products of ratios, without Stirling's series",
        arguments: [4096.75, 5000.123, 0x1p14])
    func ratios(mean: Double) throws {
        let exact = try #require(Dyadic(mean))
        let law = try #require(PoissonExponent(mean: exact))
        let weights = PoissonWeights(mean: exact, bits: 320)
        let mode = Int(mean)
        for distance in Self.distances(mean) {
            for isNegative in [false, true] {
                let place = mode + (isNegative ? -Int(distance) : Int(distance)) - Int(weights.first)
                guard weights.weights.indices.contains(place) else { continue }
                let weight = weights.weights[place]
                for bits in [64, 128, 192, 256, 320] {
                    let bounds = EnvelopeLaw.poisson(law).refined(distance, isNegative: isNegative, bits: bits)
                    // lower * 2^-(bits + exponent) <= weight * 2^-320 <= upper * 2^-(bits + exponent).
                    let shift = bits + bounds.exponent
                    #expect(Natural.isLess(bounds.lower, 320, than: weight.upper, shift, orEqual: true))
                    #expect(Natural.isLess(weight.lower, shift, than: bounds.upper, 320, orEqual: true))
                    // And the bounds are close: a unit of the last place or so, Stirling's remainder included.
                    let width = bounds.upper - bounds.lower
                    #expect(width.bitWidth <= max(0, bits - 275) + 14)
                }
            }
        }
    }

    @Test("Bounds of 64 bits hold those of more, for every mean", arguments: means)
    func bounds(mean: Double) throws {
        let exact = try #require(Dyadic(mean))
        let law = try #require(PoissonExponent(mean: exact))
        var known = 0
        for distance in Self.distances(mean) {
            for isNegative in [false, true] {
                guard let (lower, spread) = law.exponent(distance, isNegative: isNegative) else { continue }
                known += 1
                let fine = law.exactExponent(distance, isNegative: isNegative, bits: 192)
                let upper = Natural(lower + UInt128(spread)) << 128
                #expect(!(fine < Natural(lower) << 128) && fine + PoissonExponent.exactSpread(bits: 192) < upper)
                // The error is well within what is allowed for: the middle is right to a quarter of it.
                let middle = Natural(lower + UInt128(spread) / 2)
                let coarse = fine >> 128
                let off = coarse < middle ? middle - coarse : coarse - middle
                if lower > 0 { #expect(off < Natural(UInt64(spread) / 8)) }
                // More digits only narrow the bounds.
                let finer = law.exactExponent(distance, isNegative: isNegative, bits: 320) >> 128
                #expect(!(finer < fine) && !(fine + PoissonExponent.exactSpread(bits: 192) < finer))
            }
        }
        #expect(known > 60)
    }

    @Test("No acceptance probability exceeds one, on either side; strips are narrow enough", arguments: means)
    func envelope(mean: Double) throws {
        let sampler = try Self.sampler(mean)
        var next: UInt64 = 0
        for (index, strip) in sampler.strips.enumerated() {
            #expect(strip.first == next)
            next += strip.width
            let isTail = index == sampler.strips.count - 1
            for isNegative in [false, true] {
                for x in Set([strip.first, strip.first + strip.width / 2, strip.first + strip.width - 1]) {
                    let bounds = sampler.acceptance(x, strip, isNegative: isNegative, block: isTail ? 0 : nil)
                    #expect(bounds.upper <= 1 << 64 && bounds.lower > 0)
                }
                for block in (isTail ? 0..<3 : 0..<0) as Range<UInt64> {
                    let x = strip.first + block * strip.width
                    #expect(sampler.acceptance(x, strip, isNegative: isNegative, block: Int(block)).upper <= 1 << 64)
                }
            }
            #expect(strip.width <= 1 << 24)
        }
        for (slot, index) in zip(sampler.slots, sampler.stripOfSlot) where Int(index) < sampler.strips.count - 1 {
            let strip = sampler.strips[Int(index)]
            for isNegative in [false, true] {
                let bounds = sampler.acceptance(strip.first + strip.width - 1, strip, isNegative: isNegative)
                #expect(slot.quick == 0 || UInt128(slot.quick) + UInt128(strip.width) << 11 <= bounds.lower)
            }
        }
    }

    private static func fits(_ counts: [Int], _ probabilities: [Double], draws: Int) -> Bool {
        var statistic = 0.0
        var cells = 0
        for (count, probability) in zip(counts, probabilities) {
            let expected = probability * Double(draws)
            guard expected >= 10 else { return false }
            statistic += (Double(count) - expected) * (Double(count) - expected) / expected
            cells += 1
        }
        let k = Double(cells - 1)
        let root = 1 - 2 / (9 * k) + deviation * (2 / (9 * k)).squareRoot()
        return statistic <= k * root * root * root
    }

    /// Cells of about equal probability between places on the law: `tail(h)` is P(X > h).
    private static func fits(
        draws: Int, cells: Int, scale: Double, tail: (Int64) -> Double, _ draw: () -> Int64
    ) -> Bool {
        func upper(_ h: Int64) -> Double { h >= 0 ? tail(h) : 1 - tail(-h - 1) }
        let reach = Int64(10 * scale) + 20
        var ends = (1..<cells).map { cell in
            leastInteger(in: -reach...reach) { upper($0) <= 1 - Double(cell) / Double(cells) }
        }
        ends = Array(Set(ends)).sorted()
        var counts = [Int](repeating: 0, count: ends.count + 1)
        for _ in 0..<draws {
            let x = draw()
            counts[ends.firstIndex { x <= $0 } ?? ends.count] += 1
        }
        let above = ends.map(upper)
        let probabilities = zip([1] + above, above + [0]).map { $0 - $1 }
        return fits(counts, probabilities, draws: draws)
    }

    /// P(X > h) for h >= 0, by sums or for large variances the normal law's with corrections.
    private static func tail(_ noise: Skellam) -> (Int64) -> Double {
        guard noise.variance <= 0x1p24 else { return { noise.wideTail($0) } }
        var sums = noise.probabilities()
        for x in sums.indices.dropLast().reversed() { sums[x] += sums[x + 1] }
        return { $0 + 1 < Int64(sums.count) ? sums[Int($0) + 1] : 0 }
    }

    static let variances = [
        0x1p-20, 0.01, 0.5, 3, 40, 1000, 8000, 0x1p13, 9000.5, 30_000, 0x1p20, 0x1p24, 0x1p30, 0x1.234567p36, 0x1p40,
        0x1p48,
    ]

    @Test("Draws follow the law (200,000 draws in up to 64 cells)", arguments: variances)
    func law(variance: Double) throws {
        let noise = try Skellam(variance: variance)
        var generator = SeededGenerator(seed: 161)
        let draws = variance < 1e-4 ? 24_000_000 : 200_000
        #expect(
            Self.fits(draws: draws, cells: 64, scale: variance.squareRoot(), tail: Self.tail(noise)) {
                noise.sample(using: &generator)
            })
    }

    @Test("The test can fail: a variance that is 2 % off, or noise that is shifted by a fiftieth of its deviation")
    func power() throws {
        for (variance, factor, shift) in [(0x1p40, 1.02, 0.0), (0x1p40, 1, 0.02), (1000, 1.02, 0)] {
            let noise = try Skellam(variance: variance * factor)
            let tail = Self.tail(try Skellam(variance: variance))
            var generator = SeededGenerator(seed: 162)
            let offset = Int64(shift * variance.squareRoot())
            #expect(
                !Self.fits(draws: 1_000_000, cells: 64, scale: variance.squareRoot(), tail: tail) {
                    noise.sample(using: &generator) + offset
                })
        }
    }

    @Test("Poisson draws about the mode follow their law on both sides", arguments: [4096.75, 5000.123, 0x1p13])
    func poisson(mean: Double) throws {
        let sampler = try Self.sampler(mean)
        var generator = SeededGenerator(seed: 163)
        let spread = Int64(3.6 * mean.squareRoot())
        let draws = 4_000_000
        var counts = [Int](repeating: 0, count: Int(2 * spread) + 2)
        for _ in 0..<draws {
            let x = sampler.sample(using: &generator)
            counts[abs(x) <= spread ? Int(x + spread) : counts.count - 1] += 1
        }
        var law = (-spread...spread).map { x in
            let k = (mean.rounded(.down)) + Double(x)
            return exp(k * log(mean) - mean - lgamma(k + 1))
        }
        law.append(1 - law.reduce(0, +))
        #expect(Self.fits(counts, law, draws: draws))
    }

    @Test("Deciding with numbers of any size follows the law too (6,000 draws)", arguments: [9000.5, 0x1p48])
    func exactly(variance: Double) throws {
        let noise = try Skellam(variance: variance, isExactOnly: true)
        var generator = SeededGenerator(seed: 164)
        #expect(
            Self.fits(draws: 6_000, cells: 40, scale: variance.squareRoot(), tail: Self.tail(noise)) {
                noise.sample(using: &generator)
            })
    }

    /// The mean, variance and fourth cumulant of draws, each within `deviation` of its own standard error.
    private static func momentsFit(_ draws: [Int64], variance: Double) -> Bool {
        let count = Double(draws.count)
        let values = draws.map { Double($0) / variance.squareRoot() }
        let mean = values.reduce(0, +) / count
        let second = values.reduce(0) { $0 + $1 * $1 } / count
        let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / count
        let cumulant = 1 / variance
        // E X^4 = 3 + c and, of the normal law, Var X^4 = 96; small variances are not asked.
        return abs(mean) <= deviation / count.squareRoot()
            && abs(second - 1) <= deviation * ((2 + cumulant) / count).squareRoot()
            && abs(fourth - 3 - cumulant) <= deviation * (96 * (1 + 10 * cumulant) / count).squareRoot()
    }

    @Test("Moments of draws, and of the sum of h shares", arguments: [40, 0x1p14, 0x1p20, 0x1p30, 0x1p40, 0x1p48])
    func moments(variance: Double) throws {
        var generator = SeededGenerator(seed: 165)
        let noise = try Skellam(variance: variance)
        #expect(Self.momentsFit((0..<400_000).map { _ in noise.sample(using: &generator) }, variance: variance))
        let share = try Skellam(variance: variance / 16)
        let sums = (0..<100_000).map { _ in
            (0..<16).reduce(0 as Int64) { sum, _ in sum + share.sample(using: &generator) }
        }
        #expect(Self.momentsFit(sums, variance: variance))
    }

    @Test("The sum of h shares has the law of the whole", arguments: [(3, 3), (40_000, 8), (0x1p30, 5), (0x1p48, 16)])
    func shares(variance: Double, count: Int) throws {
        let share = try Skellam(variance: variance / Double(count))
        let whole = try Skellam(variance: variance / Double(count) * Double(count))
        var generator = SeededGenerator(seed: 166)
        #expect(
            Self.fits(draws: 100_000, cells: 48, scale: variance.squareRoot(), tail: Self.tail(whole)) {
                (0..<count).reduce(0) { sum, _ in sum + share.sample(using: &generator) }
            })
    }

    @Test("The same seed gives the same draws, at any time")
    func determinism() throws {
        for variance in [0.5, 1000, 0x1p20, 0x1p48] {
            let (first, second) = (try Skellam(variance: variance), try Skellam(variance: variance))
            var (a, b) = (SeededGenerator(seed: 167), SeededGenerator(seed: 167))
            for _ in 0..<2000 { #expect(first.sample(using: &a) == second.sample(using: &b)) }
        }
        var generator = SeededGenerator(seed: 168)
        let wide = try Skellam(variance: 0x1p48)
        let table = try Skellam(variance: 1000)
        let draws =
            (0..<4).map { _ in wide.sample(using: &generator) } + (0..<4).map { _ in table.sample(using: &generator) }
        #expect(draws == Self.knownDraws, "\(draws)")
    }

    static let knownDraws: [Int64] = [-6_266_943, -12_484_623, -17_947_527, 3_394_087, -20, 2, -19, -41]

    @Test("A draw takes about two words, whatever it is added to; a table's, exactly two")
    func words() throws {
        for (variance, most) in [(1000, 200_010), (0x1p14, 230_000), (0x1p48, 230_000)] as [(Double, Int)] {
            let noise = try Skellam(variance: variance)
            var (first, second) = (CountingGenerator(seed: 169), CountingGenerator(seed: 169))
            var zeros = [Int64](repeating: 0, count: 100_000)
            var large = [Int64](repeating: 1 << 60, count: 100_000)
            noise.add(to: &zeros, using: &first)
            noise.add(to: &large, using: &second)
            #expect(zeros == large.map { $0 - 1 << 60 })
            #expect(first.words == second.words && first.words <= most, "\(first.words)")
        }
    }

    @Test("Half-widths of large variances: sums where these can be added up")
    func wide() throws {
        for variance in [0x1.8p24, 0x1p26] {
            let noise = try Skellam(variance: variance)
            var sums = noise.probabilities()
            for x in sums.indices.dropLast().reversed() { sums[x] += sums[x + 1] }
            for multiple in stride(from: 0.0, through: 8.2, by: 0.2) {
                let h = Int64(multiple * variance.squareRoot())
                #expect(abs(noise.wideTail(h) / sums[Int(h) + 1] - 1) < 0x1p-30, "\(variance) \(multiple)")
            }
        }
        let noise = try Skellam(variance: 0x1p48)
        #expect(abs(Double(noise.halfWidth(confidence: 0.95)) / 0x1p24 - 1.959963984540054) < 1e-7)
    }

    @Test("Variances out of range are refused")
    func refused() {
        for variance in [0, -1, .nan, .infinity, 0x1p-21, 0x1.0000001p48] {
            #expect(throws: MechanismError.self) { try Skellam(variance: variance) }
        }
        #expect(throws: Never.self) { try (Skellam(variance: 0x1p-20), Skellam(variance: 0x1p48)) }
    }
}
