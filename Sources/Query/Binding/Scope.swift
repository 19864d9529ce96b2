import Tables

/// The tables of a question and their columns: what a name can mean.
struct Scope {
    enum Kind {
        /// A private table whose columns start at that index of the row source.
        case dataset(firstColumn: Int)
        /// A public table, found through a key computed from the row.
        case lookup(slot: Int, key: Expression)
    }

    struct Source {
        var alias: String
        var schema: Schema
        var kind: Kind
        /// The lookup's key: an unqualified name that both tables have means the dataset's column.
        var hiddenColumn: Int?
    }

    private(set) var sources: [Source] = []
    private(set) var datasets: [DatasetDescription] = []
    private(set) var lookups: [LookupDescription] = []
    /// Rows without a match in these slots are dropped.
    private(set) var innerSlots: [(slot: Int, key: Expression)] = []
    private(set) var bounds = BoundsScope(columns: [])
    /// The positions of the unit's columns in the row source.
    private(set) var unitColumns: [Int] = []
    /// The survey weight of each source that has one, with the source's alias.
    private(set) var weights: [Expression] = []

    init(_ statement: SelectStatement, _ context: PlanningContext) throws(QueryError) {
        try add(dataset: statement.source, context)
        for join in statement.joins { try add(join, context) }
    }

    // MARK: tables

    private func checkAlias(_ source: SelectStatement.Source) throws(QueryError) {
        if sources.contains(where: { $0.alias.lowercased() == source.alias.lowercased() }) {
            throw QueryError(
                "the name \(source.alias) stands for two tables", at: source.position, hint: "Use AS to name one.")
        }
    }

    private static func same(_ a: String, _ b: String) -> Bool { a.lowercased() == b.lowercased() }

    /// The table of that name: exactly, else regardless of case.
    private static func find<Table>(_ name: String, in tables: [Table], by key: KeyPath<Table, String>) -> Table? {
        tables.first { $0[keyPath: key] == name } ?? tables.first { same($0[keyPath: key], name) }
    }

    private mutating func add(dataset source: SelectStatement.Source, _ context: PlanningContext) throws(QueryError) {
        guard let dataset = Self.find(source.name, in: context.datasets, by: \.name) else {
            if context.lookups.contains(where: { Self.same($0.name, source.name) }) {
                throw QueryError(
                    "\(source.name) is a public lookup table: it can only be joined to a dataset",
                    at: source.position)
            }
            throw QueryError(
                "there is no dataset \(source.name) here", at: source.position,
                hint: NameSuggestion.hint(
                    for: source.name, among: context.datasets.map(\.name), what: "FROM can name"))
        }
        append(dataset, alias: source.alias)
    }

    private mutating func append(_ dataset: DatasetDescription, alias: String) {
        let first = bounds.columns.count
        bounds.columns += dataset.schema.columns.map(BoundsScope.declared)
        let isSecond = !datasets.isEmpty
        sources.append(
            .init(
                alias: alias, schema: dataset.schema, kind: .dataset(firstColumn: first),
                hiddenColumn: isSecond ? dataset.unit.column : nil))
        datasets.append(dataset)
        if let unit = dataset.unit.column { unitColumns.append(first + unit) }
        if let weight = dataset.weightColumn, weight < dataset.schema.columns.count {
            weights.append(.column(first + weight, dataset.schema.columns[weight].type))
        }
    }

    private mutating func add(_ join: SelectStatement.Join, _ context: PlanningContext) throws(QueryError) {
        try checkAlias(join.source)
        let lookup = Self.find(join.source.name, in: context.lookups, by: \.name)
        let dataset = Self.find(join.source.name, in: context.datasets, by: \.name)
        // A site that an earlier version made may have two tables whose names differ in case only: then the exact name
        // wins.
        if let lookup, lookup.name == join.source.name || dataset?.name != join.source.name {
            try add(lookup: lookup, join)
        } else if let dataset {
            try add(partner: dataset, join)
        } else {
            throw QueryError(
                "there is no table \(join.source.name) here", at: join.source.position,
                hint: NameSuggestion.hint(
                    for: join.source.name, among: (context.lookups.map(\.name) + context.datasets.map(\.name)),
                    what: "JOIN can name"))
        }
    }

    // MARK: public lookups

