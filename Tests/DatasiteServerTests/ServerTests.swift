import Crypto
import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation
import Synchronization
import Testing

@testable import DatasiteServer

@Suite("A datasite over HTTP", .timeLimit(.minutes(20)))
struct ServerTests {
    static let json = ["Content-Type": "application/json"]
    let served: ServedSite

    init() throws { served = try ServedSite() }

    private static func text(_ request: AskRequest) throws -> String {
        String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
    }

    @Test("What is public needs no token; everything else does, and a wrong or revoked one is none")
    func authentication() async throws {
        try await served.serve { [served] ports in
            #expect(try await served.raw("GET", "/health", ports).body == #"{"status":"ok"}"#)
            #expect(try await served.raw("GET", "/v1/site", ports).status == 200)
            for endpoint in Endpoint.allCases where endpoint.roles != nil {
                let path = endpoint.template.replacing("{name}", with: "visits").replacing("{id}", with: "x")
                for headers in [[:], ["Authorization": "Bearer parley_wrong"], ["Authorization": "Basic YTpi"]] {
                    let reply = try await served.raw(endpoint.method, path, headers: headers, ports)
                    #expect(try reply.problem().kind == .unauthenticated, "\(endpoint)")
                    #expect(reply.status == 401)
                    #expect(reply.headers["www-authenticate"] == "Bearer")
                }
            }
            #expect(try await served.raw("GET", "/v1/whoami", as: "ada", ports).status == 200)
            try served.site.revokeUser("ada")
            #expect(try await served.raw("GET", "/v1/whoami", as: "ada", ports).status == 401)
        }
    }

    @Test("Each role reaches its routes, and is told who may call the others")
    func roles() async throws {
        try await served.serve { [served] ports in
            for (name, role) in [("ada", Role.researcher), ("olga", .owner), ("aud", .auditor)] {
                for endpoint in Endpoint.allCases {
                    guard let roles = endpoint.roles else { continue }
                    let path = endpoint.template.replacing("{name}", with: "visits").replacing("{id}", with: "x")
                    let reply = try await served.raw(endpoint.method, path, as: name, ports)
                    if roles.contains(role) {
                        // A policy may still not allow what the role may ask for.
                        let isRefused = reply.status == 403 && (try? reply.problem().kind) != .notAllowed
                        #expect(reply.status != 401 && !isRefused, "\(name) \(endpoint)")
                    } else {
                        #expect(try reply.problem().kind == .forbidden, "\(name) \(endpoint)")
                    }
                }
            }
        }
    }

    @Test("An auditor sees that an answer was released, its receipt and the journal, but not the answer")
    func auditor() async throws {
        try await served.serve { [served] ports in
            guard case .released(let released) = try await served.client("ada", ports).ask(ServedSite.question) else {
                Issue.record("not released")
                return
            }
            let auditor = try served.client("aud", ports)
            let id = released.answer.request
            #expect(try await auditor.receipt(id) == released.receipt)
            let trail = try await auditor.audit()
            #expect(trail.contains { $0.actor == "ada" && $0.dataset == "visits" })
            #expect(await failure { _ = try await auditor.answer(id) }.problem?.status == 403)
            let path = "/v1/requests/\(id)"
            for path in [path, "/v1/requests", path + "/receipt", "/v1/audit", "/v1/budget", path + "/answer"] {
                let reply = try await served.raw("GET", path, as: "aud", ports)
                #expect(!reply.body.contains("\"rows\""), "\(path)")
            }
        }
    }

