public import Foundation

/// A model that a datasite predicts with on shares: what whoever asks has to know before. None of it is secret.
public struct ServedPrediction: Sendable, Hashable, Codable {
    /// Who deals correlations to both, trusted by the model's owner not to collude.
    public struct Dealer: Sendable, Hashable, Codable {
        /// Where it is.
        public var url: String
        /// Its Ed25519 key, 32 bytes.
        public var key: Data

        /// A dealer.
        public init(url: String, key: Data) { (self.url, self.key) = (url, key) }
    }

    /// The dataset whose policy the model has.
    public var dataset: String
    /// The model's name.
    public var model: String
    /// Sixteen bytes that name its weights, in hexadecimal digits.
    public var version: String
    /// What both parties and the dealer make the same program of, in JSON.
    public var terms: Data
    /// Who deals.
    public var dealer: Dealer
    /// The site's Ed25519 key.
    public var site: Data
    /// The most predictions of one request.
    public var rows: Int
    /// SHA-256 of the masked weights, in hexadecimal digits.
    public var weights: String
    /// The least and the largest number of a row, which become 0 and 1 before the model takes them; nil: rows are as the model takes them.
    public var range: [Float]?

    /// A model that is served, by its parts.
    public init(
        dataset: String, model: String, version: String, terms: Data, dealer: Dealer, site: Data, rows: Int,
        weights: String, range: [Float]? = nil
    ) {
        (self.dataset, self.model, self.version, self.terms) = (dataset, model, version, terms)
        (self.dealer, self.site, self.rows, self.weights, self.range) = (dealer, site, rows, weights, range)
    }
}

/// Predictions on shares, as a datasite is asked for them: the body of the engine `prediction`.
public struct PredictionRequest: Sendable, Hashable, Codable {
    /// The engine that is asked.
    public static let engine = "prediction"

    /// The dataset whose policy the model has.
    public var dataset: String
    /// ``ServedPrediction/version``, as whoever asks saw it.
    public var version: String
    /// How many predictions: each is a use.
    public var rows: Int
    /// The key by which the dealer knows whoever asks, 32 bytes, drawn for what was prepared for the request (``PreparationRequest``), in hexadecimal digits.
    public var key: String

    /// A request, by its parts.
    public init(dataset: String, version: String, rows: Int, key: String) {
        (self.dataset, self.version, self.rows, self.key) = (dataset, version, rows, key)
    }
}

/// Predictions that were made on shares: the document of the engine `prediction`. It holds the site's share of the result, which says nothing to anybody but whoever asked.
public struct ReleasedPrediction: Sendable, Hashable, Codable {
    /// The request's id.
    public var request: String
    /// The dataset whose policy the model has.
    public var dataset: String
    /// Its version.
    public var version: String
    /// The model's name.
    public var model: String
    /// Sixteen bytes that name its weights, in hexadecimal digits.
    public var modelVersion: String
    /// How many predictions.
    public var rows: Int
    /// The site's last message: its share of what is opened.
    public var message: Data
    /// What it cost.
    public var charge: Loss
    /// What must be known of it.
    public var notes: [String]
    /// The five parts of structured transparency.
    public var guarantees: Guarantees
    /// Random, so that a digest tells nothing of what it is a digest of.
    public var nonce: String

    /// Predictions, by their parts.
    public init(
        request: String, dataset: String, version: String, model: String, modelVersion: String, rows: Int,
        message: Data, charge: Loss, notes: [String], guarantees: Guarantees, nonce: String
    ) {
        (self.request, self.dataset, self.version) = (request, dataset, version)
        (self.model, self.modelVersion, self.rows, self.message) = (model, modelVersion, rows, message)
        (self.charge, self.notes, self.guarantees, self.nonce) = (charge, notes, guarantees, nonce)
    }
}

/// Whether a site reaches the dealer of its model, and may ask it.
public struct DealerCheck: Sendable, Hashable, Codable {
    /// It does, and it may.
    public var isAdmitted: Bool
    /// What is so, for people.
    public var detail: String

    /// A check, by its parts.
    public init(isAdmitted: Bool, detail: String) { (self.isAdmitted, self.detail) = (isAdmitted, detail) }
}
