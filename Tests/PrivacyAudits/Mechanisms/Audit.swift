import DifferentialPrivacy
import Foundation
import Secrets
import Synchronization
import Testing

// How to audit a mechanism
// ========================
//
// Run it on the worst pair of neighbours that its proof names, reduce each output to something that can be compared and
// hashed (a number; a sequence packed into one; the reduction is post-processing), and say what it claims:
//
//     let noise = try DiscreteLaplace(sensitivity: 2, loss: loss)
//     try Audit("Laplace noise, sensitivity 2", .pure(epsilon: 1)).holds { random in
//         2 + noise.sample(using: &random)
//     } _: { random in
//         noise.sample(using: &random)
//     }
//
// and do the same with a copy that has the mistake one would make, which must be caught: this proves that the audit can
// fail.
//
//     try Audit("Laplace noise, for one row where a unit has two", .pure(epsilon: 1)).catches { ... } _: { ... }
//
// Where the law can be written down, `ExactAudit` compares probabilities instead of frequencies.
//
// What the audit does: a quarter more draws choose an event, and fresh draws then test it. Events are "at least t" and
// "at most t", and the set of outputs that looked too likely (the most powerful one, by Neyman and Pearson). Clopper and
// Pearson's bounds on its two probabilities give a lower bound on epsilon at the claimed delta. Since the event is fixed
// before the draws that test it, the bound is wrong with the stated probability, however many events were considered.
//
// In `make test` draws are seeded by the audit's name and few; with PARLEY_AUDIT=deep (`make audit`) they come from the
// system and are many. A whole run raises a false alarm with probability at most 1e-6: each audit has one part in
// `AuditRun.capacity` of it, and one more audit than that is itself a failure.

/// What a mechanism claims: (epsilon, delta) points that must hold at once.
struct PrivacyClaim {
    struct Point {
        var epsilon: Double
        var delta: Double
    }

    var points: [Point]

    static func pure(epsilon: Double) -> PrivacyClaim {
        PrivacyClaim(points: [Point(epsilon: epsilon, delta: 0)])
    }

    static func approximate(epsilon: Double, delta: Double) -> PrivacyClaim {
        PrivacyClaim(points: [Point(epsilon: epsilon, delta: delta)])
    }

    /// rho-zCDP, converted at deltas that so many draws can see; `delta` beside it, as key selection has.
    static func zeroConcentrated(rho: Double, delta: Double = 0) -> PrivacyClaim {
        PrivacyClaim(
            points: [0.1, 1e-2, 1e-3].map {
                Point(epsilon: Conversion.epsilon(rho: rho, delta: $0), delta: $0 + delta)
            })
    }
}

/// All audits of one process together.
enum AuditRun {
    static let isDeep = ProcessInfo.processInfo.environment["PARLEY_AUDIT"] == "deep"
    /// How many audits share the false-alarm rate.
    static let capacity = 10_000
    static let falseAlarmRate = 1e-6
    private static let count = Mutex(0)

    /// One audit's share of the false-alarm rate.
    static func share() -> Double {
        let number = count.withLock { count in
            count += 1
            return count
        }
        if number > capacity { Issue.record("more audits than share the false-alarm rate") }
        return falseAlarmRate / Double(capacity)
    }
}

/// The randomness of an audit: seeded by a name, or the system's in a deep run.
struct AuditRandom: RandomNumberGenerator {
    private var system: SecureRandom?
    private var seeded: SeededGenerator

    init(_ name: String) {
        system = AuditRun.isDeep ? SecureRandom() : nil
        // FNV-1a (Fowler, Noll and Vo): the same on every platform.
        let seed = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        seeded = SeededGenerator(seed: seed)
    }

    mutating func next() -> UInt64 {
        system?.next() ?? seeded.next()
    }
}

/// One black-box audit of a claim. See the head of this file.
struct Audit {
    let name: String
    let claim: PrivacyClaim
    /// Draws of each neighbour that test the event; a quarter of that choose it.
    let runs: Int

    /// `runs`: in `make test`; a deep run takes fifty times as many.
    init(_ name: String, _ claim: PrivacyClaim, runs: Int = 100_000) {
        self.name = name
        self.claim = claim
        self.runs = AuditRun.isDeep ? 50 * runs : runs
    }

    typealias Draw<Output> = (inout AuditRandom) throws -> Output

    /// Expects that no claim is seen to be broken.
    func holds<Output: Hashable & Comparable>(
        _ first: Draw<Output>, _ second: Draw<Output>, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for (point, shown) in zip(claim.points, try leastEpsilons(first, second)) {
            #expect(
                shown <= point.epsilon, "\(name): epsilon is at least \(shown) at delta \(point.delta)",
                sourceLocation: sourceLocation)
        }
    }

    /// Expects that a claim is seen to be broken: for copies with a known mistake.
    func catches<Output: Hashable & Comparable>(
        _ first: Draw<Output>, _ second: Draw<Output>, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let shown = try leastEpsilons(first, second)
        let isCaught = zip(claim.points, shown).contains { $1 > $0.epsilon }
        #expect(isCaught, "\(name): the mistake is not seen; epsilons \(shown)", sourceLocation: sourceLocation)
    }

    /// For each point of the claim, the least epsilon that the draws leave possible at its delta.
    func leastEpsilons<Output: Hashable & Comparable>(
        _ first: Draw<Output>, _ second: Draw<Output>
    ) throws -> [Double] {
        var random = AuditRandom(name)
        func draw(_ count: Int, _ mechanism: Draw<Output>) throws -> [Output] {
            try (0..<count).map { _ in try mechanism(&random) }
        }
        let explored = (try draw(runs / 4, first), try draw(runs / 4, second))
        let tested = (try draw(runs, first), try draw(runs, second))
        return leastEpsilons(exploring: explored, testing: tested)
    }

    /// As above, of outputs that were drawn already. The two pairs are independent of each other.
    func leastEpsilons<Output: Hashable & Comparable>(
        exploring: ([Output], [Output]), testing: ([Output], [Output])
    ) -> [Double] {
        // Two directions a point, two bounds a direction.
        let error = AuditRun.share() / Double(4 * claim.points.count)
        let bounds = ClopperPearson(trials: testing.0.count, error: error)
        let events = EventChoice(exploring.0, exploring.1)
        return claim.points.map { point in
            var least = 0.0
            for isReversed in [false, true] {
                let event = events.best(epsilon: point.epsilon, delta: point.delta, isReversed: isReversed)
                let (above, below) = isReversed ? (testing.1, testing.0) : testing
                let excess = bounds.lower(above.count(where: event.contains)) - point.delta
                guard excess > 0 else { continue }
                least = max(least, log(excess / bounds.upper(below.count(where: event.contains))))
            }
            return least
        }
    }
}