    @Test("Every way to fail is a problem document")
    func problems() async throws {
        try await served.serve { [served] ports in
            func expect(
                _ kind: Problem.Kind, _ status: Int, _ method: String, _ path: String, as name: String? = "ada",
                _ headers: [String: String] = Self.json, _ body: String? = nil
            ) async throws {
                let reply = try await served.raw(method, path, as: name, headers: headers, body: body, ports)
                #expect(try reply.problem().kind == kind, "\(method) \(path): \(reply.body)")
                #expect(reply.status == status, "\(method) \(path)")
            }
            let good = try Self.text(ServedSite.question)
            try await expect(.notFound, 404, "GET", "/nothing")
            try await expect(.notFound, 404, "GET", "/v1/datasets/nothing")
            try await expect(.notFound, 404, "GET", "/v1/requests/nothing")
            try await expect(.methodNotAllowed, 405, "DELETE", "/v1/datasets/visits")
            try await expect(.tooLarge, 414, "GET", "/v1/" + String(repeating: "a", count: 3_000))
            try await expect(
                .invalidRequest, 400, "GET", "/v1/audit?from=" + String(repeating: "1", count: 3_000), as: "aud")
            try await expect(.invalidRequest, 400, "GET", "/v1/audit?from=0", as: "aud")
            try await expect(.invalidRequest, 400, "GET", "/v1/audit?limit=1001", as: "aud")
            try await expect(.invalidRequest, 400, "GET", "/v1/audit?from=1&from=2", as: "aud")
            try await expect(.invalidRequest, 400, "GET", "/v1/audit?form=1", as: "aud")
            try await expect(.unsupportedMediaType, 415, "POST", "/v1/ask", [:], good)
            try await expect(.unsupportedMediaType, 415, "POST", "/v1/ask", ["Content-Type": "text/plain"], good)
            try await expect(.invalidRequest, 400, "POST", "/v1/ask", Self.json, "{")
            try await expect(.invalidRequest, 400, "POST", "/v1/ask", Self.json, #"{"dataset":"visits","sqll":""}"#)
            var headers = Self.json
            headers["Idempotency-Key"] = "not visible"
            try await expect(.invalidRequest, 400, "POST", "/v1/ask", headers, good)
            headers["Idempotency-Key"] = String(repeating: "k", count: 129)
            try await expect(.invalidRequest, 400, "POST", "/v1/ask", headers, good)
            let wrong = try Self.text(
                AskRequest(dataset: "visits", sql: "SELECT nothing FROM visits", budget: .epsilon(1)))
            try await expect(.invalidQuestion, 422, "POST", "/v1/preview", Self.json, wrong)
            let dear = try Self.text(AskRequest(dataset: "visits", sql: ServedSite.sql, budget: .epsilon(11)))
            try await expect(.overBudget, 403, "POST", "/v1/ask", Self.json, dear)
            try await expect(.invalidRequest, 400, "POST", "/v1/requests/x/deny", as: "olga", Self.json, "{}")
            let allowed = try await served.raw("PUT", "/v1/site", ports)
            #expect(allowed.headers["allow"] == "GET, HEAD")
        }
    }

    @Test("What was cached of the catalogue does not outlive a change of it")
    func catalogueChanges() async throws {
        try await served.serve { [served] ports in
            let site = try served.client("ada", ports)
            let before = try await site.dataset("visits").detail()
            #expect(try await site.dataset("visits").detail() == before)
            #expect(before.total?.epsilon == 10)
            try served.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 12}}")
            #expect(try await site.dataset("visits").detail().total?.epsilon == 12)
            // Her own limit is in no body that another is sent.
            try served.site.setPolicy(
                of: "visits", policyText: "{loss: pure, total: {epsilon: 12}, researcher-limits: {ada: {epsilon: 2}}}")
            for _ in 0..<2 {
                #expect(try await site.dataset("visits").detail().ownLimit?.epsilon == 2)
                #expect(try await served.client("aud", ports).dataset("visits").detail().ownLimit == nil)
            }
            try served.site.removeDataset("visits")
            #expect(try await site.datasets().isEmpty)
            #expect(await failure { _ = try await site.dataset("visits").detail() }.problem?.status == 404)
        }
    }

    @Test("HEAD is GET without the body")
    func head() async throws {
        try await served.serve { [served] ports in
            let get = try await served.raw("GET", "/v1/site", ports)
            let head = try await served.raw("HEAD", "/v1/site", ports)
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head.headers["content-length"] == get.headers["content-length"])
        }
    }

    @Test("The whole way: catalogue, preview, mock, ask, receipt, budget, audit")
    func wholeWay() async throws {
        try await served.serve { [served] ports in
            let site = try served.client("ada", ports)
            #expect(try await site.identity() == Identity(name: "ada", role: .researcher))
            #expect(try await site.description() == served.site.description)
            #expect(try await site.datasets().map(\.name) == ["visits"])
            let visits = site.dataset("visits")
            #expect(try await visits.detail().columns.map(\.name) == ["person", "kind", "amount"])
            #expect(try await visits.preview(ServedSite.sql, budget: .epsilon(0.5)).charge.epsilon == 0.5)
            let mock = try await visits.mock(ServedSite.sql, budget: .epsilon(0.5))
            #expect(mock.mock)
            let outcome = try await visits.ask(ServedSite.sql, budget: .epsilon(0.5))
            guard case .released(let released) = outcome else {
                Issue.record("not released")
                return
            }
            #expect(released.answer.rows.count == 3)
            #expect(!released.answer.mock)
            let again = try await site.answer(released.answer.request)
            #expect(again.bytes == released.bytes)
            #expect(again.receiptBytes == released.receiptBytes)
            #expect(try await site.requests().map(\.id) == [released.answer.request])
            #expect(try await site.request(released.answer.request).state == "released")
            let line = try #require(try await site.budget().first?.lines.first)
            #expect(line.spent.epsilon == 0.5)
            #expect(await failure { _ = try await site.audit() }.problem?.status == 403)
            #expect(
                try await served.client("olga", ports).audit().contains { $0.hash == released.receipt.body.journalHash }
            )
        }
    }

    @Test("A synthetic table is fetched whole by all, the same bytes, and not again by who has it; few at a time")
    func synthetic() async throws {
        try await served.serve(limits: ServerLimits(downloads: 0)) { [served] ports in
            let path = "/v1/datasets/visits/synthetic"
            let missing = try await served.raw("GET", path, as: "ada", ports).problem()
            #expect(missing.kind == .notFound && missing.hint?.contains("parley data synthesize visits") == true)
            #expect(try await served.raw("GET", path, ports).status == 401)
            _ = try await served.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
            let busy = try await served.raw("GET", path, as: "ada", ports).problem()
            #expect(busy.status == 503 && busy.detail.contains("synthetic"))
        }
        try await served.serve { [served] ports in
            let path = "/v1/datasets/visits/synthetic"
            let released = try await served.client("ada", ports).dataset("visits").syntheticTable()
            #expect(
                released.answer.columns.map(\.name) == ["person", "kind", "amount"] && !released.answer.rows.isEmpty)
            #expect(released.receipt.body.engine == "synthetic-tables")
            #expect(try await served.client("aud", ports).dataset("visits").syntheticTable().bytes == released.bytes)
            let whole = try await served.raw("GET", path, as: "olga", ports)
            #expect(Array(whole.body.utf8) == released.bytes)
            let tag = try #require(whole.headers["etag"])
            let again = try await served.raw("GET", path, as: "ada", headers: ["If-None-Match": "\"x\", \(tag)"], ports)
            #expect(again.status == 304 && again.body.isEmpty && again.headers["etag"] == tag)
            let head = try await served.raw("HEAD", path, as: "ada", ports)
            #expect(head.status == 200 && head.body.isEmpty && head.headers["etag"] == tag)
            // Nothing more was charged.
            #expect(try await served.client("ada", ports).budget().first?.lines.first?.spent.epsilon == 1)
            // Another table has another tag.
            _ = try await served.site.synthesize(SynthesisRequest(dataset: "visits", budget: .epsilon(1)))
            #expect(try await served.raw("GET", path, as: "ada", headers: ["If-None-Match": tag], ports).status == 200)
        }
    }

    @Test("One idempotency key: one charge and the same bytes; another question under it is a conflict")
    func idempotency() async throws {
        try await served.serve { [served] ports in
            let site = try served.client("ada", ports)
            let answers = try await withThrowingTaskGroup(of: AskOutcome.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await site.ask(ServedSite.question, idempotencyKey: "k") }
                }
                return try await group.reduce(into: Set<AskOutcome>()) { $0.insert($1) }
            }
            #expect(answers.count == 1)
            #expect(try await site.budget().first?.lines.first?.spent.epsilon == 0.5)
            var other = ServedSite.question
            other.budget = .epsilon(0.25)
            let conflict = await failure { _ = try await site.ask(other, idempotencyKey: "k") }
            #expect(conflict.problem?.kind == .conflict)
            _ = try await site.ask(other)
            #expect(try await site.budget().first?.lines.first?.spent.epsilon == 0.75)
        }
    }

    @Test("Work of any kind is asked for by its engine's name; a question that way is the same request")
    func work() async throws {
        try await served.serve { [served] ports in
            let ada = try served.client("ada", ports)
            let question = ServedSite.question
            guard case .released(let asked) = try await ada.ask(question, idempotencyKey: "k"),
                case .released(let work) = try await ada.submit(engine: "questions", question, idempotencyKey: "k"),
                case .released(let again) = try await ada.submit(engine: "questions", question, purpose: "a study")
            else {
                Issue.record("not released")
                return
            }
            #expect(work.bytes == asked.bytes && work.receipt == asked.receipt)
            #expect(again.receipt.body.request != asked.receipt.body.request)
            #expect(try JSONDecoder().decode(Answer.self, from: Data(again.bytes)).rows.count == 3)
            #expect(try await ada.request(again.receipt.body.request).purpose == "a study")
            let table = ["dataset": "visits"]
            let refused = await failure { _ = try await ada.submit(engine: "synthetic-tables", table) }.problem
            #expect(refused?.kind == .forbidden && refused?.detail == "only owners ask for the synthetic table")
            #expect(try await ada.budget()[0].lines[0].spent.epsilon == 1)
        }
    }

    @Test("The log and the metrics hold operations and numbers; no token, SQL, value or path")
    func observation() async throws {
        try await served.serve { [served] ports in
            let site = try served.client("ada", ports)
            guard case .released(let released) = try await site.ask(ServedSite.question, idempotencyKey: "secret-key")
            else {
                Issue.record("not released")
                return
            }
            _ = try await served.raw("GET", "/v1/nothing?token=hidden", as: "ada", ports)
            let metrics = try await served.metrics(ports).body
            #expect(metrics.contains("parley_http_requests_total{operation=\"ask\",status=\"200\"} 1\n"))
            #expect(metrics.contains("parley_http_requests_total{operation=\"none\",status=\"404\"} 1\n"))
            #expect(metrics.contains("parley_http_request_seconds_count{operation=\"ask\"} 1\n"))
            #expect(metrics.contains("parley_released_total 1\n"))
            #expect(metrics.contains("# TYPE parley_connections_open gauge\n"))
            let log = served.log.withLock { $0 }
            #expect(log.contains { $0.contains("\"operation\":\"ask\"") && $0.contains("\"user\":\"ada\"") })
            for line in log {
                #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: String], "\(line)")
            }
            var secrets = ["SELECT", "GROUP", "secret-key", "hidden", "/v1/", released.receipt.signature]
            secrets += ["ada", "olga", "aud"].compactMap { served.token($0) }
            for secret in secrets {
                #expect(!log.contains { $0.contains(secret) }, "\(secret)")
                #expect(!metrics.contains(secret), "\(secret)")
            }
            #expect(try await served.raw("GET", "/metrics", ports).status == 404)
        }
    }

    @Test("Metrics, which tell how long scans took, are for the token in the site's folder alone")
    func metricsToken() async throws {
        try await served.serve { [served] ports in
            for token in ["", "AAAA", try #require(served.token("olga")), String(repeating: "A", count: 43) + "="] {
                let reply = try await served.metrics(ports, token: token)
                #expect(reply.status == 401 && !reply.body.contains("parley_"))
            }
            #expect(try await served.metrics(ports).status == 200)
        }
        let file = served.path + "/metrics.token"
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // The same after a restart; and no start with one that others may read.
        let token = try String(contentsOfFile: file, encoding: .utf8)
        try await served.serve { _ in }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == token)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file)
        let refused = await failure { try await served.serve { _ in } }
        #expect(refused.problem?.detail == "others may read \(file) (mode 640)")
    }

    @Test("Behind a proxy the log names the address that the proxy saw, not what the client claims")
    func proxy() async throws {
        try await served.serve(isBehindProxy: true) { [served] ports in
            let forwarded = ["X-Forwarded-For": "1.2.3.4, 5.6.7.8"]
            _ = try await served.raw("GET", "/health", headers: forwarded, ports)
            #expect(served.log.withLock { $0 }.contains { $0.contains("\"peer\":\"5.6.7.8\"") })
        }
    }

    @Test("Other hosts than loopback need TLS or a proxy")
    func plainHTTP() async throws {
        let configuration = DatasiteServerConfiguration(host: "0.0.0.0", port: 0, handlesSignals: false)
        await #expect(throws: ServerError.plainHTTP(host: "0.0.0.0")) {
            try await serve(configuration, datasite: served.site)
        }
    }

    @Test("A second server on one site is refused, and a port in use is named")
    func secondServer() async throws {
        let other = try ServedSite()
        try await served.serve { [served] ports in
            let second = await failure { try await served.serve { _ in } }
            #expect(second.problem?.status == 409)
            let configuration = DatasiteServerConfiguration(port: ports.http, handlesSignals: false)
            await #expect { try await serve(configuration, datasite: other.site) } throws: {
                guard case .cannotListen(_, ports.http, _) = $0 as? ServerError else { return false }
                return true
            }
        }
    }
}

