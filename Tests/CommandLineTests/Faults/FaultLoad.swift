import DatasiteClient
import DatasiteProtocol
import Foundation
import Secrets

extension FaultSite {
    private static let askers = 6

    /// Everything at once for a random time, and the kill in the middle of it.
    func load(_ server: Workplace.Server, round: Int, _ random: SeededGenerator) async throws {
        var random = random
        let ana = try client("ana", server)
        let olga = try client("olga", server)
        let wait = Int.random(in: 0...250_000, using: &random)
        let killsOwner = Bool.random(using: &random)
        let owner = OwnerCommands(self)
        await withTaskGroup(of: Void.self) { group in
            for asker in 0..<Self.askers {
                let own = SeededGenerator(key: (UInt64(round), UInt64(asker), 1, random.next()), stream: 1)
                group.addTask { await self.ask(ana, round: round, asker: asker, own) }
            }
            let own = SeededGenerator(key: (UInt64(round), random.next(), 2, 0), stream: 2)
            group.addTask { await self.review(ana, olga, round: round, own) }
            let changes = SeededGenerator(key: (UInt64(round), random.next(), 3, 0), stream: 3)
            group.addTask { await owner.run(changes) }
            try? await Task.sleep(for: .microseconds(wait))
            server.kill()
            // Half of the time the owner's command lives on, into the next start of the server.
            owner.stop(kill: killsOwner)
            if killsOwner { await group.waitForAll() }
        }
        try await ana.close()
        try await olga.close()
    }

    /// Two askers share each key, and now and then an old one is repeated.
    private func ask(_ client: DatasiteClient, round: Int, asker: Int, _ random: SeededGenerator) async {
        var random = random
        for number in 0..<1_000 {
            var key = "survey-\(round)-\(asker / 2)-\(number)"
            if Int.random(in: 0..<6, using: &random) == 0 { key = "extra-\(round)-\(asker)-\(number)" }
            if Int.random(in: 0..<6, using: &random) == 0 {
                let place = Int.random(in: 0..<1_000, using: &random)
                key =
                    promises.withState {
                        $0.answers.isEmpty ? nil : $0.fresh.isEmpty ? nil : $0.fresh[place % $0.fresh.count]
                    } ?? key
            }
            promises.asked(key)
            do {
                guard case .released(let answer) = try await client.ask(Self.request(key), idempotencyKey: key) else {
                    continue
                }
                promises.answered(key, answer.bytes)
            } catch is Problem {
                // The dataset `extra` comes and goes.
                continue
            } catch { return }
        }
    }

    /// A researcher asks what an owner must approve; the owner approves, denies, or leaves it.
    private func review(
        _ ana: DatasiteClient, _ olga: DatasiteClient, round: Int, _ random: SeededGenerator
    ) async {
        var random = random
        for number in 0..<1_000 {
            let key = "reviewed-\(round)-\(number)"
            do {
                guard case .pending(let summary) = try await ana.ask(Self.request(key), idempotencyKey: key) else {
                    continue
                }
                let decision = Int.random(in: 0..<3, using: &random)
                guard decision < 2 else { continue }
                let decided =
                    decision == 0 ? try await olga.approve(summary.id) : try await olga.deny(summary.id, reason: "no")
                promises.withState { state in
                    state.decisions[summary.id] = decided.state
                    state.counts.decisions += 1
                }
                if decision == 0 { promises.answered(key, try await ana.answer(summary.id).bytes) }
            } catch { return }
        }
    }
}

/// The owner's commands, each a process of its own beside the server.
final class OwnerCommands: Sendable {
    private let site: FaultSite
    private let running = RunningCommand()

    init(_ site: FaultSite) { self.site = site }

    func stop(kill: Bool) { running.stop(kill: kill) }

    /// Adds, replaces and removes the dataset `extra` until it is stopped.
    func run(_ random: SeededGenerator) async {
        var random = random
        while true {
            let present = site.promises.withState { $0.extra }
            let (file, rows) = FaultSite.tables[Int.random(in: 0..<2, using: &random)]
            let isThere = present.contains { $0 != nil }
            let removes = isThere && Bool.random(using: &random)
            let after: Int? = removes ? nil : rows
            site.promises.withState { $0.extra.append(after) }
            let arguments =
                removes
                ? ["remove", "extra", "--yes"]
                : isThere ? ["version", "extra", file, "--yes"] : ["add", file, "--manifest", "extra.yaml", "--yes"]
            guard let status = await running.run(site.place, ["data"] + arguments) else {
                // Never begun: nothing is in doubt.
                site.promises.withState { _ = $0.extra.removeLast() }
                return
            }
            site.promises.withState { state in
                switch status {
                case 0:
                    state.extra = [after]
                    state.counts.changes += 1
                // Refused: it changed nothing.
                case 1: state.extra.removeLast()
                default: state.counts.cutShort += 1
                }
            }
            // What is there is in doubt until the next inspection.
            if status != 0 { return }
        }
    }
}
