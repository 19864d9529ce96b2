/// As an object: its `kind`, and each of the strategy's parameters by its name; none has a default, so that a stored
/// plan means the same for ever. `{"kind": "fedAvgM", "momentum": 0.9, "rate": 1}`.
extension Strategy: Codable {
    /// Reads it strictly: unknown keys, missing ones, unknown kinds and values out of range are refused.
    public init(from decoder: any Decoder) throws {
        let object = try StrictKeys(decoder)
        let name: String = try object.value("kind")
        guard let kind = Kind(rawValue: name) else {
            let names = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw object.refusal("unknown kind \"\(name)\": expected one of \(names)")
        }
        try object.only(["kind"] + Self.parameters(of: kind))
        self = try Self.decoded(kind, object)
        do { try validate() } catch { throw object.refusal(error.description) }
    }

    /// Writes all parameters.
    public func encode(to encoder: any Encoder) throws {
        try validate()
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(kind.rawValue, forKey: AnyKey("kind"))
        func put(_ values: [any Encodable]) throws {
            for (name, value) in zip(Self.parameters(of: kind), values) {
                try object.encode(value, forKey: AnyKey(name))
            }
        }
        switch self {
        case .fedAvg, .coordinateMedian: break
        case .fedSGD(let rate), .scaffold(let rate): try put([rate])
        case .fedAvgM(let rate, let momentum): try put([rate, momentum])
        case .fedProx(let mu): try put([mu])
        case .fedAdam(let step), .fedYogi(let step): try put([step.rate, step.beta1, step.beta2, step.tau])
        case .fedBuff(let rate, let buffer, let exponent): try put([rate, buffer, exponent])
        case .trimmedMean(let trim): try put([trim])
        case .multiKrum(let byzantine, let kept): try put([byzantine, kept])
        case .centredClipping(let radius, let iterations): try put([radius, iterations])
        }
    }

    private static func decoded(_ kind: Kind, _ object: StrictKeys) throws -> Strategy {
        switch kind {
        case .fedSGD: .fedSGD(rate: try object.value("rate"))
        case .fedAvg: .fedAvg
        case .fedAvgM: .fedAvgM(rate: try object.value("rate"), momentum: try object.value("momentum"))
        case .fedProx: .fedProx(mu: try object.value("mu"))
        case .fedAdam: .fedAdam(try AdaptiveStep(object))
        case .fedYogi: .fedYogi(try AdaptiveStep(object))
        case .scaffold: .scaffold(rate: try object.value("rate"))
        case .fedBuff:
            .fedBuff(
                rate: try object.value("rate"), buffer: try object.value("buffer"),
                exponent: try object.value("exponent"))
        case .coordinateMedian: .coordinateMedian
        case .trimmedMean: .trimmedMean(trim: try object.value("trim"))
        case .multiKrum: .multiKrum(byzantine: try object.value("byzantine"), kept: try object.value("kept"))
        case .centredClipping:
            .centredClipping(radius: try object.value("radius"), iterations: try object.value("iterations"))
        }
    }

    /// The names of a kind's parameters, in the order of its case.
    static func parameters(of kind: Kind) -> [String] {
        switch kind {
        case .fedAvg, .coordinateMedian: []
        case .fedSGD, .scaffold: ["rate"]
        case .fedAvgM: ["rate", "momentum"]
        case .fedProx: ["mu"]
        case .fedAdam, .fedYogi: ["rate", "beta1", "beta2", "tau"]
        case .fedBuff: ["rate", "buffer", "exponent"]
        case .trimmedMean: ["trim"]
        case .multiKrum: ["byzantine", "kept"]
        case .centredClipping: ["radius", "iterations"]
        }
    }
}

extension AdaptiveStep {
    fileprivate init(_ object: StrictKeys) throws {
        self.init(
            rate: try object.value("rate"), beta1: try object.value("beta1"), beta2: try object.value("beta2"),
            tau: try object.value("tau"))
    }
}
