import Foundation
import Secrets
import Testing

@testable import Federation

@Suite("Speed among devices, printed", .serialized)
struct DeviceSpeedTests {
    private static func plan(_ aggregation: DevicePlan.Aggregation, length: Int, most: Int) throws -> DevicePlan {
        var plan = try DeviceRuns.plan(
            aggregation, length: length, workers: 2...most, reports: 2...most, overSelection: 1,
            grid: UpdateGrid(range: 16, bits: 24))
        plan.cycles = 1_000
        return plan
    }

    @Test("Check-ins that are admitted, that find no place, and of devices that rest")
    func checkIns() throws {
        let count = 100_000
        var coordinator = try DeviceRuns.coordinator(Self.plan(.plain, length: 4, most: count))
        let keys = (0..<2 * count).map { DeviceRuns.key($0) }
        let message = DeviceMessage.checkIn(conditions: DeviceRuns.conditions)
        let clock = ContinuousClock()
        for (name, range) in [("admitted", 0..<count), ("without a place", count..<2 * count), ("again", 0..<count)] {
            let time = clock.measure {
                for key in keys[range] { _ = coordinator.answer(message, from: key, at: 0) }
            }
            print("check-ins, \(name): \(Int(Double(count) / time.seconds)) a second")
        }
        #expect(coordinator.cycle.admitted == count && coordinator.counts.refusals[.full] == count)
    }

    @Test("Reports of 10,000 entries", arguments: [false, true])
    func reports(isNoisy: Bool) throws {
        let (count, length) = (4_000, 10_000)
        let aggregation: DevicePlan.Aggregation =
            isNoisy ? .noisy(privacy: DevicePrivacy(clippingNorm: 8, noiseMultiplier: 1)) : .plain
        var coordinator = try DeviceRuns.coordinator(Self.plan(aggregation, length: length, most: count))
        let tickets = try (0..<count).map { try coordinator.admitted($0) }
        let report = Packed((0..<length).map { Int64($0 % 100) })
        let clock = ContinuousClock()
        let time = clock.measure {
            for device in 0..<count {
                _ = coordinator.answer(
                    .report(ticket: tickets[device], integers: report), from: DeviceRuns.key(device), at: 0)
            }
        }
        #expect(coordinator.cycle.counted == count && coordinator.phase == .closed)
        var random = SecureRandom()
        let step = clock.measure { coordinator.step(using: &random) }
        print(
            "reports of 10,000 entries, \(isNoisy ? "with noise" : "plain"): \(Int(Double(count) / time.seconds)) a second,",
            "a step in \(step)")
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
