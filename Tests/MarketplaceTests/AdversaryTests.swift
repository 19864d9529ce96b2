import Foundation
import Testing

@testable import Marketplace

@Suite("Who cheats gains nothing")
struct AdversaryTests {
    private let sue = Play.sponsor, ada = Play.scientists[0], ben = Play.scientists[1], pia = Play.providers[0],
        clerk = Play.clerk

    @Test("A copied commitment is refused, cannot be shown by the copier, and costs nothing")
    func copiedCommitment() {
        var play = Play()
        play.openTask()
        play.commit(ada, "model")
        let copied = play.commitment(.proposal, ada, place: 0, "model")
        #expect(play.refused(ben, .commitProposal(copied)) == .commitmentIsTaken && play.gain(ben) == 0)
        // What ben can commit to is the content, if he knew it, in his own name.
        play.commit(ben, "model")
        play.time = 200
        play.show(ben, 1, "model")
        // He showed it first; hers is the earlier commitment, and it counts.
        #expect(play.state.counts(play.state.proposals[1]))
        play.show(ada, 0, "model")
        #expect(play.state.counts(play.state.proposals[0]) && !play.state.counts(play.state.proposals[1]))
        play.time = 300
        play.does(ben, .tick)
        #expect(play.refused(ben, .beginRound(parent: 1)) != nil)
        play.does(ada, .beginRound(parent: 2))
    }

