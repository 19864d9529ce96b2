import DifferentialPrivacy
import Federation
import Foundation
import Learning
import Marketplace
import MarketplaceStore
import Secrets

/// One run of the marketplace's demonstration: all parties are in this process, each with a key of its own; whatever one of them asks of the market is an entry of its log.
final class MarketSession {
    private let folder: String
    private let archive: String
    private var narration = Narration()
    private let desk: MarketDesk
    private var task = Digest256.fresh()
    private var invariants: [(words: String, holds: Bool)] = []

    // Who takes part.
    private static let clerk = name("clerk")
    private static let sponsor = name("sue")
    private static let (ada, ben) = (name("ada"), name("ben"))
    /// Three have images, one has none, one sends again what everybody saw.
    private static let owners = ["olga", "omar", "otto", "finn", "carl"].map(name)
    private static let (free, copier) = (3, 4)
    private static let (pia, pol) = (name("pia"), name("pol"))
    private static let referees = ["rae", "rex", "rob"].map(name)

    private static func name(_ text: String) -> PartyName {
        guard let name = PartyName(text) else { preconditionFailure("\(text) is a name.") }
        return name
    }

    private static func score(_ value: Double) -> Score {
        guard let score = Score(value) else { preconditionFailure("\(value) is a score.") }
        return score
    }

    private static let purse: Int64 = 1_000_000
    private static let day: Int64 = 86_400
    /// A model that says pneumonia of every image.
    private static let (baseline, target, step) = (score(0.74), score(0.86), score(0.005))

    private let isKept: Bool

    /// - Parameter isKept: Whether the folder is there when this has ended.
    init(folder: String, archive: String, isKept: Bool) throws {
        (self.folder, self.archive, self.isKept) = (folder, archive, isKept)
        desk = try MarketDesk(at: folder + "/market", operatorName: Self.clerk)
    }

    // MARK: the story

    func run() async throws {
        let started = ContinuousClock.now
        let examples = try MarketExamples(archive: archive, owners: Self.free)
        narration.say(
            "A sponsor needs a model that tells pneumonia on chest X-rays of children. She has money, and \(NumberText.integer(examples.tested.labels.count)) images to test it on. Others have "
                + "ideas, images and machines. Nobody shows what they have, and everybody is paid for what it brought.")
        try register()
        let judge = try MarketJudge(at: folder + "/sue", examples.tested)
        try fund(judge)
        let proposals = try propose()
        try rehearse(proposals)
        let models = try await train(proposals, examples, judge)
        try await declare(models, judge)
        try await disputeDeclaration(models, judge)
        try disputeJob()
        try settle()
        try verify(judge)
        let terminal = narration.terminal
        narration.heading("What held")
        for (words, holds) in invariants {
            terminal.line(
                (holds ? terminal.styled("held    ", .green) : terminal.styled("BROKEN  ", .bold, .red)) + words)
        }
        guard invariants.allSatisfy(\.holds) else { throw Failure("Not every invariant held.") }
        if isKept {
            terminal.line("\nNext:  parley market show \(PrintableText.escape(folder))/market \(task.hex.prefix(8))")
        }
        let seconds = started.duration(to: .now) / .seconds(1)
        terminal.line("\nEvery step held, in \(NumberText.fixed(seconds, decimals: 0)) s.")
    }

    private func hold(_ words: String, _ holds: Bool) { invariants.append((words, holds)) }

    @discardableResult
    private func does(_ party: PartyName, _ action: TaskAction) throws -> MarketResult {
        try desk.act(party, .task(task, action))
    }

    private var state: MarketTask {
        get throws {
            guard let state = desk.market[task] else { throw Failure("The task is gone.") }
            return state
        }
    }
    private func money(_ amount: Int64) -> String { NumberText.integer(Int(amount)) }

    // MARK: 1. money and terms

    private var everybody: [PartyName] {
        [Self.sponsor, Self.ada, Self.ben] + Self.owners + [Self.pia, Self.pol] + Self.referees
    }

