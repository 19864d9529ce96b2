import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Governance
import Learning
import Synchronization
import Testing

@testable import Datasite
@testable import Federation

@Suite("Training together, at datasites", .timeLimit(.minutes(20)))
struct FederatedTrainingTests {
    private func created(_ sites: FederatedSites, _ plan: String) async throws -> Coordination<FederatedRequest> {
        try await sites.created(sites.coordination(plan))
    }

    @Test("Three sites come to one model; each charges the plan's whole loss once, and signs its part")
    func noisy() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let run = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        let models = try await sites.released(ids)
        #expect(Set(models.map(\.weights)).count == 1 && run.progress.phase == .finished)
        let plan = try #require(coordination.agreement?.plan)
        let loss = try plan.event().loss(kind: .renyi)
        for (place, (site, model)) in zip(sites.sites, models).enumerated() {
            let spent = try site.site.read { try #require(try PopulationRow.named("people-\(place)", $0)).spent }
            #expect(spent.amounts == loss.amounts)
            #expect(model.privacy?.steps == 6 && model.privacy?.noiseMultiplier == 2 && model.curve.isEmpty)
            #expect(coordination.isReleased(model, by: place) && !coordination.isReleased(model, by: (place + 1) % 3))
            #expect(model.card.contains("m squared times the divergence") && model.card.contains(site.key))
            #expect(model.guarantees.inputPrivacy.contains("noisy sum with others' alone"))
            let receipt = try Receipt(decoding: try site.site.receipt(ids[place], as: .ada))
            #expect(receipt.body.engine == "federated-training" && receipt.body.charge.amounts == loss.amounts)
            #expect(try site.site.verify().problems == [])
            #expect(try await site.workspaceGoes(of: ids[place]))
            // Asked again it is the same bytes, and no second charge.
            let again = try await site.site.submit(
                FederatedSites.request(coordination.request), as: .ada, idempotencyKey: "run")
            #expect(again.answer != nil)
        }
        // The weights are what the coordinator has, too.
        let architecture = try Architecture.model(json: Array(models[0].architecture.utf8))
        let weights = try SafeTensors.read(Array(try #require(Data(base64Encoded: models[0].weights))))
        #expect(architecture.trained(weights) == run.progress.weights.values)
    }

    @Test("Under masks without noise a run costs a use a round, and claims no epsilon")
    func masked() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.masked)
        _ = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        let models = try await sites.released(ids)
        #expect(Set(models.map(\.weights)).count == 1)
        for (site, model) in zip(sites.sites, models) {
            #expect(model.privacy == nil && model.charge.uses == 6 && model.charge.kind == "uses")
            #expect(model.guarantees.outputPrivacy.contains("no privacy loss is bounded"))
            #expect(model.card.contains("No epsilon"))
            let used = try site.site.read {
                try UseLedger.spent(of: "shared", engine: FederationRule.engine, by: "ada", in: $0)
            }
            #expect(used.total == 6)
        }
    }

