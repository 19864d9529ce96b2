public import ModularArithmetic
internal import Secrets
public import SecureComputation

/// How a ``JoinedStatisticsTask`` is computed: a join on shares (``tableProgram``, run by a ``TableMachine``), then statistics of what matched (``program``, run by a ``ThreePartyMachine`` that takes the join's shares), and, where there is privacy, noise before
/// anything is opened.
///
/// **Privacy.** Who matched and how many stays hidden (``TableMachine``). Identifiers are unique in each table, so that a person is in one row of the join at most, and whether her rows are there, at either site or both, changes
/// that row alone. Its numbers lie from -1 to 1, since a table's are held to its columns' bounds, and rows that match nobody are noughts: of m columns, a one among them, it changes m (m + 1) / 2 products, each by at most 1, or the m sums
/// of one group, since a person's group is told by comparisons of one number, which holds for one group at most. Sums are exact integers, so that nothing is added for rounding. ``JointNoise`` has the rest: both owners' draws.
///
/// **Threat model** of the machines: three semi-honest parties of whom no two collude.
public struct JoinedStatisticsPlan: Sendable {
    /// Bits behind the point of a number from -1 to 1.
    static let valueBits = 14

    /// What is computed.
    public let task: JoinedStatisticsTask
    /// The join. How many rounds and bytes it takes depends on coins, within ``TableProgram/mostCost``.
    public let tableProgram: TableProgram
    /// The table whose shares ``program`` takes.
    public let joined: SharedTable
    /// What follows.
    public let program: Program
    /// Which noise; none without privacy.
    public let noise: JointNoise?
    /// How many numbers are opened.
    let dimension: Int
    /// What ``program`` costs, behind the join.
    public let cost: JointCost

    /// - Throws: ``SecureStatisticsError``.
    public init(_ task: JoinedStatisticsTask) throws(SecureStatisticsError) {
        self.task = task
        (tableProgram, joined) = try computing { () throws(ComputationError) in try Self.join(task) }
        let columns = task.columns.count + 1
        let (dimension, largest): (Int, Double) =
            switch task.measure {
            case .moments:
                (columns * (columns + 1) / 2, Double(columns * (columns + 1) / 2).squareRoot() * Self.one * Self.one)
            case .groups(_, let count): (count * columns, Double(columns).squareRoot() * Self.one)
            }
        self.dimension = dimension
        noise = try task.privacy.map { (privacy) throws(SecureStatisticsError) in
            try JointNoise(
                privacy, sensitivity: largest.nextUp, dimension: dimension, steps: 1,
                owners: task.tables.map(\.owner).sorted { $0.rawValue < $1.rawValue })
        }
        let (joined, noise) = (joined, noise)
        program = try computing { () throws(ComputationError) in try Self.statistics(task, joined, noise) }
        cost = JointCost(program, .threeParties)
    }

    private static var one: Double { Double(1 << valueBits) }

    /// Identifiers beyond those of people, of rows that fill up: even ones on the left, odd ones on the right.
    private static func bound(_ task: JoinedStatisticsTask) -> Int64 {
        task.identifierBound + 2 * Int64(task.tables.map(\.capacity).max() ?? 0) + 1
    }

    private static func join(_ task: JoinedStatisticsTask) throws(ComputationError) -> (TableProgram, SharedTable) {
        var builder = TableProgramBuilder()
        var inputs: [SharedTable] = []
        for (number, table) in task.tables.enumerated() {
            var columns = [TableColumn("identifier \(number)", bound: bound(task), isUnique: true)]
            columns += table.columns.map { TableColumn("column \($0.name)", bound: 1 << Int64(valueBits)) }
            if case .groups(table.owner, let count) = task.measure {
                columns.append(TableColumn("group", bound: Int64(count)))
            }
            inputs.append(try builder.input(from: table.owner, rows: table.capacity, columns: columns))
        }
        let joined = try builder.joined(inputs[0], inputs[1], on: "identifier 0", "identifier 1")
        return (builder.program(), joined)
    }

