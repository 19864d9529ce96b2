import Foundation
import Testing

@testable import Marketplace

@Suite("Thousands of tasks in simulated time", .serialized)
struct SimulationTests {
    @Test(
        "Whatever parties do and whenever the market is killed: debits equal credits, funded is held, paid or refunded, payouts are the auditor's, replays agree"
    )
    func audited() {
        var endings: [Ending: Int] = [:]
        var conducts: [String: Int] = [:]
        var counts: [String: Int] = [:]
        for seed in 1...20 as ClosedRange<UInt64> {
            for number in 0..<10 {
                var simulated = SimulatedMarket(seed: seed, market: number)
                simulated.run(tasks: 10)
                #expect(simulated.broken.isEmpty, "seed \(seed), market \(number): \(simulated.broken.prefix(3))")
                endings.merge(simulated.auditor.endings) { $0 + $1 }
                conducts.merge(simulated.auditor.conducts) { $0 + $1 }
                counts.merge(simulated.counts) { $0 + $1 }
            }
        }
        // A draft that was cancelled has no row of money: all others have an ending.
        #expect(endings.values.reduce(0, +) > 1_500)
        for ending in Ending.allCases { #expect(endings[ending, default: 0] > 5, "\(ending) happens") }
        for row in EndingTable.conducts {
            #expect(conducts["\(row.role) \(row.conduct)", default: 0] > 5, "\(row.role) \(row.conduct) happens")
        }
        for action in ["commitProposal", "showUpdate", "deliver", "score", "declare", "dispute", "vote", "claim"] {
            #expect(counts[action, default: 0] > 200, "\(action) happens")
        }
        #expect(counts["crashes", default: 0] > 200 && counts["marks", default: 0] > 200)
        print("endings \(endings), conducts \(conducts), counts \(counts)")
    }

    @Test(
        "The table has one line for each ending and each conduct that a deposit can meet, and pays work in all that are settled"
    )
    func table() {
        #expect(EndingTable.rows.map(\.ending) == Ending.allCases)
        let keys = EndingTable.conducts.map { "\($0.role) \($0.conduct)" }
        #expect(Set(keys).count == keys.count)
        for row in EndingTable.rows {
            #expect((row.stage == .settled) == (row.computation == .metered), "\(row.ending)")
            #expect(row.stage == .settled || [row.data, row.computation, row.expertise].allSatisfy { $0 == .refund })
            #expect(EndingTable.conducts.contains { $0.role == .sponsor && $0.conduct == row.sponsor })
        }
        // What the log or referees show is what costs a deposit; what returns is never good for who vanished.
        for row in EndingTable.conducts {
            #expect(row.depositReturns == ![.refuted, .concealed].contains(row.conduct))
            #expect((row.isGood == true) == (row.conduct == .kept) && (row.isGood == nil) == (row.conduct == .idle))
        }
    }

    @Test("Entries of other orders: whatever the order of a won task's entries, nothing is made or lost")
    func reordered() {
        var play = Play()
        play.beginTraining()
        let ada = Play.scientists[0]
        let node = play.train(ada, parent: 1)
        play.evaluate(ada, node, 0.8)
        play.declare([(node, 0.8)], Play.owners.map { ($0, 0.1, 0) })
        play.challenge()
        play.finish()
        #expect(play.state.stage == .paidOut)
        let names = play.journal.filter { if case .task = $0.action { true } else { false } }
        let rest = play.journal.filter { if case .task = $0.action { false } else { true } }
        // Each entry left out, and each pair of neighbours exchanged, at one time and with the times of the places.
        for place in names.indices {
            var orders = [Array(names[..<place] + names[(place + 1)...])]
            if place + 1 < names.count {
                var swapped = names
                swapped.swapAt(place, place + 1)
                orders.append(swapped)
            }
            for order in orders {
                var market = Market.ofTests(Play.clerk)
                for entry in rest { _ = market.apply(entry) }
                var time: Int64 = 0
                for entry in order {
                    time = max(time, entry.time)
                    _ = market.apply(MarketEntry(key: entry.key, time: time, by: entry.by, action: entry.action))
                    #expect(market.book.isBalanced)
                }
                let sum = Play.everybody.reduce(Int64(0)) { $0 + (market.book[Market.account(of: $1)]?.balance ?? 0) }
                let held = MarketTask.Accounts(play.task).all.reduce(Int64(0)) { $0 + (market.book[$1]?.balance ?? 0) }
                #expect(
                    sum + held + (market.book[Market.forfeits]?.balance ?? 0) == Play.purse
                        * Int64(Play.everybody.count))
            }
        }
    }

