import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Testing

@testable import Datasite

@Suite("Devices and their coordinator, with their folders", .timeLimit(.minutes(20)))
struct DeviceRunTests {
    /// Files of a coordinator and some devices, whose rows say that who is old and smokes is ill.
    private final class Place {
        let folder = FileManager.default.temporaryDirectory.path + "/parley-devices-" + UUID().uuidString

        init(devices: Int) throws {
            for name in ["host"] + (0..<devices).map({ "device-\($0)" }) {
                try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
                let shift = name.utf8.reduce(0) { ($0 * 31 + Int($1)) % 97 }
                let rows = (0..<40).map { row -> String in
                    let (age, smokes) = ((row * 37 + shift) % 90, (row + shift) % 2 == 0)
                    return "\(age),\(smokes ? "yes" : "no"),\(age + (smokes ? 30 : 0) > 60 ? "yes" : "no")"
                }
                let text = "age,smokes,ill\n" + rows.joined(separator: "\n") + "\n"
                for file in ["train.csv", "test.csv"] {
                    try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)/\(file)"))
                }
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }
    }

    private static func plan(_ devices: String = "") -> String {
        """
        version: 1
        name: illness
        data:
          format: csv
          train: {file: train.csv}
          columns:
            - {name: age, bounds: [0, 100]}
            - {name: smokes, domain: [no, yes]}
          label: {column: ill, domain: [no, yes]}
          test: {file: test.csv}
        model: {name: logistic-regression}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 1}
        batch: 20
        metrics: [accuracy]
        devices: {cycles: 4, spare-cycles: 2, local-steps: 5, range: 8, reports: [3, 3], workers: [3, 6], over-selection: 1, cycle-seconds: 600, retry-seconds: [0.1, 1]\(devices)}
        """
    }

    private static let ready = DeviceConditions(
        battery: 1, isCharging: false, isUnmetered: true, isIdle: true, download: 1e9, upload: 1e9)

    private func begin(_ place: Place, _ plan: String = plan(), enroller: String? = nil) throws -> DeviceRun {
        let path = place.folder + "/run"
        if !DeviceRun.exists(at: path) {
            let rows = try HeldOutRows(planText: plan, dataFolder: place.folder + "/host")
            try DeviceRun.create(at: path, planText: plan, rows: rows, enroller: enroller)
        }
        // One that ends lets go of its folder when its last task does.
        let end = ContinuousClock.now + .seconds(20)
        while true {
            do { return try DeviceRun(at: path) { _ in } } catch let problem as Problem
                where problem.kind == .conflict && .now < end
            { usleep(2_000) }
        }
    }

    private func device(
        _ place: Place, _ number: Int, _ description: DeviceRun.Description, certificate: String? = nil,
        agrees: Bool = true
    ) throws -> DevicePart {
        let path = "\(place.folder)/state-\(number)"
        if !agrees {
            return try DevicePart(
                description, dataFolder: "\(place.folder)/device-\(number)", path: path, certificate: nil)
        }
        try DevicePart.agree(to: description, at: path)
        return try DevicePart(
            description, dataFolder: "\(place.folder)/device-\(number)", path: "\(place.folder)/state-\(number)",
            certificate: certificate)
    }

