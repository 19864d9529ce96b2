import DatasiteProtocol
import Foundation
import Governance

/// Reads what a policy says of predicting with a model on shares: `prediction: {model: chest, version: ID, rows: 32, uses: 10000, uses-per-researcher: 500}`. A use is a prediction.
enum PredictionRuleReader {
    static let keys: Set<String> = ["model", "version", "rows"]

    static func rule(_ rule: YAMLValue, _ keys: [String: YAMLValue]) throws -> PredictionRule {
        let adds = "`parley model add` prints it"
        guard let model = keys["model"] else {
            throw rule.problem("the key `model` is missing", hint: "the model's name at this site: \(adds)")
        }
        guard let version = keys["version"] else {
            throw rule.problem("the key `version` is missing", hint: "which model it is: \(adds)")
        }
        let name = try model.text("a model's name")
        guard Manifest.isName(name) else { throw model.problem("expected a name as datasets have it") }
        let expected = "32 hexadecimal digits"
        guard let bytes = Data(hexadecimal: try version.text(expected)), bytes.count == 16 else {
            throw version.problem("expected \(expected)", hint: adds)
        }
        let rows = try keys["rows"].map { try $0.integer("a number of predictions") } ?? 32
        guard (1...PredictionRule.mostRows).contains(rows) else {
            throw (keys["rows"] ?? rule).problem("expected 1 to \(PredictionRule.mostRows)")
        }
        return PredictionRule(model: name, version: Array(bytes), rows: rows)
    }

    /// Refuses what sets no bound on how much of a model can be copied by asking (docs/privacy.md, rule 33).
    static func check(_ read: EngineRule, at rule: YAMLValue) throws {
        guard read.prediction != nil else { return }
        guard let uses = read.uses, uses <= PredictionRule.mostUses else {
            throw rule.problem(
                "the key `uses` is missing", hint: "the most predictions of all researchers: uses: 10000")
        }
        guard read.usesPerResearcher != nil else {
            throw rule.problem(
                "the key `uses-per-researcher` is missing",
                hint: "whoever asks often enough can copy a model: uses-per-researcher: 500")
        }
    }
}

extension PredictionRule {
    /// For people, and for comparing policies.
    var words: [String] {
        [
            "predicts with the model \(model) (\(hexadecimal(version))), without differential privacy",
            "at most \(rows) predictions at a time",
        ]
    }
}
