import DifferentialPrivacy
import Testing

@testable import Learning

/// The released mean of features keeps what is claimed of it: the pull of one adversarial unit, and the law of its noise.
@Suite("Audits of the mean of features")
struct FeatureMeanAudits {
    private static let features = 4

    /// A release under audit, in steps of the noise's grid.
    private struct Release {
        let mean: FeatureMean
        let examples: Examples

        /// - Parameter noiseMultiplier: What is claimed is for 1.
        init(_ units: [[[Float]]], noiseMultiplier: Double = 1) throws {
            mean = try FeatureMean(features: features, capacity: 8, norm: 1, noiseMultiplier: noiseMultiplier)
            var ranges: [Range<Int>] = []
            for unit in units {
                ranges.append((ranges.last?.upperBound ?? 0)..<(ranges.last?.upperBound ?? 0) + unit.count)
            }
            let rows = units.flatMap { $0 }
            examples = try Examples(
                inputs: Tensor(shape: [rows.count, features], values: rows.flatMap { $0 }),
                targets: .labels(rows.map { _ in 0 }), units: ranges)
        }

        func draw(_ random: inout AuditRandom) throws -> [Double] {
            let unit = 1 / mean.privacy.gradientSteps / mean.privacy.expectedUnits
            return try mean.release(examples, using: &random).map { (Double($0) / unit).rounded() }
        }
    }

    private static func row(_ first: Float) -> [Float] { [first] + [Float](repeating: 0, count: features - 1) }
    private static let others = (0..<3).map { _ in [row(-1)] }
    /// As one row, as many rows that only together are long, and as no number.
    private static let adversaries: [[[Float]]] = [
        [row(10_000)], (0..<20).map { _ in row(0.9) }, [row(.infinity)], [row(.nan)],
    ]

    private func claim() throws -> PrivacyClaim {
        var accountant = try PrivacyLossAccountant()
        try accountant.compose(try Release([]).mean.privacy.event)
        return PrivacyClaim(
            points: try [0.1, 1e-2, 1e-3].map { .init(epsilon: try accountant.epsilon(delta: $0).upper, delta: $0) })
    }

    private func first(_ release: Release) -> Audit.Draw<Double> {
        { random in (try? release.draw(&random)[0]) ?? .nan }
    }

    @Test("One unit pulls no more than is accounted, whatever its rows are")
    func pull() throws {
        for (index, adversary) in Self.adversaries.enumerated() {
            try Audit("mean, adversary \(index)", try claim(), runs: 10_000).holds(
                first(try Release(Self.others + [adversary])), first(try Release(Self.others)))
        }
    }

    @Test("Half the noise pulls more than is accounted")
    func halved() throws {
        try Audit("mean, noise halved", try claim(), runs: 10_000).catches(
            first(try Release(Self.others + [Self.adversaries[0]], noiseMultiplier: 0.5)),
            first(try Release(Self.others, noiseMultiplier: 0.5)))
    }

    @Test("The noise of nobody's mean has the deviation that is accounted (false alarm 8e-11); half of it is seen")
    func law() throws {
        func deviations(_ noiseMultiplier: Double) throws -> Double {
            let release = try Release([], noiseMultiplier: noiseMultiplier)
            let sigma = try Release([]).mean.privacy.sigma
            var (random, square, count) = (AuditRandom("noise of a mean"), 0.0, 0.0)
            while count < (AuditRun.isDeep ? 1_000_000 : 20_000) {
                for value in try release.draw(&random) { (square, count) = (square + value * value, count + 1) }
            }
            return abs(square / (sigma * sigma) / count - 1) / (2 / count).squareRoot()
        }
        #expect(try deviations(1) < 6.5)
        #expect(try deviations(0.5) > 6.5)
    }

    @Test("The mean is that of the rows where noise is small, and is taken off them")
    func removed() throws {
        let release = try Release((0..<8).map { [Self.row(Float($0) / 8)] }, noiseMultiplier: 0x1p-10)
        var random = AuditRandom("a mean")
        let mean = try release.mean.release(release.examples, using: &random)
        #expect(abs(mean[0] - 0.4375) < 1e-2 && mean.dropFirst().allSatisfy { abs($0) < 1e-2 })
        let rows = try FeatureMean.removed(mean, from: release.examples)
        #expect(rows.inputs([3]).values[0] == release.examples.inputs([3]).values[0] - mean[0])
        #expect(rows.units == release.examples.units)
        #expect(throws: ModelError.self) { try FeatureMean.removed([1], from: release.examples) }
    }
}
