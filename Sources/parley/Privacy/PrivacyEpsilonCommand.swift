import ArgumentParser
import DifferentialPrivacy
import Foundation

struct PrivacyEpsilonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epsilon",
        abstract: "What mechanisms cost: bounds on epsilon at a delta.",
        discussion: """
            Ten Laplace mechanisms of epsilon 0.1 each, together:
              parley privacy epsilon --laplace 10 --steps 10 --delta 1e-6

            Several mechanisms, as JSON:
              parley privacy epsilon --delta 1e-6 --event '{"type": "composition", "events": [
                {"type": "gaussian", "noise-multiplier": 5}, {"type": "pure", "epsilon": 0.1}]}'

            In bulk, a line of JSON in for a line of JSON out; also "accountant", "conversion", "neighbours"
            and "grid-step":
              echo '{"delta": 1e-5, "event": {"type": "gaussian", "noise-multiplier": 2}}' |
                parley privacy epsilon --batch
            """)

    @OptionGroup(title: "Mechanism") var mechanism: MechanismOptions
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Accounting") var accounting: AccountantOptions

    @Option(
        help: "The probability with which epsilon may fail; for example 1e-6, well below one in the number of people.")
    var delta: Double?

    @Flag(help: "Print one line of JSON.") var json = false

    @Flag(help: "Read one JSON object a line from standard input, write one a line; exit status 1 if any was refused.")
    var batch = false

    func validate() throws {
        if batch { return }
        guard let delta else { throw ValidationError("--delta is missing; for example --delta 1e-6.") }
        guard delta >= 0 && delta <= 1 else { throw ValidationError("--delta must be from 0 to 1.") }
        try mechanism.checkCount()
    }

    func run() async throws {
        if batch {
            guard try PrivacyBatch(defaults: accounting).run() else { throw ExitStatus.failed }
            return
        }
        let delta = delta ?? 0
        let event = sampling.event(try mechanism.mechanism())
        let choice = try accounting.choice(for: event)
        var accountant = try accounting.make(choice)
        try accountant.compose(event, times: 1)
        let bounds = try accountant.epsilon(delta: delta)
        let terminal = Terminal.output
        if json {
            terminal.line(try PrivacyAnswer.line(PrivacyAnswer(bounds: bounds, accountant: choice)))
            return
        }
        let upper = NumberText.bound(bounds.upper, roundingUp: true)
        let lower = NumberText.bound(bounds.lower, roundingUp: false)
        let text = bounds.lower > 0 ? "between \(lower) and \(upper)" : "at most \(upper)"
        terminal.line("epsilon  \(terminal.styled(text, .bold)) at delta \(NumberText.significant(delta))")
        let order = bounds.order.map { ", order \(NumberText.significant($0))" } ?? ""
        terminal.line("by       \(accounting.title(choice))\(order); neighbours: \(accounting.neighbours.rawValue)")
        if !bounds.upper.isFinite { throw Failure("No finite epsilon is proved at this delta.", next: hint(delta)) }
    }

    private func hint(_ delta: Double) -> String {
        delta == 0 ? "Gaussian noise and zCDP need a positive delta." : "Try a larger delta or another accountant."
    }
}
