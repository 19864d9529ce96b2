import Crypto
import DatasiteProtocol
import Federation
import Foundation
import Testing

@testable import Datasite

#if canImport(Glibc)
    import Glibc
#endif

@Suite("A coordinator and its folder", .timeLimit(.minutes(10)))
struct CoordinatorRunTests {
    final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.path + "/parley-log-" + UUID().uuidString
        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func records(_ path: String) throws -> [MessageLog.Record] {
        var records: [MessageLog.Record] = []
        _ = try MessageLog(path: path) { records.append($0) }
        return records
    }

    private let made = (0..<5).map {
        MessageLog.Record(time: Double($0) / 3, sender: $0, message: Data("message \($0)".utf8))
    }

    @Test("A log gives back what was added, and what a crash left half-written is cut off wherever it ends")
    func log() throws {
        let folder = try Folder()
        let path = folder.path + "/log"
        do {
            let log = try MessageLog(path: path) { _ in Issue.record("a new log holds nothing") }
            for record in made { try log.append(record) }
        }
        #expect(try records(path) == made)
        let whole = try Data(contentsOf: URL(filePath: path))
        for length in 0..<whole.count {
            try whole.prefix(length).write(to: URL(filePath: path))
            let kept = try records(path)
            #expect(kept == Array(made.prefix(kept.count)) && kept.count == length * 5 / whole.count, "\(length) bytes")
            let log = try MessageLog(path: path) { _ in }
            try log.append(made[4])
            #expect(try records(path) == kept + [made[4]])
        }
    }

