internal import Secrets

/// When devices that are turned away come again, so that neither all come at once nor too few (pace steering: Bonawitz et al. 2019, section 2.3).
///
/// Whoever finds no place is given an appointment, in the order in which they ask, each a fixed time behind the last: twice as many in the time that a cycle takes as there are
/// places, since some do not come back; and up to one cycle's time later, which follows from a seed, the device and the cycle, so that nobody knows by its own
/// appointment when others come. One number holds all of it. Whoever asks again before its time gets no earlier one. Who asks again and again, or under many keys, makes
/// others wait, at most as long as the plan says: to let nobody ask too often is the caller's.
struct DevicePace: Sendable, Codable {
    private let key0: UInt64
    private let key1: UInt64
    /// The last appointment, by the coordinator's clock.
    private var last = 0.0

    init(key0: UInt64, key1: UInt64) { (self.key0, self.key1) = (key0, key1) }

    /// From 0 to below 1.
    func jitter(_ device: DeviceKey, attempt: Int) -> Double {
        var hash = KeyedHash.Stream(KeyedHash(key0: key0, key1: key1))
        hash.combine(device.words.first)
        hash.combine(device.words.second)
        hash.combine(device.words.third)
        hash.combine(device.words.fourth)
        hash.combine(UInt64(attempt))
        return Double(hash.finalize().first >> 11) * 0x1p-53
    }

    /// In how many seconds a device comes that found no place.
    ///
    /// - Parameters:
    ///   - now: By the coordinator's clock.
    ///   - expected: In how many seconds there are places at the earliest, and how many seconds a cycle takes.
    mutating func appointment(
        _ jitter: Double, at now: Double, _ expected: (base: Double, length: Double), plan: DevicePlan
    ) -> Double {
        let next = max(last, now + expected.base) + expected.length / Double(2 * plan.places)
        let seconds = next - now + jitter * expected.length
        guard seconds < plan.mostRetrySeconds else {
            // More than can be told a time: they come in the later half of it, not all at its end.
            return plan.mostRetrySeconds * (1 + jitter) / 2
        }
        last = next
        return plan.retry(seconds)
    }

    /// By another clock.
    mutating func move(by seconds: Double) { last += seconds }
}

extension DevicePlan {
    /// As near to so many seconds as it allows to tell.
    func retry(_ seconds: Double) -> Double { min(mostRetrySeconds, max(leastRetrySeconds, seconds)) }
}
