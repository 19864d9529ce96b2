import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Governance
import Query

/// What an owner is about to change.
public enum OwnerChange: Sendable, Hashable {
    /// A dataset is added under this manifest.
    case add(manifest: String)
    /// A dataset's rows are replaced, under a new manifest or the present one.
    case version(dataset: String, manifest: String?)
    /// Rows are appended to a dataset's.
    case append(dataset: String)
    /// A dataset, and its population, get this policy.
    case policy(dataset: String, policy: String)
    /// A dataset is removed.
    case remove(dataset: String)
    /// A restore is accepted.
    case acceptRestore
}

/// What an owner should know before she changes something: she is asked where there is any of it.
public struct Consequences: Sendable, Hashable {
    /// What is allowed, and protects nobody or cannot be meant.
    public var doubts: [String] = []
    /// Whom, and what, the change touches.
    public var touched: [String] = []

    /// What is unusual, and whom and what it touches.
    public init(doubts: [String] = [], touched: [String] = []) { (self.doubts, self.touched) = (doubts, touched) }

    /// Whether there is nothing to be asked about.
    public var isEmpty: Bool { doubts.isEmpty && touched.isEmpty }
}

extension Datasite {
    /// What a change would do beside what it is for. Nothing is changed, and nothing is read but the catalogue, the ledger and
    /// the requests.
    ///
    /// - Throws: What the change itself would throw for a manifest, a policy or a name that is wrong.
    public func consequences(of change: OwnerChange) throws -> Consequences {
        let catalogue = try catalogue()
        func entry(_ name: String) throws -> Catalogue.Entry {
            guard let entry = catalogue.datasets[name] else { throw catalogue.absent(name) }
            return entry
        }
        func others(_ entry: Catalogue.Entry) -> [String] {
            catalogue.datasets.values.filter { $0.population == entry.population && $0.version != entry.version }
                .filter { $0.population != nil }.map(\.manifest.name).sorted()
        }
        return try reportingProblems {
            switch change {
            case .add(let text):
                let manifest = try ManifestDocument(text, engines: engineNames).manifest
                return Consequences(doubts: try doubts(manifest), touched: try endingLimits(manifest))
            case .version(let name, let text):
                var consequences = Consequences(touched: try lapsing(try entry(name), isRemoved: false))
                if let text {
                    let manifest = try ManifestDocument(text, engines: engineNames).manifest
                    consequences.doubts = try doubts(manifest)
                    consequences.touched += try endingLimits(manifest)
                }
                return consequences
            case .acceptRestore: return Consequences(touched: try consequencesOfAccepting())
            case .append(let name): return Consequences(touched: try lapsing(try entry(name), isRemoved: false))
            case .remove(let name):
                let entry = try entry(name)
                return Consequences(
                    touched: try lapsing(entry, isRemoved: true)
                        + Self.sharing(others(entry), "keep drawing on its people's budget")
                        + askers(entry))
            case .policy(let name, let text):
                let entry = try entry(name)
                var manifest = entry.manifest
                manifest.policy = try PolicyReader.document(text, engines: engineNames)
                return Consequences(
                    doubts: try doubts(manifest),
                    touched: Self.sharing(others(entry), "get the same limits") + (try endingLimits(manifest))
                        + (try holding(entry)))
            }
        }
    }

    /// What a manifest and its policy say by themselves, and limits below what is spent of them.
    private func doubts(_ manifest: Manifest) throws -> [String] {
        let own =
            manifest.doubts(site: engineNames.site).map { "`\($0.path)`: \($0.message)" }
            + (try manifest.policy?.namesInDoubt(among: users()) ?? []) + modelDoubts(manifest)
        guard let policy = manifest.policy else { return own }
        let spent = try read { db -> [String] in
            guard let present = try PopulationRow.named(manifest.population, db), present.kind == policy.regime.kind
            else {
                return []
            }
            return try present.exceeded(by: policy, db)
        }
        return own + spent
    }

