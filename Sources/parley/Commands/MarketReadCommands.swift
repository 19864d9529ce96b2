import ArgumentParser
import Foundation
import Marketplace
import MarketplaceStore

struct MarketTreeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tree", abstract: "Draw a task's tree of models, with the winner's path.",
        discussion: """
            The root is the task, below it are descriptions of models, below these the models that were trained. The path that is marked (*) is the winner's: what is paid.

              parley market tree ./market 3fa8
              parley market tree ./market 3fa8 --svg tree.svg
            """)

    @OptionGroup var choice: MarketTaskChoice
    @Option(help: ArgumentHelp("Draw it as a picture into this file.", valueName: "file"), completion: .file())
    var svg: String?

    func run() async throws {
        let (_, task) = try await choice.read()
        let winner = task.declaration?.winner
        guard let svg else {
            for line in task.tree.lines(winner: winner) { Terminal.output.line(line) }
            return
        }
        try choice.place.write(Array(task.tree.svg(winner: winner).utf8), to: svg)
        Terminal.output.line("\(PrintableText.escape(svg)): \(NumberText.integer(task.tree.nodes.count)) nodes")
    }
}

struct MarketPayoutsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "payouts", abstract: "Show what everybody is paid of a task, and why.",
        discussion: """
            Payouts are computed again from the declaration and the frozen terms. ± is 1.96 standard errors of the owners' scores: how far the part of the pot could be from that of \
            endlessly many rows of the same kind, noise included. What the sponsor has is what nobody earned.

              parley market payouts ./market 3fa8
            """)

    @OptionGroup var choice: MarketTaskChoice

    func run() async throws {
        let (_, task) = try await choice.read()
        let terminal = Terminal.output
        guard let settlement = task.settlement, let declaration = task.declaration else {
            return terminal.line("The task is \(task.stage.rawValue): its payouts are not fixed.")
        }
        terminal.line(
            "Ended as \(declaration.ending.rawValue)\(declaration.isCorrected ? ", as the referees found" : "").")
        let scores = Dictionary(
            (declaration.verdict?.contributions ?? []).map { ($0.owner, $0) }, uniquingKeysWith: { first, _ in first })
        var table = TextTable([
            .init(title: "PARTY"), .init(title: "ROLE"), .init(title: "AMOUNT", alignsRight: true),
            .init(title: "±", alignsRight: true), .init(title: "SCORE", alignsRight: true), .init(title: "PAID"),
        ])
        for (payout, isPaid) in zip(settlement.payouts, task.isPaid) {
            let score = payout.role == .owner ? scores[payout.party] : nil
            let error = payout.standardError.map { NumberText.integer(Int64((1.96 * Double($0)).rounded())) } ?? ""
            table.append([
                payout.party.text, payout.role == .sponsor ? "sponsor (returns)" : payout.role.rawValue,
                NumberText.integer(payout.amount), error, score.map { "\($0.score)" } ?? "", isPaid ? "yes" : "not yet",
            ])
        }
        let sum = settlement.payouts.reduce(0) { $0 + $1.amount }
        table.append(["sum", "", NumberText.integer(sum), "", "", ""])
        terminal.write(table.render(on: terminal))
        let unpaid = scores.values.filter { one in
            !settlement.payouts.contains { $0.party == one.owner && $0.role == .owner }
        }
        for one in unpaid.sorted(by: { $0.owner < $1.owner }) {
            terminal.line(
                "\(one.owner): score \(one.score), which is paid nothing: not above zero by \(NumberText.significant(Double(task.terms.formula.significanceThousandths) / 1_000)) standard errors (\(one.error))"
            )
        }
    }
}

