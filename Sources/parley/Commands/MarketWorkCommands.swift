import ArgumentParser
import Foundation
import Marketplace

struct MarketJoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Take part in a task as an owner of data or a provider of computation.",
        discussion: """
            Your deposit is what one fraud could bring, and less with a good reputation; it comes back at the end.

              parley market join 3fa8 owner --as olga
              parley market join 3fa8 provider --as pia
            """)

    @OptionGroup var place: MarketTaskSeat
    enum Part: String, ExpressibleByArgument, CaseIterable { case owner, provider }
    @Argument(help: "owner or provider.") var part: Part

    func run() async throws {
        let (seat, task) = try await place.take()
        let (role, gains) = (part == .owner ? Role.owner : .provider, task.terms.gains)
        let before = seat.balance
        try await seat.act(on: task, .join(role))
        Terminal.output.line(
            "You take part as \(role.rawValue). Your deposit is \(NumberText.integer(before - seat.balance)) (one fraud's gain is \(NumberText.integer(part == .owner ? gains.owner : gains.provider)))."
        )
    }
}

struct MarketProposeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "propose", abstract: "As a scientist: commit to a proposal, which is shown later.",
        discussion: """
            The market sees a salted digest of the file and of its place: whoever commits to the same later has nothing of it. Show it when the time has come: parley market reveal. The salt lies in your configuration \
            folder; without it the proposal cannot be shown, and your deposit is lost. Those who train by it need the file from you.

              parley market propose 3fa8 proposal.json --as ada
              parley market propose 3fa8 better.json --below 2      # goes on from node 2 of the tree
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The proposal: architecture and training plan.", completion: .file()) var file: String
    @Option(help: ArgumentHelp("The node of the tree below which it stands; 0 is the root.", valueName: "node"))
    var below = 0

    func run() async throws {
        let content = try contentDigest(file)
        let (seat, task) = try await place.take()
        // The commitment is to the place in the tree, too.
        let commitment = try seat.bond(.proposal, task, place: below, content: content)
        if let known = task.proposals.firstIndex(where: { $0.commitment == commitment }) {
            throw Failure("You did: it is proposal \(known).", next: "parley market reveal \(task.id.hex.prefix(8))")
        }
        guard task.tree.nodes.indices.contains(below) else {
            throw Failure(
                "The tree has no node \(below) yet.",
                next: "parley market tree shows its nodes; 0 is the root.")
        }
        let result = try await seat.act(on: task, .commitProposal(commitment))
        let terminal = Terminal.output
        terminal.line("You are bound to \(content.hex).\(MarketSeat.words(result))")
        let schedule = task.terms.schedule
        let first = task.stage == .open
        terminal.line(
            first
                ? "It can be shown from \(Self.date(schedule.proposalsUntil)) to \(Self.date(schedule.revealUntil)):  parley market reveal \(task.id.hex.prefix(8))"
                : "It can be shown in \(NumberText.integer(schedule.revealDelay)) s:  parley market reveal \(task.id.hex.prefix(8))"
        )
    }

    private static func date(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }
}

struct MarketRevealCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reveal", abstract: "Show what you committed to in a task, as far as its time has come.",
        discussion: """
              parley market reveal 3fa8 --as ada
            """)

    @OptionGroup var place: MarketTaskSeat

    func run() async throws {
        let (seat, task) = try await place.take()
        let shown = try seat.toShow(task)
        guard !shown.isEmpty else {
            throw Failure(
                "Nothing of \(seat.party)'s waits to be shown in this task.",
                next: "What you committed to elsewhere is shown there: its salts lie in that configuration folder.")
        }
        var refused: Failure?
        for (words, action) in shown {
            do {
                let result = try await seat.act(on: task, action)
                Terminal.output.line("\(words) is shown.\(MarketSeat.words(result))")
            } catch let failure as Failure {
                Terminal.diagnostics.line("\(words): \(PrintableText.escape(failure.what))")
                refused = failure
            }
        }
        if let refused { throw refused }
    }
}

extension MarketSeat {
    /// What the party committed to and did not show.
    func toShow(_ task: MarketTask) throws -> [(words: String, action: TaskAction)] {
        try wallet.bonds(of: party).filter { $0.task == task.id }.compactMap { bond in
            let commitment = Commitment.of(
                bond.kind, task: task.id, author: party, place: bond.place, content: bond.content, salt: bond.salt)
            switch bond.kind {
            case .proposal:
                guard
                    let number = task.proposals.firstIndex(where: {
                        $0.commitment == commitment && $0.scientist == party
                    }), task.proposals[number].content == nil
                else { return nil }
                return (
                    "Proposal \(number)",
                    .showProposal(number, parent: bond.place, content: bond.content, salt: bond.salt)
                )
            case .update:
                guard task.rounds.indices.contains(bond.place), let update = task.rounds[bond.place].updates[party],
                    update.commitment == commitment, update.content == nil
                else { return nil }
                return (
                    "The update of round \(bond.place)",
                    .showUpdate(round: bond.place, content: bond.content, salt: bond.salt)
                )
            }
        }
    }
}

struct MarketBeginRoundCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "begin-round", abstract: "As a scientist: begin a round of training from a node of yours.",
        discussion: """
              parley market begin-round 3fa8 --from 1 --as ada
            """)

    @OptionGroup var place: MarketTaskSeat
    @Option(help: ArgumentHelp("The proposal's node, or a trained model's.", valueName: "node")) var from: Int

    func run() async throws { try await place.act("The round is begun.") { _ in .beginRound(parent: from) } }
}

struct MarketUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "As an owner: commit to your update of a round.",
        discussion: """
            The file is what left your site, masked or private by itself: its digest is public once you show it. Show it when the scientist has closed the round: parley market reveal.

              parley market update 3fa8 0 update.bin --as olga
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The round's number.") var round: Int
    @Argument(help: "What left your site.", completion: .file()) var file: String

    func run() async throws {
        let content = try contentDigest(file)
        let (seat, task) = try await place.take()
        let commitment = try seat.bond(.update, task, place: round, content: content)
        try await seat.act(on: task, .commitUpdate(round: round, commitment))
        Terminal.output.line("You are bound to \(content.hex).")
    }
}

