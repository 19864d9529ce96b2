public import DifferentialPrivacy

/// One row of a table by two keys.
public struct TableCell: Sendable, Hashable {
    /// The number of the first key's public value, from 0 on.
    public var row: Int
    /// The number of the second key's.
    public var column: Int

    /// A cell as it is; what is not declared is left out later.
    public init(row: Int, column: Int) {
        self.row = row
        self.column = column
    }
}

/// Numbers of rows by two keys of public values: heat maps, and the test whether the keys are independent.
///
/// The vector: for each value of the first key, for each of the second, a count.
///
/// Privacy: a row adds 1 to one entry. A unit's R rows at most change the vector by R in L1; in squared L2 by R^2 at
/// most, where all lie in one cell.
public struct TableTask: Sendable, Hashable {
    /// The most cells.
    public static let cellLimit = 1 << 20

    /// The number of the first key's values.
    public let rows: Int
    /// The number of the second key's values.
    public let columns: Int
    /// The most rows of one privacy unit: the caller has cut each unit's rows to it.
    public let rowsPerUnit: Int

    /// Throws unless both keys have a value, there are at most 2^20 cells, and from 1 to 2^31 rows of a unit.
    public init(rows: Int, columns: Int, rowsPerUnit: Int = 1) throws(MechanismError) {
        guard (1...Self.cellLimit).contains(rows), (1...Self.cellLimit).contains(columns),
            rows * columns <= Self.cellLimit
        else {
            throw .parameter("cells", expected: "a number from 1 to 2^20")
        }
        self.rows = rows
        self.columns = columns
        self.rowsPerUnit = try RowBound.check(rowsPerUnit)
    }

    /// The vector's length.
    public var length: Int { rows * columns }
    /// The largest L1 change of the vector by one unit.
    public var l1Sensitivity: UInt128 { UInt128(rowsPerUnit) }
    /// The largest squared L2 change.
    public var l2SensitivitySquared: UInt128 { UInt128(rowsPerUnit) * UInt128(rowsPerUnit) }

    /// The entry to which the row adds 1; nil where a key has no such value.
    public func entry(of cell: TableCell) -> Int? {
        guard (0..<rows).contains(cell.row), (0..<columns).contains(cell.column) else { return nil }
        return cell.row * columns + cell.column
    }

    /// The exact vector: private, to be added noise to.
    public func counts(_ cells: some Sequence<TableCell>) -> [Int64] {
        var counts = [Int64](repeating: 0, count: length)
        for cell in cells {
            if let entry = entry(of: cell) { counts[entry] += 1 }
        }
        return counts
    }

    /// What noisy integers of this vector say. Throws unless there are as many as entries.
    public func estimate(_ noisy: [Int64], noise: AddedNoise) throws(MechanismError) -> NoisyTable {
        guard noisy.count == length else { throw .parameter("integers", expected: "one for each entry") }
        return NoisyTable(task: self, noisy: noisy, noise: noise)
    }
}

/// A noisy table by two keys, and the test whether they are independent.
///
/// Privacy: see `TableTask` for the sensitivities and `IntegerNoise` for the noise; estimates are post-processing.
public struct PrivateTable: Sendable {
    /// What is counted.
    public let task: TableTask
    /// The noise on each count.
    public let noise: IntegerNoise

    /// Throws unless noise for that loss, pure epsilon or rho, exists.
    public init(_ task: TableTask, loss: PrivacyLoss) throws(MechanismError) {
        self.task = task
        noise = try IntegerNoise(
            l1Sensitivity: task.l1Sensitivity, l2SensitivitySquared: task.l2SensitivitySquared, loss: loss)
    }

    /// What happens at one release.
    public var event: PrivacyEvent { noise.event }

    /// The noisy table of the rows.
    public func release<R: RandomNumberGenerator>(
        _ cells: some Sequence<TableCell>, using generator: inout R
    ) throws(MechanismError) -> NoisyTable {
        var counts = task.counts(cells)
        noise.add(to: &counts, using: &generator)
        return try task.estimate(counts, noise: AddedNoise(noise))
    }
}
