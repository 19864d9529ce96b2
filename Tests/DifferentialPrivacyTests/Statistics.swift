import Foundation
import Secrets

/// Chi-square tests with pooled cells. All draws are seeded, so a test passes or fails for good; the false-alarm rate
/// says how likely a right implementation was to fail with a fresh seed.
enum ChiSquare {
    /// z of a false-alarm rate of 1e-6, one-sided.
    static let criticalDeviation = 4.753424

    /// Whether the counts fit the probabilities at that false-alarm rate. Cells that expect fewer than 10 are pooled,
    /// neighbours first; what the probabilities leave below 1 is a cell of its own, for draws in none of the others.
    static func fits(counts: [Int], probabilities: [Double], draws: Int) -> Bool {
        var cells: [(count: Double, expected: Double)] = []
        var pool = (count: 0.0, expected: 0.0)
        for (count, probability) in zip(counts, probabilities) {
            pool.count += Double(count)
            pool.expected += probability * Double(draws)
            if pool.expected >= 10 {
                cells.append(pool)
                pool = (0, 0)
            }
        }
        pool.count += Double(draws - counts.reduce(0, +))
        pool.expected += max(0, 1 - probabilities.reduce(0, +)) * Double(draws)
        if pool.expected >= 10 || cells.isEmpty {
            cells.append(pool)
        } else {
            cells[cells.count - 1].count += pool.count
            cells[cells.count - 1].expected += pool.expected
        }
        guard cells.count > 1 else { return cells[0].count == Double(draws) }
        let statistic = cells.reduce(0) { $0 + ($1.count - $1.expected) * ($1.count - $1.expected) / $1.expected }
        return statistic <= criticalValue(degreesOfFreedom: cells.count - 1)
    }

    /// Wilson and Hilferty's approximation (1931), right to a per cent here.
    static func criticalValue(degreesOfFreedom: Int) -> Double {
        let k = Double(degreesOfFreedom)
        let root = 1 - 2 / (9 * k) + criticalDeviation * (2 / (9 * k)).squareRoot()
        return k * root * root * root
    }
}

/// Counts the words that are drawn from a seeded generator.
struct CountingGenerator: RandomNumberGenerator {
    private var generator: SeededGenerator
    private(set) var words = 0

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func next() -> UInt64 {
        words += 1
        return generator.next()
    }
}

/// Known answers computed by other implementations, in a folder beside the package where there is one.
enum KnownAnswers {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("../shared/vectors/dp").standardizedFileURL

    static let areAvailable = FileManager.default.fileExists(atPath: folder.path)

    static func rows<Row: Decodable>(_ name: String, as: Row.Type) throws -> [Row] {
        // Python writes infinity as a bare word, which JSON does not have.
        let text = try String(contentsOf: folder.appendingPathComponent(name + ".json"), encoding: .utf8)
            .replacing("Infinity", with: "\"Infinity\"")
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return try decoder.decode(File<Row>.self, from: Data(text.utf8)).data
    }

    private struct File<Row: Decodable>: Decodable { var data: [Row] }
}