struct MarketCloseRoundCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close-round", abstract: "As its scientist: end the commitments of a round.",
        discussion: """
              parley market close-round 3fa8 0 --as ada
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The round's number.") var round: Int

    func run() async throws { try await place.act("The round is closed.") { _ in .closeRound(round) } }
}

struct MarketFinishRoundCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "finish-round", abstract: "As its scientist: add the model that a round came to.",
        discussion: """
            The log holds the digests of both files.

              parley market finish-round 3fa8 0 weights.safetensors --receipts receipts.json --as ada
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The round's number.") var round: Int
    @Argument(help: "The model's weights.", completion: .file()) var model: String
    @Option(help: ArgumentHelp("What its training cost, and what it spent.", valueName: "file"), completion: .file())
    var receipts: String

    func run() async throws {
        let (content, receipts) = (try contentDigest(model), try contentDigest(receipts))
        try await place.act("The model is in the tree.") { _ in
            .finishRound(round, content: content, receipts: receipts)
        }
    }
}

struct MarketAuthoriseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authorise", abstract: "As a scientist: let a provider compute for a proposal, up to a limit.",
        discussion: """
            The pot of computation pays for what is delivered in time, at the task's price.

              parley market authorise 3fa8 --proposal 0 --provider pia --limit 4000 --within 2d --as ada
            """)

    @OptionGroup var place: MarketTaskSeat
    @Option(help: "The proposal's number.") var proposal: Int
    @Option(help: "The provider, who has joined.", transform: partyName) var provider: PartyName
    @Option(help: "What it costs at the most, in minor units.") var limit: Int64
    @Option(help: "In which time: 90s, 30m, 12h, 7d.") var within: String

    func validate() throws {
        guard TimeText.seconds(within) != nil else {
            throw ValidationError("--within is a time such as 90s, 30m, 12h or 7d.")
        }
    }

    func run() async throws {
        guard let seconds = TimeText.seconds(within) else { return }
        let (seat, task) = try await place.take()
        let until = max(Int64(Date().timeIntervalSince1970), seat.market.time) + seconds
        let result = try await seat.act(
            on: task, .authorise(proposal: proposal, provider: provider, limit: limit, until: until))
        Terminal.output.line("\(provider) may compute.\(MarketSeat.words(result))")
    }
}