    private func register() throws {
        narration.heading("Who takes part")
        for party in everybody { try desk.register(party, purse: Self.purse) }
        narration.say(
            "sue pays. ada and ben are data scientists. olga, omar and otto have images of children; finn has none, and carl none either, but he knows how to copy. pia and pol have "
                + "machines; pol is lazy. rae, rex and rob are referees. Each has a key and \(money(Self.purse)) credits. The clerk keeps the entries, and can read them as everybody can."
        )
    }

    private func fund(_ judge: MarketJudge) throws {
        narration.heading("A task is funded")
        let rules = """
            Accuracy on validation rows that stay in the sponsor's datasite, by noisy counts, with feedback through the Ladder. Training: private, distributed noise of five owners of
            whom two may collude, unit one image; charged as if all shares but an owner's own were known. Data by in-run Aumann-Shapley value, neutralised against the step before, opened once at
            settlement: post-processing of updates that are private by themselves; what they tell of the sponsor's rows, without noise, she agrees to.
            """
        let start = desk.time
        // She binds herself to her rows: others cannot be shown later.
        let committed = try judge.commit(in: desk, as: Self.sponsor, referees: Self.referees)
        let terms = TaskTerms(
            rules: .sha256(Array(rules.utf8)), pot: .init(data: 60_000, computation: 20_000, expertise: 40_000),
            goal: .init(
                metric: .sha256(Array("accuracy".utf8)), direction: .higherIsBetter, baseline: Self.baseline,
                target: Self.target, step: Self.step, validation: committed, evaluations: 8,
                evaluationsEach: 4, finalists: 2),
            formula: .init(
                ancestorThousandths: 250, significanceThousandths: 3_000, price: 10_000, computationEach: 8_000),
            gains: .init(scientist: 4_000, owner: 3_000, provider: 8_000, dispute: 1_000),
            court: .init(referees: Self.referees, quorum: 2, fee: 600),
            schedule: .init(
                openBy: start + Self.day, proposalsUntil: start + 2 * Self.day, revealUntil: start + 3 * Self.day,
                revealDelay: 3_600, trainUntil: start + 20 * Self.day, declareUntil: start + 25 * Self.day,
                checkpointPatience: Self.day, challengeWindow: 3 * Self.day, rulingWindow: 2 * Self.day,
                claimWindow: 7 * Self.day))
        guard case .task(let id) = try desk.act(Self.sponsor, .draft(terms)) else { return }
        task = id
        try does(Self.sponsor, .fund(terms: terms.digest))
        try does(Self.sponsor, .open)
        narration.say(
            "sue puts \(money(terms.pot.data)) into a pot for data, \(money(terms.pot.computation)) for computation and \(money(terms.pot.expertise)) for ideas, and a deposit of "
                + "\(money(try state.sponsorDeposit)). Who reaches an accuracy of \(Self.target) wins; saying pneumonia of everything has \(Self.baseline). Terms, metric and payout formula are frozen. So is "
                + "a commitment to the images that final scores are measured on: in a dispute she can show no others. It is task \(task.hex.prefix(16))."
        )
    }

    // MARK: 2. proposals

    private struct Entrant {
        let scientist: PartyName
        let proposal: MarketProposal
        let number: Int
        var node = 0
    }

