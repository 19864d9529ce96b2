import Foundation
import Synchronization
import Testing

/// What the site has acknowledged to somebody, and what is in doubt because a kill came between.
final class Promises: Sendable {
    struct State {
        /// The bytes that each key was answered with.
        var answers: [String: [UInt8]] = [:]
        /// Answered since the last inspection.
        var fresh: [String] = []
        /// Asked and not answered.
        var open: Set<String> = []
        /// By request: "released" or "denied", as an owner was told.
        var decisions: [String: String] = [:]
        /// The rows that `extra` holds (nil: removed); several where a change was cut short.
        var extra: [Int?] = [FaultSite.tables[0].1]
        /// The journal as an auditor has seen it: its length, last hash, and the loss by dataset.
        var journalLength: Int64 = 0
        var journalHash = ""
        var losses: [String: Double] = [:]
        /// Requests with a charge in the journal, and digests of released answers by request.
        var charged: Set<String> = []
        var released: [String: String] = [:]
        var counts = FaultCounts()
    }

    private let state = Mutex(State())

    var counts: FaultCounts { state.withLock { $0.counts } }

    func withState<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    func asked(_ key: String) {
        state.withLock { state in
            if state.answers[key] == nil { state.open.insert(key) }
        }
    }

    /// Whoever asks under one key, and whenever, gets the same bytes.
    func answered(_ key: String, _ bytes: [UInt8], isAfterKill: Bool = false) {
        let known = state.withLock { state -> [UInt8]? in
            if let known = state.answers[key] { return known }
            state.answers[key] = bytes
            state.fresh.append(key)
            state.open.remove(key)
            if isAfterKill { state.counts.completed += 1 } else { state.counts.answers += 1 }
            return nil
        }
        if let known { #expect(known == bytes, "\(key) was answered with other bytes") }
    }
}
