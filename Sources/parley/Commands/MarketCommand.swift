import ArgumentParser
import Foundation
import Marketplace
import MarketplaceStore
import TransparencyLog

struct MarketCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "market",
        abstract: "Take part in a marketplace for models, and verify one: tasks, payouts, reputations, disputes.",
        discussion: """
            A market is a log that anybody may copy: every entry is signed by the party in whose name it asks, and the operator signs the whole. Whoever takes part keeps a copy, and \
            believes nothing that is not verified in it.

              parley market enter https://market.example.org --as olga     # makes your key
              parley market join 3fa8 owner                                 # take part in a task
              parley market watch                                           # what happens
              parley market show https://market.example.org                 # tasks and accounts, from your copy
              parley market verify ./market --key KEY                       # a folder, or a copy of one
            """,
        groupedSubcommands: [
            CommandGroup(
                name: "Reading and verifying",
                subcommands: [
                    MarketVerifyCommand.self, MarketShowCommand.self, MarketTreeCommand.self, MarketPayoutsCommand.self,
                    MarketReputationCommand.self, MarketReceiptCommand.self, MarketCheckReceiptCommand.self,
                    MarketCopyCommand.self,
                ]),
            CommandGroup(
                name: "Taking part",
                subcommands: [
                    MarketEnterCommand.self, MarketWatchCommand.self, MarketRotateKeyCommand.self,
                    MarketWithdrawCommand.self, MarketDisputeCommand.self, MarketVoteCommand.self,
                    MarketClaimCommand.self, MarketRowsCommand.self,
                ]),
            CommandGroup(
                name: "Sponsors",
                subcommands: [
                    MarketTermsCommand.self, MarketDraftCommand.self, MarketFundCommand.self, MarketOpenCommand.self,
                    MarketCancelCommand.self, MarketScoreCommand.self, MarketDeclareCommand.self,
                ]),
            CommandGroup(
                name: "Scientists, owners and providers",
                subcommands: [
                    MarketJoinCommand.self, MarketProposeCommand.self, MarketRevealCommand.self,
                    MarketBeginRoundCommand.self, MarketUpdateCommand.self, MarketCloseRoundCommand.self,
                    MarketFinishRoundCommand.self, MarketAskScoreCommand.self, MarketAuthoriseCommand.self,
                    MarketDeliverCommand.self,
                ]),
            CommandGroup(
                name: "Operators",
                subcommands: [
                    MarketCreateCommand.self, MarketServeCommand.self, MarketAdmitCommand.self,
                    MarketCreditCommand.self,
                ]),
        ])
}

/// A market that is read.
struct MarketPlace: ParsableArguments {
    @Argument(
        help: "A market's folder, a copy of it, or the URL of one that you entered, whose copy is brought up to date.",
        completion: .directory)
    var folder: String
    @Option(
        help:
            "The operator's public key (64 hexadecimal digits), from elsewhere: who else made the folder is found out.")
    var key: String?

    func validate() throws {
        guard key.map({ PartyKey(hex: $0) != nil }) ?? true else {
            throw ValidationError("--key is 64 hexadecimal digits, as parley market verify shows them.")
        }
    }

    /// Writes a new file, which is not one of the market's own.
    func write(_ bytes: [UInt8], to output: String) throws {
        func whole(_ path: String) -> String { URL(filePath: path).standardizedFileURL.resolvingSymlinksInPath().path }
        guard !whole(output).hasPrefix(whole(folder) + "/") else {
            throw Failure(
                PrintableText.escape("\(output) lies in the market's folder, which holds what was signed alone."),
                next: "Name a file elsewhere.")
        }
        try SavedFile.check(output)
        try SavedFile.write(bytes, to: output)
    }

