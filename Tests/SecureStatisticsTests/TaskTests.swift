import SecureComputation
import Testing

@testable import SecureStatistics

@Suite("Tasks")
struct TaskTests {
    @Test("Tasks that differ have other digests")
    func digests() throws {
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
        var digests: [[UInt8]] = []
        for (table, isPrivate) in [(byRows, true), (byRows, false), (byColumns, false)] {
            for epochs in [1, 2] {
                digests.append(
                    try LogisticTask(
                        table: table, epochs: epochs, rate: 2, ridge: 0.01, privacy: isPrivate ? privacy : nil,
                        setting: .threeParties, recipients: [.third, .first]
                    ).digest)
            }
            for ridge in [0.5, 1] {
                digests.append(
                    try LinearTask(
                        table: table, ridge: ridge, privacy: isPrivate ? privacy : nil, setting: .dealer,
                        recipients: [.second]
                    ).digest)
            }
        }
        for measure in [JoinedMeasure.moments, .groups(of: .first, count: 8), .groups(of: .third, count: 8)] {
            digests.append(
                try JoinedStatisticsTask(
                    people[0], people[1], identifierBound: 99, measure: measure, privacy: privacy, recipients: [.second]
                ).digest)
        }
        #expect(Set(digests).count == digests.count && digests.count == 15)
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
