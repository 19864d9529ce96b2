/// A column of a table: its name, and what holds for every number in it.
public struct TableColumn: Sendable, Hashable {
    /// For messages, and to name it in an operation.
    public let name: String
    /// The largest magnitude.
    public let bound: Int64
    /// Whether no number comes twice: what a join is on.
    public let isUnique: Bool

    /// A column.
    public init(_ name: String, bound: Int64, isUnique: Bool = false) {
        (self.name, self.bound, self.isUnique) = (name, bound, isUnique)
    }
}

/// A table of a program whose numbers nobody sees. Its size and its columns are public.
public struct SharedTable: Sendable, Hashable {
    /// Its place in the program.
    public let place: Int
    /// How many rows it has, of which some may be empty: zeros, with a zero in the flag column.
    public let rows: Int
    /// In order.
    public let columns: [TableColumn]

    func column(_ name: String) -> Int? { columns.firstIndex { $0.name == name } }
}

/// What three parties do with tables, known to all three. Made by a ``TableProgramBuilder``.
public struct TableProgram: Sendable {
    enum Operation: Sendable, Hashable {
        case input(ComputingParty)
        case shuffle(Int)
        case sort(Int, by: Int)
        case groupSum(Int, by: Int, of: [Int])
        case join(Int, Int, leftKey: Int, rightKey: Int)
        case reveal(Int, columns: [Int], to: ComputingParty)
    }

    struct Step: Sendable, Hashable {
        let operation: Operation
        let table: SharedTable
    }

    let steps: [Step]
    /// A digest of all of it (SHA-256).
    public let digest: [UInt8]

    init(steps: [Step]) {
        self.steps = steps
        var words = CanonicalWords("parley/table-program/1")
        for step in steps {
            words.append(step.table.rows)
            for column in step.table.columns {
                words.append(column.name)
                words.append([Int(column.bound), column.isUnique ? 1 : 0])
            }
            switch step.operation {
            case .input(let party): words.append([1, party.rawValue])
            case .shuffle(let table): words.append([2, table])
            case .sort(let table, let key): words.append([3, table, key])
            case .groupSum(let table, let key, let summed): words.append([4, table, key] + summed)
            case .join(let left, let right, let leftKey, let rightKey):
                words.append([5, left, right, leftKey, rightKey])
            case .reveal(let table, let columns, let to): words.append([6, table, to.rawValue] + columns)
            }
        }
        digest = words.digest
    }

    /// The tables that a party gives, in order.
    public func inputs(of party: ComputingParty) -> [SharedTable] {
        steps.filter { $0.operation == .input(party) }.map(\.table)
    }
}

/// Makes a ``TableProgram``: operations on tables of three parties, in which nothing is opened but what a shuffle made meaningless, and in the end what is revealed.
public struct TableProgramBuilder: Sendable {
    /// The most rows of a table.
    public static let rowLimit = 1 << 24
    private var steps: [TableProgram.Step] = []

    /// Of no operations.
    public init() {}

    /// The program of what was added.
    public func program() -> TableProgram { TableProgram(steps: steps) }

    private mutating func add(
        _ operation: TableProgram.Operation, rows: Int, columns: [TableColumn]
    ) throws(ComputationError) -> SharedTable {
        guard (0...Self.rowLimit).contains(rows), !columns.isEmpty else {
            throw .parameter(
                "a table of \(rows) rows and \(columns.count) columns", expected: "0 to 2^24, and one at least")
        }
        guard Set(columns.map(\.name)).count == columns.count else {
            throw .parameter("columns \(columns.map(\.name))", expected: "different names")
        }
        for column in columns where !(0..<(1 << 61)).contains(column.bound) {
            throw .overflow("column \(column.name)", bits: 64)
        }
        let table = SharedTable(place: steps.count, rows: rows, columns: columns)
        steps.append(TableProgram.Step(operation: operation, table: table))
        return table
    }

    private func check(_ table: SharedTable) throws(ComputationError) {
        guard steps.indices.contains(table.place), steps[table.place].table == table else {
            throw .parameter("a table", expected: "one of this program")
        }
        if case .reveal = steps[table.place].operation {
            throw .parameter("a table", expected: "a secret one, not an opened one")
        }
    }

    private func place(_ name: String, in table: SharedTable) throws(ComputationError) -> Int {
        guard let place = table.column(name) else {
            throw .parameter("column \(name)", expected: "one of \(table.columns.map(\.name))")
        }
        return place
    }

