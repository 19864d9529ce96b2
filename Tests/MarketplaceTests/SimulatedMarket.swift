import Foundation
import Learning
import Secrets

@testable import Marketplace

/// A market in simulated time, with tasks side by side whose parties work, vanish, lie, repeat themselves and ask for what makes no sense; and which is killed now and then, and
/// goes on from its journal. Everything follows from the seed. What must hold is noted in ``broken`` where it does not.
struct SimulatedMarket {
    private(set) var market = Market.ofTests(SimulatedMarket.clerk)
    private(set) var auditor = Auditor()
    private(set) var broken: [String] = []
    private(set) var counts: [String: Int] = [:]
    private(set) var refusals: Set<String> = []
    /// The journal, a line an entry, as it is stored.
    private var lines: [Data] = []
    private var money: [BookEntry] = []
    private var entries: [MarketEntry] = []
    /// State hashes at some numbers of lines.
    private var marks: [(lines: Int, hash: Digest256)] = []
    private var random: SeededGenerator
    private var time: Int64 = 0
    private var keys = 0
    private var tasks: [Digest256: World] = [:]
    private var order: [Digest256] = []

    static let clerk = party("clerk")
    static let sponsors = (0..<3).map { party("sponsor\($0)") }
    static let scientists = (0..<4).map { party("scientist\($0)") }
    static let owners = (0..<5).map { party("owner\($0)") }
    static let providers = (0..<3).map { party("provider\($0)") }
    static let referees = (0..<4).map { party("referee\($0)") }
    static let workers = scientists + owners + providers
    static let everybody = sponsors + workers + referees + [clerk]

    /// What is true of a task, and what its parties are like.
    private struct World {
        /// Of models, by node.
        var truth: [Int: Score] = [:]
        /// Who does nothing any more.
        var gone: Set<PartyName> = []
        /// When the sponsor falls silent: from a stage or a time on.
        var silentStage: Stage?
        var silentFrom = Int64.max
        let liesInFeedback: Bool
        let liesInTheEnd: Bool
        /// What was committed to.
        var secrets: [Digest256: (place: Int, content: Digest256, salt: Salt)] = [:]
        var commitments: [Digest256] = []
    }

    init(seed: UInt64, market number: Int) {
        random = SeededGenerator(key: (seed, UInt64(number), 0, 0))
        for one in Self.everybody { _ = ask(Self.clerk, .register(one, key: .ofTests)) }
        for one in Self.everybody where one != Self.clerk { _ = ask(Self.clerk, .credit(one, amount: 100_000_000)) }
    }

    // MARK: chance

    private mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
    private mutating func chance(_ thousandths: Int) -> Bool { below(1_000) < thousandths }
    private mutating func one<Element>(_ list: [Element]) -> Element? { list.isEmpty ? nil : list[below(list.count)] }
    private mutating func fresh(_ what: String) -> Digest256 {
        keys += 1
        return hashed("\(what) \(keys) \(random.next())")
    }

    // MARK: running

    /// Runs so many tasks to their end.
    mutating func run(tasks count: Int) {
        var begun = 0
        var steps = 0
        while begun < count || order.contains(where: { !isOver($0) }), steps < 60_000, broken.isEmpty {
            steps += 1
            time += Int64(below(3))
            if begun < count, order.count(where: { !isOver($0) }) < 4 {
                draft()
                begun += 1
            }
            if chance(2) { crash() }
            if chance(15) { replayOld() }
            guard let task = one(order.filter { !isOver($0) }) else { continue }
            if chance(60) { chaos(task) } else { act(task) }
        }
        if order.contains(where: { !isOver($0) }) { broken.append("a task never ended") }
        for task in order {
            for account in MarketTask.Accounts(task).all where (market.book[account]?.balance ?? 0) != 0 {
                broken.append("\(account) is not empty")
            }
        }
        replay()
    }

    private func isOver(_ task: Digest256) -> Bool { market[task]?.stage.isOver ?? true }