    private mutating func add(lookup: LookupDescription, _ join: SelectStatement.Join) throws(QueryError) {
        let keyColumn = lookup.schema.columns[lookup.keyColumn]
        let key: Expression
        switch join.condition {
        case .using(let name, let position):
            guard Self.same(name, keyColumn.name) else {
                throw Self.notTheKey(lookup, keyColumn.name, position)
            }
            key = try resolve(qualifier: nil, name, at: position)
        case .on(let condition): key = try lookupKey(condition, lookup, join.source.alias)
        }
        guard key.type == keyColumn.type else {
            throw QueryError(
                "\(lookup.name).\(keyColumn.name) is \(TypeName.words(keyColumn.type)), but it is compared with "
                    + TypeName.words(key.type), at: join.position, hint: "Use CAST.")
        }
        guard lookup.rowsPerKey == 1 || !join.isLeft else {
            throw QueryError(
                "LEFT JOIN takes a table with one row for each key, and \(lookup.name) may have \(lookup.rowsPerKey)",
                at: join.position, hint: "Use JOIN: it keeps the rows that have a match.")
        }
        let slot = lookups.count
        lookups.append(lookup)
        sources.append(
            .init(
                alias: join.source.alias, schema: lookup.schema, kind: .lookup(slot: slot, key: key),
                hiddenColumn: lookup.keyColumn))
        bounds.lookups.append(
            lookup.schema.columns.enumerated().map { index, column in
                var bounds = BoundsScope.declared(column)
                if let domain = lookup.domain(index) { bounds.isNullable = domain.first == .null }
                return bounds.orNull(join.isLeft)
            })
        if !join.isLeft { innerSlots.append((slot, key)) }
    }

    private static func notTheKey(_ lookup: LookupDescription, _ key: String, _ position: Int) -> QueryError {
        QueryError(
            "a lookup table is joined on equality with its key", at: position,
            hint: "The key of \(lookup.name) is \(key): ON x = \(lookup.name).\(key).")
    }

    /// A join's condition is one equality.
    private static func checkSingle(_ condition: Syntax) throws(QueryError) {
        guard case .and(_, let second) = condition.kind else { return }
        throw QueryError(
            "ON has one condition, the equality of the keys", at: second.position,
            hint: "Other conditions go into WHERE.")
    }

    /// The side of `left = right` that is not the lookup's key.
    private func lookupKey(
        _ condition: Syntax, _ lookup: LookupDescription, _ alias: String
    ) throws(QueryError) -> Expression {
        let keyName = lookup.schema.columns[lookup.keyColumn].name
        try Self.checkSingle(condition)
        guard case .binary(let symbol, let left, let right) = condition.kind, symbol == "=" || symbol == "==" else {
            throw Self.notTheKey(lookup, keyName, condition.position)
        }
        for (side, other) in [(right, left), (left, right)] {
            guard case .name(let qualifier, let name, _) = side.kind, Self.same(name, keyName) else { continue }
            if let qualifier {
                guard Self.same(qualifier, alias) else { continue }
            } else if case .name(nil, let otherName, _) = other.kind, Self.same(otherName, keyName) {
                throw QueryError(
                    "\(name) could be a column of either table", at: side.position,
                    hint: "Write \(alias).\(keyName), or USING (\(keyName)).")
            }
            var binder = Binder(scope: self)
            return try binder.bind(other)
        }
        throw Self.notTheKey(lookup, keyName, condition.position)
    }

    // MARK: two private tables

    private mutating func add(partner: DatasetDescription, _ join: SelectStatement.Join) throws(QueryError) {
        let position = join.position
        let first = datasets[0]
        guard datasets.count == 1, lookups.isEmpty else {
            throw QueryError(
                datasets.count > 1
                    ? "at most two private tables can be joined"
                    : "the second private table comes before the lookup tables", at: position)
        }
        guard !join.isLeft else {
            throw QueryError(
                "LEFT JOIN of two private tables is not supported: which rows have no match is private",
                at: position, hint: "Use JOIN: it keeps the units that both tables hold.")
        }
        guard first.population == partner.population else {
            throw QueryError(
                "\(first.name) and \(partner.name) are about different populations", at: join.source.position,
                hint: "Only tables of one population can be joined: one ledger is charged.")
        }
        guard let left = first.unit.column, let right = partner.unit.column else {
            throw QueryError(
                "a table in which each row is a unit cannot be joined on the unit", at: join.source.position)
        }
        let leftName = first.schema.columns[left].name
        let rightName = partner.schema.columns[right].name
        try checkUnitCondition(join, partner, leftName: leftName, rightName: rightName)
        append(partner, alias: join.source.alias)
    }

    private func checkUnitCondition(
        _ join: SelectStatement.Join, _ partner: DatasetDescription, leftName: String, rightName: String
    ) throws(QueryError) {
        let leftAlias = sources[0].alias
        let rightAlias = join.source.alias
        let hint = "Two private tables join on the unit: ON \(leftAlias).\(leftName) = \(rightAlias).\(rightName)."
        switch join.condition {
        case .using(let name, let position):
            guard Self.same(name, leftName), Self.same(name, rightName) else {
                throw QueryError("\(name) is not the privacy unit of both tables", at: position, hint: hint)
            }
        case .on(let condition):
            try Self.checkSingle(condition)
            let second = Source(alias: rightAlias, schema: partner.schema, kind: .dataset(firstColumn: 0))
            let left = Side(alias: leftAlias, unit: leftName, otherColumns: partner.schema)
            let right = Side(alias: rightAlias, unit: rightName, otherColumns: sources[0].schema)
            try Self.refuseAmbiguous(condition, sources + [second])
            guard case .binary(let symbol, let a, let b) = condition.kind, symbol == "=" || symbol == "==",
                left.isUnit(a) && right.isUnit(b) || left.isUnit(b) && right.isUnit(a)
            else { throw QueryError("the tables are not joined on the unit", at: condition.position, hint: hint) }
        }
    }

