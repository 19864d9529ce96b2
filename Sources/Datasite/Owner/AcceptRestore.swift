import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Synchronization
import TransparencyLog

extension Datasite {
    /// What may be accepted, and what the counter remembers; nil: nothing, since it was put back with all the rest, or is missing.
    ///
    /// - Throws: The problem `conflict` if no restore is suspected, or another process serves the site.
    private func suspectedRestore() throws -> GenerationFile.Record? {
        let isContradicted = isContradicted.withLock { $0 } || LogFolder(path: folder.log).isContradicted
        guard isRestored.withLock({ $0 }) || isContradicted else {
            throw Problem.conflict(
                "no restore is suspected",
                hint:
                    "if you put the folder back yourself, with its counter: remove its file `generation`, after which the site stands still, and do this again (docs/guide/site.md)"
            )
        }
        guard !isServedElsewhere else {
            throw Problem.conflict("another process serves the site", hint: "stop it first: it knows the log that ends")
        }
        let remembered = try reportingProblems { try GenerationFile(path: folder.generation).read() }
        return isContradicted ? nil : remembered
    }

    /// What accepting a restore would do. Nothing is changed.
    func consequencesOfAccepting() throws -> [String] {
        let remembered = try suspectedRestore()
        var touched = try read { db in
            try PopulationRow.all(db).map { population in
                Restore.remembered(remembered, population) != nil
                    ? "population \(population.name): what was lost since the backup is charged"
                    : Restore.everything(population)
            }
        }
        let counted = try catalogue().datasets.filter { _, entry in
            entry.policy?.engines?.values.contains { $0.uses != nil } == true
        }
        if !counted.isEmpty {
            touched.append(
                "all uses that the policies of \(counted.keys.sorted().joined(separator: ", ")) still allow are counted as spent"
            )
        }
        touched.append(
            "requests that wait for approval lapse, and those that were begun and have no answer will have none")
        touched.append(
            "the site's log ends, and is kept; a new one is begun, with another key, which witnesses must be told"
        )
        return touched + ["none of this can be taken back"]
    }

    /// Goes on after a restore that the owner knows of: charges what was lost where it is known, and everything where it
    /// is not (docs/privacy.md, rule 9). Returns what was done, for the owner.
    ///
    /// - Throws: the problem `conflict` if no restore is suspected.
    public func acceptRestore() throws -> [String] {
        let remembered = try suspectedRestore()
        let ended = endedLog()
        return try reportingProblems {
            let (remarks, record) = try store.pool.writeWithoutTransaction { db in
                var remarks: [String] = []
                var record = GenerationFile.Record(generation: 0, spent: nil)
                try db.inTransaction(.immediate) {
                    var context = WriteContext(db: db, now: clock.now(), head: try Journal.head(db))
                    // The new log's first entry of its own; accepting may have been cut short behind it.
                    if let ended, try !Self.endedLogs(db).contains(Int(ended.number)) {
                        try context.journal(.logEnded(ended, at: context.now))
                    }
                    remarks = try Restore.accept(remembered, in: &context)
                    try Meta.set(db, "generation", try Meta.integer(db, "generation") + 1)
                    try Meta.catalogueChanged(db)
                    record = try Restore.record(db)
                    return .commit
                }
                return (remarks, record)
            }
            // What is known by others' checkpoint alone is forgotten behind the charges, which must not be lost in between.
            let begun = try endLog()
            try GenerationFile(path: folder.generation).reset(to: record)
            isRestored.withLock { $0 = false }
            return remarks + begun
        }
    }

    /// What was signed last of the log that ends; nil: nothing that the site knows of.
    ///
    /// Where others showed a checkpoint that the log does not lead to, it is that: it is what the log was to them.
    private func endedLog() -> LogEntry.EndedLog? {
        let files = LogFolder(path: folder.log)
        guard let number = SiteLog.number(in: files.origin) else { return nil }
        for file in [files.contradiction, files.checkpoint] {
            guard let bytes = FileManager.default.contents(atPath: file),
                let signed = try? SignedCheckpoint(parsing: Array(bytes)),
                let told = SiteLog.number(of: signed, by: signingKey), told >= number
            else { continue }
            return LogEntry.EndedLog(
                number: Int64(told), size: Int64(signed.head.size), root: hexadecimal(signed.head.root.bytes))
        }
        return nil
    }
}
