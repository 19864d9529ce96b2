import ArgumentParser
import Foundation
import Marketplace
import MarketplaceStore

struct MarketCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "market",
        abstract: "Verify and read a marketplace: tasks, the tree of models, payouts, reputations; judge disputes.",
        discussion: """
            A market is a folder that anybody may copy: every entry is signed by the party in whose name it asks, and the operator signs the whole. Each of these commands first \
            verifies all of it: the signatures, the tree, and that the entries come to the state that was signed.

              parley market verify ./market --key KEY       # the operator's, from elsewhere
              parley market show ./market                   # tasks and accounts
              parley market tree ./market 3fa8 --svg tree.svg
              parley market payouts ./market 3fa8
              parley market receipt ./market 3fa8 olga --output receipt.json
              parley market rows ./market 3fa8 xrays --output rows.csv     # for referees
            """,
        subcommands: [
            MarketVerifyCommand.self, MarketShowCommand.self, MarketTreeCommand.self, MarketPayoutsCommand.self,
            MarketReputationCommand.self, MarketReceiptCommand.self, MarketRowsCommand.self,
        ])
}

/// A market that is read.
struct MarketPlace: ParsableArguments {
    @Argument(help: "A market's folder, or a copy of it.", completion: .directory) var folder: String
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

    /// The market, with everything verified.
    func read() throws -> MarketAudit {
        do throws(MarketFolderError) {
            return try MarketAudit(of: folder, key: key.flatMap { PartyKey(hex: $0) })
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

    func read() throws -> (audit: MarketAudit, task: MarketTask) {
        let audit = try place.read()
        let found = audit.market.allTasks.filter { $0.id.hex.hasPrefix(task) && task.utf8.count >= 4 }
        guard found.count == 1, let only = found.first else {
            throw Failure(
                PrintableText.escape(found.isEmpty ? "There is no task \(task)." : "Several tasks begin with \(task)."),
                next: "parley market show \(PrintableText.escape(place.folder)) lists them.")
        }
        return (audit, only)
    }
}

struct MarketVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check every signature of a market, its tree, its state and its money.",
        discussion: """
            Exit status 4: something was changed, cut or added, or is not what the operator signed.

              parley market verify ./market
              parley market verify ./market --key 5f0c1d…
            """)

    @OptionGroup var place: MarketPlace

    func run() throws {
        let audit = try place.read()
        let (market, terminal) = (audit.market, Terminal.output)
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
        if audit.unsealed > 0 {
            terminal.paragraph(
                "\(Self.entries(audit.unsealed)) behind these are signed by their parties, and no checkpoint is over them yet: they were being added, or a crash came between."
            )
        }
        if place.key == nil {
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

struct MarketShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a market's tasks and accounts, or one task.",
        discussion: """
              parley market show ./market
              parley market show ./market 3fa8
            """)

    @OptionGroup var place: MarketPlace
    @Argument(help: "A task: its name, or how it begins, four digits at least.") var task: String?

    func run() throws {
        guard let task else { return show(try place.read()) }
        var choice = MarketTaskChoice()
        (choice.place, choice.task) = (place, task)
        let (audit, found) = try choice.read()
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
            ("Target", "\(terms.goal.target) from \(terms.goal.baseline); best so far \(task.best)"),
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
        if let winner = task.declaration?.winner {
            lines.append(("Winner", "node \(winner) (parley market tree)"))
        }
        for (number, dispute) in task.disputes.enumerated() {
            let subject = if case .job(let job) = dispute.subject { "job \(job)" } else { "the declaration" }
            lines.append(
                (
                    "Dispute \(number)",
                    "\(dispute.accuser) about \(subject): \(dispute.outcome.map { "\($0.rawValue)" } ?? "open"), \(dispute.votes.count) voted"
                ))
        }
        if let root = task.settlement?.root { lines.append(("Settlement", root.hex)) }
        let table = TextTable(titles: ["", ""], rows: lines.map { [$0.0, $0.1] })
        terminal.write(table.render(on: terminal))
    }
}
