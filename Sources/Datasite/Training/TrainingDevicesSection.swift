import Crypto
import DatasiteProtocol
import Federation
import Foundation

/// What a plan says of devices that come and go: `devices: {cycles: 20, local-steps: 10, reports: [10, 20], workers: [10, 30], cycle-seconds: 600}`.
struct TrainingDevicesSection: Sendable, Equatable {
    var cycles: Int
    var spareCycles: Int
    /// Of a cycle, where a device trains.
    var localSteps: Int
    var strategy: Strategy
    /// The largest magnitude of an update's entry.
    var range: Double
    /// The least and the most devices of a cycle.
    var workers: ClosedRange<Int>
    /// The least and the most reports.
    var reports: ClosedRange<Int>
    var overSelection: Double
    var cycleSeconds: Double
    var admissionSeconds: Double
    var rest: Int
    var rows: Int
    var requirements: DeviceRequirements
    var retrySeconds: ClosedRange<Double>
    /// nil: nothing is hidden by noise.
    var privacy: DevicePrivacy?

    init(_ value: YAMLValue) throws {
        let keys = try value.mapping([
            "cycles", "spare-cycles", "local-steps", "strategy", "range", "workers", "reports", "over-selection",
            "cycle-seconds", "admission-seconds", "rest", "rows", "requirements", "retry-seconds", "privacy",
        ])
        func required(_ key: String) throws -> YAMLValue {
            guard let found = keys[key] else { throw value.problem("the key `\(key)` is missing") }
            return found
        }
        cycles = try required("cycles").count(atMost: 1_000_000)
        spareCycles = try keys["spare-cycles"].map { try $0.wholeNumber(atMost: 1_000_000) } ?? 0
        localSteps = try keys["local-steps"]?.count(atMost: 1_000_000) ?? 1
        strategy = try keys["strategy"].map(TrainingFederationSection.strategy) ?? .fedAvg
        range = try keys["range"]?.number(within: 0x1p-60...0x1p60) ?? 1
        let reports = try Self.counts(required("reports"))
        self.reports = reports
        workers =
            try keys["workers"].map { try Self.workers($0, of: reports) }
            ?? reports.lowerBound...min(2 * reports.upperBound, Strategy.mostParticipants)
        overSelection = try keys["over-selection"]?.number(within: 1...16) ?? 1.3
        cycleSeconds = try keys["cycle-seconds"]?.number(within: 1...1e7) ?? 600
        admissionSeconds = try keys["admission-seconds"]?.number(within: 0.1...1e7) ?? cycleSeconds / 2
        if admissionSeconds > cycleSeconds, let written = keys["admission-seconds"] {
            throw written.problem("expected at most the \(ShortNumber.text(cycleSeconds)) of `cycle-seconds`")
        }
        rest = try keys["rest"].map { try $0.wholeNumber(atMost: 1_000_000) } ?? 0
        rows = try keys["rows"].map { try $0.wholeNumber(atMost: 1 << 40) } ?? 1
        requirements = try keys["requirements"].map(Self.requirements) ?? DeviceRequirements()
        retrySeconds = try keys["retry-seconds"].map(Self.seconds) ?? 10...86_400
        privacy = try keys["privacy"].map { section in
            let keys = try section.mapping(["clip", "noise"])
            guard let clip = keys["clip"], let noise = keys["noise"] else {
                throw section.problem("expected {clip: 1, noise: 1}")
            }
            return DevicePrivacy(
                clippingNorm: try clip.number(within: 0x1p-60...0x1p60),
                noiseMultiplier: try noise.number(within: 1e-3...1e6))
        }
    }

    /// `[10, 20]`: the least and the most.
    private static func counts(_ value: YAMLValue) throws -> ClosedRange<Int> {
        let both =
            value.isSequence ? try value.sequence().map { try $0.count(atMost: Strategy.mostParticipants) } : []
        guard both.count == 2, both[0] <= both[1] else { throw value.problem("expected [least, most]") }
        return both[0]...both[1]
    }

    private static func workers(_ value: YAMLValue, of reports: ClosedRange<Int>) throws -> ClosedRange<Int> {
        let workers = try counts(value)
        guard reports.contains(workers.lowerBound) else {
            throw value.problem(
                "at least \(workers.lowerBound) devices: expected from \(reports.lowerBound) to \(reports.upperBound), the least and the most of `reports`"
            )
        }
        guard workers.upperBound >= reports.upperBound else {
            throw value.problem(
                "at most \(workers.upperBound) devices: expected \(reports.upperBound), the most of `reports`, or more")
        }
        return workers
    }

    /// `[10, 3600]`: after how many seconds to come again.
    private static func seconds(_ value: YAMLValue) throws -> ClosedRange<Double> {
        let both = value.isSequence ? try value.sequence().map { try $0.number() } : []
        guard both.count == 2, both[0] > 0, both[1] >= 2 * both[0], both[1] <= 1e7 else {
            throw value.problem(
                "expected [least, most], in seconds, above 0 and at most 1e7, the most at least twice the least: else all devices come at once"
            )
        }
        return both[0]...both[1]
    }

    private static func requirements(_ value: YAMLValue) throws -> DeviceRequirements {
        let keys = try value.mapping(["battery", "unmetered", "idle", "download", "upload"])
        func flag(_ key: String) throws -> Bool {
            guard let value = keys[key] else { return false }
            return try TrainingDocument.word(value, ["yes", "no", "true", "false"]).wholeMatch(of: /yes|true/) != nil
        }
        return DeviceRequirements(
            leastBattery: try keys["battery"]?.number(within: 0...1) ?? 0, needsUnmetered: try flag("unmetered"),
            needsIdle: try flag("idle"), leastDownload: try keys["download"]?.number(within: 0...1e12) ?? 0,
            leastUpload: try keys["upload"]?.number(within: 0...1e12) ?? 0)
    }

    /// The plan that devices are sent.
    ///
    /// - Parameters:
    ///   - planText: All of it is what devices do.
    ///   - parameters: Values that are trained.
    func plan(name: String, planText: String, parameters: Int) throws -> DevicePlan {
        do throws(FederationError) {
            let plan = DevicePlan(
                name: name, strategy: strategy, aggregation: privacy.map { .noisy(privacy: $0) } ?? .plain,
                parameterCount: parameters, grid: try UpdateGrid(range: range),
                work: Data(SHA256.hash(data: Data(planText.utf8))), cycles: cycles, spareCycles: spareCycles,
                leastWorkers: workers.lowerBound, mostWorkers: workers.upperBound, leastReports: reports.lowerBound,
                mostReports: reports.upperBound, overSelection: overSelection, cycleSeconds: cycleSeconds,
                admissionSeconds: admissionSeconds, restCycles: rest, leastRows: rows, requirements: requirements,
                leastRetrySeconds: retrySeconds.lowerBound, mostRetrySeconds: retrySeconds.upperBound)
            try plan.check()
            return plan
        } catch { throw Problem.invalidManifest("`devices`: \(error)") }
    }
}
