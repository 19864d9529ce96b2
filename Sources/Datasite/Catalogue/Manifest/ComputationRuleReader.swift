import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance

/// Reads what a policy says of computing with two other sites on shares, beside with whom (``FederationRuleReader``):
/// `joint-computation: {sites: [KEY, KEY], coordinators: [https://rounds.example.org], analyses: [logistic-regression], columns: [age, bmi, died], result: noisy, uses: 10}`.
enum ComputationRuleReader {
    static let keys: Set<String> = ["analyses", "columns", "result", "steps"]

    static func rule(_ rule: YAMLValue, _ keys: [String: YAMLValue]) throws -> ComputationRule {
        func required(_ key: String, _ hint: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw rule.problem("the key `\(key)` is missing", hint: hint) }
            return value
        }
        let analyses = try required("analyses", "what may be computed: [linear-regression, logistic-regression]")
        let result = try required("result", "how results are opened: noisy, or exact (which allows both)")
        return ComputationRule(
            analyses: Set(try list(analyses, atMost: 10).map { try word($0) }),
            columns: try keys["columns"].map {
                Set(try list($0, atMost: 1_000).map { try $0.text("a column's name") })
            },
            allowsExact: try isExact(result), steps: try keys["steps"]?.count(atMost: 1_000) ?? 1_000)
    }

    /// Refuses what can never be asked for, and would be found out only when it is.
    static func check(
        _ read: EngineRule, _ loss: PrivacyLossKind, site: [UInt8]?, at rule: YAMLValue, _ keys: [String: YAMLValue]
    ) throws {
        guard read.uses != nil else {
            throw rule.problem(
                "the key `uses` is missing: without it none is allowed",
                hint: "uses: 10 allows ten computations, for ever")
        }
        if let federation = read.federation, federation.sites.filter({ $0 != site }).count < 2 {
            throw (keys["sites"] ?? rule).problem(
                "names fewer than two other sites, and three compute together",
                hint: "the keys of the sites to compute with: `parley site key` prints a site's")
        }
        if loss == .pure, read.computation?.allowsExact != true {
            throw rule.problem(
                "results have Gaussian noise, and the policy counts pure epsilon",
                hint: "`loss: zcdp` for the policy; or `result: exact`, which promises no epsilon")
        }
    }

    private static func list(_ value: YAMLValue, atMost most: Int) throws -> [YAMLValue] {
        let items = try value.sequence()
        guard (1...most).contains(items.count) else { throw value.problem("expected 1 to \(most)") }
        return items
    }

    private static func word(_ value: YAMLValue) throws -> ComputationRule.Analysis {
        let expected = "one of " + ComputationRule.Analysis.allCases.map(\.rawValue).joined(separator: ", ")
        guard let word = ComputationRule.Analysis(rawValue: try value.text(expected)) else {
            throw value.problem("expected \(expected)")
        }
        return word
    }

    private static func isExact(_ value: YAMLValue) throws -> Bool {
        switch try value.text("noisy or exact") {
        case "noisy": return false
        case "exact": return true
        default: throw value.problem("expected noisy or exact")
        }
    }
}

extension ComputationRule {
    /// For people, and for comparing policies.
    var words: [String] {
        [
            "computes " + analyses.map(\.rawValue).sorted().joined(separator: ", "),
            columns.map { "of " + $0.sorted().joined(separator: ", ") } ?? "of all columns with bounds",
            allowsExact ? "opened with noise, or without" : "opened with noise",
            "at most \(steps) steps",
        ]
    }
}
