import DatasiteClient
import DatasiteProtocol
import Foundation
import Logging
import Query
import Tables
import Testing

@testable import Datasite
@testable import DatasiteServer

/// Neighbouring tables behind real servers, asked the same by turns: how long an answer takes must not tell them apart.
///
/// Turns are drawn anew for each pair of asks, so whatever else the machine does falls on both alike. All verdicts of a
/// run together are wrong about a sound server with a probability of at most 1e-6. Only in `make audit`: it reads the clock.
@Suite(
    "How long a server takes to answer does not depend on the rows", .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["PARLEY_AUDIT"] == "deep", "only in make audit"))
struct TimingAuditTests {
    static let asks = 500

    /// Two tables and a question that would tell them apart by its work.
    struct Channel: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var tables: [[Int]]
        var rowsPerUnit = 1
        var capacity = 2_500
        var sql: String
        var joins = false
        /// Where keys are discovered, so small that none is released: answers of another size would take another time.
        var rho = 100.0
    }

    /// A balanced tree: a chain would be nested too deep.
    private static func joined(_ terms: [String], _ symbol: String) -> String {
        guard terms.count > 1 else { return terms.first ?? "" }
        let half = terms.count / 2
        return "(\(joined(Array(terms[..<half]), symbol)) \(symbol) \(joined(Array(terms[half...]), symbol)))"
    }

    static let channels: [Channel] = {
        let letters = String(repeating: "a", count: 10_000)
        let people = Array(0..<2_000)
        let exponentials = joined((1...300).map { "EXP(v / \($0).5)" }, "+")
        let casts = joined((1...150).map { "CAST(IF(v < \($0 + 7), id, \($0)) AS TEXT) = 'q'" }, "OR")
        return [
            Channel(
                testDescription: "one person's row makes a text long that is dear to match",
                tables: [people, people + [125_024]],
                sql:
                    "SELECT COUNT(*) FROM t WHERE CASE WHEN id = 125024 THEN '\(letters)' ELSE '' END LIKE '%\(letters)b%'"
            ),
            Channel(
                testDescription: "a quarter of the rows under one manifest",
                tables: [Array(0..<500), people], sql: "SELECT COUNT(*) FROM t WHERE \(exponentials) > 3"),
            Channel(
                testDescription: "a join in which one person has many pairs",
                tables: [people, people + [Int](repeating: 125_024, count: 30)], rowsPerUnit: 30,
                sql: "SELECT COUNT(*) FROM t JOIN s USING (id) WHERE EXP(t.v) + EXP(s.v) > LN(t.v + 2)", joins: true),
            Channel(
                testDescription: "texts that are computed from rows that satisfy a condition",
                tables: [Array(repeating: 0, count: 1), people], sql: "SELECT COUNT(*) FROM t WHERE \(casts)"),
            Channel(
                testDescription: "keys to discover, all alike or all different",
                tables: [Array(0..<20), people], sql: "SELECT v, COUNT(*) FROM t GROUP BY v", rho: 0.05),
        ]
    }()

    @Test("A classifier of times does no better than chance", arguments: channels)
    func indistinguishable(channel: Channel) async throws {
        let verdict = try await Self.compare(channel)
        print("\(channel.testDescription): \(verdict)")
        #expect(!verdict.isTold, "\(channel.testDescription): \(verdict)")
    }

    @Test("A slot from the declared capacity alone is caught")
    func capacityAlone() async throws {
        // One table takes a few milliseconds to scan, the other more than a hundred; such a slot has some fifty.
        let exponentials = Self.joined((1...400).map { "EXP(v / \($0).5)" }, "+")
        let channel = Channel(
            testDescription: "most rows under one manifest", tables: [Array(0..<500), Array(0..<20_000)],
            capacity: 20_000, sql: "SELECT COUNT(*) FROM t WHERE \(exponentials) > 3")
        let verdict = try await Self.compare(channel, asks: 100) { configuration, _ in
            configuration.slot = { _, _ in TimeSlot(bound: .milliseconds(12)) }
        }
        #expect(verdict.isTold, "\(verdict)")
    }

    @Test("A shift of one millisecond is caught")
    func shift() async throws {
        var channel = Self.channels[4]
        channel.tables = [Array(0..<20), Array(0..<20)]
        channel.sql = "SELECT COUNT(*) FROM t"
        let verdict = try await Self.compare(channel) { configuration, side in
            guard side == 1 else { return }
            let sleep = configuration.clock.sleepUntil
            configuration.clock.sleepUntil = { await sleep($0 + .milliseconds(1)) }
        }
        #expect(verdict.isTold, "\(verdict)")
    }

    // MARK: - Asking by turns

    /// Asks both, and takes the times of answers: a question that waits for an owner would tell nothing. So answers that
    /// were late, as on a busy machine some are, are forgiven before each question, as an owner does who approves one.
    private static func compare(
        _ channel: Channel, asks: Int = asks,
        _ change: @Sendable (inout Datasite.Configuration, Int) -> Void = { _, _ in }
    ) async throws -> Verdict {
        var made: [AuditedSite] = []
        for (side, ids) in channel.tables.enumerated() {
            var configuration = Datasite.Configuration()
            change(&configuration, side)
            made.append(try AuditedSite(ids, channel, configuration))
        }
        let sites = made
        let (first, second) = (sites[0], sites[1])
        let times = Times()
        try await first.serve { a in
            try await second.serve { b in
                for ask in 0..<(asks + 10) {
                    // The first asks warm caches; which neighbour comes first is drawn anew.
                    let order = Bool(UInt8.random) ? [(0, a), (1, b)] : [(1, b), (0, a)]
                    for (side, client) in order {
                        try sites[side].forgive()
                        let start = ContinuousClock.now
                        let result = try await client.ask(
                            AskRequest(dataset: "t", sql: channel.sql, budget: .rho(channel.rho)))
                        guard case .released = result else { throw NoAnswer() }
                        if ask >= 10 { await times.add((ContinuousClock.now - start) / .milliseconds(1), side) }
                    }
                }
            }
        }
        return Verdict(await times.sides)
    }

    private struct NoAnswer: Error {}

    private actor Times {
        var sides: [[Double]] = [[], []]
        func add(_ milliseconds: Double, _ side: Int) { sides[side].append(milliseconds) }
    }

    /// Whether two samples of times are told apart.
    struct Verdict: CustomStringConvertible {
        /// Standard deviations from chance: of a threshold that one half of the samples chose and the other half tested,
        /// and of the rank sum.
        var threshold: Double
        var ranks: Double
        var medians: [Double]

        /// 5.7 standard deviations: 1.2e-8 for each of two, on two sides, for a dozen comparisons.
        var isTold: Bool { max(threshold, abs(ranks)) > 5.7 }

        var description: String { "threshold \(threshold), ranks \(ranks) standard deviations; medians \(medians) ms" }

        init(_ sides: [[Double]]) {
            medians = sides.map { $0.sorted()[$0.count / 2] }
            let all = sides.enumerated().flatMap { side, times in times.map { (time: $0, side: side) } }
            let sorted = all.sorted { $0.time < $1.time }
            let sum = sorted.enumerated().reduce(0.0) { $0 + ($1.element.side == 0 ? Double($1.offset + 1) : 0) }
            let (n, m) = (Double(sides[0].count), Double(sides[1].count))
            ranks = (sum - n * (n + m + 1) / 2) / (n * m * (n + m + 1) / 12).squareRoot()
            threshold = Self.threshold(sides)
        }

        private static func threshold(_ sides: [[Double]]) -> Double {
            let halves = sides.map { times in
                (
                    times.enumerated().filter { $0.offset % 2 == 0 }.map(\.element),
                    times.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
                )
            }
            func right(_ cut: Double, _ isAbove: Bool, _ sides: [[Double]]) -> Int {
                sides[0].filter { ($0 <= cut) == isAbove }.count + sides[1].filter { ($0 > cut) == isAbove }.count
            }
            let training = halves.map(\.0)
            let best = training.joined().flatMap { cut in [true, false].map { (cut: cut, isAbove: $0) } }
                .max { right($0.cut, $0.isAbove, training) < right($1.cut, $1.isAbove, training) }
            guard let best else { return 0 }
            let tested = halves.map(\.1)
            let count = Double(tested[0].count + tested[1].count)
            return (Double(right(best.cut, best.isAbove, tested)) - count / 2) / (count.squareRoot() / 2)
        }
    }
}

