import ArgumentParser
import DifferentialPrivacy
import Foundation

/// On which people a mechanism runs, and how often.
struct SamplingOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Everyone is in each step's sample with this probability (Poisson).", valueName: "rate"))
    var samplingRate: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Each step runs on so many people, without replacement; with --population and --neighbours replace-one.",
            valueName: "people"), transform: WholeNumberText.parse)
    var sampleSize: Int?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("The number of people, which must be public.", valueName: "people"),
        transform: WholeNumberText.parse)
    var population: Int?

    @Option(
        parsing: .unconditional, help: "How often the mechanism runs; 10,000 and 1e4 will do. (default: 1)",
        transform: WholeNumberText.parse)
    var steps: Int?

    var isGiven: Bool { samplingRate != nil || sampleSize != nil || population != nil || steps != nil }

    func validate() throws {
        guard samplingRate == nil || sampleSize == nil else {
            throw ValidationError("Give either --sampling-rate or --sample-size.")
        }
        guard (sampleSize == nil) == (population == nil) else {
            throw ValidationError("--sample-size and --population come together.")
        }
        guard steps ?? 1 >= 1 else { throw ValidationError("--steps must be positive.") }
    }

    /// The options by the parameters that they give.
    var names: [String: String] {
        [
            "rate": "--sampling-rate", "sample size": "--sample-size", "population size": "--population",
            "times": "--steps",
        ]
    }

    /// All that happens, for a mechanism that runs on each sample.
    func event(_ mechanism: PrivacyEvent) -> PrivacyEvent {
        var event = mechanism
        if let samplingRate { event = .poissonSampled(rate: samplingRate, event) }
        if let sampleSize, let population {
            event = .fixedSizeSampled(sampleSize: sampleSize, populationSize: population, event)
        }
        guard let steps, steps != 1 else { return event }
        return .repeated(event, times: steps)
    }
}

/// One mechanism, in a word, or any event as JSON.
struct MechanismOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Gaussian noise: its standard deviation over the L2 sensitivity.", valueName: "multiplier"))
    var gaussian: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Laplace noise: its scale over the L1 sensitivity.", valueName: "multiplier"))
    var laplace: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Discrete Gaussian noise of that sigma, where one person changes a count by 1.", valueName: "sigma"))
    var discreteGaussian: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Discrete Laplace noise of that scale, where one person changes a count by 1.", valueName: "scale"))
    var discreteLaplace: Double?

    @Option(parsing: .unconditional, help: ArgumentHelp("Any mechanism of that epsilon.", valueName: "epsilon"))
    var pure: Double?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("An exponential mechanism of that epsilon.", valueName: "epsilon"))
    var exponential: Double?

    @Option(
        name: [.customLong("rho"), .customLong("zcdp")], parsing: .unconditional,
        help: ArgumentHelp("Any mechanism of that rho.", valueName: "rho"))
    var zeroConcentrated: Double?

    @Option(help: ArgumentHelp("Any event, as JSON; docs/accounting.md has the form.", valueName: "json"))
    var event: String?

    private var count: Int {
        let numbers = [gaussian, laplace, discreteGaussian, discreteLaplace, pure, exponential, zeroConcentrated]
        return numbers.count { $0 != nil } + (event == nil ? 0 : 1)
    }

    var isGiven: Bool { count > 0 }

    /// The option by the parameter that it gives; an event in JSON names its own.
    var names: [String: String] {
        if gaussian != nil { return ["noise multiplier": "--gaussian"] }
        if laplace != nil { return ["noise multiplier": "--laplace"] }
        if discreteGaussian != nil { return ["sigma": "--discrete-gaussian"] }
        if discreteLaplace != nil { return ["scale": "--discrete-laplace"] }
        if pure != nil { return ["epsilon": "--pure"] }
        if exponential != nil { return ["epsilon": "--exponential"] }
        return zeroConcentrated == nil ? [:] : ["rho": "--rho, --zcdp"]
    }

    /// Throws unless exactly one was given.
    func checkCount() throws {
        guard count > 0 else {
            throw ValidationError("Say what happens: --gaussian, --laplace, --pure, ... or --event with JSON.")
        }
        guard count == 1 else {
            throw ValidationError("Give one mechanism; several go into --event as a composition.")
        }
    }

    /// The one that was given.
    func mechanism() throws -> PrivacyEvent {
        if let gaussian { return .gaussian(noiseMultiplier: gaussian) }
        if let laplace { return .laplace(noiseMultiplier: laplace) }
        if let discreteGaussian { return .discreteGaussian(sensitivitySquared: 1, sigma: discreteGaussian) }
        if let discreteLaplace { return .discreteLaplace(sensitivity: 1, scale: discreteLaplace) }
        if let pure { return .pure(epsilon: pure) }
        if let exponential { return .exponentialMechanism(epsilon: exponential, times: 1) }
        if let zeroConcentrated { return .zeroConcentrated(rho: zeroConcentrated) }
        return try EventText.decode(PrivacyEvent.self, from: Data((event ?? "").utf8))
    }
}
