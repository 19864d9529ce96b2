import DatasiteProtocol
import Governance
import Marketplace

/// Reads what a policy says of opening validation rows to a referee:
/// `opened-rows: {market: NAME, operator: KEY, sponsor: KEY, referees: [rae, rex], columns: [image, ill], rows: 400, version: ID, commitment: DIGEST, uses: 2}`.
enum OpenedRowsRuleReader {
    static let keys: Set<String> = [
        "market", "operator", "sponsor", "referees", "columns", "rows", "version", "commitment",
    ]
    private static let mostListed = 1_000

    static func rule(_ rule: YAMLValue, _ keys: [String: YAMLValue]) throws -> OpenedRowsRule {
        func required(_ key: String, _ hint: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw rule.problem("the key `\(key)` is missing", hint: hint) }
            return value
        }
        let commits = "`parley data commit` prints it"
        let referees = try list(
            required("referees", "the accounts at this site of those who decide disputes: [rae, rex]"))
        let columns = try list(
            required("columns", "the columns and arrays that may be opened, as they were committed to"))
        let rows = try required("rows", "the most rows of a task that are opened: \(OpenedRows.least) at least")
            .integer(
                "a number of rows")
        guard (OpenedRows.least...OpenedRowsRule.mostRows).contains(rows) else {
            throw (keys["rows"] ?? rule).problem(
                "expected \(OpenedRows.least) to \(OpenedRowsRule.mostRows)",
                hint: "a dispute opens \(OpenedRows.least) at least: fewer decide nothing")
        }
        let key = "parley market verify shows the operator's, parley market show everybody's"
        return OpenedRowsRule(
            market: try digest(required("market", "the market's name: parley market verify shows it")),
            operatorKey: try self.key(required("operator", key)), sponsorKey: try self.key(required("sponsor", key)),
            referees: Set(referees), columns: columns, rows: rows,
            version: try required("version", commits).text("a version of the dataset"),
            commitment: try digest(required("commitment", commits)))
    }

    /// Refuses what sets no bound on how often rows are opened.
    static func check(_ read: EngineRule, at rule: YAMLValue) throws {
        guard read.openedRows != nil else { return }
        guard let uses = read.uses, uses <= OpenedRowsRule.mostUses else {
            throw rule.problem(
                "the key `uses` is missing, or above \(OpenedRowsRule.mostUses)",
                hint: "as many as there are referees: uses: 3")
        }
    }

    private static func list(_ value: YAMLValue) throws -> [String] {
        let names = try value.sequence().map { try $0.text("a name") }
        guard (1...mostListed).contains(names.count), Set(names).count == names.count else {
            throw value.problem("expected 1 to \(mostListed) names, each once")
        }
        return names
    }

    private static func digest(_ value: YAMLValue) throws -> [UInt8] {
        let expected = "64 hexadecimal digits"
        guard let digest = Digest256(hex: try value.text(expected)) else { throw value.problem("expected \(expected)") }
        return digest.bytes
    }

    private static func key(_ value: YAMLValue) throws -> [UInt8] {
        let expected = "an Ed25519 key of 64 hexadecimal digits"
        guard let key = PartyKey(hex: try value.text(expected)) else { throw value.problem("expected \(expected)") }
        return key.value.bytes
    }
}

extension OpenedRowsRule {
    /// For people, and for comparing policies.
    var words: [String] {
        [
            "opens \(columns.joined(separator: ", ")) of version \(version), without differential privacy",
            "at most \(rows) rows of a task of the market \(hexadecimal(market).prefix(16))",
            "to \(referees.count) account\(referees.count == 1 ? "" : "s")",
        ]
    }

    /// What owners alone compare.
    var ownersWords: [String] {
        [
            "referees \(referees.sorted().joined(separator: ", "))", "operator \(hexadecimal(operatorKey))",
            "sponsor \(hexadecimal(sponsorKey))", "commitment \(hexadecimal(commitment))",
        ]
    }
}
