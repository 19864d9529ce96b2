/// What is true of each row.
public enum Targets: Sendable {
    /// A label for each row, from 0 on.
    case labels([Int32])
    /// Values for each row: [rows, values].
    case values(Tensor)

    /// The number of rows.
    public var count: Int {
        switch self {
        case .labels(let labels): labels.count
        case .values(let values): values.rows
        }
    }

    /// Of some rows, in the order in which they are named.
    func rows(_ rows: [Int]) -> Targets {
        switch self {
        case .labels(let labels): return .labels(rows.map { labels[$0] })
        case .values(let values):
            let size = values.rowShape.product
            return .values(
                Tensor(
                    shape: [rows.count] + values.rowShape,
                    values: rows.flatMap { values.values[$0 * size..<($0 + 1) * size] }))
        }
    }
}

extension Targets: CustomStringConvertible, CustomReflectable {
    /// Their number alone: they may be private.
    public var description: String { "Targets of \(count) rows" }
    /// Their number alone: they may be private.
    public var customMirror: Mirror { Mirror(self, children: ["count": count]) }
}