    @Test(
        "What an owner's policy does not name is refused before anything is charged",
        arguments: [
            ("rounds: 4", "rounds: 40", "rounds: 10", "expected at most 10"),
            ("", "", "aggregation: [masked]", "this site's policy refuses distributed noise"),
            ("", "", "noise: [3, 10]", "the noise multiplier 2.0: expected at least 3.0"),
            ("", "", "clip: [2, 4]", "the clipping norm 1.0: expected from 2.0 to 4.0"),
            ("", "", "least-honest: 3", "sums over 2 honest participants"),
            ("", "", "colluders: 2", "1 colluders: expected masks that bear at least 2"),
            ("units: 15000", "units: 4000", "", "4000 is less than the 5000"),
            ("units: 15000, ", "", "", "`privacy.units`: it is missing"),
            ("noise: 2", "epsilon: 2", "", "`privacy.delta` is missing"),
            ("noise: 2", "epsilon: 100, delta: 1e-5", "", "is more than the whole budget"),
            ("unit: person", "unit: row", "", "the plan protects “row”"),
            ("clip: 1", "clip: {from: 1, deviation: 20}", "", "needs noise of its own"),
            (
                "kind: linear, outputs: 3}", "kind: linear, outputs: 3}, {kind: batch-normalization}", "",
                "group-normalization"
            ),
            ("least: 3", "least: 2", "", "threshold of 2"),
        ])
    func refusals(old: String, new: String, rule: String, words: String) async throws {
        let sites = try FederatedSites { common in
            let key = rule.split(separator: ":").first.map(String.init) ?? ""
            let kept =
                key == "aggregation"
                ? common.replacing("aggregation: [masked, distributed-noise, plain], ", with: "") : common
            return "federated-training: {\(kept)\(rule.isEmpty ? "" : ", " + rule)}"
        }
        let plan = old.isEmpty ? FederatedSites.noisy : FederatedSites.noisy.replacing(old, with: new)
        #expect(old.isEmpty || plan != FederatedSites.noisy)
        let request = try FederatedSites.request(try sites.coordination(plan).request)
        let site = sites.sites[0]
        let asked = await problem { _ = try await site.site.submit(request, as: .ada) }
        #expect(asked?.detail.contains(words) == true, "\(asked?.detail ?? "not refused")")
        #expect((400..<500).contains(asked?.status ?? 0))
        #expect(try site.spent(population: "people-0") == 0)
    }

