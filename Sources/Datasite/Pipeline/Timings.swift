import Synchronization

/// How long things take on this machine that were measured on made-up rows, each measured once: public.
final class Timings: Sendable {
    private let known = Mutex<[String: [Double]]>([:])
    private static let most = 1_000

    /// What was measured under that name, or is now.
    func measured(_ name: String, _ measure: () throws -> [Double]) rethrows -> [Double] {
        if let known = known.withLock({ $0[name] }) { return known }
        let times = try measure()
        known.withLock { known in
            if known.count >= Self.most { known.removeAll() }
            known[name] = times
        }
        return times
    }
}
