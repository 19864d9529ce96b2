import Crypto
import Dispatch
import Federation
import Foundation
import MultipartyComputation
import Secrets
import Synchronization

/// Federated rounds and secure aggregation, each in a process of its own.
struct FederationBenchmark {
    static let names = [
        "secagg_10", "secagg_500", "secagg_500_sparse", "secagg_1000", "plain_100", "plain_10_large", "devices",
    ]
    let workplace: Workplace

    func run() throws {
        for name in Self.names {
            FileHandle.standardOutput.write(Data(try workplace.child("federation", name).utf8))
        }
    }

    static func child(_ name: String) throws {
        switch name {
        case "secagg_10":
            // The median of five: each takes milliseconds.
            for _ in 0..<5 {
                try AggregationBenchmark(
                    name: name, participants: 10, length: 100_000, bits: 32, threshold: 7, colluders: 3,
                    dropouts: [0, 3],
                    isWhole: true
                ).run()
            }
        case "secagg_500":
            try AggregationBenchmark(
                name: name, participants: 500, length: 100_000, bits: 62, threshold: 300, colluders: 50,
                dropouts: [0, 150],
                isWhole: false
            ).run()
        case "secagg_500_sparse":
            let graph = try SparseGraph.least(participants: 500, colluders: 25, dropouts: 150)
            try AggregationBenchmark(
                name: name, participants: 500, length: 100_000, bits: 62, threshold: 350, colluders: 25,
                graph: .sparse(degree: graph.degree, threshold: graph.threshold), dropouts: [0, 150], isWhole: false
            ).run()
        case "secagg_1000":
            let graph = try SparseGraph.least(participants: 1_000, colluders: 50, dropouts: 300)
            try AggregationBenchmark(
                name: name, participants: 1_000, length: 10_000, bits: 40, threshold: 700, colluders: 50,
                graph: .sparse(degree: graph.degree, threshold: graph.threshold), dropouts: [0, 300], isWhole: false
            ).run()
        case "plain_100": try plain(name, participants: 100, length: 100_000)
        case "plain_10_large": try plain(name, participants: 10, length: 10_000_000)
        case "devices": try devices(name, count: 1_000_000, cohort: 1_000, length: 10_000)
        default: exit(2)
        }
    }

    private static func plan(_ participants: Int, _ length: Int) throws -> FederatedPlan {
        FederatedPlan(
            name: "bench", strategy: .fedAvg, aggregation: .plain, rounds: 1, least: participants,
            parameterCount: length,
            grid: try UpdateGrid(range: 1), work: Data(repeating: 0, count: 32), leastSeconds: 1_000)
    }

    /// From the bytes of all updates to the next model.
    private static func plain(_ name: String, participants: Int, length: Int) throws {
        let plan = try plan(participants, length)
        let roster = (0..<participants).map { _ in Data(SecureRandom.bytes(32)) }
        var random = SeededGenerator(seed: 1)
        let update = Packed((0..<length).map { _ in Int64(random.next() >> 35) }).bytes
        var coordinator = try Coordinator(
            plan: plan, roster: roster, run: Data(repeating: 1, count: 16),
            weights: [Float](repeating: 0, count: length))
        _ = coordinator.answer(.heartbeat(holds: nil), from: 0, at: 0)
        let (cpu, wall) = (processorSeconds(), wallSeconds())
        for participant in 0..<participants {
            guard let integers = Packed<Int64>(bytes: update) else { return }
            _ = coordinator.answer(.update(attempt: 0, integers: integers), from: participant, at: 1)
        }
        let spent = (processorSeconds() - cpu, wallSeconds() - wall)
        precondition(coordinator.phase == .finished, "the round did not end")
        report(
            name,
            [
                ("participants", Double(participants)), ("length", Double(length)), ("cpu_s", spent.0),
                ("wall_s", spent.1),
                ("peak_mb", peakMegabytes()),
            ])
    }

    /// A device's update: a few operations a parameter.
    private struct Device: LocalWork {
        let number: Int

        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) {
            let slope = Float(number % 1_000) * 1e-6
            return (.numbers(model.weights.indices.map { slope - Float($0 & 1_023) * 1e-6 }), carried)
        }
    }

    /// A round of so many devices, in cohorts, with all messages of each.
    private static func devices(_ name: String, count: Int, cohort: Int, length: Int) throws {
        let plan = try plan(cohort, length)
        // Devices of different cohorts never meet: the same keys do for all.
        let identities = (0..<cohort).map { _ in Curve25519.Signing.PrivateKey() }
        let weights = [Float](repeating: 0, count: length)
        let roster = identities.map { $0.publicKey.rawRepresentation }
        let model = try Coordinator(plan: plan, roster: roster, run: Data(repeating: 1, count: 16), weights: weights)
            .model
        let (cpu, wall) = (processorSeconds(), wallSeconds())
        let sums = Mutex((sum: try Cohorts(plan, from: model), messages: 0))
        DispatchQueue.concurrentPerform(iterations: count / cohort) { number in
            guard
                var run = try? Simulator(
                    plan: plan, policy: FederationPolicy(ways: [.plain]), identities: identities,
                    works: (0..<cohort).map { Device(number: number * cohort + $0) }, weights: weights,
                    seed: UInt64(number))
            else { return }
            run.run(everybody: false)
            let (opened, messages) = (run.coordinator.last, run.messages)
            sums.withLock {
                if let opened { try? $0.sum.add(opened, participants: cohort) }
                $0.messages += messages
            }
        }
        let stepped = try sums.withLock { try $0.sum.stepped() }
        precondition(abs(stepped.weights[0] - 0.4995e-3) < 1e-6, "the mean is wrong")
        report(
            name,
            [
                ("devices", Double(count)), ("length", Double(length)),
                ("messages", Double(sums.withLock { $0.messages })),
                ("cpu_s", processorSeconds() - cpu), ("wall_s", wallSeconds() - wall), ("peak_mb", peakMegabytes()),
            ])
    }
}
