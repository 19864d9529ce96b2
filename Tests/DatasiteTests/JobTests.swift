import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Query
import Secrets
import Synchronization
import Tables
import Testing

@testable import Datasite

/// An engine of three steps, which tells a test when each has ended, and waits until it is told to go on.
private struct SteppedWork: EngineWork {
    static let engine: EngineName = "steps"
    static let noun = "the walk"
    static let roles: Set<Role> = [.researcher]
    static let isAllowedUnlessSaid = true

    /// What really happens in a run, step by step; it is told the step and the table.
    final class Course: Sendable {
        private let steps = Mutex<@Sendable (Int, Tables.Table) -> Void>({ _, _ in })
        private let ran = Mutex<[Int]>([])
        var done: [Int] { ran.withLock { $0 } }

        func set(_ body: @escaping @Sendable (Int, Tables.Table) -> Void) { steps.withLock { $0 = body } }

        func take(_ step: Int, _ table: Tables.Table) {
            ran.withLock { $0.append(step) }
            steps.withLock { $0 }(step, table)
        }
    }

    /// By the population that is asked: tests run at the same time.
    static let courses = Mutex<[String: Course]>([:])

    let entry: Catalogue.Entry
    let count: Int
    var assets: [Catalogue.Entry] { [entry] }
    let charge = Charge(loss: nil, uses: 1)
    var bound: PlanBound { PlanBound(work: steps.reduce(Work()) { $0 + $1.work }, memory: 8) }
    /// Three of growing length, or many of 10 ms.
    var steps: [WorkStep] {
        (1...count).map { WorkStep("walking \($0)", Work([.scan: count == 3 ? Double($0) : 0.01])) }
    }

    /// - Parameter body: The dataset, and how many steps.
    init(body: [UInt8], in knowledge: PublicKnowledge) throws {
        let parts = String(decoding: body, as: UTF8.self).split(separator: " ").map(String.init)
        guard let name = parts.first, let entry = knowledge.catalogue.datasets[name] else {
            throw knowledge.catalogue.absent("it")
        }
        self.entry = entry
        count = parts.count > 1 ? Int(parts[1]) ?? 3 : 3
    }

    static func words(_ body: [UInt8]) -> String { "WALK" }

    func run(
        _ grant: borrowing Grant<SteppedWork>, using randomness: inout SecureRandom
    ) -> Measured<Int, SecureRandom>? {
        guard case .table(let table) = grant.tables[0],
            let course = Self.courses.withLock({ $0[entry.manifest.population] })
        else { return nil }
        for step in 1...count {
            course.take(step, table)
            guard grant.track.finish(step) else { return nil }
        }
        return Measured<Int, SecureRandom>(answer: 1, events: [])
    }

    func document(_ release: Release<Int>, _ terms: ReleaseTerms) throws -> [UInt8] {
        Array("{\"nonce\":\"\(Nonce.new())\"}".utf8)
    }
}

/// A clock that moves when it is told to, or when somebody sleeps: to the instant that was slept until. An engine's thread
/// has a time of its own, which moves as it works: how long that takes is no event for the others.
private final class WalkClock: Sendable {
    private let time = Mutex<Duration>(.zero)
    private let worked = Mutex<Duration>(.zero)

    func advance(_ by: Duration) { time.withLock { $0 += by } }

    private static let mark = "walks"

    /// A run begins now, on this thread.
    func begin() {
        Thread.current.threadDictionary[Self.mark] = true
        let now = time.withLock { $0 }
        worked.withLock { $0 = now }
    }

    func work(_ by: Duration) { worked.withLock { $0 += by } }

    var clock: SiteClock {
        SiteClock(
            now: { self.time.withLock { 1_800_000_000 + $0.components.seconds } },
            instant: {
                let isEngine = Thread.current.threadDictionary[Self.mark] != nil
                return isEngine ? self.worked.withLock { $0 } : self.time.withLock { $0 }
            },
            sleepUntil: { until in self.time.withLock { $0 = max($0, until) } })
    }
}