    private mutating func draft() {
        var terms = TaskTerms.ofTests(start: time)
        terms.schedule = TaskTerms.Schedule(
            openBy: time + 25, proposalsUntil: time + 70, revealUntil: time + 120, revealDelay: 8,
            trainUntil: time + 520, declareUntil: time + 600, checkpointPatience: 25, challengeWindow: 40,
            rulingWindow: 30, claimWindow: 30)
        terms.pot = TaskTerms.Pot(
            data: Int64(below(100_000)), computation: Int64(below(50_000)), expertise: Int64(below(100_000)) + 1)
        terms.formula.ancestorThousandths = Int64(below(1_001))
        if chance(300) {
            terms.goal.direction = .lowerIsBetter
            (terms.goal.baseline, terms.goal.target) = (score(0.5), score(0.2))
        }
        terms.court.referees = chance(300) ? [Self.referees[below(4)]] : Array(Self.referees.prefix(3))
        terms.court.quorum = terms.court.referees.count / 2 + 1
        terms.gains.provider = Int64(below(12_000)) + 1
        guard let sponsor = one(Self.sponsors) else { return }
        var world = World(liesInFeedback: chance(150), liesInTheEnd: chance(200))
        world.silentStage = chance(90) ? .funded : nil
        if chance(350) { world.silentFrom = time + 120 + Int64(below(480)) }
        if chance(90) { world.gone = Set(Self.scientists) }
        for one in Self.workers + Self.referees where chance(70) { world.gone.insert(one) }
        let key = fresh("task")
        guard case .done = ask(sponsor, .draft(terms), key: key) else { return }
        tasks[key] = world
        order.append(key)
    }

    // MARK: asking

    /// Asks, stores, and audits.
    @discardableResult
    private mutating func ask(_ by: PartyName, _ action: MarketAction, key: Digest256? = nil) -> MarketAnswer {
        let entry = MarketEntry(key: key ?? fresh("key"), time: time, by: by, action: action)
        return apply(entry)
    }

    @discardableResult
    private mutating func ask(_ by: PartyName, _ task: Digest256, _ action: TaskAction) -> MarketAnswer {
        ask(by, .task(task, action))
    }

    private mutating func apply(_ entry: MarketEntry) -> MarketAnswer {
        let before = taskName(entry).flatMap { market[$0] }
        var moved: [BookEntry] = []
        let answer = market.apply(entry) { moved.append($0) }
        guard let line = try? JSONEncoder().encode(entry) else {
            broken.append("an entry cannot be stored")
            return answer
        }
        lines.append(line)
        entries.append(entry)
        money += moved
        switch answer {
        case .done(let result):
            auditor.take(entry, result)
            counts[Self.kind(entry.action), default: 0] += 1
        case .refused(let refusal):
            refusals.insert(String(describing: refusal).prefix { $0 != "(" }.description.prefix(40).description)
            counts["refused", default: 0] += 1
            if let before, market[before.id] != before { broken.append("a refused \(entry.action) changed the task") }
        case .keyIsTaken, .clockWentBack, .notAdmitted: broken.append("\(entry.action): \(answer)")
        }
        audit(entry, answer)
        if below(200) == 0, let hash = try? market.stateHash() { marks.append((lines.count, hash)) }
        return answer
    }

    private func taskName(_ entry: MarketEntry) -> Digest256? {
        if case .task(let task, _) = entry.action { task } else { nil }
    }

    private static func kind(_ action: MarketAction) -> String {
        guard case .task(_, let action) = action else { return "market" }
        return String(String(describing: action).prefix { $0 != "(" })
    }

