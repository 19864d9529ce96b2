import ArgumentParser
import DifferentialPrivacy

struct PrivacyNoiseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "noise",
        abstract: "How much noise a privacy needs: the least that an accountant proves.",
        discussion: """
            The noise of DP-SGD for epsilon 3:
              parley privacy noise --epsilon 3 --sampling-rate 0.004 --steps 10000 --delta 1e-5

            One Gaussian mechanism, exactly (the analytic Gaussian mechanism):
              parley privacy noise --epsilon 1 --delta 1e-6 --accountant gaussian
            """)

    enum Mechanism: String, CaseIterable, ExpressibleByArgument {
        case gaussian, laplace
    }

    @Option(help: "The epsilon that all steps together may cost.") var epsilon: Double
    @Option(help: "The delta beside it.") var delta: Double
    @Option(help: "gaussian or laplace.") var mechanism: Mechanism = .gaussian
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Accounting") var accounting: AccountantOptions
    @Option(help: "How close to the least, relatively.") var tolerance = 1e-5
    @Flag(help: "Print the number alone.") var bare = false

    func run() async throws {
        let choice = try accounting.choice(for: event(1))
        let noise = try least(try accounting.make(choice), choice)
        let terminal = Terminal.output
        if bare {
            terminal.line("\(noise)")
            return
        }
        let text = NumberText.bound(noise, roundingUp: true)
        let unit =
            mechanism == .gaussian ? "standard deviation over the L2 sensitivity" : "scale over the L1 sensitivity"
        terminal.line("noise    \(terminal.styled(text, .bold)) (\(unit))")
        let cost = "epsilon \(NumberText.significant(epsilon)) at delta \(NumberText.significant(delta))"
        terminal.line("for      \(cost), \(NumberText.integer(sampling.steps)) step\(sampling.steps == 1 ? "" : "s")")
        terminal.line("by       \(accounting.title(choice)); neighbours: \(accounting.neighbours.rawValue)")
    }

    private func event(_ noise: Double) -> PrivacyEvent {
        sampling.event(mechanism == .gaussian ? .gaussian(noiseMultiplier: noise) : .laplace(noiseMultiplier: noise))
    }

    private func least<Counting: Accountant>(_ accountant: Counting, _ choice: AccountantChoice) throws -> Double {
        var start = 1.0
        if choice == .pld {
            // Found on a coarse grid, settled on the fine one.
            let coarse = try PrivacyLossAccountant(
                gridStep: min(1, accounting.gridStep * 16), neighbours: accounting.neighbours)
            start = try least(coarse, tolerance: max(tolerance, 1e-3), startingAt: start)
        }
        return try least(accountant, tolerance: tolerance, startingAt: start)
    }

    private func least<Counting: Accountant>(
        _ accountant: Counting, tolerance: Double, startingAt start: Double
    ) throws -> Double {
        try Calibration.leastNoise(
            epsilon: epsilon, delta: delta, tolerance: tolerance, startingAt: start, by: accountant, event: event(_:))
    }
}