    @Test("Later the same content cannot be shown at all; what is shown must be what was committed to")
    func shown() {
        var play = Play()
        play.openTask()
        play.commit(ada, "model")
        play.commit(ben, "model")
        #expect(
            play.refused(ada, .showProposal(0, parent: 0, content: hashed("model"), salt: Play.salt("ada model")))
                == .time(0, expected: "200 s or later"))
        play.time = 200
        for (content, salt, parent) in [
            ("other", "ada model", 0), ("model", "ben model", 0), ("model", "ada model", 1),
        ] {
            #expect(
                play.refused(ada, .showProposal(0, parent: parent, content: hashed(content), salt: Play.salt(salt)))
                    == .commitmentMismatch)
        }
        let salt = Play.salt("ada model")
        #expect(play.refused(ben, .showProposal(0, parent: 0, content: hashed("model"), salt: salt)) != nil)
        play.show(ada, 0, "model")
        #expect(
            play.refused(ben, .showProposal(1, parent: 0, content: hashed("model"), salt: Play.salt("ben model")))
                == .commitmentIsTaken)
        #expect(play.refused(ada, .showProposal(0, parent: 0, content: hashed("model"), salt: salt)) != nil)
    }

    @Test("An owner who copies an update, or sends an old one again, is paid for none of it")
    func copiedUpdate() {
        var play = Play()
        play.beginTraining()
        let (olga, omar) = (Play.owners[0], Play.owners[1])
        play.does(ada, .beginRound(parent: 1))
        let own = play.commitment(.update, olga, place: 0, "u")
        play.does(olga, .commitUpdate(round: 0, own))
        #expect(play.refused(omar, .commitUpdate(round: 0, own)) == .commitmentIsTaken)
        // Somebody told omar what it is: the earlier commitment counts, whoever shows first.
        play.does(omar, .commitUpdate(round: 0, play.commitment(.update, omar, place: 0, "u")))
        play.does(ada, .closeRound(0))
        #expect(play.refused(omar, .commitUpdate(round: 0, hashed("late"))) != nil)
        play.does(omar, .showUpdate(round: 0, content: hashed("u"), salt: Play.salt("omar u")))
        #expect(play.state.updates(in: [0]) == [omar: 1])
        play.does(olga, .showUpdate(round: 0, content: hashed("u"), salt: Play.salt("olga u")))
        #expect(play.state.updates(in: [0]) == [olga: 1])
        play.does(ada, .finishRound(0, content: hashed("w"), receipts: hashed("r")))
        play.does(ada, .beginRound(parent: 3))
        play.does(olga, .commitUpdate(round: 1, play.commitment(.update, olga, place: 1, "u")))
        play.does(ada, .closeRound(1))
        play.does(olga, .showUpdate(round: 1, content: hashed("u"), salt: Play.salt("olga u")))
        #expect(play.state.updates(in: [0, 1]) == [olga: 1])
    }

    @Test("A scientist cannot make owners look as if they had vanished")
    func hurried() {
        var play = Play()
        play.beginTraining()
        play.does(ada, .beginRound(parent: 1))
        let olga = Play.owners[0]
        play.does(olga, .commitUpdate(round: 0, play.commitment(.update, olga, place: 0, "u")))
        #expect(play.refused(ada, .finishRound(0, content: hashed("w"), receipts: hashed("r"))) != nil)
        play.does(ada, .closeRound(0))
        #expect(play.refused(ada, .finishRound(0, content: hashed("w"), receipts: hashed("r"))) != nil)
        play.time += 10
        play.does(ada, .finishRound(0, content: hashed("w"), receipts: hashed("r")))
        #expect(play.refused(olga, .showUpdate(round: 0, content: hashed("u"), salt: Play.salt("olga u"))) != nil)
    }

    /// What ada has of a task where she reaches .9 in these steps, and ben reached .6 before her. From `parent` on: whether her models go on from each other.
    private func earned(_ steps: [Double], goesOn: Bool = true) -> (ada: Int64, ben: Int64) {
        var terms = TaskTerms.ofTests()
        terms.goal.evaluations = 100
        terms.goal.evaluationsEach = 100
        var play = Play()
        play.beginTraining(terms)
        let first = play.train(ben, parent: 2)
        play.evaluate(ben, first, 0.6)
        var node = 1
        for step in steps {
            node = play.train(ada, parent: goesOn ? node : 1)
            play.evaluate(ada, node, step)
        }
        play.declare(
            play.state.candidates.sorted().map { ($0, $0 == node ? 0.9 : 0.8) }, Play.owners.map { ($0, 1, 0) })
        play.challenge()
        play.finish()
        return (play.gain(ada), play.gain(ben))
    }

    @Test("Drip-feeding gains nothing: thirty small improvements are paid as one large")
    func dripFeeding() {
        let once = earned([0.9])
        // 30,000 by gains of .3 and .1, and the ancestors' part of 10,000.
        #expect(once.ada == 22_500 + 10_000 && once.ben == 7_500)
        for goesOn in [true, false] {
            let dripped = earned((61...90).map { Double($0) / 100 }, goesOn: goesOn)
            #expect(dripped.ada == once.ada && dripped.ben == once.ben)
        }
    }

    @Test("Split accounts gain no more than one: expertise by improvement adds up to the same")
    func splitScientist() {
        var terms = TaskTerms.ofTests()
        terms.goal.evaluations = 50
        var play = Play()
        for number in 0..<10 {
            let name = party("ada\(number)")
            _ = play.ask(clerk, .register(name, key: .ofTests))
            _ = play.ask(clerk, .credit(name, amount: Play.purse))
        }
        play.openTask(terms)
        let names = (0..<10).map { party("ada\($0)") }
        for (number, name) in (names + [ben]).enumerated() { play.commit(name, "model \(number)") }
        for owner in Play.owners { play.does(owner, .join(.owner)) }
        play.time = 200
        for (number, name) in (names + [ben]).enumerated() { play.show(name, number, "model \(number)") }
        play.time = 300
        play.does(ben, .tick)
        let first = play.train(ben, parent: 11)
        play.evaluate(ben, first, 0.6)
        var node = 0
        for (number, name) in names.enumerated() {
            node = play.train(name, parent: number + 1)
            play.evaluate(name, node, Double(63 + 3 * number) / 100)
        }
        play.declare(
            play.state.candidates.sorted().map { ($0, $0 == node ? 0.9 : 0.8) }, Play.owners.map { ($0, 1, 0) })
        play.challenge()
        play.finish()
        // As one account has 22,500 of improvements; of the ancestors' part only what is on the winner's own path. Rounding: a unit an account at most.
        let sum = names.reduce(0) { $0 + play.gain($1) }
        #expect(sum <= 22_500 + 10_000 + 10 && play.gain(ben) >= 7_500 - 1)
    }

    @Test("A claim is paid once, to whom it names, and no other is")
    func claims() throws {
        var play = Play()
        play.beginTraining()
        let node = play.train(ada, parent: 1)
        play.evaluate(ada, node, 0.8)
        play.declare([(node, 0.8)], Play.owners.map { ($0, 0.1, 0.01) })
        play.challenge()
        play.time = play.state.stageEnds
        play.does(ada, .settle(seed: Play.salt("seed"), binding: []))
        #expect(play.refused(ada, .settle(seed: Play.salt("seed"), binding: [])) != nil)
        let claims = try #require(play.state.settlement?.claims)
        let before = play.balance(claims[0].leaf.party)
        // Whoever brings it: the money is its party's.
        play.does(pia, .claim(claims[0]))
        #expect(play.balance(claims[0].leaf.party) == before + claims[0].leaf.amount)
        #expect(play.refused(claims[0].leaf.party, .claim(claims[0])) == .repeated("the claim was paid"))
        let other = claims[1].leaf
        let more = ClaimLeaf(
            settlement: other.settlement, index: other.index, party: pia, role: other.role, amount: other.amount,
            salt: other.salt)
        #expect(play.refused(pia, .claim(Claim(leaf: more, path: claims[1].path))) == .proof)
        #expect(play.refused(pia, .claim(Claim(leaf: other, path: claims[2].path))) == .proof)
        #expect(play.refused(pia, .tick) != nil)
        play.time = play.state.stageEnds
        play.does(pia, .tick)
        #expect(play.state.stage == .paidOut && play.market.book[play.state.accounts.payable]?.balance == 0)
        #expect(play.refused(pia, .claim(claims[1])) == .repeated("the claim was paid"))
        #expect(play.gain(ada) == 40_000 && play.gain(sue) == -100_000)
    }

    @Test("Feedback that the Ladder never gives is refused, and budgets hold")
    func feedback() {
        var play = Play()
        play.beginTraining()
        let nodes = (0..<7).map { _ in play.train(ada, parent: 1, []) }
        #expect(play.refused(ben, .requestEvaluation(node: nodes[0])) != nil)
        #expect(
            play.refused(ada, .requestEvaluation(node: 1)) != nil
                && play.refused(ada, .requestEvaluation(node: 99)) != nil)
        for node in nodes.prefix(6) { play.does(ada, .requestEvaluation(node: node)) }
        #expect(play.refused(ada, .requestEvaluation(node: nodes[6])) == .limit("evaluations of a proposal", most: 6))
        #expect(play.refused(ada, .requestEvaluation(node: nodes[0])) != nil)
        for wrong in [0.5, 0.505, 0.555, 0.4] {
            #expect(play.refused(sue, .score(evaluation: 0, score(wrong))) != nil, "\(wrong)")
        }
        #expect(play.refused(ada, .score(evaluation: 0, score(0.6))) != nil)
        play.does(sue, .score(evaluation: 0, score(0.6)))
        #expect(play.refused(sue, .score(evaluation: 0, nil)) != nil)
        #expect(play.refused(sue, .score(evaluation: 1, score(0.6))) != nil)
        play.does(sue, .score(evaluation: 1, nil))
    }

    @Test("Who evaluates or decides does not work in the task; who did not join cannot train or compute")
    func roles() {
        var play = Play()
        play.openTask()
        for name in [sue, party("rae")] {
            #expect(play.refused(name, .commitProposal(hashed("c"))) != nil)
            #expect(play.refused(name, .join(.owner)) != nil)
        }
        for role in [Role.sponsor, .scientist, .referee] { #expect(play.refused(ben, .join(role)) != nil) }
        play.does(ben, .join(.owner))
        #expect(play.refused(ben, .join(.owner)) != nil)
        #expect(play.refused(party("nobody"), .join(.owner)) != nil)
        #expect(play.refused(ada, .open) != nil && play.refused(ada, .checkpoint(hashed("c"))) != nil)
        play = Play()
        play.beginTraining()
        play.does(ada, .beginRound(parent: 1))
        #expect(play.refused(pia, .commitUpdate(round: 0, hashed("c"))) != nil)
        #expect(play.refused(ben, .closeRound(0)) != nil && play.refused(ben, .beginRound(parent: 1)) != nil)
        #expect(play.refused(ada, .beginRound(parent: 0)) != nil)
        #expect(play.refused(ada, .authorise(proposal: 0, provider: ben, limit: 10, until: 900)) != nil)
        #expect(play.refused(ben, .authorise(proposal: 0, provider: pia, limit: 10, until: 900)) != nil)
        for (limit, until) in [(0, 900), (-1, 900), (9_001, 900), (8_001, 900), (10, 300), (10, 1_201)]
            as [(Int64, Int64)]
        {
            #expect(play.refused(ada, .authorise(proposal: 0, provider: pia, limit: limit, until: until)) != nil)
        }
        play.does(ada, .authorise(proposal: 0, provider: pia, limit: 8_000, until: 900))
        #expect(play.refused(ben, .deliver(job: 0, units: 1, receipt: hashed("r"))) != nil)
        #expect(play.refused(pia, .deliver(job: 0, units: -1, receipt: hashed("r"))) != nil)
        // Units beyond any measure cost the limit.
        play.does(pia, .deliver(job: 0, units: .max, receipt: hashed("r")))
        #expect(play.state.jobs[0].due == 8_000)
    }

    @Test("A bad reputation closes the door, in its role alone")
    func admission() {
        var play = Play()
        for number in 0..<2 {
            let task = hashed("bad \(number)")
            _ = play.ask(sue, .draft(.ofTests(start: play.time)), key: task)
            _ = play.ask(sue, .task(task, .fund(terms: TaskTerms.ofTests(start: play.time).digest)))
            play.time += 100
            #expect(play.ask(sue, .task(task, .tick)) == .done(.none))
        }
        let terms = TaskTerms.ofTests(start: play.time)
        play.draft(terms)
        #expect(play.refused(sue, .fund(terms: terms.digest)) == .reputation(sue, .sponsor))
    }

    @Test("The same key again has the same answer; other content, another party or an earlier time has none")
    func keys() throws {
        var play = Play()
        play.openTask()
        let hash = try play.market.stateHash()
        for entry in play.journal {
            let later = MarketEntry(key: entry.key, time: 77, by: entry.by, action: entry.action)
            #expect(play.market.apply(later) == play.market.answer(to: entry.key))
            let other = MarketEntry(key: entry.key, time: 77, by: ben, action: .withdraw(amount: 1))
            #expect(play.market.apply(other) == .keyIsTaken)
        }
        #expect(try play.market.stateHash() == hash)
        play.time = 10
        play.does(ada, .join(.owner))
        play.time = 9
        #expect(play.ask(ben, .join(.owner)) == .clockWentBack(latest: 10))
        for time in [Int64.max, Market.latestTime + 1] {
            play.time = time
            guard case .refused(.time) = play.ask(ben, .join(.owner)) else {
                Issue.record("\(time) is a time")
                return
            }
        }
        #expect(play.market.time == 10)
        // At the latest time nothing traps, and the task ends.
        play.time = Market.latestTime
        play.does(ada, .tick)
        #expect(play.state.stage == .expired)
    }

    @Test("Money outside is the operator's, and nobody takes out what is not there")
    func outside() {
        var play = Play()
        #expect(play.ask(ada, .credit(ada, amount: 5)) == .refused(.party(ada, expected: "the market's operator")))
        #expect(play.ask(ada, .register(party("zoe"), key: .ofTests)) != .done(.none))
        #expect(play.ask(ada, .withdraw(amount: Play.purse)) == .done(.none) && play.balance(ada) == 0)
        for amount in [1, 0, -1, Int64.max, .min] {
            guard case .refused = play.ask(ada, .withdraw(amount: amount)) else {
                Issue.record("withdrew \(amount)")
                return
            }
        }
        guard case .refused(.book(.overflow)) = play.ask(clerk, .credit(ada, amount: .max)) else {
            Issue.record("credited more than 64 bits hold")
            return
        }
        #expect(play.market.book.isBalanced)
    }
}
