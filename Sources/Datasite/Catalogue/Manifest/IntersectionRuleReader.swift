import DatasiteProtocol
import Foundation
import Governance

/// Reads what a policy says of intersecting identifiers with another site's, beside with whom (``FederationRuleReader``):
/// `set-intersection: {sites: [KEY], coordinators: [https://rounds.example.org], columns: [number], output: size, recipients: [here, there], capacity: 100000, uses: 3}`.
enum IntersectionRuleReader {
    static let keys: Set<String> = ["columns", "output", "recipients", "capacity", "guesses", "padding"]

    static func rule(_ rule: YAMLValue, _ keys: [String: YAMLValue]) throws -> IntersectionRule {
        func required(_ key: String, _ hint: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw rule.problem("the key `\(key)` is missing", hint: hint) }
            return value
        }
        let columns = try required(
            "columns", "which columns may be matched: [number], or [[name, birth]] of several together")
        let output = try required("output", "the most that may become known: size, or identifiers")
        let recipients = try required("recipients", "to whom: [here], [there] or [here, there]")
        let capacity = try required(
            "capacity", "the most identifiers that this site brings: as many as the table may hold")
        return IntersectionRule(
            columns: Set(try list(columns, atMost: 1_000).map(together)),
            output: try word(output), recipients: Set(try list(recipients, atMost: 2).map(word)),
            capacity: try count(capacity), guesses: try keys["guesses"].map(count),
            isPadded: try keys["padding"].map(padding) ?? true)
    }

    /// Refuses what can never be asked for, and would be found out only when it is.
    static func check(_ read: EngineRule, site: [UInt8]?, at rule: YAMLValue, _ keys: [String: YAMLValue]) throws {
        guard read.uses != nil else {
            throw rule.problem(
                "the key `uses` is missing: without it none is allowed",
                hint: "uses: 3 allows three sessions, for ever; guesses in all are uses times `guesses`")
        }
        if let federation = read.federation, federation.sites.allSatisfy({ $0 == site }) {
            throw (keys["sites"] ?? rule).problem(
                "names no site but this one",
                hint: "the keys of the sites to intersect with: `parley site key` prints a site's")
        }
    }

    private static func list(_ value: YAMLValue, atMost most: Int) throws -> [YAMLValue] {
        let items = try value.sequence()
        guard (1...most).contains(items.count) else { throw value.problem("expected 1 to \(most)") }
        return items
    }

    private static func together(_ value: YAMLValue) throws -> [String] {
        guard value.isSequence else { return [try value.text("a column's name")] }
        let names = try list(value, atMost: IntersectionRule.mostColumns).map { try $0.text("a column's name") }
        guard Set(names).count == names.count else { throw value.problem("names a column twice") }
        return names.sorted()
    }

    private static func word<Word: RawRepresentable & CaseIterable>(
        _ value: YAMLValue
    ) throws -> Word where Word.RawValue == String {
        let expected = "one of " + Word.allCases.map(\.rawValue).joined(separator: ", ")
        guard let word = Word(rawValue: try value.text(expected)) else { throw value.problem("expected \(expected)") }
        return word
    }

    private static func count(_ value: YAMLValue) throws -> Int {
        let number = try value.integer("a number of identifiers")
        guard (1...IntersectionRule.largestCapacity).contains(number) else {
            throw value.problem(
                "expected 1 to \(IntersectionRule.largestCapacity) identifiers",
                hint: "more do not fit into a message between sites")
        }
        return number
    }

    private static func padding(_ value: YAMLValue) throws -> Bool {
        switch try value.text("capacity or none") {
        case "capacity": return true
        case "none": return false
        default:
            throw value.problem(
                "expected capacity or none", hint: "`none` tells the other site how many identifiers this one has")
        }
    }
}

extension IntersectionRule {
    /// For people, and for comparing policies.
    var words: [String] {
        let matched = columns.map { $0.joined(separator: " with ") }.sorted().joined(separator: ", or ")
        return [
            "matches \(matched)",
            output == .size ? "how many are at both sites" : "which are at both sites",
            "known " + recipients.map(\.rawValue).sorted().joined(separator: " and "),
            "at most \(capacity) identifiers of here" + (isPadded ? "" : ", whose number is told"),
            "at most \(guesses) of there in a session",
        ]
    }
}

extension EngineRule {
    /// What it says of work with other sites, of measuring models, of predicting or of opening rows, for people and for comparing policies.
    var words: [String] {
        if let openedRows { return openedRows.words }
        if let prediction { return prediction.words }
        if let evaluation { return evaluation.words }
        guard let federation else { return [] }
        if let computation { return federation.partners + computation.words }
        guard let intersection else { return federation.words }
        return federation.partners + intersection.words
    }
}
