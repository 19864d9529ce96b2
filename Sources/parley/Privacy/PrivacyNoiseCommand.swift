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

            Laplace noise, ten times, without a delta:
              parley privacy noise --mechanism laplace --epsilon 1 --delta 0 --steps 10

            By a rho of zCDP, as datasites count:
              parley privacy noise --rho 0.02 --steps 10
            """)

    enum Mechanism: String, CaseIterable, ExpressibleByArgument {
        case gaussian, laplace
    }

    @Option(parsing: .unconditional, help: "The epsilon that all steps together may cost.") var epsilon: Double?
    @Option(parsing: .unconditional, help: "The delta beside it; 0 for Laplace noise without one.") var delta: Double?
    @Option(parsing: .unconditional, help: "The rho of zCDP that all steps together may cost, in their place.")
    var rho: Double?
    @Option(help: "gaussian or laplace.") var mechanism: Mechanism = .gaussian
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Accounting") var accounting: AccountantOptions
    @Option(
        parsing: .unconditional, help: "How close to the least, relatively. (default: 1e-5 by pld, 1e-10 by others)")
    var tolerance: Double?
    @Flag(help: "Print the number alone.") var bare = false

    func validate() throws {
        if let rho { return try validate(rho) }
        guard let epsilon else { throw ValidationError("Give --epsilon with --delta, or --rho.") }
        guard let delta else { throw ValidationError("--delta is missing; for example --delta 1e-6.") }
        guard epsilon > 0 && epsilon.isFinite else {
            throw ValidationError("--epsilon: expected a positive finite number.")
        }
        guard delta >= 0 && delta < 1 else { throw ValidationError("--delta: expected a number from 0 to below 1.") }
        guard mechanism == .laplace || delta > 0 else {
            throw ValidationError(
                "--delta: Gaussian noise has no finite epsilon at 0: give a positive one, or --mechanism laplace.")
        }
        if let tolerance, !(tolerance >= 1e-12 && tolerance < 1) {
            throw ValidationError("--tolerance: expected a number from 1e-12 to below 1.")
        }
        try Usage.check(sampling.names) { _ = try accounting.accountants(for: event(1)) }
    }

    private func validate(_ rho: Double) throws {
        guard rho > 0 && rho.isFinite else { throw ValidationError("--rho: expected a positive finite number.") }
        guard epsilon == nil, delta == nil else {
            throw ValidationError("Give --epsilon with --delta, or --rho alone.")
        }
        guard sampling.samplingRate == nil, sampling.sampleSize == nil else {
            throw ValidationError("--rho: what samples has no rho of its own; give --epsilon and --delta.")
        }
        guard accounting.only == nil || accounting.only == .zcdp else {
            throw ValidationError("--rho is of zCDP: leave out --accountant and --conversion.")
        }
        guard tolerance == nil else {
            throw ValidationError("--tolerance is for --epsilon: by a rho the noise is exact.")
        }
        try Usage.check(sampling.names) {
            var accountant = ZeroConcentratedAccountant(neighbours: accounting.neighbours)
            try accountant.compose(event(1))
        }
    }

    func run() async throws {
        if let rho { return try show(rho) }
        let (epsilon, delta) = (epsilon ?? 0, delta ?? 0)
        let search = NoiseSearch(
            epsilon: epsilon, delta: delta, tolerance: tolerance, accounting: accounting, event: event(_:))
        let found = try search.least()
        let noise = found.noise
        let terminal = Terminal.output
        if bare {
            terminal.line("\(noise)")
            return
        }
        show(
            noise, for: "epsilon \(NumberText.significant(epsilon)) at delta \(NumberText.significant(delta))",
            by: found.by)
        if let less = found.lessByRenyi { sayThatGridIsCoarse(less) }
    }

    /// Whose rhos add up to at most that one: found by halving, since the sum falls as the noise grows.
    private func show(_ rho: Double) throws {
        func fits(_ noise: Double) throws -> Bool {
            var accountant = ZeroConcentratedAccountant(neighbours: accounting.neighbours)
            try accountant.compose(event(noise))
            return accountant.rho <= rho
        }
        var (low, high) = (1e-9, 1.0)
        while try !fits(high) { (low, high) = (high, 2 * high) }
        while high - low > high * 1e-12 {
            let middle = low + (high - low) / 2
            if try fits(middle) { high = middle } else { low = middle }
        }
        if bare { return Terminal.output.line("\(high)") }
        show(high, for: "rho \(NumberText.significant(rho))", by: .zcdp)
    }

    private func show(_ noise: Double, for cost: String, by accountant: AccountantChoice) {
        let terminal = Terminal.output
        let text = NumberText.bound(noise, roundingUp: true)
        let unit =
            mechanism == .gaussian ? "standard deviation over the L2 sensitivity" : "scale over the L1 sensitivity"
        terminal.line("noise    \(terminal.styled(text, .bold)) (\(unit))")
        let steps = sampling.steps ?? 1
        terminal.line("for      \(cost), \(NumberText.integer(steps)) step\(steps == 1 ? "" : "s")")
        terminal.line("by       \(accounting.title(accountant)); neighbours: \(accounting.neighbours.rawValue)")
    }

    /// More noise than is needed is a valid answer, but nobody should take it for the least.
    private func sayThatGridIsCoarse(_ less: Double) {
        let terminal = Terminal.diagnostics
        terminal.line(
            "note: the grid of privacy losses is too coarse here: renyi proves that \(NumberText.bound(less, roundingUp: true)) is enough."
        )
        terminal.line("  Give a finer --grid-step, down to 1e-7, or leave out --accountant.")
    }

    private func event(_ noise: Double) -> PrivacyEvent {
        sampling.event(mechanism == .gaussian ? .gaussian(noiseMultiplier: noise) : .laplace(noiseMultiplier: noise))
    }
}