struct MarketReputationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reputation", abstract: "Show reputations by role, and what they are from.",
        discussion: """
            Beta reputation with forgetting, of settled tasks alone: the expected probability of a good outcome, 0.5 of a newcomer. It decides admission and deposits, never a payout.

              parley market reputation ./market
              parley market reputation ./market --evidence
            """)

    @OptionGroup var place: MarketPlace
    @Flag(help: "Show the latest outcomes that each is from.") var evidence = false

    func run() async throws {
        let market = try await place.read().market
        let terminal = Terminal.output
        let all = market.keys.keys.sorted().flatMap { party in Role.allCases.map { (party, $0) } }
        let known = all.filter { !market.reputations[$0.0, $0.1].latest.isEmpty }
        guard !known.isEmpty else { return terminal.line("Nothing was settled yet: everybody is a newcomer.") }
        var table = TextTable([
            .init(title: "PARTY"), .init(title: "ROLE"), .init(title: "REPUTATION", alignsRight: true),
            .init(title: "GOOD", alignsRight: true), .init(title: "BAD", alignsRight: true), .init(title: "LATEST"),
        ])
        for (party, role) in known {
            let reputation = market.reputations[party, role]
            func number(_ millionths: Int64) -> String { NumberText.fixed(Double(millionths) / 1e6, decimals: 2) }
            table.append([
                party.text, role.rawValue, number(reputation.expectation), number(reputation.good),
                number(reputation.bad),
                reputation.latest.last.map { "\($0.conduct.rawValue) in \($0.task.hex.prefix(8))" } ?? "",
            ])
        }
        terminal.write(table.render(on: terminal))
        guard evidence else { return }
        for (party, role) in known {
            terminal.line()
            terminal.line("\(party) as \(role.rawValue), the latest last:")
            for event in market.reputations[party, role].latest {
                terminal.line(
                    "  \(event.task.hex.prefix(16))  \(event.conduct.rawValue), \(event.isGood ? "good" : "bad")")
            }
        }
    }
}

struct MarketReceiptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt", abstract: "Write what a party has of a task, with everything that it follows from.",
        discussion: """
            JSON: the frozen terms, the declaration with everybody's scores, the party's payouts with their claims (leaf and path to the settlement's root), and the signed entries that \
            they follow from, each with its proof of inclusion (c2sp.org/tlog-proof). A referee computes the payouts again from it, and checks it with the operator's key alone. \
            A contribution's score is what was declared and not disputed: the updates themselves are in no entry.

              parley market receipt ./market 3fa8 olga --output receipt.json
            """)

    @OptionGroup var choice: MarketTaskChoice
    @Argument(help: "The party.") var party: String
    @Option(help: ArgumentHelp("Write it to this file (default: print it).", valueName: "file"), completion: .file())
    var output: String?

    func run() async throws {
        let (audit, task) = try await choice.read()
        guard let name = PartyName(party), task.takesPart(name) || task.terms.court.referees.contains(name) else {
            throw Failure(
                PrintableText.escape("\(party) does not take part in this task."),
                next:
                    "parley market show \(PrintableText.escape(choice.place.folder)) \(task.id.hex.prefix(8)) says who does."
            )
        }
        let receipt = try MarketReceipt(of: name, in: task, audit)
        guard let output else { return try Terminal.output.json(receipt) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try choice.place.write([UInt8](encoder.encode(receipt)) + [0x0A], to: output)
        Terminal.output.line(
            "\(PrintableText.escape(output)): payouts \(NumberText.integer(receipt.payouts.count)), entries \(NumberText.integer(receipt.entries.count))\(receipt.payouts.isEmpty ? "; \(party) has nothing of this task, so far" : "")"
        )
    }
}

struct MarketCheckReceiptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-receipt",
        abstract: "Check a receipt with the operator's key alone, and compute its payouts again.",
        discussion: """
            Every entry in it must be signed by whoever asked and be in the operator's log; terms and declaration must be those of these entries; the payouts must follow from terms, declaration \
            and earnings, to the root that the claims lead to. That the earnings are those of all entries of the task, a whole copy of the log shows: parley market verify.

              parley market check-receipt receipt.json --key 5f0c1d…
            """)

    @Argument(help: "The receipt (parley market receipt).", completion: .file()) var file: String
    @Option(help: "The operator's public key (64 hexadecimal digits), from elsewhere.") var key: String

    func run() throws {
        guard let key = PartyKey(hex: key) else {
            throw ValidationError("--key is 64 hexadecimal digits, as parley market verify shows them.")
        }
        let text = try readText(file)
        guard let receipt = try? JSONDecoder().decode(MarketReceipt.self, from: Data(text.utf8)) else {
            throw Failure(
                PrintableText.escape("\(file) is no receipt."), next: "parley market receipt writes one.")
        }
        do { try receipt.verify(key) } catch {
            throw Failure(
                PrintableText.escape("\(file): \(error)"), next: "It proves nothing so.",
                status: ExitStatus.contradicted)
        }
        let terminal = Terminal.output
        terminal.line(
            "\(NumberText.integer(receipt.entries.count)) entries, each signed and in the log of market \(receipt.market)"
        )
        for payout in receipt.payouts {
            terminal.line(
                "\(receipt.party) has \(NumberText.integer(payout.payout.amount)) as \(payout.payout.role.rawValue), which follows from what is declared and earned\(payout.isPaid ? "; paid" : "")"
            )
        }
        if receipt.payouts.isEmpty { terminal.line("\(receipt.party) has nothing of this task, so far.") }
    }
}
