import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Learning
import Query
import Secrets
import Synchronization
import Tables
import Testing

@testable import Datasite

@Suite("Training at a datasite", .timeLimit(.minutes(20)))
struct TrainingEngineTests {
    static let policy =
        "{loss: renyi, delta: 1e-5, total: {epsilon: 20}, engines: {questions: {}, training: {noise: [0.8, 10], clip: [0.1, 5]}}}"

    static let plan = """
        version: 1
        name: kinds
        data: {dataset: visits, features: [amount], label: kind}
        model: {name: mlp, hidden: [4]}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 0.5}
        batch: 500
        epochs: 3
        privacy: {unit: person, clip: 1, noise: 2}
        """

    static func request(_ plan: String = plan) throws -> WorkRequest {
        let body = try JSONEncoder().encode(["plan": plan])
        let text = #"{"engine": "training", "request": \#(String(decoding: body, as: UTF8.self))}"#
        return try WorkRequest(decoding: Array(text.utf8))
    }

    private func work(_ test: TestSite, _ plan: String = plan) throws -> TrainingWork {
        let body = try TrainingWork.body(of: Self.request(plan).request, purpose: nil)
        return try TrainingWork(body: body, in: PublicKnowledge(catalogue: try test.site.catalogue()))
    }

    private func pending(_ result: AskResult) throws -> RequestSummary {
        guard case .pending(let summary) = result else { throw Problem.conflict("it was not begun") }
        return summary
    }

    private func model(_ bytes: [UInt8]) throws -> ReleasedModel {
        try JSONDecoder().decode(ReleasedModel.self, from: Data(bytes))
    }