@Suite("Long work: what is seen of it, how it is cancelled, and how it goes on after a crash")
struct JobTests {
    private let population = "walkers-" + hexadecimal(SecureRandom.bytes(4))
    private let course = SteppedWork.Course()
    private let walk = WalkClock()

    private func site(
        _ policy: String = "{loss: pure, total: {epsilon: 10}, engines: {steps: {uses: 5}, questions: {}}}",
        people: Int = 60
    ) throws -> (test: TestSite, site: Datasite) {
        let test = try TestSite(researchers: ["ada", "bea"])
        SteppedWork.courses.withLock { $0[population] = course }
        let site = try open(test)
        try test.add("walks", policy: policy, population: population, people: people, to: site)
        return (test, site)
    }

    private func open(_ test: TestSite) throws -> Datasite {
        var configuration = TestSite.configuration(test.clock)
        configuration.clock = walk.clock
        configuration.engines = EngineTable([QuestionWork.self, SteppedWork.self, SynthesisWork.self])
        // A second for each unit of work: slots of 4 to 5 seconds.
        configuration.slot = { _, bound in TimeSlot(bound: .seconds(bound.work[.scan])) }
        return try Datasite(path: test.path, configuration: configuration)
    }

    private var submission: Submission { Submission(engine: SteppedWork.self, body: Array("walks".utf8), key: "k") }
    private static let bea = Identity(name: "bea", role: .researcher)
    private static let held =
        "{loss: pure, total: {epsilon: 10}, approval: owner, engines: {steps: {uses: 5, approval: owner}, questions: {approval: owner}}}"

    /// Where a request stood, step by step.
    private func told(_ id: String, _ site: Datasite, as identity: Identity = .ada) throws -> [String] {
        try site.events(of: id, after: 0, as: identity).events.map { "\($0.state.rawValue) \($0.step)/\($0.steps)" }
    }

    private func uses(_ test: TestSite) throws -> Int { try test.integer("SELECT coalesce(sum(uses), 0) FROM uses") }

    // MARK: Events

    @Test("Steps are told in order, each at its own slot's end, before the answer; and then nothing")
    func order() async throws {
        let (test, site) = try site()
        let result = try await site.submit(submission, as: .ada)
        #expect(result.answer != nil)
        let id = try #require(try site.requests(as: .ada).first?.id)
        let page = try site.events(of: id, after: 0, as: .ada)
        #expect(page.hasStopped)
        #expect(try told(id, site) == ["running 0/3", "running 1/3", "running 2/3", "released 3/3"])
        #expect(page.events.map(\.number) == [1, 2, 3, 4])
        #expect(page.events.map(\.words) == ["walking 1", "walking 2", "walking 3", nil])
        // 1, 3 and 6 seconds of work: these parts of the answer's slot.
        let slots = [1.0, 3, 6].map { (TimeSlot(bound: .seconds(6)).length * ($0 / 6)).components.seconds }
        #expect(page.events.map(\.time) == ([0] + slots).map { Timestamp.text(1_800_000_000 + $0) })
        #expect(try site.events(of: id, after: 2, as: .ada).events.map(\.number) == [3, 4])
        #expect(try site.events(of: id, after: 4, as: .ada).events.isEmpty)
        #expect(try site.jobs(as: .ada).isEmpty)
        #expect(try site.jobs(as: .ada, all: true).map(\.state) == [.released])
        #expect(try test.site.verify().problems == [])
    }

