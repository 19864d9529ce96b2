import Foundation
import Secrets

@testable import Federation

/// A device whose local loss is |weights - target|^2 / 2, and that takes one step of half of the way.
struct Halfway: LocalWork {
    var target: [Float]
    var fails = false

    struct Failure: Error {}

    mutating func update(
        of model: RunModel, in header: RoundHeader, carried: [Float]
    ) throws -> (update: LocalUpdate, carried: [Float]) {
        if fails { throw Failure() }
        return (.numbers(zip(model.weights, target).map { ($1 - $0) / 2 }), carried)
    }
}

enum DeviceRuns {
    static let length = 4
    static let run = Data(repeating: 7, count: 16)
    static let secret = Data(repeating: 9, count: 32)
    static let conditions = DeviceConditions(
        battery: 0.5, isCharging: true, isUnmetered: true, isIdle: true, download: 1e6, upload: 1e6)

    static func key(_ number: Int) -> DeviceKey {
        var bytes = Data(repeating: 0, count: 32)
        withUnsafeBytes(of: Int64(number).bigEndian) { bytes.replaceSubrange(0..<8, with: $0) }
        guard let key = DeviceKey(bytes) else { preconditionFailure("32 bytes are a key") }
        return key
    }

    static func target(_ number: Int) -> [Float] { (0..<length).map { Float(($0 + 1) * (number % 13 + 1)) / 8 - 2 } }

    static func plan(
        _ aggregation: DevicePlan.Aggregation = .plain, strategy: Strategy = .fedAvg, length: Int = length,
        cycles: Int = 3, spare: Int = 3, workers: ClosedRange<Int> = 2...8, reports: ClosedRange<Int> = 2...4,
        overSelection: Double = 1.5, rest: Int = 0, grid: UpdateGrid? = nil
    ) throws -> DevicePlan {
        DevicePlan(
            name: "devices", strategy: strategy, aggregation: aggregation, parameterCount: length,
            grid: try grid ?? UpdateGrid(range: 16), work: Data(repeating: 1, count: 32), cycles: cycles,
            spareCycles: spare,
            leastWorkers: workers.lowerBound, mostWorkers: workers.upperBound, leastReports: reports.lowerBound,
            mostReports: reports.upperBound, overSelection: overSelection, cycleSeconds: 100, admissionSeconds: 50,
            restCycles: rest,
            leastRows: 10,
            requirements: DeviceRequirements(
                leastBattery: 0.8, needsUnmetered: true, needsIdle: true, leastUpload: 1e5),
            leastRetrySeconds: 5, mostRetrySeconds: 1_000)
    }

    static func coordinator(_ plan: DevicePlan) throws -> DeviceCoordinator {
        try DeviceCoordinator(
            plan: plan, run: run, secret: secret, weights: [Float](repeating: 0, count: plan.parameterCount))
    }

    /// The bytes of a coordinator, read again.
    static func stored<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
    }
}

extension DeviceCoordinator {
    /// A check-in that meets all requirements.
    mutating func admit(_ device: Int, at now: Double = 0) -> DeviceTicket? {
        let reply = answer(.checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(device), at: now)
        guard case .accepted(let ticket, _, _) = reply else { return nil }
        return ticket
    }

    /// Likewise, for a device that must find a place.
    mutating func admitted(_ device: Int, at now: Double = 0) throws -> DeviceTicket {
        guard let ticket = admit(device, at: now) else { throw NotAdmitted() }
        return ticket
    }

    struct NotAdmitted: Error {}

    mutating func report(
        _ integers: [Int64], _ ticket: DeviceTicket, from device: Int, at now: Double = 0
    ) -> DeviceReply {
        answer(.report(ticket: ticket, integers: Packed(integers)), from: DeviceRuns.key(device), at: now)
    }
}

extension DeviceReply {
    /// Why it refuses; nil: it does not.
    var refusal: DeviceRefusal? {
        guard case .rejected(_, let reason) = self else { return nil }
        return reason
    }

    /// After how many seconds to come again.
    var seconds: Double? {
        switch self {
        case .rejected(let seconds, _), .wait(let seconds): seconds
        default: nil
        }
    }
}
