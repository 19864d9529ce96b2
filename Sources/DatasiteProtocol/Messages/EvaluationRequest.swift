import Foundation

/// A model that a datasite is asked to measure on rows of its own: the body of the engines `evaluation-feedback` and `evaluation-final`.
public struct EvaluationRequest: Sendable, Hashable {
    /// On which half of the table's units a model is measured: a key of the site divides them, for good.
    public enum Part: String, Sendable, Hashable, Codable, CaseIterable {
        /// While one works on it: the answer is the Ladder's best so far.
        case feedback
        /// At the end: noisy counts of rows that no feedback was ever given on.
        case final

        /// The engine that is asked.
        public var engine: String { "evaluation-\(rawValue)" }
    }

    /// The metric that is measured here: the part of rows whose label the model says.
    public static let accuracy = "accuracy"

    /// The largest file of weights that is measured, in bytes.
    public static let largestWeights = 1 << 20

    /// What goes into the model, and what is true of it, as a plan of training has it under `data`: `{dataset: visits, features: [age, ward], label: ill}`, in YAML or JSON.
    public var data: String
    /// The architecture, in JSON.
    public var model: String
    /// What the model learned: a file of `safetensors`, in base64.
    public var weights: String
    /// What is measured: ``accuracy``.
    public var metric: String
    /// What it may cost: an epsilon or a rho.
    public var budget: Budget

    /// A request, by its parts.
    public init(data: String, model: String, weights: String, metric: String = accuracy, budget: Budget) {
        (self.data, self.model, self.weights) = (data, model, weights)
        (self.metric, self.budget) = (metric, budget)
    }

    /// A request for a model as its files have it.
    ///
    /// - Parameter weights: The bytes of a file of `safetensors`.
    public init(data: String, model: String, weights: [UInt8], budget: Budget) {
        self.init(data: data, model: model, weights: Data(weights).base64EncodedString(), budget: budget)
    }

    /// What goes in, in JSON.
    ///
    /// - Parameters:
    ///   - features: Columns, in the order in which they go in, or one array.
    ///   - label: The column with the labels.
    public static func data(dataset: String, features: [String], label: String) -> String {
        let members: [String: CanonicalJSON] = [
            "dataset": .string(dataset), "features": .array(features.map { .string($0) }), "label": .string(label),
        ]
        return String(decoding: CanonicalJSON.object(members).bytes, as: UTF8.self)
    }
}

extension EvaluationRequest: Codable {
    private enum Key: String, CodingKey { case data, model, weights, metric }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        self.init(
            data: try members.decode(String.self, forKey: .data),
            model: try members.decode(String.self, forKey: .model),
            weights: try members.decode(String.self, forKey: .weights),
            metric: try members.decode(String.self, forKey: .metric), budget: try Budget(from: decoder))
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Key.self)
        try members.encode(data, forKey: .data)
        try members.encode(model, forKey: .model)
        try members.encode(weights, forKey: .weights)
        try members.encode(metric, forKey: .metric)
        try budget.encode(to: encoder)
    }

    /// Reads a request strictly: an unknown key is an error.
    public init(_ members: StrictObject) throws(JSONError) {
        var object = members
        let data = try object.string("data")
        let model = try object.string("model")
        let weights = try object.string("weights")
        let metric = try object.optionalString("metric")
        let budgets = try Budget.taken(from: &object)
        try object.finish()
        self.init(
            data: data, model: model, weights: weights, metric: metric ?? Self.accuracy,
            budget: try Budget.only(of: budgets))
    }
}
