import DifferentialPrivacy
import Foundation
import Testing

@testable import Federation

@Suite("Plans for devices")
struct DevicePlanTests {
    @Test("A plan is refused for each number that is out of its bounds, with what would be right")
    func refusals() throws {
        let right = try DeviceRuns.plan()
        try right.check()
        func refusal(_ change: (inout DevicePlan) -> Void) -> String {
            var plan = right
            change(&plan)
            do { try plan.check() } catch { return "\(error)" }
            return "accepted"
        }
        #expect(refusal { $0.cycles = 0 } == "0 cycles: expected from 1 to 1,000,000")
        #expect(refusal { $0.spareCycles = -1 }.contains("spare cycles"))
        #expect(refusal { $0.parameterCount = 0 }.contains("parameters"))
        #expect(refusal { $0.work = Data() }.contains("32 bytes"))
        #expect(refusal { $0.leastRows = -1 }.contains("rows"))
        #expect(refusal { $0.leastReports = 0 }.contains("0 to 4 reports"))
        #expect(refusal { $0.mostReports = 1 }.contains("2 to 1 reports"))
        #expect(refusal { $0.leastWorkers = 1 }.contains("at least 1 devices: expected from 2 to 4"))
        #expect(refusal { $0.leastWorkers = 5 }.contains("expected from 2 to 4"))
        #expect(refusal { $0.mostWorkers = 3 }.contains("at most 3 devices"))
        for factor in [0.5, 17, .nan, .infinity] {
            #expect(refusal { $0.overSelection = factor }.contains("from 1 to 16"))
        }
        #expect(refusal { $0.restCycles = -1 }.contains("rest"))
        #expect(
            refusal { ($0.restCycles, $0.mostWorkers) = (1_000_000, 1 << 20) }.contains(
                "16777216 devices are remembered"))
        for seconds in [0, -1, .nan, .infinity] {
            #expect(refusal { $0.cycleSeconds = seconds }.contains("seconds of a cycle"))
            #expect(refusal { $0.admissionSeconds = seconds }.contains("seconds of admission"))
            #expect(refusal { $0.leastRetrySeconds = seconds }.contains("come again"))
            #expect(refusal { $0.mostRetrySeconds = seconds }.contains("come again"))
        }
        #expect(refusal { $0.admissionSeconds = 101 }.contains("at most the 100.0 of a cycle"))
        #expect(refusal { $0.mostRetrySeconds = 9 }.contains("at least twice"))
        #expect(refusal { $0.requirements.leastBattery = 1.1 }.contains("from 0 to 1"))
        #expect(refusal { $0.requirements.leastUpload = .nan }.contains("upload"))
        #expect(refusal { $0.grid = nil }.contains("grid"))
        #expect(refusal { $0.strategy = .fedSGD(rate: -1) }.contains("rate"))
        for strategy in [
            Strategy.scaffold(rate: 1), .coordinateMedian, .fedBuff(rate: 1, buffer: 2, exponent: 1),
            .trimmedMean(trim: 1),
        ] {
            #expect(refusal { $0.strategy = strategy }.contains("leaves nothing at devices"))
        }
        // With cohorts.
        #expect(refusal { $0.aggregation = .masked(threshold: 2, colluders: 0) }.contains("expected three at least"))
        #expect(
            refusal {
                ($0.leastReports, $0.leastWorkers, $0.mostWorkers) = (3, 3, 6)
                $0.aggregation = .masked(threshold: 3, colluders: 0)
            }.contains("more than half of 6 participants"))
        #expect(refusal { $0.aggregation = .masked(threshold: 4, colluders: 0) }.contains("expected three at least"))
        #expect(
            refusal {
                ($0.leastReports, $0.leastWorkers) = (4, 4)
                $0.aggregation = .masked(threshold: 4, colluders: 0)
                $0.admissionSeconds = 100
            }.contains("the cohort needs the rest"))
        #expect(
            refusal {
                ($0.leastReports, $0.leastWorkers) = (4, 4)
                $0.aggregation = .masked(threshold: 4, colluders: 0)
            } == "accepted")
        // With noise.
        for (norm, multiplier) in [(32, 1), (0, 1), (.nan, 1), (1, 0), (1, .nan), (1, 1e40)] as [(Double, Double)] {
            #expect(
                refusal {
                    $0.aggregation = .noisy(privacy: DevicePrivacy(clippingNorm: norm, noiseMultiplier: multiplier))
                }.contains(": expected"))
        }
        #expect(
            refusal { $0.aggregation = .noisy(privacy: DevicePrivacy(clippingNorm: 1, noiseMultiplier: 1)) }
                == "accepted")
    }

    @Test("A plan is read as it was written, and its digest is of all of it")
    func codable() throws {
        let plan = try DeviceRuns.plan(.noisy(privacy: DevicePrivacy(clippingNorm: 1, noiseMultiplier: 2)))
        #expect(try DeviceRuns.stored(plan) == plan && DeviceRuns.stored(plan).digest == plan.digest)
        var other = plan
        other.leastRows += 1
        #expect(other.digest != plan.digest)
    }

    @Test(
        "At most ceil(attempts / (rest + 1)) participations, as the densest schedule has",
        arguments: [(20, 4, 4), (20, 0, 0), (1, 0, 9), (7, 3, 2), (5, 100, 1)])
    func participations(cycles: Int, spare: Int, rest: Int) throws {
        let plan = try DeviceRuns.plan(cycles: cycles, spare: spare, rest: rest)
        let densest = stride(from: 0, to: cycles + spare, by: rest + 1).reduce(0) { count, _ in count + 1 }
        #expect(plan.participations == min(cycles, densest))
    }

    @Test("A device that meets all requirements tells the requirements; one that does not is told which one")
    func requirements() throws {
        let requirements = try DeviceRuns.plan().requirements
        var conditions = DeviceRuns.conditions
        let told = try #require(requirements.told(of: conditions))
        #expect(told.battery == 0.8 && told.upload == 1e5 && told.download == 0 && !told.isCharging)
        #expect(requirements.unmet(by: told) == nil)
        conditions.upload = 1e7
        (conditions.battery, conditions.isCharging) = (0.81, false)
        #expect(requirements.told(of: conditions) == told)
        func unmet(_ change: (inout DeviceConditions) -> Void) -> DeviceRefusal? {
            var changed = conditions
            change(&changed)
            #expect(requirements.told(of: changed) == nil)
            return requirements.unmet(by: changed)
        }
        #expect(unmet { $0.battery = 0.79 } == .battery && unmet { $0.battery = .nan } == .battery)
        #expect(unmet { $0.isUnmetered = false } == .metered && unmet { $0.isIdle = false } == .busy)
        #expect(unmet { $0.upload = 9e4 } == .upload && unmet { $0.upload = .nan } == .upload)
        #expect(unmet { $0.download = -1 } == .download)
    }
}
