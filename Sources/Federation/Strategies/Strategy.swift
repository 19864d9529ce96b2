/// How a server makes the next model from what participants send of a round.
///
/// A participant sends one vector of Float: its update, weights after its local training minus weights before it
/// (`fedSGD`: a gradient; `scaffold`: twice as long, ``ControlVariate``). Averaging strategies need the weighted mean
/// of these vectors and nothing else, so that the sum may be masked or noisy; robust rules need each vector
/// (``admits(_:)``).
public enum Strategy: Sendable, Hashable {
    /// Participants send the gradient of one batch; the server takes the step, weights -= rate x mean
    /// (McMahan et al. 2017, FedSGD).
    case fedSGD(rate: Double)
    /// Participants train; the server adds the mean update (McMahan et al. 2017, FederatedAveraging).
    case fedAvg
    /// The server's velocity = momentum x velocity + mean update; weights += rate x velocity (Hsu et al. 2019).
    case fedAvgM(rate: Double, momentum: Double)
    /// As `fedAvg`, while participants add mu / 2 x the squared distance from the round's weights to their loss
    /// (Li et al. 2020; ``LocalCorrection``).
    case fedProx(mu: Double)
    /// The mean update is Adam's gradient, without bias correction (Reddi et al. 2021, algorithm 2).
    case fedAdam(AdaptiveStep)
    /// As `fedAdam`, with second moments that change by at most (1 - beta2) x the squared update (Reddi et al. 2021).
    case fedYogi(AdaptiveStep)
    /// Control variates take out what participants' data differ by (Karimireddy et al. 2020, option II); the server
    /// adds rate x mean update.
    case scaffold(rate: Double)
    /// No rounds: the server adds rate x the mean of each `buffer` updates as they come, each times
    /// 1 / (1 + staleness)^exponent (Nguyen et al. 2022; ``UpdateBuffer``).
    case fedBuff(rate: Double, buffer: Int, exponent: Double)
    /// Each coordinate's median (Yin et al. 2018): fewer than half of the participants may be malicious.
    case coordinateMedian
    /// Each coordinate's mean without the `trim` least and the `trim` largest (Yin et al. 2018): `trim` participants
    /// may be malicious.
    case trimmedMean(trim: Int)
    /// The mean of the `kept` updates that are nearest to their neighbours (Blanchard et al. 2017): `byzantine`
    /// participants may be malicious. `kept` 1 is Krum.
    case multiKrum(byzantine: Int, kept: Int)
    /// From the last round's update, `iterations` steps to the mean of the updates, of which none may pull further than
    /// `radius`, an L2 norm (Karimireddy et al. 2021).
    case centredClipping(radius: Double, iterations: Int)

    /// A strategy's name, as JSON and the documentation spell it.
    public enum Kind: String, Sendable, Hashable, CaseIterable, Codable {
        /// Named as the strategy of that name.
        case fedSGD, fedAvg, fedAvgM, fedProx, fedAdam, fedYogi, scaffold, fedBuff
        /// Named as the robust rule of that name.
        case coordinateMedian, trimmedMean, multiKrum, centredClipping
    }

    /// Its name.
    public var kind: Kind {
        switch self {
        case .fedSGD: .fedSGD
        case .fedAvg: .fedAvg
        case .fedAvgM: .fedAvgM
        case .fedProx: .fedProx
        case .fedAdam: .fedAdam
        case .fedYogi: .fedYogi
        case .scaffold: .scaffold
        case .fedBuff: .fedBuff
        case .coordinateMedian: .coordinateMedian
        case .trimmedMean: .trimmedMean
        case .multiKrum: .multiKrum
        case .centredClipping: .centredClipping
        }
    }

    /// How long the vector of one participant is, for a model of that many parameters.
    public func vectorLength(parameters: Int) -> Int { kind == .scaffold ? 2 * parameters : parameters }
}

/// The server's step of `fedAdam` and `fedYogi`: weights += rate x m / (sqrt(v) + tau), coordinate by coordinate.
public struct AdaptiveStep: Sendable, Hashable {
    /// The server's learning rate, above 0.
    public let rate: Double
    /// How much of the first moment stays each round, from 0 to below 1.
    public let beta1: Double
    /// How much of the second moment stays each round, from 0 to below 1.
    public let beta2: Double
    /// The degree of adaptivity, above 0: updates that are much smaller are not scaled up. Second moments begin at its
    /// square.
    public let tau: Double

    /// The paper's momenta where none are said.
    public init(rate: Double, beta1: Double = 0.9, beta2: Double = 0.99, tau: Double = 1e-3) {
        self.rate = rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.tau = tau
    }
}

// MARK: Ranges

extension Strategy {
    /// The most participants of a round, and the longest buffer.
    public static let mostParticipants = 1 << 20

    /// Throws unless each parameter is in its range. Decoding and every use of a strategy ask it.
    public func validate() throws(StrategyError) {
        switch self {
        case .fedAvg, .coordinateMedian: return
        case .fedSGD(let rate), .scaffold(let rate): try Self.positive("rate", rate)
        case .fedAvgM(let rate, let momentum):
            try Self.positive("rate", rate)
            try Self.decay("momentum", momentum)
        case .fedProx(let mu): try Self.range("mu", mu, 0...1e6)
        case .fedAdam(let step), .fedYogi(let step):
            try Self.positive("rate", step.rate)
            try Self.decay("beta1", step.beta1)
            try Self.decay("beta2", step.beta2)
            try Self.positive("tau", step.tau)
        case .fedBuff(let rate, let buffer, let exponent):
            try Self.positive("rate", rate)
            try Self.range("buffer", buffer, 1...Self.mostParticipants)
            try Self.range("exponent", exponent, 0...16)
        case .trimmedMean(let trim): try Self.range("trim", trim, 0...Self.mostParticipants)
        case .multiKrum(let byzantine, let kept):
            try Self.range("byzantine", byzantine, 0...Self.mostParticipants)
            try Self.range("kept", kept, 1...Self.mostParticipants)
        case .centredClipping(let radius, let iterations):
            try Self.positive("radius", radius)
            try Self.range("iterations", iterations, 1...1000)
        }
    }

    private static func positive(_ name: String, _ value: Double) throws(StrategyError) {
        guard value >= 1e-12 && value <= 1e12 else {
            throw .parameter(name, expected: "a number from 1e-12 to 1e12")
        }
    }

    private static func decay(_ name: String, _ value: Double) throws(StrategyError) {
        guard value >= 0 && value < 1 else { throw .parameter(name, expected: "a number from 0 to below 1") }
    }

    private static func range(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws(StrategyError) {
        guard range.contains(value) else {
            throw .parameter(name, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func range(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(StrategyError) {
        guard range.contains(value) else {
            throw .parameter(name, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
    }
}