    /// The market, with everything verified: signatures now, or where it is a copy that was brought up to date, when they came.
    func read(verifyingAgain: Bool = false) async throws -> MarketAudit {
        var (folder, key, verified) = (folder, key.flatMap { PartyKey(hex: $0) }, LogPosition?.none)
        if folder.contains("://") {
            let wallet = try MarketWallet.entered(folder)
            let place = try wallet.place()
            let link = try MarketLink(place.url, certificateAuthority: place.certificateAuthority)
            try await wallet.bring(try MarketSeat.copy(of: wallet), from: link)
            (folder, key) = (wallet.copy, key ?? place.operatorKey)
            if !verifyingAgain { verified = wallet.verified() }
        }
        do throws(MarketFolderError) {
            return try MarketAudit(of: folder, key: key, verified: verified)
        } catch {
            guard error.isContradiction else {
                throw Failure(
                    PrintableText.escape("\(error)"), next: "Name the folder of a market, or a whole copy of it.")
            }
            throw Failure(
                PrintableText.escape("This is not what was signed: \(error)"),
                next: "Keep this copy: with another one under the same key it shows who changed what.",
                status: ExitStatus.contradicted)
        }
    }
}

/// A task of a market that is read.
struct MarketTaskChoice: ParsableArguments {
    @OptionGroup var place: MarketPlace
    @Argument(help: "The task: its name, or how it begins, four digits at least.") var task: String

    func read() async throws -> (audit: MarketAudit, task: MarketTask) {
        let audit = try await place.read()
        return (audit, try audit.market.task(beginning: task, listedIn: place.folder))
    }
}

struct MarketVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check every signature of a market, its tree, its state and its money.",
        discussion: """
            Exit status 4: something was changed, cut or added, or is not what the operator signed.

              parley market verify ./market
              parley market verify ./market --key 5f0c1d…
              parley market verify ./copy --policy policy   # and witnesses cosigned it
              parley market verify ./market --log-key       # for witnesses: parley log witness --log KEY
            """)

    @OptionGroup var place: MarketPlace
    @Option(
        help: ArgumentHelp("A quorum of this policy must have cosigned it (c2sp.org/tlog-policy).", valueName: "file"),
        completion: .file())
    var policy: String?
    @Flag(help: "Print the log's key alone, by which witnesses know it.") var logKey = false

    func run() async throws {
        let audit = try await place.read(verifyingAgain: true)
        let (market, terminal) = (audit.market, Terminal.output)
        if logKey {
            return terminal.line(try audit.description.log.keys.map { "\($0)" }.joined(separator: "\n"))
        }
        if let policy {
            let trust = LogTrust(key: nil, policy: policy)
            do {
                _ = try trust.read().verify(
                    SignedCheckpoint(parsing: audit.checkpoint), of: audit.description.log, latestTime: LogClock.latest)
            } catch let error as PolicyError { throw trust.failure(error) }
            terminal.line("Cosigned by the policy's quorum.")
        }
        terminal.line("Market \(audit.description.market), operated by \(audit.description.operatorName)")
        terminal.line("Operator's key \(audit.description.operatorKey)")
        terminal.paragraph(
            "\(Self.entries(audit.count)), each signed by the party in whose name it asks, lead to the root that the operator signed, and come to the state that it signed:"
        )
        terminal.line("  \(market.fingerprint)")
        let done = audit.entries.count { if case .done = $0.answer { true } else { false } }
        terminal.line(
            "\(NumberText.integer(done)) were done and \(NumberText.integer(audit.count - done)) refused; parties: \(NumberText.integer(market.keys.count)); tasks: \(NumberText.integer(market.allTasks.count))"
        )
        var sum = MarketMoney.Flow()
        for task in market.allTasks { sum.add(audit.money.flow(of: task, in: market.book)) }
        terminal.line(
            "Pots: funded \(MarketMoney.text(sum.funded)) = held \(MarketMoney.text(sum.held)) + paid \(MarketMoney.text(sum.paid)) + refunded \(MarketMoney.text(sum.refunded))"
        )
        terminal.line(
            "Deposits: \(MarketMoney.text(sum.deposited)) = held \(MarketMoney.text(sum.heldDeposits)) + returned \(MarketMoney.text(sum.returned)) + forfeited \(MarketMoney.text(sum.forfeited))"
        )
        if !audit.missingDraws.isEmpty {
            terminal.paragraph(
                "The checkpoint that draws rows in a dispute is not here, of \(NumberText.integer(audit.missingDraws.count)) of the tasks: ask the operator for it."
            )
        }
        if audit.unsealed > 0 {
            terminal.paragraph(
                "\(Self.entries(audit.unsealed)) behind these are signed by their parties, and no checkpoint is over them yet: they were being added, or a crash came between."
            )
        }
        if place.key == nil, !place.folder.contains("://") {
            terminal.paragraph(
                "The operator's key is the one that the folder tells. Compare it with the one that you have from elsewhere, or name that with --key."
            )
        }
    }

    private static func entries(_ count: Int) -> String {
        "\(NumberText.integer(count)) \(count == 1 ? "entry" : "entries")"
    }
}

