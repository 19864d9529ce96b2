import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Synchronization

/// What `verify` found.
public struct VerifyReport: Sendable, Hashable {
    /// One check, in words, and what it found wrong.
    public struct Check: Sendable, Hashable {
        /// What was checked.
        public var name: String
        /// What is wrong; empty if all is well.
        public var problems: [String]
    }

    /// The checks in their order.
    public var checks: [Check] = []
    /// What is not wrong, but the owner's to know.
    public var remarks: [String] = []
    /// What is wrong; empty if all is well.
    public var problems: [String] { checks.flatMap(\.problems) }
    /// Whether nothing is wrong.
    public var isSound: Bool { problems.isEmpty }

    mutating func begin(_ check: String) { checks.append(Check(name: check, problems: [])) }

    /// Adds to what the check that was begun last has found.
    mutating func found(_ problem: String) { checks[checks.count - 1].problems.append(problem) }
}

extension Datasite {
    /// Checks the datasite's own files: the database's structure, the journal's hash chain, ledger against journal and
    /// requests, users, limits and manifests against the journal, every receipt's signature and answer digest, the column
    /// files' checksums, and what the generation file remembers.
    /// Changes nothing.
    public func verify() throws -> VerifyReport {
        var report = VerifyReport()
        // The file first: commits in between make the database newer than it, never older.
        let remembered = try reportingProblems { try GenerationFile(path: folder.generation).read() }
        try read { db in
            try Self.checkDatabase(db, &report)
            let replay = try Self.checkJournal(db, until: remembered?.head, &report)
            try Self.checkLedger(db, replay, &report)
            try Self.checkUses(db, replay, &report)
            try Self.checkState(db, replay, &report)
            try Self.checkRequests(db, replay, &report)
            try checkReceipts(db, replay, &report)
            try checkFiles(db, &report)
            try checkGeneration(db, replay, against: remembered, &report)
        }
        try forEachAbandonedPath { path in
            guard !path.hasSuffix(".lock") else { return }
            report.remarks.append(
                "an addition that was cut short left private rows in \(path): the next `parley data add` or "
                    + "`parley serve` removes them")
        }
        return report
    }

    private static func checkDatabase(_ db: Database, _ report: inout VerifyReport) throws {
        report.begin("database structure")
        let findings = try String.fetchAll(db, sql: "PRAGMA integrity_check(5)")
        if findings != ["ok"] { for finding in findings { report.found("database: \(finding)") } }
        let foreign = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check")
        if !foreign.isEmpty { report.found("database: \(foreign.count) rows refer to nothing") }
        if try !SiteStore.isPresent(db) { report.found("database: its schema is not this version's") }
    }

    /// What the journal says when it is played again.
    struct Replay {
        /// A sum of losses as the ledger makes it.
        struct Spent {
            /// nil: nothing yet.
            private(set) var loss: PrivacyLoss?
            /// What the journal says is no sum of one kind of loss.
            private var isBroken = false

            mutating func add(_ change: PrivacyLoss, times sign: Int) {
                // Where nothing is spent, the kind may change.
                let sum = loss.flatMap { $0.isZero ? nil : $0 } ?? .zero(change.kind)
                do { loss = sign > 0 ? try sum + change : try sum.removing(change) } catch { isBroken = true }
            }

            func agrees(with stored: PrivacyLoss) -> Bool {
                !isBroken && (loss == stored || stored.isZero && loss?.isZero ?? true)
            }

            func isAtMost(_ stored: PrivacyLoss) -> Bool {
                !isBroken && loss.map { $0.isZero || $0.isCovered(by: stored) } ?? true
            }
        }

        var populations: [Int64: Spent] = [:]
        var researchers: [Int64: [String: Spent]] = [:]
        /// By dataset, engine and asker.
        var uses: [[String]: Int64] = [:]
        /// Populations with an accepted restore: there, researchers were charged what they may not have spent.
        var restored: Set<Int64> = []
        var states: [String: RequestState] = [:]
        /// By index: the hash, and the answer's digest of a release.
        var hashes: [Int64: String] = [:]
        var answers: [String: String] = [:]
        /// Users, datasets and limits as the journal says that they were left last.
        var state = RecordedChanges()
        /// What had been spent when the generation file was written last.
        var remembered: [Int64: Spent]?

        mutating func play(_ entry: JournalEntry) {
            state.play(entry)
            if let request = entry.request {
                switch entry.action {
                case .pending: states[request] = .pending
                case .reserved: states[request] = .reserved
                case .denied: states[request] = .denied
                case .lapsed: states[request] = .lapsed
                case .cancelled: states[request] = .cancelled
                case .released:
                    states[request] = .released
                    answers[request] = entry.answer
                default: break
                }
            }
            let sign =
                switch entry.action {
                case .pending, .reserved, .restoreAccepted: 1
                case .denied, .lapsed, .cancelled: -1
                default: 0
                }
            let request = entry.request ?? ""
            if let owner = owners[request] ?? (sign > 0 ? entry.actor : nil) {
                if sign > 0, entry.request != nil { owners[request] = owner }
                for dataset in entry.assets where entry.uses != 0 {
                    uses[[dataset, entry.engine ?? "", owner], default: 0] &+= Int64(sign) * entry.uses
                }
            }
            guard let loss = entry.loss else { return }
            for population in entry.populations {
                populations[population, default: Spent()].add(loss, times: sign)
                if entry.action == .restoreAccepted { restored.insert(population) }
            }
            guard [.pending, .reserved].contains(entry.action) || sign < 0 else { return }
            let researcher = sign < 0 ? owners[entry.request ?? ""] ?? "" : entry.actor
            if let request = entry.request, sign > 0 { owners[request] = researcher }
            for population in entry.populations {
                researchers[population, default: [:]][researcher, default: Spent()].add(loss, times: sign)
            }
        }

