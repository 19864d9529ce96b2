import Foundation

/// A set of outputs.
enum AuditEvent<Output: Hashable & Comparable> {
    case atLeast(Output)
    case atMost(Output)
    case oneOf(Set<Output>)

    func contains(_ output: Output) -> Bool {
        switch self {
        case .atLeast(let threshold): output >= threshold
        case .atMost(let threshold): output <= threshold
        case .oneOf(let set): set.contains(output)
        }
    }
}

/// Chooses the event that shows most, from draws that are not used again.
struct EventChoice<Output: Hashable & Comparable> {
    private let first: [Output]
    private let second: [Output]
    private let thresholds: [Output]
    private let frequencies: [Output: (first: Int, second: Int)]

    /// Thresholds considered, evenly spread over what occurred.
    private static var thresholdCount: Int { 200 }

    init(_ first: [Output], _ second: [Output]) {
        self.first = first.sorted()
        self.second = second.sorted()
        let all = (first + second).sorted()
        let step = max(1, all.count / Self.thresholdCount)
        var thresholds = Set(stride(from: 0, to: all.count, by: step).map { all[$0] })
        // The extremes matter where delta is zero or an output is impossible on one side.
        thresholds.formUnion(all.prefix(20))
        thresholds.formUnion(all.suffix(20))
        self.thresholds = thresholds.sorted()
        var frequencies: [Output: (first: Int, second: Int)] = [:]
        for output in first { frequencies[output, default: (0, 0)].first += 1 }
        for output in second { frequencies[output, default: (0, 0)].second += 1 }
        self.frequencies = frequencies
    }

    /// The event for which `P(first) <= e^epsilon P(second) + delta` looks most doubtful, or with the two exchanged.
    func best(epsilon: Double, delta: Double, isReversed: Bool) -> AuditEvent<Output> {
        var best: (event: AuditEvent<Output>, score: Double) = (.oneOf([]), 0)
        func consider(_ event: AuditEvent<Output>, _ a: Int, _ b: Int) {
            let score = isReversed ? score(b, a, delta) : score(a, b, delta)
            if score > best.score { best = (event, score) }
        }
        for threshold in thresholds {
            let (a, b) = (Self.countBelow(first, threshold), Self.countBelow(second, threshold))
            consider(.atLeast(threshold), first.count - a, second.count - b)
            let (upToA, upToB) = (
                Self.countBelow(first, threshold, orEqual: true), Self.countBelow(second, threshold, orEqual: true)
            )
            consider(.atMost(threshold), upToA, upToB)
        }
        for ratio in [exp(epsilon), exp(epsilon / 2)] {
            let likely = frequencies.filter { _, count in
                let (a, b) = isReversed ? (count.second, count.first) : (count.first, count.second)
                return a >= 5 && Double(a) > ratio * Double(b)
            }
            let (a, b) = likely.values.reduce((0, 0)) { ($0.0 + $1.first, $0.1 + $1.second) }
            consider(.oneOf(Set(likely.keys)), a, b)
        }
        return best.event
    }

    /// The ratio of a low estimate to a high one: Wilson's bounds (1927) at 4 standard deviations.
    private func score(_ a: Int, _ b: Int, _ delta: Double) -> Double {
        let z = 4.0
        func bound(_ count: Int, _ total: Int, _ sign: Double) -> Double {
            let n = Double(total)
            let p = Double(count) / n
            let spread = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
            return (p + z * z / (2 * n) + sign * spread) / (1 + z * z / n)
        }
        return (bound(a, first.count, -1) - delta) / max(bound(b, second.count, 1), 1e-300)
    }

    private static func countBelow(_ sorted: [Output], _ threshold: Output, orEqual: Bool = false) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < threshold || (orEqual && sorted[middle] == threshold) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