    @Test(
        "Three devices train a model; coordinator and devices that are killed at any message come to the end, and no report counts twice"
    )
    func killed() async throws {
        let place = try Place(devices: 3)
        var run: DeviceRun? = try begin(place)
        let description = try #require(run?.description)
        let rows = try HeldOutRows(planText: Self.plan(), dataFolder: place.folder + "/host")
        let begun = try #require(run?.progress.weights)
        let before = try #require(try rows.measure(begun).first?.value)
        var parts: [DevicePart?] = try (0..<3).map { try device(place, $0, description) }
        var (messages, thanked) = (0, 0)
        while run?.progress.phase == .collecting {
            for number in 0..<3 {
                messages += 1
                try #require(messages < 600)
                // Each fifth message finds a coordinator that was begun again, each seventh is of a device that was.
                if messages % 5 == 0 {
                    run = nil
                    run = try begin(place)
                }
                if messages % 7 == 0 {
                    parts[number] = nil
                    parts[number] = try device(place, number, description)
                }
                guard let part = parts[number], !part.isOver, let frame = try part.next(Self.ready) else { continue }
                let reply = try await #require(run).answer(frame)
                // Each fourth reply does not arrive.
                if messages % 4 != 0 { _ = try part.take(reply) }
            }
        }
        let progress = try #require(run?.progress)
        #expect(progress.phase == .finished && progress.cycle == 4 && progress.attempts == 4, "\(progress)")
        for number in 0..<3 {
            let part = try #require(parts[number])
            while !part.isOver, let frame = try part.next(Self.ready) {
                _ = try part.take(try await #require(run).answer(frame))
            }
            thanked += part.thanked
        }
        #expect(thanked <= 12 && thanked >= 9)
        let after = try #require(try rows.measure(progress.weights).first?.value)
        #expect(after > before && after > 0.7, "\(before) to \(after)")
        #expect(try #require(run).write() == ["weights.safetensors", "architecture.json", "plan.yaml"])
    }

    @Test("What a coordinator says is checked before it is put into words, and no number of it ends the process")
    func hostileDescription() throws {
        let place = try Place(devices: 1)
        let description = try begin(place).description
        let bytes = Array(try JSONEncoder().encode(description))
        #expect(try DeviceRun.Description(reading: bytes) == description)
        let changes: [(inout DevicePlan) -> Void] = [
            { $0.cycles = .max }, { $0.spareCycles = .max }, { $0.restCycles = .max }, { $0.restCycles = -1 },
            { $0.cycles = 0 }, { $0.overSelection = 1e300 }, { $0.mostReports = .max }, { $0.parameterCount = .min },
        ]
        for change in changes {
            var changed = description
            change(&changed.cycles)
            let bytes = Array(try JSONEncoder().encode(changed))
            let problem = try #require(throws: Problem.self) { try DeviceRun.Description(reading: bytes) }
            #expect(problem.detail.contains("cannot be followed"))
        }
        for wrong in ["", "{}", "[]", "\u{1}"] {
            #expect(throws: Problem.self) { try DeviceRun.Description(reading: Array(wrong.utf8)) }
        }
    }

    @Test("A device takes part in one run after another under one key, and each run is gone on with where it was")
    func severalRuns() async throws {
        let place = try Place(devices: 1)
        let first = try begin(place)
        let rows = try HeldOutRows(planText: Self.plan(), dataFolder: place.folder + "/host")
        try DeviceRun.create(at: place.folder + "/other", planText: Self.plan(), rows: rows, enroller: nil)
        let second = try DeviceRun(at: place.folder + "/other") { _ in }
        #expect(first.description.run != second.description.run)
        var keys: Set<String> = []
        var frames: [[UInt8]] = []
        for _ in 0..<2 {
            for run in [first, second] {
                let part = try device(place, 0, run.description)
                keys.insert(part.publicKey)
                let frame = try #require(try part.next(Self.ready))
                _ = try part.take(try await run.answer(frame))
                frames.append(frame)
            }
        }
        #expect(keys.count == 1)
        // Behind the first message of each it goes on with the ticket that it has.
        #expect(frames[0].count == frames[1].count && frames[2].count != frames[0].count)
        #expect(first.progress.counts.accepted == 1 && second.progress.counts.accepted == 1)
    }

    @Test("Two commands that begin in one folder at once make one key; a file is no folder")
    func keys() async throws {
        let place = try Place(devices: 0)
        let path = place.folder + "/new"
        let keys = await withTaskGroup(of: String?.self) { group in
            for _ in 0..<16 { group.addTask { try? DevicePart.publicKey(at: path) } }
            return await group.reduce(into: Set<String>()) { if let key = $1 { $0.insert(key) } }
        }
        #expect(keys.count == 1)
        #expect(try DevicePart.publicKey(at: path) == keys.first)
        let file = place.folder + "/host/train.csv"
        #expect(try #require(throws: Problem.self) { try DevicePart.publicKey(at: file) }.detail.contains("is a file"))
    }

    @Test(
        "A noisy step is stored before anything else is answered, and a coordinator that begins again has the same model"
    )
    func noise() async throws {
        let place = try Place(devices: 3)
        let plan = Self.plan(", privacy: {clip: 1, noise: 0.5}")
        var run: DeviceRun? = try begin(place, plan)
        let description = try #require(run?.description)
        let parts = try (0..<3).map { try device(place, $0, description) }
        while run?.progress.cycle == 0 {
            for part in parts {
                guard let frame = try part.next(Self.ready) else { continue }
                _ = try part.take(try await #require(run).answer(frame))
            }
        }
        let weights = run?.progress.weights
        run = nil
        let again = try begin(place, plan).progress
        #expect(again.weights == weights && again.cycle == 1)
        #expect(description.cycles.aggregation != .plain)
        let loss = try description.cycles.event().loss(kind: .zeroConcentrated)
        // Four steps have a device's report in them at most: rho = 4 / (2 * 0.25).
        #expect(abs(loss.value - 8) < 1e-3)
    }

    @Test(
        "Only devices that were enrolled take part, where the plan's coordinator says so; frames of others, and changed ones, are refused"
    )
    func enrolment() async throws {
        let place = try Place(devices: 2)
        let enroller = try DeviceEnroller(keyFile: place.folder + "/enroller.key")
        let run = try begin(place, enroller: enroller.publicKey)
        #expect(try DeviceEnroller(keyFile: place.folder + "/enroller.key").publicKey == enroller.publicKey)
        var stranger: DevicePart? = try device(place, 0, run.description)
        let frame = try #require(try stranger?.next(Self.ready))
        await #expect(throws: FrameError.sender) { _ = try await run.answer(frame) }
        let certificate = try enroller.certificate(try #require(stranger?.publicKey))
        stranger = nil
        let enrolled = try device(place, 0, run.description, certificate: certificate)
        let good = try #require(try enrolled.next(Self.ready))
        _ = try enrolled.take(try await run.answer(good))
        // Another's certificate is none.
        let other = try device(place, 1, run.description, certificate: certificate)
        let foreign = try #require(try other.next(Self.ready))
        await #expect(throws: FrameError.sender) { _ = try await run.answer(foreign) }
        for place in [3, 10, 30, 55, 70, 130, good.count - 1] {
            var changed = good
            changed[place] ^= 1
            await #expect(throws: (any Error).self) { _ = try await run.answer(changed) }
        }
        await #expect(throws: (any Error).self) { _ = try await run.answer([]) }
        await #expect(throws: (any Error).self) { _ = try await run.answer(Array(good.prefix(100))) }
        #expect(throws: Problem.self) { try enroller.certificate("AAAA") }
        #expect(run.progress.counts.accepted == 1)
    }

    @Test(
        "What is wrong with a plan's numbers of devices is said by the keys that it is of, and where they stand",
        arguments: [
            (
                "retry-seconds: [0.1, 1]", "retry-seconds: 10",
                "`devices.retry-seconds`: expected [least, most], in seconds"
            ),
            (
                "retry-seconds: [0.1, 1]", "retry-seconds: [10, 15]",
                "`devices.retry-seconds`: expected [least, most], in seconds"
            ),
            ("reports: [3, 3]", "reports: 3", "`devices.reports`: expected [least, most]"),
            (
                "reports: [3, 3]", "reports: [50, 100]",
                "`devices.workers`: at least 3 devices: expected from 50 to 100, the least and the most of `reports`"
            ),
            (
                "reports: [3, 3]", "reports: [3, 9]",
                "`devices.workers`: at most 6 devices: expected 9, the most of `reports`, or more"
            ),
            (
                "cycle-seconds: 600", "cycle-seconds: 600, admission-seconds: 601",
                "`devices.admission-seconds`: expected at most the 600 of `cycle-seconds`"
            ),
        ])
    func numbers(old: String, new: String, words: String) throws {
        let text = Self.plan()
        _ = try TrainingDocument(text)
        let changed = text.replacing(old, with: new)
        #expect(changed != text)
        do {
            _ = try TrainingDocument(changed)
            Issue.record("not refused")
        } catch let problem as Problem {
            #expect(problem.detail.contains(words) && problem.detail.contains("line "), "\(problem)")
        }
    }

    @Test("A reply that is for another message, or by another key, is not followed")
    func replies() async throws {
        let place = try Place(devices: 1)
        let run = try begin(place)
        let part = try device(place, 0, run.description)
        let first = try await run.answer(try #require(try part.next(Self.ready)))
        _ = try part.next(Self.ready)
        #expect(throws: FrameError.sender) { _ = try part.take(first) }
        var changed = try await run.answer(try #require(try part.next(Self.ready)))
        changed[changed.count - 2] ^= 1
        #expect(throws: (any Error).self) { _ = try part.take(changed) }
        // Another plan than the one that its owner agreed to is not looked at.
        var amended = run.description
        amended.plan += "\n"
        #expect(throws: Problem.self) { try device(place, 0, amended, agrees: false) }
        // A device follows the plan's text: numbers that do not follow from it are refused.
        var other = run.description
        other.cycles.cycles = 400
        #expect(throws: Problem.self) { try device(place, 0, other) }
    }

    @Test(
        "What is wrong in a plan for devices is said with its key",
        arguments: [
            ("reports: [3, 3]", "reports: [3]", "[least, most]"), ("cycles: 4", "rounds: 4", "rounds"),
            ("reports: [3, 3], ", "", "`reports` is missing"),
            ("workers: [3, 6]", "workers: [9, 10]", "`devices.workers`"),
            ("local-steps: 5", "local-steps: 5, requirements: {batery: 1}", "batery"),
            ("local-steps: 5", "local-steps: 5, privacy: {clip: 1}", "{clip: 1, noise: 1}"),
            ("local-steps: 5", "local-steps: 5, strategy: {kind: scaffold, rate: 1}", "scaffold"),
            ("metrics: [accuracy]", "metrics: [accuracy]\nepochs: 3", "no `epochs`"),
        ])
    func plans(old: String, new: String, words: String) throws {
        let place = try Place(devices: 0)
        let plan = Self.plan().replacing(old, with: new)
        #expect(plan != Self.plan())
        do {
            let rows = try HeldOutRows(planText: plan, dataFolder: place.folder + "/host")
            try DeviceRun.create(at: place.folder + "/run", planText: plan, rows: rows, enroller: nil)
            Issue.record("not refused")
        } catch let problem as Problem {
            #expect(problem.detail.contains(words) || problem.hint?.contains(words) == true, "\(problem)")
        }
        #expect(!DeviceRun.exists(at: place.folder + "/run"))
    }
}
