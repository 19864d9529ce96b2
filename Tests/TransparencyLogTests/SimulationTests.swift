import Secrets
import Testing

@testable import TransparencyLog

/// Seeds are fixed, so that each run is the same; a failure names its seed.
@Suite
struct SimulationTests {
    /// Heads of one witness: sizes never fall, and each size has one root.
    private func expectOneTree(_ heads: [TreeHead], seed: UInt64) {
        for (earlier, later) in zip(heads, heads.dropFirst()) {
            #expect(earlier.size <= later.size, "seed \(seed)")
        }
        let roots = Dictionary(grouping: Set(heads), by: \.size)
        #expect(roots.values.allSatisfy { $0.count == 1 }, "seed \(seed)")
    }

    @Test(
        "An honest log, witnesses and a monitor that crash at any write: one root a size, no step back, no false alarm")
    func honest() throws {
        var (crashes, largest, cosignatures) = (0, UInt64(0), 0)
        for seed in UInt64(1)...60 {
            let simulation = try Simulation(seed: seed, crashesPerMille: 40)
            for _ in 0..<25 {
                try simulation.logLife(rounds: 3)
                try simulation.replay()
                try simulation.monitor()
            }
            for history in simulation.histories + simulation.cosigned { expectOneTree(history, seed: seed) }
            // Both witnesses saw one log.
            let roots = Dictionary(grouping: Set(simulation.histories.flatMap { $0 }), by: \.size)
            #expect(roots.values.allSatisfy { $0.count == 1 }, "seed \(seed)")
            #expect(simulation.alarms.isEmpty && simulation.aheadCount == 0, "seed \(seed)")
            crashes += simulation.crashes
            largest = max(largest, simulation.follower.latest?.head.size ?? 0)
            cosignatures += simulation.cosigned.joined().count
        }
        // The runs did what they were for.
        #expect(crashes > 500 && largest > 500 && cosignatures > 1000)
    }

    /// A simulation that ran, a backup of the log from before, and a monitor that saw more than the backup has.
    private func withBackup(_ seed: UInt64) throws -> (Simulation, Simulation.LogDisk) {
        let simulation = try Simulation(seed: seed, crashesPerMille: 10)
        var backup: Simulation.LogDisk?
        while true {
            try simulation.logLife(rounds: 3)
            try simulation.monitor()
            guard let seen = simulation.follower.latest?.head.size else { continue }
            if let backup, backup.head.size < seen { return (simulation, backup) }
            if backup == nil, let published = simulation.log.published, published.head == simulation.log.head {
                backup = simulation.log
            }
        }
    }

    @Test("A log that came from a backup and shows its old head is reported by the monitor, each time")
    func rollback() throws {
        for seed in UInt64(1)...60 {
            let (simulation, backup) = try withBackup(seed)
            #expect(simulation.alarms.isEmpty, "seed \(seed)")
            simulation.restore(backup)
            let before = simulation.follower
            try simulation.monitor()
            #expect(simulation.alarms == [.wentBack] && simulation.follower == before, "seed \(seed)")
        }
    }

    @Test("A log that came from a backup and grew otherwise is proved to have lied, and no witness cosigns both")
    func fork() throws {
        var ahead = 0
        for seed in UInt64(1)...60 {
            let (simulation, backup) = try withBackup(seed)
            let seen = try #require(simulation.follower.latest).head.size
            let cosignedBefore = simulation.histories.map(\.count)
            simulation.restore(backup)
            while (simulation.log.published?.head.size ?? 0) <= seen {
                try simulation.logLife(rounds: 4, entries: "other")
            }
            for _ in 0..<5 { try simulation.replay() }
            while simulation.alarms.isEmpty { try simulation.monitor() }
            guard case .splitView(let split) = simulation.alarms.first else {
                Issue.record("seed \(seed): no proof")
                continue
            }
            try split.verify(simulation.identity)
            #expect(split.smaller.head.size == seen, "seed \(seed)")
            for history in simulation.histories + simulation.cosigned { expectOneTree(history, seed: seed) }
            // What a witness saw before is the monitor's tree; nothing of the other tree was cosigned beyond it.
            for (history, count) in zip(simulation.histories, cosignedBefore) where count > 0 {
                let last = history[count - 1]
                if last.size > backup.head.size {
                    #expect(history.dropFirst(count).allSatisfy { $0 == last }, "seed \(seed)")
                }
            }
            ahead += simulation.aheadCount
        }
        // Witnesses told the log that it had lost entries.
        #expect(ahead > 0)
    }

    /// A witness that answers before it stores would sign two trees: the check above can fail.
    @Test("A log whose witness forgets is caught by the same check")
    func forgetfulWitness() throws {
        let key = try cosigner("witness.example/w", seed: 20)
        let witness = try Witness(cosigner: key.signer)
        var heads: [TreeHead] = []
        for name in ["one", "other"] {
            var log = try TestLog()
            try log.append(count: 5, from: name)
            let body = try AddCheckpointRequest(
                oldSize: 0, proof: ConsistencyProof(hashes: []), checkpoint: log.checkpoint())
            let decision = try witness.decide(body.bytes, at: 1) { _ in WitnessedLog(log.identity) }
            guard case .cosign(let pending) = decision else { continue }
            _ = try pending.reply { _, _ in true }
            heads.append(log.writer.head)
        }
        #expect(Dictionary(grouping: Set(heads), by: \.size)[5]?.count == 2)
    }
}
