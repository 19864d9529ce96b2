import Foundation
import Testing

@testable import Marketplace

@Suite("A task from draft to payout")
struct MarketTaskTests {
    private let sue = Play.sponsor, ada = Play.scientists[0], ben = Play.scientists[1], pia = Play.providers[0],
        clerk = Play.clerk

    @Test("A won task, all amounts by hand")
    func won() throws {
        var play = Play()
        play.openTask()
        // Pots of 120,000 and a newcomer's deposit of one fraud's gain, the pots of data and expertise: 100,000.
        #expect(play.gain(sue) == -220_000)
        play = Play()
        play.beginTraining()
        #expect(play.gain(ada) == -3_000 && play.gain(Play.owners[0]) == -2_000 && play.gain(pia) == -8_000)
        let first = play.train(ada, parent: 1)
        play.evaluate(ada, first, 0.6)
        let second = play.train(ben, parent: 2, Array(Play.owners.prefix(2)))
        play.evaluate(ben, second, 0.7)
        let third = play.train(ada, parent: first)
        play.does(ada, .authorise(proposal: 0, provider: pia, limit: 5_000, until: 900))
        #expect(play.market.book[play.state.accounts.computation]?.available == 15_000)
        play.does(pia, .deliver(job: 0, units: 3_200_500_000, receipt: hashed("receipt")))
        play.evaluate(ada, third, 0.85)
        #expect(play.state.candidates == [third])
        play.declare([(third, 0.82)], zip(Play.owners, [0.3, 0.2, -0.1]).map { ($0, $1, 0.01) })
        play.challenge()
        #expect(play.refused(clerk, .settle(seed: Play.salt("s"), binding: [])) != nil)
        play.finish()
        #expect(play.state.stage == .paidOut && play.state.ending == .won)
        // Data: 60,000 by 3 : 2. Work: 3.2005 units of 1,000, rounded down.
        #expect(
            play.gain(Play.owners[0]) == 36_000 && play.gain(Play.owners[1]) == 24_000 && play.gain(Play.owners[2]) == 0
        )
        #expect(play.gain(pia) == 3_200)
        // Expertise: 30,000 by gains .1 and .15 of ada and .1 of ben; 10,000 to ada for the whole path: .1 + .25 are hers.
        #expect(play.gain(ada) == 21_429 + 10_000 && play.gain(ben) == 8_571)
        #expect(play.gain(sue) == -120_000 + 16_800)
        for account in play.state.accounts.all { #expect(play.market.book[account]?.balance == 0) }
        #expect(play.market.reputations[sue, .sponsor].expectation == 666_666)
        #expect(play.market.reputations[Play.owners[2], .owner].latest.map(\.conduct) == [.kept])
        #expect(play.market.reputations[Play.providers[1], .provider] == Reputation())
        #expect(play.state.tree.path(to: third) == [0, 1, first, third])
        #expect(play.state.rounds[0].receipts == hashed("receipts") && play.state.jobs[0].receipt == hashed("receipt"))
        let decoded = try JSONDecoder().decode(MarketTask.self, from: JSONEncoder().encode(play.state))
        #expect(decoded == play.state)
    }

    @Test("Frozen at funding: what is funded is the digest of what was read, and nothing changes it afterwards")
    func frozen() {
        var play = Play()
        play.draft()
        let read = play.state.terms.digest
        var other = TaskTerms.ofTests()
        other.goal.target = score(0.9)
        play.does(sue, .amend(other))
        #expect(play.refused(sue, .fund(terms: read)) != nil)
        play.does(sue, .amend(.ofTests()))
        play.does(sue, .fund(terms: read))
        #expect(play.refused(sue, .amend(other)) == .stage(.funded, expected: "draft"))
        #expect(play.state.terms.digest == read)
    }

