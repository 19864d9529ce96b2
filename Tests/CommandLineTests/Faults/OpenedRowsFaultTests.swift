import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation
import Marketplace
import Secrets
import Testing

/// A server is killed without warning while it opens rows, again and again: each request is charged once, all have the same rows, and what arrived is what is stored
/// (docs/privacy.md, rule 34). `make test` kills 4 times; `make faults` 40 times.
@Suite("Kills while opening rows", .timeLimit(.minutes(20)))
struct OpenedRowsFaultTests {
    private static let kills = ProcessInfo.processInfo.environment["PARLEY_FAULTS"] == nil ? 4 : 40

    @Test(
        "Behind all kills there are as many uses as requests, each with its one answer, and all have the rows that were drawn"
    )
    func kills() async throws {
        let place = try Workplace()
        try place.write(SmallSurvey.csv(people: 300), to: "survey.csv")
        try place.write(SmallSurvey.manifest(epsilon: 10, approval: "automatic"), to: "manifest.yaml")
        #expect(try place.parley("site", "init").status == 0)
        let added = try place.parley("data", "add", "survey.csv", "--manifest", "manifest.yaml", "--yes")
        #expect(added.status == 0, "\(added.all)")
        let shown = try place.parley("data", "commit", "survey", "--columns", "visits,arm", "--json")
        let committed = try JSONDecoder().decode(ValidationCommitment.self, from: Data(shown.output.utf8))
        let words = try place.parley("data", "commit", "survey", "--columns", "visits, arm")
        #expect(words.output.contains("Commitment \(committed.commitment)"), "\(words.all)")
        #expect(words.output.contains("version: \(committed.version)"), "\(words.all)")

        var market = MadeMarket()
        let proof = try market.task(committed: committed.commitment)
        let kept = try place.read("manifest.yaml").split(separator: "\n").first { $0.contains("loss:") } ?? ""
        #expect(!kept.isEmpty)
        let policy = """
            loss: pure
            total: {epsilon: 10}
            engines:
              questions: {}
              opened-rows: {market: \(market.id), operator: \(market.operatorSigner.publicKey), sponsor: \(market.sponsor.publicKey), referees: [ana], columns: [visits, arm], rows: 400, version: \(committed.version), commitment: \(committed.commitment), uses: 1000, approval: automatic}
            """
        try place.write(policy, to: "policy.yaml")
        let set = try place.parley("data", "policy", "survey", "policy.yaml", "--yes")
        #expect(set.status == 0, "\(set.all)")
        let token = try place.parley("user", "add", "ana", "--role", "researcher").output.trimmingCharacters(
            in: .whitespacesAndNewlines)

        let request = OpenedRowsRequest(dataset: "survey", proof: proof)
        var random = SeededGenerator(key: (32, 0, 0, 0), stream: 0)
        var told: [String: [UInt8]] = [:]
        let arrivals = Arrivals()
        for round in 0..<Self.kills {
            let server = try place.serve()
            let client = try DatasiteClient(
                url: server.url, token: token,
                options: ClientOptions(questionTimeout: .seconds(20), timeout: .seconds(20)))
            let asking = Task { () -> [(String, [UInt8])] in
                var answers: [(String, [UInt8])] = []
                for number in 0..<100 {
                    let key = "\(round)-\(number)"
                    guard
                        case .released(let released)? = try? await client.submit(
                            engine: OpenedRowsRequest.engine, request, idempotencyKey: key)
                    else { break }
                    answers.append((key, released.bytes))
                    arrivals.note()
                }
                return answers
            }
            if round == 0 { try await arrivals.first() }
            try await Task.sleep(for: .milliseconds(Int.random(in: 300...2_500, using: &random)))
            server.kill()
            for (key, bytes) in await asking.value { told[key] = bytes }
            try? await client.close()
        }
        let server = try place.serve()
        let client = try DatasiteClient(url: server.url, token: token)
        let draw = OpenedRows.Draw(
            task: market.entries[0].key, checkpoint: .sha256(proof.checkpoint), count: OpenedRows.least)
        guard
            case .released = try await client.submit(
                engine: OpenedRowsRequest.engine, request, idempotencyKey: "undisturbed")
        else { return #expect(Bool(false), "nothing was opened") }
        let requests = try await client.requests(limit: 1_000)
        var answers: Set<[UInt8]> = []
        var rows: Set<[OpenedRow]> = []
        for listed in requests {
            // What a kill cut short is completed now, under its charge.
            let work = try await client.work(listed.id)
            let opened = try JSONDecoder().decode(ReleasedRows.self, from: Data(work.bytes))
            try opened.verify(commitment: committed.commitment, draw: draw)
            answers.insert(work.bytes)
            rows.insert(opened.rows)
        }
        #expect(rows.count == 1 && answers.count == requests.count)
        for (key, bytes) in told {
            #expect(answers.contains(bytes), "\(key) is not there any more")
            guard
                case .released(let again) = try await client.submit(
                    engine: OpenedRowsRequest.engine, request, idempotencyKey: key)
            else { return #expect(Bool(false), "\(key) has no answer") }
            #expect(again.bytes == bytes)
        }
        #expect(told.count > 0 && requests.count >= told.count)
        try await client.close()
        server.kill()
        #expect(try place.parley("verify").status == 0)
        print("\(Self.kills) kills: \(told.count) answers had arrived, \(requests.count - told.count) were completed")
    }
}
