/// A party's shares of a table that a ``TableMachine`` computed, for a ``ThreePartyMachine`` to go on with: nothing is opened between the two.
///
/// **Privacy.** Each party keeps the two components that it has, and lacks the third as before. The second machine draws new keys in its own session, under which products and openings are masked anew; components themselves
/// are sent no more. All three must go on with the table of one run: components of two runs add up to nothing that means anything, which shows in the result alone.
public struct SharedColumns: Sendable, CustomStringConvertible, CustomReflectable {
    /// Whose shares they are.
    public let holder: ComputingParty
    /// Rows and columns.
    public let table: SharedTable
    /// The digest of the tables' session.
    public let session: [UInt8]
    let words: [ReplicatedWords]

    init(holder: ComputingParty, table: SharedTable, session: [UInt8], words: [ReplicatedWords]) {
        (self.holder, self.table, self.session, self.words) = (holder, table, session, words)
    }

    /// Holder and size alone.
    public var description: String {
        "SharedColumns(\(table.rows) rows of \(table.columns.count) columns, at \(holder))"
    }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension TableMachine {
    /// This party's shares of a table of the program; nil before the run is over, or of a table that is not of it.
    public func shared(_ table: SharedTable) -> SharedColumns? {
        guard isFinished, program.steps.indices.contains(table.place), program.steps[table.place].table == table,
            let words = columns(of: table)
        else { return nil }
        return SharedColumns(holder: party, table: table, session: rounds.session.digest, words: words)
    }
}

extension ProgramBuilder {
    /// Columns of a table that three parties hold in shares, each as [rows]: what comes of ``TableMachine/shared(_:)``.
    ///
    /// - Throws: ``ComputationError``.
    public mutating func shared(_ table: SharedTable) throws(ComputationError) -> [Value] {
        var columns: [Value] = []
        for column in table.columns {
            columns.append(
                try add(.shared, shape: [table.rows], bound: Double(column.bound), named: "column \(column.name)"))
        }
        return columns
    }
}

extension Program {
    /// A party's shares of all that is shared already, in order.
    func columns(
        of tables: [SharedColumns], at party: ComputingParty
    ) throws(ComputationError) -> [ReplicatedWords] {
        let columns = tables.flatMap(\.words)
        let bounds = tables.flatMap { $0.table.columns.map { Double($0.bound) } }
        guard tables.allSatisfy({ $0.holder == party }), columns.map(\.count) == sharedInputs.map(\.count),
            zip(bounds, sharedInputs).allSatisfy({ $0 <= $1.bound })
        else {
            throw .input(
                "\(columns.count) columns of shares", expected: "\(sharedInputs.count) of the \(party) party's own")
        }
        return columns
    }
}