    @Test("Only sites and coordinators that the owner named, in a request that is one")
    func roster() async throws {
        let sites = try FederatedSites()
        let request = try sites.coordination(FederatedSites.noisy).request
        let site = sites.sites[0].site
        let invented = Curve25519.Signing.PrivateKey().publicKey.rawRepresentation.base64EncodedString()
        func refusal(_ change: (inout FederatedRequest) -> Void) async throws -> String {
            var changed = request
            change(&changed)
            let message = try FederatedSites.request(changed)
            return await problem { _ = try await site.submit(message, as: .ada) }?.detail ?? "not refused"
        }
        #expect(
            try await refusal { $0.invitation.sites[2] = invented }.contains(
                "does not name the site with the key \(invented)"))
        #expect(try await refusal { $0.invitation.sites.append(invented) }.contains("does not name the site"))
        #expect(try await refusal { $0.invitation.sites[0] = $0.invitation.sites[1] }.contains("names a key twice"))
        #expect(try await refusal { $0.invitation.sites.removeFirst() }.contains("does not name this site"))
        #expect(try await refusal { $0.invitation.sites = [] }.contains("names 2 to 1000 keys"))
        #expect(try await refusal { $0.invitation.sites[1] = "AAAA" }.contains("32 bytes in base64"))
        #expect(
            try await refusal { $0.invitation.coordinator = "http://127.0.0.1:8901" }.contains(
                "does not name the coordinator"))
        for wrong in [
            "http://rounds.example.org", "https://a.example.org/path", "ftp://127.0.0.1", "", "https://u:p@a.org",
        ] {
            #expect(
                try await refusal { $0.invitation.coordinator = wrong }.contains("expected a coordinator's address"))
        }
        #expect(try await refusal { $0.invitation.run = "12" }.contains("16 bytes in hexadecimal"))
        #expect(try await refusal { $0.invitation.coordinatorKey = "x" }.contains("'coordinatorKey'"))
        #expect(try sites.sites[0].spent(population: "people-0") == 0)
    }

    @Test("Without a rule nobody is trained with; a plan for several sites is refused by the training of one")
    func notAllowed() async throws {
        let sites = try FederatedSites { _ in "questions: {}, training: {}" }
        let request = try FederatedSites.request(try sites.coordination(FederatedSites.noisy).request)
        let refusal = await problem { _ = try await sites.sites[0].site.submit(request, as: .ada) }
        #expect(refusal?.status == 403 && refusal?.detail.contains("is not trained on with other sites") == true)
        let alone = try TrainingEngineTests.request(FederatedSites.noisy)
        let other = await problem { _ = try await sites.sites[0].site.submit(alone, as: .ada) }
        #expect(other?.detail.contains("`federation` asks several sites") == true, "\(other?.detail ?? "none")")
    }

    @Test("Manifests that differ are told apart before anything is charged")
    func disagreement() async throws {
        let sites = try FederatedSites()
        let coordination = try sites.coordination(FederatedSites.masked)
        var agreements = try await sites.agreements(coordination.request)
        #expect(agreements[0].inputs[0] == "amount is from 0.0 to 100.0 (as 0 to 1; a missing number counts as 0.5)")
        agreements[2].inputs[0] = "amount is from 0.0 to 99.0 (as 0 to 1; a missing number counts as 0.5)"
        #expect(throws: Problem.self) { try coordination.create(at: sites.folder, agreements: agreements) }
        do { _ = try coordination.agreed(agreements) } catch let problem as Problem {
            #expect(
                problem.detail.contains("site 0: amount is from 0.0 to 100.0")
                    && problem.detail.contains("site 2: amount is from 0.0 to 99.0"))
        }
        #expect(!Coordination<FederatedRequest>.exists(at: sites.folder))
    }

    // MARK: crashes

    @Test("Frames that are lost, and a coordinator that is killed at any moment, change nothing of what is learned")
    func coordinatorKilled() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let sent = try sites.connectToMortal(coordination, dyingEach: 12, losingEach: 7)
        let models = try await sites.released(try await sites.begin(coordination))
        #expect(Set(models.map(\.weights)).count == 1 && sent() > 24)
        let plan = try #require(coordination.agreement?.plan)
        for (place, site) in sites.sites.enumerated() {
            let spent = try site.site.read { try #require(try PopulationRow.named("people-\(place)", $0)).spent }
            #expect(spent.amounts == (try plan.event().loss(kind: .renyi)).amounts)
        }
    }

    @Test("A site that is killed around any message goes on from what it stored, and sends no second draw of a round")
    func siteKilled() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let run = try sites.connect(coordination)
        for site in sites.sites.dropFirst() {
            _ = try await site.site.submit(
                FederatedSites.request(coordination.request), as: .ada, idempotencyKey: "run")
        }
        let site = sites.sites[0].site
        let work = try FederatedWork(
            body: FederatedWork.body(
                of: FederatedSites.request(coordination.request).request, purpose: nil),
            in: PublicKnowledge(
                catalogue: site.catalogue(), publicKey: site.signingKey.publicKey.rawRepresentation))
        let rows = try #require(work.terms.task.examples(try site.table(work.terms.task.entry)))
        let workspace = Workspace(parent: sites.sites[0].path + "/work", name: "one")
        var (sent, result, times): ([SignedMessage], RoundsSession.Result?, Int) = ([], nil, 0)
        while result == nil {
            times += 1
            // It ends before its third message; or what it sent arrives, and the reply does not.
            let left = MessagesLeft(times % 4 + 1)
            let connection = DirectConnection({ run }) { _ in
                left.take()
            } dropsReply: {
                left.isNothing
            }
            let outside = Outside(
                identity: site.signingKey, connection: connection,
                pace: Pace(clock: site.clock) { _ in TimeSlot(bound: .milliseconds(1)) }, enters: { _ in true })
            let session = work.session(outside, workspace, StepTrack(work.steps, isWanted: { !left.isNothing }))
            result = try await site.rounds.threads.run { work.result(of: session, rows) }
            sent += connection.sent
            try #require(times < 500)
        }
        #expect(times > 10 && result?.model.weights == run.progress.weights.values)
        var masked: [Int: Set<ParticipantMessage>] = [:]
        for message in sent {
            let message = try message.verified(roster: run.roster)
            guard case .masked(let attempt, _) = message else { continue }
            masked[attempt, default: []].insert(message)
        }
        #expect(masked.count >= 4 && masked.values.allSatisfy { $0.count == 1 })
    }

    @Test(
        "A coordinator that has no room is not a silent one: a site that is told so for hours goes on, one that hears nothing for an hour does not, and a day is the end",
        arguments: [
            (20, true, nil), (20, false, "its coordinator has not answered for 3600 seconds"),
            (150, true, "no round was begun for a day"),
        ] as [(Int, Bool, String?)])
    func busyCoordinator(times: Int, isAnswered: Bool, words: String?) async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let run = try sites.connect(coordination)
        if words == nil {
            for site in sites.sites.dropFirst() {
                _ = try await site.site.submit(
                    FederatedSites.request(coordination.request), as: .ada, idempotencyKey: "run")
            }
        }
        let site = sites.sites[0].site
        let work = try FederatedWork(
            body: FederatedWork.body(
                of: FederatedSites.request(coordination.request).request, purpose: nil),
            in: PublicKnowledge(
                catalogue: site.catalogue(), publicKey: site.signingKey.publicKey.rawRepresentation))
        let rows = try #require(work.terms.task.examples(try site.table(work.terms.task.entry)))
        let workspace = Workspace(parent: sites.sites[0].path + "/work", name: "one")
        // Ten minutes go by with each frame that fails.
        let connection = FullConnection(
            times: times, failure: isAnswered ? Problem.busy("the coordinator is") : DirectConnection.Lost(),
            DirectConnection { run })
        let clock = SiteClock(now: { 1_800_000_000 }, instant: { connection.time }, sleepUntil: { _ in })
        let outside = Outside(
            identity: site.signingKey, connection: connection,
            pace: Pace(clock: clock) { _ in TimeSlot(bound: .milliseconds(1)) }, enters: { _ in true })
        let session = work.session(outside, workspace, StepTrack(work.steps, isWanted: { true }))
        let result = try await site.rounds.threads.run { work.result(of: session, rows) }
        #expect((result == nil) == (words != nil))
        if let words { #expect(workspace.fault == words) }
    }

    /// Fails some times, and takes ten minutes each time; then it connects.
    private final class FullConnection: CoordinatorConnection {
        private let left: Mutex<Int>
        private let failure: any Error
        private let connection: DirectConnection
        private let elapsed = Mutex(Duration.zero)

        init(times: Int, failure: any Error, _ connection: DirectConnection) {
            left = Mutex(times)
            (self.failure, self.connection) = (failure, connection)
        }

        var time: Duration { elapsed.withLock { $0 } }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            let fails = left.withLock { left in
                left -= 1
                return left >= 0
            }
            guard fails else {
                return try connection.exchange(message, with: coordinator, largestReply: largestReply)
            }
            elapsed.withLock { $0 += .seconds(600) }
            throw failure
        }
    }

    @Test("A state that cannot be read is not begun anew under the same charge")
    func damagedState() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let site = sites.sites[0]
        let ids = try await sites.begin(coordination)
        // Nobody is there to connect to: the run ends, and what it kept is damaged.
        let workspace = site.site.folder.workspace(of: ids[0])
        while try site.site.jobs(as: .folder).first?.state != .failed { try await Task.sleep(for: .milliseconds(20)) }
        #expect(workspace.save(Array("{}".utf8), to: .participant))
        _ = try sites.connect(coordination)
        var refusal: Problem?
        // The end of the run before may be told once more.
        let end = ContinuousClock.now + .seconds(60)
        repeat {
            refusal = await problem { _ = try await site.site.answer(ids[0], as: .folder) }
        } while refusal?.detail.contains("connects to no coordinator") == true && .now < end
        #expect(
            refusal?.detail.contains("does not begin anew under one charge") == true, "\(refusal?.detail ?? "none")")
        #expect(try site.site.request(ids[0], as: .ada).state == "reserved")
    }

    @Test(
        "Of two processes that would go on with a site's part one does: each would draw its own noise under the same masks"
    )
    func twoProcesses() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let site = sites.sites[0]
        let ids = try await sites.begin(coordination)
        while try site.site.jobs(as: .folder).first?.state != .failed { try await Task.sleep(for: .milliseconds(20)) }
        let lock = try #require(site.site.folder.workspace(of: ids[0]).lock())
        _ = try sites.connect(coordination)
        let refusal = await problem { _ = try await site.site.answer(ids[0], as: .folder) }
        #expect(refusal?.detail.contains("another process computes it") == true, "\(refusal?.detail ?? "none")")
        withExtendedLifetime(lock) {}
    }

    @Test("A model that the coordinator sends ready is not signed by a site that had no part in it")
    func readyModel() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let plan = try #require(coordination.agreement?.plan)
        let model = RunModel(
            round: plan.rounds, weights: [Float](repeating: 1, count: plan.parameterCount),
            server: try ServerState(plan.strategy, parameters: plan.parameterCount))
        let key = coordination.key
        let site = sites.sites[0].site
        site.connect(
            by: ScriptedConnection { message, isFirst in
                let reply: CoordinatorReply =
                    isFirst ? .model(model: model) : .finished(round: model.round, model: model.digest)
                return try SignedReply(reply, to: message, key: key).bytes
            })
        let id = try await sites.begin(coordination)[0]
        while try site.jobs(as: .folder).first?.state != .failed { try await Task.sleep(for: .milliseconds(20)) }
        let words = try site.read { try RequestEventRow.last(of: id, $0)?.event.words }
        #expect(words?.contains("its part is in none of the sums") == true, "\(words ?? "none")")
        #expect(try site.request(id, as: .ada).state == "reserved")
    }

    @Test("A run ends at a site whose owner takes back her policy, or revokes who asked", arguments: [true, false])
    func takenBack(isPolicy: Bool) async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let key = coordination.key
        let count = Mutex(0)
        let site = sites.sites[0].site
        site.connect(
            by: ScriptedConnection { message, _ in
                count.withLock { $0 += 1 }
                return try SignedReply(.wait(seconds: 0.01), to: message, key: key).bytes
            })
        let id = try await sites.begin(coordination)[0]
        while count.withLock({ $0 }) < 5 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try site.jobs(as: .folder).first?.state == .running)
        if isPolicy {
            _ = try site.setPolicy(of: "shared", policyText: "{loss: renyi, delta: 1e-5, total: {epsilon: 30}}")
        } else {
            try site.revokeUser("ada")
        }
        while try site.jobs(as: .folder).first?.state != .failed { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try site.request(id, as: .folder).state == "reserved")
    }

    @Test("What a run kept is removed when it is cancelled, not before; and so where nobody computes it any more")
    func workspaces() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let key = coordination.key
        let waits = ScriptedConnection { message, _ in
            try SignedReply(.wait(seconds: 0.01), to: message, key: key).bytes
        }
        for site in sites.sites.prefix(2) { site.site.connect(by: waits) }
        let ids = try await sites.begin(coordination)
        func isKept(_ place: Int) -> Bool {
            FileManager.default.fileExists(atPath: sites.sites[place].site.folder.workspace(of: ids[place]).folder.path)
        }
        // The first is computed; the second's user is revoked, and the run can go on when she is back; the third connects to nobody.
        while !isKept(0) || !isKept(1) || !isKept(2) { try await Task.sleep(for: .milliseconds(10)) }
        try sites.sites[1].site.revokeUser("ada")
        for place in 1...2 {
            while try sites.sites[place].site.jobs(as: .folder).first?.state != .failed {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(isKept(place))
        }
        for place in 0...2 {
            let job = try await sites.sites[place].site.cancelJob(ids[place], by: .folder)
            #expect(job.state == .cancelled)
            let end = ContinuousClock.now + .seconds(60)
            while isKept(place), .now < end { try await Task.sleep(for: .milliseconds(10)) }
            #expect(!isKept(place), "\(place)")
        }
    }

    /// A coordinator that says what it likes.
    private final class ScriptedConnection: CoordinatorConnection {
        private let reply: @Sendable (SignedMessage, Bool) throws -> Data
        private let isFirst = Mutex(true)

        init(_ reply: @escaping @Sendable (SignedMessage, Bool) throws -> Data) { self.reply = reply }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            let first = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            return Array(try reply(try SignedMessage(reading: Data(message)), first))
        }
    }

    @Test("A process that connects to nobody says so, and the charge stays")
    func notConnected() async throws {
        let sites = try FederatedSites()
        let coordination = try await created(sites, FederatedSites.noisy)
        let ids = try await sites.begin(coordination)
        let site = sites.sites[0].site
        let refusal = await problem { _ = try await site.answer(ids[0], as: .folder) }
        #expect(refusal?.detail.contains("connects to no coordinator") == true || refusal?.kind == .conflict)
        let spent = try site.read { try #require(try PopulationRow.named("people-0", $0)).spent }
        #expect(spent.amounts.allSatisfy { $0 > 0 })
    }
}
