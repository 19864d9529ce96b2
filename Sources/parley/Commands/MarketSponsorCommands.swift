import ArgumentParser
import Foundation
import Marketplace

/// A task in a market in which one acts.
struct MarketTaskSeat: ParsableArguments {
    @Argument(help: "The task: its name, or how it begins, four digits at least.") var task: String
    @OptionGroup var seat: MarketSeatOptions

    func take() async throws -> (MarketSeat, MarketTask) {
        let seat = try await seat.seat()
        return (seat, try seat.task(task))
    }

    /// Asks for one thing of the task, and says that it was done.
    func act(_ done: String, _ action: (MarketTask) throws -> TaskAction) async throws {
        let (seat, task) = try await take()
        let result = try await seat.act(on: task, action(task))
        Terminal.output.line(done + MarketSeat.words(result))
    }
}

extension MarketSeat {
    /// What has a number, for the next command.
    static func words(_ result: MarketResult) -> String {
        switch result {
        case .none: ""
        case .task(let task): " It is task \(task.hex.prefix(16))."
        case .proposal(let number): " It is proposal \(number)."
        case .node(let number): " It is node \(number) of the tree."
        case .round(let number): " It is round \(number)."
        case .job(let number): " It is job \(number)."
        case .evaluation(let number): " It is evaluation \(number)."
        case .dispute(let number): " It is dispute \(number)."
        case .settlement(let root): " The payouts' root is \(root.hex)."
        }
    }
}

/// The digest of a file, as the log holds it.
func contentDigest(_ path: String) throws -> Digest256 {
    guard let handle = FileHandle(forReadingAtPath: path) else {
        throw Failure(PrintableText.escape("\(path) cannot be read."))
    }
    return .sha256([UInt8](try handle.readToEnd() ?? Data()))
}

struct MarketTermsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terms", abstract: "Print terms of a task to begin with.",
        discussion: """
              parley market terms > terms.json
              parley market draft terms.json --as sue
            """)

    func run() { Terminal.output.line(TermsFile.template) }
}

struct MarketDraftCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "draft", abstract: "As a sponsor: write down what a task pays for, and when.",
        discussion: """
            Nothing is paid yet; funding freezes the terms. The file's times follow one another, from now: a task must be opened within `openWithin`; then, also if it was opened sooner, proposals come, are revealed, \
            models are trained, and you declare. What each field means: docs/guide/market.md.

              parley market draft terms.json --as sue
              parley market draft terms.json --amend 3fa8      # other terms, as long as it is a draft
            """)

    @Argument(help: "The terms (parley market terms).", completion: .file()) var file: String
    @Option(help: ArgumentHelp("Instead of a new task, change this draft.", valueName: "task")) var amend: String?
    @OptionGroup var seat: MarketSeatOptions

    func run() async throws {
        let terms = try TermsFile.read(file)
        let seat = try await seat.seat()
        let start = max(Int64(Date().timeIntervalSince1970), seat.market.time)
        let written = try terms.terms(from: start, file: file)
        let terminal = Terminal.output
        let strangers = written.court.referees.filter { seat.market.keys[$0] == nil }
        guard strangers.isEmpty else {
            throw Failure(
                "These referees are not registered: \(strangers.map(\.text).joined(separator: ", ")).",
                next: "They enter first: parley market enter URL --as NAME")
        }
        if let amend {
            let task = try seat.task(amend)
            try await seat.act(on: task, .amend(written))
            return terminal.line("The draft has these terms now.")
        }
        guard case .task(let id) = try await seat.act(.draft(written)) else { return }
        terminal.line("Task \(id.hex) is drafted.")
        terminal.line("Next:  parley market fund \(id.hex.prefix(8))")
    }
}

struct MarketFundCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fund", abstract: "As the sponsor: pay the pots and your deposit; the terms are frozen then.",
        discussion: """
              parley market fund 3fa8
            """)

    @OptionGroup var place: MarketTaskSeat

    func run() async throws {
        let (seat, task) = try await place.take()
        let (pot, terminal) = (task.terms.pot, Terminal.output)
        if let deposit = seat.market.deposit(of: seat.party, as: .sponsor, gain: pot.data + pot.expertise) {
            terminal.line(
                "Pots of \(NumberText.integer(pot.total)) and a deposit of \(NumberText.integer(deposit)), together \(NumberText.integer(pot.total + deposit)); you have \(NumberText.integer(seat.balance))."
            )
        }
        try await seat.act(on: task, .fund(terms: task.terms.digest))
        terminal.line("The task is funded, and its terms are frozen.")
        terminal.line("Next:  parley market open \(task.id.hex.prefix(8))")
    }
}