    /// What holds after every entry.
    private mutating func audit(_ entry: MarketEntry, _ answer: MarketAnswer) {
        let book = market.book
        if !book.isBalanced { broken.append("debits are not credits") }
        for (party, amount) in auditor.purses where book[Market.account(of: party)]?.balance != Int64(amount) {
            broken.append(
                "\(party) has \(book[Market.account(of: party)]?.balance ?? 0), not \(amount), after \(entry.action)")
        }
        if book[Market.forfeits]?.balance ?? 0 != Int64(auditor.forfeited) { broken.append("forfeits") }
        if book[Market.outside]?.balance ?? 0 != Int64(-auditor.outside) { broken.append("outside") }
        guard let task = taskName(entry), let file = auditor.files[task], let state = market[task] else { return }
        let accounts = MarketTask.Accounts(task)
        let held = accounts.all.dropLast().reduce(0) { $0 + Int(book[$1]?.balance ?? 0) }
        if file.funded != held + file.paid + file.refunded {
            broken.append("funded \(file.funded), held \(held), paid \(file.paid), refunded \(file.refunded)")
        }
        if Int(book[accounts.deposits]?.balance ?? 0) != file.depositsTaken - file.depositsOut {
            broken.append("deposits after \(entry.action)")
        }
        if file.isOver != state.stage.isOver { broken.append("over: \(file.isOver), \(state.stage)") }
        guard case .done(.settlement) = answer, let settlement = state.settlement, file.isSettled else { return }
        if settlement.payouts.reduce(0, { $0 + $1.amount }) != state.terms.pot.total {
            broken.append("payouts are not the pot")
        }
        let expected = file.leaves.map { "\($0.role) \($0.party) \($0.amount)" }
        let found = settlement.payouts.map { "\($0.role) \($0.party) \($0.amount)" }
        if expected != found { broken.append("\(found) and not \(expected)") }
    }

    // MARK: crashes and repetitions

    private func replayed(_ count: Int) -> Market? {
        var market = Market.ofTests(Self.clerk)
        for line in lines.prefix(count) {
            guard let entry = try? JSONDecoder().decode(MarketEntry.self, from: line) else { return nil }
            _ = market.apply(entry)
        }
        return market
    }

    /// The market is killed, its last entry stored or not; whoever asked last asks again.
    private mutating func crash() {
        counts["crashes", default: 0] += 1
        guard let last = entries.last, let hash = try? market.stateHash() else { return }
        let isStored = chance(500)
        guard var again = replayed(isStored ? lines.count : lines.count - 1) else {
            broken.append("the journal cannot be read")
            return
        }
        let answer = again.apply(last)
        if answer != market.answer(to: last.key) { broken.append("another answer after a crash") }
        if (try? again.stateHash()) != hash { broken.append("another state after a crash") }
        market = again
    }

    /// An old entry comes again, later; its key with something else; and one of the past.
    private mutating func replayOld() {
        guard let old = one(entries) else { return }
        let history = market.history
        let later = MarketEntry(key: old.key, time: time, by: old.by, action: old.action)
        if market.apply(later) != market.answer(to: old.key) { broken.append("another answer to a repeated entry") }
        let other = MarketEntry(key: old.key, time: time, by: old.by, action: .withdraw(amount: Int64(below(9)) - 77))
        if market.apply(other) != .keyIsTaken { broken.append("a key was used twice") }
        if time > 0, market.time > 0 {
            let past = MarketEntry(key: fresh("past"), time: market.time - 1, by: old.by, action: old.action)
            if market.apply(past) != .clockWentBack(latest: market.time) { broken.append("the clock went back") }
        }
        if market.history != history { broken.append("a repeated entry left a trace") }
        // The same wish under a new key: mostly out of order.
        apply(later: old)
    }

    private mutating func apply(later old: MarketEntry) {
        guard case .task(let task, let action) = old.action else { return }
        ask(old.by, task, action)
    }

    /// The whole journal once more, cut where hashes were taken; and the book from its own entries alone.
    private mutating func replay() {
        var again = Market.ofTests(Self.clerk)
        var next = 0
        for (number, line) in lines.enumerated() {
            guard let entry = try? JSONDecoder().decode(MarketEntry.self, from: line) else {
                broken.append("the journal cannot be read")
                return
            }
            _ = again.apply(entry)
            while next < marks.count, marks[next].lines == number + 1 {
                if (try? again.stateHash()) != marks[next].hash { broken.append("another state at line \(number)") }
                next += 1
            }
        }
        counts["marks", default: 0] += next
        if next != marks.count || (try? again.stateHash()) != (try? market.stateHash()) { broken.append("replay") }
        var book = Book()
        for entry in money { _ = book.apply(entry) }
        if book.stateHash != market.book.stateHash { broken.append("the book from its own entries") }
    }
}

extension SimulatedMarket {
    // MARK: what parties do

