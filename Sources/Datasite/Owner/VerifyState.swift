import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB

/// Users, datasets and limits as the journal says that they were left last.
struct RecordedChanges {
    struct User {
        /// nil if the entry names none.
        var role: String?
        var isRevoked = false
        var state: [String: String] = [:]
    }

    struct Dataset {
        var version: String?
        var population: String?
        var state: [String: String] = [:]
    }

    var users: [String: User] = [:]
    var datasets: [String: Dataset] = [:]
    var limits: [Int64: [String: String]] = [:]

    mutating func play(_ entry: JournalEntry) {
        switch entry.action {
        case .userAdded, .userRevoked, .tokenRotated: playUser(entry)
        case .datasetAdded, .versionAdded, .policyChanged: playDataset(entry)
        case .datasetRemoved: if let name = entry.dataset { datasets[name] = nil }
        default: break
        }
    }

    private mutating func playUser(_ entry: JournalEntry) {
        guard let name = entry.user else { return }
        var user = users[name] ?? User()
        switch entry.action {
        case .userAdded: user = User(role: entry.role)
        case .userRevoked: user.isRevoked = true
        default: user.isRevoked = false
        }
        // A token that an earlier version gave is not known.
        if entry.action != .userRevoked { user.state = entry.state }
        users[name] = user
    }

    private mutating func playDataset(_ entry: JournalEntry) {
        guard let name = entry.dataset else { return }
        var dataset = datasets[name] ?? Dataset()
        if entry.action != .policyChanged, let version = entry.version {
            (dataset.version, dataset.population) = (version, entry.population)
        }
        dataset.state = entry.state.filter { !$0.key.hasPrefix("limits ") }
        datasets[name] = dataset
        let ofLimits = entry.state.filter { $0.key.hasPrefix("limits ") }
        // An earlier version says nothing of whose limits it changed.
        if entry.state.isEmpty { limits = [:] }
        for population in entry.populations { limits[population] = ofLimits }
    }
}

extension Datasite {
    static func checkState(_ db: Database, _ replay: Replay, _ report: inout VerifyReport) throws {
        report.begin("users, limits and manifests against journal")
        try checkUsers(db, replay.state.users, &report)
        try checkDatasets(db, replay.state.datasets, &report)
        for (population, recorded) in replay.state.limits.sorted(by: { $0.key < $1.key }) {
            guard try !RecordedState.agrees(recorded, with: RecordedState.limits(population, db)) else { continue }
            let name = try PopulationRow.find(population, db)?.name ?? "with the number \(population)"
            report.found("limits: those of the population \(name) are not what the journal says was set last")
        }
    }

    private static func checkUsers(
        _ db: Database, _ recorded: [String: RecordedChanges.User], _ report: inout VerifyReport
    ) throws {
        var unseen = Set(recorded.keys)
        for row in try Row.fetchAll(db, sql: "SELECT name, role, revoked IS NOT NULL, token FROM users ORDER BY name") {
            let name: String = row[0]
            unseen.remove(name)
            guard let user = recorded[name] else {
                report.found("users: \(name) was added by no entry of the journal")
                continue
            }
            if let role = user.role, role != row[1] as String {
                report.found("users: \(name) has another role than the journal says")
            }
            if user.isRevoked != row[2] as Bool {
                report.found("users: the journal says that \(name) is \(user.isRevoked ? "" : "not ")revoked")
            }
            if !RecordedState.agrees(user.state, with: RecordedState.token(row[3])) {
                report.found("users: the token of \(name) is not the one that the journal says was given last")
            }
        }
        for name in unseen.sorted() { report.found("users: \(name) is missing") }
    }

    private static func checkDatasets(
        _ db: Database, _ recorded: [String: RecordedChanges.Dataset], _ report: inout VerifyReport
    ) throws {
        var unseen = Set(recorded.keys)
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT d.name, d.version, p.name FROM datasets d LEFT JOIN populations p ON p.id = d.population
                ORDER BY d.name
                """)
        for row in rows {
            let name: String = row[0]
            unseen.remove(name)
            guard let dataset = recorded[name] else {
                report.found("datasets: \(name) was added by no entry of the journal")
                continue
            }
            if let version = dataset.version, version != row[1] as String {
                report.found("datasets: \(name) is of another version than the journal says")
            }
            if let population = row[2] as String?, let said = dataset.population, said != population {
                report.found("datasets: \(name) belongs to another population than the journal says")
            }
            if try !RecordedState.agrees(dataset.state, with: RecordedState.dataset(name, db)) {
                report.found("datasets: manifest or policy of \(name) are not what the journal says was set last")
            }
        }
        for name in unseen.sorted() { report.found("datasets: \(name) is missing") }
    }

    /// Whether the journal still has the entry that the generation file names, and had spent by then what the file says:
    /// who cuts the last answer out of journal, ledger and answers leaves all three in agreement, and the file not.
    func checkGeneration(
        _ db: Database, _ replay: Replay, against remembered: GenerationFile.Record?, _ report: inout VerifyReport
    ) throws {
        report.begin("generation counter")
        if let suspension { return report.found("\(suspension.detail); \(suspension.hint ?? "")") }
        guard let remembered else { return report.found("generation: its file is missing or damaged") }
        let present = try Restore.record(db)
        if remembered.generation > present.generation {
            report.found("generation: its file remembers commits that the database has not")
        }
        if let head = remembered.head, replay.hashes[head.number] != hexadecimal(head.hash) {
            report.found("generation: its file names the journal's entry \(head.number), which is missing or another")
        }
        // A file of an earlier version names no entry: then it tells of the ledger's state at its own generation alone.
        let isComparable = remembered.head != nil || remembered.generation == present.generation
        guard isComparable, let spent = remembered.spent else { return }
        let journaled = replay.remembered ?? replay.populations
        let populations = try Dictionary(
            PopulationRow.all(db).map { (GenerationFile.Record.Spent.tag($0.name), $0) },
            uniquingKeysWith: { first, _ in first })
        for known in spent {
            let population = populations[known.population]
            let own = population.flatMap { journaled[$0.id] } ?? Replay.Spent()
            if !own.agrees(with: known.loss) {
                let name = population?.name ?? "that is missing"
                report.found("generation: its file knows another spending of the population \(name) than the journal")
            }
        }
    }
}
