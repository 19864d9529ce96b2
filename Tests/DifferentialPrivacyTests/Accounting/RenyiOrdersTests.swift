import Foundation
import Secrets
import Testing

@testable import DifferentialPrivacy

@Suite("Rényi losses on fixed orders")
struct RenyiOrdersTests {
    static let step = PrivacyEvent.poissonSampled(rate: 0.004, .gaussian(noiseMultiplier: 1))

    @Test("Limits are known answers: at each order what converts at an eighth of delta, from 50 digits")
    func limits() throws {
        let known: [(epsilon: Double, delta: Double, amounts: [Int64])] = [
            (
                4, 5e-7,
                [
                    -1, -1, 1_223_053_594_598, 2_060_866_001_406, 2_804_902_956_042, 3_459_514_160_077,
                    3_818_459_210_986, 3_960_608_323_494,
                ]
            ),
            (1, 5e-6, [-1, -1, -1, -1, 14_228_873_587, 559_626_555_424, 855_008_180_716, 969_638_068_957]),
            (0.2, 5e-10, [-1, -1, -1, -1, -1, -1, -1, 133_519_087_106]),
        ]
        for (epsilon, delta, amounts) in known {
            let limit = try PrivacyLoss(renyiEpsilon: epsilon, delta: delta, selectionDelta: 9)
            #expect(limit.kind == .renyi && limit.delta == 9)
            for (ours, exact) in zip(limit.amounts, amounts) { #expect(ours <= exact && ours >= exact - 3) }
            // What it converts back to, and the epsilon of what fits.
            let back = RenyiOrders.epsilon(amounts: limit.amounts.map { max(0, $0) }, delta: delta)
            #expect(back <= epsilon * (1 + 1e-11) && back >= epsilon * (1 - 1e-11))
        }
        // Of (4, 1e-6), half for conversion: the figure that rule 6 names.
        let limit = try PrivacyLoss(renyiEpsilon: 4, delta: 5e-7)
        #expect(abs(Double(limit.largestRho) / 1e12 - 0.2576) < 1e-4)
        for (epsilon, delta) in [(0, 1e-6), (-1, 1e-6), (.nan, 1e-6), (1_001, 1e-6), (1, 0), (1, 1), (0.01, 1e-9)] {
            #expect(throws: MechanismError.self, "\(epsilon) \(delta)") {
                try PrivacyLoss(renyiEpsilon: epsilon, delta: delta)
            }
        }
        let least = RenyiOrders.leastEpsilon(delta: 1e-6)
        #expect(throws: MechanismError.self) { try PrivacyLoss(renyiEpsilon: least, delta: 1e-6) }
        #expect(throws: Never.self) { try PrivacyLoss(renyiEpsilon: least + 1e-9, delta: 1e-6) }
    }

    @Test("An epsilon is the largest rho whose curve converts to at most it, and that rho fits into its limit")
    func rhos() throws {
        for delta in [1e-4, 5e-7, 1e-10] {
            for epsilon in [0.3, 1, 4, 20, 500] {
                let rho = RenyiOrders.rho(epsilon: epsilon, delta: delta)
                #expect(rho > 0 && RenyiOrders.epsilon(rho: rho, delta: delta) <= epsilon)
                #expect(RenyiOrders.epsilon(rho: rho * (1 + 1e-9) + 1e-13, delta: delta) > epsilon)
                let limit = try PrivacyLoss(renyiEpsilon: epsilon, delta: delta)
                let units = Int64(rho * 1e12)
                #expect(abs(limit.largestRho - units) <= 2 + units >> 40)
                #expect(PrivacyLoss(renyiRho: limit.largestRho).fits(in: limit))
                #expect(!PrivacyLoss(renyiRho: limit.largestRho + 1).fits(in: limit))
                // One order chosen beforehand would leave more, and not twice as much.
                let best = Conversion.rho(epsilon: epsilon, delta: delta)
                #expect(rho < best && rho > best / 2)
            }
        }
        for epsilon in [0.5, 1, 2, 4, 8, 16] {
            let part = RenyiOrders.rho(epsilon: epsilon, delta: 5e-7) / Conversion.rho(epsilon: epsilon, delta: 5e-7)
            #expect(part > 0.795 && part < 0.885, "\(epsilon)")
        }
        #expect(RenyiOrders.rho(epsilon: 1e-3, delta: 1e-9) == 0 && RenyiOrders.rho(epsilon: 1, delta: 0) == 0)
        #expect(RenyiOrders.epsilon(rho: 0, delta: 1e-6) == 0 && RenyiOrders.epsilon(rho: 1, delta: 0) == .infinity)
        #expect(RenyiOrders.epsilon(amounts: PrivacyLoss.zero(.renyi).amounts, delta: 1e-6) == 0)
    }