@Suite("Approval over HTTP", .timeLimit(.minutes(20)))
struct ApprovalOverHTTPTests {
    @Test("A question waits for its owners, is answered after the last approval, and its denial has a reason")
    func approval() async throws {
        let served = try ServedSite(policy: "{loss: pure, total: {epsilon: 10}, approval: {owners: 2}}")
        try await served.serve { ports in
            let ada = try served.client("ada", ports)
            guard case .pending(let pending) = try await ada.ask(ServedSite.question),
                case .pending(let other) = try await ada.ask(ServedSite.question)
            else {
                Issue.record("not pending")
                return
            }
            #expect(await failure { _ = try await ada.approve(pending.id) }.problem?.status == 403)
            #expect(await failure { _ = try await ada.answer(pending.id) }.problem?.status == 409)
            #expect(try await served.client("olga", ports).approve(pending.id).state == "pending")
            #expect(try await served.client("otto", ports).approve(pending.id).state == "released")
            #expect(try await ada.answer(pending.id).answer.rows.count == 3)
            guard case .pending = try await ada.submit(engine: "questions", ServedSite.question) else {
                Issue.record("not pending")
                return
            }
            let denied = try await served.client("olga", ports).deny(other.id, reason: "enough")
            #expect(denied.state == "denied")
            #expect(try await ada.request(other.id).reason == "enough")
        }
    }

