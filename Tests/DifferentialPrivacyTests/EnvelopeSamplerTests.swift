import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

/// The envelope's argument, checked on the table itself.
@Suite("Envelope of an exact sampler")
struct EnvelopeSamplerTests {
    static let scales: [Double] = {
        var generator = SeededGenerator(seed: 11)
        let random = (0..<120).map { _ in
            Double.random(in: 1...2, using: &generator)
                * Double(sign: .plus, exponent: Int.random(in: -20...39, using: &generator), significand: 1)
        }
        return random + [0x1p-20, 0x1p40, 1, 0.5, 2, 1e-3, 1e3, 1e6, 1e12]
    }()

    @Test("No acceptance probability exceeds one, strips join without a gap, and the tail halves", arguments: scales)
    func envelope(scale: Double) throws {
        try check(DiscreteGaussian(sigma: scale).sampler)
        try check(DiscreteLaplace(scale: scale).sampler)
    }

    private func check(_ sampler: EnvelopeSampler) throws {
        #expect(sampler.slots.count == EnvelopeSampler.slotCount)
        var next: UInt64 = 0
        for (index, strip) in sampler.strips.enumerated() {
            #expect(strip.first == next)
            #expect(sampler.stripOfSlot.count { $0 == index } == Int(strip.slots))
            let isTail = index == sampler.strips.count - 1
            for x in Set([strip.first, strip.first + strip.width / 2, strip.first + strip.width - 1]) {
                #expect(sampler.acceptance(x, strip, block: isTail ? 0 : nil).upper <= 1 << 64)
            }
            next += strip.width
        }
        for (slot, index) in zip(sampler.slots, sampler.stripOfSlot) {
            let strip = sampler.strips[Int(index)]
            #expect(slot.first == strip.first)
            if Int(index) == sampler.strips.count - 1 {
                #expect(slot.width == 0 && slot.quick == 0)
            } else {
                // A draw that the slot takes at once is one that the exact comparison takes too.
                let last = strip.first + strip.width - 1
                let bounds = sampler.acceptance(last, strip)
                #expect(slot.quick == 0 || UInt128(slot.quick) + UInt128(strip.width) << 11 <= bounds.lower)
            }
        }
        let tail = try #require(sampler.strips.last)
        for block in 0..<6 as Range<UInt64> {
            let first = tail.first + block * tail.width
            #expect(sampler.acceptance(first, tail, block: Int(block)).upper <= 1 << 64)
        }
    }

    @Test("An integer is proposed and accepted in proportion to its weight, zero by halves", arguments: scales)
    func proportion(scale: Double) throws {
        try checkProportion(DiscreteGaussian(sigma: scale).sampler) { -($0 / scale) * ($0 / scale) / 2 }
        try checkProportion(DiscreteLaplace(scale: scale).sampler) { -$0 / scale }
    }

    /// `logarithm`: of the weight of a magnitude, before zero's is halved.
    private func checkProportion(_ sampler: EnvelopeSampler, _ logarithm: (Double) -> Double) throws {
        let tail = sampler.strips.count - 1
        for (index, strip) in sampler.strips.enumerated() {
            let blocks = index == tail ? 0...3 : 0...0
            for block in blocks {
                for offset in Set([0, strip.width / 3, strip.width - 1]) {
                    let x = strip.first + UInt64(block) * strip.width + offset
                    let weight = logarithm(Double(x)) - (x == 0 ? log(2) : 0)
                    // Bounds of 64 bits say nothing of much smaller probabilities.
                    let bounds = sampler.acceptance(x, strip, block: index == tail ? block : nil)
                    guard bounds.lower > 1 << 40 else { continue }
                    let proposed =
                        log(Double(strip.slots)) - log(Double(strip.width))
                        - (index == tail ? Double(block + 1) * log(2) : 0)
                    let accepted = log(Double(bounds.lower) * 0x1p-64)
                    // Both sides divided by the weight W of a slot, which is the same for all.
                    let slotWeight = log(Double(sampler.weight)) - Double(sampler.weightShift) * log(2)
                    #expect(abs(proposed + accepted + slotWeight - weight) < 1e-6)
                }
            }
        }
    }

    @Test("A draw takes at most 1.2 words on average, whatever the scale: the draw, not the data, sets the time")
    func words() throws {
        for scale in [1e-3, 0.25, 1, 3, 10, 30, 100, 1e3, 1e6, 1e12] {
            var generator = CountingGenerator(seed: 5)
            var zeros = [Int64](repeating: 0, count: 100_000)
            try DiscreteGaussian(sigma: scale).add(to: &zeros, using: &generator)
            try DiscreteLaplace(scale: scale).add(to: &zeros, using: &generator)
            #expect(generator.words < 240_000, "scale \(scale)")
        }
    }

    @Test("Noise and the words drawn for it do not depend on what it is added to")
    func independence() throws {
        let noise = try DiscreteGaussian(sigma: 37.5)
        var (first, second) = (CountingGenerator(seed: 6), CountingGenerator(seed: 6))
        var zeros = [Int64](repeating: 0, count: 10_000)
        var large = [Int64](repeating: 1 << 60, count: 10_000)
        noise.add(to: &zeros, using: &first)
        noise.add(to: &large, using: &second)
        #expect(zeros == large.map { $0 - 1 << 60 })
        #expect(first.words == second.words)
    }

    @Test("A sum beyond 64 bits becomes the bound, and no error")
    func saturation() throws {
        var generator = SeededGenerator(seed: 7)
        var values = [Int64](repeating: .max, count: 100) + [Int64](repeating: .min, count: 100)
        try DiscreteLaplace(scale: 1e6).add(to: &values, using: &generator)
        #expect(values[..<100].allSatisfy { $0 > 0 } && values[100...].allSatisfy { $0 < 0 })
        #expect(values.contains(.max) && values.contains(.min))
    }

    @Test("Scales out of range are refused")
    func range() {
        for scale in [0, -1, .nan, .infinity, 0x1p-21, 0x1.0000001p40] {
            #expect(throws: MechanismError.self) { try DiscreteGaussian(sigma: scale) }
            #expect(throws: MechanismError.self) { try DiscreteLaplace(scale: scale) }
        }
    }

    @Test("There is no floating-point number where draws are made")
    func integersOnly() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/DifferentialPrivacy")
        for name in [
            "Noise/EnvelopeSampler", "Noise/ExponentialBernoulli", "Noise/PoissonSampler", "Noise/PoissonExponent",
            "Noise/EnvelopeLaw", "Selection/LazyUniform",
            "Selection/WeightedChoice", "Noise/ExponentRate", "Arithmetic/Natural",
        ] {
            let text = try String(contentsOf: sources.appendingPathComponent(name + ".swift"), encoding: .utf8)
            let code = text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }
            #expect(code.count > 10)
            for word in ["Double", "Float", "exp(", "log(", "squareRoot"] {
                #expect(!code.contains { $0.contains(word) }, "\(word) in \(name).swift")
            }
        }
    }
}
