import Crypto
import DatasiteProtocol
import Federation
import Foundation
import Synchronization
import Testing

@testable import Datasite

@Suite("A coordinator whose vectors lie in files", .timeLimit(.minutes(10)))
struct LargeModelRunTests {
    /// Sums of eight bytes an entry, and frames of updates, are beyond what lies in memory; so are weights where a test says it.
    private static let length = SignedMessage.largestInText / 8 + 3
    private let runs = CoordinatorRunTests()

    /// A run whose first round is begun, and everybody's update of it.
    private func begun(
        _ run: CoordinatorRunTests.Run, _ coordinator: CoordinatorRun
    ) async throws -> [Participant] {
        var participants = try run.participants()
        while participants.contains(where: { (try? update($0)) == nil }) {
            // All at once: nothing begins before all are there. Whoever has an update already keeps it.
            let frames = try participants.enumerated().filter { (try? update($1)) == nil }.map {
                try frame(run, $0, $1.next())
            }
            let replies = try await withThrowingTaskGroup(of: (Int, CoordinatorReply).self) { group in
                for frame in frames { group.addTask { (frame.sender, try await answer(coordinator, frame, run)) } }
                return try await group.reduce(into: [Int: CoordinatorReply]()) { $0[$1.0] = $1.1 }
            }
            for (place, reply) in replies {
                var work = CoordinatorRunTests.Pull(target: Float(place + 1))
                _ = try participants[place].take(reply, work: &work)
            }
        }
        return participants
    }

    private let numbers = Numbers()

    private final class Numbers: Sendable {
        private let last = Mutex<UInt64>(0)
        func next() -> UInt64 {
            last.withLock { last in
                last += 1
                return last
            }
        }
    }

    private func frame(
        _ run: CoordinatorRunTests.Run, _ place: Int, _ message: ParticipantMessage
    ) throws -> SignedMessage {
        try SignedMessage(
            message, run: run.coordinator.run, sender: place, number: numbers.next(), key: run.keys[place])
    }

    private func answer(
        _ coordinator: CoordinatorRun, _ frame: SignedMessage, _ run: CoordinatorRunTests.Run
    ) async throws -> CoordinatorReply {
        try SignedReply.verified(
            Data(try await coordinator.answer(Array(frame.bytes))), to: frame,
            coordinator: run.signing.publicKey.rawRepresentation)
    }

    private func update(_ participant: Participant) throws -> (attempt: Int, integers: Packed<Int64>) {
        guard case .update(let attempt, let integers) = participant.next() else {
            throw FederationError.coordinator(round: 0, expected: "a round that was begun")
        }
        return (attempt, integers)
    }