    /// A party's table. Numbers beyond a column's bound, and two of a number in one that says it has each once, are refused when a run begins.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func input(
        from party: ComputingParty, rows: Int, columns: [TableColumn]
    ) throws(ComputationError) -> SharedTable {
        try add(.input(party), rows: rows, columns: columns)
    }

    /// The rows in an order that nobody knows. Two rounds.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func shuffled(_ table: SharedTable) throws(ComputationError) -> SharedTable {
        try check(table)
        return try add(.shuffle(table.place), rows: table.rows, columns: table.columns)
    }

    /// The rows in the ascending order of a column; rows with one number keep their order.
    ///
    /// - Throws: ``ComputationError/overflow(_:bits:)`` where the column's bound and the number of rows need more than 61 bits together.
    public mutating func sorted(_ table: SharedTable, by name: String) throws(ComputationError) -> SharedTable {
        try check(table)
        let key = try place(name, in: table)
        try checkKey(table.columns[key], rows: table.rows)
        return try add(.sort(table.place, by: key), rows: table.rows, columns: table.columns)
    }

    private func checkKey(_ column: TableColumn, rows: Int) throws(ComputationError) {
        let bits = SortTask.keyBits(bound: column.bound, rows: rows)
        guard bits <= 61 else { throw .overflow("sorting by \(column.name)", bits: bits + 1) }
    }

    /// The sums of columns for each number of another one, in ascending order: as many rows as the table has, of which those behind the last group are empty, and a column `isGroup` that says
    /// which are not. How many groups there are stays hidden.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func groupSums(
        _ table: SharedTable, by name: String, of summed: [String]
    ) throws(ComputationError) -> SharedTable {
        try check(table)
        let key = try place(name, in: table)
        try checkKey(table.columns[key], rows: table.rows)
        var places: [Int] = []
        var columns = [TableColumn(name, bound: table.columns[key].bound)]
        for name in summed {
            let place = try place(name, in: table)
            let (bound, overflow) = table.columns[place].bound.multipliedReportingOverflow(
                by: Int64(max(table.rows, 1)))
            guard !overflow, bound < 1 << 60 else { throw .overflow("sums of \(name)", bits: 64) }
            places.append(place)
            columns.append(TableColumn(name, bound: bound))
        }
        columns.append(TableColumn("isGroup", bound: 1))
        return try add(.groupSum(table.place, by: key, of: places), rows: table.rows, columns: columns)
    }

    /// The rows of both tables whose identifiers are equal, in ascending order: as many rows as the smaller table has, of which those behind the last match are empty, and a column `isMatch` that says
    /// which are not. How many match stays hidden.
    ///
    /// - Parameters:
    ///   - leftKey: The left table's identifier, a column that has each number once.
    ///   - rightKey: The right table's.
    /// - Throws: ``ComputationError``.
    public mutating func joined(
        _ left: SharedTable, _ right: SharedTable, on leftKey: String, _ rightKey: String
    ) throws(ComputationError) -> SharedTable {
        try check(left)
        try check(right)
        let (leftPlace, rightPlace) = (try place(leftKey, in: left), try place(rightKey, in: right))
        let (a, b) = (left.columns[leftPlace], right.columns[rightPlace])
        guard a.isUnique, b.isUnique else {
            throw .parameter("a join on \(leftKey) and \(rightKey)", expected: "columns that have each number once")
        }
        // Empty rows have the number 0, all of them.
        let key = TableColumn(leftKey, bound: max(a.bound, b.bound))
        try checkKey(key, rows: left.rows + right.rows)
        let rest = JoinTask.others(left, leftPlace) + JoinTask.others(right, rightPlace)
        let columns = [key] + rest.map { TableColumn($0.name, bound: $0.bound) } + [TableColumn("isMatch", bound: 1)]
        return try add(
            .join(left.place, right.place, leftKey: leftPlace, rightKey: rightPlace),
            rows: min(left.rows, right.rows), columns: columns)
    }

    /// Opens columns of a table to a party.
    ///
    /// - Parameter columns: All of them unless it is said.
    /// - Throws: ``ComputationError``.
    public mutating func reveal(
        _ table: SharedTable, columns names: [String]? = nil, to party: ComputingParty
    ) throws(ComputationError) {
        try check(table)
        var places: [Int] = []
        for name in names ?? table.columns.map(\.name) { places.append(try place(name, in: table)) }
        _ = try add(
            .reveal(table.place, columns: places, to: party), rows: table.rows,
            columns: places.map { table.columns[$0] })
    }
}
