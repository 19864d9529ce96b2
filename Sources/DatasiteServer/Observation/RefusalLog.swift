import Logging
import Synchronization

/// The log of requests, in which repeated refusals of one network are one line and, later, one with their number:
/// nobody fills the owner's disk by knocking.
///
/// The first refusal of its kind is logged at once; those that follow within the window are counted, and the counts are
/// logged with the first request after it, or at the end. What a window can hold is bounded: beyond that, refusals of
/// other networks share one count.
final class RefusalLog: Sendable {
    static let window = Duration.seconds(60)
    static let largestTable = 1_024

    private struct Kind: Hashable {
        var network: Network?
        var user: String?
        var status: Int
    }

    private struct State {
        var end: ContinuousClock.Instant?
        var repeated: [Kind: (record: RequestRecord, count: Int)] = [:]
        var others = 0

        /// Begins the next window; what the last one held.
        mutating func close() -> (repeated: [(record: RequestRecord, count: Int)], others: Int) {
            defer { self = State() }
            return (repeated.values.filter { $0.count > 0 }, others)
        }
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) { self.logger = logger }

    func write(_ record: RequestRecord, at now: ContinuousClock.Instant = .now) {
        guard record.status >= 400 else {
            report(state.withLock { state in state.end.map { $0 <= now } == true ? state.close() : nil })
            record.write(to: logger)
            return
        }
        let kind = Kind(network: Network.all(of: record.peer).last, user: record.user, status: record.status)
        let (past, isFirst) = state.withLock { state in
            let past = state.end.map { $0 <= now } == true ? state.close() : nil
            if state.end == nil { state.end = now + Self.window }
            guard state.repeated[kind] == nil else {
                state.repeated[kind]?.count += 1
                return (past, false)
            }
            guard state.repeated.count < Self.largestTable else {
                state.others += 1
                return (past, false)
            }
            state.repeated[kind] = (record, 0)
            return (past, true)
        }
        report(past)
        if isFirst { record.write(to: logger) }
    }

    /// Logs the counts of the window that is open.
    func finish() { report(state.withLock { $0.close() }) }

    private func report(_ past: (repeated: [(record: RequestRecord, count: Int)], others: Int)?) {
        guard let past else { return }
        for (record, count) in past.repeated { record.write(to: logger, repeated: count) }
        if past.others > 0 {
            logger.info("refusals of many other addresses", metadata: ["repeated": .stringConvertible(past.others)])
        }
    }
}
