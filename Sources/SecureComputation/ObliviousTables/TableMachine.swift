internal import ModularArithmetic
internal import Secrets

/// One of three parties' run of operations on tables, without a dealer: takes messages and gives messages, and does nothing else.
///
/// **Protocol.** Columns are replicated as a ``ThreePartyMachine``'s values are. Rows are shuffled by permutations of which each party lacks one (``ShuffleShape``), sorted by opened comparisons of what was
/// shuffled, and moved by opened places of what was shuffled; sums, joins and empty rows are products with shared bits.
///
/// **Privacy.** Against one party that follows the protocol: beside what each step sends under masks, all three see answers of comparisons and places of rows in an order that nobody knows, which follow from
/// the number of rows and fair coins alone. Neither who is in a group, nor how many groups or matches there are, nor an order is shown, unless it is revealed. **Threat model** as ``ThreePartyMachine``'s.
///
/// How many rounds a sort takes, and how many bytes, depends on the coins, and so is known to all three as it goes on, and not beforehand; ``TableProgram/mostCost`` bounds both.
public struct TableMachine: Sendable, CustomStringConvertible, CustomReflectable {
    let program: TableProgram
    private(set) var rounds: ThreePartyRounds
    private let inputs: [[[UInt64]]]
    /// Behind which it stops: whoever answers comparisons wrongly could make it sort for ever.
    private let most: ThreePartyCost
    /// By step of the program, the columns.
    private var tables: [[ReplicatedWords]?]
    private var step = 0
    private var task: (any TableTask)?
    private(set) var stages: [TableStage] = []
    private var stageRound = 0
    private var context: TableContext?
    private var opened: [[[Int64]]] = []
    private var isBroken = false

    /// A party that has sent nothing yet.
    ///
    /// - Parameter tables: Its own, in the program's order, column by column.
    /// - Throws: ``ComputationError`` where they are not what the program takes.
    public init(
        program: TableProgram, session: ThreePartySession, party: ComputingParty, tables: [[[Int64]]]
    ) throws(ComputationError) {
        var random = SecureRandom()
        try self.init(program: program, session: session, party: party, tables: tables, random: &random)
    }

    /// - Parameter most: Behind which it stops, for tests; nil: the program's.
    init(
        program: TableProgram, session: ThreePartySession, party: ComputingParty, tables: [[[Int64]]],
        most: ThreePartyCost? = nil, random: inout some RandomNumberGenerator
    ) throws(ComputationError) {
        guard session.program == program.digest else { throw .otherSession }
        let own = program.inputs(of: party)
        guard tables.map({ $0.map(\.count) }) == own.map({ table in table.columns.map { _ in table.rows } }) else {
            throw .input(
                "tables of \(tables.map(\.count)) columns", expected: "\(own.map(\.columns.count)) of the declared rows"
            )
        }
        for (table, given) in zip(own, tables) {
            for (column, numbers) in zip(table.columns, given) {
                guard numbers.allSatisfy({ $0.magnitude <= column.bound.magnitude }) else {
                    throw .input("numbers of column \(column.name)", expected: "of the declared bound")
                }
                guard !column.isUnique || Set(numbers).count == numbers.count else {
                    throw .input("numbers of column \(column.name)", expected: "each once")
                }
            }
        }
        self.program = program
        self.most = most ?? program.mostCost
        rounds = ThreePartyRounds(session: session, party: party, random: &random)
        inputs = tables.map { $0.map { $0.map { UInt64(bitPattern: $0) } } }
        self.tables = program.steps.map { _ in nil }
    }

    /// Who it is.
    public var party: ComputingParty { rounds.party }
    /// What was sent and received so far, by all three.
    public var cost: ThreePartyCost { rounds.cost }
    /// Whether the last round is over.
    public var isFinished: Bool { rounds.round > 0 && stages.isEmpty && !isBroken }

    /// What a party sends in the round that is under way.
    private func traffic(of party: ComputingParty) -> Traffic {
        guard rounds.round > 0 else {
            let words = program.inputs(of: party).reduce(0) { $0 + $1.rows * $1.columns.count }
            return Traffic(next: words, previous: ThreePartyRounds.seedWords)
        }
        return stages.reduce(Traffic()) { sum, stage in
            stageRound < stage.shape.rounds ? sum + stage.shape.traffic(stageRound, of: party) : sum
        }
    }

    /// How many words the round's message from another party must have.
    public func expectedWords(from other: ComputingParty) -> Int {
        guard !isFinished, other != party else { return 0 }
        let traffic = traffic(of: other)
        return other == party.next ? traffic.previous : traffic.next
    }

    /// Begins, and gives the first round's messages.
    ///
    /// - Throws: ``ComputationError/order(round:expected:)`` where it began before.
    public mutating func begin() throws(ComputationError) -> ThreePartyMessages {
        try rounds.begin()
        var outgoing = Outgoing(previous: rounds.seed)
        var number = 0
        for (place, step) in program.steps.enumerated() where step.operation == .input(party) {
            let shared = rounds.shared(inputs[number].flatMap { $0 }, place: place)
            outgoing.next += shared.next
            tables[place] = Self.columns(shared, step.table)
            number += 1
        }
        return rounds.messages(outgoing)
    }

    private static func columns(_ words: ReplicatedWords, _ table: SharedTable) -> [ReplicatedWords] {
        table.columns.indices.map { words[$0 * table.rows..<($0 + 1) * table.rows] }
    }

