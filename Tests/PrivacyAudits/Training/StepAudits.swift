import DifferentialPrivacy
import Testing

@testable import Learning

/// A step of private training keeps what is claimed of it, and copies with the usual mistakes are caught: by the law of the noise, by the pull
/// of one adversarial unit, by the law of who is in a sample.
@Suite("Audits of a training step")
struct StepAudits {
    /// Three units whose gradients point one way; the adversary's, far larger, the other way.
    static func pair(samplingRate: Double) -> (with: AuditedExamples, without: AuditedExamples) {
        let others = (0..<3).map { _ in AuditedExamples.unit(0, of: 2, size: -100) }
        let adversary = AuditedExamples.unit(0, of: 2, size: 10_000)
        func examples(_ units: [(x: [Float], y: Float)]) -> AuditedExamples {
            AuditedExamples(units: units, inputs: 2, samplingRate: samplingRate)
        }
        return (examples(others + [adversary]), examples(others))
    }

    private func draw(_ step: some TrainingStep) -> Audit.Draw<Double> {
        { random in
            var step = step
            return step.release(using: &random)[0]
        }
    }

    @Test("The pull of one adversarial unit is within what is accounted, on samples and on everybody")
    func pull() throws {
        for rate in [1, 0.4] {
            let pair = Self.pair(samplingRate: rate)
            try Audit("step at \(rate)", try pair.with.claim(), runs: 10_000).holds(
                draw(try TrueStep(pair.with)), draw(try TrueStep(pair.without)))
        }
    }

    @Test(
        "Half the noise, clipping behind the average or by micro-batch, and noise not scaled with accumulation pull more",
        arguments: BrokenStep.Mistake.allCases.filter { $0 != .shuffles })
    func brokenPull(mistake: BrokenStep.Mistake) throws {
        let pair = Self.pair(samplingRate: 1)
        try Audit("step, \(mistake)", try pair.with.claim(), runs: 10_000).catches(
            draw(try BrokenStep(mistake, pair.with)), draw(try BrokenStep(mistake, pair.without)))
    }

    /// Mean square and neighbours' products of the noise on an empty data set, in parts of what is claimed: each how many standard
    /// deviations away. 6.5 of them have the probability 8e-11.
    private func noise(_ step: some TrainingStep, sigma: Double, _ name: String) -> (square: Double, product: Double) {
        var (step, random) = (step, AuditRandom("noise of \(name)"))
        var (square, product, count, last) = (0.0, 0.0, 0, 0.0)
        while count < (AuditRun.isDeep ? 1_000_000 : 20_000) {
            for value in step.release(using: &random) {
                square += value * value / (sigma * sigma)
                product += value * last / (sigma * sigma)
                last = value
                count += 1
            }
        }
        let n = Double(count)
        return (abs(square / n - 1) / (2 / n).squareRoot(), abs(product / n) / (1 / n).squareRoot())
    }

    @Test("The noise of an empty sample has the law that is accounted; half of it, or less with accumulation, is seen")
    func law() throws {
        let nobody = AuditedExamples(units: [], inputs: 16)
        let sigma = try nobody.run().privacy.sigma
        let right = noise(try TrueStep(nobody), sigma: sigma, "the step")
        #expect(right.square < 6.5 && right.product < 6.5)
        for mistake in [BrokenStep.Mistake.noiseHalved, .noiseNotScaledWithAccumulation] {
            #expect(noise(try BrokenStep(mistake, nobody), sigma: sigma, mistake.rawValue).square > 6.5)
        }
    }

    /// Who is in two samples one after the other, as a number of 2 n bits.
    private func inclusions(_ step: some TrainingStep, steps: Double, _ random: inout AuditRandom) -> Int {
        var step = step
        return (0..<2).reduce(0) { bits, _ in
            step.release(using: &random).reduce(bits) { $0 * 2 + ($1 > steps / 2 ? 1 : 0) }
        }
    }

    /// The patterns whose frequency is not that of independent draws, at the audit's share of the false-alarm rate.
    private func violations(_ step: some TrainingStep, _ examples: AuditedExamples, _ name: String) throws -> Int {
        let (rate, bits) = (examples.samplingRate, 2 * examples.units.count)
        let draws = AuditRun.isDeep ? 500_000 : 10_000
        var random = AuditRandom("inclusion of \(name)")
        var counts = [Int](repeating: 0, count: 1 << bits)
        let gridSteps = try examples.run().privacy.gradientSteps
        for _ in 0..<draws { counts[inclusions(step, steps: gridSteps, &random)] += 1 }
        let bounds = ClopperPearson(trials: draws, error: AuditRun.share() / Double(2 * counts.count))
        return counts.indices.count { pattern in
            let taken = pattern.nonzeroBitCount
            var probability = 1.0
            for bit in 0..<bits { probability *= bit < taken ? rate : 1 - rate }
            return bounds.lower(counts[pattern]) > probability || bounds.upper(counts[pattern]) < probability
        }
    }

    @Test(
        "Each unit is in each sample by itself, with the rate that is accounted; taking turns in a shuffled order is seen"
    )
    func inclusion() throws {
        // Each unit has a direction of its own, and hardly any noise: who is in the sample is seen.
        let units = (0..<4).map { AuditedExamples.unit($0, of: 4, size: 100) }
        for rate in [0.5, 0.25] {
            let examples = AuditedExamples(units: units, inputs: 4, noiseMultiplier: 0x1p-10, samplingRate: rate)
            #expect(try violations(TrueStep(examples), examples, "the step at \(rate)") == 0)
            let shuffled = try BrokenStep(.shuffles, examples)
            #expect(try violations(shuffled, examples, "a shuffled order at \(rate)") > 0)
        }
    }
}
