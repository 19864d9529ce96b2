import DatasiteProtocol
import DifferentialPrivacy
import GRDB
import Secrets
import Testing

@testable import Datasite
@testable import Query

@Suite("The gate lets out what its reservation covers, and nothing else")
struct ReleaseGateTests {
    /// An outcome of a reserved question whose events happened so many times.
    private func made(_ test: TestSite, times: Int) async throws -> Outcome<NoisyAnswer> {
        let id = try await test.reserveOnly(TestSite.count(1), key: nil)
        let plan = try test.site.question(TestSite.count(1), in: try test.site.catalogue()).work.plan
        var reservation: Reservation?
        try test.site.read { (db: Database) -> Void in reservation = try Ledger.reservation(of: id, in: db) }
        guard let reservation else { throw Problem.unavailable("not reserved") }
        let events = [[PrivacyEvent]](repeating: plan.events, count: times).flatMap(\.self)
        let answer = NoisyAnswer(columns: [], rows: [], notes: [])
        return Outcome(reservation, Measured<NoisyAnswer, SecureRandom>(answer: answer, events: events))
    }

    @Test("The events that were planned are covered")
    func covered() async throws {
        let outcome = try await made(TestSite(), times: 1)
        let charge = outcome.reservation.charge
        let release = try ReleaseGate.open(outcome)
        #expect(release.charge == charge)
    }

    @Test("More delta than was reserved is not, at no more rho")
    func deltaNotCovered() async throws {
        let test = try TestSite(policy: "{loss: zcdp, delta: 1e-6, total: {rho: 1}}")
        let count = AskRequest(dataset: "visits", sql: "SELECT COUNT(*) FROM visits", budget: .rho(0.5))
        func isOpen(delta: Double) async throws -> Bool {
            let id = try await test.reserveOnly(count, key: nil)
            try test.execute("UPDATE requests SET delta = 1000000000 WHERE id = '\(id)'")
            var reservation: Reservation?
            try test.site.read { (db: Database) -> Void in reservation = try Ledger.reservation(of: id, in: db) }
            guard let reservation else { throw Problem.unavailable("not reserved") }
            let selection = try GaussianThreshold(groupsPerUnit: 1, rho: 0.25, delta: 5e-10)
            let events = [
                PrivacyEvent.thresholdSelection(
                    groupsPerUnit: 1, sigma: selection.sigma, threshold: selection.threshold, delta: delta)
            ]
            let answer = NoisyAnswer(columns: [], rows: [], notes: [])
            do {
                _ = try ReleaseGate.open(
                    Outcome(reservation, Measured<NoisyAnswer, SecureRandom>(answer: answer, events: events)))
                return true
            } catch { return false }
        }
        #expect(try await isOpen(delta: 0.9e-9))
        #expect(try await !isOpen(delta: 1.1e-9))
    }

    @Test("The same events twice are not")
    func notCovered() async throws {
        let outcome = try await made(TestSite(), times: 2)
        var isOpen = false
        do {
            _ = try ReleaseGate.open(outcome)
            isOpen = true
        } catch {}
        #expect(!isOpen)
    }
}
