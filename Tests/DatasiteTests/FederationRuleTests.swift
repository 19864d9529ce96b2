import DatasiteProtocol
import Foundation
import Testing

@testable import Datasite

/// What an owner says of training together, before anybody asks.
@Suite("A policy under which no run together is ever allowed is refused, and what of one is in vain is questioned")
struct FederationRuleTests {
    private static func key(_ number: UInt8) -> String { Data(repeating: number, count: 32).base64EncodedString() }

    /// - Parameter keys: How many sites beside the one with the key 0.
    private static func policy(_ rule: String, keys: Int = 2, loss: String = "renyi", delta: String = ", delta: 1e-6")
        -> String
    {
        let sites = (0...keys).map { key(UInt8($0)) }.joined(separator: ", ")
        return """
            loss: \(loss)\(delta.replacing(", ", with: "\n"))
            total: {epsilon: 4}
            engines:
              federated-training:
                sites: [\(sites)]
                coordinators: ["http://127.0.0.1:8900"]
            \(rule.split(separator: "; ").map { "    \($0)" }.joined(separator: "\n"))
            """
    }

    private static let engines = EngineNames(
        all: EngineTable.standard.names.all, site: Array(repeating: UInt8(0), count: 32))

    private func refusal(_ text: String, _ engines: EngineNames? = Self.engines) -> Problem? {
        do {
            _ = try PolicyReader.document(text, engines: engines)
            return nil
        } catch { return error as? Problem }
    }

    private static let impossible: [(rule: String, keys: Int, loss: String, words: String)] = [
        (
            "aggregation: [masked]", 2, "renyi",
            "line 8, column 18: `engines.federated-training.aggregation`: `masked` keeps no epsilon"
        ),
        ("aggregation: [plain, masked]", 2, "renyi", "the key `uses` is missing"),
        (
            "", 2, "zcdp",
            "`engines.federated-training`: `distributed-noise` is charged by `loss: renyi`, and this policy has `loss: zcdp`"
        ),
        (
            "aggregation: [distributed-noise]; uses: 5", 2, "zcdp",
            "federated-training.aggregation`: `distributed-noise` is charged"
        ),
        ("", 0, "renyi", "federated-training.sites`: names no site but this one"),
        ("aggregation: [plain]; uses: 5", 0, "renyi", "names no site but this one"),
        ("colluders: 3", 2, "renyi", "federated-training.colluders`: 3 of 3 sites with this one cannot be in league"),
        (
            "colluders: 2", 2, "renyi",
            "sums of 2 honest sites and 2 more, who knows its own, need 4, and there are 3 sites"
        ),
        ("least-honest: 3", 2, "renyi", "federated-training.least-honest`: sums of 3 honest sites and 1 more"),
        ("least-honest: 3; colluders: 0", 2, "renyi", "sums of 3 honest sites and 1 more"),
        ("", 1, "renyi", "sums of 2 honest sites and 1 more, who knows its own, need 3, and there are 2 sites"),
        ("least-honest: 1; aggregation: [masked]; uses: 5", 1, "renyi", "need 3, and there are 2 sites"),
    ]

    @Test("It is refused at its place in the text, whatever was accepted before", arguments: impossible.indices)
    func refused(_ number: Int) {
        let (rule, keys, loss, words) = Self.impossible[number]
        let text = Self.policy(rule, keys: keys, loss: loss)
        let problem = refusal(text)
        #expect(
            problem?.kind == .invalidManifest && problem?.detail.contains(words) == true, "\(problem?.detail ?? "")")
        #expect(problem?.hint != nil)
        // As stored policies are read.
        #expect(refusal(text, nil) == nil)
    }

    @Test(
        "What can be asked for is accepted",
        arguments: [
            ("", 2, "renyi"), ("least-honest: 1", 1, "renyi"), ("colluders: 0; least-honest: 1", 1, "renyi"),
            ("aggregation: [masked]; uses: 5", 2, "zcdp"), ("aggregation: [plain]; uses: 5; colluders: 9", 1, "zcdp"),
            ("aggregation: [masked, distributed-noise]", 2, "renyi"), ("least-honest: 3; colluders: 2", 4, "renyi"),
        ])
    func accepted(rule: String, keys: Int, loss: String) {
        let problem = refusal(Self.policy(rule, keys: keys, loss: loss))
        #expect(problem == nil, "\(problem?.detail ?? "")")
    }

    @Test("Where one way of several is in vain the owner is asked; the site knows its own key")
    func doubted() throws {
        let test = try TestSite()
        func doubts(_ rule: String, keys: Int = 2) throws -> [String] {
            let text = Self.policy(rule, keys: keys).replacing(Self.key(0), with: test.key)
            return try test.site.consequences(of: .policy(dataset: "visits", policy: text)).doubts
                .filter { $0.contains("federated-training") }
        }
        #expect(try doubts("") == [])
        let words = try doubts("aggregation: [masked, distributed-noise]")
        #expect(words.count == 1, "\(words)")
        #expect(
            words.first?.hasPrefix("`policy.engines.federated-training.aggregation`: `masked` keeps no epsilon") == true
                && words.first?.hasSuffix("no run with `masked` is ever allowed") == true, "\(words)")
        #expect(
            try doubts("least-honest: 1; uses: 5; aggregation: [masked, distributed-noise]", keys: 1).first?.contains(
                "need 3, and there are 2 sites") == true)
        #expect(throws: Problem.self) { try doubts("", keys: 0) }
        let alone = Self.policy("", keys: 0).replacing(Self.key(0), with: test.key)
        do { try test.site.setPolicy(of: "visits", policyText: alone) } catch let problem as Problem {
            #expect(problem.detail.contains("names no site but this one"))
            return
        }
        Issue.record("it was accepted")
    }

    @Test("A name that is none is answered with the one that was probably meant")
    func nearestName() {
        for name in ["federated_training", "Federated-Training", "federated-trainin"] {
            let problem = refusal(Self.policy("").replacing("federated-training:", with: "\(name):"))
            #expect(problem?.hint?.hasPrefix("did you mean federated-training? ") == true, "\(problem?.hint ?? "none")")
        }
    }
}
