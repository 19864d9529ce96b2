import Datasite
import Foundation
import Synchronization

/// Counters of the server, for its owner alone: they are served on a separate loopback port, for a token.
final class Metrics: Sendable {
    private struct Key: Hashable {
        var operation: Endpoint?
        var status: Int
    }

    private struct Counts {
        var requests: [Key: Int] = [:]
        var seconds: [Endpoint: Histogram] = [:]
        var breaches: [String: Int] = [:]
    }

    /// Cumulative when rendered, as Prometheus wants it; one count a bucket here.
    private struct Histogram {
        static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
        var buckets = [Int](repeating: 0, count: Histogram.bounds.count + 1)
        var sum = 0.0

        mutating func add(_ seconds: Double) {
            buckets[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
            sum += seconds
        }
    }

    private let counts = Mutex(Counts())

    func count(_ record: RequestRecord) {
        counts.withLock { counts in
            counts.requests[Key(operation: record.operation, status: record.status), default: 0] += 1
            guard let operation = record.operation else { return }
            counts.seconds[operation, default: Histogram()].add(record.seconds)
        }
    }

    /// Of a request that was refused before it was one.
    func countRefusal(status: Int) {
        counts.withLock { $0.requests[Key(operation: nil, status: status), default: 0] += 1 }
    }

    func countBreach(_ breach: ConnectionGuard.Breach) {
        counts.withLock { $0.breaches[breach.label, default: 0] += 1 }
    }

    func breaches(_ breach: ConnectionGuard.Breach) -> Int {
        counts.withLock { $0.breaches[breach.label] ?? 0 }
    }

    /// The text exposition format, version 0.0.4.
    func rendered(connections: Int, droppedLogLines: Int, statistics: Statistics) -> String {
        let counts = counts.withLock { $0 }
        var page = MetricsPage()
        page.family("parley_http_requests_total", "counter", "Requests by operation and status.")
        for (key, count) in counts.requests.sorted(by: { Self.order($0.key, $1.key) }) {
            page.sample(["operation": key.operation?.rawValue ?? "none", "status": String(key.status)], count)
        }
        page.family("parley_http_request_seconds", "histogram", "Time from a request's head to its response's.")
        for (operation, histogram) in counts.seconds.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            var total = 0
            for (index, count) in histogram.buckets.enumerated() {
                total += count
                let bound = index < Histogram.bounds.count ? "\(Histogram.bounds[index])" : "+Inf"
                page.sample(["operation": operation.rawValue, "le": bound], total, suffix: "_bucket")
            }
            page.sample(["operation": operation.rawValue], histogram.sum, suffix: "_sum")
            page.sample(["operation": operation.rawValue], total, suffix: "_count")
        }
        page.family("parley_connections_ended_total", "counter", "Connections that the server ended, by reason.")
        for (label, count) in counts.breaches.sorted(by: { $0.key < $1.key }) {
            page.sample(["reason": label], count)
        }
        page.single("parley_connections_open", "gauge", "Admitted connections.", value: connections)
        page.single(
            "parley_log_lines_dropped_total", "counter", "Lines of the log that could not be written.",
            value: droppedLogLines)
        page.single("parley_released_total", "counter", "Answers released.", value: statistics.released)
        page.single(
            "parley_refused_total", "counter", "Requests refused by policy or budget.", value: statistics.refused)
        page.single("parley_busy_total", "counter", "Requests turned away from a full queue.", value: statistics.busy)
        page.single(
            "parley_missed_slots_total", "counter", "Answers that outlived their time slot.",
            value: statistics.missedSlots)
        page.single(
            "parley_slot_wait_seconds_total", "counter", "Time that finished answers waited for their time slots.",
            value: statistics.slotWaits / .seconds(1))
        page.single(
            "parley_notices_dropped_total", "counter", "Waiting requests that the notify hook was not started for.",
            value: statistics.droppedNotices)
        page.single("parley_scans_queued", "gauge", "Scans that wait for a thread.", value: statistics.queued)
        page.single("parley_scans_running", "gauge", "Scans that run.", value: statistics.running)
        if let bytes = Self.residentBytes() {
            page.single("process_resident_memory_bytes", "gauge", "Resident memory.", value: bytes)
        }
        return page.text
    }

    private static func order(_ left: Key, _ right: Key) -> Bool {
        (left.operation?.rawValue ?? "", left.status) < (right.operation?.rawValue ?? "", right.status)
    }

    /// From `/proc` where there is one.
    private static func residentBytes() -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return pages * 4096
    }
}

/// Lines of the Prometheus text format.
private struct MetricsPage {
    private(set) var text = ""
    private var name = ""

    mutating func family(_ name: String, _ kind: String, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    mutating func sample(_ labels: [String: String], _ value: some CustomStringConvertible, suffix: String = "") {
        let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",")
        text += "\(name)\(suffix)\(pairs.isEmpty ? "" : "{\(pairs)}") \(value)\n"
    }

    mutating func single(_ name: String, _ kind: String, _ help: String, value: some CustomStringConvertible) {
        family(name, kind, help)
        sample([:], value)
    }
}
