import DatasiteProtocol
import DifferentialPrivacy
import Tables
import Testing

@testable import Query

/// Exact results by group and cell; what is zero is absent. A quantile's grid point is a cell.
struct Totals: Equatable {
    struct Place: Hashable {
        var keys: [Value]
        var cell: Int32
    }

    var units: [Place: Int64] = [:]
    /// One for each channel that is measured, in the order of slots.
    var channels: [[Place: Int64]] = []
    /// One for each pair of what bounding leaves out, its two counts as cells.
    var bounding: [[Place: Int64]] = []

    init(_ exact: borrowing ExactAggregates, _ plan: Plan) {
        let keys = exact.keys
        func add(_ target: inout [Place: Int64], _ group: Int, _ cell: Int32, _ value: Int64) {
            if value != 0 { target[Place(keys: keys[group], cell: cell)] = value }
        }
        for (group, count) in exact.units.enumerated() { add(&units, group, 0, count) }
        for channel in plan.output.channels {
            guard let slot = channel.slot else { continue }
            var values: [Place: Int64] = [:]
            switch channel.quantity {
            case .quantile:
                for (group, grid) in exact.grid(slot).enumerated() {
                    for (index, count) in zip(grid.indices, grid.counts) { add(&values, group, index, count) }
                }
            case .histogram:
                for (group, bins) in exact.histogram(slot).enumerated() {
                    for (bin, count) in bins.enumerated() { add(&values, group, Int32(bin), count) }
                }
            default:
                for (group, value) in exact.integers(slot).enumerated() { add(&values, group, 0, value) }
            }
            channels.append(values)
        }
        for channel in plan.output.bounding {
            let pair =
                switch channel.pair {
                case .units: exact.leftOut?.units
                case .rows: exact.leftOut?.rows
                case .dropped: exact.dropped
                }
            let counts = [pair?.cut ?? 0, pair?.kept ?? 0]
            let places = counts.indices.map { Place(keys: [], cell: Int32($0)) }
            bounding.append(Dictionary(uniqueKeysWithValues: zip(places, counts)).filter { $0.value != 0 })
        }
    }

    /// The sum of both: a table's totals are those of its units together.
    func adding(_ other: Totals) -> Totals {
        var sum = self
        func add(_ a: inout [Place: Int64], _ b: [Place: Int64]) {
            a.merge(b) { $0 + $1 }
            a = a.filter { $0.value != 0 }
        }
        add(&sum.units, other.units)
        for index in channels.indices { add(&sum.channels[index], other.channels[index]) }
        for index in bounding.indices { add(&sum.bounding[index], other.bounding[index]) }
        return sum
    }

    static func difference(_ a: [Place: Int64], _ b: [Place: Int64]) -> [Place: Int64] {
        a.merging(b.mapValues { 0 - $0 }) { $0 + $1 }.filter { $0.value != 0 }
    }
}

/// What a plan's events claim, held against what changes.
struct ChangeAudit {
    let plan: Plan

    init(_ plan: Plan) { self.plan = plan }

    /// The claims that two neighbours break, in words.
    func violations(_ all: Totals, _ without: Totals) -> [String] {
        var found: [String] = []
        let units = Totals.difference(all.units, without.units)
        if units.contains(where: { abs($0.value) > 1 }) { found.append("a unit counts twice in a group") }
        if case .thresholdSelection(let groups, _, _, _)? = plan.events.first, units.count > groups {
            found.append("a unit is in \(units.count) groups")
        }
        var slot = 0
        for channel in plan.output.channels where channel.slot != nil {
            let change = Totals.difference(all.channels[slot], without.channels[slot])
            slot += 1
            if !isWithin(channel.event, change) { found.append("\(channel.quantity)") }
        }
        for (index, channel) in plan.output.bounding.enumerated() {
            let change = Totals.difference(all.bounding[index], without.bounding[index])
            if !isWithin(channel.event, change) { found.append("\(channel.pair)") }
        }
        return found
    }

    private func isWithin(_ event: PrivacyEvent?, _ change: [Totals.Place: Int64]) -> Bool {
        let magnitudes = change.values.map { Double($0.magnitude) }
        switch event {
        case nil: return change.isEmpty
        case .discreteGaussian(let squared, _): return magnitudes.reduce(0) { $0 + $1 * $1 } <= squared * (1 + 1e-12)
        case .discreteLaplace(let sensitivity, _): return magnitudes.reduce(0, +) <= sensitivity * (1 + 1e-12)
        case .exponentialMechanism(_, let times):
            // One value of a unit in each group.
            return Set(change.keys.map(\.keys)).count == change.count && change.count <= times
                && magnitudes.allSatisfy { $0 <= 1 }
        default: return false
        }
    }

    /// The charge is the sum of the events and not above what was named; each channel draws the noise that its event
    /// says.
    func checkCharge(asked: Budget, _ regime: LossRegime) throws {
        var total = PrivacyLoss.zero(regime.kind)
        for event in plan.events { total = try total + event.loss(kind: regime.kind) }
        #expect(total == plan.charge)
        let limit: PrivacyLoss =
            switch asked {
            case .rho(let rho): try PrivacyLoss(roundingDownRho: rho, delta: regime.selectionDelta)
            case .epsilon(let epsilon) where regime.kind == .pure: try PrivacyLoss(roundingDownEpsilon: epsilon)
            case .epsilon(let epsilon):
                try PrivacyLoss(
                    roundingDownRho: Conversion.rho(epsilon: epsilon, delta: regime.conversionDelta),
                    delta: regime.selectionDelta)
            case .error: PrivacyLoss(kind: regime.kind, amount: .max, delta: .max)
            }
        #expect(plan.charge.fits(in: limit))
        let measured = plan.output.channels.filter { $0.slot != nil }
        for channel in plan.output.bounding {
            switch (channel.noise, channel.event) {
            case (.gaussian(let sigma), .discreteGaussian(_, let claimed)): #expect(sigma == claimed)
            case (.laplace(let scale), .discreteLaplace(_, let claimed)): #expect(scale == claimed)
            default: Issue.record("noise and event differ")
            }
        }
        for channel in measured {
            switch (channel.noise, channel.event) {
            case (.gaussian(let sigma), .discreteGaussian(_, let claimed)?): #expect(sigma == claimed)
            case (.laplace(let scale), .discreteLaplace(_, let claimed)?): #expect(scale == claimed)
            case (.none, .exponentialMechanism(let claimed, let times)?):
                let grid = channel.quantile
                #expect(grid?.epsilon == claimed)
                #expect(
                    grid?.bracketEvent
                        == .exponentialMechanism(epsilon: grid?.bracketEpsilon ?? .nan, times: 2 * times))
            case (.none, nil): break
            default: Issue.record("noise and event differ")
            }
        }
    }
}