    private func propose() throws -> [Entrant] {
        narration.heading("Proposals are committed to, and then shown")
        var entrants: [Entrant] = []
        var salts: [Salt] = []
        for (scientist, proposal) in [(Self.ben, try MarketProposal.pixels()), (Self.ada, try .scattering())] {
            let salt = Salt.fresh()
            let commitment = Commitment.of(
                .proposal, task: task, author: scientist, place: 0, content: proposal.content, salt: salt)
            guard case .proposal(let number) = try does(scientist, .commitProposal(commitment)) else { continue }
            entrants.append(Entrant(scientist: scientist, proposal: proposal, number: number))
            salts.append(salt)
        }
        for owner in Self.owners { try does(owner, .join(.owner)) }
        for provider in [Self.pia, Self.pol] { try does(provider, .join(.provider)) }
        let schedule = try state.terms.schedule
        try desk.wait(until: schedule.proposalsUntil)
        for place in entrants.indices {
            let entrant = entrants[place]
            guard
                case .node(let node) = try does(
                    entrant.scientist,
                    .showProposal(entrant.number, parent: 0, content: entrant.proposal.content, salt: salts[place]))
            else { continue }
            entrants[place].node = node
            narration.say("\(entrant.scientist): \(entrant.proposal.description)")
        }
        try desk.wait(until: schedule.revealUntil)
        try does(Self.ada, .tick)
        return entrants
    }

    // MARK: 3. computation

    /// What is disputed later: the provider's job, and what both came to.
    private var lie: (job: Int, rehearsal: MarketRehearsal, told: MarketRehearsal.Executed)?

    private func rehearse(_ entrants: [Entrant]) throws {
        narration.heading("Providers compute what is public")
        for (entrant, provider, honest) in [(entrants[1], Self.pia, Int?.none), (entrants[0], Self.pol, 20)] {
            let rehearsal = try MarketRehearsal(entrant.proposal, steps: 100)
            let schedule = try state.terms.schedule
            guard
                case .job(let job) = try does(
                    entrant.scientist,
                    .authorise(
                        proposal: entrant.number, provider: provider, limit: 4_000, until: schedule.trainUntil))
            else { continue }
            let told = try rehearsal.executed(honest: honest)
            let receipt = WorkTrace.receipt(work: rehearsal.work, steps: rehearsal.steps, root: told.trace.root)
            try does(provider, .deliver(job: job, units: rehearsal.units, receipt: receipt))
            let drawn = WorkTrace.audit(3, of: rehearsal.steps, receipt: receipt, checkpoint: try desk.checkpoint())
            let wrong = try drawn.filter { try !rehearsal.holds($0, of: told) }
            narration.say(
                "\(provider) rehearses \(entrant.scientist)'s training on made-up pictures: \(rehearsal.steps) steps, \(NumberText.integer(Int(rehearsal.units))) multiply-adds, "
                    + "\(money(try state.jobs[job].due ?? 0)) credits. \(entrant.scientist) executes the steps \(drawn.map(String.init).joined(separator: ", ")) again, drawn by the log's checkpoint: "
                    + (wrong.isEmpty
                        ? "all are right." : "\(wrong.map(String.init).joined(separator: ", ")) are not what was told.")
            )
            hold(
                "\(provider)'s work is found \(honest == nil ? "right" : "wrong") by the audit",
                wrong.isEmpty == (honest == nil))
            if honest != nil { lie = (job, rehearsal, told) }
        }
    }

    // MARK: 4. training

    private struct Trained {
        let entrant: Entrant
        let node: Int
        let weights: [Float]
        var valuation: MarketTraining.Valuation
    }

    private var charged: [PrivacyEvent] = []