    /// An unqualified name that both tables have stands for neither.
    private static func refuseAmbiguous(_ condition: Syntax, _ sources: [Source]) throws(QueryError) {
        for child in condition.children { try refuseAmbiguous(child, sources) }
        guard case .name(nil, let name, _) = condition.kind else { return }
        let found = sources.filter { $0.schema.index(of: name) != nil }
        guard found.count > 1 else { return }
        throw ambiguous(name, found.map(\.alias), condition.position)
    }

    private static func ambiguous(_ name: String, _ aliases: [String], _ position: Int) -> QueryError {
        QueryError(
            "\(name) is a column of more than one table", at: position,
            hint: "Write " + aliases.map { "\($0).\(name)" }.joined(separator: " or ") + ".")
    }

    /// One side of a join of two private tables.
    private struct Side {
        var alias: String
        var unit: String
        var otherColumns: Schema

        /// Whether the name can only be this side's unit.
        func isUnit(_ syntax: Syntax) -> Bool {
            guard case .name(let qualifier, let name, _) = syntax.kind, Scope.same(name, unit) else { return false }
            return qualifier.map { Scope.same($0, alias) } ?? (otherColumns.index(of: name) == nil)
        }
    }

    // MARK: columns

    /// The expression that a name stands for.
    func resolve(
        qualifier: String?, _ name: String, isQuoted: Bool = false, at position: Int
    ) throws(QueryError) -> Expression {
        var candidates = sources
        if let qualifier {
            candidates = sources.filter { Self.same($0.alias, qualifier) }
            guard !candidates.isEmpty else {
                throw QueryError(
                    "there is no table \(qualifier) in FROM", at: position,
                    hint: NameSuggestion.hint(for: qualifier, among: sources.map(\.alias), what: "FROM has"))
            }
        }
        var found = candidates.compactMap { source in source.schema.index(of: name).map { (source, $0) } }
        if found.count > 1 { found.removeAll { $0.0.hiddenColumn == $0.1 } }
        guard let (source, column) = found.first else {
            let names = candidates.flatMap { $0.schema.columns.map(\.name) }
            throw QueryError(
                "there is no column \(name)", at: position,
                hint: Self.hint(for: name, isQuoted, among: names))
        }
        guard found.count == 1 else {
            throw Self.ambiguous(name, found.map(\.0.alias), position)
        }
        let type = source.schema.columns[column].type
        switch source.kind {
        case .dataset(let firstColumn): return .column(firstColumn + column, type)
        case .lookup(let slot, let key): return .lookup(slot: slot, key: key, column: column, type)
        }
    }

    /// What was meant by a name that no column has.
    private static func hint(for name: String, _ isQuoted: Bool, among names: [String]) -> String {
        if isQuoted {
            let nearest = NameSuggestion.nearest(to: name, among: names).map { "; did you mean \($0)?" } ?? "."
            return "Text stands between single quotes, 'a'; double quotes hold the name of a column" + nearest
        }
        if let hint = ForeignSQL.names[name.uppercased()] { return hint }
        if let dollar = name.lastIndex(of: "$") {
            let column = name[name.index(after: dollar)...]
            if names.contains(where: { same($0, String(column)) }) { return "Write the column alone: \(column)." }
        }
        let hint = NameSuggestion.hint(for: name, among: names, what: "Columns are")
        return hint.hasPrefix("Did") ? hint : hint + " Text stands between single quotes: 'a'."
    }

    func schema(ofColumn index: Int) -> ColumnSchema? {
        for source in sources {
            if case .dataset(let first) = source.kind, index >= first, index < first + source.schema.columns.count {
                return source.schema.columns[index - first]
            }
        }
        return nil
    }

    /// How often a row stands in the source: once for each combination of rows that its keys may have in the lookup tables.
    var copies: Int {
        lookups.reduce(1) { product, lookup in
            let (copies, overflow) = product.multipliedReportingOverflow(by: lookup.rowsPerKey)
            return overflow ? QuestionLimits.rowsPerUnit + 1 : Swift.min(copies, QuestionLimits.rowsPerUnit + 1)
        }
    }

    /// The values that stand in a lookup table's column; nil where they are not said.
    func domain(ofLookup slot: Int, column: Int) -> [Value]? {
        slot < lookups.count ? lookups[slot].domain(column) : nil
    }

    func schema(ofLookup slot: Int, column: Int) -> ColumnSchema? {
        slot < lookups.count ? lookups[slot].schema.columns[column] : nil
    }

    /// Whether any part of the expression reads the unit's name.
    func namesUnit(_ expression: Expression) -> Bool {
        var found = false
        expression.visit { node in
            if case .column(let index, _) = node, unitColumns.contains(index) { found = true }
        }
        return found
    }
}