    @Test(
        "A log that is damaged before its end, in any bit, is refused in words and left as it is; in its last record it may be a crash's"
    )
    func damagedLog() throws {
        let folder = try Folder()
        let path = folder.path + "/log"
        do {
            let log = try MessageLog(path: path) { _ in }
            for record in made { try log.append(record) }
        }
        let whole = try Data(contentsOf: URL(filePath: path))
        let record = whole.count / 5
        for byte in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[byte] ^= 1 << UInt8(bit)
                try damaged.write(to: URL(filePath: path))
                if byte >= 4 * record {
                    #expect(try records(path) == Array(made.prefix(4)), "byte \(byte), bit \(bit)")
                    continue
                }
                do {
                    _ = try records(path)
                    Issue.record("byte \(byte), bit \(bit): not refused")
                } catch let problem as Problem {
                    #expect(problem.detail.contains("damaged at byte \(byte / record * record)"), "\(problem)")
                }
                #expect(try Data(contentsOf: URL(filePath: path)) == damaged)
            }
        }
        // A hole of any place and size, as a disk may leave one.
        for start in stride(from: 0, to: 3 * record, by: 7) {
            var damaged = whole
            for byte in start..<start + record { damaged[byte] = 0 }
            try damaged.write(to: URL(filePath: path))
            #expect(throws: Problem.self) { try records(path) }
            #expect(try Data(contentsOf: URL(filePath: path)) == damaged)
        }
        // What somebody wrote to cost time: each byte looks like the head of a long record.
        let costly = Data((0..<(1 << 18)).map { $0 % 4 == 1 ? 1 : 0 })
        try costly.write(to: URL(filePath: path))
        #expect(throws: Problem.self) { try records(path) }
    }

    // MARK: runs

    struct Run {
        let keys: [Curve25519.Signing.PrivateKey]
        let coordinator: Coordinator
        let signing = Curve25519.Signing.PrivateKey()
        let folder: Folder

        init(
            rounds: Int = 3, isMasked: Bool = true, length: Int = 4, least: Int = 3, strategy: Strategy = .fedAvg
        ) throws {
            let keys = (0..<3).map { _ in Curve25519.Signing.PrivateKey() }
            let plan = FederatedPlan(
                name: "run", strategy: strategy, aggregation: isMasked ? .masked(threshold: 3, colluders: 1) : .plain,
                rounds: rounds,
                spareRounds: 2, least: least, parameterCount: length, grid: try UpdateGrid(range: 4),
                work: Data(repeating: 1, count: 32), leastSeconds: 100)
            (self.keys, folder) = (keys, try Folder())
            coordinator = try Coordinator(
                plan: plan, roster: keys.map(\.publicKey.rawRepresentation), run: Data(repeating: 3, count: 16),
                weights: [Float](repeating: 0, count: length))
            try CoordinatorRun.store(coordinator, in: VectorFolder(path: folder.path))
        }

        func open(
            in path: String? = nil, longestLog: Int = 1 << 20,
            largestInMemory: Int = CoordinatorRun.largestInMemory, longestWait: Double = 10,
            changed: @escaping @Sendable (CoordinatorRun.Progress) -> Void = { _ in }
        ) throws -> CoordinatorRun {
            try CoordinatorRun(
                folder: path ?? folder.path, key: signing, averaging: 0.5, patience: 60, longestLog: longestLog,
                largestInMemory: largestInMemory, longestWait: longestWait, changed: changed)
        }

        /// The numbers of the vectors that lie in its folder.
        var vectors: [Int] {
            get throws {
                try FileManager.default.contentsOfDirectory(atPath: folder.path)
                    .compactMap { $0.wholeMatch(of: #/vector-([0-9]+)\.bin/#).flatMap { Int($0.1) } }.sorted()
            }
        }

        func participants() throws -> [Participant] {
            try keys.map {
                try Participant(
                    plan: coordinator.plan, policy: FederationPolicy(ways: [.plain, .masked]),
                    roster: coordinator.roster,
                    run: coordinator.run, identity: $0)
            }
        }
    }

    struct Pull: LocalWork {
        let target: Float
        mutating func update(
            of model: RunModel, in header: RoundHeader, carried: [Float]
        ) throws -> (update: LocalUpdate, carried: [Float]) {
            (.numbers(model.weights.map { (target - $0) / 2 }), carried)
        }
    }

    /// Plays a run to its end; before each message `before` may put another process in the coordinator's place.
    func play(_ run: Run, before: (Int, inout CoordinatorRun?) throws -> Void = { _, _ in }) async throws
        -> [Float]
    {
        var coordinator: CoordinatorRun? = try run.open()
        var participants = try run.participants()
        var works = (0..<3).map { Pull(target: Float($0 + 1)) }
        var (number, count) = (UInt64(0), 0)
        while participants.contains(where: { $0.state.end == nil }) {
            // All at once: a reply that says to wait is held back.
            var frames: [SignedMessage] = []
            for (place, participant) in participants.enumerated() where participant.state.end == nil {
                number += 1
                count += 1
                try before(count, &coordinator)
                frames.append(
                    try SignedMessage(
                        participant.next(), run: run.coordinator.run, sender: place, number: number,
                        key: run.keys[place]))
            }
            let present = try #require(coordinator)
            let replies = try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
                for frame in frames { group.addTask { (frame.sender, try await present.answer(Array(frame.bytes))) } }
                var replies: [Int: [UInt8]] = [:]
                for try await (sender, reply) in group { replies[sender] = reply }
                return replies
            }
            for frame in frames {
                let reply = try SignedReply.verified(
                    Data(try #require(replies[frame.sender])), to: frame,
                    coordinator: run.signing.publicKey.rawRepresentation)
                _ = try participants[frame.sender].take(reply, work: &works[frame.sender])
            }
            #expect(count < 2_000)
        }
        let models = participants.compactMap(\.state.model)
        #expect(Set(models.map(\.digest)).count == 1)
        return models[0].weights
    }

    @Test(
        "Killed before any message and opened again it comes to the same weights, to the bit", arguments: [true, false])
    func killed(isMasked: Bool) async throws {
        let expected = try await play(try Run(isMasked: isMasked))
        #expect(expected == [1.75, 1.75, 1.75, 1.75])
        let run = try Run(isMasked: isMasked)
        let again = try await play(run) { count, coordinator in
            guard count % 3 == 1 else { return }
            coordinator = nil
            // The process before it may take a moment to be gone.
            for _ in 0..<1_000 where coordinator == nil {
                coordinator = try? run.open()
                if coordinator == nil { usleep(5_000) }
            }
            _ = try #require(coordinator)
        }
        #expect(again == expected)
    }

    @Test("A frame of another run, of nobody, or that came before is refused; nothing begins before all are there")
    func frames() async throws {
        let run = try Run()
        let coordinator = try run.open()
        func frame(_ sender: Int, _ number: UInt64, of name: Data? = nil, key: Int? = nil) throws -> [UInt8] {
            Array(
                try SignedMessage(
                    .fetch, run: name ?? run.coordinator.run, sender: sender, number: number,
                    key: run.keys[key ?? sender]
                ).bytes)
        }
        await #expect(throws: FrameError.run) {
            try await coordinator.answer(frame(0, 1, of: Data(repeating: 0, count: 16)))
        }
        await #expect(throws: FrameError.sender) { try await coordinator.answer(frame(0, 1, key: 1)) }
        await #expect(throws: FrameError.self) { try await coordinator.answer(Array("PRM1 and no more".utf8)) }
        let (early, late) = (try frame(0, 5), try frame(1, 1))
        let first = Task { try await coordinator.answer(early) }
        while coordinator.progress.heard != [0] { try await Task.sleep(for: .milliseconds(5)) }
        #expect(coordinator.progress.phase == .waiting && coordinator.progress.attempts == 0)
        await #expect(throws: FrameError.replayed) { try await coordinator.answer(frame(0, 5)) }
        await #expect(throws: FrameError.replayed) { try await coordinator.answer(frame(0, 4)) }
        let second = Task { try await coordinator.answer(late) }
        // The last one lets all go on.
        _ = try await coordinator.answer(frame(2, 1))
        _ = try await (first.value, second.value)
        #expect(coordinator.progress.phase == .advertise && coordinator.progress.attempts == 1)
        #expect(throws: (any Error).self) { try run.open() }
    }

    @Test("A long log begins anew behind a stored state, and nothing is lost of it")
    func shortened() async throws {
        let run = try Run(rounds: 6)
        let weights = try await play(run) { count, coordinator in
            guard count == 1 else { return }
            coordinator = nil
            coordinator = try run.open(longestLog: 1_000)
        }
        #expect(weights == [Float](repeating: 2 * (1 - 1 / 64), count: 4))
        #expect(RunFolder(path: run.folder.path).latestState > 2)
        let opened = try run.open()
        #expect(
            opened.progress.round == 6 && opened.progress.weights.values == weights
                && opened.progress.phase == .finished)
    }
}