extension UInt8 {
    /// From the system: whose turn it is must not follow the machine's rhythm.
    fileprivate static var random: UInt8 {
        let id = UUID().uuid
        return id.0
    }
}

extension Bool {
    fileprivate init(_ byte: UInt8) { self = byte & 1 == 1 }
}

/// A datasite with the channel's tables: the ids are the people.
private final class AuditedSite: Sendable {
    let path: String
    let site: Datasite
    let token: String

    /// Of this machine, for all sites: two that were measured apart have slots of their own, rows or no rows.
    private static let limits = ScanLimits.measured()

    init(_ ids: [Int], _ channel: TimingAuditTests.Channel, _ configuration: Datasite.Configuration) throws {
        path = FileManager.default.temporaryDirectory.path + "/parley-audited-" + UUID().uuidString
        try Datasite.create(at: path, name: "audited", limits: Self.limits)
        site = try Datasite(path: path, configuration: configuration)
        let rows = ids.map { "\($0),\($0 % 997)" }.joined(separator: "\n")
        for name in channel.joins ? ["t", "s"] : ["t"] {
            let file = path + "/\(name).csv"
            try Data("id,v\n\(rows)\n".utf8).write(to: URL(filePath: file))
            _ = try site.addDataset(
                file: file,
                manifestText: """
                    name: \(name)
                    title: Audited
                    description: Made up
                    population: people
                    unit: {column: id, rows: \(channel.rowsPerUnit), groups: 1}
                    capacity: {rows: \(channel.capacity), units: \(channel.capacity)}
                    policy: {loss: zcdp, delta: 1e-6, total: {rho: 1000000}, least-share: 1e-9, approval: automatic}
                    columns:
                      - {name: id, type: integer, nullable: false}
                      - {name: v, type: integer, bounds: [0, 1000000], nullable: false}
                    """)
        }
        token = try site.addUser("ada", role: .researcher)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func forgive() throws { try site.write { try Datasite.forgiveMissedSlots("ada", $0.db) } }

    func serve(_ body: @escaping @Sendable (DatasiteClient) async throws -> Void) async throws {
        var logger = Logger(label: "audit")
        logger.logLevel = .critical
        let configuration = DatasiteServerConfiguration(
            port: 0, metricsPort: 0, certificate: nil, isBehindProxy: false, handlesSignals: false, logger: logger)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = Task {
            defer { port.finish() }
            try await DatasiteServer.serve(
                configuration, datasite: site, onMetrics: { _ in }, onListening: { port.yield($0) })
        }
        defer { server.cancel() }
        guard let port = await ports.first(where: { _ in true }) else { return try await server.value }
        try await body(try DatasiteClient(url: "http://127.0.0.1:\(port)", token: token))
        server.cancel()
        _ = try? await server.value
    }
}