    @Test("Every action of a task is refused at every stage that is not its own, and changes nothing")
    func stages() {
        var plays: [Stage: Play] = [:]
        var play = Play()
        play.draft()
        plays[.draft] = play
        play.fund()
        plays[.funded] = play
        play.does(Play.sponsor, .open)
        plays[.open] = play
        play = Play()
        play.beginTraining()
        plays[.training] = play
        let node = play.train(Play.scientists[0], parent: 1)
        play.evaluate(Play.scientists[0], node, 0.8)
        play.declare([(node, 0.8)], Play.owners.map { ($0, 0.1, 0) })
        plays[.declared] = play
        play.challenge()
        plays[.challenge] = play
        var disputed = play
        disputed.does(Play.scientists[0], .dispute(.declaration))
        plays[.dispute] = disputed
        play.time = play.state.stageEnds
        play.does(Play.clerk, .settle(seed: Play.salt("s"), binding: []))
        plays[.settled] = play
        play.time = play.state.stageEnds
        play.does(Play.clerk, .tick)
        plays[.paidOut] = play
        play = plays[.draft] ?? play
        play.does(Play.sponsor, .cancel)
        plays[.cancelled] = play
        play = plays[.funded] ?? play
        play.time = 100
        play.does(Play.sponsor, .tick)
        plays[.expired] = play
        #expect(plays.count == Stage.allCases.count)
        let salt = Play.salt("x")
        let verdict = Play.verdict([])
        let (ada, pia, rae) = (Play.scientists[0], Play.providers[0], party("rae"))
        let actions: [(PartyName, TaskAction, Set<Stage>)] = [
            (Play.sponsor, .amend(.ofTests()), [.draft]), (Play.sponsor, .open, [.funded]),
            (Play.sponsor, .fund(terms: TaskTerms.ofTests().digest), [.draft]),
            (Play.sponsor, .cancel, [.draft, .funded, .open]), (ada, .commitProposal(hashed("c")), [.open, .training]),
            (ada, .showProposal(0, parent: 0, content: hashed("c"), salt: salt), [.open, .training]),
            (party("ben"), .join(.owner), [.open, .training]), (ada, .beginRound(parent: 1), [.training]),
            (Play.owners[0], .commitUpdate(round: 0, hashed("d")), [.training]), (ada, .closeRound(0), [.training]),
            (Play.owners[0], .showUpdate(round: 0, content: hashed("c"), salt: salt), [.training]),
            (ada, .finishRound(0, content: hashed("c"), receipts: hashed("r")), [.training]),
            (ada, .authorise(proposal: 0, provider: pia, limit: 1, until: 900), [.training]),
            (pia, .deliver(job: 0, units: 1, receipt: hashed("r")), [.training, .declared, .challenge, .dispute]),
            (ada, .requestEvaluation(node: 3), [.training]), (Play.sponsor, .score(evaluation: 0, nil), [.training]),
            (Play.sponsor, .declare(verdict), [.training]), (Play.clerk, .checkpoint(hashed("c")), [.declared]),
            (ada, .dispute(.job(0)), [.challenge, .dispute]), (rae, .vote(dispute: 0, .rejected), [.dispute]),
            (Play.clerk, .settle(seed: salt, binding: []), [.challenge]),
        ]
        for (by, action, stages) in actions {
            for (stage, play) in plays where !stages.contains(stage) {
                var copy = play
                guard case .stage(let found, _) = copy.refused(by, action) else {
                    Issue.record("\(action) at \(stage)")
                    continue
                }
                #expect(found == stage)
            }
        }
    }
}
