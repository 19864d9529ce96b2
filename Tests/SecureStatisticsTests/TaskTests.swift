import Secrets
import SecureComputation
import Testing

@testable import SecureStatistics

@Suite("Tasks as bytes")
struct TaskTests {
    private func tasks() throws -> [JointTask] {
        let columns = try ["a", "b", "c"].map { try ColumnBounds($0, -1, 2) }
        let label = try ColumnBounds("y", 0, 1)
        let byRows = try JointTable(features: columns, response: label, rowsOf: [.first: 5, .second: 7])
        let byColumns = try JointTable(
            features: columns, response: label, rows: 9, featuresOf: [.first: 3, .second: 0], responseOf: .second)
        let privacy = try JointPrivacy(rho: 0.25, delta: 1e-7)
        let people = [
            try PeopleTable(owner: .third, capacity: 4, columns: columns),
            try PeopleTable(owner: .first, capacity: 6, columns: [label]),
        ]
        return [
            .logistic(
                try LogisticTask(
                    table: byRows, epochs: 3, rate: 2, ridge: 0.01, privacy: privacy, setting: .threeParties,
                    recipients: [.third, .first])),
            .logistic(
                try LogisticTask(
                    table: byColumns, epochs: 1, rate: 0.5, setting: .dealer, recipients: [.second], curve: .coarse,
                    comparisons: .oneRound)),
            .linear(try LinearTask(table: byColumns, ridge: 0.5, setting: .dealer, recipients: [.first])),
            .linear(
                try LinearTask(table: byRows, ridge: 1, privacy: privacy, setting: .dealer, recipients: [.second])),
            .statistics(
                try JoinedStatisticsTask(
                    people[0], people[1], identifierBound: 99, measure: .moments, privacy: privacy,
                    recipients: [.second])),
            .statistics(
                try JoinedStatisticsTask(
                    people[0], people[1], identifierBound: 99, measure: .groups(of: .first, count: 8),
                    privacy: privacy, recipients: [.first, .second])),
        ]
    }

    @Test("A task's bytes give the task again, and tasks that differ have other bytes")
    func roundTrip() throws {
        let all = try tasks()
        for task in all { #expect(try JointTask(canonicalBytes: task.canonicalBytes) == task) }
        #expect(Set(all.map(\.digest)).count == all.count)
    }

    @Test("Bytes that were cut, lengthened or changed are another task or none, and none are read for long")
    func strangers() throws {
        var generator = SeededGenerator(seed: 41)
        var refused = 0
        for task in try tasks() {
            let bytes = task.canonicalBytes
            for length in 0..<bytes.count {
                #expect(throws: SecureStatisticsError.self) { try JointTask(canonicalBytes: Array(bytes[..<length])) }
            }
            #expect(throws: SecureStatisticsError.self) { try JointTask(canonicalBytes: bytes + [0]) }
            for _ in 0..<2000 {
                var changed = bytes
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                changed[place] ^= UInt8.random(in: 1...255, using: &generator)
                if let other = try? JointTask(canonicalBytes: changed) {
                    #expect(other != task && other.canonicalBytes == changed)
                } else {
                    refused += 1
                }
            }
        }
        #expect(refused > 6000)
    }

    @Test(
        "What cannot be is refused: owners that do not compute, columns twice, recipients twice, a label that is none")
    func refusals() throws {
        let columns = try ["a", "b"].map { try ColumnBounds($0, -1, 2) }
        let label = try ColumnBounds("y", 0, 1)
        let table = try JointTable(features: columns, response: label, rowsOf: [.first: 5, .third: 7])
        #expect(throws: SecureStatisticsError.self) {
            try LogisticTask(table: table, epochs: 1, rate: 1, setting: .dealer, recipients: [.first])
        }
        #expect(throws: SecureStatisticsError.self) {
            try LogisticTask(table: table, epochs: 1, rate: 1, setting: .threeParties, recipients: [.first, .first])
        }
        #expect(throws: SecureStatisticsError.self) {
            try JointTable(features: columns + columns, response: label, rowsOf: [.first: 5, .third: 7])
        }
        #expect(throws: SecureStatisticsError.self) { try ColumnBounds("x", 1, 1) }
        #expect(throws: SecureStatisticsError.self) { try ColumnBounds("x", -.infinity, 1) }
        #expect(throws: SecureStatisticsError.self) {
            try JointTable(features: columns, response: label, rowsOf: [.first: 5])
        }
        let other = try JointTable(
            features: columns, response: columns[0].renamed("z"), rowsOf: [.first: 5, .second: 7])
        #expect(throws: SecureStatisticsError.self) {
            try LogisticTask(table: other, epochs: 1, rate: 1, setting: .dealer, recipients: [.first])
        }
    }
}

extension ColumnBounds {
    fileprivate func renamed(_ name: String) throws -> ColumnBounds { try ColumnBounds(name, lower, upper) }
}
