internal import Crypto
public import Foundation

/// The devices of a cycle that aggregate among themselves, when admission has ended: what a ``Coordinator`` and ``Participant``s of one round need.
///
/// **Privacy.** As ``FederatedPlan`` says of masks and of shared noise, for one round of this roster: the coordinator sees the sum of at least the plan's least
/// reports, as long as no more than the plan's colluders of the roster are in league with it. **Here the coordinator makes the roster**, of keys that
/// nobody else vouches for: one that fills it with devices of its own invention sees the update of the only real one. Keys that an authority other than the coordinator
/// gives out, one a device, are what the promise rests on; checking them is the caller's. Sums over different cohorts of nearly the same model
/// show differences; a device that rests at least one cycle is in no two successive sums.
///
/// The round begins with the run's weights, and with nothing that the strategy carries: the step that counts is the ``DeviceCoordinator``'s, of the round's sum.
public struct DeviceCohort: Sendable, Hashable, Codable {
    /// The name of the round's run: it follows from that of the devices' run and the cycle.
    public let run: Data
    /// Which cycle: its attempt.
    public let cycle: Int
    /// One round, without spare ones.
    public let plan: FederatedPlan
    /// The devices' keys, ascending.
    public let roster: [Data]

    /// Whether it is the cohort that follows from a plan and a cycle, with this device in it.
    func isRight(for device: DeviceKey, plan: DevicePlan, header: RoundHeader) -> Bool {
        let keys = roster.compactMap { DeviceKey($0) }
        guard keys.count == roster.count, keys.contains(device), (plan.leastWorkers...plan.places).contains(keys.count),
            zip(keys, keys.dropFirst()).allSatisfy({ $0 < $1 })
        else { return false }
        return cycle == header.attempt && run == Self.run(header)
            && self.plan == plan.cohortPlan(header.attempt, participants: keys.count)
    }

    /// 16 bytes that no other run has, since the devices' run has 16 random ones.
    static func run(_ header: RoundHeader) -> Data { Data(SHA256.hash(data: header.digest).prefix(16)) }
}

extension DevicePlan {
    /// The plan of the one round of a cycle's cohort.
    func cohortPlan(_ attempt: Int, participants: Int) -> FederatedPlan {
        let way: FederatedPlan.Aggregation
        var shared: SharedNoise?
        switch aggregation {
        case .plain, .noisy: way = .plain
        case .masked(let threshold, let colluders): way = .masked(threshold: threshold, colluders: colluders)
        case .distributedNoise(let threshold, let colluders, let noise):
            way = .distributedNoise(threshold: threshold, colluders: colluders)
            shared = noise
        }
        return FederatedPlan(
            name: "\(name), cycle \(attempt)", strategy: strategy, aggregation: way, rounds: 1, least: leastReports,
            parameterCount: parameterCount, grid: grid, noise: shared, work: work,
            // Five phases have to end in the time that is left.
            leastSeconds: max(0.001, (cycleSeconds - admissionSeconds) / 6))
    }
}
