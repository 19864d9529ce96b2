import Crypto
import DatasiteProtocol
import Federation
import Foundation
import Synchronization
import Testing

@testable import Datasite

/// Datasites in one process, and the coordinator's run that they reach without a network.
final class FederatedSites: Sendable {
    let sites: [TestSite]
    let folder: String
    static let address = "http://127.0.0.1:8900"

    init(_ count: Int = 3, engines: (String) -> String = { "federated-training: {\($0)}" }, people: Int = 60) throws {
        folder = FileManager.default.temporaryDirectory.path + "/parley-run-" + UUID().uuidString
        sites = try (0..<count).map { _ in try TestSite(policy: "{loss: pure, total: {epsilon: 1}}", people: 1) }
        let keys = sites.map(\.key)
        for (place, site) in sites.enumerated() {
            let rule = engines(
                "sites: [\(keys.joined(separator: ", "))], coordinators: [\"\(Self.address)\"], aggregation: [masked, distributed-noise, plain], uses: 100"
            )
            _ = try site.add(
                "shared", policy: "{loss: renyi, delta: 1e-5, total: {epsilon: 30}, engines: {\(rule)}}",
                population: "people-\(place)", people: people + 3 * place)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    static func plan(_ federation: String, privacy: String = "") -> String {
        """
        version: 1
        name: together
        data: {dataset: shared, features: [amount], label: kind}
        model: {layers: [{kind: linear, outputs: 3}]}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 0.5}
        batch: 3000
        \(privacy)
        federation: {\(federation), phase-seconds: 100}
        """
    }

    static let masked = plan(
        "rounds: 4, local-steps: 2, aggregation: masked, threshold: 3, colluders: 1, spare-rounds: 2")
    static let noisy = plan(
        "rounds: 4, spare-rounds: 2, least: 3, colluders: 1",
        privacy: "privacy: {unit: person, units: 15000, clip: 1, noise: 2}")

    func coordination(_ plan: String) throws -> Coordination<FederatedRequest> {
        try Coordination(
            plan: plan, sites: named, address: Self.address)
    }

    var named: [CoordinatedSite] {
        sites.enumerated().map {
            .init(name: "site \($0.offset)", url: "http://127.0.0.1:\($0.offset)", key: $0.element.key)
        }
    }

    static func request<Work: CoordinatedWork>(_ request: Work) throws -> WorkRequest {
        let body = String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
        return try WorkRequest(decoding: Array(#"{"engine": "\#(Work.engine)", "request": \#(body)}"#.utf8))
    }

    func agreements<Work: CoordinatedWork>(_ request: Work) async throws -> [Work.Agreement] {
        var agreements: [Work.Agreement] = []
        for site in sites {
            let preview = try await site.site.preview(Self.request(request), as: .ada)
            let document = try #require(preview.document)
            agreements.append(try JSONDecoder().decode(Work.Agreement.self, from: Data(document.utf8)))
        }
        return agreements
    }

    /// Asks all sites, and gives their requests.
    func begin<Work>(_ coordination: Coordination<Work>) async throws -> [String] {
        var ids: [String] = []
        for site in sites {
            let result = try await site.site.submit(Self.request(coordination.request), as: .ada, idempotencyKey: "run")
            guard case .pending(let summary) = result else { throw Problem.conflict("it was not begun") }
            ids.append(summary.id)
        }
        return ids
    }

    /// What each site lets out, once it does.
    func released<Released: Decodable>(
        _ ids: [String], as type: Released.Type = ReleasedModel.self
    ) async throws -> [Released] {
        var models: [Released] = []
        for (site, id) in zip(sites, ids) {
            let end = ContinuousClock.now + .seconds(120)
            while try site.site.request(id, as: .ada).state != "released" {
                guard .now < end else { throw Problem.conflict("it was not let out") }
                try await Task.sleep(for: .milliseconds(20))
            }
            models.append(
                try JSONDecoder().decode(Released.self, from: Data(try await site.site.answer(id, as: .ada))))
        }
        return models
    }

    /// Coordinates in this process, and lets all sites reach it.
    func connect<Work>(_ coordination: Coordination<Work>) throws -> Work.Run {
        let run = try coordination.begin(patience: 60) { _ in }
        for site in sites { site.site.connect(by: DirectConnection { run }) }
        return run
    }

    /// Lets all sites reach a coordinator that dies: each so-manieth frame finds nobody, and a new process takes the run up behind it; others are lost.
    ///
    /// - Returns: How many frames were sent so far.
    func connectToMortal<Work>(
        _ coordination: Coordination<Work>, dyingEach: Int, losingEach: Int
    ) throws -> @Sendable () -> Int {
        @Sendable func begin() throws -> CoordinatorRun {
            try CoordinatorRun(
                folder: coordination.path, key: coordination.key, averaging: nil, patience: 60, longestWait: 0.2
            ) { _ in }
        }
        let mortal = Mortal(try begin())
        for site in sites {
            site.site.connect(
                by: DirectConnection({ mortal.run.withLock { $0 } }) { _ in
                    let number = mortal.count.withLock { count in
                        count += 1
                        return count
                    }
                    if number % dyingEach == 0 {
                        mortal.run.withLock { run in
                            run = nil
                            run = try? begin()
                        }
                        return false
                    }
                    return number % losingEach != 0
                })
        }
        return { mortal.count.withLock { $0 } }
    }

    private final class Mortal: Sendable {
        let run: Mutex<CoordinatorRun?>
        let count = Mutex(0)
        init(_ run: CoordinatorRun) { self.run = Mutex(run) }
    }

    func created<Work>(_ coordination: Coordination<Work>) async throws -> Coordination<Work> {
        try coordination.create(at: folder, agreements: await agreements(coordination.request))
    }
}

extension TestSite {
    /// The site's public key, in base64.
    var key: String { site.description.publicKey }

    /// Whether a request's workspace goes: that is behind its release, which others see at once.
    func workspaceGoes(of request: String) async throws -> Bool {
        let path = site.folder.workspace(of: request).folder.path
        let end = ContinuousClock.now + .seconds(60)
        while FileManager.default.fileExists(atPath: path) {
            guard .now < end else { return false }
            try await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}

/// Reaches a run in this process; frames may be lost on the way, or looked at.
final class DirectConnection: CoordinatorConnection {
    struct Lost: Error {}

    private let run: @Sendable () -> (any CoordinatedRun)?
    private let passes: @Sendable (SignedMessage) -> Bool
    private let dropsReply: @Sendable () -> Bool
    private let frames = Mutex<[SignedMessage]>([])

    /// - Parameters:
    ///   - run: Which coordinator is there now; nil: none.
    ///   - passes: Whether a frame arrives.
    ///   - dropsReply: Whether its reply does not.
    init(
        _ run: @escaping @Sendable () -> (any CoordinatedRun)?,
        passes: @escaping @Sendable (SignedMessage) -> Bool = { _ in true },
        dropsReply: @escaping @Sendable () -> Bool = { false }
    ) {
        (self.run, self.passes, self.dropsReply) = (run, passes, dropsReply)
    }

    /// All frames that were sent.
    var sent: [SignedMessage] { frames.withLock { $0 } }

    func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
        let signed = try SignedMessage(reading: Data(message))
        frames.withLock { $0.append(signed) }
        guard coordinator == FederatedSites.address, passes(signed), let run = run() else { throw Lost() }
        let result = Mutex<Result<[UInt8], any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
        Self.answer(run, message) { given in
            result.withLock { $0 = given }
            isThere.signal()
        }
        isThere.wait()
        let reply = try result.withLock { $0 }?.get() ?? []
        guard reply.count <= largestReply, !dropsReply() else { throw Lost() }
        return reply
    }

    private static func answer(
        _ run: any CoordinatedRun, _ message: [UInt8], _ give: @escaping @Sendable (Result<[UInt8], any Error>) -> Void
    ) {
        Task {
            do { give(.success(try await run.answer(message))) } catch { give(.failure(error)) }
        }
    }
}

/// How many messages a process still sends before it is killed.
final class MessagesLeft: Sendable {
    private let count: Mutex<Int>

    init(_ count: Int) { self.count = Mutex(count) }

    func take() -> Bool {
        count.withLock { count in
            count -= 1
            return count >= 0
        }
    }

    var isNothing: Bool { count.withLock { $0 <= 0 } }
}
