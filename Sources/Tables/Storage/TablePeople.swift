/// One row of each unit, by the whole number that names it: private, as the table's rows are. It prints nothing.
package struct TablePeople: Sendable {
    /// Distinct: each unit's own name.
    package let identifiers: [Int64]
    /// Each column's numbers, of all units; true and false as 1 and 0.
    package let columns: [[Double]]
    /// Where in its domain each unit's value is; nil: no such column was named.
    package let groups: [Int64]?
}

extension TablePeople: CustomReflectable {
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension Table {
    /// Of each unit the first row of its keyed order (docs/privacy.md, rule 11), with what the unit is named by. A unit whose row lacks one of the values, or whose name is out of the range, is left out: whether it is follows from its own rows alone.
    ///
    /// - Parameters:
    ///   - range: What names may be.
    ///   - columns: Positions in the schema, of numbers or of true and false.
    ///   - group: A column with a domain.
    /// - Returns: nil: units are not named by whole numbers.
    package func people(named range: ClosedRange<Int64>, columns: [Int], group: ColumnInput?) -> TablePeople? {
        guard let unitColumn, schema.columns[unitColumn].type == .integer else { return nil }
        let codes = group.map { self.codes($0) }
        var identifiers: [Int64] = []
        var numbers = columns.map { _ in [Double]() }
        var groups: [Int64] = []
        for unit in 0..<unitCount {
            guard let row = rows(ofUnit: unit).first, case .integer(let name) = value(unitColumn, row),
                range.contains(name), codes.map({ !$0[row].isNaN }) ?? true
            else { continue }
            let own = columns.compactMap { number($0, row) }
            guard own.count == columns.count else { continue }
            identifiers.append(name)
            for (place, value) in own.enumerated() { numbers[place].append(value) }
            if let codes { groups.append(Int64(codes[row])) }
        }
        return TablePeople(identifiers: identifiers, columns: numbers, groups: codes == nil ? nil : groups)
    }

    private func number(_ column: Int, _ row: Int) -> Double? {
        switch value(column, row) {
        case .integer(let number): Double(number)
        case .real(let number): number
        case .boolean(let isTrue): isTrue ? 1 : 0
        case .null, .text, .date, .timestamp: nil
        }
    }
}