extension MarketMoney {
    /// With thousands apart; what is beyond any money is the largest number.
    fileprivate static func text(_ amount: Int128) -> String { NumberText.integer(Int64(clamping: amount)) }
}

struct MarketShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a market's tasks and accounts, or one task.",
        discussion: """
              parley market show ./market
              parley market show ./market 3fa8
            """)

    @OptionGroup var place: MarketPlace
    @Argument(help: "A task: its name, or how it begins, four digits at least.") var task: String?

    func run() async throws {
        guard let task else { return show(try await place.read()) }
        var choice = MarketTaskChoice()
        (choice.place, choice.task) = (place, task)
        let (audit, found) = try await choice.read()
        show(found, audit)
    }

    private func show(_ audit: MarketAudit) {
        let (market, terminal) = (audit.market, Terminal.output)
        if market.allTasks.isEmpty {
            terminal.line("No task was drafted yet.")
        } else {
            var table = TextTable([
                .init(title: "TASK"), .init(title: "STAGE"), .init(title: "SPONSOR"),
                .init(title: "POT", alignsRight: true),
                .init(title: "HELD", alignsRight: true), .init(title: "PROPOSALS", alignsRight: true),
                .init(title: "OWNERS", alignsRight: true), .init(title: "BEST", alignsRight: true),
            ])
            for task in market.allTasks {
                let flow = audit.money.flow(of: task, in: market.book)
                table.append([
                    String(task.id.hex.prefix(16)), task.stage.rawValue, task.sponsor.text,
                    NumberText.integer(task.terms.pot.total), MarketMoney.text(flow.held),
                    NumberText.integer(task.proposals.count), NumberText.integer(task.owners.count),
                    "\(task.best)",
                ])
            }
            terminal.write(table.render(on: terminal))
        }
        terminal.line()
        var accounts = TextTable([
            .init(title: "PARTY"), .init(title: "CREDITS", alignsRight: true), .init(title: "KEY"),
        ])
        for (party, key) in market.keys.sorted(by: { $0.key < $1.key }) {
            let balance = market.book[Market.account(of: party)]?.balance ?? 0
            accounts.append([party.text, NumberText.integer(balance), String(key.value.hex.prefix(16))])
        }
        let forfeits = market.book[Market.forfeits]?.balance ?? 0
        accounts.append(["(forfeited)", NumberText.integer(forfeits), ""])
        terminal.write(accounts.render(on: terminal))
    }

    private func show(_ task: MarketTask, _ audit: MarketAudit) {
        let terminal = Terminal.output
        let (terms, flow) = (task.terms, audit.money.flow(of: task, in: audit.market.book))
        func list(_ names: some Sequence<PartyName>) -> String {
            let text = Set(names).sorted().map(\.text).joined(separator: ", ")
            return text.isEmpty ? "nobody" : text
        }
        var lines: [(String, String)] = [
            ("Task", task.id.hex),
            ("Stage", task.stage.rawValue + (task.ending.map { ", ended as \($0.rawValue)" } ?? "")),
            (
                "Pot",
                "\(NumberText.integer(terms.pot.data)) for data, \(NumberText.integer(terms.pot.computation)) for computation, \(NumberText.integer(terms.pot.expertise)) for expertise"
            ),
            (
                "Money",
                "funded \(MarketMoney.text(flow.funded)) = held \(MarketMoney.text(flow.held)) + paid \(MarketMoney.text(flow.paid)) + refunded \(MarketMoney.text(flow.refunded))"
            ),
            (
                "Deposits",
                "\(MarketMoney.text(flow.deposited)) = held \(MarketMoney.text(flow.heldDeposits)) + returned \(MarketMoney.text(flow.returned)) + forfeited \(MarketMoney.text(flow.forfeited))"
            ),
            (
                "Target",
                "\(terms.goal.target) from \(terms.goal.baseline), in steps of \(terms.goal.step); best so far \(task.best)"
            ),
            ("Validation rows", terms.goal.validation.hex),
            (
                "Metric, rules",
                "\(terms.goal.metric.hex.prefix(16))…, \(terms.rules.hex.prefix(16))… (digests of their words)"
            ),
            (
                "A newcomer deposits",
                "\(NumberText.integer(terms.gains.scientist)) for a proposal, \(NumberText.integer(terms.gains.owner)) as an owner, \(NumberText.integer(terms.gains.provider)) as a provider, \(NumberText.integer(terms.gains.dispute)) for a dispute (referees' fee \(NumberText.integer(terms.court.fee)))"
            ),
            (
                "Computation costs",
                "\(NumberText.integer(terms.formula.price)) for 10⁹ units, \(NumberText.integer(terms.formula.computationEach)) a proposal at most"
            ),
            ("Sponsor", task.sponsor.text),
            ("Scientists", list(task.proposals.map(\.scientist))),
            ("Owners", list(task.owners.keys)),
            ("Providers", list(task.providers.keys)),
            ("Referees", list(terms.court.referees) + "; \(terms.court.quorum) decide"),
            (
                "Evaluations",
                "\(NumberText.integer(task.evaluations.count)) of \(NumberText.integer(terms.goal.evaluations)), \(NumberText.integer(task.improvements.count)) of them improvements"
            ),
        ]
        lines += Self.schedule(task, now: max(audit.market.time, Int64(Date().timeIntervalSince1970)))
        if task.stage == .training, !task.candidates.isEmpty {
            let candidates = task.candidates.sorted()
            let owners = Set(candidates.flatMap { task.updates(onPathTo: $0).keys }).sorted()
            lines.append(("Candidates", candidates.map { "node \($0)" }.joined(separator: ", ")))
            lines.append(("Owners of these", list(owners)))
        }
        if let winner = task.declaration?.winner {
            lines.append(("Winner", "node \(winner) (parley market tree)"))
        }
        for (number, dispute) in task.disputes.enumerated() {
            let subject = if case .job(let job) = dispute.subject { "job \(job)" } else { "the declaration" }
            lines.append(
                (
                    "Dispute \(number)",
                    "\(dispute.accuser) about \(subject): \(Self.words(dispute.outcome)), \(dispute.votes.count) voted"
                ))
        }
        if let root = task.settlement?.root { lines.append(("Settlement", root.hex)) }
        let table = TextTable(titles: ["", ""], rows: lines.map { [$0.0, $0.1] })
        terminal.write(table.render(on: terminal))
    }

    private static func words(_ outcome: Conduct?) -> String {
        switch outcome {
        case nil: "open"
        case .kept: "upheld"
        case .refuted: "rejected"
        case .undecided: "not decided"
        case .vanished, .concealed, .idle: "over"
        }
    }

    /// What comes next, and when.
    private static func schedule(_ task: MarketTask, now: Int64) -> [(String, String)] {
        let schedule = task.terms.schedule
        func line(_ name: String, _ time: Int64) -> (String, String) { (name, TimeText.moment(time, from: now)) }
        switch task.stage {
        case .draft, .funded:
            return [line("To be opened by", schedule.openBy), line("Proposals until", schedule.proposalsUntil)]
        case .open:
            return [line("Proposals until", schedule.proposalsUntil), line("Reveals until", schedule.revealUntil)]
        case .training:
            return [line("Training until", schedule.trainUntil), line("Declaration until", schedule.declareUntil)]
        case .declared: return [line("Checkpoint until", task.stageEnds)]
        case .challenge: return [line("Challenge until", task.stageEnds)]
        case .dispute:
            let open = task.disputes.filter { $0.outcome == nil }.map(\.until).min()
            return open.map { [line("Votes until", $0)] } ?? []
        case .settled: return [line("Claims until, then paid", task.stageEnds)]
        case .paidOut, .cancelled, .expired: return []
        }
    }
}
