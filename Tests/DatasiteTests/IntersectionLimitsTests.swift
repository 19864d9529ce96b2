import DatasiteProtocol
import Federation
import Foundation
import MultipartyComputation
import Synchronization
import Testing

@testable import Datasite

/// What a relay, an analyst or an owner's own change could bring about around an intersection.
@Suite("What intersections leave behind, and cost", .timeLimit(.minutes(20)))
struct IntersectionLimitsTests {
    private func sites() throws -> FederatedSites {
        try FederatedSites(
            2,
            engines: { common in
                let kept = common.replacing(", aggregation: [masked, distributed-noise, plain], uses: 100", with: "")
                return
                    "questions: {}, set-intersection: {\(kept), uses: 100, columns: [person], output: identifiers, recipients: [here, there], capacity: 120, approval: automatic}"
            })
    }

    private func asked(_ sites: FederatedSites) throws -> Coordination<IntersectionRequest> {
        try Coordination(
            dataset: "shared", columns: ["person"], output: .identifiers, recipients: .both, sites: sites.named,
            address: FederatedSites.address)
    }

    /// Holds one long reply back until it is told to let go: the second, which answers the site's own list.
    private final class Holding: CoordinatorConnection {
        private let connection: DirectConnection
        private let long = Mutex(0)
        private let gate = DispatchSemaphore(value: 0)
        let isHeld = Atomic<Bool>(false)

        init(_ connection: DirectConnection) { self.connection = connection }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            let reply = try connection.exchange(message, with: coordinator, largestReply: largestReply)
            guard reply.count > 2_000 else { return reply }
            let number = long.withLock { long in
                long += 1
                return long
            }
            if number == 2 {
                isHeld.store(true, ordering: .relaxed)
                gate.wait()
            }
            return reply
        }