struct MarketDeliverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliver", abstract: "As a provider: deliver a job's work and its receipt.",
        discussion: """
            Units are the multiply-adds of the deterministic kernels; the receipt's digest is what the job is executed again by where somebody doubts it.

              parley market deliver 3fa8 0 --units 250000000 --receipt receipt.bin --as pia
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The job's number.") var job: Int
    @Option(help: "The metered units of work.") var units: Int64
    @Option(help: ArgumentHelp("The receipt.", valueName: "file"), completion: .file()) var receipt: String

    func run() async throws {
        let digest = try contentDigest(receipt)
        try await place.act("The job is delivered.") { _ in .deliver(job: job, units: units, receipt: digest) }
    }
}

struct MarketAskScoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ask-score", abstract: "As a scientist: ask the sponsor to measure a model of yours.",
        discussion: """
            Each proposal has so many evaluations, and the task so many in all.

              parley market ask-score 3fa8 3 --as ada
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The model's node.") var node: Int

    func run() async throws {
        try await place.act("The evaluation is asked for.") { _ in .requestEvaluation(node: node) }
    }
}

struct MarketDisputeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dispute", abstract: "Say that the declaration, or a job, is wrong, with a deposit.",
        discussion: """
            Whoever takes part may, while the challenge lasts. Referees decide; who is wrong pays their fee.

              parley market dispute 3fa8 --as ben               # the sponsor's declaration
              parley market dispute 3fa8 --job 1 --as ben       # a provider's job
            """)

    @OptionGroup var place: MarketTaskSeat
    @Option(help: "The job's number, where it is not the declaration.") var job: Int?

    func run() async throws {
        let (seat, task) = try await place.take()
        let result = try await seat.act(on: task, .dispute(job.map { .job($0) } ?? .declaration))
        Terminal.output.line(
            "It is disputed.\(MarketSeat.words(result)) Your deposit is \(NumberText.integer(task.terms.gains.dispute)), which comes back unless the referees reject the dispute."
        )
    }
}

struct MarketVoteCommand: AsyncParsableCommand {
    enum Word: String, ExpressibleByArgument, CaseIterable { case upheld, rejected }

    static let configuration = CommandConfiguration(
        commandName: "vote", abstract: "As a referee: decide a dispute.",
        discussion: """
            Equal votes of a quorum decide. A wrong declaration is upheld with what is right, as the sponsor would have declared it.

              parley market vote 3fa8 0 rejected --as rae
              parley market vote 3fa8 0 upheld --verdict right.json --as rae
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The dispute's number.") var dispute: Int
    @Argument(help: "upheld: it is wrong; rejected: it is not.") var ruling: Word
    @Option(help: ArgumentHelp("What is right instead of a wrong declaration.", valueName: "file"), completion: .file())
    var verdict: String?

    func validate() throws {
        if verdict != nil, ruling == .rejected { throw ValidationError("--verdict goes with upheld.") }
    }

    func run() async throws {
        let ruling: Ruling = ruling == .rejected ? .rejected : .upheld(try verdict.map(VerdictFile.read))
        try await place.act("You voted.") { _ in .vote(dispute: dispute, ruling) }
    }
}

struct MarketClaimCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claim", abstract: "Take what is yours of a settled task.",
        discussion: """
            What nobody claims in time is paid to its parties all the same.

              parley market claim 3fa8 --as olga
            """)

    @OptionGroup var place: MarketTaskSeat

    func run() async throws {
        let (seat, task) = try await place.take()
        guard let settlement = task.settlement else {
            throw Failure("The task is not settled yet.", next: "parley market watch tells when it is.")
        }
        let own = settlement.claims.filter {
            $0.leaf.party == seat.party && task.isPaid.indices.contains($0.leaf.index) && !task.isPaid[$0.leaf.index]
        }
        for claim in own { try await seat.act(on: task, .claim(claim)) }
        let sum = own.reduce(Int64(0)) { $0 + $1.leaf.amount }
        Terminal.output.line(
            own.isEmpty
                ? "Nothing of this task is yours, or it was paid already."
                : "\(NumberText.integer(sum)) were paid to \(seat.party).")
    }
}
