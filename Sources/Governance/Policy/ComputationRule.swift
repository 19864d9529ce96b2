import Tables

/// What a policy says of computing with two other sites on shares, beside with whom: which analyses, of which columns, and whether what comes of them may be opened without noise (docs/privacy.md, rules 33 and 34).
public struct ComputationRule: Sendable, Hashable {
    /// The kind of work that it is of.
    public static let engine: EngineName = "joint-computation"

    /// What is computed.
    public enum Analysis: String, Sendable, Hashable, CaseIterable {
        /// Coefficients that predict a number.
        case linear = "linear-regression"
        /// Coefficients that predict one of two labels.
        case logistic = "logistic-regression"
        /// Statistics of the people who are in two sites' tables.
        case joined = "joined-statistics"
    }

    /// Which analyses may be asked for.
    public var analyses: Set<Analysis>
    /// Which columns may go in; nil: all that have bounds.
    public var columns: Set<String>?
    /// Whether results may be opened without differential privacy: then all sites' owners and whoever asked learn what they tell of rows.
    public var allowsExact: Bool
    /// The most steps of a logistic regression.
    public var steps: Int

    /// A rule, by its parts.
    public init(analyses: Set<Analysis>, columns: Set<String>? = nil, allowsExact: Bool = false, steps: Int = 1_000) {
        (self.analyses, self.columns, self.allowsExact, self.steps) = (analyses, columns, allowsExact, steps)
    }
}

extension ComputationRule {
    /// What of a rule cannot be meant, by what a manifest declares.
    func doubts(of manifest: Manifest) -> [ManifestProblem] {
        let names = Set(manifest.schema.columns.map(\.name))
        return (columns ?? []).subtracting(names).sorted().map {
            ManifestProblem(
                path: "policy.engines.\(Self.engine.rawValue).columns",
                message: "names \($0), and the table has no such column")
        }
    }
}
