/// Why a metric has no value.
public enum MetricError: Error, Equatable, Sendable {
    /// What the model says of some rows is no number.
    case notANumber
    /// There is none for these rows: which metric, and why.
    case undefined(Metric, reason: String)
    /// What is measured does not fit together.
    case mismatch(String)
}

extension MetricError: CustomStringConvertible {
    /// In words.
    public var description: String {
        switch self {
        case .notANumber: "what the model says of some rows is no number: no metric is measured on it"
        case .undefined(let metric, let reason): "\(metric.rawValue) has no value: \(reason)"
        case .mismatch(let what): what
        }
    }
}

/// A number that says how good a model is.
public enum Metric: String, Sendable, Codable, CaseIterable {
    /// The mean loss of a row.
    case loss
    /// The part of rows whose label is the likeliest.
    case accuracy
    /// The mean over labels of the part of their rows that is found.
    case balancedAccuracy = "balanced-accuracy"
    /// The area under the receiver's curve; of several labels, the mean of each against the others.
    case rocAUC = "roc-auc"
    /// Average precision, as scikit-learn has it; of several labels, the mean of each against the others.
    case averagePrecision = "pr-auc"
    /// Matthews' correlation (Gorodkin 2004 for several labels).
    case correlation = "mcc"
    /// The mean over labels of the harmonic mean of precision and recall.
    case f1
    /// The expected calibration error of the likeliest label, in 15 bins (Guo et al. 2017).
    case calibrationError = "calibration-error"
    /// The mean squared error of probabilities (Brier 1950): of two labels of the second's, else summed over labels.
    case brier
    /// Of values.
    case meanSquaredError = "mean-squared-error"
    /// Of values.
    case meanAbsoluteError = "mean-absolute-error"
    /// The part of the variance that is explained; the mean over outputs.
    case r2

    /// Whether more is better.
    public var isBetterHigher: Bool {
        switch self {
        case .loss, .calibrationError, .brier, .meanSquaredError, .meanAbsoluteError: false
        default: true
        }
    }

    /// Whether it is one of labels; of values otherwise; the loss is both.
    public func isMeasured(onLabels: Bool) -> Bool {
        switch self {
        case .loss: true
        case .meanSquaredError, .meanAbsoluteError, .r2: !onLabels
        default: onLabels
        }
    }
}
