import Tables

/// What is wrong in a manifest, and where: for people.
public struct ManifestProblem: Sendable, Hashable {
    /// The keys that lead there, such as `columns.income.bounds`.
    public var path: String
    /// What is wrong and what would be right, without a full stop.
    public var message: String

    /// A problem at those keys.
    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }
}

extension Manifest {
    /// Largest numbers that a manifest may declare. They keep sums of integers far below 2^62 and the plan small.
    public enum Limits {
        /// Columns of a table.
        public static let columns = 4_096
        /// Rows, and units, of a table.
        public static let rows = 1 << 40
        /// Rows of one unit.
        public static let rowsPerUnit = 1 << 24
        /// Rows of a public lookup table with one key.
        public static let rowsPerKey = 1_000
        /// Values of one column's domain.
        public static let domainValues = 1 << 16
        /// UTF-8 bytes of the name of a dataset.
        public static let nameBytes = 64
        /// UTF-8 bytes of the name of a column.
        public static let columnNameBytes = 128
        /// Arrays of a table.
        public static let arrays = 16
        /// Numbers of one row's array.
        public static let arrayNumbers = 1 << 22
    }

    /// All that is wrong with the declaration itself; empty for a valid manifest. Nothing here looks at data.
    ///
    /// - Parameter isStored: Whether it was accepted before, when some of what is refused now was not.
    public func problems(isStored: Bool = false) -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func refuse(_ path: String, _ message: String) { found.append(ManifestProblem(path: path, message: message)) }
        if !Self.isName(name) { refuse("name", Self.nameRule) }
        if lookupKey == nil, !Self.isName(population) { refuse("population", Self.nameRule) }
        if schema.columns.isEmpty { refuse("columns", "declare at least one column") }
        if schema.columns.count > Limits.columns { refuse("columns", "declare at most \(Limits.columns) columns") }
        var seen: Set<String> = []
        for column in schema.columns {
            if !seen.insert(column.name.lowercased()).inserted {
                refuse("columns.\(column.name)", "there is another column of this name (case does not count)")
            }
            found += column.problems() + (isStored ? [] : column.contradictions())
            if let computed = column.computed, !schema.arrays.contains(where: { $0.name == computed.array }) {
                refuse(
                    "columns.\(column.name).\(computed.kind.rawValue)-of",
                    "there is no array of this name: declare it under `arrays`")
            }
        }
        found += schema.arrays.enumerated().flatMap { arrayProblems($1, at: $0) }
        if schema.arrays.count > Limits.arrays { refuse("arrays", "declare at most \(Limits.arrays) arrays") }
        if !isStored { found += keyProblems() }
        if let lookupKey {
            if !schema.arrays.isEmpty { refuse("arrays", "a public lookup table has none") }
            if !schema.columns.indices.contains(lookupKey) { refuse("key", "must be one of the columns") }
            if !(1...Limits.rowsPerKey).contains(rowsPerKey) {
                refuse("rows-per-key", "must be from 1 to \(Limits.rowsPerKey)")
            }
            if policy != nil { refuse("policy", "a public lookup table is not protected: it has no policy") }
            return found
        }
        found += unitProblems()
        if policy == nil { refuse("policy", "a private dataset needs a policy") }
        return found + (policy?.problems() ?? [])
    }

    private func arrayProblems(_ array: ArraySchema, at index: Int) -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func refuse(_ key: String, _ message: String) {
            found.append(ManifestProblem(path: "arrays.\(array.name).\(key)", message: message))
        }
        if !Self.isName(array.name) { refuse("name", Self.nameRule) }
        let others = schema.columns.map(\.name) + schema.arrays[..<index].map(\.name)
        if others.contains(where: { $0.lowercased() == array.name.lowercased() }) {
            refuse("name", "there is another column or array of this name (case does not count)")
        }
        var numbers = 1
        for extent in array.shape { numbers = min(Limits.arrayNumbers + 1, numbers * min(max(0, extent), 1 << 23)) }
        if !(1...4).contains(array.shape.count) || !(1...Limits.arrayNumbers).contains(numbers) {
            refuse("shape", "must be 1 to 4 extents from 1 on, with a product of at most \(Limits.arrayNumbers)")
        }
        let widest =
            array.element == .uint8
            ? 0...255 : -Double(Float.greatestFiniteMagnitude)...Double(Float.greatestFiniteMagnitude)
        if !(array.lowerBound < array.upperBound) || !widest.contains(array.lowerBound)
            || !widest.contains(array.upperBound)
        {
            refuse(
                "bounds",
                array.element == .uint8
                    ? "must be [lower, upper] within 0 and 255" : "must be finite, the lower one first")
        }
        return found
    }

    /// What names a unit, or a lookup table's row, is told apart whatever it is: two names never become one.
    private func keyProblems() -> [ManifestProblem] {
        guard let index = lookupKey ?? unit.column, schema.columns.indices.contains(index) else { return [] }
        let column = schema.columns[index]
        func problem(_ key: String) -> ManifestProblem {
            ManifestProblem(
                path: "columns.\(column.name).\(key)",
                message: "the column names \(lookupKey == nil ? "units" : "the lookup's rows"): "
                    + "different names must not become one, or none")
        }
        return (column.other == nil ? [] : [problem("other")]) + (column.outsideIsNull ? [problem("outside")] : [])
    }

    private func unitProblems() -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func refuse(_ path: String, _ message: String) { found.append(ManifestProblem(path: path, message: message)) }
        if let column = unit.column {
            if !schema.columns.indices.contains(column) {
                refuse("unit.column", "must be one of the columns")
            } else if [.real, .boolean].contains(schema.columns[column].type) {
                refuse("unit.column", "must be an integer, text, date or timestamp column")
            }
        } else if unit.rowsPerUnit != 1 {
            refuse("unit.rows", "is 1 where each row is a unit of its own")
        }
        if !(1...Limits.rowsPerUnit).contains(unit.rowsPerUnit) {
            refuse("unit.rows", "must be between 1 and \(Limits.rowsPerUnit)")
        }
        if unit.groupsPerUnit < 1 || unit.groupsPerUnit > max(unit.rowsPerUnit, 1) {
            refuse("unit.groups", "must be between 1 and unit.rows: a row lies in one group")
        }
        if let inGroup = unit.rowsPerGroup, inGroup < 1 || inGroup > unit.rowsPerUnit {
            refuse("unit.rows-per-group", "must be between 1 and unit.rows")
        }
        if !(1...Limits.rows).contains(capacityRows) { refuse("capacity.rows", "must be between 1 and \(Limits.rows)") }
        if capacityUnits < 1 || capacityUnits > max(capacityRows, 1) {
            refuse("capacity.units", "must be between 1 and capacity.rows: a unit has a row")
        }
        if let weightColumn {
            if !schema.columns.indices.contains(weightColumn) {
                refuse("weight.column", "must be one of the columns")
            } else {
                let column = schema.columns[weightColumn]
                if column.type != .real && column.type != .integer { refuse("weight.column", "must be numeric") }
                if column.lowerBound == nil || column.upperBound == nil {
                    refuse("weight.column", "needs bounds: weights are clipped to them")
                } else if let lower = column.lowerBound, lower < 0 {
                    refuse("weight.column", "its lower bound must not be negative")
                }
            }
        }
        return found
    }

    /// What names of datasets and populations may be: they appear in paths, SQL and terminals.
    static let nameRule =
        "must be 1 to \(Limits.nameBytes) of the characters a-z, A-Z, 0-9, _ and -, the first a letter"

    /// Whether a text may name a dataset, a population or a user.
    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= Limits.nameBytes, isLetter(first) else { return false }
        return text.utf8.allSatisfy { byte in
            isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-")
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