    @Test(
        "Neighbouring tables tell the same at the same times, although their steps take other times",
        arguments: [Duration.zero, .milliseconds(300), .seconds(3)])
    func neighbours(_ oneMore: Duration) async throws {
        var streams: [[RequestEvent]] = []
        for people in [60, 61] {
            let (test, site) = try site(people: people)
            defer { withExtendedLifetime(test) {} }
            let start = walk.clock.now()
            course.set { step, table in
                if step == 1 { walk.begin() }
                // What somebody's row takes longer; all within the steps' bounds.
                walk.work(.milliseconds(100) + (table.rowCount > 120 ? oneMore : .zero))
            }
            _ = try await site.submit(submission, as: .ada)
            let id = try #require(try site.requests(as: .ada).first?.id)
            let begun = try #require(try site.events(of: id, after: 0, as: .ada).events.first?.time)
            #expect(begun == Timestamp.text(start))
            // On whole seconds, as times are told.
            walk.advance(.seconds(60) - (walk.clock.instant() - .seconds(walk.clock.instant().components.seconds)))
            streams.append(
                try site.events(of: id, after: 0, as: .ada).events.map { event in
                    var event = event
                    event.request = ""
                    event.time = "\(Self.seconds(event.time) - start)"
                    return event
                })
        }
        #expect(streams[0] == streams[1])
        #expect(streams[0].count == 4)
    }

    private static func seconds(_ time: String) -> Int64 {
        Int64((try? Date(time, strategy: .iso8601))?.timeIntervalSince1970 ?? 0)
    }

    @Test("A step that outlives its slot is told at 8 times it, or not at all where the answer leaves before")
    func lateSteps() async throws {
        let (test, site) = try site()
        defer { withExtendedLifetime(test) {} }
        let first = TimeSlot(bound: .seconds(6)).length * (1.0 / 6)
        course.set { step, _ in
            guard step == 1 else { return }
            walk.begin()
            walk.work(first + .seconds(1))
        }
        _ = try await site.submit(submission, as: .ada)
        let id = try #require(try site.requests(as: .ada).first?.id)
        // 8 times the first slot is later than the answer, which was in time.
        #expect(try told(id, site) == ["running 0/3", "released 3/3"])
        let events = try site.events(of: id, after: 0, as: .ada).events
        let whole = TimeSlot(bound: .seconds(6)).length.components.seconds
        #expect(Self.seconds(events[1].time) - Self.seconds(events[0].time) == whole)
    }

    @Test(
        "Where the machine failed, the steps are told as if it had not, and then one word; asked again, it is computed")
    func failure() async throws {
        let (test, site) = try site()
        SteppedWork.courses.withLock { $0[population] = nil }
        let failed = await problem { _ = try await site.submit(submission, as: .ada) }
        #expect(failed?.detail.contains("the machine failed") == true)
        let id = try #require(try site.requests(as: .ada).first?.id)
        #expect(try told(id, site) == ["running 0/3", "running 1/3", "running 2/3", "failed 2/3"])
        #expect(try site.jobs(as: .ada).map(\.state) == [.failed])
        SteppedWork.courses.withLock { $0[population] = course }
        #expect(try await site.submit(submission, as: .ada).answer != nil)
        #expect(try told(id, site).suffix(4) == ["running 0/3", "running 1/3", "running 2/3", "released 3/3"])
        #expect(try uses(test) == 1)
    }

    @Test("Of many steps those are told that lie a quarter of a second apart, at times of their own")
    func manySteps() async throws {
        let (test, site) = try site()
        defer { withExtendedLifetime(test) {} }
        let submission = Submission(engine: SteppedWork.self, body: Array("walks 400".utf8))
        #expect(try await site.submit(submission, as: .ada).answer != nil)
        let id = try #require(try site.requests(as: .ada).first?.id)
        let steps = try site.events(of: id, after: 0, as: .ada).events.map(\.step)
        let whole = TimeSlot(bound: .seconds(4)).length
        // The first step is told when several are done: a slot has a least length.
        let between = zip(steps.dropFirst(2), steps.dropFirst(3)).map { $1 - $0 }.dropLast()
        let least = Int((StepTrack.leastPause / (whole * (1.0 / 400))).rounded(.up))
        #expect(between.allSatisfy { $0 == least || $0 == least + 1 }, "\(steps)")
        #expect(steps.first == 0 && steps.last == 400 && steps.count > 50)
    }