    @Test("Every field of the terms is in their digest")
    func digestOfTerms() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let terms = TaskTerms.ofTests()
        let text = try #require(String(data: encoder.encode(terms), encoding: .utf8))
        var digests: Set<Digest256> = [terms.digest]
        // Every number in turn is one more, and every digest another one.
        let values = text.matches(of: /:(\d+)|"([0-9a-f]{64})"|"(rae|rex|rob|higherIsBetter)"/)
        for value in values {
            var changed = text
            let range = value.range
            if let number = value.1.flatMap({ Int64($0) }) {
                changed.replaceSubrange(range, with: ":\(number + 1)")
            } else if value.3 == "higherIsBetter" {
                changed.replaceSubrange(range, with: "\"lowerIsBetter\"")
            } else {
                changed.replaceSubrange(range, with: value.3 == nil ? "\"\(hashed("other").hex)\"" : "\"roy\"")
            }
            digests.insert(try JSONDecoder().decode(TaskTerms.self, from: Data(changed.utf8)).digest)
        }
        #expect(values.count == 36 && digests.count == 37)
    }

    @Test("Terms that cannot be kept are refused, with the field")
    func wrongTerms() {
        var play = Play()
        let changes: [(String, (inout TaskTerms) -> Void)] = [
            ("pot.data", { $0.pot.data = -1 }),
            ("pot.expertise", { $0.pot.expertise = .max }),
            ("pot", { $0.pot = TaskTerms.Pot(data: 0, computation: 0, expertise: 0) }),
            ("formula.ancestorThousandths", { $0.formula.ancestorThousandths = 1_001 }),
            ("formula.significanceThousandths", { $0.formula.significanceThousandths = -1 }),
            ("goal.step", { $0.goal.step = .zero }), ("goal.baseline", { $0.goal.baseline = score(0.505) }),
            ("goal.target", { $0.goal.target = score(0.4) }),
            ("goal.target", { $0.goal.direction = .lowerIsBetter }),
            ("goal.evaluations", { $0.goal.evaluations = 0 }),
            ("goal.evaluationsEach", { $0.goal.evaluationsEach = 13 }),
            ("goal.finalists", { $0.goal.finalists = 0 }),
            ("court.fee", { $0.court.fee = 1_001 }), ("court.quorum", { $0.court.quorum = 1 }),
            ("court.quorum", { $0.court.quorum = 4 }), ("court.referees", { $0.court.referees = [] }),
            ("court.referees", { $0.court.referees[0] = Play.sponsor }),
            ("court.referees", { $0.court.referees[0] = $0.court.referees[1] }),
            ("schedule", { $0.schedule.openBy = 0 }), ("schedule", { $0.schedule.revealUntil = 200 }),
            ("schedule", { $0.schedule.declareUntil = .max }), ("schedule", { $0.schedule.rulingWindow = 0 }),
            ("schedule", { $0.schedule.claimWindow = .max }), ("gains.owner", { $0.gains.owner = -1 }),
        ]
        for (field, change) in changes {
            var terms = TaskTerms.ofTests()
            change(&terms)
            guard case .refused(.terms(let found, let expected)) = play.ask(sue, .draft(terms)) else {
                Issue.record("\(field) was taken")
                continue
            }
            #expect(found == field && !expected.isEmpty)
        }
    }

    @Test("A sponsor without the money cannot fund, and nothing is held")
    func poor() {
        var play = Play()
        var terms = TaskTerms.ofTests()
        terms.pot.data = 900_000
        play.draft(terms)
        guard case .book(.insufficient) = play.refused(sue, .fund(terms: terms.digest)) else {
            Issue.record("funded without money")
            return
        }
        #expect(play.market.book[play.state.accounts.data] == nil && play.gain(sue) == 0)
    }

    // MARK: ways to end

    @Test("Cancelled: in the draft, funded, and open as long as nobody has committed; then no more")
    func cancelled() {
        var play = Play()
        play.draft()
        play.does(sue, .cancel)
        #expect(play.state.stage == .cancelled)
        for isOpen in [false, true] {
            play = Play()
            play.draft()
            play.fund()
            if isOpen { play.does(sue, .open) }
            if isOpen { play.does(Play.owners[0], .join(.owner)) }
            play.does(sue, .cancel)
            #expect(play.state.stage == .cancelled && play.gain(sue) == 0 && play.gain(Play.owners[0]) == 0)
            #expect(play.refused(sue, .cancel) != nil)
        }
        play = Play()
        play.openTask()
        play.commit(ada, "model")
        #expect(play.refused(sue, .cancel) != nil)
    }

    @Test("Not opened, and no proposal shown: refunded; who committed and never showed loses the deposit")
    func expired() {
        var play = Play()
        play.draft()
        play.fund()
        #expect(play.refused(ada, .tick) == .time(0, expected: "100 s or later"))
        play.time = 100
        #expect(play.refused(sue, .open) != nil)
        play.does(ada, .tick)
        #expect(play.state.ending == .notOpened && play.state.stage == .expired && play.gain(sue) == 0)
        #expect(play.market.reputations[sue, .sponsor].latest.map(\.isGood) == [false])
        play = Play()
        play.openTask()
        play.commit(ada, "model")
        play.does(Play.owners[0], .join(.owner))
        play.time = 300
        play.does(clerk, .tick)
        #expect(play.state.ending == .noProposal && play.gain(sue) == 0 && play.gain(Play.owners[0]) == 0)
        #expect(play.gain(ada) == -3_000 && play.market.book[Market.forfeits]?.balance == 3_000)
        #expect(play.market.reputations[ada, .scientist].latest.map(\.conduct) == [.concealed])
        #expect(play.market.reputations[sue, .sponsor] == Reputation())
    }

    @Test("Target missed: work is paid, the rest returns, and everybody honest has the deposit back")
    func missed() {
        var play = Play()
        play.beginTraining()
        let node = play.train(ada, parent: 1)
        play.evaluate(ada, node, 0.7)
        play.does(ada, .authorise(proposal: 0, provider: pia, limit: 5_000, until: 900))
        play.does(pia, .deliver(job: 0, units: 9_000_000_000, receipt: hashed("receipt")))
        // Before the end of training there is no reason to give up.
        #expect(play.refused(sue, .declare(Play.verdict([]))) != nil)
        play.time = 1_000
        play.declare([])
        play.challenge()
        play.finish()
        #expect(play.state.ending == .missed && play.gain(pia) == 5_000 && play.gain(sue) == -5_000)
        #expect(play.gain(ada) == 0 && play.gain(ben) == 0 && play.gain(Play.owners[0]) == 0)
        // Ben showed a proposal and trained nothing.
        #expect(play.market.reputations[ben, .scientist].latest.map(\.conduct) == [.vanished])
    }

    @Test("A silent sponsor: what reached the target wins, and owners are paid by updates on its path")
    func wonByDefault() {
        var play = Play()
        play.beginTraining()
        let first = play.train(ada, parent: 1)
        play.evaluate(ada, first, nil)
        let second = play.train(ada, parent: first, Array(Play.owners.prefix(1)))
        play.evaluate(ada, second, 0.9)
        _ = play.train(ben, parent: 2)
        play.time = 1_200
        #expect(play.refused(sue, .declare(Play.verdict([(second, 0.4)]))) != nil)
        play.does(ada, .tick)
        play.time += 50
        play.does(ada, .tick)
        play.finish()
        #expect(play.state.ending == .wonByDefault)
        #expect(play.gain(Play.owners[0]) == 30_000 && play.gain(Play.owners[1]) == 15_000)
        #expect(play.gain(ada) == 40_000 && play.gain(sue) == -100_000)
        #expect(play.market.reputations[sue, .sponsor].latest.map(\.conduct) == [.vanished])
    }

    @Test("An evaluator who fails pays for the work: owners by their updates, scientists by proposals with a model")
    func evaluatorFailed() {
        var play = Play()
        play.beginTraining()
        let node = play.train(ada, parent: 1)
        _ = play.train(ben, parent: 2, [Play.owners[0]])
        play.does(ada, .requestEvaluation(node: node))
        play.time = 1_000
        #expect(play.refused(sue, .declare(Play.verdict([]))) != nil, "an evaluation is open")
        play.time = 1_200
        play.does(ben, .tick)
        play.challenge()
        play.finish()
        #expect(play.state.ending == .evaluatorFailed && play.gain(sue) == -100_000)
        #expect(play.gain(Play.owners[0]) == 30_000 && play.gain(Play.owners[1]) == 15_000)
        #expect(play.gain(ada) == 20_000 && play.gain(ben) == 20_000)
    }

    @Test("A provider who vanishes is not paid, and the money that was held is free again")
    func vanishedProvider() {
        var play = Play()
        play.beginTraining()
        play.does(ada, .authorise(proposal: 0, provider: pia, limit: 6_000, until: 400))
        #expect(play.refused(ada, .authorise(proposal: 0, provider: pia, limit: 6_000, until: 400)) != nil)
        play.time = 400
        #expect(play.refused(pia, .deliver(job: 0, units: 1, receipt: hashed("r"))) != nil)
        play.does(ada, .authorise(proposal: 0, provider: Play.providers[1], limit: 6_000, until: 1_200))
        #expect(play.market.book[play.state.accounts.computation]?.available == 14_000)
        play.time = 1_000
        play.declare([])
        play.challenge()
        play.time = 1_199
        play.does(Play.providers[1], .deliver(job: 1, units: 1_000_000_000, receipt: hashed("r")))
        play.finish()
        #expect(play.gain(pia) == 0 && play.gain(Play.providers[1]) == 1_000 && play.gain(sue) == -1_000)
        #expect(play.market.reputations[pia, .provider].latest.map(\.conduct) == [.vanished])
    }

    @Test("A job that ran when the task was settled is freed, and nobody is blamed")
    func runningJob() {
        var play = Play()
        play.beginTraining()
        let node = play.train(ada, parent: 1, [])
        play.evaluate(ada, node, 0.8)
        play.does(ada, .authorise(proposal: 0, provider: pia, limit: 6_000, until: 1_200))
        play.declare([(node, 0.8)])
        play.challenge()
        play.finish()
        #expect(play.market.book.hold(play.state.hold(ofJob: 0))?.state == .voided)
        #expect(play.gain(pia) == 0 && play.market.reputations[pia, .provider] == Reputation())
        // Nobody's data was used: the pot returns.
        #expect(play.gain(sue) == -40_000 && play.gain(ada) == 40_000)
    }
}