struct MarketOpenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: "As the sponsor: let proposals come.",
        discussion: """
              parley market open 3fa8
            """)

    @OptionGroup var place: MarketTaskSeat

    func run() async throws { try await place.act("The task is open.") { _ in .open } }
}

struct MarketCancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "As the sponsor: end a task to which nobody has committed, and be refunded.",
        discussion: """
              parley market cancel 3fa8
            """)

    @OptionGroup var place: MarketTaskSeat

    func run() async throws { try await place.act("The task is cancelled.") { _ in .cancel } }
}

struct MarketScoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score", abstract: "As the sponsor: answer an evaluation by what your datasite's Ladder says.",
        discussion: """
            Only what improved on the best so far by a whole step is told (parley evaluate --part feedback, at your datasite).

              parley market score 3fa8 0 0.865
              parley market score 3fa8 1              # no improvement
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The evaluation's number.") var evaluation: Int
    @Argument(help: "The best so far, where the model improved on it.") var score: Double?
    @Flag(help: "It is that much better than the target; answers stand for ever.") var yes = false

    func run() async throws {
        try await place.act("The evaluation is answered.") { task in
            let value = try score.map(Self.score)
            let goal = task.terms.goal
            if let value, !yes,
                goal.direction.gain(from: goal.target, to: value)
                    > goal.direction.gain(from: goal.baseline, to: goal.target)
            {
                throw Failure(
                    "\(value) is further from the target \(goal.target) than that is from the baseline \(goal.baseline).",
                    next: "An answer stands for ever. If it is right: --yes")
            }
            return .score(evaluation: evaluation, value)
        }
    }

    static func score(_ value: Double) throws -> Score {
        guard let score = Score(value) else { throw ValidationError("A score is a number up to a million.") }
        return score
    }
}

/// Final scores and contributions, as a file.
struct VerdictFile: Codable {
    struct Final: Codable {
        var node: Int
        var score: Double
    }

    struct Contribution: Codable {
        var owner: PartyName
        var score: Double
        var error: Double
    }

    var finals: [Final]
    var contributions: [Contribution]

    static func read(_ path: String) throws -> Verdict {
        let text = try readText(path)
        guard let file = try? JSONDecoder().decode(VerdictFile.self, from: Data(text.utf8)) else {
            throw Failure(
                PrintableText.escape("\(path): expected final scores and contributions."),
                next:
                    #"It looks like {"finals": [{"node": 3, "score": 0.87}], "contributions": [{"owner": "olga", "score": 0.4, "error": 0.02}]}"#
            )
        }
        return Verdict(
            finals: try file.finals.map { .init(node: $0.node, score: try MarketScoreCommand.score($0.score)) },
            contributions: try file.contributions.map {
                Marketplace.Contribution(
                    owner: $0.owner, score: try MarketScoreCommand.score($0.score),
                    error: try MarketScoreCommand.score($0.error))
            })
    }
}

struct MarketDeclareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "declare", abstract: "As the sponsor: declare final scores, and who contributed what.",
        discussion: """
            As soon as a model has reached the target you may declare, also before the time of training is over, and no later than the task's `declaration`. The file has the final score of each candidate \
            (parley market show URL TASK lists them, and the owners; parley evaluate --part final measures them), and of each owner on the winner's path what it contributed, with its standard error:

              {"finals": [{"node": 3, "score": 0.87}], "contributions": [{"owner": "olga", "score": 0.4, "error": 0.02}]}

              parley market declare 3fa8 verdict.json
            """)

    @OptionGroup var place: MarketTaskSeat
    @Argument(help: "The verdict.", completion: .file()) var file: String

    func run() async throws {
        let verdict = try VerdictFile.read(file)
        try await place.act("The result is declared. The challenge begins with the log's next checkpoint.") { _ in
            .declare(verdict)
        }
    }
}
