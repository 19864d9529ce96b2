/// An event as people write it: an object with its `type` and, in kebab case, what the type needs; units are those of
/// `PrivacyEvent`.
///
/// ```json
/// {"type": "repeated", "times": 10000, "event":
///     {"type": "poisson-sampled", "rate": 0.004, "event": {"type": "gaussian", "noise-multiplier": 1}}}
/// ```
///
/// | type | members |
/// |---|---|
/// | `gaussian`, `laplace` | `noise-multiplier` |
/// | `discrete-gaussian` | `sensitivity-squared`, `sigma` |
/// | `discrete-laplace` | `sensitivity`, `scale` |
/// | `skellam` | `l1-sensitivity`, `sensitivity-squared`, `variance` |
/// | `exponential-mechanism` | `epsilon`, and `times`, which is 1 unless said |
/// | `threshold-selection` | `groups-per-unit`, `sigma`, `threshold`, `delta` |
/// | `pure` | `epsilon` |
/// | `approximate` | `epsilon`, `delta` |
/// | `zero-concentrated` | `rho` |
/// | `poisson-sampled` | `rate`, `event` |
/// | `fixed-size-sampled` | `sample-size`, `population-size`, `event` |
/// | `shuffled` | `local-epsilon`, `count` |
/// | `tree-aggregation` | `noise-multiplier`, `steps` |
/// | `repeated` | `times`, `event` |
/// | `composition` | `events` |
///
/// Decoding is strict: an unknown member, one that is missing and a parameter out of range are refused, each with what
/// would be right.
extension PrivacyEvent: Codable {
    /// From the form of docs/accounting.md. Throws for unknown types and fields, and for numbers out of range.
    public init(from decoder: any Decoder) throws {
        guard decoder.codingPath.count < Self.depthLimit else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "events nest too deeply: expected at most 30 levels"))
        }
        let members = try EventMembers(decoder)
        self = try Self.read(members)
        do {
            try checkOwnParameters()
        } catch {
            throw members.refusal("\(error)")
        }
    }

    private static func read(_ members: EventMembers) throws -> PrivacyEvent {
        switch members.type {
        case "gaussian": return .gaussian(noiseMultiplier: try members.value("noise-multiplier"))
        case "laplace": return .laplace(noiseMultiplier: try members.value("noise-multiplier"))
        case "discrete-gaussian":
            return .discreteGaussian(
                sensitivitySquared: try members.value("sensitivity-squared"), sigma: try members.value("sigma"))
        case "discrete-laplace":
            return .discreteLaplace(sensitivity: try members.value("sensitivity"), scale: try members.value("scale"))
        case "skellam":
            return .skellam(
                l1Sensitivity: try members.value("l1-sensitivity"),
                sensitivitySquared: try members.value("sensitivity-squared"), variance: try members.value("variance"))
        case "exponential-mechanism":
            return .exponentialMechanism(
                epsilon: try members.value("epsilon"), times: try members.value("times", default: 1))
        case "threshold-selection":
            return .thresholdSelection(
                groupsPerUnit: try members.value("groups-per-unit"), sigma: try members.value("sigma"),
                threshold: try members.value("threshold"), delta: try members.value("delta"))
        case "pure": return .pure(epsilon: try members.value("epsilon"))
        case "approximate":
            return .approximate(epsilon: try members.value("epsilon"), delta: try members.value("delta"))
        case "zero-concentrated": return .zeroConcentrated(rho: try members.value("rho"))
        case "shuffled":
            return .shuffled(localEpsilon: try members.value("local-epsilon"), count: try members.value("count"))
        case "tree-aggregation":
            return .treeAggregation(
                noiseMultiplier: try members.value("noise-multiplier"), steps: try members.value("steps"))
        case "poisson-sampled": return .poissonSampled(rate: try members.value("rate"), try members.value("event"))
        case "fixed-size-sampled":
            return .fixedSizeSampled(
                sampleSize: try members.value("sample-size"), populationSize: try members.value("population-size"),
                try members.value("event"))
        case "repeated": return .repeated(try members.value("event"), times: try members.value("times"))
        case "composition": return .composition(try members.value("events"))
        default: throw members.refusal("unknown type \"\(members.type)\": expected one of \(Self.typeList)")
        }
    }

    /// In the form of docs/accounting.md.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: EventMember.self)
        try container.encode(name, forKey: "type")
        switch self {
        case .gaussian(let multiplier), .laplace(let multiplier):
            try container.encode(multiplier, forKey: "noise-multiplier")
        case .discreteGaussian(let sensitivitySquared, let sigma):
            try container.encode(sensitivitySquared, forKey: "sensitivity-squared")
            try container.encode(sigma, forKey: "sigma")
        case .discreteLaplace(let sensitivity, let scale):
            try container.encode(sensitivity, forKey: "sensitivity")
            try container.encode(scale, forKey: "scale")
        case .skellam(let l1Sensitivity, let sensitivitySquared, let variance):
            try container.encode(l1Sensitivity, forKey: "l1-sensitivity")
            try container.encode(sensitivitySquared, forKey: "sensitivity-squared")
            try container.encode(variance, forKey: "variance")
        case .exponentialMechanism(let epsilon, let times):
            try container.encode(epsilon, forKey: "epsilon")
            try container.encode(times, forKey: "times")
        case .thresholdSelection(let groupsPerUnit, let sigma, let threshold, let delta):
            try container.encode(groupsPerUnit, forKey: "groups-per-unit")
            try container.encode(sigma, forKey: "sigma")
            try container.encode(threshold, forKey: "threshold")
            try container.encode(delta, forKey: "delta")
        case .pure(let epsilon): try container.encode(epsilon, forKey: "epsilon")
        case .approximate(let epsilon, let delta):
            try container.encode(epsilon, forKey: "epsilon")
            try container.encode(delta, forKey: "delta")
        case .zeroConcentrated(let rho): try container.encode(rho, forKey: "rho")
        case .poissonSampled(let rate, let event):
            try container.encode(rate, forKey: "rate")
            try container.encode(event, forKey: "event")
        case .fixedSizeSampled(let sampleSize, let populationSize, let event):
            try container.encode(sampleSize, forKey: "sample-size")
            try container.encode(populationSize, forKey: "population-size")
            try container.encode(event, forKey: "event")
        case .shuffled(let localEpsilon, let count):
            try container.encode(localEpsilon, forKey: "local-epsilon")
            try container.encode(count, forKey: "count")
        case .treeAggregation(let multiplier, let steps):
            try container.encode(multiplier, forKey: "noise-multiplier")
            try container.encode(steps, forKey: "steps")
        case .repeated(let event, let times):
            try container.encode(times, forKey: "times")
            try container.encode(event, forKey: "event")
        case .composition(let events): try container.encode(events, forKey: "events")
        }
    }

    /// What each type needs beside `type`; `times` of an exponential mechanism may be left out.
    fileprivate static let memberNames: [String: [String]] = [
        "gaussian": ["noise-multiplier"], "laplace": ["noise-multiplier"],
        "discrete-gaussian": ["sensitivity-squared", "sigma"], "discrete-laplace": ["sensitivity", "scale"],
        "skellam": ["l1-sensitivity", "sensitivity-squared", "variance"],
        "exponential-mechanism": ["epsilon", "times"],
        "threshold-selection": ["groups-per-unit", "sigma", "threshold", "delta"],
        "pure": ["epsilon"], "approximate": ["epsilon", "delta"], "zero-concentrated": ["rho"],
        "poisson-sampled": ["rate", "event"], "fixed-size-sampled": ["sample-size", "population-size", "event"],
        "shuffled": ["local-epsilon", "count"], "tree-aggregation": ["noise-multiplier", "steps"],
        "repeated": ["times", "event"], "composition": ["events"],
    ]

    fileprivate static var typeList: String { memberNames.keys.sorted().joined(separator: ", ") }
}