    /// Does something that the task's stage asks for, if whoever has to is there.
    private mutating func act(_ task: Digest256) {
        guard let state = market[task] else { return }
        if chance(4), let party = one(Self.everybody) { tasks[task]?.gone.insert(party) }
        let schedule = state.terms.schedule
        switch state.stage {
        case .draft:
            switch below(12) {
            case 0: by(state.sponsor, task, .cancel)
            case 1: by(state.sponsor, task, .amend(state.terms))
            // A draft that nobody funds has no end of its own.
            default:
                if time >= schedule.openBy { ask(state.sponsor, task, .cancel) }
                by(state.sponsor, task, .fund(terms: state.terms.digest))
            }
        case .funded:
            if time >= schedule.openBy { return ticks(task) }
            by(state.sponsor, task, chance(80) ? .cancel : .open)
        case .open: opened(task, state)
        case .training: trains(task, state)
        case .declared:
            if time >= state.stageEnds {
                ticks(task)
            } else if chance(300) {
                ask(Self.clerk, task, .checkpoint(fresh("c")))
            }
        case .challenge: challenged(task, state)
        case .dispute: disputed(task, state)
        case .settled:
            if time >= state.stageEnds { return ticks(task) }
            if let claim = one(state.settlement?.claims ?? []) { by(claim.leaf.party, task, .claim(claim)) }
        case .paidOut, .cancelled, .expired: break
        }
    }

    private mutating func by(_ party: PartyName, _ task: Digest256, _ action: TaskAction) {
        guard let world = tasks[task], let state = market[task], !world.gone.contains(party) else { return }
        if party == state.sponsor, time >= world.silentFrom || state.stage == world.silentStage { return }
        ask(party, task, action)
    }

    private mutating func ticks(_ task: Digest256) {
        if let party = one(Self.everybody) { ask(party, task, .tick) }
    }

    private mutating func commits(_ task: Digest256, _ kind: Commitment.Kind, _ author: PartyName, place: Int) {
        let salt = Salt(fresh("salt"))
        // One in eight knows what others have, or has what everybody has.
        let content = chance(125) ? hashed("what everybody knows \(below(3))") : fresh("content")
        var commitment = Commitment.of(kind, task: task, author: author, place: place, content: content, salt: salt)
        if chance(50), let copied = one(tasks[task]?.commitments ?? []) { commitment = copied }
        if tasks[task]?.secrets[commitment] == nil { tasks[task]?.secrets[commitment] = (place, content, salt) }
        tasks[task]?.commitments.append(commitment)
        by(author, task, kind == .proposal ? .commitProposal(commitment) : .commitUpdate(round: place, commitment))
    }

    private mutating func shows(_ task: Digest256, _ state: MarketTask) {
        let hidden = state.proposals.indices.filter { state.proposals[$0].content == nil }
        guard let number = one(hidden) else { return }
        let proposal = state.proposals[number]
        guard let commitment = state.commitments.first(where: { $0.value == proposal.order })?.key,
            let secret = tasks[task]?.secrets[commitment]
        else { return }
        by(
            proposal.scientist, task,
            .showProposal(number, parent: secret.place, content: secret.content, salt: secret.salt))
    }

    private mutating func joins(_ task: Digest256) {
        if chance(600) {
            if let owner = one(Self.owners) { by(owner, task, .join(.owner)) }
        } else if let provider = one(Self.providers + Self.scientists) {
            by(provider, task, .join(.provider))
        }
    }

    private mutating func opened(_ task: Digest256, _ state: MarketTask) {
        if time >= state.terms.schedule.revealUntil { return ticks(task) }
        if time >= state.terms.schedule.proposalsUntil { return chance(850) ? shows(task, state) : joins(task) }
        switch below(10) {
        case 0...5: if let scientist = one(Self.scientists) { commits(task, .proposal, scientist, place: 0) }
        case 6...8: joins(task)
        default: if chance(200) { by(state.sponsor, task, .cancel) }
        }
    }