    private static func statistics(
        _ task: JoinedStatisticsTask, _ joined: SharedTable, _ noise: JointNoise?
    ) throws(ComputationError) -> Program {
        var builder = ProgramBuilder()
        let values = try builder.shared(joined)
        var named: [String: Value] = [:]
        for (column, value) in zip(joined.columns, values) { named[column.name] = value }
        guard let isMatch = named["isMatch"] else { throw .parameter("a join", expected: "one that says what matched") }
        var columns = [try builder.combined([(isMatch, 1 << Int64(valueBits))])]
        for column in task.columns {
            if let value = named["column \(column.name)"] { columns.append(value) }
        }
        let (count, rows) = (columns.count, joined.rows)
        let turned = try builder.reshaped(try builder.concatenated(columns), to: [count, rows])
        let table = try builder.gathered(
            turned, places: (0..<rows * count).map { $0 % count * rows + $0 / count }, shape: [rows, count])
        var sums: Value
        if case .groups(_, let groups) = task.measure, let group = named["group"] {
            let isIn = try membership(group, count: groups, &builder)
            sums = try builder.matrixProduct(isIn, table)
            sums = try builder.reshaped(sums, to: [groups * count])
        } else {
            let products = try builder.matrixProduct(turned, table)
            let upper = (0..<count).flatMap { i in (i..<count).map { i * count + $0 } }
            sums = try builder.gathered(products, places: upper, shape: [upper.count])
        }
        if let noise { sums = try builder.sum(sums, try noise.inputs(&builder)[0]) }
        for party in task.recipients { _ = try builder.reveal(sums, to: party) }
        return builder.program()
    }

    /// Whether each row's number is that of each group, [groups, rows]: one group's at most, whatever the number is.
    private static func membership(
        _ group: Value, count: Int, _ builder: inout ProgramBuilder
    ) throws(ComputationError) -> Value {
        let rows = group.count
        let repeated = try builder.gathered(
            group, places: (0...count).flatMap { _ in 0..<rows }, shape: [count + 1, rows])
        let numbers = (0...count).flatMap { number in repeatElement(UInt64(number), count: rows) }
        let limits: RingTensor
        do { limits = try RingTensor(shape: [count + 1, rows], words: numbers) } catch {
            throw .shapes("groups", expected: "\(error)")
        }
        let reached = try builder.isAtLeast(repeated, try builder.constant(limits))
        let (first, rest) = (Array(0..<count * rows), Array(rows..<(count + 1) * rows))
        return try builder.difference(
            try builder.gathered(reached, places: first, shape: [count, rows]),
            try builder.gathered(reached, places: rest, shape: [count, rows]))
    }

    /// What a site puts into its ``TableMachine``; of a party without a table none.
    ///
    /// - Throws: ``SecureStatisticsError/rows(_:expected:)``; of identifiers that come twice too.
    public func tables(of party: ComputingParty, _ people: People?) throws(SecureStatisticsError) -> [[[Int64]]] {
        guard let number = task.tables.firstIndex(where: { $0.owner == party }) else {
            guard people == nil else { throw .rows("people of the \(party) party", expected: "none: it has no table") }
            return []
        }
        let table = task.tables[number]
        var hasGroups = false
        if case .groups(party, _) = task.measure { hasGroups = true }
        guard let people, people.columns.count == table.columns.count, people.identifiers.count <= table.capacity,
            people.columns.allSatisfy({ $0.count == people.identifiers.count }),
            (people.groups?.count ?? people.identifiers.count) == people.identifiers.count,
            (people.groups != nil) == hasGroups
        else {
            throw .rows(
                "people of the \(party) party",
                expected:
                    "at most \(table.capacity), with \(table.columns.count) columns\(hasGroups ? " and groups" : "")")
        }
        guard people.identifiers.allSatisfy({ (0...task.identifierBound).contains($0) }),
            Set(people.identifiers).count == people.identifiers.count
        else {
            throw .rows(
                "identifiers of the \(party) party", expected: "each once, from 0 to \(task.identifierBound)")
        }
        let empty = table.capacity - people.identifiers.count
        let fill = (0..<Int64(empty)).map { task.identifierBound + 1 + 2 * $0 + Int64(number) }
        var columns = [people.identifiers + fill]
        let noughts = [Int64](repeating: 0, count: empty)
        for (bounds, column) in zip(table.columns, people.columns) {
            columns.append(column.map { Int64((bounds.scaled($0) * Self.one).rounded()) } + noughts)
        }
        if case .groups(_, let count) = task.measure, let groups = people.groups {
            // What is no group becomes the number behind the last.
            columns.append(groups.map { (0..<Int64(count)).contains($0) ? $0 : Int64(count) } + noughts)
        }
        return [columns]
    }

