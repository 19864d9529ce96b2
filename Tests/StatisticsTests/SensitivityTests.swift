import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// The change that a unit's rows make, over many tables: never above what the task says, and as large for the worst
/// unit.
@Suite("Sensitivities")
struct SensitivityTests {
    struct Largest {
        var l1: UInt128 = 0
        var l2Squared: UInt128 = 0

        mutating func see(_ without: [Int64], _ with: [Int64]) {
            let changes = zip(without, with).map { UInt128(($1 - $0).magnitude) }
            l1 = max(l1, changes.reduce(0, +))
            l2Squared = max(l2Squared, changes.reduce(0) { $0 + $1 * $1 })
        }
    }

    /// Times at edges, between and beyond them, and what is no time.
    static let times: [Double] = [-1, 0, 0.5, 1, 2.5, 3, 3.5, .nan, .infinity]

    @Test("One unit's survival rows change the vector by at most what is said, and by as much")
    func survival() throws {
        let task = try SurvivalTask(edges: [0, 1, 2.5, 3], groups: 2, rowsPerUnit: 2)
        let rows = Self.times.flatMap { time in
            (-1...2).flatMap { group in
                [true, false].map { SurvivalRow(group: group, time: time, isEvent: $0) }
            }
        }
        let others = task.counts(rows)
        var largest = Largest()
        for first in rows {
            for second in rows { largest.see(others, task.counts(rows + [first, second])) }
        }
        #expect(largest.l1 == task.l1Sensitivity && largest.l2Squared == task.l2SensitivitySquared)
        #expect(task.l1Sensitivity == 2 && task.l2SensitivitySquared == 4 && others.count == task.length)
    }

    @Test("One unit's rows change the hazards' table by at most what is said, and by as much")
    func hazards() throws {
        let age = try EqualBins(lower: 0, upper: 10, count: 2)
        let task = try HazardTask(covariates: [.levels(2), .number(age)], edges: [0, 1, 3], rowsPerUnit: 2)
        let rows = Self.times.flatMap { time in
            [[0, 0], [1, 10], [2, 5], [0.5, 5], [0, .nan], [1, -3], [1]].map {
                HazardRow(covariates: $0, time: time, isEvent: true)
            }
        }
        var largest = Largest()
        let others = task.counts(rows)
        for first in rows {
            for second in rows { largest.see(others, task.counts(rows + [first, second])) }
        }
        #expect(largest.l1 == task.table.l1Sensitivity && largest.l2Squared == task.table.l2SensitivitySquared)
        #expect(others.count == task.table.length)
    }

