import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

/// Whether the order of what is sent tells anything of the order of what came in.
///
/// Each comparison is a chi-square test over all 24 orders of four entries, with a false-alarm rate of 1e-6.
@Suite struct SetIntersectionOrderTests {
    private static let rounds = 1200

    /// Above this a chi-square variable of 23 degrees of freedom is with probability 1e-6 at most (Wilson and Hilferty 1931, with 4.9 standard
    /// deviations for 4.75).
    private static let limit: Double = {
        let part = 2 / (9 * 23.0)
        return 23 * pow(1 - part + 4.9 * part.squareRoot(), 3)
    }()

    private static func isUniform(_ orders: [[Int]]) -> Bool {
        var counts: [[Int]: Double] = [:]
        for order in orders { counts[order, default: 0] += 1 }
        let expected = Double(orders.count) / 24
        let missing = Double(24 - counts.count) * expected
        return counts.values.reduce(missing) { $0 + ($1 - expected) * ($1 - expected) / expected } < limit
    }

    private func begin(
        _ list: [Data], _ output: IntersectionSession.Output, _ role: IntersectionSession.Role,
        using random: inout SeededGenerator
    ) throws -> IntersectionParty {
        var allowance = try IntersectionPair.allowance(for: role)
        let session = try IntersectionPair.session(identifier: Data(count: 16), output: output)
        return try IntersectionParty(
            (session, role), identifiers: list, allowance: &allowance, threads: 1, using: &random)
    }

    @Test("A list is sent in random order: all 24 orders of four identifiers alike")
    func sentOrder() throws {
        var random = SeededGenerator(seed: 11)
        let list = identifiers(0..<4)
        let hash = HashToCurve(tag: try IntersectionPair.session(identifier: Data(count: 16)).tag)
        let points = hash.points(of: list, prefix: [0])
        var orders: [[Int]] = []
        for _ in 0..<Self.rounds {
            let party = try begin(list, .identifiers, .first, using: &random)
            // By the points themselves, which the scalar tells, and not by what the state says of them.
            let scalar = try #require(party.state.scalar)
            let inOrder = PointList(ScalarMultiplication(scalar).coordinates(points)).bytes.points
            let sent = party.blinded.points.points
            orders.append(try sent.map { try #require(inOrder.firstIndex(of: $0)) })
        }
        #expect(Self.isUniform(orders))
        // Lists that were sent as they are, or sorted by the identifiers, would be found.
        #expect(!Self.isUniform(orders.map { $0.sorted() }))
    }

    @Test("For a size alone, points come back in random order; for identifiers, in the order in which they were sent")
    func returnedOrder() throws {
        var random = SeededGenerator(seed: 12)
        var orders: [IntersectionSession.Output: [[Int]]] = [:]
        for output in IntersectionSession.Output.allCases {
            let sent = try begin(identifiers(0..<4), output, .first, using: &random).blinded
            let received = try PointList(sent.points, .blinded, count: 4...4)
            for _ in 0..<Self.rounds {
                var party = try begin([], output, .second, using: &random)
                let scalar = try #require(party.state.scalar)
                let inOrder = try received.multiplied(by: scalar, .blinded, threads: 1).bytes.points
                let reply = try #require(try party.evaluate(sent, threads: 1, using: &random))
                orders[output, default: []].append(
                    try reply.points.points.map { try #require(inOrder.firstIndex(of: $0)) })
            }
        }
        #expect(Self.isUniform(try #require(orders[.size])))
        #expect(try #require(orders[.identifiers]).allSatisfy { $0 == [0, 1, 2, 3] })
        #expect(!Self.isUniform(try #require(orders[.identifiers])))
    }

    @Test("A state for a size alone does not hold which point is whose")
    func noPlaces() throws {
        let pair = try IntersectionPair(identifiers(0..<4), identifiers(0..<4), output: .size)
        #expect(pair[.first].state.places.isEmpty)
    }
}
