import Crypto
import DatasiteProtocol
import Federation
import Foundation
import Secrets
import Testing

@testable import Datasite

@Suite("The aggregators of a tally, with their folders", .timeLimit(.minutes(20)))
struct TallyRunTests {
    /// Two aggregators of a task in folders of their own, which can be begun again at any moment.
    private final class Place {
        let folder = FileManager.default.temporaryDirectory.path + "/parley-tally-" + UUID().uuidString
        let (leaderKey, helperKey, collectorKey) = (TallyKey(), TallyKey(), TallyKey())
        let plan: TallyPlan
        var leader: TallyRun?
        var helper: TallyRun?
        /// What the machine's clock says, in seconds since 1970.
        var wallClock = 1.7e9
        private let longestLog: Int

        init(
            _ measure: TallyPlan.Measure, most: Int, seconds: Double = 1e6, rho: Double = 1e6, longestLog: Int = 1 << 20
        )
            throws
        {
            plan = TallyPlan(
                name: "kept", measure: measure, leastReports: 2, mostReports: most, seconds: seconds,
                privacy: TallyPrivacy(.rho(rho)),
                leader: .init(url: "http://127.0.0.1:1", identity: leaderKey.identity),
                helper: .init(url: "http://127.0.0.1:2", identity: helperKey.identity), collector: collectorKey.identity
            )
            self.longestLog = longestLog
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try restart(.leader)
            try restart(.helper)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func restart(_ role: TallyRole) throws {
            if role == .leader { leader = nil } else { helper = nil }
            // One that ends lets go of its folder when its last task does.
            let end = ContinuousClock.now + .seconds(20)
            while true {
                do {
                    let run = try TallyRun(
                        at: "\(folder)/\(role)", plan: plan, key: role == .leader ? leaderKey : helperKey,
                        longestLog: longestLog, wallClock: { [wallClock] in wallClock })
                    if role == .leader { leader = run } else { helper = run }
                    return
                } catch let problem as Problem where problem.kind == .conflict && .now < end { usleep(2_000) }
            }
        }

        func frame(_ value: TallyValue, _ key: Curve25519.Signing.PrivateKey = .init()) throws -> [UInt8] {
            var device = try TallyDevice(plan: plan, key: key)
            return Array(try device.report(value))
        }

        /// Whether a report is taken; nil: it is.
        func report(_ value: TallyValue, frame: [UInt8]? = nil) async throws -> TallyRefusal? {
            var device = try TallyDevice(plan: plan, key: .init())
            let report = Array(try device.report(value))
            return try device.take(Data(try await #require(leader).answer(report)))
        }

        func result() async throws -> TallyCollector.Answer {
            let collector = try TallyCollector(TallyTask(plan), key: collectorKey)
            return try collector.take(Data(try await #require(leader).answer(Array(collector.question()))))
        }
    }

    @Test(
        "Aggregators that are begun again at random moments, and whose replies are lost, come to the exact sum: each report is counted once"
    )
    func killed() async throws {
        let place = try Place(.sum(maximum: 30), most: 120, longestLog: 3_000)
        var random = SeededGenerator(seed: 5)
        var frames: [[UInt8]] = []
        var exact: Int64 = 0
        for number in 0..<120 {
            frames.append(try place.frame(.number(Double(number % 31))))
            exact += Int64(number % 31)
        }
        var next = 0
        while place.leader?.progress.isOver == false {
            switch random.next() % 8 {
            case 0: try place.restart(.leader)
            case 1: try place.restart(.helper)
            case 2...4 where next < frames.count:
                // Some replies are lost: the device sends again.
                for _ in 0..<(random.next() % 4 == 0 ? 2 : 1) {
                    _ = try await #require(place.leader).answer(frames[next])
                }
                next += 1
            default:
                guard let job = try await #require(place.leader).nextJob() else { continue }
                let reply = try await #require(place.helper).answer(job.frame)
                // Some of the helper's replies do not arrive, some find a leader that was begun again.
                if random.next() % 3 == 0 { continue }
                if random.next() % 4 == 0 { try place.restart(.leader) }
                try await #require(place.leader).take(reply, to: job)
            }
        }
        guard case .result(let result) = try await place.result() else {
            Issue.record("no result: \(try await place.result())")
            return
        }
        #expect(result.sums == [exact] && result.reports == 120)
        try place.restart(.leader)
        #expect(try await place.result() == .result(result))
        for frame in frames.prefix(5) { _ = try await #require(place.leader).answer(frame) }
        #expect(try await place.result() == .result(result))
    }

    @Test("A batch has one sum: whatever is begun again between its sums, the result is the same")
    func noise() async throws {
        let place = try Place(.vector(length: 64, maximum: 1), most: 3, rho: 0.5)
        let value = TallyValue.numbers([Double](repeating: 1, count: 64))
        for _ in 0..<3 { #expect(try await place.report(value) == nil) }
        let first = try #require(try await place.leader?.nextJob())
        try await place.leader?.take(try #require(try await place.helper?.answer(first.frame)), to: first)
        let last = try #require(try await place.leader?.nextJob())
        let lost = try await #require(place.helper).answer(last.frame)
        try place.restart(.helper)
        let again = try await #require(place.helper).answer(last.frame)
        #expect(lost.dropFirst(100) == again.dropFirst(100), "the signed sum")
        try place.restart(.leader)
        let job = try #require(try await place.leader?.nextJob())
        try await place.leader?.take(try #require(try await place.helper?.answer(job.frame)), to: job)
        let result = try await place.result()
        guard case .result(let numbers) = result else { return #expect(Bool(false)) }
        // With rho 1/2 each of 64 numbers has noise of sigma 8 twice: all are 3 with a probability below 1e-60.
        #expect(Set(numbers.sums) != [3] && numbers.sigma > 7.9 && numbers.epsilon > 0.5)
        try place.restart(.leader)
        #expect(try await place.result() == result)
        // What the state holds now is no exact sum any more: the share is gone.
        for role in TallyRole.allCases {
            let folder = "\(place.folder)/\(role)"
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            let state = try #require(names.first { $0.hasPrefix("state-") })
            let text = try String(contentsOfFile: "\(folder)/\(state)", encoding: .utf8)
            #expect(text.contains("\"closed\"") && !text.contains("\"elements\""), "\(role)")
        }
    }

    @Test(
        "Of a batch there is one sum, though both folders are put back and it is collected again; behind one report more there is another draw"
    )
    func putBack() async throws {
        let place = try Place(.vector(length: 64, maximum: 1), most: 6, seconds: 1e6, rho: 0.5)
        let value = TallyValue.numbers([Double](repeating: 1, count: 64))
        for _ in 0..<5 { #expect(try await place.report(value) == nil) }
        let copies = place.folder + "-copies"
        defer { try? FileManager.default.removeItem(atPath: copies) }
        try FileManager.default.copyItem(atPath: place.folder, toPath: copies)
        let (sixth, other) = (try place.frame(value), try place.frame(value))
        var results: [[Int64]] = []
        for last in [sixth, sixth, other] {
            place.leader = nil
            place.helper = nil
            try FileManager.default.removeItem(atPath: place.folder)
            try FileManager.default.copyItem(atPath: copies, toPath: place.folder)
            try place.restart(.leader)
            try place.restart(.helper)
            _ = try await #require(place.leader).answer(last)
            while let job = try await place.leader?.nextJob() {
                try await place.leader?.take(try #require(try await place.helper?.answer(job.frame)), to: job)
            }
            guard case .result(let numbers) = try await place.result() else { throw TallyRefusal.none }
            results.append(numbers.sums)
        }
        // With rho 1/2 each of 64 numbers has noise of sigma 8 twice: two draws are the same with a probability below 1e-60.
        #expect(results[0] == results[1] && results[0] != results[2])
    }

    @Test("Many devices at a time, some of them twice and some with one key: each key counts once")
    func concurrent() async throws {
        let place = try Place(.count, most: 200)
        let leader = try #require(place.leader)
        let keys = (0..<40).map { _ in Curve25519.Signing.PrivateKey() }
        var frames: [[UInt8]] = []
        for key in keys {
            for _ in 0..<2 { frames.append(try place.frame(.flag(true), key)) }
        }
        let sent = frames
        let answers = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for frame in sent + sent { group.addTask { try await leader.answer(frame) } }
            var all: [[UInt8]] = []
            for try await answer in group { all.append(answer) }
            return all
        }
        #expect(answers.count == 160 && leader.progress.taken == 40)
        while let job = try await leader.nextJob() {
            try await leader.take(try await #require(place.helper).answer(job.frame), to: job)
        }
        #expect(leader.progress.counted == 40 && place.helper?.progress.counted == 40)
    }

    @Test(
        "A clock that is set voids no tally: within a process it is not read, and across a beginning it takes a tenth of the plan's time at most"
    )
    func setClock() async throws {
        let place = try Place(.count, most: 100, seconds: 10_000)
        let year = 3.2e7
        for jump in [year, -year, -20 * year, 1e18] {
            place.wallClock = 1.7e9 + jump
            try await place.leader?.tick()
            #expect(try await place.report(.flag(true)) == nil)
        }
        // Ahead by more each time: nine tenths are over behind the ninth, and all of it behind the tenth.
        for number in 1...10 {
            place.wallClock = 1.7e9 + Double(number) * year
            try place.restart(.leader)
            try await place.leader?.tick()
            #expect(place.leader?.progress.isOpen == (number < 10), "\(number)")
            if number < 10 { #expect(try await place.report(.flag(true)) == nil) }
            // Behind: nothing of it counts.
            place.wallClock = 0
            try place.restart(.leader)
            #expect(place.leader?.progress.isOpen == (number < 10), "\(number)")
        }
        #expect(place.leader?.progress.taken == 13)
    }

    @Test("What has gone by without a report is remembered across a restart, by whatever the machine's clock says")
    func silentTime() async throws {
        let place = try Place(.count, most: 100, seconds: 30)
        func left() async throws -> Double {
            guard case .open(let seconds) = try await place.result() else { return 0 }
            return seconds
        }
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .milliseconds(400) {
            try await Task.sleep(for: .milliseconds(20))
            try await place.leader?.tick()
        }
        place.wallClock = 0
        try place.restart(.leader)
        let rest = try await left()
        #expect(rest < 29.9, "\(rest)")
    }

    @Test("A batch whose time is over ends without anybody, and gives no sum of too few; folders and keys must fit")
    func time() async throws {
        let place = try Place(.count, most: 10, seconds: 0.2)
        // On a busy machine its time is over before the first report.
        let first = try await place.report(.flag(true))
        #expect(first == nil || first == .closed)
        try await Task.sleep(for: .milliseconds(300))
        try await place.leader?.tick()
        #expect(place.leader?.progress.isOpen == false)
        #expect(try await place.report(.flag(true)) == .closed)
        while let job = try await place.leader?.nextJob() {
            try await place.leader?.take(try #require(try await place.helper?.answer(job.frame)), to: job)
        }
        #expect(place.leader?.progress.void == .few)
        try place.restart(.leader)
        #expect(try await place.result() == .void(.few))
        var other = place.plan
        other.name = "other"
        place.leader = nil
        let (folder, plan) = (place.folder, place.plan)
        #expect(throws: Problem.self) { try TallyRun(at: folder + "/leader", plan: other, key: place.leaderKey) }
        #expect(throws: Problem.self) { try TallyRun(at: folder + "/leader", plan: plan, key: place.helperKey) }
        #expect(throws: Problem.self) { try TallyRun(at: folder + "/new", plan: plan, key: place.collectorKey) }
    }

    @Test(
        "What is wrong in a tally's plan is said with its place",
        arguments: [
            ("measure: count", "measure: {sum: 0}", "`measure.sum`"), ("measure: count", "measure: mean", "{sum: 600}"),
            ("measure: count", "measure: {buckets: [a, a]}", "different"),
            ("measure: count", "measure: {vector: {length: 2}}", "{length: 7, max: 24}"),
            ("reports: [10, 100]", "reports: [10]", "[least, most]"),
            ("reports: [10, 100]", "reports: 10", "[least, most]"),
            ("https://a.example.org", "file:///etc/passwd", "`leader.url`: expected an aggregator's address"),
            ("https://a.example.org", "http://a.example.org", "http:// on this machine alone"),
            ("https://b.example.org", "https://", "`helper.url`: expected"),
            ("https://b.example.org", "b", "`helper.url`: expected"),
            (
                "measure: count", "measure: {sum: 1099511627776}",
                "the noise's sigma, about 2^42 for numbers as large as the measure's: expected at most 2^40: a smaller maximum"
            ),
            ("reports: [10, 100]", "reports: [1, 100]", "from 2"),
            ("epsilon: 1", "epsilon: 1, rho: 1", "{rho: 0.05"), ("open-seconds: 60", "hours: 1", "no key `hours`"),
            ("collector: ", "enroller: AAAA\ncollector: ", "`enroller`"), ("name: steps", "name: a b", "letters"),
            ("version: 1", "version: 2", "expected 1"), ("url: ", "address: ", "no key `address`"),
        ])
    func plans(old: String, new: String, words: String) throws {
        let keys = (0..<3).map { _ in TallyKey().identity.text }
        let text = """
            version: 1
            name: steps
            measure: count
            reports: [10, 100]
            open-seconds: 60
            privacy: {epsilon: 1, delta: 1e-6}
            leader: {url: "https://a.example.org", key: \(keys[0])}
            helper: {url: "https://b.example.org", key: \(keys[1])}
            collector: \(keys[2])
            """
        #expect(try TallyDocument(text).plan.privacy == TallyPrivacy(.epsilon(1)))
        let changed = text.replacing(old, with: new, maxReplacements: 1)
        #expect(changed != text)
        do {
            _ = try TallyDocument(changed)
            Issue.record("not refused")
        } catch let problem as Problem {
            #expect(problem.detail.contains(words) || problem.hint?.contains(words) == true, "\(problem)")
        }
    }
}
