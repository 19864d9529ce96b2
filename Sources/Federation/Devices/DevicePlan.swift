internal import Crypto
public import Foundation
internal import MultipartyComputation

/// What devices that come and go train together, and how: data, whose digest binds all messages.
///
/// A run is a chain of cycles. In each, devices that check in are admitted in the order in which they come, as many as are expected to lead to the
/// reports that are wanted; each computes an update of the cycle's model and reports it; what they come to is one step of the server.
public struct DevicePlan: Sendable, Hashable, Codable {
    /// What the coordinator sees of the updates, and what anybody sees of the steps.
    public enum Aggregation: Sendable, Hashable, Codable {
        /// The coordinator sees each update, and steps are the means of updates: nothing is hidden.
        case plain
        /// The coordinator is trusted with each update; steps are noisy (``DevicePrivacy``).
        case noisy(privacy: DevicePrivacy)
        /// The coordinator sees the sum of a cycle's cohort alone (``DeviceCohort``).
        case masked(threshold: Int, colluders: Int)
        /// It sees the noisy sum of a cycle's cohort alone, to which each device adds a share of the noise (``SharedNoise``).
        case distributedNoise(threshold: Int, colluders: Int, noise: SharedNoise)
    }

    /// A name for people.
    public var name: String
    /// How updates change the weights: one that needs the sum of a cycle alone, and leaves nothing at devices.
    public var strategy: Strategy
    /// What is seen of updates.
    public var aggregation: Aggregation
    /// Entries of the model.
    public var parameterCount: Int
    /// How updates become integers; nil with distributed noise, whose step is its own.
    public var grid: UpdateGrid?
    /// SHA-256 of what each device does in a cycle (model, loss, batch): the caller's.
    public var work: Data
    /// How many cycles change the model.
    public var cycles: Int
    /// How many more may be begun, for those that are void.
    public var spareCycles: Int
    /// A cycle of fewer admitted devices is void.
    public var leastWorkers: Int
    /// At most so many devices are admitted to a cycle, those that gave their place back counted.
    public var mostWorkers: Int
    /// A cycle of fewer reports is void.
    public var leastReports: Int
    /// So many reports end a cycle before its time.
    public var mostReports: Int
    /// How many times as many devices are at work as reports are missing: some do not come back. From 1 to 16.
    public var overSelection: Double
    /// How long a cycle takes at most, in seconds from the first device that asks.
    public var cycleSeconds: Double
    /// How long of it devices are admitted. Of masked cycles the rest is for their cohort.
    public var admissionSeconds: Double
    /// For how many cycles behind one to which it was admitted a device is not admitted again.
    public var restCycles: Int
    /// How many rows a device has at least. It finds out by itself, and tells nobody: it declines, as for any other reason.
    public var leastRows: Int
    /// How a device must be.
    public var requirements: DeviceRequirements
    /// Whoever is turned away is told to come again after so many seconds at least.
    public var leastRetrySeconds: Double
    /// And at most.
    public var mostRetrySeconds: Double

    /// A plan as it is said; ``check()`` says whether it is one.
    public init(
        name: String, strategy: Strategy, aggregation: Aggregation, parameterCount: Int, grid: UpdateGrid? = nil,
        work: Data, cycles: Int, spareCycles: Int = 0, leastWorkers: Int, mostWorkers: Int, leastReports: Int,
        mostReports: Int, overSelection: Double = 1.3, cycleSeconds: Double, admissionSeconds: Double,
        restCycles: Int = 0, leastRows: Int = 1, requirements: DeviceRequirements = DeviceRequirements(),
        leastRetrySeconds: Double = 10, mostRetrySeconds: Double = 86_400
    ) {
        (self.name, self.strategy, self.aggregation) = (name, strategy, aggregation)
        (self.parameterCount, self.grid, self.work) = (parameterCount, grid, work)
        (self.cycles, self.spareCycles) = (cycles, spareCycles)
        (self.leastWorkers, self.mostWorkers) = (leastWorkers, mostWorkers)
        (self.leastReports, self.mostReports) = (leastReports, mostReports)
        (self.overSelection, self.cycleSeconds) = (overSelection, cycleSeconds)
        (self.admissionSeconds, self.restCycles) = (admissionSeconds, restCycles)
        (self.leastRows, self.requirements) = (leastRows, requirements)
        (self.leastRetrySeconds, self.mostRetrySeconds) = (leastRetrySeconds, mostRetrySeconds)
    }

    /// The most devices that a coordinator remembers: 40 bytes each, and as much again for finding them.
    public static let mostRemembered = 1 << 24

    /// Whether it is one cohort that aggregates, and not the coordinator.
    var hasCohorts: Bool {
        switch aggregation {
        case .plain, .noisy: false
        case .masked, .distributedNoise: true
        }
    }

    /// How many devices have a place in a cycle at once: those at work, and those whose report was counted.
    public var places: Int {
        min(mostWorkers, Int((Double(mostReports) * overSelection).rounded(.up)))
    }

