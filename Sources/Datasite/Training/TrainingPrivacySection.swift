import DifferentialPrivacy
import Learning

/// What a plan says of privacy: `privacy: {unit: patient, clip: 1, noise: 1.1}`. At a datasite the owner's policy says which of it
/// is allowed.
struct TrainingPrivacySection: Sendable, Equatable {
    /// By what the noise is said.
    enum Amount: Sendable, Equatable {
        /// Its standard deviation over the sensitivity.
        case noise(Double)
        /// The least noise for that epsilon over all steps, at the delta that holds.
        case epsilon(Double)
    }

    /// Whom it protects, as the manifest names it.
    var unit: String?
    var clipping: Clipping
    var amount: Amount
    /// On one's own files: for the epsilon. At a datasite it is the policy's.
    var delta: Double?
    /// How many units the sampling rate and the divisor of sums go by: public. nil: the declared capacity.
    var units: Int?

    /// The column that names whom a row belongs to; nil: each row is a unit.
    var unitColumn: String? { unit == "row" ? nil : unit }

    var isAdaptive: Bool { if case .adaptive = clipping { true } else { false } }

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping(["unit", "clip", "noise", "epsilon", "delta", "units"])
        unit = try keys["unit"]?.text("the name of the unit")
        guard let clip = keys["clip"] else { throw value.problem("the key `clip` is missing") }
        clipping = try Self.clipping(clip)
        switch (keys["noise"], keys["epsilon"]) {
        case (let noise?, nil): amount = .noise(try noise.number(within: 0x1p-10...0x1p10))
        case (nil, let epsilon?): amount = .epsilon(try epsilon.number(within: 1e-3...1e3))
        default: throw value.problem("expected `noise` or `epsilon`, one of them")
        }
        delta = try keys["delta"]?.number(within: 1e-15...0.1)
        units = try keys["units"]?.count()
    }

    /// A number, or `{from: 1, quantile: 0.5, rate: 0.2, deviation: 20}`.
    private static func clipping(_ value: YAMLValue) throws -> Clipping {
        let norms = 0x1p-60...0x1p60
        guard value.isMapping else { return .fixed(try value.number(within: norms)) }
        let keys = try value.mapping(["from", "quantile", "rate", "deviation"])
        guard let from = keys["from"], let deviation = keys["deviation"] else {
            throw value.problem("expected a number, or {from: ..., deviation: ...}")
        }
        return .adaptive(
            from: try from.number(within: norms),
            quantile: try keys["quantile"]?.number(within: 0x1p-10...1 - 0x1p-10) ?? 0.5,
            rate: try keys["rate"]?.number(within: 0x1p-20...4) ?? 0.2,
            countDeviation: try deviation.number(within: 0.1...0x1p40))
    }

    /// The noise, steps and rate that hold what the plan promises.
    ///
    /// - Parameters:
    ///   - batch: The units of a step that are expected where there are as many as `units`.
    ///   - dimension: How many values are trained.
    /// - Throws: What no noise reaches, or is out of range.
    func promise(
        batch: Int, steps: Int, units: Int, delta: Double, dimension: Int
    ) throws(MechanismError) -> TrainingPrivacy {
        let rate = min(1, Double(batch) / Double(units))
        switch amount {
        case .noise(let noise):
            return try TrainingPrivacy(
                clipping: clipping, noiseMultiplier: noise, samplingRate: rate, steps: steps, capacity: units,
                dimension: dimension)
        case .epsilon(let epsilon):
            return try .calibrated(
                epsilon: epsilon, delta: delta, clipping: clipping, samplingRate: rate, steps: steps, capacity: units,
                dimension: dimension)
        }
    }
}

extension YAMLValue {
    func number(within range: ClosedRange<Double>) throws -> Double {
        let number = try number()
        guard range.contains(number) else {
            throw problem("expected a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
