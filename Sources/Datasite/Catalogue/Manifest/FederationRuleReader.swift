import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance

/// Reads what a policy says of training together: `federated-training: {sites: [KEY, KEY], coordinators: [https://rounds.example.org]}`, and of questions to several sites.
enum FederationRuleReader {
    /// The keys of a kind of work with other sites; nil: it is none.
    static func keys(_ engine: EngineName) -> Set<String>? {
        switch engine {
        case FederationRule.engine:
            ["sites", "coordinators", "aggregation", "least-honest", "colluders", "rounds", "noise", "clip"]
        case FederationRule.questions: ["sites", "coordinators", "least-honest", "colluders"]
        case IntersectionRule.engine: IntersectionRuleReader.keys.union(["sites", "coordinators"])
        case ComputationRule.engine: ComputationRuleReader.keys.union(["sites", "coordinators"])
        default: nil
        }
    }

    private static let mostListed = 10_000

    static func rule(_ rule: YAMLValue, _ keys: [String: YAMLValue]) throws -> FederationRule {
        func required(_ key: String, _ hint: String) throws -> YAMLValue {
            guard let value = keys[key] else { throw rule.problem("the key `\(key)` is missing", hint: hint) }
            return value
        }
        let sites = try required("sites", "the keys of the sites that may take part: `parley site key` prints a site's")
        let coordinators = try required("coordinators", "where rounds are coordinated: [https://rounds.example.org]")
        return FederationRule(
            sites: Set(try list(sites).map(key)), coordinators: Set(try list(coordinators).map(address)),
            aggregations: try keys["aggregation"].map(aggregations) ?? [.distributedNoise],
            leastHonest: try keys["least-honest"]?.count(atMost: 65_535) ?? 2,
            leastColluders: try keys["colluders"]?.wholeNumber(atMost: 65_535) ?? 1,
            mostRounds: try keys["rounds"]?.count(atMost: 2_000_000), noise: try keys["noise"].map(PolicyReader.range),
            clip: try keys["clip"].map(PolicyReader.range))
    }

    /// Refuses what allows no run at all, and would be found out only when one is asked for.
    static func check(
        _ read: EngineRule, of engine: EngineName, _ loss: PrivacyLossKind, site: [UInt8]?, at rule: YAMLValue,
        _ keys: [String: YAMLValue]
    ) throws {
        guard let federation = read.federation else { return }
        guard engine != IntersectionRule.engine else {
            return try IntersectionRuleReader.check(read, site: site, at: rule, keys)
        }
        guard engine != ComputationRule.engine else {
            return try ComputationRuleReader.check(read, loss, site: site, at: rule, keys)
        }
        let ways = federation.aggregations.sorted { $0.rawValue < $1.rawValue }
        let obstacles = ways.compactMap {
            federation.obstacle(to: $0, uses: read.uses, loss: loss, engine: engine, site: site)
        }
        guard obstacles.count == ways.count, let first = obstacles.first else { return }
        throw (keys[first.key] ?? rule).problem(first.message, hint: first.hint)
    }

    private static func list(_ value: YAMLValue) throws -> [YAMLValue] {
        let items = try value.sequence()
        guard (1...mostListed).contains(items.count) else { throw value.problem("expected 1 to \(mostListed)") }
        return items
    }

    private static func key(_ value: YAMLValue) throws -> [UInt8] {
        guard let key = Data(base64Encoded: try value.text("a site's key")), key.count == 32 else {
            throw value.problem("expected a site's key: 32 bytes in base64", hint: "`parley site key` prints a site's")
        }
        return Array(key)
    }

    private static func address(_ value: YAMLValue) throws -> String {
        let text = try value.text("the address of a coordinator")
        guard let address = CoordinatorAddress(text) else { throw value.problem(CoordinatorAddress.expected) }
        return address.url
    }

    private static func aggregations(_ value: YAMLValue) throws -> Set<FederationRule.Aggregation> {
        let all = FederationRule.Aggregation.allCases
        return Set(
            try list(value).map { item in
                let expected = "one of " + all.map(\.rawValue).joined(separator: ", ")
                guard let word = FederationRule.Aggregation(rawValue: try item.text(expected)) else {
                    throw item.problem("expected \(expected)")
                }
                return word
            })
    }
}

/// Where a coordinator is: a scheme, a host and perhaps a port, and nothing behind them. Plain HTTP goes to this machine alone.
struct CoordinatorAddress: Sendable, Hashable {
    static let expected =
        "expected a coordinator's address, such as https://rounds.example.org, without a path; http:// on this machine alone"

    /// In one form: two that are the same are written the same.
    let url: String

    init?(_ text: String) {
        guard text.utf8.count <= 500, let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            let host = parts.host?.lowercased(), !host.isEmpty, parts.user == nil, parts.password == nil,
            parts.query == nil, parts.fragment == nil, parts.path.isEmpty || parts.path == "/",
            scheme == "https" || scheme == "http" && ["127.0.0.1", "localhost", "::1", "[::1]"].contains(host)
        else { return nil }
        let shown = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        url = "\(scheme)://\(shown)" + (parts.port.map { ":\($0)" } ?? "")
    }
}

extension FederationRule {
    /// With whom, for people.
    var partners: [String] {
        ["with \(sites.count) sites", "coordinated at \(coordinators.sorted().prefix(5).joined(separator: ", "))"]
    }

    /// For people, and for comparing policies.
    var words: [String] {
        var words = partners
        words += [
            aggregations.map(\.rawValue).sorted().joined(separator: " or "),
            "sums of at least \(leastHonest) honest participants and \(leastColluders) colluders",
        ]
        if let mostRounds { words.append("at most \(mostRounds) rounds") }
        for (key, range) in [("noise", noise), ("clip", clip)] {
            guard let range else { continue }
            words.append("\(key) from \(ShortNumber.text(range.lowerBound)) to \(ShortNumber.text(range.upperBound))")
        }
        return words
    }
}
