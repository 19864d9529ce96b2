import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Tables

/// What becomes of wrong rows of a file.
public enum OnError: String, Sendable, CaseIterable {
    /// The first wrong row refuses the file.
    case refuse
    /// A wrong cell becomes null.
    case null
    /// All rows of the unit are dropped.
    case skipUnit = "skip-unit"
}

/// What the owner hears after a table was added: private to her.
public struct AdditionReport: Sendable, Hashable {
    /// The dataset's new version: a random identifier.
    public var version: String
    /// Rows of the file.
    public var rowsRead: Int
    /// Rows of the table: what wrong rows and the bounds of contribution left.
    public var rows: Int
    /// nil for a public lookup table, which protects nobody.
    public var units: Int?
    /// How the rows lie in units and groups, in words.
    public var facts: [String]
    /// How long answers take; nil for a public lookup table.
    public var time: String?
    /// Remarks, such as rows dropped, or a population whose people another one's table holds too.
    public var warnings: [String]
}

extension Datasite {
    /// Drafts a manifest from a file: names and types only. What only the owner can know (bounds, domains, the privacy
    /// unit, the budget) stands there as a placeholder, and the draft is refused until she has set it: taken from the
    /// rows, it would tell about them. The types are those that read the whole file.
    ///
    /// - Parameters:
    ///   - file: The table; nil where files of arrays hold all columns.
    ///   - arrays: Files of the rows' arrays: shapes and types are drafted.
    public static func describe(
        _ file: String?, arrays: [ArrayFile] = [], options: DraftOptions = DraftOptions()
    ) throws -> ManifestDraft {
        var options = options
        options.capacityComment = AnswerTime.draft
        return try reportingProblems { try ManifestDraft(file, arrays: arrays, options) }
    }

    /// Adds a dataset, or a public lookup table, from a file and the owner's manifest. The table is visible when all of
    /// it is on the disk, or not at all. What an addition that was cut short left behind is removed first.
    ///
    /// - Parameters:
    ///   - file: The table; nil where files of arrays hold all its columns.
    ///   - arrays: Files of the arrays that the manifest declares, and of columns that the table's file has not.
    ///   - progress: Told how far it is; where it throws a `CancellationError`, nothing is added.
    public func addDataset(
        file: String?, arrays: [ArrayFile] = [], manifestText: String, onError: OnError = .refuse,
        progress: @Sendable (_ fraction: Double) throws -> Void = { _ in }
    ) throws -> AdditionReport {
        try add(file, arrays, manifest: manifestText, onError, replacing: nil, keepsPolicy: false, progress: progress)
    }

    /// Replaces a dataset's rows by a file's, under the manifest it has or a new one. The population's ledger goes on:
    /// what was spent stays spent (docs/privacy.md, rule 9). Requests that wait for approval lapse.
    public func addVersion(
        of name: String, file: String?, arrays: [ArrayFile] = [], manifestText: String? = nil,
        onError: OnError = .refuse,
        progress: @Sendable (_ fraction: Double) throws -> Void = { _ in }
    ) throws -> AdditionReport {
        let stored = try storedManifest(name)
        return try add(
            file, arrays, manifest: manifestText ?? stored, onError, replacing: name, keepsPolicy: manifestText == nil,
            progress: progress)
    }

    /// Adds a file's rows to a dataset's, as a new version under its present manifest: a unit's rows of both are bounded
    /// together (docs/privacy.md, rule 11), the population's ledger goes on, and requests that wait for approval lapse.
    public func append(
        to name: String, file: String, onError: OnError = .refuse,
        progress: @Sendable (_ fraction: Double) throws -> Void = { _ in }
    ) throws -> AdditionReport {
        let stored = try storedManifest(name)
        guard try catalogue().datasets[name]?.manifest.schema.arrays.isEmpty ?? true else {
            throw Problem.invalidRequest(
                "\(name) has arrays, to which nothing is appended", hint: "`parley data version` with all rows")
        }
        return try add(
            file, [], manifest: stored, onError, replacing: name, keepsPolicy: true, appends: true, progress: progress)
    }

    private func storedManifest(_ name: String) throws -> String {
        let stored = try read { db in
            try String.fetchOne(db, sql: "SELECT manifest FROM datasets WHERE name = :name", arguments: ["name": name])
        }
        guard let stored else { throw try catalogue().absent(name) }
        return stored
    }

