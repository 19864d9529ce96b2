import Foundation
import Secrets
import Tables
import Testing

@testable import SyntheticData

/// The RAND Health Insurance Experiment (../shared/data/surveys/randhie.csv.gz), with bounds and domains as in the
/// demonstration's manifest: 20,190 rows, up to 5 of a person.
enum RandHealthTable {
    static let rowsPerUnit = 5

    static var file: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "shared/data/surveys/randhie.csv.gz").standardizedFileURL
    }

    /// Found beside the repository, or beside the folder that the sources are linked into.
    static var available: URL? {
        let beside = URL(filePath: FileManager.default.currentDirectoryPath)
            .appending(path: "../shared/data/surveys/randhie.csv.gz").standardizedFileURL
        return [file, beside].first { FileManager.default.fileExists(atPath: $0.path) }
    }

    static let schema: Schema = {
        func domain(_ name: String, _ values: [Int64]) -> ColumnSchema {
            ColumnSchema(name: name, type: .integer, isNullable: false, domain: values.map(Value.integer))
        }
        func real(_ name: String, _ upper: Double, _ step: Double, isNullable: Bool = false) -> ColumnSchema {
            ColumnSchema(
                name: name, type: .real, isNullable: isNullable, lowerBound: 0, upperBound: upper, resolution: step)
        }
        func count(_ name: String, _ upper: Double, from lower: Double = 0) -> ColumnSchema {
            ColumnSchema(name: name, type: .integer, isNullable: false, lowerBound: lower, upperBound: upper)
        }
        return Schema(columns: [
            domain("plan", Array(1...11) + Array(13...19)), domain("site", Array(1...6)),
            domain("coins", [0, 25, 50, 95, 100]), domain("tookphys", [0, 1]), domain("year", Array(1...5)),
            ColumnSchema(name: "zper", type: .integer, isNullable: false), real("income", 30_000, 10),
            real("xage", 67, 0.1), domain("female", [0, 1]), real("educdec", 25, 0.5, isNullable: true),
            real("outpdol", 2_000, 1), real("drugdol", 500, 1), real("inpdol", 5_000, 5), real("meddol", 5_000, 1),
            count("totadm", 5), domain("inpmis", [0, 1]), count("mdvis", 50), count("num", 14, from: 1),
            real("mhi", 100, 0.5), real("disea", 60, 0.5), real("ghindx", 100, 0.5, isNullable: true),
        ])
    }()

    static let unitColumn = 5

    static let plan = IngestPlan(
        schema: schema, unitColumn: unitColumn, rowsPerUnit: rowsPerUnit,
        key: ClusteringKey(siteSecret: Array("a secret for tests".utf8), population: "rand"), onError: .null)

    static func load() throws -> Table {
        let path = try #require(available).path
        let process = BegunProcess()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", path]
        let output = Pipe()
        process.standardOutput = output
        try process.begin()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let lines = text.split(whereSeparator: \.isNewline)
        let header = lines[0].split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "\"")) }
        let places = try schema.columns.map { column in try #require(header.firstIndex(of: column.name)) }
        let rows = lines.dropFirst().map { line in
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            return zip(schema.columns, places).map { column, place -> Value in
                guard let number = Double(cells[place]) else { return .null }
                return column.type == .real ? .real(number) : .integer(Int64(number.rounded()))
            }
        }
        return try Table(rows: rows, plan: plan)
    }
}

/// The shares of a table's rows in cells that are public: what errors are measured on.
struct MarginalShares {
    let singles: [[Double]]
    let pairs: [(left: Int, right: Int, shares: [Double])]
    private let groupCounts: [Int]

    /// Numbers in their cells; pairs in at most 12 groups of cells a column.
    init(_ table: Table, _ columns: [SyntheticColumn]) throws {
        let counting = try #require(MarginalCounting(columns.map(\.partition), rowsPerUnit: 1 << 20, table: table))
        groupCounts = columns.map { Int(Self.groups($0).max() ?? 0) + 1 }
        singles = counting.singles().counts.map(Self.shares)
        let exact = counting.pairs(groups: columns.map(Self.groups))
        var pairs: [(left: Int, right: Int, shares: [Double])] = []
        for left in columns.indices {
            for right in columns.indices.dropFirst(left + 1) {
                pairs.append((left, right, Self.shares(exact.counts(left, right))))
            }
        }
        self.pairs = pairs
    }

    /// Of independent columns.
    init(independent singles: [[Double]], _ columns: [SyntheticColumn]) {
        self.singles = singles
        groupCounts = columns.map { Int(Self.groups($0).max() ?? 0) + 1 }
        let merged = zip(singles, columns).map { shares, column in
            var sums = [Double](repeating: 0, count: Int(Self.groups(column).max() ?? 0) + 1)
            for (share, group) in zip(shares, Self.groups(column)) { sums[Int(group)] += share }
            return sums
        }
        var pairs: [(left: Int, right: Int, shares: [Double])] = []
        for left in columns.indices {
            for right in columns.indices.dropFirst(left + 1) {
                pairs.append((left, right, merged[left].flatMap { a in merged[right].map { a * $0 } }))
            }
        }
        self.pairs = pairs
    }

    static func groups(_ column: SyntheticColumn) -> [Int32] {
        (0..<column.cellCount).map { cell in
            Int32(column.cellCount <= 12 ? cell : cell * 12 / column.cellCount)
        }
    }

    private static func shares(_ counts: [Int64]) -> [Double] {
        let total = Double(counts.reduce(0, +))
        return counts.map { Double($0) / max(total, 1) }
    }

    /// Mean total variation distances of single columns and of pairs.
    func errors(against truth: MarginalShares) -> (singles: Double, pairs: Double, dependent: Double) {
        func distance(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) } / 2 }
        let one = zip(singles, truth.singles).map(distance)
        let two = zip(pairs, truth.pairs).map { distance($0.shares, $1.shares) }
        let strongest = truth.dependences.enumerated().sorted { $0.element > $1.element }.prefix(20).map(\.offset)
        return (
            one.reduce(0, +) / Double(one.count), two.reduce(0, +) / Double(two.count),
            strongest.reduce(0) { $0 + two[$1] } / Double(strongest.count)
        )
    }

    /// Each pair's total variation distance from independence.
    private var dependences: [Double] {
        pairs.map { pair in
            let width = groupCounts[pair.right]
            var above = [Double](repeating: 0, count: groupCounts[pair.left])
            var below = [Double](repeating: 0, count: width)
            for (place, share) in pair.shares.enumerated() {
                above[place / width] += share
                below[place % width] += share
            }
            return pair.shares.enumerated().reduce(0) {
                $0 + abs($1.element - above[$1.offset / width] * below[$1.offset % width])
            } / 2
        }
    }
}
