import Secrets
import Testing

@testable import Marketplace

@Suite("Reputation, and what it costs to begin anew")
struct ReputationTests {
    private func event(_ isGood: Bool, _ role: Role = .provider) -> ReputationEvent {
        ReputationEvent(party: party("pia"), role: role, task: hashed("t"), conduct: .kept, isGood: isGood)
    }

    @Test("Expectations by hand: (r + 1) / (r + s + 2), with .95 of the past kept")
    func expectation() {
        var reputation = Reputation()
        #expect(reputation.expectation == 500_000)
        reputation.add(event(true))
        // (1 + 1) / (1 + 0 + 2)
        #expect(reputation.expectation == 666_666)
        reputation.add(event(false))
        // (.95 + 1) / (.95 + 1 + 2)
        #expect(reputation.good == 950_000 && reputation.bad == 1_000_000 && reputation.expectation == 493_670)
        for _ in 0..<2_000 { reputation.add(event(true)) }
        // Evidence converges to 1 / (1 - .95) = 20: the bound is 21 / 22.
        #expect((954_000...954_545).contains(reputation.expectation) && reputation.latest.count == Reputation.mostShown)
        // Whoever changes is seen to after some twenty outcomes.
        for _ in 0..<20 { reputation.add(event(false)) }
        #expect(reputation.expectation < 420_000)
    }

    @Test("Roles are apart, and an unknown party is a newcomer")
    func roles() {
        var all = Reputations()
        all.add([event(true, .owner), event(false, .provider)])
        #expect(all[party("pia"), .owner].expectation > 500_000 && all[party("pia"), .provider].expectation < 500_000)
        #expect(all[party("pia"), .sponsor] == Reputation() && all[party("pol"), .owner] == Reputation())
    }

    @Test(
        "A newcomer deposits one fraud's gain, the best no less than what deters, a worse one more, the worst is not admitted"
    )
    func deposits() throws {
        let policy = DepositPolicy.ofTests
        #expect(policy.deposit(for: 1_000, reputation: Reputation()) == 1_000)
        #expect(policy.multiple(at: 1_000_000) == 250_000 && policy.multiple(at: 750_000) == 625_000)
        var (good, bad) = (Reputation(), Reputation())
        for _ in 0..<500 { good.add(event(true)) }
        bad.add(event(false))
        // 20 good: an expectation of .954545, a multiple of 1 - .75 * .90909 = .318182.
        #expect(policy.deposit(for: 1_000, reputation: good) == 319)
        #expect(try #require(policy.deposit(for: 1_000, reputation: bad)) > 1_000)
        bad.add(event(false))
        #expect(policy.deposit(for: 1_000, reputation: bad) == nil)
        #expect(policy.deposit(for: 2 * TaskTerms.Limit.amount, reputation: Reputation()) == 2 * TaskTerms.Limit.amount)
        #expect(DepositPolicy(detectionMillionths: 499_999, leastExpectation: 0) == nil)
        #expect(DepositPolicy(detectionMillionths: 500_000, leastExpectation: 500_001) == nil)
        // Whatever the expectation, fraud does not pay: (1 - p) g - p d <= 0.
        for expectation in stride(from: Int64(0), through: 1_000_000, by: 997) {
            #expect(policy.multiple(at: expectation) * 800_000 >= 200_000 * 1_000_000)
        }
    }

    /// Plays jobs of a gain of 1,000 each, for which honest work earns 100. Returns what is earned a job.
    private func plays(
        _ policy: DepositPolicy, seed: UInt64, jobs: Int, cheats: (Reputation) -> Bool, leaves: (Reputation) -> Bool
    ) -> Double {
        var random = SeededGenerator(seed: seed)
        var reputation = Reputation()
        var money: Int64 = 0
        for _ in 0..<jobs {
            if leaves(reputation) { reputation = Reputation() }
            // Who is not admitted earns nothing, and has no way back but a new account.
            guard let deposit = policy.deposit(for: 1_000, reputation: reputation) else { continue }
            if !cheats(reputation) {
                money += 100
                reputation.add(event(true))
            } else if Int64(random.next() % 1_000_000) < policy.detectionMillionths {
                money -= deposit
                reputation.add(event(false))
            } else {
                money += 1_000
                reputation.add(event(true))
            }
        }
        return Double(money) / Double(jobs)
    }

    @Test(
        "Whitewashing gains nothing: a new account for each fraud, or after each loss, or fraud after a long good time",
        arguments: [500_000, 650_000, 800_000, 950_000] as [Int64])
    func whitewashing(detection: Int64) throws {
        let policy = try #require(DepositPolicy(detectionMillionths: detection, leastExpectation: 300_000))
        let jobs = 20_000
        // Each outcome is between -2,000 and 1,000: a mean of 20,000 strays by less than 1,000 * 6 / sqrt(20,000) = 42 but for 1e-8.
        let honest = plays(policy, seed: 1, jobs: jobs, cheats: { _ in false }, leaves: { _ in false })
        let fresh = plays(policy, seed: 2, jobs: jobs, cheats: { _ in true }, leaves: { _ in true })
        let washed = plays(
            policy, seed: 3, jobs: jobs, cheats: { _ in true }, leaves: { $0.expectation < 500_000 })
        let milked = plays(
            policy, seed: 4, jobs: jobs, cheats: { $0.expectation > 900_000 }, leaves: { $0.expectation < 500_000 })
        print("detection \(detection): honest \(honest), new accounts \(fresh), washed \(washed), milked \(milked)")
        #expect(honest == 100 && fresh < 42 && washed < 42 && milked < honest)
    }

    @Test("Without the deposit it would gain: the simulation can fail")
    func control() throws {
        let policy = try #require(DepositPolicy(detectionMillionths: 500_000, leastExpectation: 300_000))
        var money = 0.0
        var random = SeededGenerator(seed: 9)
        for _ in 0..<20_000 where Int64(random.next() % 1_000_000) >= policy.detectionMillionths { money += 1_000 }
        #expect(money / 20_000 > 400)
    }
}