    /// Takes both others' messages of the round, and gives the next round's; nil where the run is over.
    ///
    /// - Parameter messages: One of each other party, in any order.
    /// - Throws: ``ComputationError``; the machine is as before then, but behind ``TableProgram/mostCost``, where it is over without a result.
    public mutating func receive(_ messages: [ThreePartyMessage]) throws(ComputationError) -> ThreePartyMessages? {
        guard rounds.hasBegun, !isFinished, !isBroken else {
            throw .order(round: messages.first?.round ?? 0, expected: "none: the run has not begun, or is over")
        }
        let sent = ComputingParty.three.map { traffic(of: $0) }
        let incoming = try rounds.checked(messages) { sent[$0.rawValue] }
        if rounds.round == 0 { takeInputs(incoming) } else { take(incoming) }
        rounds.end { sent[$0.rawValue] }
        if stages.allSatisfy({ $0.shape.rounds <= stageRound }) { advance() }
        guard !stages.isEmpty else { return nil }
        guard rounds.cost.rounds < most.rounds, most.holds(rounds.cost) else {
            stages = []
            step = program.steps.count
            isBroken = true
            throw .order(round: rounds.round, expected: "the end: sorting has taken more than it ever should")
        }
        var outgoing = Outgoing()
        for place in stages.indices where stageRound < stages[place].shape.rounds {
            stages[place].step.send(stageRound, to: &outgoing)
        }
        return rounds.messages(outgoing)
    }

    /// What was revealed to this party, in the program's order, each as its columns; nil before the run is over.
    public var outputs: [[[Int64]]]? { isFinished ? opened : nil }

    private mutating func takeInputs(_ incoming: Incoming) {
        let keys = rounds.takeKey(incoming.next.prefix(ThreePartyRounds.seedWords))
        var received = incoming.previous
        for (place, step) in program.steps.enumerated() {
            guard case .input(let owner) = step.operation, owner != party else { continue }
            let words = ThreePartyRounds.received(
                from: owner, at: party, count: step.table.rows * step.table.columns.count, place: place, keys: keys,
                &received)
            tables[place] = Self.columns(words, step.table)
        }
        context = TableContext(party: party, keys: keys, place: program.steps.count)
    }

    private mutating func take(_ incoming: Incoming) {
        var incoming = incoming
        for place in stages.indices where stageRound < stages[place].shape.rounds {
            let shape = stages[place].shape
            let taken = incoming.taken(
                next: shape.traffic(stageRound, of: party.next).previous,
                previous: shape.traffic(stageRound, of: party.previous).next)
            stages[place].step.receive(stageRound, taken)
        }
        stageRound += 1
    }

    /// The next stage, of this operation or of one behind it; none at the end.
    private mutating func advance() {
        guard var context else { return }
        var finished = stages
        stages = []
        stageRound = 0
        while stages.isEmpty, step < program.steps.count {
            if task == nil { task = begun(program.steps[step].operation) }
            stages = task?.advance(finished, &context) ?? []
            finished = []
            guard stages.isEmpty else { break }
            end(program.steps[step].operation)
            task = nil
            step += 1
        }
        self.context = context
    }

    private func table(_ place: Int) -> [ReplicatedWords] { tables[place] ?? [] }

    /// What this party holds of a table; nil where it is not computed.
    func columns(of table: SharedTable) -> [ReplicatedWords]? { tables[table.place] }

    private func begun(_ operation: TableProgram.Operation) -> (any TableTask)? {
        switch operation {
        case .input: return nil
        case .shuffle(let place): return ShuffleTask(table(place))
        case .sort(let place, let key):
            return SortTask(table(place), key: key, bound: program.steps[place].table.columns[key].bound)
        case .groupSum(let place, let key, let summed):
            let all = table(place)
            return GroupSumTask(
                [all[key]] + summed.map { all[$0] }, bound: program.steps[place].table.columns[key].bound)
        case .join(let left, let right, let leftKey, let rightKey):
            func turned(_ place: Int, _ key: Int) -> [ReplicatedWords] {
                let all = table(place)
                return [all[key]] + all.indices.filter { $0 != key }.map { all[$0] }
            }
            return JoinTask(
                left: turned(left, leftKey), right: turned(right, rightKey),
                bound: program.steps[step].table.columns[0].bound)
        case .reveal(let place, let columns, let to):
            return RevealTask(columns.map { table(place)[$0] }, to: to)
        }
    }

    private mutating func end(_ operation: TableProgram.Operation) {
        guard let task else { return }
        if case .reveal(_, let columns, let to) = operation {
            guard to == party else { return }
            let words = task.columns.first?.own ?? []
            let rows = program.steps[step].table.rows
            opened.append(
                columns.indices.map { column in
                    words[column * rows..<(column + 1) * rows].map { Int64(bitPattern: $0) }
                })
        } else {
            tables[step] = task.columns
        }
    }

    /// The place in the run alone.
    public var description: String { "TableMachine(\(party), step \(step) of \(program.steps.count))" }
    /// The same.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// An opening to one party.
struct RevealTask: TableTask {
    private(set) var columns: [ReplicatedWords]
    private let to: ComputingParty
    private var hasBegun = false

    init(_ columns: [ReplicatedWords], to: ComputingParty) { (self.columns, self.to) = (columns, to) }

    mutating func advance(_ finished: [TableStage], _ context: inout TableContext) -> [TableStage] {
        guard hasBegun else {
            hasBegun = true
            let all = ReplicatedWords(own: columns.flatMap(\.own), next: columns.flatMap(\.next))
            return [
                TableStage(
                    shape: RevealShape(count: all.count, to: to), step: RevealStep(all, to: to, party: context.party))
            ]
        }
        columns = finished.map(\.step.result)
        return []
    }
}
