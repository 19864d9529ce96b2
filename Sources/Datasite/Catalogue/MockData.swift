import Crypto
public import DatasiteProtocol
import Governance
import Query
import Secrets
import Tables

/// Made-up rows, from the manifest alone: no privacy cost, the same for all who look (docs/privacy.md, rule 24).
///
/// The generator's seed is a hash of the dataset's name, its bound of rows a unit, and its columns' names and types. Values are
/// drawn uniformly from domains and bounds; so mock answers have the right types and shapes, and say nothing of the people.
struct MockData {
    private let manifest: Manifest
    private static let rowCount = 1_000

    init(_ manifest: Manifest) { self.manifest = manifest }

    private var seed: UInt64 {
        var text = "parley mock v1\n\(manifest.name)\n\(manifest.unit.rowsPerUnit)\n"
        for column in manifest.schema.columns { text += "\(column.name) \(column.type.rawValue)\n" }
        return SHA256.hash(data: Array(text.utf8)).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Rows of consecutive units, each with one to its bound of rows.
    func rows(atMost limit: Int = MockData.rowCount) -> [[Value]] {
        var generator = SeededGenerator(seed: seed)
        let wanted = min(Self.rowCount, manifest.capacityRows, limit)
        let perUnit = min(manifest.unit.rowsPerUnit, 8)
        var rows: [[Value]] = []
        var unit: Int64 = 0
        while rows.count < wanted {
            unit += 1
            let count = 1 + Int(generator.next() % UInt64(perUnit))
            for _ in 0..<min(count, wanted - rows.count) { rows.append(row(unit, &generator)) }
        }
        return rows
    }

    /// The given rows, or these, as a table, clustered like a real one.
    func table(rows given: [[Value]]? = nil) throws -> Table {
        let plan = IngestPlan(
            schema: manifest.schema, unitColumn: manifest.unit.column, rowsPerUnit: manifest.unit.rowsPerUnit,
            key: ClusteringKey(siteSecret: Array("mock data are not secret".utf8), population: "mock"), onError: .null)
        return try Table(rows: given ?? rows(), plan: plan)
    }

    /// Fills columns that a synthetic table has no values for, as in rows that are made up altogether.
    func fill(_ columns: [Int], of rows: inout [[Value]]) {
        var generator = SeededGenerator(seed: seed)
        for row in rows.indices {
            for index in columns { rows[row][index] = value(manifest.schema.columns[index], &generator) }
        }
    }

    private func row(_ unit: Int64, _ generator: inout SeededGenerator) -> [Value] {
        manifest.schema.columns.enumerated().map { index, column in
            if index == manifest.unit.column { return column.madeUpUnit(unit) }
            return value(column, &generator)
        }
    }

    private func value(_ column: ColumnSchema, _ generator: inout SeededGenerator) -> Value {
        if column.isNullable, generator.next() % 20 == 0 { return .null }
        return column.bounded(Self.value(column, &generator))
    }

    private static func value(_ column: ColumnSchema, _ generator: inout SeededGenerator) -> Value {
        if let domain = column.domain, !domain.isEmpty {
            return domain[Int(generator.next() % UInt64(domain.count))]
        }
        let fraction = Double(generator.next() >> 11) * 0x1p-53
        let lower = column.lowerBound ?? defaultBounds(column.type).0
        let upper = column.upperBound ?? defaultBounds(column.type).1
        let number = lower + (upper - lower) * fraction
        switch column.type {
        case .real: return .real(onGrid(number, from: lower, to: upper, step: column.resolution))
        case .integer: return .integer(Int64(number.rounded()))
        case .date: return .date(Int64(number.rounded()))
        case .timestamp: return .timestamp(Int64(number.rounded()))
        case .boolean: return .boolean(fraction < 0.5)
        case .text: return .text("word-\(1 + Int(fraction * 20))")
        }
    }

    private static func onGrid(_ number: Double, from lower: Double, to upper: Double, step: Double?) -> Double {
        let step = step ?? (upper - lower) / 1_000
        let rounded = lower + ((number - lower) / step).rounded() * step
        return min(max((rounded * 1e9).rounded() / 1e9, lower), upper)
    }

    private static func defaultBounds(_ type: ValueType) -> (Double, Double) {
        switch type {
        case .date: (10_957, 18_262)
        case .timestamp: (946_684_800, 1_577_836_800)
        case .integer: (0, 100)
        default: (0, 1)
        }
    }
}

extension DatasetDetail.Array {
    /// Made-up rows as a `.npy` file: numbers drawn uniformly between the declared bounds, from the declaration alone, the same for all who look
    /// (docs/privacy.md, rule 24).
    ///
    /// - Parameters:
    ///   - rows: From 0 on.
    ///   - dataset: The name of the dataset that it belongs to.
    public func mock(rows: Int, of dataset: String) -> [UInt8] {
        let text = "parley mock array v1\n\(dataset)\n\(name)\n\(type)\n"
        let seed = SHA256.hash(data: Array(text.utf8)).prefix(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        var generator = SeededGenerator(seed: seed)
        let isBytes = type == "uint8"
        let extents = ([rows] + shape).map { "\($0)," }.joined(separator: " ")
        var header = "{'descr': '\(isBytes ? "|u1" : "<f4")', 'fortran_order': False, 'shape': (\(extents)), }"
        // The numbers begin at a multiple of 64 bytes (NumPy Enhancement Proposal 1).
        header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
        let length = header.utf8.count
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
        bytes += header.utf8
        for _ in 0..<rows * shape.reduce(1, *) {
            let fraction = Double(generator.next() >> 11) * 0x1p-53
            let number = lower + (upper - lower) * fraction
            if isBytes {
                bytes.append(number.isFinite ? UInt8(min(max(number.rounded(), 0), 255)) : 0)
            } else {
                withUnsafeBytes(of: Float(number).bitPattern.littleEndian) { bytes += $0 }
            }
        }
        return bytes
    }
}