    /// What a party puts into its ``ThreePartyMachine`` beside the join's shares: an owner its draws, anew.
    ///
    /// - Throws: ``SecureStatisticsError``.
    public func inputs(of party: ComputingParty) throws(SecureStatisticsError) -> [RingTensor] {
        var random = SecureRandom()
        return try inputs(of: party, using: &random)
    }

    /// - Parameter isSilent: Noughts in place of noise. For tests alone: no public call gives it.
    func inputs(
        of party: ComputingParty, isSilent: Bool = false, using generator: inout some RandomNumberGenerator
    ) throws(SecureStatisticsError) -> [RingTensor] {
        guard let noise, noise.owners.contains(party) else { return [] }
        let draws = try noise.draws(using: &generator)
        return [isSilent ? try tensor(draws.shape, draws.words.map { _ in 0 }) : draws]
    }

    /// The same integers without cryptography, of both sites' people, noise drawn anew.
    ///
    /// - Throws: ``SecureStatisticsError``.
    public func clear(_ people: [ComputingParty: People]) throws(SecureStatisticsError) -> JoinedStatistics {
        var draws: [ComputingParty: [RingTensor]] = [:]
        for party in noise?.owners ?? [] { draws[party] = try inputs(of: party) }
        return try statistics(try clear(people, draws: draws))
    }

    /// What a recipient gets, of given draws.
    func clear(
        _ people: [ComputingParty: People], draws: [ComputingParty: [RingTensor]]
    ) throws(SecureStatisticsError) -> [RingTensor] {
        var sides: [[[Int64]]] = []
        for table in task.tables { sides.append(contentsOf: try tables(of: table.owner, people[table.owner])) }
        let places = Dictionary(uniqueKeysWithValues: sides[1][0].enumerated().map { ($0.element, $0.offset) })
        var columns = [[UInt64]](repeating: [], count: joined.columns.count)
        for (place, identifier) in sides[0][0].enumerated() {
            guard let other = places[identifier] else { continue }
            let row = sides[0].map { $0[place] } + sides[1].dropFirst().map { $0[other] } + [1]
            for (column, number) in row.enumerated() { columns[column].append(UInt64(bitPattern: number)) }
        }
        var shared: [RingTensor] = []
        for column in columns {
            shared.append(
                try tensor([joined.rows], column + [UInt64](repeating: 0, count: joined.rows - column.count)))
        }
        return try program.clear(draws, setting: .threeParties, tables: shared)
    }

    /// The statistics of what a recipient's machine gave.
    ///
    /// - Throws: ``SecureStatisticsError/rows(_:expected:)`` where it is not of this plan.
    public func statistics(_ outputs: [RingTensor]) throws(SecureStatisticsError) -> JoinedStatistics {
        guard let words = outputs.first?.words, words.count == dimension else {
            throw .rows("\(outputs.count) outputs", expected: "one of \(dimension) numbers")
        }
        let unit: Double
        if case .moments = task.measure { unit = 1 / Self.one / Self.one } else { unit = 1 / Self.one }
        return JoinedStatistics(
            columns: task.columns, measure: task.measure, numbers: words.map { Double(Int64(bitPattern: $0)) * unit },
            deviation: noise.map { $0.deviation * unit } ?? 0)
    }
}