    private mutating func trains(_ task: Digest256, _ state: MarketTask) {
        if time >= state.terms.schedule.declareUntil { return ticks(task) }
        switch below(24) {
        case 0: joins(task)
        case 1:
            if let scientist = one(Self.scientists), let parent = one(Array(state.tree.nodes.indices)) {
                commits(task, .proposal, scientist, place: parent)
            }
        case 2: shows(task, state)
        case 3, 4:
            if let parent = one(Array(state.tree.nodes.indices.dropFirst())) {
                by(state.tree.nodes[parent].author, task, .beginRound(parent: parent))
            }
        case 5...14: rounds(task, state)
        case 15, 16:
            if let number = one(Array(state.proposals.indices)), let provider = one(Self.providers) {
                by(
                    state.proposals[number].scientist, task,
                    .authorise(
                        proposal: number, provider: provider, limit: Int64(below(6_000)) + 1,
                        until: min(time + Int64(below(120)) + 1, state.terms.schedule.declareUntil)))
            }
        case 17, 18: delivers(task, state)
        case 19, 20:
            let models = state.tree.nodes.indices.filter { state.tree.nodes[$0].kind == .trained }
            if let node = one(models) { by(state.tree.nodes[node].author, task, .requestEvaluation(node: node)) }
        case 21, 22: scores(task, state)
        default: if time >= state.terms.schedule.trainUntil || !state.candidates.isEmpty { declares(task, state) }
        }
    }

    private mutating func rounds(_ task: Digest256, _ state: MarketTask) {
        guard let number = one(state.rounds.indices.filter { state.rounds[$0].node == nil }) else { return }
        let round = state.rounds[number]
        let scientist = state.proposals[round.proposal].scientist
        if round.closed == nil {
            if chance(250) { return by(scientist, task, .closeRound(number)) }
            if let owner = one(state.owners.keys.sorted()) { commits(task, .update, owner, place: number) }
        } else if let owner = round.updates.keys.sorted().first(where: { round.updates[$0]?.content == nil }),
            chance(900)
        {
            guard let update = round.updates[owner], let secret = tasks[task]?.secrets[update.commitment] else {
                return
            }
            by(owner, task, .showUpdate(round: number, content: secret.content, salt: secret.salt))
        } else {
            let action = TaskAction.finishRound(number, content: fresh("weights"), receipts: fresh("receipts"))
            guard !(tasks[task]?.gone.contains(scientist) ?? true),
                case .done(.node(let node)) = ask(scientist, task, action)
            else { return }
            let truth = score(0.2 + Double(below(700)) / 1_000)
            tasks[task]?.truth[node] = truth
        }
    }

    private mutating func delivers(_ task: Digest256, _ state: MarketTask) {
        guard let job = one(state.jobs.indices.filter { state.jobs[$0].due == nil }) else { return }
        let units = chance(30) ? Int64.max : Int64(below(8_000_000)) * 1_000
        by(state.jobs[job].provider, task, .deliver(job: job, units: units, receipt: fresh("receipt")))
    }

    private mutating func scores(_ task: Digest256, _ state: MarketTask) {
        guard let number = one(state.evaluations.indices.filter { !state.evaluations[$0].isAnswered }) else { return }
        let node = state.evaluations[number].node
        let goal = state.terms.goal
        var ladder = try? Ladder(
            step: goal.step.billionths, best: state.best.billionths, isBetterHigher: goal.direction == .higherIsBetter)
        var feedback = tasks[task]?.truth[node].flatMap { ladder?.feedback(on: $0.billionths) }.flatMap {
            Score(billionths: $0)
        }
        if tasks[task]?.liesInFeedback ?? false, chance(700) { feedback = nil }
        by(state.sponsor, task, .score(evaluation: number, feedback))
    }

    /// What is true of models: their scores, and what the owners of the winner's path contributed.
    private mutating func verdict(_ task: Digest256, _ state: MarketTask, of nodes: [Int], isTrue: Bool) -> Verdict {
        let finals = nodes.map { node in
            Verdict.Final(node: node, score: isTrue ? tasks[task]?.truth[node] ?? score(0.5) : score(0.5))
        }
        let empty = Verdict(finals: finals, contributions: [])
        let goal = state.terms.goal
        let best = finals.filter { state.reachesTarget($0.score) }
            .max { goal.direction.gain(from: $0.score, to: $1.score) > 0 }
        guard let best else { return empty }
        // The first of equal ones.
        guard let winner = finals.first(where: { $0.score == best.score })?.node else { return empty }
        let contributions = state.updates(onPathTo: winner).keys.sorted().map { owner in
            // The same for all referees: of the task and the owner alone.
            let value = Double(hashed("\(task) \(owner)").bytes[0]) / 100 - 0.5
            return Contribution(owner: owner, score: score(value), error: score(0.05))
        }
        return Verdict(finals: finals, contributions: contributions)
    }