    private func add(
        _ file: String?, _ arrays: [ArrayFile], manifest text: String, _ onError: OnError, replacing: String?,
        keepsPolicy: Bool,
        appends: Bool = false, progress: @Sendable (Double) throws -> Void
    ) throws -> AdditionReport {
        try requireSound()
        // What was accepted before is not refused now.
        let document = try ManifestDocument(text, engines: keepsPolicy ? nil : engineNames)
        let manifest = document.manifest
        if let replacing, replacing != manifest.name {
            throw Problem.invalidManifest("the manifest is of \(manifest.name), not of \(replacing)")
        }
        // FROM and JOIN find tables regardless of case, as they do columns.
        let taken = try catalogue().datasets.keys.first { $0.lowercased() == manifest.name.lowercased() }
        if replacing == nil, let taken {
            throw Problem.conflict(
                "there is a dataset \(taken)" + (taken == manifest.name ? "" : " (case does not count)"),
                hint: "`parley data version` replaces its rows")
        }
        return try reportingProblems {
            let key = ClusteringKey(siteSecret: try folder.readRowSecret(), population: manifest.population)
            let inputs = try ArrayInputs.of(arrays, manifest, hasTable: file != nil, key: key) { try progress(0) }
            if let file { try FileColumns.check(file, against: inputs?.inTable(document) ?? document) }
            try removeAbandonedVersions()
            let addition = try VersionLock(folder: folder)
            let job = try AdditionJob(
                appends ? .append : replacing == nil ? .add : .replace, of: manifest.name, version: addition.version,
                at: self)
            do {
                let base = appends ? try replacing.flatMap { try catalogue().datasets[$0] } : nil
                let report = try load(file, inputs, document, onError: onError, key: key, into: addition, base: base) {
                    share, rows in
                    try job.note(rows: rows, share: share)
                    try progress(share)
                }
                try install(
                    addition, document, text, replacing: replacing, keepsPolicy: keepsPolicy, rows: report.rowsRead,
                    base: base?.version)
                tables.keepOnly(Set(try catalogue().datasets.values.map(\.version)))
                return report
            } catch {
                try? FileManager.default.removeItem(atPath: addition.directory)
                job.end(error)
                throw error
            }
        }
    }

    private func load(
        _ file: String?, _ arrays: ArrayInputs?, _ document: ManifestDocument, onError: OnError, key: ClusteringKey,
        into addition: VersionLock,
        base: Catalogue.Entry?, progress: @Sendable (_ share: Double, _ rows: Int) throws -> Void
    ) throws -> AdditionReport {
        let manifest = document.manifest
        var options = IngestOptions()
        options.form = document.form
        options.onError = onError.policy
        let report: IngestReport
        do {
            report = try ingest(
                file: file, manifest: manifest, key: key, into: addition.directory, options: options,
                arrays: arrays, base: try base.map { try self.table($0) }
            ) { try progress($0.share, $0.rows) }
        } catch let error as IngestError {
            throw Problem.invalidData("\(error)", hint: error.hint)
        } catch is CancellationError {
            throw AdditionJob.interrupted
        }
        if let base, try report.rowsRead == self.table(base).rowCount {
            throw Problem.invalidData("the file holds no rows: nothing was appended")
        }
        let table = try TableFiles(directory: addition.directory).open(schema: manifest.schema)
        var warnings = Self.remarks(report, manifest) + (arrays?.remarks ?? []) + Self.quotedNames(manifest)
        if let policy = manifest.policy, policy.regime.kind != .renyi, policy.engines?[TrainingWork.engine] != nil {
            warnings.append(
                "`engines` allows training, which has a price under `loss: renyi` alone: all plans will be refused")
        }
        if let share = manifest.policy?.leastShare, share < Policy.usualLeastShare / 100 {
            warnings.append(
                "`least-share: 0`, or below 1e-6, lets questions cost next to nothing: asked often enough, they average out what a side "
                    + "channel such as the running time still tells")
        }
        if let key = manifest.lookupKey {
            do { _ = try LookupTable(table, keyColumn: key, rowsPerKey: manifest.rowsPerKey) } catch {
                let name = manifest.schema.columns[key].name
                throw Problem.invalidData(
                    manifest.rowsPerKey == 1
                        ? "the column \(name) is not unique"
                        : "a value of \(name) has more than \(manifest.rowsPerKey) rows",
                    hint: "a lookup table has one row for each key, or at most `rows-per-key`")
            }
        } else {
            warnings += try overlaps(table, manifest.population)
        }
        return AdditionReport(
            version: addition.version, rowsRead: report.rowsRead, rows: report.rowsKept,
            units: manifest.lookupKey == nil ? report.units : nil, facts: Self.facts(table, manifest),
            time: manifest.lookupKey == nil ? AnswerTime.note(manifest) { slot(limits, $0) } : nil, warnings: warnings)
    }

