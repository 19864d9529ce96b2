import Crypto
import Datasite
import DatasiteClient
import DatasiteProtocol
import Federation
import Foundation
import Logging
import Testing

@testable import DatasiteServer

@Suite("Rounds of a large model over HTTP", .timeLimit(.minutes(10)))
struct LargeFramesTests {
    /// Weights of 1.2 MB, updates of 2.4 MB: neither is in memory, nor in a frame's text.
    private static let length = 300_000

    private final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.path + "/parley-frames-" + UUID().uuidString
        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        var vectors: Int {
            get throws {
                try FileManager.default.contentsOfDirectory(atPath: path).count { $0.hasPrefix("vector-") }
            }
        }
    }

    private struct Halfway: LocalWork {
        let target: Float
        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) {
            (.numbers(model.weights.map { (target - $0) / 2 }), carried)
        }
    }

    private struct Site: Sendable {
        let run: CoordinatorRun
        let place: Int
        let key: Curve25519.Signing.PrivateKey
        let coordinator: Data
        let port: Int

        /// Its part in the run, to the end.
        func take() async throws -> [Float] {
            let client = try RoundsClient(url: "http://127.0.0.1:\(port)")
            var participant = try Participant(
                plan: run.plan, policy: FederationPolicy(ways: [.plain]), roster: run.roster, run: run.run,
                identity: key)
            var work = Halfway(target: Float(place + 1))
            var number: UInt64 = 1
            while participant.state.end == nil {
                number += 1
                let message = participant.next()
                let frame = try SignedMessage(message, run: run.run, sender: place, number: number, key: key)
                if case .update = message { #expect(frame.hasVectorsBehind) }
                let reply = try await client.exchange(Array(frame.bytes), largest: 1 << 26)
                _ = try participant.take(
                    try SignedReply.verified(Data(reply), to: frame, coordinator: coordinator), work: &work)
            }
            try await client.close()
            return participant.state.model?.weights ?? []
        }
    }

    @Test("Updates and weights that lie in files come and go piece by piece; one that breaks off leaves nothing")
    func rounds() async throws {
        let folder = try Folder()
        let (signing, keys) = (
            Curve25519.Signing.PrivateKey(), (0..<3).map { _ in Curve25519.Signing.PrivateKey() }
        )
        let plan = FederatedPlan(
            name: "large", strategy: .fedAvg, aggregation: .plain, rounds: 2, least: 3, parameterCount: Self.length,
            grid: try UpdateGrid(range: 4), work: Data(repeating: 1, count: 32), leastSeconds: 1_000)
        let beginning = try Coordinator(
            plan: plan, roster: keys.map(\.publicKey.rawRepresentation), run: Data(repeating: 3, count: 16),
            weights: [Float](repeating: 0, count: Self.length))
        try CoordinatorRun.store(beginning, in: VectorFolder(path: folder.path))
        let run = try CoordinatorRun(
            folder: folder.path, key: signing, averaging: nil, patience: 600, longestWait: 0.05
        ) { _ in }
        let (ports, port) = AsyncStream<Int>.makeStream()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let configuration = DatasiteServerConfiguration(port: 0, handlesSignals: false, logger: logger)
        let server = Task { try await serveRounds(configuration, run: run) { port.yield($0) } }
        defer { server.cancel() }
        let listening = try #require(await ports.first { _ in true })
        let before = try folder.vectors
        // A frame of the first site whose connection ends in its middle.
        let cut = try SignedMessage(
            .update(attempt: 0, integers: Packed([Int64](repeating: 7, count: Self.length))), run: run.run, sender: 0,
            number: 1, key: keys[0]
        ).bytes
        try await RawConnection.open(port: listening) { connection in
            let head = "POST /v1/rounds/messages HTTP/1.1\r\nHost: a\r\nContent-Length: \(cut.count)\r\n\r\n"
            try await connection.send(Array(head.utf8) + cut.prefix(cut.count / 2))
        }
        let sites = keys.indices.map {
            Site(
                run: run, place: $0, key: keys[$0], coordinator: signing.publicKey.rawRepresentation, port: listening)
        }
        let weights = try await withThrowingTaskGroup(of: [Float].self) { group in
            for site in sites { group.addTask { try await site.take() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        // The mean of 1, 2 and 3, half of the way and half of the rest.
        for weights in weights { #expect(weights == [Float](repeating: 1.5, count: Self.length)) }
        #expect(run.progress.weights.stored != nil && run.progress.weights.values == weights[0])
        #expect(run.progress.events.isEmpty)
        #expect(before == 1)
    }
}
