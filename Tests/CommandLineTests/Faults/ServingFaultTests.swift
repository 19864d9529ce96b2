import DatasiteClient
import DatasiteProtocol
import Foundation
import Secrets
import Testing

/// What a stopwatch shows of requests beside scans. It measures time, so `make faults` alone runs it.
@Suite(
    "Requests beside scans",
    .serialized, .enabled(if: ProcessInfo.processInfo.environment["PARLEY_FAULTS"] != nil, "make faults runs it"))
struct ServingFaultTests {
    private static let people = 20_000
    /// In the table whose scans take so long that one would be noticed by whoever waited for it.
    private static let many = 3_000_000
    /// A text that is dear to compare where it occurs: on the rows of one person alone.
    private static let dear =
        "SELECT COUNT(*) AS n FROM NAME WHERE CASE WHEN person = 'p1' THEN '\(letters)' ELSE '' END LIKE '%\(letters)b'"
    private static let letters = String(repeating: "a", count: 1_500)
    /// One that takes a while on all rows.
    private static let long =
        "SELECT arm, AVG(EXP(LN(1 + visits)) * SQRT(visits)) AS a, VARIANCE(visits * visits) AS v FROM NAME GROUP BY arm"

    private let place: Workplace
    private let server: Workplace.Server
    private let token: String

    /// Two neighbouring tables, `with` and `without` the person p1, and a large one.
    init() throws {
        place = try Workplace()
        #expect(try place.parley("site", "init").status == 0)
        let csv = SmallSurvey.csv(people: Self.people)
        try place.write(csv, to: "with.csv")
        try place.write(
            csv.split(separator: "\n").filter { !$0.hasPrefix("p1,") }.joined(separator: "\n") + "\n", to: "without.csv"
        )
        try place.write(SmallSurvey.csv(people: Self.many), to: "large.csv")
        for (name, people) in [("with", Self.people), ("without", Self.people), ("large", Self.many)] {
            let manifest = SmallSurvey.manifest(name, population: "people-\(name)", epsilon: 1_000_000)
                .replacing("rows: 1000", with: "rows: \(2 * people)").replacing("units: 500", with: "units: \(people)")
            try place.write(manifest, to: name + ".yaml")
            let added = try place.parley("data", "add", name + ".csv", "--manifest", name + ".yaml", "--yes")
            #expect(added.status == 0, "\(added.all)")
        }
        token = try place.parley("user", "add", "ana", "--role", "researcher").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        server = try place.serve(showsMetrics: true)
    }

    private func ask(_ client: DatasiteClient, _ name: String, _ sql: String) async throws {
        // More than the least that a policy lets a question cost.
        let request = AskRequest(dataset: name, sql: sql.replacing("NAME", with: name), budget: .epsilon(101))
        #expect(try await client.ask(request).answer != nil)
    }

    @Test(
        "With every engine busy the catalogue's slowest hundredth takes at most 4 times as long as in quiet, or 10 ms")
    func catalogue() async throws {
        let (server, token) = (server, token)
        @Sendable func slowestHundredth() throws -> Double {
            let probe = try Probe(server.url)
            let times = try (0..<1_000).map { _ in
                Thread.sleep(forTimeInterval: 0.002)
                return try probe.seconds("/v1/datasets", token: token)
            }.sorted()
            return times[times.count * 99 / 100]
        }
        _ = try slowestHundredth()
        let quiet = try slowestHundredth()
        // A client opens 8 connections at most.
        let clients = try (0..<6 * ProcessInfo.processInfo.activeProcessorCount).map { _ in
            try DatasiteClient(url: server.url, token: token)
        }
        let busy = try await withThrowingTaskGroup(of: Void.self) { group in
            // What waits for a thread keeps it busy; how many of them do is looked at before and after.
            for client in Array(repeating: clients, count: 8).joined() {
                group.addTask {
                    do { try await ask(client, "large", Self.long) } catch {
                        if !Task.isCancelled { Issue.record(error) }
                    }
                }
            }
            while try await runningScans() < ProcessInfo.processInfo.activeProcessorCount {}
            let busy = try await Self.onOwnThread { try slowestHundredth() }
            #expect(try await runningScans() == ProcessInfo.processInfo.activeProcessorCount)
            group.cancelAll()
            try await group.waitForAll()
            return busy
        }
        for client in clients { try await client.close() }
        print("catalogue, slowest hundredth: \(quiet * 1e3) ms in quiet, \(busy * 1e3) ms beside scans")
        #expect(busy <= max(4 * quiet, 0.010))
    }

    /// As the owner sees them.
    private func runningScans() async throws -> Int {
        let url = try #require(server.metricsURL)
        let token = try place.read("parley-site/metrics.token").trimmingCharacters(in: .newlines)
        return try await Self.onOwnThread {
            let page = try Probe(url).get("/metrics", token: token).response
            return page.firstMatch(of: /parley_scans_running (\d+)/).flatMap { Int($0.1) } ?? -1
        }
    }

    @Test("2,000 requests timed beside scans of two neighbouring tables do not tell them apart")
    func neighbours() async throws {
        let server = server
        let client = try DatasiteClient(url: server.url, token: token)
        var times: [String: [Double]] = ["with": [], "without": []]
        var random = SeededGenerator(key: (2_000, 0, 0, 0), stream: 0)
        while times.values.contains(where: { $0.count < 1_000 }) {
            let name = Bool.random(using: &random) ? "with" : "without"
            async let answered: Void = ask(client, name, Self.dear)
            let probes = try await Self.onOwnThread {
                let probe = try Probe(server.url)
                return try (0..<20).map { _ in try probe.seconds("/health") }
            }
            try await answered
            times[name]? += probes
        }
        try await client.close()
        let area = Self.areaUnderCurve(times["with"] ?? [], times["without"] ?? [])
        print("probes beside scans of two neighbours: area under the curve \(area)")
        #expect(abs(area - 0.5) < 0.1)
    }

    /// How often one of the first is above one of the second; ties count half.
    private static func areaUnderCurve(_ first: [Double], _ second: [Double]) -> Double {
        let sorted = second.sorted()
        func below(_ value: Double, orEqual: Bool) -> Int {
            var (low, high) = (0, sorted.count)
            while low < high {
                let middle = (low + high) / 2
                if sorted[middle] < value || orEqual && sorted[middle] == value {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            return low
        }
        let wins = first.reduce(0.0) { $0 + Double(below($1, orEqual: false) + below($1, orEqual: true)) / 2 }
        return wins / Double(first.count * sorted.count)
    }

    /// Blocking calls would take one of the threads that the asking tasks run on.
    private static func onOwnThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws
        -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try work() }) }
        }
    }
}