    /// Whether its folder comes to hold so many vectors: one that nobody holds any more may take a moment to be gone.
    private func comesToHold(_ run: CoordinatorRunTests.Run, _ count: Int) async throws -> Bool {
        for _ in 0..<1_000 {
            if try run.vectors.count == count { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Opens it again: the process before it may take a moment to be gone.
    private func opened(
        _ run: CoordinatorRunTests.Run, largestInMemory: Int = CoordinatorRun.largestInMemory
    ) async throws -> CoordinatorRun {
        for _ in 0..<1_000 {
            do { return try run.open(largestInMemory: largestInMemory) } catch let problem as Problem
                where problem.kind == .conflict
            { try await Task.sleep(for: .milliseconds(5)) }
        }
        return try run.open(largestInMemory: largestInMemory)
    }

    /// A frame that comes in pieces, and may break off behind so many bytes.
    private func arriving(_ frame: Data, breaksOff: Int? = nil) -> ArrivingFrame {
        var rest = frame.prefix(breaksOff ?? frame.count)
        return ArrivingFrame {
            guard !rest.isEmpty else {
                if breaksOff != nil { throw Problem.conflict("broken off") }
                return nil
            }
            defer { rest = rest.dropFirst(70_001) }
            return Array(rest.prefix(70_001))
        }
    }

    @Test("Killed before any message and opened again it comes to the same weights, to the bit")
    func killed() async throws {
        let run = try CoordinatorRunTests.Run(isMasked: false, length: Self.length)
        let again = try await runs.play(run) { count, coordinator in
            guard count % 3 == 1 else { return }
            coordinator = nil
            // The process before it may take a moment to be gone.
            for _ in 0..<1_000 where coordinator == nil {
                coordinator = try? run.open(longestLog: count > 9 ? 1_000 : 1 << 30, largestInMemory: 1_000)
                if coordinator == nil { usleep(5_000) }
            }
            _ = try #require(coordinator)
        }
        #expect(again == [Float](repeating: 1.75, count: Self.length))
        // What is left is named by the last state: the sum of the last round, the weights, and their average.
        let opened = try await opened(run, largestInMemory: 1_000)
        #expect(opened.progress.weights.values == again && opened.progress.weights.stored != nil)
        #expect(opened.progress.average.stored != nil && opened.progress.average.values.allSatisfy { $0 < 1.75 })
        #expect(try await comesToHold(run, 3))
    }

    @Test(
        "An update that breaks off, or is not what was signed, leaves nothing; sent again it counts as if it had come so at once"
    )
    func brokenOff() async throws {
        let run = try CoordinatorRunTests.Run(rounds: 1, isMasked: false, length: Self.length)
        let coordinator = try run.open(longestWait: 0.01)
        let participants = try await begun(run, coordinator)
        for place in 0..<3 {
            let message = participants[place].next()
            let before = try run.vectors
            let whole = try frame(run, place, message).bytes
            for length in [SignedMessage.headLength + 200, 600_000, whole.count - 1] {
                let cut = try frame(run, place, message).bytes
                await #expect(throws: Problem.self) {
                    _ = try await coordinator.answer(arriving(cut, breaksOff: length))
                }
            }
            var damaged = try frame(run, place, message).bytes
            damaged[700_000] ^= 1
            await #expect(throws: FrameError.message) { _ = try await coordinator.answer(arriving(damaged)) }
            let longer = try frame(run, place, message).bytes + Data(count: 8)
            await #expect(throws: FrameError.message) { _ = try await coordinator.answer(arriving(longer)) }
            #expect(try await comesToHold(run, before.count) && coordinator.progress.round == 0)
            _ = try await coordinator.answer(arriving(try frame(run, place, message).bytes))
        }
        #expect(coordinator.progress.phase == .finished && coordinator.progress.events.isEmpty)
        #expect(coordinator.progress.weights.values == [Float](repeating: 1, count: Self.length))
    }

    @Test(
        "A full disk takes no message and loses none: it is told to whoever coordinates, and the run goes on when there is room",
        .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root"), arguments: [true, false])
    func fullDisk(isLarge: Bool) async throws {
        let length = isLarge ? Self.length : 4_000
        let run = try CoordinatorRunTests.Run(rounds: 1, isMasked: false, length: length)
        let disk = try SmallDisk(at: run.folder.path + "-disk", megabytes: 8)
        for file in try FileManager.default.contentsOfDirectory(atPath: run.folder.path) {
            try FileManager.default.copyItem(atPath: run.folder.path + "/" + file, toPath: disk.path + "/" + file)
        }
        func files() throws -> [String: Int] {
            let names = try FileManager.default.contentsOfDirectory(atPath: disk.path).filter { $0 != "filler" }
            return try names.reduce(into: [:]) { sizes, name in
                sizes[name] = try FileManager.default.attributesOfItem(atPath: disk.path + "/" + name)[.size] as? Int
            }
        }
        let told = Mutex([String?]())
        var coordinator = try run.open(in: disk.path, longestWait: 0.01) { progress in
            told.withLock { told in if told.last != progress.trouble { told.append(progress.trouble) } }
        }
        let participants = try await begun(run, coordinator)
        _ = try await coordinator.answer(arriving(try frame(run, 0, participants[0].next()).bytes))

        let before = try files()
        let filler = try disk.fill(leaving: isLarge ? 600_000 : 8_192)
        for _ in 0..<2 {
            let refused = try await problem {
                _ = try await coordinator.answer(arriving(try frame(run, 1, participants[1].next()).bytes))
            }
            // Who takes part hears nothing of the coordinator's folder.
            #expect(refused?.kind == .siteUnavailable && refused?.detail.contains(disk.path) == false)
        }
        #expect(coordinator.progress.trouble?.contains("No space left on device") == true)
        #expect(told.withLock { $0.compactMap(\.self).count } == 1)
        // What was begun of it is gone.
        for _ in 0..<1_000 where try files() != before { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try files() == before)

        try FileManager.default.removeItem(atPath: filler)
        for place in 1..<3 {
            _ = try await coordinator.answer(arriving(try frame(run, place, participants[place].next()).bytes))
        }
        #expect(coordinator.progress.trouble == nil && told.withLock { $0.last } == .some(nil))
        #expect(coordinator.progress.phase == .finished && coordinator.progress.events.isEmpty)
        #expect(coordinator.progress.weights.values == [Float](repeating: 1, count: length))
        // Another process comes to the same from what is on the disk.
        let again = try SmallDisk(at: run.folder.path + "-again", megabytes: 8)
        for file in try files().keys {
            try FileManager.default.copyItem(atPath: disk.path + "/" + file, toPath: again.path + "/" + file)
        }
        coordinator = try run.open(in: again.path)
        #expect(coordinator.progress.phase == .finished)
        #expect(coordinator.progress.weights.values == [Float](repeating: 1, count: length))
    }

    @Test(
        "An update of another length, with an entry out of range, or out of turn adds nothing, and takes no file; nor do two at a time"
    )
    func refused() async throws {
        let run = try CoordinatorRunTests.Run(rounds: 1, isMasked: false, length: Self.length, least: 1)
        let coordinator = try run.open(longestWait: 0.01)
        let participants = try await begun(run, coordinator)
        let before = try run.vectors
        let (attempt, integers) = try update(participants[0])
        // Of a round that nobody began.
        let other = try frame(run, 0, .update(attempt: attempt + 1, integers: integers))
        _ = try await coordinator.answer(arriving(other.bytes))
        #expect(try await comesToHold(run, before.count) && coordinator.progress.events.isEmpty)
        // One that is stuck on its way holds up no later one of its site: it is given up.
        let slow = try frame(run, 0, participants[0].next()).bytes
        var pieces = [slow.prefix(500_000), slow.dropFirst(500_000)].map { Array($0) }
        let second = try frame(run, 0, participants[0].next())
        let isAbandoned = Mutex(false)
        let stuck = try await problem {
            _ = try await coordinator.answer(
                ArrivingFrame(abandon: { isAbandoned.withLock { $0 = true } }) {
                    guard !pieces.isEmpty else { return nil }
                    if pieces.count == 1 { _ = try await coordinator.answer(Array(second.bytes)) }
                    return pieces.removeFirst()
                })
        }
        #expect(stuck?.kind == .conflict && isAbandoned.withLock { $0 })
        #expect(try await comesToHold(run, before.count + 1))
        // Nor is anything kept of a message that the phase is not for, however often it comes.
        let log = run.folder.path + "/messages-0.log"
        let logged = try Data(contentsOf: URL(filePath: log)).count
        for _ in 0..<3 {
            let masked = Packed([UInt64](repeating: 1, count: Self.length))
            let wrong = try frame(run, 1, .masked(attempt: attempt, vector: masked))
            _ = try await coordinator.answer(arriving(wrong.bytes))
            let again = try frame(run, 0, .update(attempt: attempt, integers: integers))
            _ = try await coordinator.answer(arriving(again.bytes))
        }
        #expect(try Data(contentsOf: URL(filePath: log)).count == logged && coordinator.progress.events.isEmpty)
        #expect(try await comesToHold(run, before.count + 1))
        // Two that are not what the plan says.
        let longer = try frame(run, 1, .update(attempt: attempt, integers: Packed(integers.values + [0])))
        _ = try await coordinator.answer(arriving(longer.bytes))
        #expect(try await comesToHold(run, before.count + 1))
        var values = integers.values
        values[Self.length - 1] = 1 << 31
        let wrong = try frame(run, 2, .update(attempt: attempt, integers: Packed(values)))
        _ = try await coordinator.answer(arriving(wrong.bytes))
        // The round is of the first one alone.
        #expect(coordinator.progress.phase == .finished)
        #expect(coordinator.progress.events.map(\.participant) == [1, 2])
        #expect(coordinator.progress.events.allSatisfy { $0.words.contains("\(Self.length) integers from -") })
        #expect(coordinator.progress.weights.values == [Float](repeating: 0.5, count: Self.length))
    }

    private func problem(_ body: () async throws -> Void) async throws -> Problem? {
        do { try await body() } catch let problem as Problem { return problem }
        return nil
    }

    @Test("What was held back and then counted is in the log: behind a kill the round is what it was told to be")
    func heldBack() async throws {
        let run = try CoordinatorRunTests.Run(rounds: 2, isMasked: false)
        var coordinator: CoordinatorRun? = try run.open(longestWait: 60)
        let told = try await holdBack(run, try #require(coordinator))
        coordinator = nil
        let progress = try await opened(run).progress
        #expect(progress.round == 1 && progress.weights.values == told)
    }

    /// A round in which the third's update comes before the others are there, and so before there is a round.
    private func holdBack(_ run: CoordinatorRunTests.Run, _ coordinator: CoordinatorRun) async throws -> [Float] {
        func update(_ place: Int) throws -> SignedMessage {
            try frame(
                run, place, .update(attempt: 0, integers: Packed([Int64](repeating: Int64(place) << 20, count: 4))))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let early = try update(2)
            group.addTask { _ = try await coordinator.answer(Array(early.bytes)) }
            while !coordinator.progress.heard.contains(2) { try await Task.sleep(for: .milliseconds(2)) }
            for place in 0..<2 {
                let here = try frame(run, place, .heartbeat(holds: 0))
                group.addTask { _ = try await coordinator.answer(Array(here.bytes)) }
            }
            while coordinator.progress.phase == .waiting { try await Task.sleep(for: .milliseconds(2)) }
            for place in 0..<2 {
                let later = try update(place)
                group.addTask { _ = try await coordinator.answer(Array(later.bytes)) }
            }
            while coordinator.progress.round == 0 { try await Task.sleep(for: .milliseconds(2)) }
            try await group.waitForAll()
        }
        return coordinator.progress.weights.values
    }

    @Test(
        "Where updates come as they like, what was added goes from the disk, and what counts no more takes none of it")
    func buffered() async throws {
        let run = try CoordinatorRunTests.Run(
            rounds: 6, isMasked: false, length: Self.length, strategy: .fedBuff(rate: 1, buffer: 2, exponent: 0.5))
        let weights = try await runs.play(run) { _, coordinator in
            // Two updates of a buffer, the weights and their average, of this round and the one before it.
            var count = try run.vectors.count
            for _ in 0..<200 where count > 10 {
                usleep(5_000)
                count = try run.vectors.count
            }
            #expect(count <= 10, "\(count) vectors")
            _ = coordinator
        }
        #expect(weights.count == Self.length)
    }

    @Test("Who does not hold a key of the roster is refused before a byte of its vector is taken")
    func strangers() async throws {
        let run = try CoordinatorRunTests.Run(rounds: 1, isMasked: false, length: Self.length)
        let coordinator = try run.open(longestWait: 0.01)
        let participants = try await begun(run, coordinator)
        let before = try run.vectors
        let posed = try SignedMessage(
            participants[1].next(), run: run.coordinator.run, sender: 1, number: 1_000_000, key: run.keys[0]
        ).bytes
        let read = Mutex(0)
        await #expect(throws: FrameError.sender) {
            _ = try await coordinator.answer(
                ArrivingFrame {
                    let start = read.withLock { read in
                        defer { read += 1_000 }
                        return read
                    }
                    return start < posed.count ? Array(posed.dropFirst(start).prefix(1_000)) : nil
                })
        }
        #expect(read.withLock { $0 } <= 1_000 && posed.count > 1 << 20)
        #expect(try await comesToHold(run, before.count))
        // Without vectors behind it no frame is as long.
        let text = Data("PRM1".utf8) + Data(count: 4 << 20)
        await #expect(throws: FrameError.self) { _ = try await coordinator.answer(arriving(text)) }
    }

    @Test("Where the disk takes no vector nothing is taken; when it does again the run goes on as if nothing had been")
    func fullDisk() async throws {
        let run = try CoordinatorRunTests.Run(rounds: 1, isMasked: false)
        let coordinator = try run.open(largestInMemory: 8, longestWait: 0.01)
        let participants = try await begun(run, coordinator)
        for place in 0..<2 {
            _ = try await coordinator.answer(Array(try frame(run, place, participants[place].next()).bytes))
        }
        let before = (coordinator.progress.round, try run.vectors)
        // The folder is elsewhere: new files cannot be made in it.
        try FileManager.default.moveItem(atPath: run.folder.path, toPath: run.folder.path + "-moved")
        let last = try frame(run, 2, participants[2].next())
        await #expect(throws: Problem.self) { _ = try await coordinator.answer(Array(last.bytes)) }
        #expect(coordinator.progress.phase == .collect && coordinator.progress.round == before.0)
        #expect(coordinator.progress.events.isEmpty)
        try FileManager.default.moveItem(atPath: run.folder.path + "-moved", toPath: run.folder.path)
        #expect(try await comesToHold(run, before.1.count))
        _ = try await coordinator.answer(Array(try frame(run, 2, participants[2].next()).bytes))
        #expect(coordinator.progress.phase == .finished)
        #expect(coordinator.progress.weights.values == [1, 1, 1, 1])
    }

    @Test(
        "A vector's file that was damaged, or is missing, is found before anything follows from it; what nothing names goes"
    )
    func damaged() async throws {
        let run = try CoordinatorRunTests.Run(rounds: 1, isMasked: false, length: Self.length)
        var coordinator: CoordinatorRun? = try run.open(longestWait: 0.01)
        let participants = try await begun(run, try #require(coordinator))
        _ = try await coordinator?.answer(arriving(try frame(run, 0, participants[0].next()).bytes))
        coordinator = nil
        let number = try #require(try run.vectors.last)
        let path = "\(run.folder.path)/vector-\(number).bin"
        let bytes = try Data(contentsOf: URL(filePath: path))
        #expect(try Packed(bytes: bytes) == update(participants[0]).integers)
        for damage in 0..<3 {
            var other = bytes
            if damage == 0 { other[500_000] ^= 1 }
            if damage == 1 { other.removeLast() }
            try FileManager.default.removeItem(atPath: path)
            if damage < 2 { try other.write(to: URL(filePath: path)) }
            let found = try await problem { _ = try await opened(run) }
            #expect(found?.kind == .siteUnavailable)
            try bytes.write(to: URL(filePath: path))
        }
        try Data("what was left over".utf8).write(to: URL(filePath: "\(run.folder.path)/vector-900.bin"))
        _ = try await opened(run)
        #expect(try await comesToHold(run, 1) && run.vectors == [number])
    }
}

#if os(Linux)
    @Suite("What a coordinator of a large model holds of it", .serialized)
    struct LargeModelMemoryTests {
        private static func kilobytes(_ name: String) throws -> Int {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
            return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
        }

        /// 8,000,000 parameters: 32 MB of weights, and an update and a sum of 64 MB each.
        static func measure() async throws {
            let (length, participants) = (8_000_000, 8)
            let path = FileManager.default.temporaryDirectory.path + "/parley-large-" + UUID().uuidString
            defer { try? FileManager.default.removeItem(atPath: path) }
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let keys = (0..<participants).map { _ in Curve25519.Signing.PrivateKey() }
            let plan = FederatedPlan(
                name: "large", strategy: .fedAvg, aggregation: .plain, rounds: 1, least: participants,
                parameterCount: length, grid: try UpdateGrid(range: 1), work: Data(repeating: 1, count: 32),
                leastSeconds: 1_000)
            try FileManager.default.createDirectory(atPath: path + "/sites", withIntermediateDirectories: false)
            let (folder, sites) = (VectorFolder(path: path), VectorFolder(path: path + "/sites"))
            let weights: Packed<Float> = try folder.place(largestInMemory: 0).vector(length) { $1.update(repeating: 0) }
            let beginning = try Coordinator(
                plan: plan, roster: keys.map(\.publicKey.rawRepresentation), run: Data(repeating: 3, count: 16),
                weights: weights)
            try CoordinatorRun.store(beginning, in: folder)
            try Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
            let before = try kilobytes("VmHWM")
            let run = try CoordinatorRun(
                folder: path, key: Curve25519.Signing.PrivateKey(), averaging: nil, patience: 60, longestWait: 0.01
            ) { _ in }
            // Each entry of each update is its participant's number: a file's bytes need not be held.
            let updates = try (0..<participants).map { place in
                let integers: Packed<Int64> = try sites.place(largestInMemory: 0).vector(length) {
                    $1.update(repeating: Int64(place) << 20)
                }
                return integers
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for place in 0..<participants {
                    let (message, key) = (ParticipantMessage.heartbeat(holds: 0), keys[place])
                    group.addTask {
                        let frame = try SignedMessage(
                            message, run: run.run, sender: place, number: 1, key: key)
                        _ = try await run.answer(Array(frame.bytes))
                    }
                }
                try await group.waitForAll()
            }
            for place in 0..<participants {
                let frame = try SignedMessage(
                    .update(attempt: 0, integers: updates[place]), run: run.run, sender: place, number: 2,
                    key: keys[place])
                let (vector, head) = (try #require(updates[place].stored), Array(frame.beforeVectors))
                var next = -1
                let reply = try await run.answer(
                    ArrivingFrame {
                        guard next < vector.count else { return nil }
                        defer { next = next < 0 ? 0 : next + 1 << 20 }
                        guard next >= 0 else { return head }
                        var piece = [UInt8](repeating: 0, count: min(1 << 20, vector.count - next))
                        try piece.withUnsafeMutableBytes { try vector.read(at: next, into: $0) }
                        return piece
                    })
                var (count, pieces) = (0, reply.pieces)
                while let piece = try await pieces.next() { count += piece.count }
                #expect(place < participants - 1 || count > 8 * length)
            }
            #expect(run.progress.phase == .finished)
            let taken = try kilobytes("VmHWM") - before
            let weight = Float(3.5 * 0x1p20 / 0x1p30)
            try run.progress.weights.forEachChunk { _, values in
                let isRight = values.allSatisfy { $0 == weight }
                #expect(isRight)
            }
            // Less than the weights alone; everything that is resident counts.
            #expect(taken < 24 << 10, "\(taken) kB")
        }

        @Test("Of a model of 32 MB and eight updates of 64 MB less than 24 MB are in memory, whatever is counted")
        func peak() async {
            await #expect(processExitsWith: .success) { try await LargeModelMemoryTests.measure() }
        }
    }
#endif
