import Synchronization

/// Samplers that were made lately: a question's plan and its measurement, and the next question like it, need the same.
/// A table is a function of the scale, which is public; nothing here depends on data.
enum SamplerTables {
    private struct Key: Hashable {
        var scale: Double
        var power: EnvelopeSampler.Power
    }

    /// At most this many, of some 26 kB each; then all are forgotten.
    private static let capacity = 64
    private static let tables = Mutex<[Key: EnvelopeSampler]>([:])

    static func sampler(
        scale: Double, power: EnvelopeSampler.Power, make: () -> EnvelopeSampler
    ) -> EnvelopeSampler {
        let key = Key(scale: scale, power: power)
        if let known = tables.withLock({ $0[key] }) { return known }
        let made = make()
        tables.withLock { tables in
            if tables.count >= capacity { tables.removeAll(keepingCapacity: true) }
            tables[key] = made
        }
        return made
    }
}
