import Crypto
import DatasiteProtocol
import Foundation
import ModularArithmetic
import SecureComputation
import SecureStatistics
import Synchronization
import Testing

@testable import Datasite
@testable import Federation

/// Three datasites in one process, over the whole pipeline, with who relays between them: two have rows, the third computes alone.
@Suite("Computing on shares with two other sites", .timeLimit(.minutes(20)))
struct ComputationTests {
    static let rule =
        "analyses: [linear-regression, logistic-regression], columns: [age, dose, cost, ill], result: exact, uses: 100, approval: automatic"

    /// People of the first site, then of the second: age, dose, cost, ill.
    static let people: [[(Double, Double, Double, Bool)]] = [0, 1].map { site in
        (0..<(site == 0 ? 40 : 30)).map { person in
            let age = Double((person * 37 + site * 11) % 100)
            let dose = Double((person * 13 + 5 * site) % 41) / 4
            return (age, dose, 50 + 2 * age + 10 * dose, age + 4 * dose > 70)
        }
    }

    private static func file(_ place: Int) -> String {
        let header = "patient,age,dose,cost,ill\n"
        guard place < 2 else { return header + "0,1,1,1,true\n" }
        return people[place].enumerated().reduce(into: header) { text, person in
            let (age, dose, cost, ill) = person.element
            text += "\(person.offset),\(Int(age)),\(dose),\(cost),\(ill)\n"
            // A second row of a person does not count: one of hers goes in, and they are alike.
            if person.offset % 5 == 0 { text += "\(person.offset),\(Int(age)),\(dose),\(cost),\(ill)\n" }
        }
    }

    private static func manifest(_ place: Int, _ rule: String) -> String {
        """
        name: scans
        title: Scans
        description: Made up
        population: patients-\(place)
        unit: {column: patient, rows: 3, groups: 3}
        capacity: {rows: 300, units: \(60 + 10 * place)}
        policy: {loss: zcdp, delta: 1e-6, total: {rho: 20}, engines: {joint-computation: {\(rule)}}}
        columns:
          - {name: patient, type: integer, nullable: false}
          - {name: age, type: integer, bounds: [0, 100], nullable: false}
          - {name: dose, type: real, bounds: [0, 10.5], nullable: false}
          - {name: cost, type: real, bounds: [0, 500], nullable: false}
          - {name: ill, type: boolean, nullable: false}
        """
    }

    private func sites(_ rule: String = rule) throws -> FederatedSites {
        let sites = try FederatedSites(3, engines: { _ in "questions: {}" })
        let keys = sites.sites.map(\.key).joined(separator: ", ")
        for (place, site) in sites.sites.enumerated() {
            let whole = "sites: [\(keys)], coordinators: [\"\(FederatedSites.address)\"], \(rule)"
            _ = try site.site.addDataset(
                file: try site.file("scans", Self.file(place)), manifestText: Self.manifest(place, whole))
        }
        return sites
    }

    private static let (age, dose) = (
        ComputationRequest.Column("age", 0, 100), ComputationRequest.Column("dose", 0, 10.5)
    )

    private func asked(
        _ sites: FederatedSites, _ analysis: ComputationRequest.Analysis = .linear, steps: Int = 1, rho: Double? = nil
    ) throws -> Coordination<ComputationRequest> {
        try Coordination(sites: sites.named, address: FederatedSites.address) { invitation in
            ComputationRequest(
                dataset: "scans", analysis: analysis, features: [Self.age, Self.dose],
                response: analysis == .linear ? .init("cost", 0, 500) : .init("ill", 0, 1), rows: [60, 70, 0],
                steps: steps, rate: analysis == .linear ? 1 : 4, ridge: 0.001, rho: rho, invitation: invitation)
        }
    }

    private func made(
        _ sites: FederatedSites, _ asked: Coordination<ComputationRequest>
    ) async throws -> (Coordination<ComputationRequest>, [String], [ReleasedComputation]) {
        let coordination = try await sites.created(asked)
        let run = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        let released = try await sites.released(ids, as: ReleasedComputation.self)
        #expect(run.progress.phase == .finished && run.largestMessage > 0)
        return (coordination, ids, released)
    }

