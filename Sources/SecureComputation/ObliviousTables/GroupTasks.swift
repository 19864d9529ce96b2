/// Sums of columns for each number of a key: rows are sorted by the key, each group's last row is where the next key is larger, sums so far stand in it, last rows are moved to the front, and each less the
/// one before it is its group's sum.
///
/// **Privacy.** What is opened is what the sort and the moving open.
struct GroupSumTask: TableTask {
    private(set) var columns: [ReplicatedWords]
    private let bound: Int64
    private var sort: SortTask
    private var compact: CompactTask?
    private var phase = Phase.sorting

    private enum Phase { case sorting, comparing, moving, clearing }

    /// - Parameter columns: The key first, then what is summed.
    init(_ columns: [ReplicatedWords], bound: Int64) {
        (self.columns, self.bound) = (columns, bound)
        sort = SortTask(columns, key: 0, bound: bound)
    }

    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage] {
        switch phase {
        case .sorting:
            let next = sort.advance(finished, &context)
            guard next.isEmpty else { return next }
            columns = sort.columns
            phase = .comparing
            let rows = columns[0].count
            guard rows > 1 else { return move(ReplicatedWords(own: [], next: []), &context) }
            let rise = columns[0][1..<rows] - columns[0][0..<rows - 1]
            return [context.isPositive(rise, bits: SortTask.keyBits(bound: bound, rows: 0) + 1)]
        case .comparing:
            guard let bits = finished.first?.step.result else { return [] }
            return move(bits, &context)
        case .moving:
            let next = compact?.advance(finished, &context) ?? []
            return next.isEmpty ? clear(&context) : next
        case .clearing:
            columns = finished.map(\.step.result) + [columns[0]]
            return []
        }
    }

    /// - Parameter larger: Whether the next row's key is larger, for all but the last row, which is its group's last one.
    private mutating func move(_ larger: ReplicatedWords, _ context: inout TableContext) -> [TableStage] {
        phase = .moving
        let last = columns[0].count > 0 ? context.adding({ _ in 1 }, to: ReplicatedWords(zeros: 1)) : larger
        let sums = columns.dropFirst().map { $0.mapped(CompactTask.sums) }
        compact = CompactTask([larger.followed(by: last), columns[0]] + sums)
        let next = compact?.advance([], &context) ?? []
        return next.isEmpty ? clear(&context) : next
    }

    private mutating func clear(_ context: inout TableContext) -> [TableStage] {
        phase = .clearing
        columns = compact?.columns ?? columns
        let flags = columns[0]
        guard flags.count > 0 else {
            columns = Array(columns.dropFirst()) + [flags]
            return []
        }
        let sums = columns.dropFirst(2).map { sums in
            sums - sums.mapped { [0] + $0.dropLast() }
        }
        return ([columns[1]] + sums).map { context.product(flags, $0) }
    }
}

/// Rows of two tables with equal identifiers: both tables' rows are sorted by them, left before right, so that a match is a row whose next one has the same identifier; matches are moved to the front.
///
/// **Privacy.** What is opened is what the sort and the moving open.
struct JoinTask: TableTask {
    private(set) var columns: [ReplicatedWords]
    private let bound: Int64
    private let kept: Int
    private let leftCount: Int
    private var sort: SortTask
    private var compact: CompactTask?
    private var phase = Phase.sorting

    private enum Phase { case sorting, comparing, moving, clearing }

    /// - Parameters:
    ///   - left: The identifier first.
    ///   - right: The identifier first.
    ///   - bound: Of both identifiers.
    init(left: [ReplicatedWords], right: [ReplicatedWords], bound: Int64) {
        let (leftRows, rightRows) = (left[0].count, right[0].count)
        kept = min(leftRows, rightRows)
        leftCount = left.count - 1
        self.bound = bound
        columns =
            [left[0].followed(by: right[0])]
            + left.dropFirst().map { $0.followed(by: ReplicatedWords(zeros: rightRows)) }
            + right.dropFirst().map { ReplicatedWords(zeros: leftRows).followed(by: $0) }
        sort = SortTask(columns, key: 0, bound: bound)
    }

    /// The columns beside the identifier.
    static func others(_ table: SharedTable, _ key: Int) -> [TableColumn] {
        table.columns.enumerated().filter { $0.offset != key }.map(\.element)
    }

    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage] {
        switch phase {
        case .sorting:
            let next = sort.advance(finished, &context)
            guard next.isEmpty else { return next }
            columns = sort.columns
            guard kept > 0 else {
                columns = columns.map { _ in ReplicatedWords(zeros: 0) } + [ReplicatedWords(zeros: 0)]
                return []
            }
            phase = .comparing
            let rows = columns[0].count
            let rise = columns[0][1..<rows] - columns[0][0..<rows - 1]
            return [context.isPositive(rise, bits: SortTask.keyBits(bound: bound, rows: 0) + 1)]
        case .comparing:
            guard let larger = finished.first?.step.result else { return [] }
            phase = .moving
            let rows = columns[0].count
            let equal = context.adding({ _ in 1 }, to: ReplicatedWords(zeros: rows - 1) - larger)
            let left = columns[0...leftCount].map { $0[0..<rows - 1] }
            let right = columns[(leftCount + 1)...].map { $0[1..<rows] }
            compact = CompactTask([equal] + left + right)
            return compact?.advance([], &context) ?? []
        case .moving:
            let next = compact?.advance(finished, &context) ?? []
            guard next.isEmpty else { return next }
            phase = .clearing
            columns = (compact?.columns ?? columns).map { $0[0..<kept] }
            let flags = columns[0]
            return columns.dropFirst().map { context.product(flags, $0) }
        case .clearing:
            columns = finished.map(\.step.result) + [columns[0]]
            return []
        }
    }
}
