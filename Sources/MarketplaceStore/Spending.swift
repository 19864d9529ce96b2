internal import Synchronization

/// What each party has used of its pace: a bucket that fills with time.
final class Spending: Sendable {
    private struct Bucket {
        var used: Double
        var time: Int64
    }

    private let buckets = Mutex<[String: Bucket]>([:])
    /// More parties than may be in a moment: those whose bucket is full again are forgotten.
    private static let most = 65_536

    /// How long a party has to wait for what costs so much, in seconds; nil: not at all. What costs more than may be spent at once waits for a whole bucket.
    func wait(of party: String, _ cost: Double, _ pace: MarketOffice.Pace, at time: Int64) -> Int? {
        let used = buckets.withLock { Self.used($0[party], pace, at: time) }
        let over = used + min(cost, pace.burst) - pace.burst
        guard over > 0 else { return nil }
        return max(1, Int((over * 3_600 / pace.hourly).rounded(.up)))
    }

    func spend(of party: String, _ cost: Double, _ pace: MarketOffice.Pace, at time: Int64) {
        buckets.withLock { buckets in
            buckets[party] = Bucket(used: Self.used(buckets[party], pace, at: time) + cost, time: time)
            guard buckets.count > Self.most else { return }
            buckets = buckets.filter { Self.used($0.value, pace, at: time) > 0 }
        }
    }

    private static func used(_ bucket: Bucket?, _ pace: MarketOffice.Pace, at time: Int64) -> Double {
        guard let bucket else { return 0 }
        return max(0, bucket.used - Double(max(0, time - bucket.time)) * pace.hourly / 3_600)
    }
}
