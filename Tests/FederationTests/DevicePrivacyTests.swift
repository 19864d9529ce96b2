import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Federation

@Suite("Noise at the server, for devices")
struct DevicePrivacyTests {
    static func noisy(
        norm: Double = 1, multiplier: Double = 1, length: Int = 4, cycles: Int = 3, rest: Int = 0,
        reports: ClosedRange<Int> = 2...4
    ) throws -> DevicePlan {
        try DeviceRuns.plan(
            .noisy(privacy: DevicePrivacy(clippingNorm: norm, noiseMultiplier: multiplier)), length: length,
            cycles: cycles,
            reports: reports, rest: rest, grid: UpdateGrid(range: 16, bits: 24))
    }

    @Test("The bound of the squared norm is the largest integer that is a Double and not above (norm / step)^2")
    func bounds() throws {
        var random = SeededGenerator(seed: 1)
        let grid = try UpdateGrid(range: 16, bits: 30)
        for _ in 0..<10_000 {
            let norm = (1 + Double(random.next() >> 11) * 0x1p-53) * (Double(1 << (random.next() % 10)) * 0x1p-6)
            let bound = DevicePrivacy(clippingNorm: norm, noiseMultiplier: 1).squaredBound(grid)
            let steps = norm / grid.step
            // Exact: the square of a number of 53 bits, shifted.
            let significand = UInt128(steps.significandBitPattern | 1 << 52)
            let shift = 2 * (52 - Int(steps.exponent))
            let exact =
                shift >= 0
                ? (significand * significand) >> UInt128(shift) : significand * significand << UInt128(-shift)
            #expect(UInt128(bound) <= exact && Double(bound.magnitude).nextUp >= Double(exact))
            #expect(Int64(Double(bound)) == bound)
        }
    }