    /// How many cycles may be begun.
    public var attempts: Int { cycles + spareCycles }

    /// At most so many steps have a report of one device in them: ceil(attempts / (rest + 1)), and no more than there are steps.
    public var participations: Int { min(cycles, admissions) }

    /// To at most so many cycles a device is admitted.
    public var admissions: Int { (attempts + restCycles) / (restCycles + 1) }

    /// For how many cycles a coordinator remembers a device: through its rest, and one cycle at least, so that whose thanks were lost hears them again.
    var rememberedCycles: Int { max(restCycles, 1) }

    /// SHA-256 of all of it.
    public var digest: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A value without numbers that JSON lacks: the check refuses them.
        return Data(SHA256.hash(data: (try? encoder.encode(self)) ?? Data()))
    }
}

// MARK: checks

extension DevicePlan {
    /// - Throws: `plan`: what is out of its bounds, and what would be right.
    public func check() throws(FederationError) {
        guard (1...1_000_000).contains(cycles) else { throw .plan("\(cycles) cycles", expected: "from 1 to 1,000,000") }
        guard (0...1_000_000).contains(spareCycles) else {
            throw .plan("spare cycles", expected: "from 0 to 1,000,000")
        }
        guard (1...(1 << 32)).contains(parameterCount) else { throw .plan("parameters", expected: "from 1 to 2^32") }
        guard work.count == 32 else { throw .plan("the digest of the work", expected: "32 bytes, by SHA-256") }
        guard (0...(1 << 40)).contains(leastRows) else { throw .plan("the least rows", expected: "from 0 to 2^40") }
        try checkNumbers()
        try checkTimes()
        try requirements.check()
        try checkAggregation()
    }

    private func checkNumbers() throws(FederationError) {
        let most = Strategy.mostParticipants
        guard (1...most).contains(leastReports), (leastReports...most).contains(mostReports) else {
            throw .plan(
                "\(leastReports) to \(mostReports) reports", expected: "from 1 to \(most), the least not above the most"
            )
        }
        guard (leastReports...mostReports).contains(leastWorkers) else {
            throw .plan(
                "at least \(leastWorkers) devices",
                expected: "from \(leastReports) to \(mostReports), which are the least and the most reports of a cycle")
        }
        guard (mostReports...most).contains(mostWorkers) else {
            throw .plan(
                "at most \(mostWorkers) devices",
                expected: "from \(mostReports), which is the largest number of reports, to \(most)")
        }
        guard (1...16).contains(overSelection) else {
            throw .plan("the factor of over-selection", expected: "from 1 to 16")
        }
        guard (0...1_000_000).contains(restCycles) else {
            throw .plan("cycles of rest", expected: "from 0 to 1,000,000")
        }
        guard (rememberedCycles + 1) * mostWorkers <= Self.mostRemembered else {
            throw .plan(
                "\(restCycles) cycles of rest with \(mostWorkers) devices a cycle",
                expected: "so few that \(Self.mostRemembered) devices are remembered at most")
        }
    }

    private func checkTimes() throws(FederationError) {
        guard cycleSeconds > 0, cycleSeconds <= 1e7 else {
            throw .plan("the seconds of a cycle", expected: "above 0, at most 1e7")
        }
        guard admissionSeconds > 0, admissionSeconds <= cycleSeconds else {
            throw .plan("the seconds of admission", expected: "above 0, at most the \(cycleSeconds) of a cycle")
        }
        guard leastRetrySeconds > 0, mostRetrySeconds >= 2 * leastRetrySeconds, mostRetrySeconds <= 1e7 else {
            throw .plan(
                "the seconds after which to come again",
                expected: "above 0, at most 1e7, and the most at least twice the least: else all come at once")
        }
    }

    private func checkAggregation() throws(FederationError) {
        do { try strategy.validate() } catch { throw .plan("the strategy", expected: "\(error)") }
        switch strategy.kind {
        case .fedSGD, .fedAvg, .fedAvgM, .fedProx, .fedAdam, .fedYogi: break
        case .scaffold, .fedBuff, .coordinateMedian, .trimmedMean, .multiKrum, .centredClipping:
            throw .plan(
                "the strategy \(strategy.kind.rawValue) with devices",
                expected: "one that needs the sum of a cycle alone, and leaves nothing at devices, such as fedAvg")
        }
        guard hasCohorts else {
            // A sum fits: at most 2^20 reports of 40 bits.
            guard let grid else { throw .plan("the grid", expected: "one: updates are sent as integers") }
            guard case .noisy(let privacy) = aggregation else { return }
            return try privacy.check(grid, parameterCount: parameterCount)
        }
        guard admissionSeconds < cycleSeconds else {
            throw .plan("the seconds of admission", expected: "fewer than of a cycle: the cohort needs the rest")
        }
        guard places <= AggregationSession.Limit.participants else {
            throw .plan("\(places) places", expected: "at most 65,535, which is the largest cohort")
        }
        for count in [leastWorkers, places] {
            try cohortPlan(0, participants: count).check(participants: count)
        }
    }
}
