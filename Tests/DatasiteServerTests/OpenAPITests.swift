import DatasiteProtocol
import Foundation
import Testing
import TransparencyLog
import Yams

@testable import DatasiteServer

@Suite("openapi.yaml describes this server, no more and no less")
struct OpenAPITests {
    let document: [String: Any]

    init() throws {
        let text = try String(
            contentsOf: Fixture.repository.appending(path: "docs/openapi.yaml"), encoding: .utf8)
        document = try #require(try Yams.load(yaml: text) as? [String: Any])
    }

    @Test("The document is valid OpenAPI 3.1, in the judgement of another's validator")
    func validity() throws {
        let process = BegunProcess()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "bash", Fixture.repository.appending(path: "scripts/with-pypi").path, "openapi-spec-validator==0.9.0", "--",
            "openapi-spec-validator", Fixture.repository.appending(path: "docs/openapi.yaml").path,
        ]
        let output = Pipe()
        (process.standardOutput, process.standardError) = (output, output)
        try process.begin()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationStatus == 69 {
            withKnownIssue("openapi.yaml was NOT validated: no Python, or no way to PyPI") { Issue.record("\(text)") }
        } else {
            #expect(process.terminationStatus == 0, "\(text)")
        }
    }

    @Test("No comma or colon in a description made a key of the words after it")
    func keys() throws {
        func check(_ value: Any, at path: String) {
            if let object = value as? [String: Any] {
                for (key, value) in object {
                    #expect(!key.contains(" ") && !key.hasSuffix("."), "\(path)/\(key)")
                    check(value, at: path + "/" + key)
                }
            }
            for (index, value) in ((value as? [Any]) ?? []).enumerated() { check(value, at: "\(path)/\(index)") }
        }
        check(document, at: "")
    }

    @Test("The server that is named is where parley serves unless told otherwise")
    func port() throws {
        let servers = try #require(document["servers"] as? [[String: Any]])
        #expect(servers.first?["url"] as? String == "http://127.0.0.1:\(DatasiteServerConfiguration().port)")
    }

    @Test("Every route is described, under its name, and nothing else is")
    func routes() throws {
        var described: [String: String] = [:]
        for (path, item) in try object("paths") {
            for (method, operation) in try #require(item as? [String: Any]) where method != "parameters" {
                let name = try #require((operation as? [String: Any])?["operationId"] as? String)
                described[name] = "\(method.uppercased()) \(path)"
            }
        }
        let served = Dictionary(
            uniqueKeysWithValues: Endpoint.allCases.map { ($0.rawValue, "\($0.method) \($0.template)") })
        #expect(described == served)
    }

    @Test("Whether a route needs a token is described as it is served")
    func security() throws {
        for operation in Endpoint.allCases {
            let described = try self.operation(operation)["security"] as? [Any]
            #expect((described?.isEmpty ?? false) == (operation.roles == nil), "\(operation)")
        }
    }

    @Test("The query of each route is described")
    func query() throws {
        for operation in Endpoint.allCases {
            let parameters = try self.operation(operation)["parameters"] as? [[String: Any]] ?? []
            let names = parameters.filter { $0["in"] as? String == "query" }.compactMap { $0["name"] as? String }
            #expect(Set(names) == operation.queryKeys, "\(operation)")
        }
    }

    @Test(
        "Every example of a response is a whole message: read and written again, it is the same",
        arguments: Endpoint.allCases)
    func responses(_ operation: Endpoint) throws {
        let responses = try #require(try self.operation(operation)["responses"] as? [String: Any])
        var checked = 0
        for (status, response) in responses where !["default", "204", "304"].contains(status) {
            let content = try #require((response as? [String: Any])?["content"] as? [String: Any])
            for example in try examples(of: content) {
                try check(example, operation, status)
                checked += 1
            }
        }
        // A reply without a body has no example.
        #expect(checked >= 1 || Set(responses.keys) == ["204", "default"])
    }

    @Test("The examples of requests and problems are read as the server reads them")
    func requests() throws {
        let question = try example("Question")
        _ = try AskRequest(decoding: Array(try JSONSerialization.data(withJSONObject: question)))
        let work = try WorkRequest(decoding: Array(try JSONSerialization.data(withJSONObject: try example("Work"))))
        _ = try AskRequest(work.request)
        let decision = try #require(
            try value("components", "requestBodies", "Decision", "content", "application/json", "example"))
        _ = try DecisionRequest(decoding: Array(try JSONSerialization.data(withJSONObject: decision)))
        try same(Problem.self, try example("OverBudget"))
    }

    @Test("The example of a receipt is a true one")
    func receipt() throws {
        let data = try JSONSerialization.data(withJSONObject: try example("Receipt"))
        try ReceiptVerifier(publicKey: Fixture.goldenKey).verify(try Receipt(decoding: Array(data)))
    }

    @Test(
        "The schemas name each key of the messages, as required where it always is",
        arguments: [
            ("Receipt", "body", "ReceiptBody"), ("Answer", nil, "Answer"), ("PendingRequest", nil, "RequestSummary"),
        ])
    func schemas(_ example: String, _ key: String?, _ schema: String) throws {
        var message = try self.example(example)
        if let key { message = try #require(message[key] as? [String: Any]) }
        let properties = try #require(try value("components", "schemas", schema, "properties") as? [String: Any])
        let required = try #require(try value("components", "schemas", schema, "required") as? [String])
        #expect(Set(message.keys).isSubset(of: properties.keys))
        #expect(Set(required).isSubset(of: message.keys))
    }

    @Test("The types of problems that the server raises are listed")
    func problems() throws {
        let text = try #require(try value("components", "responses", "Problem", "description") as? String)
        let raised: [Problem] = [
            .malformedRequest, .headersTooLarge, .targetTooLong, .bodyTooLarge(1_000), .tooManyConnections,
            .unauthenticated,
            .notFound, .internalError, .unsupportedMediaType, .requestTimeout(""), .invalidRequest(""),
            .forbidden(.auditor, allowed: []), .methodNotAllowed([]),
        ]
        for problem in raised {
            #expect(text.contains(String(problem.status)), "\(problem.status)")
        }
        // What only an owner at her own machine is told does not go over the wire.
        for kind in Problem.Kind.allCases where ![.invalidManifest, .invalidData].contains(kind) {
            #expect(text.contains("`\(kind.rawValue)` (\(kind.status)"), "\(kind)")
        }
    }

    // MARK: -

    private func check(_ example: Any, _ operation: Endpoint, _ status: String) throws {
        switch operation {
        case .health: #expect(example as? [String: String] == ["status": "ok"])
        case .site: try same(SiteDescription.self, example)
        case .whoami: try same(Identity.self, example)
        case .listDatasets: try same([DatasetSummary].self, example)
        case .getDataset: try same(DatasetDetail.self, example)
        case .preview, .previewWork: try same(Preview.self, example)
        case .ask where status == "202", .submit where status == "202": try same(RequestSummary.self, example)
        case .ask, .submit, .mock, .getAnswer, .getSynthetic: try same(Answer.self, example)
        case .listRequests: try same([RequestSummary].self, example)
        case .getRequest, .approve, .deny: try same(RequestSummary.self, example)
        case .getEvents:
            // An event of a stream, whose data is JSON as text.
            let event = try #require(example as? [String: String])
            let data = Data(try #require(event["data"]).utf8)
            try same(RequestEvent.self, try JSONSerialization.jsonObject(with: data))
            let read = try JSONDecoder().decode(RequestEvent.self, from: data)
            #expect(event["id"] == "\(read.number)" && event["event"] == read.state.rawValue)
        case .listJobs: try same([JobSummary].self, example)
        case .cancelJob: try same(JobSummary.self, example)
        case .getReview: try same(RequestReview.self, example)
        case .getReceipt:
            let data = try JSONSerialization.data(withJSONObject: example)
            let written = try Receipt(decoding: Array(data)).encoded
            #expect(try JSONSerialization.jsonObject(with: Data(written)) as? NSObject == example as? NSObject)
        case .getProof:
            let bytes = Array(try #require(example as? String).utf8)
            let proof = try LogProof(parsing: bytes)
            #expect(proof.bytes == bytes)
            let carried = try ReceiptProof(decoding: proof.extra ?? [])
            try proof.inclusion.verify(.leaf(carried.entry.bytes), at: proof.index, in: proof.checkpoint.head)
            try ReceiptVerifier(publicKey: carried.receipt.body.publicKey).verify(carried.receipt)
        case .getCheckpoint, .compareCheckpoint:
            let bytes = Array(try #require(example as? String).utf8)
            #expect(try SignedCheckpoint(parsing: bytes).bytes == bytes)
        // Bytes, of which an example says what they are.
        case .getTile, .getMaskedWeights, .exchangeRound:
            #expect((example as? String)?.isEmpty == false)
        case .getPrediction: try same(ServedPrediction.self, example)
        case .checkDealer: try same(DealerCheck.self, example)
        case .prepare, .cancelPreparation: try same(Preparation.self, example)
        case .compareOpening: Issue.record("it has no body")
        case .checkPreparation: try same(OpeningProof.self, example)
        case .listPreparations: try same([Preparation].self, example)
        case .budget: try same([BudgetReport].self, example)
        case .audit: try same([AuditEntry].self, example)
        }
    }

    private func same<Message: Codable>(_ type: Message.Type, _ example: Any) throws {
        let data = try JSONSerialization.data(withJSONObject: example)
        let written = try JSONEncoder().encode(try JSONDecoder().decode(type, from: data))
        let read = try JSONSerialization.jsonObject(with: data) as? NSObject
        #expect(read == (try JSONSerialization.jsonObject(with: written) as? NSObject), "\(type)")
    }

    private func examples(of content: [String: Any]) throws -> [Any] {
        let types = ["application/json", "text/event-stream", "text/plain", "application/octet-stream"]
        let json = try #require(types.compactMap { content[$0] }.first as? [String: Any])
        if let example = json["example"] { return [example] }
        let references = try #require(json["examples"] as? [String: [String: String]])
        return try references.values.map { reference in
            let name = try #require(reference["$ref"]?.split(separator: "/").last)
            return try example(String(name))
        }
    }

    private func example(_ name: String) throws -> [String: Any] {
        try #require(try value("components", "examples", name, "value") as? [String: Any])
    }

    private func operation(_ operation: Endpoint) throws -> [String: Any] {
        let item = try #require(try object("paths")[operation.template] as? [String: Any])
        return try #require(item[operation.method.lowercased()] as? [String: Any])
    }

    private func object(_ key: String) throws -> [String: Any] {
        try #require(document[key] as? [String: Any])
    }

    private func value(_ path: String...) throws -> Any? {
        var value: Any = document
        for key in path { value = try #require((value as? [String: Any])?[key], "\(path)") }
        return value
    }
}