    /// Names that are words of SQL, or more than a word: whoever asks must know.
    private static func quotedNames(_ manifest: Manifest) -> [String] {
        let (name, columns) = (manifest.name, manifest.schema.columns.map(\.name))
        let table = SQLName.written(name)
        let quoted = columns.filter { SQLName.written($0) != $0 }.map(SQLName.written)
        return [
            table == name
                ? nil : "in questions \(name) stands in double quotes: SELECT COUNT(*) FROM \(table)",
            quoted.isEmpty ? nil : "columns that stand in double quotes in questions: \(list(quoted))",
        ].compactMap(\.self)
    }

    /// Rows and groups of a unit, beside the bounds that the manifest declares.
    private static func facts(_ table: Tables.Table, _ manifest: Manifest) -> [String] {
        guard let unit = table.unitColumn, table.unitCount > 0, manifest.unit.rowsPerUnit > 1 else { return [] }
        func words(_ units: [Int: Int]) -> String {
            let ranked = units.values(at: [0.5, 0.9, 0.99]).map { "\(Int($0))" }
            return "half of the units have at most \(ranked[0]), 90 % \(ranked[1]), 99 % \(ranked[2])"
        }
        let keys = table.schema.columns.indices.filter { $0 != unit && table.isKey($0) }
        let groups = concurrently(keys.count) { table.unitsByGroups(column: keys[$0]) }
        let bound = manifest.unit.groupsPerUnit
        let wide = zip(keys, groups).compactMap { key, units -> String? in
            let beyond = units.filter { $0.key > bound }.values.reduce(0, +)
            guard beyond > 0 else { return nil }
            let percent = (1_000 * Double(beyond) / Double(table.unitCount)).rounded() / 10
            return "groups of a unit by \(table.schema.columns[key].name), of which \(bound) count: \(words(units)); "
                + "\(beyond) \(beyond == 1 ? "unit" : "units") (\(percent) %) \(beyond == 1 ? "has" : "have") more"
        }
        return ["rows of a unit, at most \(manifest.unit.rowsPerUnit): \(words(table.unitsByRows()))"] + wide
    }

    private static func remarks(_ report: IngestReport, _ manifest: Manifest) -> [String] {
        var remarks: [String] = []
        /// - Parameter one: What is said where it is a single one.
        func remark(_ count: Int, _ many: String, one: String) {
            guard count > 0 else { return }
            let what = count == 1 ? one : many
            let share = 100 * Double(count) / Double(Swift.max(count, report.rowsRead))
            let percent = share < 0.1 ? "below 0.1" : "\((share * 10).rounded() / 10)"
            remarks.append("\(count) \(what): \(percent) % of all rows")
        }
        if report.rowsKept == 0 {
            remarks.append(
                report.rowsRead == 0
                    ? "the file holds no rows: the table is empty" : "no row was kept: the table is empty")
        }
        remark(report.rowsWithoutUnit, "rows dropped: they name no unit", one: "row dropped: it names no unit")
        remark(
            report.rowsBeyondBound, "rows dropped: their unit has more rows than the manifest allows",
            one: "row dropped: its unit has more rows than the manifest allows")
        remark(report.rowsWrong, "rows with something wrong in them", one: "row with something wrong in it")
        remark(
            report.rowsSkipped, "rows dropped because something was wrong",
            one: "row dropped because something was wrong")
        if report.unitsSkipped > 0 {
            let units = report.unitsSkipped == 1 ? "unit" : "units"
            remarks.append("\(report.unitsSkipped) \(units) dropped because something was wrong")
        }
        for (column, schema) in zip(report.columns, manifest.schema.columns.filter { $0.computed == nil }) {
            remark(
                column.outsideBounds,
                "values of \(column.name) outside its bounds "
                    + (schema.outsideIsNull ? "became null" : "count as the bound"),
                one: "value of \(column.name) outside its bounds "
                    + (schema.outsideIsNull ? "became null" : "counts as the bound"))
            remark(
                column.leadingZeros,
                "values of \(column.name) are written with leading zeros, which an integer has not: if 0870 and 870 are "
                    + "two codes, declare the column as text and add the table again",
                one: "value of \(column.name) is written with leading zeros, which an integer has not: if 0870 and 870 "
                    + "are two codes, declare the column as text and add the table again")
            remark(
                column.outsideDomain,
                "values of \(column.name) outside its domain "
                    + (schema.other == nil ? "became null" : "count as its `other`"),
                one: "value of \(column.name) outside its domain "
                    + (schema.other == nil ? "became null" : "counts as its `other`"))
            remark(
                column.textsCut, "texts of \(column.name) cut to the largest number of bytes",
                one: "text of \(column.name) cut to the largest number of bytes")
            remark(
                column.infinities,
                "infinite values of \(column.name) " + (schema.infinityIsBound ? "count as the bound" : "became null"),
                one: "infinite value of \(column.name) "
                    + (schema.infinityIsBound ? "counts as the bound" : "became null"))
            remark(
                column.wrongBecameNull, "wrong values of \(column.name) became null",
                one: "wrong value of \(column.name) became null")
        }
        return remarks + report.examples.prefix(5).map { "for example, \($0)" }
    }

