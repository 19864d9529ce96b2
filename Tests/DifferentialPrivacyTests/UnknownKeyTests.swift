import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Unknown keys, and unknown bounds")
struct UnknownKeyTests {
    /// The greatest probability with which an (epsilon, delta)-private rule keeps a key of n units (Desfontaines et al.
    /// 2022, theorem 1's recurrence).
    private func optimal(_ n: Int, epsilon: Double, delta: Double) -> Double {
        (0..<n).reduce(0.0) { p, _ in
            min(exp(epsilon) * p + delta, 1 - exp(-epsilon) * (1 - p - delta), 1)
        }
    }

    /// The law of a key's noisy number, nil (`.min`) where it is not kept, written out.
    private func law(_ selection: KeySelection, units: Int64) -> [Int64: Double] {
        let epsilon = selection.epsilon / Double(selection.groupsPerUnit)
        let cut = selection.cut
        let total = (-cut...cut).reduce(0.0) { $0 + exp(-epsilon * abs(Double($1))) }
        return (-cut...cut).reduce(into: [:]) { law, draw in
            let noisy = units + draw
            law[noisy > cut ? noisy : .min, default: 0] += exp(-epsilon * abs(Double(draw))) / total
        }
    }

    @Test("A key is kept with the optimal probability for the delta that the cut reaches, at every number of units")
    func optimalKeys() throws {
        for (epsilon, delta) in [(1, 1e-5), (0.1, 1e-3), (2.5, 1e-9), (0.5, 0.3)] as [(Double, Double)] {
            let selection = try KeySelection(epsilon: epsilon, delta: delta)
            #expect(selection.delta <= delta)
            let looser = KeySelection.failure(cut: selection.cut - 1, scale: 1 / epsilon, groups: 1)
            #expect(looser > delta || selection.cut == 1)
            for units in 0...(2 * selection.cut + 3) {
                let kept = 1 - (law(selection, units: units)[.min] ?? 0)
                let best = optimal(Int(units), epsilon: epsilon, delta: selection.delta)
                #expect(abs(kept - best) < 1e-9)
            }
        }
    }

    @Test("Numbers and keys together are (epsilon, delta)-private for every n: all outputs written out")
    func exactPrivacy() throws {
        let selection = try KeySelection(epsilon: 0.7, delta: 1e-4)
        for units in 0...(2 * selection.cut + 3) {
            let (p, q) = (law(selection, units: units), law(selection, units: units + 1))
            for (one, other) in [(p, q), (q, p)] {
                let delta = one.reduce(0.0) { $0 + max(0, $1.value - exp(0.7) * (other[$1.key] ?? 0)) }
                #expect(delta <= selection.delta * (1 + 1e-9))
            }
        }
    }

    @Test("Draws follow that law, in the order of keys (chi-square, false alarm 1e-6 each, seeded)")
    func draws() throws {
        let selection = try KeySelection(groupsPerUnit: 2, epsilon: 2, delta: 0.02)
        let units: [String: Int64] = ["one": 1, "few": selection.cut, "many": 2 * selection.cut + 1, "none": 0]
        var generator = SeededGenerator(seed: 121)
        var counts: [String: [Int64: Int]] = [:]
        for _ in 0..<50_000 {
            let kept = try selection.select(units, using: &generator)
            #expect(kept.map(\.key) == kept.map(\.key).sorted())
            for (key, noisy) in kept { counts[key, default: [:]][noisy, default: 0] += 1 }
        }
        #expect(counts["none"] == nil)
        for (key, number) in units where key != "none" {
            let outputs = law(selection, units: number).filter { $0.key != .min }.sorted { $0.key < $1.key }
            #expect(
                ChiSquare.fits(
                    counts: outputs.map { counts[key]?[$0.key] ?? 0 }, probabilities: outputs.map(\.value),
                    draws: 50_000))
        }
        // More than twice the cut: always kept.
        #expect(counts["many"]?.values.reduce(0, +) == 50_000)
    }

    @Test("A stability histogram's threshold is the least that its delta allows")
    func stability() throws {
        for (groups, rows, epsilon, delta) in [(1, 1, 1, 1e-6), (3, 2, 0.5, 1e-9), (20, 1, 4, 1e-4)]
            as [(Int, Int, Double, Double)]
        {
            let histogram = try StabilityHistogram(
                groupsPerUnit: groups, rowsPerUnitAndGroup: rows, epsilon: epsilon, delta: delta)
            let distance = histogram.threshold - Int64(rows)
            #expect(histogram.delta <= delta)
            #expect(Double(groups) * histogram.noise.upperTail(distance) <= delta)
            #expect(Double(groups) * histogram.noise.upperTail(distance - 1) > delta * (1 - 1e-9) || distance == 1)
            #expect(Double(groups * rows) / histogram.noise.scale <= epsilon)
        }
        let histogram = try StabilityHistogram(groupsPerUnit: 1, epsilon: 1, delta: 1e-6)
        var generator = SeededGenerator(seed: 122)
        let kept = histogram.release([3: 1_000, 1: 2, 2: 5_000, 9: .max], using: &generator)
        #expect(kept.map(\.key) == [2, 3, 9])
        #expect(kept.allSatisfy { abs($0.value - [2: 5_000, 3: 1_000, 9: .max][$0.key, default: 0]) < 40 })
    }

    @Test("Bounds enclose the bulk of the values in powers of two, whatever their signs")
    func bounds() throws {
        var generator = SeededGenerator(seed: 123)
        let discovery = try BoundsDiscovery(exponents: -10...20, epsilon: 1)
        func bounds(_ values: [Double]) -> [Double]? {
            discovery.release(values, using: &generator).map { [$0.lower, $0.upper] }
        }
        let many = 1_000
        #expect(bounds((0..<many).map { 3 + Double($0) / 100 }) == [2, 16])
        #expect(bounds((0..<many).map { -3 - Double($0) / 100 }) == [-16, -2])
        #expect(bounds((0..<many).map { $0 % 2 == 0 ? -5 : 700 }) == [-8, 1024])
        #expect(bounds([Double](repeating: 0, count: many)) == [0, 0x1p-10])
        #expect(bounds([Double](repeating: -0x1p-30, count: many)) == [-0x1p-10, 0])
        #expect(bounds([Double](repeating: 8, count: many)) == [8, 16])
        #expect(bounds([Double](repeating: .infinity, count: many)) == [0x1p19, 0x1p20])
        #expect(bounds([Double](repeating: -1e300, count: many)) == [-0x1p20, -0x1p19])
        #expect(bounds([Double](repeating: .nan, count: many)) == nil)
        #expect(bounds([1, 2, 3]) == nil)
        // An outlier is not seen.
        #expect(bounds([Double](repeating: 5, count: many) + [1e6]) == [4, 8])
    }

    @Test("Empty bins are taken for occupied as rarely as is said (10,000 empty tables; false alarm below 1e-6)")
    func emptyBins() throws {
        let discovery = try BoundsDiscovery(exponents: 0...30, epsilon: 0.5, rowsPerUnit: 2, confidence: 0.95)
        var generator = SeededGenerator(seed: 124)
        let wrong = (0..<10_000).count { _ in discovery.release([], using: &generator) != nil }
        #expect(wrong <= 605 && wrong > 0)
    }
}