    private func train(
        _ entrants: [Entrant], _ examples: MarketExamples, _ judge: MarketJudge
    ) async throws -> [Trained] {
        narration.heading("Owners train, together and privately")
        narration.say(
            "Each step adds up what five owners give, behind masks that hide each one's, with noise of which each adds a share: what two of them know does not count. olga, omar and otto have "
                + "\(examples.owned.map { NumberText.integer($0.labels.count) }.joined(separator: ", ")) images. On the way sue's gradient and each owner's update are multiplied on shares, so that neither is seen."
        )
        var models: [Trained] = []
        let (ben, ada) = (entrants[0], entrants[1])
        for (entrant, after, steps) in [(ben, nil, 6), (ada, nil, 10), (ada, Optional(1), 16)] {
            let model = try round(
                entrant, examples, steps: steps, parent: after.map { models[$0].node } ?? entrant.node,
                from: after.map { models[$0].weights })
            models.append(model)
            guard case .evaluation(let number) = try does(entrant.scientist, .requestEvaluation(node: model.node))
            else {
                continue
            }
            // The market's own best may be the baseline, which the datasite does not know.
            let told = try await judge.feedback(model.weights, of: entrant.proposal).map(Self.score)
            let best = try state.best
            let feedback = told.flatMap { $0.billionths - best.billionths >= Self.step.billionths ? $0 : nil }
            try does(Self.sponsor, .score(evaluation: number, feedback))
            narration.say(
                "\(entrant.scientist)'s model \(model.node), measured in sue's datasite: "
                    + (feedback.map { "the best so far, \($0)." } ?? "no better than the best so far."))
        }
        var accountant = try RenyiAccountant()
        for event in charged { try accountant.compose(event) }
        let epsilon = try accountant.epsilon(delta: MarketTraining.delta).upper
        narration.say(
            "Each child's image at one owner is protected by epsilon \(NumberText.significant(epsilon)) at delta \(NumberText.significant(MarketTraining.delta)), over all steps of all models. That is "
                + "charged as if all noise but the owner's own share were known, so that what she contributed can be opened at no further cost."
        )
        hold("what the owners are charged is below epsilon 8", epsilon < 8)
        return models
    }

    private func round(
        _ entrant: Entrant, _ examples: MarketExamples, steps: Int, parent: Int, from weights: [Float]?
    ) throws -> Trained {
        let proposal = entrant.proposal
        let behind = try examples.owned.map {
            try proposal.model.withoutFrozenLayers($0.examples(), proposal.frozen, threads: 2)
        }
        let validation = try proposal.model.withoutFrozenLayers(examples.tested.examples(), proposal.frozen, threads: 2)
        let base = validation.parameters
        let training = try MarketTraining(
            proposal, model: validation.model, base: base, owners: Self.owners.count, colluders: 2,
            numbers: .init(
                steps: steps, noiseMultiplier: 7, capacity: 4_500, gradientNorm: 0.3,
                folds: 8)
        )
        let conducts: [MarketTraining.Conduct] = behind.map { .trains($0.examples) } + [.ridesFree, .copies]
        guard case .round(let number) = try does(entrant.scientist, .beginRound(parent: parent)) else {
            throw Failure("No round was begun.")
        }
        let progress = Progress("\(entrant.scientist)'s \(proposal.title), round \(number)")
        let outcome = try training.run(
            from: weights ?? validation.model.trained(base), conducts, names: Self.owners, session: task,
            validation: validation.examples
        ) { progress.update(Double($0) / Double(steps), doing: "step \($0) of \(steps)") }
        progress.finish()
        var salts: [Salt] = []
        for (place, owner) in Self.owners.enumerated() {
            let salt = Salt.fresh()
            let commitment = Commitment.of(
                .update, task: task, author: owner, place: number, content: outcome.sent[place].content, salt: salt)
            try does(owner, .commitUpdate(round: number, commitment))
            if place == 0, number == 0 {
                let refusal = try desk.refused(
                    Self.owners[Self.copier], .task(task, .commitUpdate(round: number, commitment)))
                narration.say("carl commits to olga's very commitment: refused, \(refusal).")
            }
            salts.append(salt)
        }
        try does(entrant.scientist, .closeRound(number))
        for (place, owner) in Self.owners.enumerated() {
            try does(owner, .showUpdate(round: number, content: outcome.sent[place].content, salt: salts[place]))
        }
        charged.append(try training.charge())
        guard
            case .node(let node) = try does(
                entrant.scientist,
                .finishRound(
                    number, content: MarketRehearsal.digest(outcome.weights),
                    receipts: .sha256(Array("\(charged.suffix(1))".utf8))))
        else { throw Failure("No model was made.") }
        return Trained(
            entrant: entrant, node: node, weights: outcome.weights, valuation: outcome.valuation)
    }

    // MARK: 5. the winner