    @Test("The owner's command is started for what waits, and its end is logged without what the researcher wrote")
    func notified() async throws {
        let served = try ServedSite(policy: "{loss: pure, total: {epsilon: 10}, approval: owner}")
        let configuration = served.path + "/parley.yaml"
        try Data("notify: [/bin/sh, -c, 'cat > told; echo heard; exit 4']".utf8).write(to: URL(filePath: configuration))
        try await served.serve { [served] ports in
            var question = ServedSite.question
            question.purpose = "private words"
            guard case .pending(let pending) = try await served.client("ada", ports).ask(question) else {
                Issue.record("not pending")
                return
            }
            var line: String?
            while line == nil {
                line = served.log.withLock { log in log.first { $0.contains("notify hook") } }
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(line?.contains(pending.id) == true && line?.contains(#""output":"heard\n""#) == true)
            #expect(line?.contains(#""level":"warning""#) == true && line?.contains("ended with status 4") == true)
            #expect(line?.contains("private words") == false)
            #expect(try String(contentsOfFile: served.path + "/told", encoding: .utf8).contains("private words"))
            #expect(try await served.metrics(ports).body.contains("parley_notices_dropped_total 0\n"))
        }
    }

    @Test("A server does not start with a configuration that others may write")
    func openConfiguration() async throws {
        let served = try ServedSite()
        let path = served.path + "/parley.yaml"
        try Data("notify: [/bin/true]".utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: path)
        let refused = await failure { try await served.serve { _ in } }.problem
        #expect(refused?.kind == .forbidden && refused?.detail.hasPrefix("others may write \(path)") == true)
    }
}
