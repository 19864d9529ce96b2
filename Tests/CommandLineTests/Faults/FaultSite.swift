import DatasiteClient
import DatasiteProtocol
import Foundation
import Secrets
import Testing

/// One datasite that is started, loaded and killed again and again, with all that it promised.
final class FaultSite: Sendable {
    let place: Workplace
    let promises = Promises()
    let tokens: [String: String]
    private let seed: UInt64

    /// What a question of a dataset costs: a power of two, so that sums are exact.
    static let epsilon = 0.25
    /// The noise of this question is zero but for a chance of 1e-20: it counts rows.
    static let countingEpsilon = 128.0
    /// The tables that `extra` may hold, by their number of rows.
    static let tables = [("small.csv", 120), ("large.csv", 3_000)]

    init(seed: UInt64) throws {
        self.seed = seed
        place = try Workplace()
        try place.write(SmallSurvey.csv, to: "small.csv")
        try place.write(SmallSurvey.csv(people: 1_500), to: "large.csv")
        #expect(try place.parley("site", "init").status == 0)
        for (name, approval) in [("survey", "automatic"), ("reviewed", "owner"), ("extra", "automatic")] {
            // What is held and given back is counted at eight orders.
            let isRenyi = name == "reviewed"
            let manifest = SmallSurvey.manifest(
                name, population: Self.population(name), epsilon: isRenyi ? 1_000 : 1_000_000, approval: approval,
                leastShare: "1e-7"
            ).replacing("loss: pure", with: isRenyi ? "loss: renyi\n  delta: 1e-6" : "loss: pure")
                .replacing("rows: 1000", with: "rows: 5000").replacing("units: 500", with: "units: 2000")
            try place.write(manifest, to: name + ".yaml")
            #expect(try place.parley("data", "add", "small.csv", "--manifest", name + ".yaml", "--yes").status == 0)
        }
        var tokens: [String: String] = [:]
        for (name, role) in [("ana", "researcher"), ("olga", "owner"), ("aud", "auditor")] {
            tokens[name] = try place.parley("user", "add", name, "--role", role).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        self.tokens = tokens
    }

    static func population(_ dataset: String) -> String { "people-of-\(dataset)" }

    /// The request that a key stands for.
    static func request(_ key: String) -> AskRequest {
        let dataset = String(key.prefix { $0 != "-" })
        return AskRequest(
            dataset: dataset, sql: "SELECT arm, COUNT(*) AS n FROM \(dataset) GROUP BY arm", budget: .epsilon(epsilon))
    }

    func client(_ name: String, _ server: Workplace.Server) throws -> DatasiteClient {
        try DatasiteClient(
            url: server.url, token: tokens[name],
            options: ClientOptions(questionTimeout: .seconds(60), timeout: .seconds(60)))
    }

    func run(kills: Int) async throws -> FaultCounts {
        for round in 0..<kills {
            var random = SeededGenerator(key: (seed, UInt64(round), 0, 0), stream: 0)
            // Some kills come before the server listens.
            if Int.random(in: 0..<10, using: &random) == 0 {
                let starting = try place.start(["serve", "--port", "0"])
                try await Task.sleep(for: .microseconds(Int.random(in: 0...80_000, using: &random)))
                starting.killAndWait()
                continue
            }
            let server = try place.serve()
            try await inspect(server, isLast: false)
            try await load(server, round: round, random)
        }
        let server = try place.serve()
        try await inspect(server, isLast: true)
        server.kill()
        var counts = promises.counts
        counts.kills = kills
        return counts
    }
}
