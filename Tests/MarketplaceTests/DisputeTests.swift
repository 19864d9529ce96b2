import Foundation
import Testing

@testable import Marketplace

@Suite("Disputes")
struct DisputeTests {
    private let sue = Play.sponsor, ada = Play.scientists[0], ben = Play.scientists[1], pia = Play.providers[0],
        clerk = Play.clerk
    private let rae = party("rae"), rex = party("rex"), rob = party("rob")

    /// A task whose sponsor says that nothing was reached, though the model of ada reached .85.
    private func lied(feedback: Double?) -> (Play, Int) {
        var play = Play()
        play.beginTraining()
        let node = play.train(ada, parent: 1, [Play.owners[0]])
        play.evaluate(ada, node, feedback)
        play.does(ada, .authorise(proposal: 0, provider: pia, limit: 5_000, until: 900))
        play.does(pia, .deliver(job: 0, units: 4_000_000_000, receipt: hashed("receipt")))
        play.time = 1_000
        play.declare(feedback ?? 0 >= 0.8 ? [(node, 0.6)] : [])
        play.challenge()
        return (play, node)
    }

    @Test(
        "A sponsor who lies, in the end or in every feedback, loses her deposit and pays what was won",
        arguments: [0.85, nil])
    func lyingSponsor(feedback: Double?) {
        var (play, node) = lied(feedback: feedback)
        let right = Ruling.upheld(Play.verdict([(node, 0.85)], [(Play.owners[0], 0.2, 0.01)]))
        play.does(ada, .dispute(.declaration))
        #expect(play.state.stage == .dispute && play.gain(ada) == -4_000)
        play.does(rae, .vote(dispute: 0, right))
        #expect(play.refused(rae, .vote(dispute: 0, right)) != nil)
        play.does(rob, .vote(dispute: 0, .rejected))
        play.does(rex, .vote(dispute: 0, right))
        #expect(play.state.stage == .challenge && play.state.declaration?.winner == node)
        #expect(play.refused(ben, .dispute(.declaration)) != nil, "once")
        play.finish()
        #expect(play.state.ending == .won && play.gain(ada) == 40_000 && play.gain(Play.owners[0]) == 60_000)
        // The fee of 500 is the right referees', the rest of 100,000 nobody's who takes part.
        #expect(play.gain(rae) == 250 && play.gain(rex) == 250 && play.gain(rob) == 0)
        #expect(play.market.book[Market.forfeits]?.balance == 99_500)
        #expect(play.gain(sue) == -100_000 - 104_000)
        #expect(play.market.reputations[sue, .sponsor].latest.map(\.conduct) == [.refuted])
        #expect(play.market.reputations[rob, .referee] == Reputation())
    }

    @Test("An accusation that is rejected costs its deposit, and changes nothing else")
    func rejected() {
        var (play, _) = lied(feedback: 0.7)
        play.does(ben, .dispute(.job(0)))
        play.does(rae, .vote(dispute: 0, .rejected))
        play.does(rex, .vote(dispute: 0, .rejected))
        #expect(play.refused(rob, .vote(dispute: 0, .rejected)) != nil, "decided")
        play.finish()
        #expect(play.gain(ben) == -1_000 && play.gain(pia) == 4_000 && play.gain(rae) == 250)
        #expect(play.market.book[Market.forfeits]?.balance == 500)
    }

    @Test("A job that is found wrong is not paid and costs the provider's deposit; other jobs are paid")
    func wrongJob() {
        var play = Play()
        play.beginTraining()
        for _ in 0..<2 { play.does(ada, .authorise(proposal: 0, provider: pia, limit: 3_000, until: 900)) }
        for job in 0..<2 { play.does(pia, .deliver(job: job, units: 2_000_000_000, receipt: hashed("r"))) }
        play.time = 1_000
        play.declare([])
        play.challenge()
        play.does(sue, .dispute(.job(1)))
        let verdict = Play.verdict([])
        #expect(play.refused(rae, .vote(dispute: 0, .upheld(verdict))) != nil)
        play.does(rae, .vote(dispute: 0, .upheld(nil)))
        play.does(rob, .vote(dispute: 0, .upheld(nil)))
        play.finish()
        #expect(play.gain(pia) == 2_000 - 8_000 && play.gain(sue) == -2_000)
        #expect(play.market.book[Market.forfeits]?.balance == 7_500)
        #expect(play.market.reputations[pia, .provider].latest.map(\.conduct) == [.refuted])
    }

    @Test("Referees who are silent: the dispute lapses, deposits return, and it says something of them")
    func silentReferees() {
        var (play, _) = lied(feedback: 0.85)
        play.does(ada, .dispute(.declaration))
        play.does(rae, .vote(dispute: 0, .rejected))
        #expect(play.refused(ada, .tick) != nil)
        #expect(play.refused(clerk, .settle(seed: Play.salt("s"), binding: [])) != nil)
        play.time += 60
        #expect(play.refused(rex, .vote(dispute: 0, .rejected)) != nil, "too late")
        play.does(ada, .tick)
        play.finish()
        #expect(play.gain(ada) == 0 && play.state.ending == .missed)
        #expect(play.market.reputations[rex, .referee].latest.map(\.isGood) == [false])
        #expect(play.market.reputations[rae, .referee] == Reputation())
    }

    @Test("Who may dispute what, and until when")
    func demands() {
        var (play, node) = lied(feedback: 0.85)
        #expect(play.refused(sue, .dispute(.declaration)) != nil)
        #expect(play.refused(pia, .dispute(.job(0))) != nil)
        #expect(play.refused(rae, .dispute(.declaration)) != nil, "a referee takes no part")
        #expect(play.refused(ada, .dispute(.job(1))) != nil && play.refused(ada, .dispute(.job(-1))) != nil)
        #expect(play.refused(rae, .vote(dispute: 0, .rejected)) != nil)
        play.does(Play.owners[1], .dispute(.declaration))
        for wrong in [
            Play.verdict([(node, 0.6)]), Play.verdict([(0, 0.9)]), Play.verdict([(node, 0.9), (node, 0.9)]),
            Play.verdict([(node, 0.9)]), Play.verdict([(node, 0.9)], [(Play.owners[1], 0.1, 0)]),
            Play.verdict([(node, 0.9)], [(Play.owners[0], 0.1, 0), (Play.owners[0], 0.1, 0)]),
            Play.verdict([(node, 0.9)], [(Play.owners[0], 0.1, -0.1)]),
            Play.verdict([(node, 0.7)], [(Play.owners[0], 0.1, 0)]),
        ] { #expect(play.refused(rae, .vote(dispute: 0, .upheld(wrong))) != nil, "\(wrong)") }
        #expect(play.refused(rae, .vote(dispute: 0, .upheld(nil))) != nil)
        #expect(play.refused(ada, .vote(dispute: 0, .rejected)) != nil)
        play.time = play.state.stageEnds
        #expect(play.refused(ben, .dispute(.job(0))) != nil)
    }
}