    /// The standard error that noise gives a model's final score.
    private var noise: [Int: Double] = [:]

    private func declare(_ models: [Trained], _ judge: MarketJudge) async throws {
        narration.heading("The winner, and who contributed what")
        var finals: [Verdict.Final] = []
        for node in try state.candidates.sorted() {
            guard let model = models.first(where: { $0.node == node }) else { continue }
            let measured = try await judge.final(model.weights, of: model.entrant.proposal)
            finals.append(.init(node: node, score: Self.score(measured.share)))
            noise[node] = measured.noise
            narration.say(
                "Model \(node) on the half that no feedback was ever given on: \(NumberText.fixed(measured.share, decimals: 3)), standard error "
                    + "\(NumberText.fixed(measured.error, decimals: 3)).")
        }
        guard let best = finals.max(by: { ($0.score, -$0.node) < ($1.score, -$1.node) }), best.score >= Self.target
        else {
            throw Failure("No model reached the target.")
        }
        let report = try contributions(to: best.node, models)
        var table = TextTable([
            .init(title: "owner"), .init(title: "contribution", alignsRight: true),
            .init(title: "standard error", alignsRight: true),
        ])
        for one in report.contributions {
            table.append([
                "\(one.owner)", NumberText.fixed(one.score.value, decimals: 4),
                NumberText.fixed(one.error.value, decimals: 4),
            ])
        }
        narration.terminal.write(table.render(on: narration.terminal))
        narration.say(
            "Contributions were opened for the winner's path alone. They tell of sue's images too, without noise: she agreed to that when she funded the task."
        )
        for line in try state.tree.lines(winner: best.node) { narration.terminal.line(line) }
        try SavedFile.write(Array(try state.tree.svg(winner: best.node).utf8), to: folder + "/tree.svg")
        try does(Self.sponsor, .declare(Verdict(finals: finals, contributions: report.contributions)))
        let declared = try state
        hold("a model of ada's wins", declared.declaration?.winner.map { declared.tree.nodes[$0].author } == Self.ada)
    }

    /// Opens the totals of the winner's path, and of no other model.
    private func contributions(to winner: Int, _ models: [Trained]) throws -> ContributionReport {
        let path = try state.tree.path(to: winner)
        var totals: [PartyName: [Double]] = [:]
        var (steps, tolerance) = ([Double](), 0.0)
        func add(_ parts: [Double], to sum: [Double]?) -> [Double] { sum.map { zip($0, parts).map(+) } ?? parts }
        for var model in models where path.contains(model.node) {
            for (owner, parts) in zip(Self.owners, try model.valuation.opened()) {
                totals[owner] = add(parts, to: totals[owner])
            }
            steps = add(model.valuation.steps, to: steps.isEmpty ? nil : steps)
            let terms = model.valuation.terms
            tolerance += Double(terms.rounds * Self.owners.count) * terms.roundingError
        }
        return try ContributionReport(totals: totals, steps: steps, tolerance: tolerance)
    }

    // MARK: 6. challenge