    @Test("One unit's values change the sums by at most what is said, and by as much")
    func means() throws {
        for (lower, upper, step) in [(-4.0, 4.0, 1.0), (0, 7, 0.5), (-1e6, 3, 0x1p-20)] {
            let task = try MeansTask(
                grid: ValueGrid(lower: lower, upper: upper, step: step), groups: 2, rowsPerUnit: 3)
            let values = [lower, lower - 5, (lower + upper) / 2, upper, upper * 2, 0.3, .nan, -.infinity]
            let rows = values.flatMap { value in (-1...2).map { GroupedValue(group: $0, value: value) } }
            var largest = Largest()
            let others = task.sums(rows)
            for first in rows {
                for second in rows {
                    largest.see(others, task.sums(rows + [first, second, GroupedValue(group: 1, value: lower)]))
                }
            }
            #expect(largest.l1 <= task.l1Sensitivity && largest.l2Squared <= task.l2SensitivitySquared)
            // A bound that is the grid's radius away has all of it.
            #expect(
                largest.l1 * 10 >= task.l1Sensitivity * 9 && largest.l2Squared * 10 >= task.l2SensitivitySquared * 8)
        }
    }

    @Test("One unit's cells change a table by at most what is said, and by as much")
    func tables() throws {
        let task = try TableTask(rows: 2, columns: 3, rowsPerUnit: 2)
        let cells = (-1...2).flatMap { row in (-1...3).map { TableCell(row: row, column: $0) } }
        var largest = Largest()
        for first in cells {
            for second in cells { largest.see(task.counts(cells), task.counts(cells + [first, second])) }
        }
        #expect(largest.l1 == task.l1Sensitivity && largest.l2Squared == task.l2SensitivitySquared)
    }

    @Test("What happened costs what was asked for, by the event itself")
    func losses() throws {
        let task = try MeansTask(grid: ValueGrid(lower: -1, upper: 1), groups: 3, rowsPerUnit: 2)
        for loss in [try PrivacyLoss(roundingUpEpsilon: 0.3), try PrivacyLoss(roundingUpRho: 0.01)] {
            for event in [
                try PrivateMeans(task, loss: loss).event,
                try PrivateSurvival(SurvivalTask(edges: [0, 1, 2], rowsPerUnit: 3), loss: loss).event,
                try PrivateTable(TableTask(rows: 3, columns: 3, rowsPerUnit: 5), loss: loss).event,
                try PrivateHazards(HazardTask(covariates: [.levels(2)], edges: [0, 1]), loss: loss).event,
            ] {
                #expect(try event.loss(kind: loss.kind).amount <= loss.amount)
                #expect(try event.loss(kind: loss.kind).amount >= loss.amount - 1000)
            }
        }
    }

    @Test("What is out of range is refused by its name")
    func refusals() throws {
        func refuses(_ name: String, _ make: () throws -> Any) {
            do {
                _ = try make()
                Issue.record("\(name) was taken")
            } catch let error as MechanismError {
                guard case .parameter(name, _) = error else {
                    Issue.record("\(error) names something else than \(name)")
                    return
                }
            } catch { Issue.record("\(error)") }
        }
        refuses("edges") { try SurvivalTask(edges: [0]) }
        refuses("edges") { try SurvivalTask(edges: [0, 1, 1]) }
        refuses("edges") { try SurvivalTask(edges: [0, .infinity]) }
        refuses("groups") { try SurvivalTask(edges: [0, 1], groups: 0) }
        refuses("groups") { try SurvivalTask(edges: (0...4096).map(Double.init), groups: 4096) }
        refuses("rows per unit") { try SurvivalTask(edges: [0, 1], rowsPerUnit: 0) }
        refuses("covariates") { try HazardTask(covariates: [], edges: [0, 1]) }
        refuses("covariates") { try HazardTask(covariates: [.levels(1)], edges: [0, 1]) }
        refuses("covariates") { try HazardTask(covariates: [.levels(40)], edges: [0, 1]) }
        refuses("covariates") {
            let bins = try EqualBins(lower: 0, upper: 1, count: 100)
            return try HazardTask(covariates: [.number(bins), .number(bins)], edges: [0, 1])
        }
        refuses("groups") { try MeansTask(grid: ValueGrid(lower: 0, upper: 1), groups: 5000) }
        refuses("cells") { try TableTask(rows: 1 << 12, columns: 1 << 12) }
        refuses("cells") { try TableTask(rows: .max, columns: 2) }
        refuses("loss") { try PrivateTable(TableTask(rows: 2, columns: 2), loss: PrivacyLoss.zero(.pure)) }
        refuses("variance") { try AddedNoise(law: .gaussian, variance: -1) }
        let noise = try noNoise()
        refuses("integers") { try SurvivalTask(edges: [0, 1]).estimate([1], noise: noise) }
        refuses("integers") { try TableTask(rows: 2, columns: 2).estimate([1], noise: noise) }
        let survival = try SurvivalTask(edges: [0, 1]).estimate([1, 2, 3], noise: noise)
        refuses("group") { try survival.curve(group: 1) }
        refuses("confidence") { try survival.curve(confidence: 1) }
        let means = try MeansTask(grid: ValueGrid(lower: 0, upper: 1), groups: 2)
            .estimate([0, 0, 0, 0, 0, 0], noise: noise)
        refuses("groups") { try means.difference(0, 0) as Any }
        refuses("confidence") { try means.difference(0, 1, confidence: 0) as Any }
    }
}
