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
        parsing: .unconditional,
        help: "The probability with which epsilon may fail; for example 1e-6, well below one in the number of people.")
    var delta: Double?

    @Flag(help: "Print one line of JSON.") var json = false

    @Flag(help: "Read one JSON object a line from standard input, write one a line; exit status 1 if any was refused.")
    var batch = false

    func validate() throws {
        if batch {
            guard delta == nil, !mechanism.isGiven, !sampling.isGiven else {
                throw ValidationError(
                    "--batch reads delta, mechanisms and sampling from its lines: give none of them beside it.")
            }
            return
        }
        guard let delta else { throw ValidationError("--delta is missing; for example --delta 1e-6.") }
        guard delta >= 0 && delta <= 1 else { throw ValidationError("--delta must be from 0 to 1.") }
        try mechanism.checkCount()
        let names = mechanism.event == nil ? sampling.names.merging(mechanism.names) { $1 } : [:]
        try Usage.check(names) { _ = try accounting.accountants(for: try event()) }
    }

    private func event() throws -> PrivacyEvent { sampling.event(try mechanism.mechanism()) }

    func run() async throws {
        if batch {
            guard try PrivacyBatch(defaults: accounting).run() else { throw ExitStatus.failed }
            return
        }
        let delta = delta ?? 0
        let proof = try accounting.proof(of: try event(), delta: delta)
        let terminal = Terminal.output
        if json {
            terminal.line(try PrivacyAnswer.line(PrivacyAnswer(proof)))
            return
        }
        let text = terminal.styled(Self.text(proof.bounds), .bold)
        terminal.line("epsilon  \(text) at delta \(NumberText.significant(delta))")
        terminal.line("by       \(provers(proof)); neighbours: \(accounting.neighbours.rawValue)")
        if !proof.bounds.upper.isFinite {
            throw Failure("No finite epsilon is proved at this delta.", next: hint(delta, proof))
        }
    }

    private static func text(_ bounds: PrivacyBounds) -> String {
        if bounds.lower == .infinity { return "infinite" }
        let lower = NumberText.bound(bounds.lower, roundingUp: false)
        if bounds.upper == .infinity { return "at least \(lower)" }
        let upper = NumberText.bound(bounds.upper, roundingUp: true)
        return bounds.lower > 0 ? "between \(lower) and \(upper)" : "at most \(upper)"
    }

    private func provers(_ proof: PrivacyProof) -> String {
        if proof.bounds.lower == .infinity { return accounting.title(proof.lowerBy) }
        let order = proof.bounds.order.map { ", order \(NumberText.significant($0))" } ?? ""
        let upper = accounting.title(proof.upperBy) + order
        guard proof.lowerBy != proof.upperBy, proof.bounds.lower > 0 else { return upper }
        return "\(upper); lower bound: \(accounting.title(proof.lowerBy))"
    }

    private func hint(_ delta: Double, _ proof: PrivacyProof) -> String {
        if delta == 0 { return "Gaussian noise and zCDP need a positive delta." }
        if accounting.only == nil || proof.bounds.lower == .infinity { return "Try a larger delta." }
        return "Try a larger delta or another accountant."
    }
}