    /// Somebody doubts the declaration. The sponsor was honest.
    private func disputeDeclaration(_ models: [Trained], _ judge: MarketJudge) async throws {
        narration.heading("The challenge")
        try desk.draw(for: task)
        guard case .dispute(let number) = try does(Self.owners[Self.free], .dispute(.declaration)),
            let winner = try state.declaration?.winner, let model = models.first(where: { $0.node == winner }),
            let declared = try state.declaration?.verdict?.finals.first(where: { $0.node == winner })?.score.value
        else { throw Failure("The declaration was not disputed.") }
        let court = try MarketReferee(
            try desk.audited().drawProof(of: try state), of: try state, model: model.weights, model.entrant.proposal)
        try court.keepModel(in: folder + "/model")
        var shown: Set<[OpenedRow]> = []
        for referee in Self.referees.prefix(2) {
            let found = try await court.find(referee, judge)
            // Noise has moved what was declared.
            let tolerance = 3 * (noise[winner] ?? 0)
            let (honest, lie) = (
                try found.test(declared, tolerance: tolerance),
                try found.test(max(0, declared - 0.15), tolerance: tolerance)
            )
            if shown.isEmpty {
                narration.say(
                    "finn does not believe the score. The log's checkpoint behind the declaration draws \(found.opened.count) of the \(NumberText.integer(Int64(found.all))) images that final scores are of. \(referee) "
                        + "asks sue's datasite for them, with a proof of the draw, and sue approves. Their salts and paths lead to what was frozen at funding. The model is right on \(found.right) of "
                        + "\(found.rows): \(NumberText.fixed(honest.share, decimals: 3)), standard error \(NumberText.fixed(honest.standardError, decimals: 3)). Declared were "
                        + "\(NumberText.fixed(declared, decimals: 3)), with noise: plausible. Had sue declared \(NumberText.fixed(lie.declared, decimals: 3)), so as to pay nobody, it would have been found out."
                )
            }
            shown.insert(found.opened)
            hold(
                "rows that are opened to \(referee) bear out an honest sponsor, and would not bear out a liar",
                honest.isPlausible && !lie.isPlausible)
            try does(referee, .vote(dispute: number, honest.isPlausible ? .rejected : .upheld(nil)))
        }
        narration.say(
            "The other referee is shown the same images. Two of three votes reject the dispute, and its deposit is lost."
        )
        hold("every referee is shown the same rows, of those that were frozen", shown.count == 1)
        hold("an honest declaration stands", try state.disputes[number].outcome == .refuted)
    }

    private func disputeJob() throws {
        guard let lie else { return }
        guard case .dispute(let number) = try does(Self.ben, .dispute(.job(lie.job))) else { return }
        let (rehearsal, told) = (lie.rehearsal, lie.told)
        let own = try rehearsal.executed()
        var dispute = WorkDispute(
            steps: rehearsal.steps, begin: MarketRehearsal.digest(rehearsal.begin), provider: told.trace.root,
            accuser: own.trace.root)
        var executed: Int?
        while true {
            switch dispute.turn {
            case .ask(let place):
                dispute.take(provider: told.trace.opened(at: place), accuser: own.trace.opened(at: place))
            case .execute(let step, let state):
                let before = own.states[step]
                guard MarketRehearsal.digest(before) == state else { throw Failure("The agreed state was not shown.") }
                executed = step
                dispute.executed(MarketRehearsal.digest(try rehearsal.step(before)))
            case .over(let isRefuted):
                let ruling: Ruling = isRefuted ? .upheld(nil) : .rejected
                for referee in Self.referees.prefix(2) { try does(referee, .vote(dispute: number, ruling)) }
                narration.say(
                    "ben has executed all of pol's job, and disputes it. The referees ask both for \(dispute.questions) of \(rehearsal.steps + 1) states, find that they differ first behind step "
                        + "\(executed.map(String.init) ?? "none"), and execute that one step: \(isRefuted ? "pol lied" : "pol was right"). Two of three votes decide."
                )
                hold("the referees find the first wrong step", isRefuted && executed == 20)
                return
            }
        }
    }

    // MARK: 7. money