    /// People whom two populations hold have two budgets: their losses add (docs/privacy.md, rule 9).
    private func overlaps(_ table: Tables.Table, _ population: String) throws -> [String] {
        try catalogue().datasets.values
            .filter { !$0.isLookup && $0.manifest.population != population && $0.manifest.unit.column != nil }
            .sorted { $0.manifest.name < $1.manifest.name }
            .compactMap { other in
                let shared = table.unitsShared(with: try self.table(other))
                guard shared > 0 else { return nil }
                return "\(shared) units occur in \(other.manifest.name) too, which belongs to the population "
                    + "\(other.manifest.population): their losses add up. Name one population for both, so that they "
                    + "share a budget."
            }
    }

    private func install(
        _ addition: VersionLock, _ document: ManifestDocument, _ text: String, replacing: String?,
        keepsPolicy: Bool, rows: Int, base: String? = nil
    ) throws {
        let version = addition.version
        let manifest = document.manifest
        let description = Data(SHA256.hash(data: try Data(contentsOf: URL(filePath: addition.descriptionPath))))
        try write { context in
            let db = context.db
            let old = try Row.fetchOne(
                db, sql: "SELECT version, population, manifest, policy FROM datasets WHERE name = :name",
                arguments: ["name": manifest.name])
            guard (old == nil) == (replacing == nil) else {
                throw Problem.conflict("the dataset \(manifest.name) was added or removed meanwhile")
            }
            guard base == nil || old?["version"] == base else {
                throw Problem.conflict(
                    "the dataset \(manifest.name) has a new version meanwhile, whose rows are not in this one",
                    hint: "append to it once more")
            }
            if let old { try Self.checkSuccession(of: old, by: manifest) }
            let change = try keepsPolicy ? nil : old.flatMap { try Self.change(of: $0, to: manifest.policy, db) }
            var population = old?["population"] as Int64?
            if !keepsPolicy, let policy = manifest.policy {
                population = try PopulationRow.establish(
                    manifest.population, policy: policy, unitColumn: manifest.unitColumnName,
                    mayChange: try Self.isAlone(manifest, db), actor: Self.localOwner.name, in: &context)
            }
            try db.execute(
                sql: "INSERT INTO versions VALUES (:version, :name, :now, NULL, :description)",
                arguments: [
                    "version": version, "name": manifest.name, "now": context.now, "description": description,
                ])
            guard try AdditionRow.note(version, rows: rows, share: 1, in: context),
                try AdditionRow.end(version, as: .done, in: context)
            else { throw AdditionJob.interrupted }
            if let old { try Self.retire(old["version"], of: manifest.name, in: &context) }
            try db.execute(
                sql: """
                    INSERT INTO datasets VALUES (:name, :version, :population, :manifest, NULL, :now)
                    ON CONFLICT (name) DO UPDATE SET
                        version = excluded.version, population = excluded.population, manifest = excluded.manifest,
                        policy = :policy
                    """,
                arguments: [
                    "name": manifest.name, "version": version, "population": population, "manifest": text,
                    "now": context.now, "policy": keepsPolicy ? old?["policy"] as String? : nil,
                ])
            try Meta.catalogueChanged(db)
            if let change, !change.isNothing {
                try context.journal(
                    JournalEntry(
                        action: .policyChanged, actor: Self.localOwner.name, time: context.now, dataset: manifest.name,
                        detail: change.words
                    ).recording(dataset: manifest.name, in: db))
            }
            try context.journal(
                JournalEntry(
                    action: old == nil ? .datasetAdded : .versionAdded, actor: Self.localOwner.name, time: context.now,
                    dataset: manifest.name, version: version, population: manifest.population
                ).recording(dataset: manifest.name, in: db))
        }
        if replacing != nil { try removeAbandonedVersions() }
    }