        private var owners: [String: String] = [:]
    }

    private static func checkJournal(
        _ db: Database, until remembered: Journal.Head?, _ report: inout VerifyReport
    ) throws -> Replay {
        report.begin("journal hash chain")
        var replay = Replay()
        var previous = [UInt8](repeating: 0, count: 32)
        var expected: Int64 = 1
        let rows = try Row.fetchCursor(db, sql: "SELECT number, entry, hash FROM journal ORDER BY number")
        while let row = try rows.next() {
            let number: Int64 = row[0]
            let text: String = row[1]
            let hash = Journal.hash(Array(text.utf8), after: previous)
            let stored = Array(row[2] as Data)
            guard number == expected, hash == stored, let decoded = JournalEntry.decode(text), decoded.number == number
            else {
                report.found("journal: the chain breaks at entry \(expected)")
                return replay
            }
            replay.hashes[number] = hexadecimal(hash)
            replay.play(decoded.entry)
            if number == remembered?.number { replay.remembered = replay.populations }
            previous = hash
            expected += 1
        }
        if expected == 1 { report.found("journal: it is empty") }
        return replay
    }

    private static func checkLedger(_ db: Database, _ replay: Replay, _ report: inout VerifyReport) throws {
        report.begin("ledger against journal")
        for population in try PopulationRow.all(db) {
            let journaled = replay.populations[population.id] ?? Replay.Spent()
            if !journaled.agrees(with: population.spent) {
                report.found("ledger: the population \(population.name) differs from the journal")
            }
            for row in try Row.fetchAll(
                db, sql: "SELECT researcher, amount, delta FROM researcher_spending WHERE population = :population",
                arguments: ["population": population.id])
            {
                let name: String = row["researcher"]
                let own = replay.researchers[population.id]?[name] ?? Replay.Spent()
                let stored = try row.loss(population.kind)
                let agrees =
                    replay.restored.contains(population.id) ? own.isAtMost(stored) : own.agrees(with: stored)
                if !agrees {
                    report.found("ledger: \(name) in the population \(population.name) differs from the journal")
                }
            }
        }
    }

    private static func checkUses(_ db: Database, _ replay: Replay, _ report: inout VerifyReport) throws {
        var journaled = replay.uses.filter { $0.value != 0 }
        for row in try Row.fetchAll(db, sql: "SELECT dataset, engine, asker, uses FROM uses WHERE uses <> 0") {
            let key: [String] = [row["dataset"], row["engine"], row["asker"]]
            if journaled.removeValue(forKey: key) != row["uses"] as Int64 {
                report.found("ledger: the uses of \(key[0]) by \(key[2]) differ from the journal")
            }
        }
        for key in journaled.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            report.found("ledger: the uses of \(key[0]) by \(key[2]) are missing")
        }
    }

    private static func checkRequests(_ db: Database, _ replay: Replay, _ report: inout VerifyReport) throws {
        report.begin("requests against journal")
        var seen = 0
        let rows = try Row.fetchCursor(db, sql: "SELECT id, state FROM requests")
        while let row = try rows.next() {
            let id: String = row[0]
            seen += 1
            if replay.states[id]?.rawValue != row[1] as String {
                report.found("requests: \(id) is not in the state that the journal says")
            }
        }
        if seen != replay.states.count { report.found("requests: the journal knows others") }
    }

    private func checkReceipts(_ db: Database, _ replay: Replay, _ report: inout VerifyReport) throws {
        report.begin("receipts' signatures and answers' digests")
        let publicKey = description.publicKey
        var count = 0
        let rows = try Row.fetchCursor(db, sql: "SELECT request, answer, receipt FROM answers")
        while let row = try rows.next() {
            let id: String = row[0]
            count += 1
            let digest = sha256Hex(row[1] as Data)
            guard let receipt = try? Receipt(decoding: Array(row[2] as Data)), receipt.body.publicKey == publicKey,
                let signature = Data(base64Encoded: receipt.signature),
                signingKey.publicKey.isValidSignature(signature, for: receipt.body.signedBytes)
            else {
                report.found("receipts: that of \(id) is not signed by this datasite")
                continue
            }
            if receipt.body.answerDigest != digest || replay.answers[id] != digest || receipt.body.request != id {
                report.found("receipts: the answer of \(id) is not the one that was released")
            }
            if replay.hashes[receipt.body.journalIndex] != receipt.body.journalHash {
                report.found("receipts: that of \(id) names another journal entry")
            }
        }
        if count != replay.answers.count { report.found("receipts: released answers are missing") }
    }

    private func checkFiles(_ db: Database, _ report: inout VerifyReport) throws {
        report.begin("tables' files")
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT d.name, d.version, v.description FROM datasets d LEFT JOIN versions v ON v.id = d.version")
        for row in rows {
            let name: String = row[0]
            let files = TableFiles(directory: folder.directory(ofVersion: row[1]))
            let path = files.directory + "/" + TableFiles.descriptionName
            guard let description = try? Data(contentsOf: URL(filePath: path)), let stored = row[2] as Data?,
                Data(SHA256.hash(data: description)) == stored
            else {
                report.found("files: the description of \(name) is missing or changed")
                continue
            }
            for part in (try? files.damagedParts()) ?? ["(unreadable)"] {
                report.found("files: \(name) is damaged in \(part)")
            }
        }
    }
}