    private func settle() throws {
        narration.heading("Settlement")
        try desk.wait(until: try state.stageEnds)
        try desk.operate(.task(task, .settle(seed: .fresh(), binding: Array("internal credits".utf8))))
        let task = try state
        guard let settlement = task.settlement else { throw Failure("Nothing was settled.") }
        for claim in settlement.claims {
            try does(claim.leaf.party, .claim(claim))
        }
        if let first = settlement.claims.first {
            let refusal = try desk.refused(first.leaf.party, .task(self.task, .claim(first)))
            narration.say("\(first.leaf.party) claims a second time: refused, \(refusal).")
        }
        var table = TextTable([
            .init(title: "party"), .init(title: "as"), .init(title: "credits", alignsRight: true),
            .init(title: "standard error", alignsRight: true),
        ])
        for payout in settlement.payouts {
            table.append([
                "\(payout.party)", payout.role == .sponsor ? "sponsor, returned" : payout.role.rawValue,
                money(payout.amount),
                payout.standardError.map { money($0) } ?? "",
            ])
        }
        narration.terminal.write(table.render(on: narration.terminal))
        narration.say("pol's deposit paid the referees' fee; the rest of it is nobody's who took part.")

        let paid = settlement.payouts.reduce(0) { $0 + $1.amount }
        hold("payouts and what returns are the whole pot", paid == task.terms.pot.total)
        func earned(_ party: PartyName, _ role: Role) -> Int64 {
            settlement.payouts.filter { $0.party == party && $0.role == role }.reduce(0) { $0 + $1.amount }
        }
        let honest = Self.owners.prefix(Self.free).map { earned($0, .owner) }
        hold("each owner with images is paid", honest.allSatisfy { $0 > 0 })
        hold(
            "who has no images, and who copies, is paid at most 2 % of an honest share",
            Self.owners.dropFirst(Self.free).allSatisfy {
                50 * earned($0, .owner) <= honest.reduce(0, +) / Int64(honest.count)
            })
        hold(
            "who lied about a job is not paid for it",
            earned(Self.pol, .provider) == 0 && earned(Self.pia, .provider) > 0)
        hold("the winner's scientist is paid", earned(Self.ada, .scientist) > 0)

        narration.heading("Reputation")
        var reputations = TextTable([
            .init(title: "party"), .init(title: "as"), .init(title: "expectation", alignsRight: true),
            .init(title: "evidence"),
        ])
        for party in everybody {
            for role in Role.allCases {
                let reputation = desk.market.reputations[party, role]
                guard let latest = reputation.latest.last else { continue }
                reputations.append([
                    "\(party)", role.rawValue, NumberText.fixed(Double(reputation.expectation) / 1e6, decimals: 2),
                    latest.conduct.rawValue,
                ])
            }
        }
        narration.terminal.write(reputations.render(on: narration.terminal))
    }

    // MARK: 8. the log

    private func verify(_ judge: MarketJudge) throws {
        narration.heading("The log")
        narration.command("parley market verify \(folder)/market --key \(desk.operatorKey)")
        let audit = try desk.audited()
        narration.say(
            "\(NumberText.integer(audit.count)) entries, each signed by whoever asked, in one tree whose root the clerk signed. Applied again they come to the same state."
        )
        hold(
            "every entry is signed, in the log, and leads to the same state",
            audit.market.fingerprint == desk.market.fingerprint)
        let credits = everybody.reduce(Int64(0)) { $0 + (audit.market.book[Market.account(of: $1)]?.balance ?? 0) }
        let forfeits = audit.market.book[Market.forfeits]?.balance ?? 0
        hold(
            "no credit was made or lost: \(money(credits)) are with parties, \(money(forfeits)) are forfeited",
            credits + forfeits == Int64(everybody.count) * Self.purse)

        // A copy in which one bit is another.
        let copy = folder + "/forged"
        try FileManager.default.copyItem(atPath: folder + "/market", toPath: copy)
        var bytes = [UInt8](FileManager.default.contents(atPath: copy + "/entries") ?? Data())
        bytes[bytes.count / 2] ^= 1
        try SavedFile.write(bytes, to: copy + "/entries")
        var refusal = ""
        do { _ = try MarketAudit(of: copy, key: desk.operatorKey) } catch { refusal = "\(error)" }
        try FileManager.default.removeItem(atPath: copy)
        narration.say("A copy in which one bit was changed: \(refusal).")
        hold("a changed entry is found", !refusal.isEmpty)

        let site = try judge.settle()
        narration.say("sue's datasite was charged for its own rows: \(site.charges.joined(separator: ", ")).")
        hold("sue's datasite is sound", site.isSound)
    }
}
