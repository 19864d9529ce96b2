import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct AggregationSessionTests {
    private func session(
        _ count: Int, threshold: Int, colluders: Int = 0, length: Int = 10, bits: Int = 8,
        graph: AggregationGraph = .complete,
        mayShow: Bool = false, identifier: Data = Data(0..<16), subject: Data = Data(0..<32), roster: [Data]? = nil
    ) throws(AggregationError) -> AggregationSession {
        let keys = (0..<count).map { Data([UInt8($0 >> 8), UInt8($0 & 255)]) + Data(count: 30) }
        return try AggregationSession(
            identifier: identifier, subject: subject, roster: roster ?? keys, length: length, modulusBits: bits,
            threshold: threshold, colluders: colluders, graph: graph, sumMayShowTheOther: mayShow)
    }

    @Test("Twice the threshold is more than participants and colluders, or the session is refused")
    func thresholds() throws {
        for count in 3...12 {
            for colluders in 0..<count {
                for threshold in 1...count {
                    let isSafe = 2 * threshold > count + colluders
                    let made = try? session(count, threshold: threshold, colluders: colluders, mayShow: true)
                    #expect((made != nil) == isSafe)
                }
            }
        }
        #expect(throws: AggregationError.threshold(5, participants: 10, colluders: 0)) { try session(10, threshold: 5) }
        #expect(AggregationError.threshold(5, participants: 10, colluders: 0).description.contains("more than 5"))
    }

    @Test(
        "Two sites alone are refused, and thresholds at which one value is left in the sum, unless the caller says so")
    func lonelySums() throws {
        #expect(throws: AggregationError.sumShowsTheOther(threshold: 2, colluders: 0)) { try session(2, threshold: 2) }
        #expect(throws: AggregationError.sumShowsTheOther(threshold: 2, colluders: 0)) { try session(3, threshold: 2) }
        #expect(throws: AggregationError.sumShowsTheOther(threshold: 3, colluders: 2)) {
            try session(3, threshold: 3, colluders: 2)
        }
        #expect(try session(2, threshold: 2, mayShow: true).participants == 2)
        #expect(try session(3, threshold: 3, colluders: 1).threshold == 3)
        #expect(
            try session(2, threshold: 2, mayShow: true).digest
                != session(2, threshold: 2, mayShow: true, subject: Data(1..<33)).digest)
    }

    @Test("Sizes out of their bounds are refused by name")
    func bounds() {
        func refuses(_ name: String, _ make: () throws(AggregationError) -> AggregationSession) {
            do throws(AggregationError) {
                _ = try make()
                Issue.record("\(name) was taken")
            } catch {
                guard case .parameter(let found, _) = error else { return #expect(Bool(false), "\(error)") }
                #expect(found == name)
            }
        }
        refuses("roster") { () throws(AggregationError) in try session(1, threshold: 1) }
        refuses("roster") { () throws(AggregationError) in
            try session(3, threshold: 3, roster: [Data(count: 32), Data(count: 32), Data(repeating: 1, count: 32)])
        }
        refuses("roster") { () throws(AggregationError) in
            try session(3, threshold: 3, roster: [Data(count: 32), Data(count: 31), Data()])
        }
        refuses("session identifier") { () throws(AggregationError) in
            try session(3, threshold: 3, identifier: Data(count: 15))
        }
        refuses("session identifier") { () throws(AggregationError) in
            try session(3, threshold: 3, identifier: Data(count: 65))
        }
        refuses("subject") { () throws(AggregationError) in try session(3, threshold: 3, subject: Data(count: 31)) }
        for length in [0, -1, Int.min, Int.max, (1 << 32) + 1] {
            refuses("length") { () throws(AggregationError) in try session(3, threshold: 3, length: length) }
        }
        refuses("length") { () throws(AggregationError) in try session(600, threshold: 600, length: 1 << 32) }
        for bits in [0, 65, Int.min, Int.max] {
            refuses("modulus bits") { () throws(AggregationError) in try session(3, threshold: 3, bits: bits) }
        }
        for threshold in [0, -1, Int.min, Int.max, 4] {
            refuses("threshold") { () throws(AggregationError) in try session(3, threshold: threshold) }
        }
        for colluders in [3, -1, Int.min, Int.max] {
            refuses("colluders") { () throws(AggregationError) in try session(3, threshold: 3, colluders: colluders) }
        }
        for degree in [0, 3, 9, -2, Int.max, Int.min] {
            refuses("degree") { () throws(AggregationError) in
                try session(10, threshold: 8, graph: .sparse(degree: degree, threshold: 1))
            }
        }
        refuses("threshold") { () throws(AggregationError) in
            try session(10, threshold: 8, graph: .sparse(degree: 4, threshold: 5))
        }
    }

    @Test("Every field, and every cut between two, is in the digest")
    func digests() throws {
        let keys = (1...9).map { Data(repeating: UInt8($0), count: 32) }
        var digests = [
            try session(5, threshold: 5).digest, try session(6, threshold: 5).digest,
            try session(5, threshold: 4).digest,
            try session(5, threshold: 5, colluders: 1).digest, try session(5, threshold: 5, length: 11).digest,
            try session(5, threshold: 5, bits: 9).digest, try session(5, threshold: 5, mayShow: true).digest,
            try session(5, threshold: 5, identifier: Data(0..<17)).digest,
            try session(5, threshold: 5, subject: Data(1..<33)).digest,
            try session(3, threshold: 3, roster: Array(keys[0..<3])).digest,
            try session(3, threshold: 3, roster: [keys[1], keys[0], keys[2]]).digest,
        ]
        // The subject's bytes moved to the identifier's end.
        digests.append(
            try session(
                3, threshold: 3, identifier: Data(count: 48), subject: Data(count: 32), roster: Array(keys[0..<3])
            ).digest)
        digests.append(
            try session(
                4, threshold: 4, identifier: Data(count: 16), subject: Data(count: 32),
                roster: [Data(count: 32)] + keys[0..<3]
            ).digest)
        #expect(Set(digests).count == digests.count)
    }

    @Test("A session is read back as it was, and junk is refused, not trapped on")
    func codable() throws {
        let design = try SparseGraph.least(participants: 100, colluders: 1, dropouts: 5)
        let all = [
            try session(5, threshold: 4, colluders: 1),
            try session(
                100, threshold: 95, colluders: 1, graph: .sparse(degree: design.degree, threshold: design.threshold)),
        ]
        for session in all {
            let data = try JSONEncoder().encode(session)
            #expect(try JSONDecoder().decode(AggregationSession.self, from: data) == session)
            for cut in stride(from: 0, to: data.count, by: 37) {
                #expect(throws: (any Error).self) {
                    try JSONDecoder().decode(AggregationSession.self, from: data.prefix(cut))
                }
            }
        }
        let text = String(decoding: try JSONEncoder().encode(all[0]), as: UTF8.self)
        for (old, new) in [
            (#""threshold":4"#, #""threshold":1"#), (#""threshold":4"#, #""threshold":-9223372036854775808"#),
            (#""threshold":4"#, #""threshold":1e400"#), (#""threshold":4"#, #""threshold":"NaN""#),
            (#""length":10"#, #""length":9223372036854775807"#), (#""modulusBits":8"#, #""modulusBits":0"#),
            (#""colluders":1"#, #""colluders":9223372036854775807"#),
        ] {
            let changed = text.replacingOccurrences(of: old, with: new)
            try #require(changed != text)
            #expect(throws: (any Error).self) {
                try JSONDecoder().decode(AggregationSession.self, from: Data(changed.utf8))
            }
        }
    }
}

@Suite struct SparseGraphTests {
    /// Exact, by counting with big enough floating-point products: P(at least `least` of `drawn` are marked).
    private func tail(_ others: Int, _ marked: Int, _ drawn: Int, atLeast least: Int) -> Double {
        func choose(_ n: Int, _ k: Int) -> Double {
            guard k >= 0 && k <= n else { return 0 }
            return (0..<k).reduce(1.0) { $0 * Double(n - $1) / Double($1 + 1) }
        }
        return (least...max(drawn, least)).reduce(0) { $0 + choose(marked, $1) * choose(others - marked, drawn - $1) }
            / choose(others, drawn)
    }

    @Test("The bound is the union of exact hypergeometric tails")
    func bound() throws {
        // Each of the three terms is the largest in one of these.
        for (n, c, d, degree, threshold) in [
            (60, 3, 10, 20, 8), (60, 20, 3, 20, 9), (60, 3, 20, 20, 12), (30, 2, 6, 8, 4),
        ] {
            let expected =
                Double(n - c) * tail(n - 1, c, degree, atLeast: threshold)
                + Double(n) * tail(n - 1, d, degree, atLeast: degree - threshold + 1)
                + Double(n) * (0..<degree / 2).reduce(1.0) { $0 * max(0, Double(c + d - $1)) / Double(n - $1) }
            let found = try SparseGraph(
                participants: n, colluders: c, dropouts: d, degree: degree, threshold: threshold)
            #expect(abs(found.log2Failure - min(0, log2(expected))) < 1e-5)
        }
    }

    @Test("The least graph keeps to 2^-40, two neighbours fewer do not, and a session takes the one alone")
    func least() throws {
        for (n, c, d) in [(500, 25, 150), (1000, 50, 300), (10_000, 1000, 1000), (65_535, 3000, 20_000)] {
            let design = try SparseGraph.least(participants: n, colluders: c, dropouts: d)
            #expect(design.log2Failure <= -40)
            for threshold in 1...design.degree - 2 {
                let fewer = try SparseGraph(
                    participants: n, colluders: c, dropouts: d, degree: design.degree - 2, threshold: threshold)
                #expect(fewer.log2Failure > -40)
            }
        }
        let design = try SparseGraph.least(participants: 500, colluders: 25, dropouts: 150)
        let roster = (0..<500).map { Data([UInt8($0 >> 8), UInt8($0 & 255)]) + Data(count: 30) }
        func session(_ degree: Int) throws -> AggregationSession {
            try AggregationSession(
                identifier: Data(count: 16), subject: Data(count: 32), roster: roster, length: 1, modulusBits: 8,
                threshold: 350,
                colluders: 25, graph: .sparse(degree: degree, threshold: design.threshold))
        }
        #expect(try session(design.degree).shareThreshold == design.threshold)
        let error = #expect(throws: AggregationError.self) { try session(design.degree - 6) }
        guard case .sparseGraphFails(let power)? = error else { return #expect(Bool(false)) }
        #expect(power > -40)
        #expect(throws: AggregationError.self) { try SparseGraph.least(participants: 20, colluders: 5, dropouts: 5) }
    }

    @Test("Neighbours are mutual, as many as the degree, and another advertisement gives another order")
    func neighbourhoods() throws {
        let design = try SparseGraph.least(participants: 100, colluders: 1, dropouts: 5)
        let population = try Population(
            100, threshold: 95, colluders: 1, graph: .sparse(degree: design.degree, threshold: design.threshold))
        let all = population.participants.map(\.advertisement)
        let near = Neighbourhoods(population.session, all)
        for participant in 0..<100 {
            let neighbours = near.neighbours(of: participant)
            #expect(
                neighbours.count == design.degree && Set(neighbours).count == design.degree
                    && !neighbours.contains(participant))
            #expect(neighbours.allSatisfy { near.neighbours(of: $0).contains(participant) })
        }
        let again = Neighbourhoods(population.session, all.reversed())
        #expect(again.neighbours(of: 17) == near.neighbours(of: 17))
        let other = try AggregationParticipant(
            session: population.session, index: 3, identity: population.identities[3])
        let changed = Neighbourhoods(population.session, all.map { $0.sender == 3 ? other.advertisement : $0 })
        #expect(changed.neighbours(of: 17) != near.neighbours(of: 17))
        let fewer = Neighbourhoods(population.session, Array(all.dropLast()))
        #expect(fewer.neighbours(of: 17) != near.neighbours(of: 17))
        #expect((0..<99).allSatisfy { !fewer.neighbours(of: $0).contains(99) })
    }
}