        func letGo() { gate.signal() }
    }

    @Test(
        "A dataset that is removed while the last reply is on its way leaves no identifier behind, also where the name comes back",
        arguments: [false, true])
    func removed(comesBack: Bool) async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let run = try sites.connect(coordination)
        let holding = Holding(DirectConnection { run })
        let first = sites.sites[0]
        first.site.connect(by: holding)
        let ids = try await sites.begin(coordination)
        while !holding.isHeld.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(10)) }
        let workspace = first.site.folder.workspace(of: ids[0]).folder.path
        let kept = first.site.folder.kept(of: ids[0]).folder.path
        #expect(FileManager.default.fileExists(atPath: workspace))
        try first.site.removeDataset("shared")
        if comesBack {
            _ = try first.add(
                "shared", policy: "{loss: renyi, delta: 1e-5, total: {epsilon: 30}}", population: "people-0", people: 5)
        }
        holding.letGo()
        while try first.site.jobs(as: .folder).first(where: { $0.id == ids[0] })?.state == .running {
            try await Task.sleep(for: .milliseconds(10))
        }
        let end = ContinuousClock.now + .seconds(30)
        while FileManager.default.fileExists(atPath: workspace) || FileManager.default.fileExists(atPath: kept) {
            try #require(.now < end)
            try await Task.sleep(for: .milliseconds(20))
        }
        let words = try first.site.read { try RequestEventRow.last(of: ids[0], $0)?.event.words }
        #expect(words?.contains("does not allow it any more") == true, "\(words ?? "none")")
        // The other one may have its result by then.
        _ = try? await sites.sites[1].site.cancelJob(ids[1], by: .ada)
    }

    @Test(
        "What a killed process left of a dataset that is gone goes at the next start, and what stays is what can go on")
    func swept() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        _ = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        _ = try await sites.released(ids, as: ReleasedIntersection.self)
        let site = sites.sites[0].site
        let (kept, workspace) = (site.folder.kept(of: ids[0]), site.folder.workspace(of: ids[0]))
        #expect(try await sites.sites[0].workspaceGoes(of: ids[0]))
        site.removeRemains()
        #expect(kept.saved(.intersection) != nil)
        try site.removeDataset("shared")
        #expect(kept.saved(.intersection) == nil)
        // As a process that was killed between the removal and its end leaves them.
        #expect(kept.save([1], to: .intersection) && workspace.save([1], to: .participant))
        site.removeRemains()
        for folder in [kept, workspace] { #expect(!FileManager.default.fileExists(atPath: folder.folder.path)) }
    }

    @Test("Nobody is charged for an intersection for which there is no place, and training has its own places")
    func places() async throws {
        let sites = try sites()
        let site = sites.sites[0].site
        site.connect(by: DirectConnection { nil })
        let request = try FederatedSites.request(asked(sites).request)
        var (ids, refused): ([String], Int) = ([], 0)
        for number in 0..<14 {
            do {
                let result = try await site.submit(request, as: .ada, idempotencyKey: "ask-\(number)")
                guard case .pending(let summary) = result else { throw Problem.conflict("it was not begun") }
                ids.append(summary.id)
            } catch let problem as Problem where problem.kind == .busy { refused += 1 }
        }
        // One analyst has half of the places.
        #expect(ids.count == site.rounds.threads.capacity / 2 && refused == 14 - ids.count)
        #expect(try sites.sites[0].integer("SELECT sum(uses) FROM uses") == ids.count)
        #expect(site.rounds.threads.admitted == ids.count && site.long.threads.admitted == 0)
        for id in ids {
            #expect(try site.job(id, as: .folder).state == .running)
            _ = try await site.cancelJob(id, by: .ada)
        }
        let end = ContinuousClock.now + .seconds(60)
        while site.rounds.threads.admitted > 0 {
            try #require(.now < end)
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test("A relay that answers at once that there is nothing is not asked at its own speed")
    func hastyRelay() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let agreement = try #require(coordination.agreement)
        let run = try IntersectionRun(
            run: coordination.request.invitation.runBytes, roster: coordination.request.invitation.roster,
            relay: IntersectionRelay(capacities: agreement.parts.map(\.capacity), recipients: .both),
            RunOpening(folder: coordination.path, key: coordination.key, patience: 60, changed: { _ in }),
            longestWait: 0)
        let connection = DirectConnection { run }
        let timed = Timed(connection)
        let site = sites.sites[0].site
        site.connect(by: timed)
        let result = try await site.submit(
            FederatedSites.request(coordination.request), as: .ada, idempotencyKey: "run")
        guard case .pending(let summary) = result else { throw Problem.conflict("it was not begun") }
        // A test's site sleeps no time, and notes until when it would have slept, half a second at a time.
        let clock = sites.sites[0].clock
        while connection.sent.count < 40 { try await Task.sleep(for: .milliseconds(10)) }
        _ = try await site.cancelJob(summary.id, by: .ada)
        let (slept, count) = (clock.departures.count, connection.sent.count)
        // 0.02, 0.04, ..., 2.56 seconds apart, and then 5 each: one that is under way may not have slept yet. Behind a reply that took a second, on a busy machine, that begins anew.
        let slow = timed.slow.withLock { $0 }
        #expect(slept >= 10 * (count - 14 - 11 * slow), "\(slept) for \(count), \(slow) of them slow")
    }

    /// Counts replies that took long.
    private final class Timed: CoordinatorConnection {
        private let connection: DirectConnection
        let slow = Mutex(0)

        init(_ connection: DirectConnection) { self.connection = connection }

        func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
            let start = ContinuousClock.now
            defer { if start.duration(to: .now) > .milliseconds(500) { slow.withLock { $0 += 1 } } }
            return try connection.exchange(message, with: coordinator, largestReply: largestReply)
        }
    }

    @Test("A coordinator with which a site cannot speak as it is set up ends its part, which says what helps")
    func untrusted() async throws {
        struct Untrusting: CoordinatorConnection {
            func exchange(_ message: [UInt8], with coordinator: String, largestReply: Int) throws -> [UInt8] {
                throw UnusableCoordinator("its coordinator's certificate is not trusted here")
            }
        }
        let sites = try sites()
        let site = sites.sites[0].site
        site.connect(by: Untrusting())
        let result = try await site.submit(
            FederatedSites.request(asked(sites).request), as: .ada, idempotencyKey: "run")
        guard case .pending(let summary) = result else { throw Problem.conflict("it was not begun") }
        while try site.job(summary.id, as: .folder).state != .failed { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try site.job(summary.id, as: .folder).doing?.contains("is not trusted here") == true)
    }
}
