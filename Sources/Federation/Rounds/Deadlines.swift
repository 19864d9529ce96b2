/// How long each phase of a round waits for those who are late: from how long participants took before.
///
/// The deadline is three times what nine of ten took in the last rounds, at least the plan's seconds and at most 16 times these: few who are always just in time do not stretch it
/// for ever. A phase that too few finished doubles its deadline.
struct Deadlines: Sendable, Codable {
    private let least: Double
    private var observed: [String: [Double]] = [:]
    private var factor: [String: Double] = [:]

    init(least: Double) { self.least = least }

    /// In seconds from the phase's beginning.
    func seconds(_ phase: String) -> Double {
        let times = (observed[phase] ?? []).sorted()
        let usual = times.isEmpty ? 0 : times[(times.count - 1) * 9 / 10]
        return min(16 * least, max(least, 3 * usual)) * (factor[phase] ?? 1)
    }

    mutating func arrived(_ phase: String, after seconds: Double) {
        observed[phase, default: []].append(max(0, seconds))
        if (observed[phase]?.count ?? 0) > 256 { observed[phase]?.removeFirst(64) }
    }

    mutating func closed(_ phase: String, enough: Bool) {
        factor[phase] = enough ? nil : min(1_024, 2 * (factor[phase] ?? 1))
    }
}