/// A member's name.
private struct EventMember: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
    init(stringLiteral value: String) { stringValue = value }
}

/// The members of an event's object, all of them known.
private struct EventMembers {
    let type: String
    private let container: KeyedDecodingContainer<EventMember>

    init(_ decoder: any Decoder) throws {
        container = try decoder.container(keyedBy: EventMember.self)
        guard container.contains("type") else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: container.codingPath,
                    debugDescription: "an event has no \"type\": expected one of \(PrivacyEvent.typeList)"))
        }
        type = try container.decode(String.self, forKey: "type")
        guard let known = PrivacyEvent.memberNames[type] else { return }
        for key in container.allKeys.map(\.stringValue).sorted() where key != "type" && !known.contains(key) {
            let names = known.map { "\"\($0)\"" }.joined(separator: ", ")
            throw refusal("unknown member \"\(key)\" of \(type): expected \(names)")
        }
    }

    func value<Value: Decodable>(_ name: EventMember) throws -> Value {
        guard container.contains(name) else { throw refusal("\(type) has no \"\(name.stringValue)\"") }
        do {
            return try container.decode(Value.self, forKey: name)
        } catch let error as DecodingError {
            throw error
        } catch {
            // Foundation's decoder throws an error of its own for a number that the type cannot hold, without a place.
            let isWhole = Value.self is any BinaryInteger.Type
            let expected = isWhole ? "a whole number below 2^63" : "a number of at most 1.8e308"
            throw refusal("\(name.stringValue): expected \(expected)")
        }
    }

    func value<Value: Decodable>(_ name: EventMember, default value: Value) throws -> Value {
        container.contains(name) ? try self.value(name) : value
    }

    func refusal(_ text: String) -> DecodingError {
        .dataCorrupted(.init(codingPath: container.codingPath, debugDescription: text))
    }
}