    @Test("A rho costs exactly its multiple at each order; pure events cost their own curves where these are less")
    func curves() throws {
        let gaussian = try PrivacyEvent.discreteGaussian(sensitivitySquared: 3, sigma: 10).loss(kind: .renyi)
        #expect(gaussian == PrivacyLoss(renyiRho: 15_000_000_000))
        #expect(gaussian.amounts == RenyiOrders.all.map { Int64($0) * 15_000_000_000 })
        let twice = try PrivacyEvent.repeated(.discreteGaussian(sensitivitySquared: 3, sigma: 10), times: 7)
            .loss(kind: .renyi)
        #expect(twice == PrivacyLoss(renyiRho: 105_000_000_000))
        let events: [PrivacyEvent] = [
            .laplace(noiseMultiplier: 2), .pure(epsilon: 0.7), .exponentialMechanism(epsilon: 0.9, times: 1),
            .discreteLaplace(sensitivity: 3, scale: 7), Self.step, .poissonSampled(rate: 0.1, .pure(epsilon: 1)),
            .skellam(l1Sensitivity: 3, sensitivitySquared: 3, variance: 400),
        ]
        for event in events {
            let loss = try event.loss(kind: .renyi)
            var accountant = try RenyiAccountant()
            try accountant.compose(event)
            for (order, amount) in zip(RenyiOrders.all, loss.amounts) {
                let exact = accountant.divergence(order: Double(order)) * 1e12
                #expect(Double(amount) <= exact + 2, "\(event) \(order)")
                if let rho = try? event.loss(kind: .zeroConcentrated).amount {
                    #expect(amount <= rho * Int64(order))
                } else {
                    #expect(Double(amount) >= exact * (1 - 1e-12))
                }
            }
            // However it is repeated, each time is rounded up alone.
            #expect(
                try PrivacyEvent.repeated(event, times: 5).loss(kind: .renyi).amounts == loss.amounts.map { 5 * $0 })
        }
        // At high orders, an epsilon of 0.7 costs at most 0.7.
        #expect(try PrivacyEvent.pure(epsilon: 0.7).loss(kind: .renyi).amounts[7] <= 700_000_000_001)
        #expect(throws: MechanismError.self) { try PrivacyEvent.gaussian(noiseMultiplier: 0).loss(kind: .renyi) }
        #expect(try PrivacyEvent.composition([]).loss(kind: .renyi).isZero)
    }

    @Test(
        "Everything, of which only the limit is known, leaves no room under any limit; of one number it is what is left"
    )
    func everything() throws {
        let limit = try PrivacyLoss(renyiEpsilon: 4, delta: 5e-7, selectionDelta: 9)
        let one = PrivacyLoss(renyiRho: 1)
        for spent in [PrivacyLoss.zero(.renyi), PrivacyLoss(renyiRho: 5_000_000_000_000, delta: 3)] {
            let whole = try spent + limit.everything(after: spent)
            #expect(whole.delta == 9 && !limit.everything(after: spent).isNegative)
            #expect(!one.fits(in: try PrivacyLoss(renyiEpsilon: 1_000, delta: 0.5), after: whole))
        }
        let pure = PrivacyLoss(kind: .pure, amount: 10)
        #expect(pure.everything(after: PrivacyLoss(kind: .pure, amount: 3)).amount == 7)
        #expect(limit.everything(after: pure).amounts.allSatisfy { $0 == RenyiOrders.largestAmount })
    }

    @Test("A divergence beyond every limit counts as one that no limit admits; sums stay at the largest integer")
    func saturation() throws {
        // 256 times 5e12 nats is no Int64 of units.
        let huge = try PrivacyEvent.gaussian(noiseMultiplier: 1e-3).loss(kind: .renyi)
        #expect(huge.amounts.allSatisfy { $0 == RenyiOrders.largestAmount })
        let mixed = try PrivacyEvent.repeated(.poissonSampled(rate: 1e-5, .gaussian(noiseMultiplier: 0.3)), times: 50)
            .loss(kind: .renyi)
        #expect(mixed.amounts[7] == RenyiOrders.largestAmount && mixed.amounts[0] < 1_000_000_000)
        // Beyond every limit, more is covered by less; within one it is not.
        #expect(try (huge + huge).isCovered(by: huge) && !(mixed + mixed).isCovered(by: mixed))
        let limit = try PrivacyLoss(renyiEpsilon: 1_000, delta: 1e-6)
        #expect(limit.amounts.allSatisfy { $0 < RenyiOrders.largestAmount })
        let full = PrivacyLoss(kind: .renyi, exactly: [.max, .max - 5, 0, 0, 0, 0, 0, 0], delta: 0)
        let ten = PrivacyLoss(kind: .renyi, amount: 10)
        let sum = try full + ten
        #expect(sum.amounts == [.max, .max, 10, 10, 10, 10, 10, 10])
        // What was lost in saturating does not come back; the rest does.
        #expect(try sum.removing(ten).amounts == [.max, .max, 0, 0, 0, 0, 0, 0])
        #expect(ten.fits(in: limit, after: sum))
        #expect(throws: MechanismError.self) { try ten.removing(sum) }
        #expect(throws: MechanismError.mixedKinds) { try ten + .zero(.pure) }
        #expect(throws: MechanismError.mixedKinds) { try ten.removing(.zero(.pure)) }
        #expect(PrivacyLoss(kind: .renyi, amounts: [1, 2, 3]) == nil && PrivacyLoss(kind: .pure, amounts: []) == nil)
    }

    @Test("No mechanism takes a Rényi loss for a rho: what noise it would mean is not said")
    func noBudget() {
        let loss = PrivacyLoss(renyiRho: 1_000_000_000_000, delta: 1_000_000_000)
        #expect(throws: MechanismError.self) { try DiscreteGaussian(sensitivitySquared: 1, loss: loss) }
        #expect(throws: MechanismError.self) { try DiscreteLaplace(sensitivity: 1, loss: loss) }
        #expect(throws: MechanismError.self) { try GridNoise(sensitivity: 1, loss: loss) }
        #expect(throws: MechanismError.self) { try JointQuantiles(quantiles: [0.5], loss: loss) }
        #expect(throws: MechanismError.self) { try GaussianThreshold(groupsPerUnit: 1, loss: loss) }
        #expect(throws: MechanismError.self) { try PrivateCount(loss: loss) }
        #expect(throws: MechanismError.self) { try IndividualFilter(units: 1, limit: loss, cap: loss) }
    }

    @Test("A filter admits while one order is within its bound, and refuses what no order has room for")
    func filter() throws {
        let limit = try PrivacyLoss(renyiEpsilon: 3, delta: 1e-5, selectionDelta: 1_000)
        var filter = PrivacyFilter(limit: limit)
        func admits(_ loss: PrivacyLoss) -> Bool { filter.admit(loss) }
        let steps = try PrivacyEvent.repeated(Self.step, times: 100).loss(kind: .renyi)
        var admitted = 0
        while admits(steps) { admitted += 1 }
        #expect(admitted > 0 && zip(filter.spent.amounts, limit.amounts).contains { $0 <= $1 })
        #expect(zip(filter.spent.amounts, limit.amounts).contains { $0 > $1 }, "some order is exceeded by then")
        // The same, by an accountant that knows the whole sequence beforehand.
        var accountant = try RenyiAccountant()
        try accountant.compose(Self.step, times: 100 * admitted)
        let epsilon = try accountant.epsilon(delta: 1e-5).upper
        #expect(epsilon <= 3 && epsilon > 2)
        // A refusal costs nothing, and what is smaller still fits.
        let before = filter.spent
        #expect(!admits(steps) && filter.spent == before)
        #expect(admits(try PrivacyEvent.gaussian(noiseMultiplier: 1e5).loss(kind: .renyi)))
        #expect(!admits(try PrivacyEvent.approximate(epsilon: 1e-6, delta: 1.1e-15).loss(kind: .renyi)))
        #expect(!admits(PrivacyLoss(kind: .renyi, exactly: [-1, 0, 0, 0, 0, 0, 0, 0], delta: 0)))
        #expect(!admits(PrivacyLoss(kind: .zeroConcentrated, amount: 1)))
    }

    @Test("Where sampling makes high orders dear, questions and training on one filter end at the order that is left")
    func mixture() throws {
        let limit = try PrivacyLoss(renyiEpsilon: 6, delta: 5e-7)
        var filter = PrivacyFilter(limit: limit)
        func admits(_ loss: PrivacyLoss) -> Bool { filter.admit(loss) }
        // Little noise on a small sample: the curve explodes at high orders.
        let training = try PrivacyEvent.repeated(
            .poissonSampled(rate: 1e-3, .gaussian(noiseMultiplier: 0.6)), times: 300
        )
        .loss(kind: .renyi)
        #expect(training.amounts[7] > limit.amounts[7] && admits(training))
        var questions = 0
        while admits(PrivacyLoss(renyiRho: 5_000_000_000)) { questions += 1 }
        #expect(questions > 20)
        let epsilon = RenyiOrders.epsilon(amounts: filter.spent.amounts, delta: 5e-7)
        #expect(epsilon <= 6 && epsilon > 5.5)
    }

    /// Every transcript of an adversary who chooses each mechanism, randomised response of some epsilon, from all earlier
    /// answers, until the filter refuses: the exact delta at the limit's epsilon is within the promise.
    @Test("Adaptive adversaries, enumerated: at the limit's epsilon no more than delta", arguments: 0..<12)
    func adversaries(_ seed: UInt64) throws {
        let (epsilon, delta) = (2.0, 0.02)
        let limit = try PrivacyLoss(renyiEpsilon: epsilon, delta: delta)
        var generator = SeededGenerator(seed: 500 + seed)
        let menu = [0.2, 0.5, 0.9, 1.4]
        let losses = try menu.map { try PrivacyEvent.pure(epsilon: $0).loss(kind: .renyi) }
        var excess = 0.0
        var (transcripts, longest) = (0, 0)
        // The adversary's next choice depends on how often the answer was "in", and on a table of her own.
        let table = (0..<64).map { _ in Int.random(in: 0..<menu.count, using: &generator) }
        func play(_ filter: PrivacyFilter, _ p: Double, _ q: Double, _ depth: Int, _ state: Int) {
            let choice = table[state % 64]
            var next = filter
            guard depth < 18, next.admit(losses[choice]) else {
                excess += max(0, p - exp(epsilon) * q)
                transcripts += 1
                longest = max(longest, depth)
                return
            }
            let high = 1 / (1 + exp(-menu[choice]))
            play(next, p * high, q * (1 - high), depth + 1, state &* 5 &+ 1)
            play(next, p * (1 - high), q * high, depth + 1, state &* 3 &+ 2)
        }
        play(PrivacyFilter(limit: limit), 1, 1, 0, Int(seed))
        #expect(transcripts > 1 && longest < 18)
        #expect(excess <= delta, "\(excess) of \(transcripts) transcripts")
    }
}