    @Test("A linear regression of two sites' people is that of both files together, and the same at all three sites")
    func linear() async throws {
        let sites = try sites()
        let (coordination, ids, released) = try await made(sites, asked(sites))
        #expect(Set(released.map(\.session)).count == 1)
        for (place, document) in released.enumerated() {
            #expect(document.coefficients == released[0].coefficients && document.intercept == released[0].intercept)
            #expect(
                coordination.request.isReleased(document, by: place)
                    && !coordination.request.isReleased(document, by: (place + 1) % 3))
            let site = sites.sites[place]
            let receipt = try Receipt(decoding: try site.site.receipt(ids[place], as: .ada))
            #expect(receipt.body.charge.uses == 1 && receipt.body.charge.amounts == [])
            let privacy = receipt.body.guarantees.outputPrivacy
            #expect(privacy.contains("without noise") == (place < 2), "\(privacy)")
            #expect(receipt.body.guarantees.inputPrivacy.contains("the rows stayed") == (place < 2))
            #expect(try site.site.verify().problems == [])
            #expect(try await site.workspaceGoes(of: ids[place]))
        }
        // The response is exactly linear; a small ridge moves it a little.
        let coefficients = released[0].coefficients
        #expect(coefficients.map(\.name) == ["age", "dose"])
        #expect(abs(coefficients[0].value - 2) < 0.1 && abs(coefficients[1].value - 10) < 0.5)
        #expect(abs((released[0].intercept ?? 0) - 50) < 8)
    }

    @Test(
        "With noise the owners are charged its loss, and the third site a use alone; labels are predicted as they are")
    func logistic() async throws {
        let sites = try sites()
        let (_, ids, released) = try await made(sites, asked(sites, .logistic, steps: 12, rho: 4))
        for (place, id) in ids.enumerated() {
            let receipt = try Receipt(decoding: try sites.sites[place].site.receipt(id, as: .ada))
            #expect(receipt.body.charge.uses == 1)
            #expect(receipt.body.charge.amounts.isEmpty == (place == 2))
            // A site without rows loses nothing, and says so.
            let told = receipt.body.guarantees
            #expect(!told.outputPrivacy.contains("no privacy loss is bounded"), "\(told.outputPrivacy)")
            #expect(told.outputPrivacy.contains("nothing of this site's rows") == (place == 2))
            #expect(told.inputPrivacy.contains("the rows stayed") == (place < 2))
            let spent = try sites.sites[place].spent(population: "patients-\(place)")
            // In units of 1e-12: of twelve steps each is at most a twelfth, rounded down.
            #expect(place == 2 ? spent == 0 : (3_999_999_999_000...4_000_000_000_000).contains(spent), "\(spent)")
            #expect(released[place].coefficients == released[0].coefficients)
        }
        #expect(released[0].notes.contains { $0.contains("1.41 times as large") }, "\(released[0].notes)")
        let coefficients = released[0].coefficients.map(\.value)
        #expect(coefficients.count == 2 && coefficients.allSatisfy(\.isFinite))
    }

    @Test("What is opened of a noisy regression has both owners' whole noise: without one of them this fails")
    func bothNoises() throws {
        let sites = try sites()
        let request = try asked(sites, rho: 1).request
        let tasks = try sites.sites.map { site in
            try ComputationTask(
                .regression(request), site: try #require(Data(base64Encoded: site.key)),
                in: try site.site.catalogue())
        }
        let tables = try sites.sites.map { try $0.site.table(try #require(try $0.site.catalogue().datasets["scans"])) }
        /// The noisy moments of a run, to which each site brings what it would bring.
        func opened() throws -> [Double] {
            let program = tasks[0].plan.program
            let session = try ThreePartySession(program: program, parties: ["a", "b", "c"])
            var machines = try zip(tasks, tables).map { task, table in
                try ThreePartyMachine(
                    program: program, session: session, party: task.party,
                    inputs: ThreePartyInputs(inputs: try task.plan.inputs(table).inputs))
            }
            var sent: [ThreePartyMessages?] = try machines.indices.map { try machines[$0].begin() }
            while sent[0] != nil {
                let all = sent.compactMap { $0 }
                sent = try machines.indices.map { place in
                    let party = machines[place].party
                    return try machines[place].receive(all.compactMap { $0[party] })
                }
            }
            return try #require(machines[0].outputs?.first).words.map { Double(Int64(bitPattern: $0)) }
        }
        let noise = try #require(tasks[0].plan.noise)
        #expect(noise.owners == [.first, .second])
        // Of two runs over the same rows the difference is noise alone: of two runs, and two owners.
        var squares: [Double] = []
        for _ in 0..<200 {
            let (one, two) = (try opened(), try opened())
            squares += zip(one, two).map { ($0 - $1) * ($0 - $1) / (4 * noise.sigma * noise.sigma) }
        }
        let mean = squares.reduce(0, +) / Double(squares.count)
        // 2,000 numbers leave 0.032: beyond 0.21 with a probability below 1e-9. One owner's noise alone would leave 0.5.
        #expect(squares.count == 2_000 && abs(mean - 1) < 0.21, "\(mean)")
    }

    @Test("Frames that are lost, and replies that are changed on the way, end in the same result under one use")
    func badLine() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let run = try coordination.begin(patience: 60) { _ in }
        let count = Mutex(0)
        for site in sites.sites {
            let direct = DirectConnection({ run }) { _ in
                count.withLock { count in
                    count += 1
                    return count % 5 != 0
                }
            }
            site.site.connect(by: Changing(direct))
        }
        let ids = try await sites.begin(coordination)
        let released = try await sites.released(ids, as: ReleasedComputation.self)
        #expect(abs(released[0].coefficients[0].value - 2) < 0.1)
        for place in 0..<3 { #expect(try sites.sites[place].integer("SELECT sum(uses) FROM uses") == 1) }
    }

    /// Each ninth reply that comes has a bit of it changed.
    private final class Changing: CoordinatorConnection {
        private let connection: DirectConnection
        private let count = Mutex(0)

        init(_ connection: DirectConnection) { self.connection = connection }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            var reply = try connection.exchange(message, with: coordinator, largestReply: largestReply)
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number % 9 == 0 { reply[(number * 31) % reply.count] ^= 1 }
            return reply
        }
    }

    @Test(
        "Where a site's part ends before its time the others end too, nothing is let out, the charge stays, and nothing goes on"
    )
    func lost() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let run = try coordination.begin(patience: 60) { _ in }
        let left = MessagesLeft(4)
        for (place, site) in sites.sites.enumerated() {
            site.site.connect(by: DirectConnection({ run }) { _ in place != 1 || left.take() })
        }
        let ids = try await sites.begin(coordination)
        func state(_ place: Int) throws -> JobState? {
            try sites.sites[place].site.jobs(as: .ada).first { $0.id == ids[place] }?.state
        }
        // The second site is cut off in its rounds, and cancelled: it cannot say so.
        let end = ContinuousClock.now + .seconds(60)
        while !left.isNothing, .now < end { try await Task.sleep(for: .milliseconds(20)) }
        _ = try await sites.sites[0].site.cancelJob(ids[0], by: .ada)
        while try state(2) != .failed, .now < end { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try state(2) == .failed && run.left == 0 && run.progress.phase == .aborted)
        let job = try #require(try sites.sites[2].site.jobs(as: .ada).first { $0.id == ids[2] })
        #expect(job.doing?.contains("site 1 left; its charge is kept") == true, "\(job.doing ?? "")")
        for place in [0, 2] {
            #expect(try sites.sites[place].integer("SELECT sum(uses) FROM uses") == 1)
            #expect(try sites.sites[place].site.request(ids[place], as: .ada).state != "released")
            #expect(try await sites.sites[place].workspaceGoes(of: ids[place]), "it does not go on")
        }
    }

    @Test("What an owner's policy does not name is refused before anything is charged")
    func refusals() async throws {
        let sites = try sites(
            "analyses: [linear-regression], columns: [age, cost], result: noisy, uses: 3, steps: 50")
        let site = sites.sites[0].site
        let request = try asked(sites, rho: 0.5).request
        func refusal(_ change: (inout ComputationRequest) -> Void) async throws -> String {
            var changed = request
            changed.features = [Self.age]
            change(&changed)
            let message = try FederatedSites.request(changed)
            return await problem { _ = try await site.preview(message, as: .ada) }?.detail ?? "not refused"
        }
        #expect(try await refusal { _ in } == "not refused")
        #expect(try await refusal { $0.rho = nil }.contains("allows results with noise alone"))
        #expect(try await refusal { $0.features = [Self.dose] }.contains("go into a computation"))
        #expect(try await refusal { $0.analysis = .logistic }.contains("does not allow a logistic-regression"))
        #expect(try await refusal { $0.steps = 51 }.contains("at most 50 steps"))
        #expect(try await refusal { $0.steps = 5 }.contains("has no steps"))
        #expect(try await refusal { $0.features[0].upper = 90 }.contains("declares age from 0 to 100"))
        #expect(try await refusal { $0.features.append(Self.age) }.contains("names of columns"))
        #expect(try await refusal { $0.features = [] }.contains("1 to 127 features"))
        #expect(try await refusal { $0.rows = [40, 70, 0] }.contains("capacity of 60 units"))
        #expect(try await refusal { $0.rows = [60, 70] }.contains("three sites compute together"))
        #expect(try await refusal { $0.rows = [60, 0, 0] }.contains("1 owners"))
        #expect(try await refusal { $0.rows = [60, -1, 0] }.contains("from 0 to 262144 of each site"))
        #expect(try await refusal { $0.rows = [60, 1 << 40, .max] }.contains("from 0 to 262144 of each site"))
        #expect(
            try await refusal {
                $0.features = (0..<100).map { .init("x\($0)", 0, 1) }
                $0.rows = [60, 1 << 17, 0]
            }
            .contains("2097152 numbers"))
        #expect(try await refusal { $0.ridge = 0 }.contains("ridge"))
        let open = try self.sites()
        for rate in [1e-300, Double.leastNonzeroMagnitude, 1e-305, -1, 0, 1e300] {
            var changed = try asked(open, .logistic, steps: 5).request
            changed.rate = rate
            let message = try FederatedSites.request(changed)
            let found = await problem { _ = try await open.sites[0].site.preview(message, as: .ada) }
            #expect(found?.detail.contains("a rate of") == true, "\(rate): \(found?.detail ?? "accepted")")
        }
        var changed = try asked(open, .logistic, steps: 1).request
        let single = try FederatedSites.request(changed)
        let found = await problem { _ = try await open.sites[0].site.preview(single, as: .ada) }
        #expect(found?.detail.contains("2 steps at least") == true)
        changed.steps = 5
        let right = try FederatedSites.request(changed)
        #expect(await problem { _ = try await open.sites[0].site.preview(right, as: .ada) } == nil)
        #expect(try await refusal { $0.rho = -1 }.contains("rho"))
        #expect(try await refusal { $0.dataset = "none" }.contains("there is no dataset"))
        #expect(try await refusal { $0.dataset = "shared" }.contains("does not allow it"))
        #expect(try await refusal { $0.invitation.sites.removeLast() }.contains("three sites compute together"))
        #expect(try await refusal { $0.invitation.coordinator = "http://127.0.0.1:1" }.contains("the coordinator"))
        #expect(
            try await refusal { $0.invitation.sites[2] = Data(repeating: 1, count: 32).base64EncodedString() }
                .contains("does not name the site"))
        #expect(try sites.sites[0].integer("SELECT count(*) FROM uses") == 0)
    }

    @Test(
        "Rules that allow nothing, or protect nobody, are refused or doubted when they are declared",
        arguments: [
            ("analyses: [linear-regression], result: noisy", "the key `uses` is missing"),
            (
                "analyses: [cubic], result: noisy, uses: 1",
                "expected one of linear-regression, logistic-regression, joined-statistics"
            ),
            ("analyses: [linear-regression], uses: 1", "the key `result` is missing"),
            ("analyses: [linear-regression], result: any, uses: 1", "expected noisy or exact"),
            ("result: noisy, uses: 1", "the key `analyses` is missing"),
        ])
    func rules(_ rule: String, _ words: String) async throws {
        let found = await problem { _ = try sites(rule) }
        #expect(found?.detail.contains(words) == true, "\(found?.detail ?? "accepted")")
    }
}
