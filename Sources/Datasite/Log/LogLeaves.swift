import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation

/// From the journal to the log: which entries the log has, in their order. It follows from the journal alone, and what follows from its first entries stays
/// when others come behind.
///
/// Each entry of the journal is one, but refusals: those of a day are one entry with their number, before the first entry of a later day. So nobody reads off
/// the log who was refused when.
struct LogLeaves {
    struct Leaf: Equatable {
        /// The journal's entry behind it; of a count the last refusal in it.
        let number: Int64
        let isCount: Bool
        let bytes: [UInt8]
    }

    /// Refusals that were not counted yet.
    private(set) var pending: (day: String, count: Int64, last: Int64)?

    /// The leaves that an entry adds.
    ///
    /// - Parameters:
    ///   - entry: As the journal has it: canonical JSON.
    ///   - hash: Of the journal, with this entry.
    /// - Returns: nil: the bytes are no entry.
    mutating func take(_ text: String, hash: Data) -> [Leaf]? {
        guard let (number, entry, nonce) = JournalEntry.decode(text) else { return nil }
        let day = String(Timestamp.text(entry.time).prefix(10))
        var leaves: [Leaf] = []
        // A clock that was set back ends no day twice: what is pending stays with its day.
        if let pending, pending.day < day {
            leaves.append(
                Leaf(
                    number: pending.last, isCount: true, bytes: LogEntry.refusals(pending.count, on: pending.day).bytes)
            )
            self.pending = nil
        }
        if entry.action == .refused {
            pending = (pending?.day ?? day, (pending?.count ?? 0) + 1, number)
            return leaves
        }
        leaves.append(Leaf(number: number, isCount: false, bytes: Self.leaf(entry, nonce, hash).bytes))
        return leaves
    }

    /// What the log says of an entry.
    static func leaf(_ entry: JournalEntry, _ nonce: String?, _ hash: Data) -> LogEntry {
        var leaf = LogEntry(kind: entry.action.rawValue)
        if let ended = entry.endedLog {
            // What was signed is public: nothing of it is hidden.
            (leaf.ended, leaf.journal) = (ended, hexadecimal(hash))
            return leaf
        }
        leaf.request = entry.request.flatMap(Self.identifier)
        leaf.version = entry.version.flatMap(Self.identifier)
        leaf.answer = entry.answer
        let loss = entry.loss
        leaf.charge = Receipt.Charge(
            kind: loss?.kind.rawValue, amounts: loss?.amounts ?? [], delta: loss?.delta ?? 0, uses: entry.uses)
        // Entries of earlier versions have no nonce: what they say could be guessed, and confirmed.
        guard let nonce else { return leaf }
        leaf.journal = hexadecimal(hash)
        let names = Self.datasets(entry)
        if !names.isEmpty {
            leaf.datasets = LogEntry.commitment(to: names, opening: Self.opening(nonce, of: "datasets"))
        }
        leaf.actor = LogEntry.commitment(to: entry.actor, opening: Self.opening(nonce, of: "actor"))
        return leaf
    }

    /// The names that an entry commits to.
    static func datasets(_ entry: JournalEntry) -> String {
        var names: [String] = []
        for name in [entry.dataset].compactMap(\.self) + entry.assets where !names.contains(name) { names.append(name) }
        return names.joined(separator: "\n")
    }

    /// What opens the commitment of an entry: it follows from the nonce, and tells nothing of it.
    static func opening(_ nonce: String, of member: String) -> String {
        hexadecimal(SHA256.hash(data: Array("parley log opening 1\n\(member)\n\(nonce)".utf8)))
    }

    /// 32 hexadecimal digits: other identifiers, of which there are none now, would have another length.
    private static func identifier(_ text: String) -> String? {
        text.utf8.count == 32 && text.utf8.allSatisfy { Self.digits.contains($0) } ? text : nil
    }

    private static let digits = Set("0123456789abcdef".utf8)
}

extension JournalEntry {
    /// That a log ended: which, and what was signed of it last.
    static func logEnded(_ ended: LogEntry.EndedLog, at time: Int64) -> JournalEntry {
        JournalEntry(
            action: .logEnded, actor: Datasite.localOwner.name, time: time,
            detail: "the site's log \(ended.number) ended at \(ended.size) entries",
            state: ["log": "\(ended.number)", "size": "\(ended.size)", "root": ended.root])
    }

    /// What ``logEnded(_:at:)`` was made of; nil: another kind of entry.
    var endedLog: LogEntry.EndedLog? {
        guard action == .logEnded, let number = state["log"].flatMap(Int64.init),
            let size = state["size"].flatMap(Int64.init), let root = state["root"]
        else { return nil }
        return LogEntry.EndedLog(number: number, size: size, root: root)
    }
}