    /// A rule for predictions that names no model of that dataset: nothing could be asked under it.
    private func modelDoubts(_ manifest: Manifest) -> [String] {
        guard
            let rule = manifest.policy?.rule(for: PredictionRule.engine, isAllowedUnlessSaid: false)?.prediction
        else { return [] }
        do { _ = try model(for: rule, of: manifest.name) } catch let problem as Problem {
            let words =
                "`policy.engines.\(PredictionRule.engine.rawValue)`: \(problem.detail), so that nothing can be asked"
            return [problem.hint.map { "\(words); \($0)" } ?? words]
        } catch { return [] }
        return []
    }

    /// What goes with a version of a dataset.
    private func lapsing(_ entry: Catalogue.Entry, isRemoved: Bool) throws -> [String] {
        let waiting = try read { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT researcher FROM requests WHERE state = 'pending'
                        AND id IN (SELECT request FROM request_assets WHERE version = :version) ORDER BY researcher
                    """, arguments: ["version": entry.version])
        }
        var touched = Self.counted(waiting, "lapse, and what is held for them is given back")
        if let synthetic = entry.synthetic {
            let conversion = entry.policy?.regime.conversionDelta ?? 0
            touched.append(
                "\(synthetic.source(conversionDelta: conversion)), is dropped; that stays charged"
                    + (isRemoved ? "" : ", and mock answers are made up from the manifest again"))
        }
        return touched
    }

    /// Requests that wait for approval on any dataset of the population, and who has spent of its budget.
    private func holding(_ entry: Catalogue.Entry) throws -> [String] {
        guard let population = entry.population else { return [] }
        return try read { db in
            let waiting = try String.fetchAll(
                db,
                sql: """
                    SELECT researcher FROM requests WHERE state = 'pending'
                        AND id IN (SELECT request FROM request_assets WHERE population = :population) ORDER BY researcher
                    """, arguments: ["population": population])
            let spenders = try String.fetchAll(
                db,
                sql: """
                    SELECT researcher FROM researcher_spending WHERE population = :population AND (amount <> 0 OR delta <> 0)
                    ORDER BY researcher
                    """, arguments: ["population": population])
            return Self.counted(
                waiting,
                "keep the charge that is held for them, and are decided under this policy when they are approved: what it "
                    + "refuses, and what would cost otherwise, lapses then")
                + (spenders.isEmpty
                    ? [] : ["researchers who have asked, and read the new policy: \(Self.list(spenders))"])
        }
    }

    /// Who asked a dataset that goes.
    private func askers(_ entry: Catalogue.Entry) throws -> [String] {
        let askers = try read { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT researcher FROM requests WHERE \(RequestRow.isSpent)
                        AND researcher IN (SELECT name FROM users WHERE role = 'researcher')
                        AND id IN (SELECT request FROM request_assets WHERE dataset = :dataset AND population IS NOT NULL) ORDER BY researcher
                    """, arguments: ["dataset": entry.manifest.name])
        }
        return askers.isEmpty
            ? [] : ["\(Self.list(askers)) asked it: their answers and receipts stay"]
    }

    private static func sharing(_ names: [String], _ what: String) -> [String] {
        names.isEmpty ? [] : ["other datasets about the same people \(what): \(list(names))"]
    }

    private static func counted(_ askers: [String], _ what: String) -> [String] {
        guard !askers.isEmpty else { return [] }
        let names = Set(askers).sorted()
        return ["requests that wait for approval \(what): \(askers.count), of \(list(names))"]
    }

    /// The first names of many.
    static func list(_ names: [String]) -> String {
        let shown = names.prefix(10).joined(separator: ", ")
        return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
    }
}

extension Datasite {
    /// What policies are read against here.
    var engineNames: EngineNames {
        EngineNames(all: engineTable.names.all, site: Array(signingKey.publicKey.rawRepresentation))
    }
}
