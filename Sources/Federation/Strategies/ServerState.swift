/// What a server carries from round to round, apart from the model's weights.
///
/// Vectors are kept as Float and computed in Double; those that a strategy does not need are empty. A state that was
/// encoded and decoded goes on to the bit.
public struct ServerState: Sendable, Hashable {
    /// How many steps were taken.
    public private(set) var step = 0
    /// `fedAvgM`: the velocity. `fedAdam`, `fedYogi`: the first moment. `centredClipping`: the last combined update.
    public private(set) var momentum: [Float]
    /// `fedAdam`, `fedYogi`: the second moment.
    public private(set) var secondMoment: [Float]
    /// `scaffold`: the server's control variate, the mean of all participants'.
    public private(set) var control: [Float]

    /// Before the first round: zeros, and tau squared for second moments (Reddi et al. 2021, algorithm 2).
    ///
    /// - Parameter parameters: The model's number of parameters.
    public init(_ strategy: Strategy, parameters: Int) throws(StrategyError) {
        try strategy.validate()
        guard parameters > 0 else { throw .parameter("parameters", expected: "at least 1") }
        // Made where one is needed: of a large model they are large.
        var zeros: [Float] { [Float](repeating: 0, count: parameters) }
        (momentum, secondMoment, control) = ([], [], [])
        switch strategy {
        case .fedAvgM, .centredClipping: momentum = zeros
        case .fedAdam(let adaptive), .fedYogi(let adaptive):
            momentum = zeros
            secondMoment = [Float](repeating: Float(adaptive.tau * adaptive.tau), count: parameters)
        case .scaffold: control = zeros
        default: break
        }
    }

    /// Whether it carries vectors, each as long as the weights.
    var hasVectors: Bool { !momentum.isEmpty || !secondMoment.isEmpty || !control.isEmpty }

    /// One step of the server: changes the weights, and what it remembers. After an error both are as before.
    ///
    /// - Parameters:
    ///   - mean: The weighted mean of the participants' vectors, ``Strategy/vectorLength(parameters:)`` entries; of a
    /// robust rule, what it combined.
    ///   - weights: The model's, flat.
    ///   - strategy: The one that this state was made for.
    ///   - share: The part of all participants (of their weight, where they have weights) that the mean is of, above 0
    /// to 1. `scaffold` alone asks: control variates of those who were away stand as they were.
    public mutating func apply(
        mean: [Float], to weights: inout [Float], strategy: Strategy, share: Double = 1
    ) throws(StrategyError) {
        try strategy.validate()
        guard share > 0 && share <= 1 else { throw .parameter("share", expected: "above 0, at most 1") }
        let count = weights.count
        guard count > 0 else { throw .length(of: "weights", found: 0, expected: 1) }
        let expected = strategy.vectorLength(parameters: count)
        guard mean.count == expected else { throw .length(of: "mean", found: mean.count, expected: expected) }
        if let position = mean.firstNonFinite { throw .nonFinite("mean", position: position) }
        try checkLengths(strategy, count)
        var next = self
        var moved = weights
        next.move(&moved, mean, strategy, share: share)
        next.step += 1
        let vectors = [
            ("weights", moved), ("momentum", next.momentum), ("second moment", next.secondMoment),
            ("control variate", next.control),
        ]
        for (name, vector) in vectors {
            if let position = vector.firstNonFinite { throw .nonFinite("new \(name)", position: position) }
        }
        (self, weights) = (next, moved)
    }

    private func checkLengths(_ strategy: Strategy, _ count: Int) throws(StrategyError) {
        let kind = strategy.kind
        let isAdaptive = kind == .fedAdam || kind == .fedYogi
        let needsMomentum = isAdaptive || kind == .fedAvgM || kind == .centredClipping
        let wanted = [
            ("momentum", momentum.count, needsMomentum), ("second moment", secondMoment.count, isAdaptive),
            ("control variate", control.count, kind == .scaffold),
        ]
        for (name, found, isNeeded) in wanted where found != (isNeeded ? count : 0) {
            throw .length(of: "state's \(name)", found: found, expected: isNeeded ? count : 0)
        }
    }