    /// A version continues its dataset: the same people, named by the same column, on the same ledger.
    private static func checkSuccession(of old: Row, by manifest: Manifest) throws {
        let before = try ManifestDocument(old["manifest"], isStored: true).manifest
        guard (before.lookupKey == nil) == (manifest.lookupKey == nil) else {
            throw Problem.invalidManifest("a lookup table cannot become private, nor a private one a lookup table")
        }
        guard before.population == manifest.population, before.unitColumnName == manifest.unitColumnName else {
            throw Problem.invalidManifest(
                "a new version must keep the population and the unit's column",
                hint: "what was spent belongs to these people; another population is another dataset")
        }
    }

    /// Whether no other dataset draws on the manifest's population.
    static func isAlone(_ manifest: Manifest, _ db: Database) throws -> Bool {
        try Int.fetchOne(
            db,
            sql: """
                SELECT count(*) FROM datasets d JOIN populations p ON d.population = p.id
                WHERE p.name = :population AND d.name <> :name
                """, arguments: ["population": manifest.population, "name": manifest.name]) == 0
    }

    private static func retire(_ version: String, of dataset: String, in context: inout WriteContext) throws {
        try context.db.execute(
            sql: "UPDATE versions SET removed = :now WHERE id = :version",
            arguments: ["now": context.now, "version": version])
        try RequestRow.lapse(version: version, of: dataset, in: &context)
    }

    /// Removes a dataset. Its population's ledger stays: whatever is added to the population later continues it.
    public func removeDataset(_ name: String) throws {
        try write { context in
            let db = context.db
            guard
                let version = try String.fetchOne(
                    db, sql: "SELECT version FROM datasets WHERE name = :name", arguments: ["name": name])
            else { throw Problem.absent("there is no dataset \(DisplayedName.of(name))") }
            try Self.retire(version, of: name, in: &context)
            try db.execute(sql: "DELETE FROM datasets WHERE name = :name", arguments: ["name": name])
            try Meta.catalogueChanged(db)
            try context.journal(
                JournalEntry(
                    action: .datasetRemoved, actor: Self.localOwner.name, time: context.now, dataset: name,
                    detail: "its population's ledger stays"))
        }
        tables.keepOnly(Set(try catalogue().datasets.values.map(\.version)))
        try reportingProblems { try removeAbandonedVersions() }
        // A part that is under way stops, and clears away what it writes until then.
        removeRemains()
    }

    /// Replaces a dataset's policy. Limits are its population's, so they change for all datasets about the same people;
    /// the unit of loss and delta cannot change once budget was spent. A raised budget is journaled as such.
    public func setPolicy(of name: String, policyText: String) throws {
        let policy = try PolicyReader.document(policyText, engines: engineNames)
        try write { context in
            let db = context.db
            guard
                let row = try Row.fetchOne(
                    db, sql: "SELECT manifest, policy, population FROM datasets WHERE name = :name",
                    arguments: ["name": name])
            else { throw Problem.absent("there is no dataset \(DisplayedName.of(name))") }
            let manifest = try ManifestDocument(row["manifest"], isStored: true).manifest
            guard manifest.lookupKey == nil else { throw Problem.invalidManifest("a lookup table has no policy") }
            let change = try Self.change(of: row, to: policy, db)
            _ = try PopulationRow.establish(
                manifest.population, policy: policy, unitColumn: manifest.unitColumnName, mayChange: true,
                actor: Self.localOwner.name, in: &context)
            try db.execute(
                sql: "UPDATE datasets SET policy = :policy WHERE name = :name",
                arguments: ["policy": policyText, "name": name])
            try Meta.catalogueChanged(db)
            try context.journal(
                JournalEntry(
                    action: .policyChanged, actor: Self.localOwner.name, time: context.now, dataset: name,
                    detail: change?.words ?? ""
                ).recording(dataset: name, in: db))
        }
    }

    /// From what holds of a dataset until now; nil for a lookup table, which has no policy.
    private static func change(of row: Row, to policy: Policy?, _ db: Database) throws -> PolicyChange? {
        let manifest = try ManifestDocument(row["manifest"], isStored: true).manifest
        guard let old = try Policy.inForce(row, manifest, db), let policy else { return nil }
        return PolicyChange(old: old, new: policy)
    }
}