    /// Begun by whoever asked; an owner's command waits for it.
    private func trained(_ test: TestSite, _ id: String) async throws -> ReleasedModel {
        while true {
            if try test.site.request(id, as: .ada).state == "released" {
                return try model(try await test.site.answer(id, as: .ada))
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test("A plan is charged its steps' own curve, runs by itself, and leaves a model, a card and a receipt")
    func whole() async throws {
        let test = try TestSite(policy: Self.policy)
        let preview = try await test.site.preview(Self.request(), as: .ada)
        #expect(preview.decision == "would be answered" && preview.notes.count == 4)
        let begun = try pending(try await test.site.submit(Self.request(), as: .ada, idempotencyKey: "k"))
        #expect(begun.state == "reserved" && begun.charge.epsilonAtDelta == preview.charge.epsilonAtDelta)
        let released = try await trained(test, begun.id)

        let event = try work(test).terms.privacy.event
        let loss = try PrivacyEvent.composition([event]).loss(kind: .renyi)
        let spent = try test.site.read { try #require(try PopulationRow.named("patients", $0)).spent }
        #expect(spent.amounts == loss.amounts)
        #expect(released.privacy?.steps == 30 && released.privacy?.samplingRate == 0.1)
        let claimed = RenyiOrders.epsilon(amounts: loss.amounts, delta: 5e-6)
        #expect(released.privacy?.chargedEpsilon == claimed)
        #expect(try #require(released.privacy?.epsilon) < claimed)
        #expect(released.curve.count == 30 && released.curve.last?.epsilon == claimed)
        #expect(released.curve.allSatisfy { $0.gradientNorm > 0 && $0.clippingNorm == 1 })
        #expect(released.card.contains("Differentially private for each `person`"))

        let weights = try SafeTensors.read(Array(try #require(Data(base64Encoded: released.weights))))
        let architecture = try Architecture.model(json: Array(released.architecture.utf8))
        try architecture.check(weights)
        // Asked again under its key it is the same bytes, and no second charge.
        let again = try await test.site.submit(Self.request(), as: .ada, idempotencyKey: "k")
        guard case .released(let bytes, let receipt) = again else { return #expect(Bool(false), "not released") }
        #expect(try Receipt(decoding: receipt).body.answerDigest == sha256Hex(bytes))
        #expect(try Receipt(decoding: receipt).body.engine == "training")
        #expect(try test.site.audit(as: .auditor).count { $0.action == "released" } == 1)
        #expect(try test.site.verify().problems == [])
        #expect(try await test.workspaceGoes(of: begun.id))
    }

    @Test(
        "What the policy does not allow, and what cannot be trained privately, is refused before anything is charged",
        arguments: [
            ("noise: 2", "noise: 0.5", "`privacy.noise`: 0.5 is not what the owner's policy allows"),
            ("clip: 1", "clip: 7", "`privacy.clip`: 7 is not what the owner's policy allows"),
            ("noise: 2", "epsilon: 1000", "`privacy.epsilon`: 1000 is more than the whole budget"),
            ("clip: 1, ", "", "`clip` is missing"),
            (", noise: 2", "", "expected `noise` or `epsilon`"),
            ("unit: person, ", "", "`privacy.unit`: it is missing"),
            ("unit: person", "unit: row", "`privacy.unit`: the plan protects “row”"),
            ("privacy: {unit: person, clip: 1, noise: 2}", "seed: 1", "the key `privacy` is missing"),
            ("noise: 2}", "noise: 2, delta: 1e-6}", "`privacy.delta`: it is the policy's here"),
            ("hidden: [4]}", "hidden: [4]}\nmetrics: [accuracy]", "`metrics` and `select`"),
            ("features: [amount]", "features: [person]", "person has neither a domain nor bounds"),
            ("features: [amount]", "features: [height]", "there is no column “height”"),
            ("label: kind", "label: amount", "a column is named twice"),
            ("dataset: visits", "dataset: visit", "there is no dataset “visit”"),
            (
                "{name: mlp, hidden: [4]}", "{layers: [{kind: linear, outputs: 3}, {kind: batch-normalization}]}",
                "group-normalization"
            ),
            ("hidden: [4]", "hidden: [10000, 10000]", "values that are trained"),
            ("batch: 500\nepochs: 3", "batch: 50\nepochs: 100000", "at most 1000000: fewer epochs"),
            ("version: 1", "version: 2", "expected 1, the version"),
            ("batch: 500", "batches: 500", "batches"),
        ])
    func refusals(old: String, new: String, words: String) async throws {
        let test = try TestSite(policy: Self.policy)
        let request = try Self.request(Self.plan.replacing(old, with: new))
        let asked = await problem { _ = try await test.site.submit(request, as: .ada) }
        #expect(asked?.detail.contains(words) == true, "\(asked?.detail ?? "not refused")")
        #expect((400..<500).contains(asked?.status ?? 0))
        let seen = await problem { _ = try await test.site.preview(request, as: .ada) }
        #expect(seen?.detail == asked?.detail)
        #expect(try test.spent() == 0)
    }

    @Test("Training needs a policy that names it, and one that counts Rényi divergences")
    func policies() async throws {
        for (policy, words) in [
            ("{loss: renyi, delta: 1e-5, total: {epsilon: 20}}", "training"),
            ("{loss: zcdp, delta: 1e-5, total: {epsilon: 20}, engines: {training: {}}}", "zcdp"),
        ] {
            let test = try TestSite(policy: policy)
            let refusal = await problem { _ = try await test.site.submit(Self.request(), as: .ada) }
            #expect(refusal?.status == 403 && refusal?.detail.contains(words) == true, "\(refusal?.detail ?? "none")")
            #expect(try test.spent() == 0)
        }
        let test = try TestSite(policy: Self.policy)
        let limited = try test.site.setScanLimits(longSeconds: 0.001)
        #expect(limited.words.contains("long work for 1 ms"))
        let slow = try test.reopened()
        let refusal = await problem { _ = try await slow.submit(Self.request(), as: .ada) }
        #expect(refusal?.detail.contains("long work may take 1 ms here") == true, "\(refusal?.detail ?? "none")")
    }

    @Test("An owner decides on the plan; approved, it is computed without her waiting for it")
    func approval() async throws {
        let policy = Self.policy.replacing("training: {", with: "training: {approval: owner, audit: canaries, ")
        let test = try TestSite(policy: policy)
        let asked = try pending(try await test.site.submit(Self.request(), as: .ada))
        #expect(asked.state == "pending")
        let review = try await test.site.review(asked.id, as: .folder)
        #expect(review.problem == nil && review.notes.contains { $0.contains("30 steps") })
        #expect(try await test.site.approve(asked.id, by: .folder).state == "reserved")
        _ = try await trained(test, asked.id)
    }

    // MARK: Crashes

    private func session(_ test: TestSite, _ work: TrainingWork, in name: String) -> PrivateTrainingSession {
        PrivateTrainingSession(
            terms: work.terms, digest: "request", workspace: Workspace(parent: test.path + "/work", name: name))
    }

    private func examples(_ test: TestSite, _ work: TrainingWork) throws -> Examples {
        try #require(work.terms.task.examples(try test.site.table(work.terms.entry)))
    }

    @Test("Nothing is told of a step before its checkpoint is there, and a stopped run goes on from it, norm and all")
    func resumes() throws {
        let test = try TestSite(policy: Self.policy)
        let work = try work(
            test,
            Self.plan.replacing("clip: 1", with: "clip: {from: 1, deviation: 20}").replacing(
                "epochs: 3", with: "epochs: 6"))
        let examples = try examples(test, work)
        let session = session(test, work, in: "one")
        var random = SecureRandom()
        func checkpoint() throws -> Checkpoint {
            try Checkpoint(try #require(session.workspace.saved()), plan: work.terms.plan, digest: "request")
        }
        let blocks = work.terms.blocks
        #expect(blocks.last == 60 && blocks.count == work.steps.count - 1)
        // Told of each block only when it is durable, and stopped after the fifth.
        let stopping = { (step: Int) -> Bool in
            if step > 1 { #expect((try? checkpoint().state.step) == blocks[step - 2]) }
            return step < 6
        }
        let stopped = session.train(examples, blocks: blocks, goesOn: { true }, finish: stopping, using: &random)
        #expect(stopped == nil)
        let before = try checkpoint()
        #expect(before.state.step == blocks[4] && before.clippingNorm != nil && before.clippingNorm != 1)
        // From there on: the norm of the checkpoint is the one that the next step goes by.
        let run = try PrivateTrainingRun(
            plan: work.terms.plan, privacy: work.terms.privacy, examples: examples, parameters: before.state.parameters,
            state: before.state, clippingNorm: before.clippingNorm)
        #expect(run.clippingNorm == before.clippingNorm)
        var told: [Int] = []
        let telling = { (step: Int) -> Bool in
            told.append(step)
            return true
        }
        let model = session.train(examples, blocks: blocks, goesOn: { true }, finish: telling, using: &random)
        #expect(told == Array(1...work.steps.count))
        #expect(model?.curve.points.map(\.step) == blocks)
        #expect(try checkpoint().state.step == 60)
        // Another request's checkpoint is not taken.
        let other = PrivateTrainingSession(terms: work.terms, digest: "other", workspace: session.workspace)
        var first: Int?
        let once = { (step: Int) -> Bool in
            if step == 2 {
                let saved = session.workspace.saved() ?? []
                first = (try? Checkpoint(saved, plan: work.terms.plan, digest: "other"))?.state.step
            }
            return step < 2
        }
        _ = other.train(examples, blocks: blocks, goesOn: { true }, finish: once, using: &random)
        #expect(first == blocks[0])
    }

    @Test("A checkpoint holds weights and counts, and nothing that a redrawn step could be told by")
    func checkpointHolds() throws {
        let test = try TestSite(policy: Self.policy)
        let work = try work(test)
        let session = session(test, work, in: "two")
        var random = SecureRandom()
        _ = session.train(
            try examples(test, work), blocks: work.terms.blocks, goesOn: { true }, finish: { _ in true }, using: &random
        )
        let bytes = try #require(session.workspace.saved())
        #expect(
            Set(try SafeTensors.metadata(bytes).keys) == [
                "checkpoint", "digest", "step", "loss-sum", "loss-rows", "curve", "clipping-norm", "private-curve",
            ])
        #expect(try SafeTensors.read(bytes).names.allSatisfy { $0.hasPrefix("parameters/") })
        var status = stat()
        #expect(stat(session.workspace.folder.path(.checkpoint), &status) == 0 && status.st_mode & 0o077 == 0)
        #expect(stat(session.workspace.folder.path, &status) == 0 && status.st_mode & 0o077 == 0)
    }

    @Test("A disk that takes no checkpoint ends the run in public words, and it goes on where it was")
    func fullDisk() async throws {
        let test = try TestSite(policy: Self.policy)
        // No folder can be made where a file is.
        #expect(FileManager.default.createFile(atPath: test.path + "/work", contents: nil))
        let begun = try pending(try await test.site.submit(Self.request(), as: .ada, idempotencyKey: "k"))
        while try test.site.job(begun.id, as: .ada).state == .running { try await Task.sleep(for: .milliseconds(20)) }
        let job = try test.site.job(begun.id, as: .ada)
        #expect(job.state == .failed)
        let page = try test.site.events(of: begun.id, after: 0, as: .ada)
        #expect(
            page.events.last?.words?.contains("its checkpoint cannot be written: Not a directory") == true, "\(page)")
        let spent = try test.spent()
        try FileManager.default.removeItem(atPath: test.path + "/work")
        // The run that failed says so a moment before it lets the request go: whoever asks in between is told of that run.
        for _ in 0..<500 where try test.site.request(begun.id, as: .ada).state != "released" {
            do { _ = try await test.site.answer(begun.id, as: .folder) } catch is Problem {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(try test.site.request(begun.id, as: .ada).state == "released")
        #expect(try test.spent() == spent && test.site.verify().problems == [])
    }

    @Test("Whoever cancels a run gets no model, and its charge stays")
    func cancelled() throws {
        let test = try TestSite(policy: Self.policy)
        let work = try work(test)
        var random = SecureRandom()
        let nothing = session(test, work, in: "three").train(
            try examples(test, work), blocks: work.terms.blocks, goesOn: { false }, finish: { $0 < 4 }, using: &random)
        #expect(nothing == nil)
    }

    @Test("A server that starts goes on with what was cut short")
    func serverResumes() async throws {
        let test = try TestSite(policy: Self.policy)
        let planned = try test.site.planned(
            TrainingWork.self, TrainingWork.body(of: Self.request().request, purpose: nil),
            in: try test.site.catalogue(),
            isLimited: true)
        let attempt = ReserveAttempt(
            planned, Submission(engine: TrainingWork.self, body: planned.body, key: "k"), asker: .ada, waits: false)
        guard case .reserved(let id, _) = try await test.site.commit.perform({ try attempt.run(in: &$0) }) else {
            return #expect(Bool(false), "not reserved")
        }
        let spent = try test.spent()
        await test.site.resumeLongWork()
        _ = try await trained(test, id)
        #expect(try test.spent() == spent)
    }

    // MARK: Time and memory

    @Test("Work and memory follow from plan and manifest, not from the rows")
    func bounds() throws {
        let few = try work(try TestSite(policy: Self.policy, people: 3))
        let many = try work(try TestSite(policy: Self.policy, people: 600))
        #expect(few.bound.memory == many.bound.memory && few.steps.map(\.words) == many.steps.map(\.words))
        for kind in WorkKind.allCases where kind != .measured { #expect(few.bound.work[kind] == many.bound.work[kind]) }
        // Twice the epochs are twice the steps.
        let longer = try work(try TestSite(policy: Self.policy), Self.plan.replacing("epochs: 3", with: "epochs: 6"))
        #expect(longer.terms.plan.steps == 2 * few.terms.plan.steps)
        #expect(longer.bound.work[.noise] == 2 * few.bound.work[.noise])
    }

    @Test("An audit with canaries withholds a model whose noise was off, and lets one with its noise out")
    func canaries() throws {
        let policy = Self.policy.replacing("training: {", with: "training: {audit: canaries, ").replacing(
            "clip: [0.1, 5]", with: "clip: [0.1, 500]")
        let test = try TestSite(policy: policy)
        let work = try work(test)
        #expect(work.terms.canaries == 1_000)
        var random = SeededGenerator(key: (5, 0, 0, 0), stream: 0)
        let canaries = Canaries(1_000, of: work.terms.plan, using: &random)
        let kept = try Canaries(canaries.bytes, of: work.terms.plan)
        let examples = try examples(test, work)
        #expect(try kept.added(to: examples).count == canaries.added(to: examples).count)
        #expect(try kept.added(to: examples).count > examples.count + 400)
        let fresh = work.terms.plan.model.initialParameters(using: &random)
        #expect(try kept.audit(work.terms.plan, fresh).epsilon(delta: 5e-6) < 1)
        #expect(try kept.audit(work.terms.plan, fresh) == canaries.audit(work.terms.plan, fresh))
    }
}