    // MARK: Steps

    private mutating func move(_ weights: inout [Float], _ mean: [Float], _ strategy: Strategy, share: Double) {
        switch strategy {
        case .fedSGD(let rate): Self.add(mean, times: -rate, to: &weights)
        case .fedAvg, .fedProx, .coordinateMedian, .trimmedMean, .multiKrum: Self.add(mean, times: 1, to: &weights)
        case .fedBuff(let rate, _, _): Self.add(mean, times: rate, to: &weights)
        case .fedAvgM(let rate, let decay):
            for index in weights.indices {
                momentum[index] = Float(decay * Double(momentum[index]) + Double(mean[index]))
            }
            Self.add(momentum, times: rate, to: &weights)
        case .fedAdam(let adaptive): adapt(&weights, mean, adaptive, isYogi: false)
        case .fedYogi(let adaptive): adapt(&weights, mean, adaptive, isYogi: true)
        case .scaffold(let rate):
            Self.add(Array(mean[..<weights.count]), times: rate, to: &weights)
            Self.add(Array(mean[weights.count...]), times: share, to: &control)
        case .centredClipping:
            Self.add(mean, times: 1, to: &weights)
            momentum = mean
        }
    }

    private static func add(_ vector: [Float], times factor: Double, to target: inout [Float]) {
        target.withUnsafeMutableBufferPointer { target in
            vector.withUnsafeBufferPointer { vector in
                for index in 0..<target.count {
                    target[index] = Float(Double(target[index]) + factor * Double(vector[index]))
                }
            }
        }
    }

    private mutating func adapt(_ weights: inout [Float], _ mean: [Float], _ adaptive: AdaptiveStep, isYogi: Bool) {
        let (beta1, beta2) = (adaptive.beta1, adaptive.beta2)
        for index in weights.indices {
            let update = Double(mean[index])
            let square: Double = update * update
            let first: Double = beta1 * Double(momentum[index]) + (1 - beta1) * update
            let before = Double(secondMoment[index])
            // Yogi: v - (1 - beta2) square sign(v - square), where the sign of 0 is 0.
            let sign: Double = before > square ? 1 : before < square ? -1 : 0
            let second: Double =
                isYogi ? before - (1 - beta2) * square * sign : beta2 * before + (1 - beta2) * square
            let move: Double = adaptive.rate * first / (second.squareRoot() + adaptive.tau)
            momentum[index] = Float(first)
            secondMoment[index] = Float(second)
            weights[index] = Float(Double(weights[index]) + move)
        }
    }
}

extension ServerState: Codable {
    private static let keys = ["step", "momentum", "secondMoment", "control"]

    /// Reads it strictly: unknown keys, negative steps and second moments, and entries that are not finite are refused.
    public init(from decoder: any Decoder) throws {
        let object = try StrictKeys(decoder)
        try object.only(Self.keys)
        step = try object.value("step")
        momentum = try object.value("momentum")
        secondMoment = try object.value("secondMoment")
        control = try object.value("control")
        guard step >= 0 && step < 1 << 53 else { throw object.refusal("step: expected from 0 to below 2^53") }
        for (name, vector) in [("momentum", momentum), ("secondMoment", secondMoment), ("control", control)] {
            if let position = vector.firstNonFinite {
                throw object.refusal("entry \(position) of \(name): expected a finite number")
            }
        }
        if let position = secondMoment.firstIndex(where: { $0 < 0 }) {
            throw object.refusal("entry \(position) of secondMoment: expected 0 or more")
        }
    }

    /// Writes all that it holds.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(step, forKey: AnyKey("step"))
        try object.encode(momentum, forKey: AnyKey("momentum"))
        try object.encode(secondMoment, forKey: AnyKey("secondMoment"))
        try object.encode(control, forKey: AnyKey("control"))
    }
}
