import DifferentialPrivacy
import Foundation
import Testing

/// Draws against their exact laws, at scales from 1e-3 to 1e12: every cell's frequency is within Clopper and Pearson's
/// bounds around its probability, all cells together at the audit's share of the false-alarm rate.
@Suite("Audits of samplers")
struct SamplerAudits {
    static let scales: [Double] =
        [1e-3, 0.1, 0.25, 0.5, 1, 1.5, 2, 7.7, 10, 63, 65, 100, 1e3, 12_345.678, 1e5, 1e6, 1e7, 1e9, 1e11, 1e12]

    /// Cells of magnitudes, each for both signs, with edges at whole numbers near parts of the scale.
    struct Cells {
        let edges: [Int64]
        let probabilities: [Double]

        init(scale: Double, upperTail: (Int64) -> Double) {
            let places = stride(from: 0.25, through: 8, by: 0.25).map { Int64(($0 * scale).rounded(.up)) }
            edges = Set([1] + places).sorted()
            // A cell ends before the next one's edge; the last one has no end.
            let tails = edges.map(upperTail) + [0]
            let magnitudes = zip(tails, tails.dropFirst()).map { $0 - $1 }
            probabilities = [1 - 2 * tails[0]] + magnitudes + magnitudes
        }

        func index(_ x: Int64) -> Int {
            guard x != 0 else { return 0 }
            let magnitude = Int64(clamping: x.magnitude)
            let cell = edges.lastIndex { $0 <= magnitude } ?? 0
            return 1 + cell + (x < 0 ? edges.count : 0)
        }
    }

    /// The cells whose probability is not within the bounds that their counts give.
    private func violations(
        _ name: String, probabilities: [Double], _ draw: (inout AuditRandom) -> Int
    ) -> [Int] {
        let draws = AuditRun.isDeep ? 5_000_000 : 100_000
        var random = AuditRandom(name)
        var counts = [Int](repeating: 0, count: probabilities.count)
        for _ in 0..<draws { counts[draw(&random)] += 1 }
        let bounds = ClopperPearson(trials: draws, error: AuditRun.share() / Double(2 * probabilities.count))
        return probabilities.indices.filter {
            // Tails are rounded upwards, by 1e-8 of them at most where sigma is above 64.
            let slack = probabilities[$0] * 1e-6 + 1e-12
            return bounds.lower(counts[$0]) > probabilities[$0] + slack
                || bounds.upper(counts[$0]) < probabilities[$0] - slack
        }
    }

    @Test("Discrete Gaussian and Laplace draws", arguments: scales)
    func laws(scale: Double) throws {
        let gaussian = try DiscreteGaussian(sigma: scale)
        let laplace = try DiscreteLaplace(scale: scale)
        let normal = Cells(scale: scale) { gaussian.upperTail($0) }
        let exponential = Cells(scale: scale) { laplace.upperTail($0) }
        let name = "draws of scale \(scale)"
        #expect(
            violations("Gaussian \(name)", probabilities: normal.probabilities) {
                normal.index(gaussian.sample(using: &$0))
            } == [])
        #expect(
            violations("Laplace \(name)", probabilities: exponential.probabilities) {
                exponential.index(laplace.sample(using: &$0))
            } == [])
        guard scale >= 1e3 else { return }
        let even = [Double](repeating: 1.0 / 16, count: 16)
        #expect(
            violations("Gaussian bits \(name)", probabilities: even) { Int(gaussian.sample(using: &$0) & 15) } == [])
        #expect(violations("Laplace bits \(name)", probabilities: even) { Int(laplace.sample(using: &$0) & 15) } == [])
    }

    @Test("Noise of a scale 10 % off, and a rounded continuous draw, are caught")
    func broken() throws {
        let right = try DiscreteGaussian(sigma: 100)
        let cells = Cells(scale: 100) { right.upperTail($0) }
        let wrong = try DiscreteGaussian(sigma: 110)
        #expect(
            violations("10 % off", probabilities: cells.probabilities) { cells.index(wrong.sample(using: &$0)) } != [])
        let one = try DiscreteGaussian(sigma: 1)
        let unit = Cells(scale: 1) { one.upperTail($0) }
        #expect(
            violations("rounded", probabilities: unit.probabilities) { random in
                // Box and Muller 1958.
                let (u, v) = (Double(random.next() >> 11 | 1) * 0x1p-53, Double(random.next() >> 11) * 0x1p-53)
                return unit.index(Int64(((-2 * log(u)).squareRoot() * cos(2 * .pi * v)).rounded()))
            } != [])
    }
}
