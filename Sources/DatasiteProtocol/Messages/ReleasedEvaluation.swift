/// How good a model is on rows of a datasite: the document of the engines `evaluation-feedback` and `evaluation-final`. A receipt's answer digest is SHA-256 over these bytes as sent.
public struct ReleasedEvaluation: Sendable, Hashable, Codable {
    /// What the Ladder says: as much as it tells, and no more.
    public struct Feedback: Sendable, Hashable, Codable {
        /// The best share of right answers so far of whoever asked, rounded to the step; nil: none was better than the step yet.
        public var best: Double?
        /// Whether it is this model's.
        public var isImproved: Bool
        /// A better score is told only where it is better by more.
        public var step: Double
        /// The number of this evaluation among hers of this label and version, from 1.
        public var number: Int64

        /// Feedback, by its parts.
        public init(best: Double?, isImproved: Bool, step: Double, number: Int64) {
            (self.best, self.isImproved, self.step, self.number) = (best, isImproved, step, number)
        }
    }

    /// Noisy counts of the final half.
    public struct Final: Sendable, Hashable, Codable {
        /// How many rows' labels the model says, with noise.
        public var right: Int64
        /// How many rows there are, with noise.
        public var rows: Int64
        /// The first over the second, from 0 to 1; nil where the noise leaves no rows.
        public var share: Double?
        /// The share's standard error by the noise and by the rows' number together; nil where there is no share.
        public var standardError: Double?
        /// The part of it that is the noise's.
        public var noiseError: Double?

        /// Counts, and what follows from them.
        public init(right: Int64, rows: Int64, share: Double?, standardError: Double?, noiseError: Double?) {
            (self.right, self.rows, self.share) = (right, rows, share)
            (self.standardError, self.noiseError) = (standardError, noiseError)
        }
    }

    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// Its version.
    public var version: String
    /// The column with the labels.
    public var label: String
    /// What was measured.
    public var metric: String
    /// SHA-256 of the file of weights as it was sent, in hexadecimal digits.
    public var weights: String
    /// Of the part `feedback`.
    public var feedback: Feedback?
    /// Of the part `final`.
    public var final: Final?
    /// The standard deviation of the noise of each of both counts, of right rows and of others: public, from the plan.
    public var noiseDeviation: Double
    /// What it cost.
    public var charge: Loss
    /// What must be known of it.
    public var notes: [String]
    /// The five parts of structured transparency.
    public var guarantees: Guarantees
    /// Random, so that a digest tells nothing of what it is a digest of.
    public var nonce: String

    /// An evaluation, by its parts.
    public init(
        request: String, dataset: String, version: String, label: String, metric: String, weights: String,
        feedback: Feedback?, final: Final?, noiseDeviation: Double, charge: Loss, notes: [String],
        guarantees: Guarantees, nonce: String
    ) {
        (self.request, self.dataset, self.version, self.label) = (request, dataset, version, label)
        (self.metric, self.weights, self.feedback, self.final) = (metric, weights, feedback, final)
        (self.noiseDeviation, self.charge, self.notes) = (noiseDeviation, charge, notes)
        (self.guarantees, self.nonce) = (guarantees, nonce)
    }
}