    @Test("Whether a squared norm is within a bound is exact, for all integers and at each bound")
    func squares() {
        var random = SeededGenerator(seed: 2)
        /// At most 2^127: no sum overflows.
        func square(_ values: [Int64]) -> UInt128 {
            values.reduce(UInt128(0)) { min($0, 1 << 126) + UInt128($1.magnitude) * UInt128($1.magnitude) }
        }
        for _ in 0..<3_000 {
            let bits = random.next() % 64
            let values = (0..<Int(random.next() % 40)).map { _ in Int64(bitPattern: random.next()) >> Int64(bits) }
            var bounds: [Int64] = [1, 2, 3, 1 << 62, (1 << 62) - 1, 1 << 52, 1 << 61, Int64(random.next() >> 2)]
            let sum = square(values)
            if sum > 1, sum < 1 << 62 { bounds += [Int64(sum), Int64(sum) - 1, Int64(sum) + 1] }
            for bound in bounds {
                #expect(
                    Packed(values).isWithin(squaredNorm: bound) == (sum <= UInt128(bound.magnitude)),
                    "\(values), \(bound)")
            }
        }
        let long = Packed([Int64](repeating: 1 << 31, count: 100_000))
        #expect(!long.isWithin(squaredNorm: 1 << 62) && Packed([Int64(1) << 31]).isWithin(squaredNorm: 1 << 62))
        #expect(!Packed([Int64(1) << 31, 1]).isWithin(squaredNorm: 1 << 62))
        #expect(!Packed([Int64.min]).isWithin(squaredNorm: 1 << 62) && Packed<Int64>([]).isWithin(squaredNorm: 1))
    }

    @Test("A clipped update is never above the bound, keeps its direction, and is whole where it is small")
    func clipping() throws {
        var random = SeededGenerator(seed: 3)
        let grid = try UpdateGrid(range: 16, bits: 24)
        for size in [1, 7, 1_000, 20_000] {
            for scale in [1e-30, 1e-3, 0.9, 1, 1.1, 1e3, 1e30] as [Double] {
                let privacy = DevicePrivacy(clippingNorm: 1.3, noiseMultiplier: 1)
                let update = (0..<size).map { _ in
                    Float(scale * (Double(random.next() >> 11) * 0x1p-52 - 1) * 2 / Double(size).squareRoot())
                }
                let integers = try privacy.integers(update, grid)
                #expect(Packed(integers).isWithin(squaredNorm: privacy.squaredBound(grid)))
                let norm = update.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                let factor = min(1, 1.3 / norm)
                for (integer, value) in zip(integers, update) {
                    let exact = Double(value) * factor / grid.step
                    #expect(
                        abs(Double(integer) - exact) <= 1 + abs(exact) * 1e-12
                            && abs(Double(integer)) <= abs(exact) + 1e-6)
                }
            }
        }
        let privacy = DevicePrivacy(clippingNorm: 1, noiseMultiplier: 1)
        for wrong in [Float.nan, .infinity, -.infinity] {
            #expect(throws: FederationError.notANumber(entry: 1)) { try privacy.integers([0, wrong], grid) }
        }
        #expect(try privacy.integers([0, 0], grid) == [0, 0])
        let largest = try privacy.integers([Float.greatestFiniteMagnitude, -.greatestFiniteMagnitude], grid)
        #expect(abs(Double(largest[0]) * grid.step - 0.5.squareRoot()) < 1e-6)
    }

    @Test("A report of a larger norm is refused, one at the bound is counted")
    func norms() throws {
        let plan = try Self.noisy()
        var coordinator = try DeviceRuns.coordinator(plan)
        // Of norm 1 on a grid of 2^-20.
        let one = Int64(1 << 20)
        for (device, (report, refusal)) in [
            ([one, 0, 0, 0], nil), ([one, 1, 0, 0], DeviceRefusal.norm), ([one / 2, -one / 2, one / 2, one / 2], nil),
            ([one, one, one, one], .norm),
        ].enumerated() {
            let ticket = try coordinator.admitted(device)
            #expect(coordinator.report(report, ticket, from: device).refusal == refusal)
        }
        #expect(
            coordinator.cycle.counted == 2 && coordinator.cycle.sum.values == [3 * one / 2, -one / 2, one / 2, one / 2])
    }

    @Test("The charge is k C^2 / (2 sigma^2), four times that where other reports stand in a device's place")
    func charge() throws {
        for (cycles, rest, participations) in [(20, 4, 5), (1, 0, 1), (9, 0, 9)] {
            let plan = try Self.noisy(norm: 1, multiplier: 2, cycles: cycles, rest: rest)
            #expect(plan.participations == participations)
            for (neighbours, factor) in [(DevicePrivacy.Neighbours.zeros, 1.0), (.others, 4.0)] {
                var accountant = ZeroConcentratedAccountant(
                    neighbours: neighbours == .zeros ? .addOrRemove : .replaceOne)
                try accountant.compose(plan.event(neighbours), times: 1)
                // Rounded up, by little.
                let exact = factor * Double(participations) / 8
                #expect(accountant.rho >= exact && accountant.rho < exact * (1 + 1e-12))
            }
        }
        #expect(throws: FederationError.self) { try DeviceRuns.plan().event() }
    }

    @Test("The denominator is the plan's least number of reports, whatever their number was")
    func denominator() throws {
        for count in 2...4 {
            // Noise of less than a hundredth of a step.
            let plan = try Self.noisy(multiplier: 1e-9, cycles: 1)
            var coordinator = try DeviceRuns.coordinator(plan)
            for device in 0..<count {
                let ticket = try coordinator.admitted(device)
                #expect(coordinator.report([1 << 18, 0, 0, 0], ticket, from: device) == .thanks)
            }
            coordinator.tick(at: 100)
            var random = SecureRandom()
            #expect(coordinator.step(using: &random) == true)
            #expect(coordinator.model.weights == [Float(count) * 0.25 / 2, 0, 0, 0])
        }
    }

    @Test("Noise has the variance that is charged for (false alarm: 1e-9)")
    func variance() throws {
        let count = 20_000
        let plan = try Self.noisy(multiplier: 3, length: count, cycles: 1)
        var coordinator = try DeviceRuns.coordinator(plan)
        for device in 0..<2 {
            let ticket = try coordinator.admitted(device)
            let zeros = [Int64](repeating: 0, count: count)
            #expect(coordinator.report(zeros, ticket, from: device) == .thanks)
        }
        coordinator.tick(at: 100)
        var random = SeededGenerator(seed: 4)
        #expect(coordinator.step(drawing: &random) == true)
        // Of norm 1 and denominator 2: entries have standard deviation 3 / 2. A chi-square of 20,000 is within 6.2 of its standard deviations.
        let statistic = coordinator.model.weights.reduce(0.0) { $0 + Double($1) * Double($1) } / (1.5 * 1.5)
        #expect(abs(statistic - Double(count)) < 6.2 * (2 * Double(count)).squareRoot())
    }

    @Test(
        "What a device reports moves no schedule: with zeros in its place all replies are the same but the models",
        arguments: 0..<20)
    func schedule(seed: UInt64) throws {
        let plan = try Self.noisy(cycles: 6, rest: 1)
        var (one, other) = (try DeviceRuns.coordinator(plan), try DeviceRuns.coordinator(plan))
        var (random, draws) = (SecureRandom(), SeededGenerator(seed: seed))
        var tickets: [Int: DeviceTicket] = [:]
        var (now, differing) = (0.0, 0)
        while !one.isOver {
            now += Double(draws.next() % 12)
            // The one that is compared is there often.
            let device = draws.next() % 3 == 0 ? 0 : Int(draws.next() % 16)
            let integers = (0..<4).map { _ in Int64(draws.next() % (1 << 19)) }
            let key = DeviceRuns.key(device)
            var replies: [DeviceReply]
            if let ticket = tickets[device] {
                let zeros = [Int64](repeating: 0, count: 4)
                replies = [
                    one.report(integers, ticket, from: device, at: now),
                    other.report(device == 0 ? zeros : integers, ticket, from: device, at: now),
                ]
                tickets[device] = nil
                let difference = zip(one.cycle.sum.values, other.cycle.sum.values).reduce(Int64(0)) {
                    $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
                }
                differing += difference > 0 ? 1 : 0
                #expect(difference <= 1 << 40)
            } else {
                let message = DeviceMessage.checkIn(conditions: DeviceRuns.conditions)
                replies = [one.answer(message, from: key, at: now), other.answer(message, from: key, at: now)]
                if case .accepted(let ticket, _, _) = replies[0] { tickets[device] = ticket }
            }
            replies = replies.map { reply in
                switch reply {
                // What names the model is beside the schedule.
                case .accepted(let ticket, let header, let seconds):
                    let blank = RoundHeader(
                        run: header.run, plan: header.plan, round: header.round, attempt: header.attempt, model: Data(),
                        asked: [])
                    return .accepted(ticket: ticket, header: blank, seconds: seconds)
                case .over(let round, _): return .over(round: round, model: Data())
                default: return reply
                }
            }
            #expect(replies[0] == replies[1] && one.phase == other.phase)
            one.step(using: &random)
            other.step(using: &random)
        }
        #expect(one.outcomes == other.outcomes && other.isOver && differing > 0)
    }
}