    private mutating func declares(_ task: Digest256, _ state: MarketTask) {
        let isTrue = !(tasks[task]?.liesInTheEnd ?? false)
        by(state.sponsor, task, .declare(verdict(task, state, of: state.candidates.sorted(), isTrue: isTrue)))
    }

    private mutating func challenged(_ task: Digest256, _ state: MarketTask) {
        if time >= state.stageEnds {
            if let party = one(Self.everybody) {
                ask(party, task, .settle(seed: Salt(fresh("seed")), binding: [UInt8(below(256))]))
            }
            return
        }
        guard chance(250), let accuser = one(Self.workers + Self.sponsors) else { return }
        let jobs = state.jobs.indices.filter { state.jobs[$0].due != nil }
        if chance(500), let job = one(jobs) {
            by(accuser, task, .dispute(.job(job)))
        } else {
            by(accuser, task, .dispute(.declaration))
        }
    }

    private mutating func disputed(_ task: Digest256, _ state: MarketTask) {
        guard let number = one(state.disputes.indices.filter { state.disputes[$0].outcome == nil }) else { return }
        if time >= state.disputes[number].until { return ticks(task) }
        guard let referee = one(state.terms.court.referees) else { return }
        var ruling = Ruling.rejected
        switch state.disputes[number].subject {
        case .declaration:
            let right = verdict(task, state, of: state.evaluations.map(\.node).sorted(), isTrue: true)
            if right != state.declaration?.verdict, chance(800) { ruling = .upheld(right) }
        case .job(let job): if job % 3 == 0 { ruling = .upheld(nil) }
        }
        by(referee, task, .vote(dispute: number, chance(100) ? .rejected : ruling))
    }

    // MARK: nonsense

    private mutating func number() -> Int {
        switch below(6) {
        case 0: -1
        case 1: Int.max
        case 2: Int.min
        default: below(6)
        }
    }

    /// Anybody asks for anything.
    private mutating func chaos(_ task: Digest256) {
        guard let party = one(Self.everybody), let state = market[task], let provider = one(Self.providers) else {
            return
        }
        if chance(100) {
            let amount = Int64(number())
            ask(party, chance(500) ? .withdraw(amount: amount) : .credit(party, amount: amount))
            return
        }
        let finals = [Verdict.Final(node: number(), score: score(0.9))]
        let verdict = Verdict(
            finals: chance(500) ? finals : [],
            contributions: chance(500) ? [] : [Contribution(owner: party, score: score(1), error: score(-1))])
        let claim = Claim(
            leaf: ClaimLeaf(
                settlement: state.settlement?.id ?? task, index: number(), party: party, role: .owner,
                amount: Int64(number()), salt: Salt(task)), path: [task, task])
        let actions: [TaskAction] = [
            .amend(state.terms), .fund(terms: task), .fund(terms: state.terms.digest), .open, .cancel,
            .commitProposal(fresh("nonsense")),
            .showProposal(number(), parent: number(), content: task, salt: Salt(task)),
            .join(Role.allCases[below(5)]), .beginRound(parent: number()), .commitUpdate(round: number(), fresh("n")),
            .closeRound(number()), .showUpdate(round: number(), content: task, salt: Salt(task)),
            .finishRound(number(), content: task, receipts: task),
            .authorise(
                proposal: number(), provider: provider, limit: Int64(number()), until: time + Int64(below(50)) - 10),
            .authorise(proposal: number(), provider: provider, limit: 10, until: Int64(number())),
            .deliver(job: number(), units: Int64(number()), receipt: task), .requestEvaluation(node: number()),
            .score(evaluation: number(), score(0.77)), .score(evaluation: number(), nil), .declare(verdict),
            .checkpoint(task), .dispute(.job(number())), .dispute(.declaration),
            .vote(dispute: number(), .upheld(chance(500) ? nil : verdict)), .vote(dispute: number(), .rejected),
            .settle(seed: Salt(task), binding: [UInt8](repeating: 1, count: below(300))), .claim(claim), .tick,
        ]
        if let action = one(actions) { ask(party, task, action) }
    }
}
