import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation
import Logging
import Synchronization
import Testing

@testable import DatasiteServer

/// A datasite with one small made-up table, served on a free port.
final class ServedSite: Sendable {
    let path: String
    let site: Datasite
    let log = Mutex<[String]>([])
    private let tokens = Mutex<[String: String]>([:])

    init(policy: String = "{loss: pure, total: {epsilon: 10}}") throws {
        path = FileManager.default.temporaryDirectory.path + "/parley-served-" + UUID().uuidString
        try Datasite.create(at: path, name: "served")
        site = try Datasite(path: path)
        var rows = "person,kind,amount\n"
        for person in 0..<60 { rows += "\(person),\(["a", "b", "c"][person % 3]),\(person % 100)\n" }
        let file = path + "/visits.csv"
        try Data(rows.utf8).write(to: URL(filePath: file))
        _ = try site.addDataset(
            file: file,
            manifestText: """
                name: visits
                title: Visits
                description: Made up
                population: patients
                unit: {column: person, rows: 1, groups: 1}
                capacity: {rows: 1000, units: 1000}
                policy: \(policy)
                columns:
                  - {name: person, type: integer, nullable: false}
                  - {name: kind, type: category, domain: [a, b, c], nullable: false}
                  - {name: amount, type: integer, bounds: [0, 100], nullable: false}
                """)
        for (name, role) in [("ada", Role.researcher), ("olga", .owner), ("otto", .owner), ("aud", .auditor)] {
            let token = try site.addUser(name, role: role)
            tokens.withLock { $0[name] = token }
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func token(_ name: String) -> String? { tokens.withLock { $0[name] } }

    static let question = AskRequest(dataset: "visits", sql: sql, budget: .epsilon(0.5))
    static let sql = "SELECT kind, COUNT(*) AS n FROM visits GROUP BY kind"

    struct Ports: Sendable {
        var http: Int
        var metrics: Int
    }

    /// Serves while `body` runs. What is logged is kept in `log`.
    func serve(
        certificate: DatasiteServerConfiguration.Certificate? = nil, isBehindProxy: Bool = false,
        limits: ServerLimits = ServerLimits(), _ body: @Sendable (Ports) async throws -> Void
    ) async throws {
        let logger = Logger(label: "test") { label in
            JSONLogHandler(label: label, level: .debug) { line in self.log.withLock { $0.append(line) } }
        }
        let configuration = DatasiteServerConfiguration(
            port: 0, metricsPort: 0, certificate: certificate, isBehindProxy: isBehindProxy, limits: limits,
            handlesSignals: false, logger: logger)
        let (http, httpPort) = AsyncStream<Int>.makeStream()
        let (metrics, metricsPort) = AsyncStream<Int>.makeStream()
        let server = Task {
            defer {
                httpPort.finish()
                metricsPort.finish()
            }
            try await DatasiteServer.serve(
                configuration, datasite: site, onMetrics: { metricsPort.yield($0) }, onListening: { httpPort.yield($0) }
            )
        }
        defer { server.cancel() }
        let ports = (await http.first { _ in true }, await metrics.first { _ in true })
        guard let http = ports.0, let metrics = ports.1 else {
            try await server.value
            return
        }
        try await body(Ports(http: http, metrics: metrics))
        server.cancel()
        _ = try? await server.value
    }

    func client(_ name: String, _ ports: Ports, pinnedKey: String? = nil) throws -> DatasiteClient {
        try DatasiteClient(
            url: "http://127.0.0.1:\(ports.http)", token: token(name), options: ClientOptions(pinnedKey: pinnedKey))
    }

    /// The page of metrics, with the token from the site's folder unless another is given.
    func metrics(_ ports: Ports, token: String? = nil) async throws -> RawResponse {
        let file = path + "/metrics.token"
        let token = try token ?? String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines)
        return RawResponse(
            try await RawConnection.open(port: ports.metrics) { connection in
                try await connection.send(
                    "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer \(token)\r\n\r\n")
                return await connection.readToEnd()
            })
    }

    /// A request in HTTP's own words; the connection is closed after the response.
    func raw(
        _ method: String, _ path: String, as name: String? = nil, headers: [String: String] = [:], body: String? = nil,
        _ ports: Ports
    ) async throws -> RawResponse {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        if let name, let token = token(name) { text += "Authorization: Bearer \(token)\r\n" }
        for (key, value) in headers { text += "\(key): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)" } else { text += "\r\n" }
        let sent = text
        return RawResponse(
            try await RawConnection.open(port: ports.http) { connection in
                try await connection.send(sent)
                return await connection.readToEnd()
            })
    }
}

struct RawResponse: Sendable {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""

    init(_ text: String) {
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        let lines = parts[0].split(separator: "\r\n")
        status = Int(lines.first?.split(separator: " ").dropFirst().first ?? "") ?? 0
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { continue }
            headers[pair[0].lowercased()] = pair[1].trimmingCharacters(in: .whitespaces)
        }
        body = parts.count == 2 ? String(parts[1]) : ""
    }

    /// The problem document, if it is one in every respect.
    func problem() throws -> Problem {
        #expect(headers["content-type"] == "application/problem+json")
        let problem = try JSONDecoder().decode(Problem.self, from: Data(body.utf8))
        #expect(problem.status == status)
        #expect(problem.kind != nil)
        return problem
    }
}

/// The problem or transport error that `body` throws.
func failure(_ body: () async throws -> Void) async -> (problem: Problem?, transport: TransportError?) {
    do {
        try await body()
        return (nil, nil)
    } catch {
        return (error as? Problem, error as? TransportError)
    }
}