    @Test("Pending, approved, running, released: and a denial says why")
    func decisions() async throws {
        let (test, site) = try site(Self.held)
        let id = try #require(try await site.submit(submission, as: .ada).pendingID)
        #expect(try told(id, site) == ["pending 0/3"])
        #expect(try !site.events(of: id, after: 0, as: .ada).hasStopped)
        _ = try await site.approve(id, by: .folder)
        #expect(
            try told(id, site) == [
                "pending 0/3", "approved 0/3", "running 0/3", "running 1/3", "running 2/3", "released 3/3",
            ])
        let other = try #require(try await site.ask(TestSite.count(1, "walks"), as: .ada).pendingID)
        _ = try await site.deny(other, by: .folder, reason: "too dear")
        #expect(try told(other, site) == ["pending 0/1", "denied 0/1"])
        #expect(try site.events(of: other, after: 1, as: .ada).events.first?.words == "too dear")
        #expect(try test.site.verify().problems == [])
    }

    /// Runs `body` while no place on the engines is left for that name.
    private func whileFull(_ site: Datasite, _ name: String, _ body: () async -> Void) async throws {
        do {
            try await site.engines.admitting(name) { try await whileFull(site, name, body) }
        } catch let problem as Problem where problem.kind == .busy {
            await body()
        }
    }

    @Test("What is approved and finds no place is told as failed, not as approved for ever; resumed, it is answered")
    func approvedWithoutPlace() async throws {
        let (test, site) = try site(Self.held)
        let id = try #require(try await site.submit(submission, as: .ada).pendingID)
        try await whileFull(site, "ada") {
            let refusal = await problem { _ = try await site.approve(id, by: .folder) }
            #expect(refusal?.kind == .busy)
            #expect(refusal?.detail.hasPrefix("the request is approved and charged, but not computed: ") == true)
            #expect(refusal?.hint == "`parley jobs resume \(id)` computes it under its charge")
        }
        #expect(try told(id, site) == ["pending 0/3", "approved 0/3", "failed 0/3"])
        #expect(try site.events(of: id, after: 0, as: .ada).hasStopped)
        #expect(try site.job(id, as: .ada).state == .failed)
        _ = try await site.answer(id, as: .ada)
        #expect(try site.job(id, as: .ada).state == .released)
        #expect(try uses(test) == 1)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A researcher sees her own events and jobs alone; an owner all; a revoked researcher none")
    func visibility() async throws {
        let (test, site) = try site()
        _ = try await site.submit(submission, as: .ada)
        let id = try #require(try site.requests(as: .ada).first?.id)
        for action in [
            { _ = try site.events(of: id, after: 0, as: Self.bea) }, { _ = try site.job(id, as: Self.bea) },
        ] { #expect(await problem { try action() }?.kind == .notFound) }
        #expect(await problem { _ = try await site.cancelJob(id, by: Self.bea) }?.kind == .notFound)
        #expect(try site.jobs(as: Self.bea, all: true).isEmpty)
        #expect(try told(id, site, as: .folder).count == 4)
        #expect(try site.jobs(as: .folder, all: true).map(\.kind) == [.add, .add, .request])
        // How many rows there are is the owners' alone.
        #expect(try site.jobs(as: .ada, all: true).allSatisfy { $0.kind == .request && $0.rowsRead == nil })
        #expect(try site.jobs(as: .auditor, all: true).allSatisfy { $0.kind == .request })
        let addition = try #require(try site.jobs(as: .folder, all: true).first?.id)
        #expect(await problem { _ = try site.job(addition, as: .ada) }?.kind == .notFound)
        try test.site.revokeUser("ada")
        #expect(await problem { _ = try site.events(of: id, after: 0, as: .ada) }?.kind == .forbidden)
    }

    // MARK: Cancelling

    @Test("What waits is withdrawn, and what it held is given back; a second time there is nothing to cancel")
    func withdrawn() async throws {
        let (test, site) = try site(Self.held)
        let id = try #require(try await site.submit(submission, as: .ada).pendingID)
        let question = try #require(try await site.ask(TestSite.count(1, "walks"), as: .ada).pendingID)
        #expect(try uses(test) == 1)
        #expect(try test.spent(population: population) == unit)
        for job in [id, question] {
            #expect(try await site.cancelJob(job, by: .ada).state == .cancelled)
            #expect(await problem { _ = try await site.cancelJob(job, by: .ada) }?.kind == .conflict)
            #expect(await problem { _ = try await site.approve(job, by: .folder) }?.kind == .conflict)
            #expect(await problem { _ = try await site.answer(job, as: .ada) }?.detail.contains("withdrawn") == true)
        }
        #expect(try uses(test) == 0)
        #expect(try test.spent(population: population) == 0)
        #expect(try site.request(id, as: .ada).state == "cancelled")
        #expect(await problem { _ = try await site.submit(submission, as: .ada) }?.kind == .conflict)
        #expect(try site.audit(as: .auditor).count { $0.action == "cancelled" } == 2)
        #expect(try test.site.verify().problems == [])
    }

    @Test(
        "What runs stops at its next step: the charge is kept, no answer is stored, and who waits is told at the slot's end"
    )
    func stopped() async throws {
        let (test, site) = try site()
        let other = try open(test)
        let started = DispatchSemaphore(value: 0)
        let gate = DispatchSemaphore(value: 0)
        course.set { step, _ in
            guard step == 2 else { return }
            started.signal()
            gate.wait()
        }
        let begun = walk.clock.instant()
        let asking = Task { await problem { _ = try await site.submit(submission, as: .ada) } }
        await Self.wait(started)
        let id = try #require(try other.requests(as: .ada).first?.id)
        #expect(try other.jobs(as: .folder).map(\.state) == [.running])
        // From another process, as an owner's command would.
        #expect(try await other.cancelJob(id, by: .folder).state == .cancelled)
        gate.signal()
        let refusal = await asking.value
        #expect(refusal?.kind == .conflict)
        #expect(refusal?.detail.contains("by an owner; its charge is kept") == true)
        #expect(course.done == [1, 2])
        #expect(walk.clock.instant() - begun == TimeSlot(bound: .seconds(6)).length)
        #expect(try told(id, site).last?.hasPrefix("cancelled") == true)
        #expect(try uses(test) == 1)
        #expect(try test.integer("SELECT count(*) FROM answers") == 0)
        #expect(await problem { _ = try await site.answer(id, as: .ada) }?.kind == .conflict)
        #expect(await problem { _ = try await site.submit(submission, as: .ada) }?.kind == .conflict)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A question of one step runs to its end, and its answer is thrown away")
    func cancelledQuestion() async throws {
        let (test, site) = try site()
        let id = try await test.reserveOnly(TestSite.count(1), key: "q")
        _ = try await site.cancelJob(id, by: .ada)
        #expect(await problem { _ = try await site.answer(id, as: .ada) }?.kind == .conflict)
        #expect(try test.spent() == unit)
        #expect(try test.integer("SELECT count(*) FROM answers") == 0)
        #expect(try test.site.verify().problems == [])
    }

    @Test("What was released cannot be cancelled, and its answer stays")
    func released() async throws {
        let (test, site) = try site()
        let answer = try #require(try await site.submit(submission, as: .ada).answer)
        let id = try #require(try site.requests(as: .ada).first?.id)
        for who in [Identity.ada, .folder] {
            let refusal = await problem { _ = try await site.cancelJob(id, by: who) }
            #expect(refusal?.kind == .conflict && refusal?.detail.contains("released") == true)
        }
        #expect(await problem { _ = try await site.cancelJob(id, by: .auditor) }?.kind == .forbidden)
        #expect(await problem { _ = try await site.cancelJob("nothing", by: .folder) }?.kind == .notFound)
        #expect(try await site.answer(id, as: .ada) == answer)
        #expect(try uses(test) == 1)
    }

    // MARK: Crashes

    @Test("What a process left behind is shown as interrupted, and completed by name under its charge, once")
    func interrupted() async throws {
        let (test, site) = try site()
        let id = try await test.reserveOnly(TestSite.count(1), key: nil)
        #expect(try site.jobs(as: .ada).map(\.state) == [.interrupted])
        let page = try site.events(of: id, after: 0, as: .ada)
        #expect(page.hasStopped && page.events.map(\.state) == [.interrupted])
        #expect(try await !site.answer(id, as: .ada).isEmpty)
        #expect(try told(id, site) == ["running 0/1", "running 0/1", "released 1/1"])
        #expect(try test.spent() == unit)
        #expect(try test.site.verify().problems == [])
    }

    @Test("A process that has gone lets go of its lock; one that lives does not")
    func lifelines() throws {
        let (test, site) = try site()
        var other: Datasite? = try open(test)
        let name = try #require(try other?.lifeline())
        #expect(site.isAlive(name))
        #expect(try other?.lifeline() == name)
        try site.removeAbandonedVersions()
        #expect(site.isAlive(name))
        other = nil
        #expect(!site.isAlive(name))
        #expect(!site.isAlive(nil))
    }

    // MARK: Synthetic tables

    private func synthesizing(_ test: TestSite, atInstant hook: @escaping @Sendable (Int) -> Void) throws -> Datasite {
        var configuration = TestSite.configuration(test.clock)
        configuration.clock = walk.clock
        let instant = walk.clock.instant
        let calls = Mutex(0)
        configuration.clock.instant = {
            hook(
                calls.withLock { calls in
                    calls += 1
                    return calls
                })
            return instant()
        }
        // So long that parts which are a thousandth of it are told.
        configuration.slot = { _, _ in TimeSlot(bound: .seconds(10_000)) }
        return try Datasite(path: test.path, configuration: configuration)
    }

    @Test("A synthetic table's steps are told, each at its slot's end")
    func synthesis() async throws {
        let (test, _) = try site()
        let site = try synthesizing(test) { _ in }
        let report = try await site.synthesize(SynthesisRequest(dataset: "walks", budget: .epsilon(1)))
        let events = try site.events(of: report.request, after: 0, as: .folder).events
        #expect(
            try told(report.request, site, as: .folder) == [
                "running 0/3", "running 1/3", "running 2/3", "released 3/3",
            ])
        let body = try SynthesisRequest(dataset: "walks", budget: .epsilon(1)).body
        let work = try site.planned(SynthesisWork.self, body, in: try site.catalogue(), isLimited: false).work
        let times = work.steps.map { site.limits.speeds.time($0.work) }
        let all = times.reduce(0, +)
        let whole = TimeSlot(bound: .seconds(10_000)).length
        let slots = [times[0], times[0] + times[1], all].map { (whole * ($0 / all)).components.seconds }
        #expect(slots[0] < slots[1] && slots[1] < slots[2])
        #expect(events.map(\.time) == ([0] + slots).map { Timestamp.text(1_800_000_000 + $0) })
        #expect(events.first?.words == "counting the columns")
        #expect(try test.site.verify().problems == [])
    }

    @Test("A synthetic table that is cancelled between two steps is never stored, and its charge is kept")
    func cancelledSynthesis() async throws {
        let (test, other) = try site()
        let site = try synthesizing(test) { call in
            // The second instant that is looked at is the first step's end.
            guard call == 2, let id = try? other.jobs(as: .folder).first?.id else { return }
            _ = try? other.write { try Datasite.cancelRequest(id, by: .folder, in: &$0) }
        }
        let refusal = await problem {
            _ = try await site.synthesize(SynthesisRequest(dataset: "walks", budget: .epsilon(1)))
        }
        #expect(refusal?.kind == .conflict && refusal?.detail.contains("cancelled") == true)
        #expect(try test.spent(population: population) == unit)
        #expect(try test.integer("SELECT count(*) FROM answers") == 0)
        #expect(try site.dataset("walks").mockSource == nil)
        #expect(try test.site.verify().problems == [])
    }

    // MARK: Adding tables

    @Test(
        "A table that is being added is a job for owners; cancelled from elsewhere it leaves no half table, and a journal entry"
    )
    func cancelledAddition() async throws {
        let (test, site) = try site()
        let folders = try test.versionFolders()
        let file = try test.file("more", TestSite.rows(people: 200))
        let cancelled = Mutex<[JobSummary]>([])
        let refusal = await problem {
            _ = try site.addDataset(
                file: file, manifestText: TestSite.manifest("more", policy: "{loss: pure, total: {epsilon: 10}}")
            ) { _ in
                if let job = try site.jobs(as: .folder).first(where: { $0.kind == .add && $0.state == .running }) {
                    cancelled.withLock { $0.append(job) }
                    try site.write { context in
                        guard let addition = try AdditionRow.find(job.id, context.db) else { return }
                        _ = try AdditionRow.cancel(addition, by: "olga", in: &context)
                    }
                }
                walk.advance(.seconds(2))
            }
        }
        #expect(refusal == AdditionJob.interrupted)
        #expect(cancelled.withLock { $0.map(\.dataset) } == ["more"])
        // A table has no events: an owner is told so, and nobody else that there is such a job.
        let id = try #require(cancelled.withLock { $0.first?.id })
        let followed = #expect(throws: Problem.self) { try site.events(of: id, after: 0, as: .folder) }
        #expect(followed?.kind == .notFound && followed?.detail.contains("a table that is being added") == true)
        let hidden = #expect(throws: Problem.self) { try site.events(of: id, after: 0, as: .ada) }
        #expect(hidden?.kind == .notFound && hidden?.detail.contains("there is no request") == true)
        #expect(try test.versionFolders() == folders)
        #expect(try site.datasets().map(\.name) == ["visits", "walks"])
        #expect(try site.jobs(as: .folder, all: true).first?.state == .cancelled)
        let entry = try #require(try site.audit(as: .auditor).first { $0.action == "cancelled" })
        #expect(entry.actor == "olga")
        #expect(try test.site.verify().problems == [])
    }

    @Test("Interrupted by its own command, an addition is cancelled too; a file that is wrong makes it fail")
    func interruptedAddition() async throws {
        let (test, site) = try site()
        let folders = try test.versionFolders()
        let policy = "{loss: pure, total: {epsilon: 10}}"
        let file = try test.file("more", TestSite.rows(people: 20))
        let refusal = await problem {
            _ = try site.addDataset(file: file, manifestText: TestSite.manifest("more", policy: policy)) { share in
                if share > 0.5 { throw CancellationError() }
            }
        }
        #expect(refusal == AdditionJob.interrupted)
        let wrong = try test.file("wrong", "person,kind,amount\n1,a,many\n")
        #expect(
            await problem {
                _ = try site.addDataset(file: wrong, manifestText: TestSite.manifest("more", policy: policy))
            }?.kind == .invalidData)
        _ = try site.addDataset(file: file, manifestText: TestSite.manifest("more", policy: policy))
        _ = try site.append(to: "more", file: file)
        let jobs = try site.jobs(as: .folder, all: true).filter { $0.dataset == "more" }
        #expect(jobs.map(\.state) == [.done, .done, .failed, .cancelled])
        #expect(jobs.map(\.kind) == [.append, .add, .add, .add])
        #expect(try test.versionFolders().count == folders.count + 1)
        #expect(try site.audit(as: .auditor).count { $0.action == "cancelled" } == 1)
        #expect(try site.jobs(as: .folder).isEmpty)
    }

    @Test("Rows that were read are counted for owners while they are read")
    func rowsRead() throws {
        let (test, site) = try site()
        let seen = Mutex<[Int]>([])
        _ = try site.addDataset(
            file: try test.file("more", TestSite.rows(people: 200)),
            manifestText: TestSite.manifest("more", policy: "{loss: pure, total: {epsilon: 10}}")
        ) { _ in
            walk.advance(.seconds(2))
            let rows = try site.jobs(as: .folder).compactMap(\.rowsRead)
            seen.withLock { $0 += rows }
        }
        #expect(seen.withLock { $0.max() } == 399)
    }

    private static func wait(_ semaphore: DispatchSemaphore) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                semaphore.wait()
                continuation.resume()
            }
        }
    }
}
