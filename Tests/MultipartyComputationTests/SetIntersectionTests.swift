import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct SetIntersectionTests {
    @Test("Recipients learn what plain sets have in common, for random lists with repetitions, in every mode")
    func againstPlainSets() throws {
        var random = SeededGenerator(seed: 7)
        for output in IntersectionSession.Output.allCases {
            for recipients in IntersectionSession.Recipients.allCases {
                for isPadded in [false, true] {
                    for _ in 0..<4 {
                        let universe = 1 + random.below(40)
                        func list() -> [Data] {
                            (0..<random.below(30)).map { _ in Data("patient \(random.below(universe))".utf8) }
                        }
                        var pair = try IntersectionPair(
                            list(), list(), output: output, recipients: recipients, capacity: 30, isPadded: isPadded)
                        let results = try pair.play()
                        for role in IntersectionSession.Role.allCases {
                            #expect(results[role] == (recipients.contains(role) ? pair.expected(role) : nil))
                        }
                    }
                }
            }
        }
    }

    @Test("Lists of several batches, on two threads, and of any bytes, among them slices")
    func manyAndAnyBytes() throws {
        let batch = ScalarMultiplication.batchLength
        var first = identifiers(0..<2 * batch + 1)
        let long = Data(repeating: 7, count: 1024)
        first[3] = long
        first[4] = Data([0])
        let text = Data("xxperson-5yy".utf8)
        first[5] = text.dropFirst(2).dropLast(2)
        var pair = try IntersectionPair(
            first, identifiers(batch..<batch + 7) + [Data([0]), Data([0, 0]), Data("person-5".utf8), long], threads: 2)
        let results = try pair.play(threads: 2)
        #expect(results[.first] == .identifiers([3, 4, 5] + Array(batch..<batch + 7)))
        #expect(results == [.first: pair.expected(.first), .second: pair.expected(.second)])
    }

    @Test("Two threads give what one gives")
    func threads() throws {
        let session = try IntersectionPair.session(capacities: (3000, 10), output: .size)
        func begin(_ threads: Int) throws -> IntersectionParty {
            var (random, allowance) = (SeededGenerator(seed: 8), try IntersectionPair.allowance(for: .first))
            return try IntersectionParty(
                (session, .first), identifiers: identifiers(0..<3000), allowance: &allowance, threads: threads,
                using: &random)
        }
        #expect(try begin(1).blinded == begin(2).blinded)
    }

    @Test("Empty lists have nothing in common, and a padded one cannot be told from a full one")
    func emptyAndPadded() throws {
        var pair = try IntersectionPair([], [])
        #expect(try pair.play() == [.first: .identifiers([]), .second: .identifiers([])])
        var padded = try IntersectionPair([], identifiers(0..<20), capacity: 20, isPadded: true)
        #expect(padded[.first].blinded.points.count == 640 && padded[.second].blinded.points.count == 640)
        #expect(try padded.play() == [.first: .identifiers([]), .second: .identifiers([])])
    }

    @Test("Who is no recipient gets no answer, and asks for none; to who is, nothing goes before the other's list")
    func recipients() throws {
        var pair = try IntersectionPair(identifiers(0..<5), identifiers(3..<9), recipients: .first)
        #expect(try pair[.first].evaluate(pair[.second].blinded) == nil)
        let answer = try #require(try pair[.second].evaluate(pair[.first].blinded))
        #expect(throws: IntersectionError.order("conclude", expected: "a party that the session names as a recipient"))
        {
            try pair[.second].conclude(answer.with(sender: .first))
        }
        var early = try IntersectionPair(identifiers(0..<5), identifiers(3..<9))
        let first = try #require(try early[.second].evaluate(early[.first].blinded))
        #expect(throws: IntersectionError.order("conclude", expected: "the other party's list, by evaluate, before it"))
        {
            try early[.first].conclude(first)
        }
        _ = try early[.first].evaluate(early[.second].blinded)
        #expect(try early[.first].conclude(first) == .identifiers([3, 4]))
    }

    @Test("A scalar multiplies one list of the other, and is gone then; the same messages give the same again")
    func oneList() throws {
        var pair = try IntersectionPair(identifiers(0..<5), identifiers(3..<9), output: .size)
        let scalar = try #require(pair[.first].state.scalar)
        let reply = try pair[.first].evaluate(pair[.second].blinded)
        #expect(pair[.first].state.scalar == nil)
        let stored = String(decoding: try JSONEncoder().encode(pair[.first]), as: UTF8.self)
        #expect(!stored.replacingOccurrences(of: #"\/"#, with: "/").contains(scalar.bytes.base64EncodedString()))
        try pair.store()
        #expect(try pair[.first].evaluate(pair[.second].blinded) == reply)
        let other = try IntersectionPair(
            identifiers(0..<5), identifiers(0..<6), output: .size, identifier: pair.session.identifier)
        #expect(other.session == pair.session)
        for list in [other[.second].blinded, pair[.second].blinded.with(points: Data())] {
            #expect(throws: IntersectionError.anotherMessage(.blinded)) { try pair[.first].evaluate(list) }
        }
        let answer = try #require(try pair[.second].evaluate(pair[.first].blinded))
        #expect(try pair[.first].conclude(answer) == .size(2))
        try pair.store()
        #expect(try pair[.first].conclude(answer) == .size(2))
        var turned = answer.points.points
        turned.swapAt(0, 1)
        #expect(throws: IntersectionError.anotherMessage(.evaluated)) {
            try pair[.first].conclude(answer.with(points: turned.reduce(Data(), +)))
        }
    }

    @Test(
        "Scalars are fresh: one list in one session, begun twice, has no point in common with itself; nor in two sessions"
    )
    func freshScalars() throws {
        let list = identifiers(0..<50)
        let identifier = Data(SecureRandom.bytes(16))
        let sessions = [identifier, identifier, Data(SecureRandom.bytes(16))]
        var seen = Set<Data>()
        var scalars = Set<Data>()
        for identifier in sessions {
            let pair = try IntersectionPair(list, list, identifier: identifier)
            for role in IntersectionSession.Role.allCases {
                seen.formUnion(pair[role].blinded.points.points)
                scalars.insert(try #require(pair[role].state.scalar).bytes)
            }
        }
        #expect(seen.count == 300 && scalars.count == 6)
    }

    @Test("Each field of a session changes its hashes, so that parties told different ones have nothing in common")
    func sessionsApart() throws {
        let identifier = Data(repeating: 1, count: 16)
        func session(
            _ identifier: Data = identifier, names: (String, String) = ("a", "b"), capacities: (Int, Int) = (10, 10),
            padded: (Bool, Bool) = (false, false), output: IntersectionSession.Output = .identifiers,
            recipients: IntersectionSession.Recipients = .both
        ) throws -> IntersectionSession {
            try IntersectionSession(
                identifier: identifier, first: .init(name: names.0, capacity: capacities.0, isPadded: padded.0),
                second: .init(name: names.1, capacity: capacities.1, isPadded: padded.1), output: output,
                recipients: recipients)
        }
        let sessions = try [
            session(), session(Data(repeating: 1, count: 17)), session(Data(repeating: 2, count: 16)),
            session(names: ("b", "a")), session(names: ("ab", "b")), session(names: ("a", "ab")),
            session(capacities: (11, 10)), session(capacities: (10, 11)), session(capacities: (1, 1010)),
            session(padded: (true, false)), session(padded: (false, true)), session(output: .size),
            session(recipients: .first), session(recipients: .second),
        ]
        let points = sessions.map { session in
            PointList([P256Coordinate(HashToCurve(tag: session.tag).points(of: [Data("person".utf8)])[0].x)]).bytes
        }
        #expect(Set(points).count == sessions.count && Set(sessions.map(\.digest)).count == sessions.count)
        #expect(sessions.allSatisfy { $0.tag.count <= 255 })
        for session in sessions { #expect(try IntersectionPair.sent(session) == session) }
    }

    @Test("A padding point is no identifier's: a list may hold what padding hashes, and the two differ")
    func paddingApart() throws {
        let hash = HashToCurve(tag: Array("some tag of a test".utf8))
        let message = Data(repeating: 3, count: 32)
        let points = [0, 1].map { PointList([P256Coordinate(hash.points(of: [message], prefix: [$0])[0].x)]).bytes }
        #expect(points[0] != points[1])
    }

    @Test("Nothing that is printed shows an identifier, a scalar, a point or a result")
    func redacted() throws {
        var pair = try IntersectionPair(identifiers(0..<3, "topsecret"), identifiers(1..<4, "topsecret"))
        let scalar = try #require(pair[.first].state.scalar)
        let reply = try #require(try pair[.second].evaluate(pair[.first].blinded))
        var text = "\(pair[.first]) \(scalar) \(scalar.digits.count) \(pair[.first].blinded) \(reply)"
        dump(pair[.first], to: &text)
        dump(pair[.first].blinded, to: &text)
        dump(reply, to: &text)
        dump(scalar, to: &text)
        _ = try pair[.first].evaluate(pair[.second].blinded)
        let result = try pair[.first].conclude(reply)
        #expect(result == .identifiers([1, 2]))
        text += "\(result)"
        dump(result, to: &text)
        for secret in ["topsecret", "[1, 2]", "- 1", "0x", "bytes", scalar.bytes.base64EncodedString()] {
            #expect(!text.contains(secret), "\(secret) in \(text)")
        }
    }

    @Test("Lists that are too long, and identifiers that are empty or too long, are refused by their places")
    func wrongLists() throws {
        let session = try IntersectionPair.session(capacities: (3, 3))
        let start = try IntersectionPair.allowance(for: .first)
        func refused(_ identifiers: [Data]) -> IntersectionError? {
            var allowance = start
            do throws(IntersectionError) {
                _ = try IntersectionParty(
                    session: session, role: .first, identifiers: identifiers, allowance: &allowance)
                return nil
            } catch {
                #expect(allowance == start)
                #expect(!"\(error)".contains("topsecret"))
                return error
            }
        }
        #expect(refused(identifiers(0..<4, "topsecret")) == .tooManyIdentifiers(count: 4, capacity: 3))
        #expect(refused(identifiers(0..<3) + identifiers(0..<3)) == nil)
        #expect(refused(identifiers(0..<1) + [Data()]) == .identifierLength(place: 1))
        #expect(refused([Data(repeating: 1, count: 1025)]) == .identifierLength(place: 0))
    }

    @Test("Sessions out of their bounds are refused, when made and when read")
    func wrongSessions() throws {
        func session(_ identifier: Int = 16, _ names: (String, String) = ("a", "b"), _ capacity: Int = 1) throws
            -> IntersectionSession
        {
            try IntersectionSession(
                identifier: Data(count: identifier), first: .init(name: names.0, capacity: capacity),
                second: .init(name: names.1, capacity: 1), output: .size, recipients: .both)
        }
        #expect(throws: Never.self) { try session() }
        for wrong in [15, 65] {
            #expect(throws: IntersectionError.parameter("session identifier", expected: "16 to 64 bytes")) {
                try session(wrong)
            }
        }
        for names in [("", "b"), (String(repeating: "é", count: 129), "b"), ("a", "a")] {
            #expect(throws: IntersectionError.self) { try session(16, names) }
        }
        for capacity in [0, -1, Int.min, (1 << 22) + 1, Int.max] {
            #expect(throws: IntersectionError.parameter("capacity", expected: "1 to 4194304 identifiers")) {
                try session(16, ("a", "b"), capacity)
            }
        }
        let text = String(decoding: try JSONEncoder().encode(session()), as: UTF8.self)
        let changed = text.replacingOccurrences(of: #""capacity":1"#, with: #""capacity":0"#)
        #expect(changed != text)
        #expect(throws: IntersectionError.self) {
            try JSONDecoder().decode(IntersectionSession.self, from: Data(changed.utf8))
        }
    }
}
