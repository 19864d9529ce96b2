import DatasiteProtocol
import Foundation
import GRDB
import TransparencyLog

/// What an owner's log is about, for her, and for whom she tells it.
extension Datasite {
    /// An entry of the log in words, with what its commitments open to: for the owner.
    ///
    /// - Parameter place: In the log, from 0.
    public func explainLog(_ place: Int) throws -> [String] {
        let record = try logRecord(place)
        guard !record.isCount else { return ["a day's refusals, before the journal's entry \(record.number)"] }
        let (entry, nonce) = try journaled(record.number)
        var words = [
            "the journal's entry \(record.number), \(Timestamp.text(entry.time)): \(entry.action.rawValue)",
            "by \(entry.actor)",
        ]
        if let request = entry.request { words.append("request \(request)") }
        let names = LogLeaves.datasets(entry)
        if !names.isEmpty { words.append("datasets: \(names.replacing("\n", with: ", "))") }
        if !entry.words.isEmpty { words.append(entry.words) }
        if let ended = entry.endedLog { words.append("the root over what it had: \(ended.root)") }
        if let nonce, entry.endedLog == nil {
            if !names.isEmpty { words.append("the names open with \(LogLeaves.opening(nonce, of: "datasets"))") }
            words.append("who it was opens with \(LogLeaves.opening(nonce, of: "actor"))")
        }
        return words
    }

    /// What opens an entry's commitments, with the proof that it is in the log (c2sp.org/tlog-proof): for whom the owner tells the names. `parley log verify` checks it
    /// without asking anybody. It holds nothing of any other entry but what everybody can read.
    ///
    /// - Parameters:
    ///   - place: In the log, from 0.
    ///   - datasets: Whether it tells the datasets' names.
    ///   - actor: Whether it tells who did it.
    /// - Throws: The problem `absent`: there is no such entry; `invalidRequest`: it commits to no such names.
    public func logOpening(of place: Int, datasets: Bool, actor: Bool) throws -> [UInt8] {
        let record = try logRecord(place)
        func none(_ why: String) -> Problem { .invalidRequest("entry \(place) has no names to open: \(why)") }
        guard !record.isCount else { throw none("it counts a day's refusals") }
        let (entry, nonce) = try journaled(record.number)
        guard entry.endedLog == nil else { throw none("it says how an earlier log ended, which everybody can read") }
        guard let nonce else { throw none("it was made by an earlier version, which committed to none") }
        let names = LogLeaves.datasets(entry)
        guard actor || !names.isEmpty else { throw none("it is about no dataset") }
        func name(_ text: String, of member: String) -> LogOpening.Name {
            LogOpening.Name(text: text, opening: LogLeaves.opening(nonce, of: member))
        }
        return try reportingProblems {
            try openLog().proof(of: record.number) { bytes in
                do {
                    return try LogOpening(
                        entry: LogEntry(decoding: bytes),
                        datasets: datasets && !names.isEmpty ? name(names, of: "datasets") : nil,
                        actor: actor ? name(entry.actor, of: "actor") : nil
                    ).extra
                } catch {
                    throw Problem.unavailable(
                        "the log's entry \(place) is not that of the journal: \(error)", hint: LogFolder.repairing)
                }
            }.bytes
        }
    }

    /// Which entry of the journal stands at a place of the log, which is brought up to the journal first.
    private func logRecord(_ place: Int) throws -> LogIndex.Record {
        let log = try openLog()
        try reportingProblems { _ = try log.publish(store) }
        guard let size = try log.latest()?.head.size, place >= 0, place < Int(size) else {
            throw Problem.absent(
                "the log has no entry \(place)",
                hint:
                    "they are counted from 0; the numbers of `parley audit` are the journal's, from 1, refusals and all"
            )
        }
        return try reportingProblems { try LogIndex(path: log.folder.index).records(Int(size))[place] }
    }

    private func journaled(_ number: Int64) throws -> (entry: JournalEntry, nonce: String?) {
        let text = try read { db in
            try String.fetchOne(
                db, sql: "SELECT entry FROM journal WHERE number = :number", arguments: ["number": number])
        }
        guard let text, let decoded = JournalEntry.decode(text) else {
            throw Problem.unavailable("the journal's entry \(number) cannot be read")
        }
        return (decoded.entry, decoded.nonce)
    }
}
