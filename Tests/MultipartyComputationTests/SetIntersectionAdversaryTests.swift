import Crypto
import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct SetIntersectionAdversaryTests {
    /// The bytes of an integer that is no x-coordinate of the curve's, and of one that is but is not below p.
    private static let offCurve: Data = {
        for last in UInt8(1)... {
            let bytes = Data(count: 31) + [last]
            if (try? P256.KeyAgreement.PublicKey(compressedRepresentation: [2] + bytes)) == nil { return bytes }
        }
        preconditionFailure("Half of all integers are none.")
    }()
    private static let notCanonical = bytes("ffffffff00000001000000000000000000000001000000000000000000000004")
    private static let prime = bytes("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")

    private func point() -> Data { P256.KeyAgreement.PrivateKey().publicKey.rawRepresentation.prefix(32) }

    @Test("Wrong lists are refused with what is wrong and where, and change nothing")
    func wrongLists() throws {
        var pair = try IntersectionPair(identifiers(0..<6), identifiers(3..<9), capacity: 6)
        let right = pair[.second].blinded
        let points = right.points.points
        func changed(_ change: (inout [Data]) -> Void) -> BlindedList {
            var changedPoints = points
            change(&changedPoints)
            return right.with(points: changedPoints.reduce(Data(), +))
        }
        let own = pair[.first].blinded.points.points
        let cases: [(BlindedList, IntersectionError)] = [
            (right.with(session: Data(count: 32)), .anotherSession(.blinded)),
            (right.with(session: Data()), .anotherSession(.blinded)),
            (pair[.first].blinded, .notFromTheOther(.blinded)),
            (right.with(sender: .first), .notFromTheOther(.blinded)),
            (right.with(points: right.points.dropLast()), .truncated(.blinded, bytes: 191)),
            // The identity, as SEC 1 writes it: x-coordinates have none.
            (right.with(points: Data([0])), .truncated(.blinded, bytes: 1)),
            (changed { $0[2] = Data([0]) }, .truncated(.blinded, bytes: 161)),
            (changed { $0.append(point()) }, .wrongCount(.blinded, count: 7, expected: 0...6)),
            (
                right.with(points: Data(count: 32 << 15)), .wrongCount(.blinded, count: 1 << 15, expected: 0...6)
            ),
            (changed { $0[5] = $0[1] }, .repeatedPoint(.blinded, place: 5)),
            (changed { $0[3] = Self.offCurve }, .notOnCurve(.blinded, place: 3)),
            (changed { $0[0] = Self.notCanonical }, .notOnCurve(.blinded, place: 0)),
            (changed { $0[4] = Self.prime }, .notOnCurve(.blinded, place: 4)),
            (changed { $0[5] = Data(repeating: 255, count: 32) }, .notOnCurve(.blinded, place: 5)),
            (changed { $0[2] = own[4] }, .reflectedPoint(place: 2)),
            (right.with(points: pair[.first].blinded.points), .reflectedPoint(place: 0)),
        ]
        for (list, error) in cases { #expect(throws: error) { try pair[.first].evaluate(list) } }
        #expect(pair[.first].state.scalar != nil && pair[.first].state.evaluated == nil)
        let results = try pair.play()
        #expect(results == [.first: pair.expected(.first), .second: pair.expected(.second)])
    }

    @Test("Wrong answers are refused with what is wrong and where, and change nothing")
    func wrongAnswers() throws {
        var pair = try IntersectionPair(identifiers(0..<6), identifiers(3..<9), output: .size)
        _ = try pair[.first].evaluate(pair[.second].blinded)
        let right = try #require(try pair[.second].evaluate(pair[.first].blinded))
        let points = right.points.points
        func changed(_ change: (inout [Data]) -> Void) -> EvaluatedList {
            var changedPoints = points
            change(&changedPoints)
            return right.with(points: changedPoints.reduce(Data(), +))
        }
        let cases: [(EvaluatedList, IntersectionError)] = [
            (right.with(session: Data(count: 32)), .anotherSession(.evaluated)),
            (right.with(sender: .first), .notFromTheOther(.evaluated)),
            (right.with(list: Data(count: 32)), .anotherList),
            (right.with(list: pair[.second].blinded.digest), .anotherList),
            (right.with(points: right.points.dropFirst()), .truncated(.evaluated, bytes: 191)),
            (changed { $0.removeLast() }, .wrongCount(.evaluated, count: 5, expected: 6...6)),
            (changed { $0.append(point()) }, .wrongCount(.evaluated, count: 7, expected: 6...6)),
            (right.with(points: Data()), .wrongCount(.evaluated, count: 0, expected: 6...6)),
            (changed { $0[5] = $0[0] }, .repeatedPoint(.evaluated, place: 5)),
            (changed { $0[1] = Self.offCurve }, .notOnCurve(.evaluated, place: 1)),
            (changed { $0[2] = Self.notCanonical }, .notOnCurve(.evaluated, place: 2)),
        ]
        for (answer, error) in cases { #expect(throws: error) { try pair[.first].conclude(answer) } }
        #expect(pair[.first].state.concluded == nil)
        #expect(try pair[.first].conclude(right) == .size(3))
    }

    @Test("A padding party sends its capacity, neither more nor fewer")
    func paddedCount() throws {
        var pair = try IntersectionPair(identifiers(0..<2), identifiers(1..<4), capacity: 5, isPadded: true)
        let right = pair[.second].blinded
        for points in [right.points.prefix(128), right.points + point()] {
            #expect(throws: IntersectionError.wrongCount(.blinded, count: points.count / 32, expected: 5...5)) {
                try pair[.first].evaluate(right.with(points: points))
            }
        }
        #expect(try pair.play() == [.first: .identifiers([1]), .second: .identifiers([0])])
    }

    @Test("The place of a wrong point is right in every batch")
    func wrongPlaces() throws {
        let count = 2 * ScalarMultiplication.batchLength + 3
        var pair = try IntersectionPair(identifiers(0..<1), identifiers(0..<count))
        let right = pair[.second].blinded
        for place in [0, 1023, 1024, 1025, 2047, 2048, count - 1] {
            var points = right.points
            points.replaceSubrange(32 * place..<32 * place + 32, with: Self.offCurve)
            #expect(throws: IntersectionError.notOnCurve(.blinded, place: place)) {
                try pair[.first].evaluate(right.with(points: points), threads: 2)
            }
        }
    }

    @Test("Messages of an earlier session, and of an earlier run of the same session, are refused")
    func replays() throws {
        let identifier = Data(SecureRandom.bytes(16))
        var old = try IntersectionPair(identifiers(0..<6), identifiers(3..<9))
        var pair = try IntersectionPair(identifiers(0..<6), identifiers(3..<9), identifier: identifier)
        let oldAnswer = try #require(try old[.second].evaluate(old[.first].blinded))
        #expect(throws: IntersectionError.anotherSession(.blinded)) { try pair[.first].evaluate(old[.second].blinded) }
        _ = try pair[.first].evaluate(pair[.second].blinded)
        #expect(throws: IntersectionError.anotherSession(.evaluated)) { try pair[.first].conclude(oldAnswer) }
        var rerun = try IntersectionPair(identifiers(0..<6), identifiers(3..<9), identifier: identifier)
        #expect(rerun.session == pair.session)
        let answer = try #require(try rerun[.second].evaluate(rerun[.first].blinded))
        #expect(throws: IntersectionError.anotherList) { try pair[.first].conclude(answer) }
    }

    @Test("An allowance ends with its sessions or its guesses, refuses a session twice and another party, and says so")
    func allowance() throws {
        let list = identifiers(0..<2)
        func begin(_ session: IntersectionSession, _ allowance: inout IntersectionAllowance) throws {
            let before = allowance
            do {
                _ = try IntersectionParty(session: session, role: .first, identifiers: list, allowance: &allowance)
                // Through its encoding, as it is stored.
                allowance = try IntersectionPair.sent(allowance)
                #expect(allowance.sessionsBegun == before.sessionsBegun + 1)
            } catch {
                #expect(allowance == before)
                throw error
            }
        }
        var sessions = try IntersectionPair.allowance(for: .first, sessions: 2)
        let first = try IntersectionPair.session()
        try begin(first, &sessions)
        #expect(throws: IntersectionError.sessionRepeated(peer: "registry")) { try begin(first, &sessions) }
        // The same identifier in a session that differs elsewhere is a repetition too.
        let again = try IntersectionPair.session(identifier: first.identifier, capacities: (9, 9))
        #expect(throws: IntersectionError.sessionRepeated(peer: "registry")) { try begin(again, &sessions) }
        try begin(IntersectionPair.session(), &sessions)
        #expect(throws: IntersectionError.sessionsUsedUp(peer: "registry", limit: 2)) {
            try begin(IntersectionPair.session(), &sessions)
        }
        var guesses = try IntersectionPair.allowance(for: .first, guesses: 25)
        try begin(IntersectionPair.session(), &guesses)
        // Who is no recipient has no guess.
        try begin(IntersectionPair.session(capacities: (10, 1000), recipients: .first), &guesses)
        try begin(IntersectionPair.session(recipients: .second), &guesses)
        #expect(guesses.guessesGranted == 20 && guesses.sessionsBegun == 3)
        #expect(throws: IntersectionError.guessesUsedUp(peer: "registry", asked: 10, left: 5)) {
            try begin(IntersectionPair.session(), &guesses)
        }
        try begin(IntersectionPair.session(capacities: (10, 5)), &guesses)
        var other = try IntersectionAllowance(peer: "somebody", sessions: 1, guesses: 100)
        #expect(throws: IntersectionError.parameter("allowance", expected: "one for registry")) {
            try begin(IntersectionPair.session(), &other)
        }
        for (sessions, guesses) in [(-1, 1), (1, -1), (Int.max, 1), (1, Int.max)] {
            #expect(throws: IntersectionError.self) {
                try IntersectionAllowance(peer: "registry", sessions: sessions, guesses: guesses)
            }
        }
    }

    @Test("Allowances that claim less use than they hold, or more than was allowed, are not read")
    func changedAllowances() throws {
        var allowance = try IntersectionPair.allowance(for: .first, sessions: 2, guesses: 20)
        for _ in 0..<2 {
            try allowance.grant(IntersectionPair.session(), to: .second)
        }
        let text = String(decoding: try JSONEncoder().encode(allowance), as: UTF8.self)
        for (old, new) in [
            (#""sessions":2"#, #""sessions":1"#), (#""guesses":20"#, #""guesses":19"#),
            (#""guessesGranted":20"#, #""guessesGranted":-1"#), (#""guessesGranted":20"#, #""guessesGranted":21"#),
        ] {
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text)
            #expect(throws: IntersectionError.self) {
                try JSONDecoder().decode(IntersectionAllowance.self, from: Data(changed.utf8))
            }
        }
    }

    @Test("A party that lies changes the result, as is said, and learns no more than its capacity of guesses")
    func lies() throws {
        var pair = try IntersectionPair(identifiers(0..<6), identifiers(3..<9))
        // The second party waits for its own answer and sends its points back as those of the first.
        let forSecond = try #require(try pair[.first].evaluate(pair[.second].blinded))
        let right = try #require(try pair[.second].evaluate(pair[.first].blinded))
        #expect(try pair[.first].conclude(right.with(points: forSecond.points)) == .identifiers(Array(0..<6)))
        // Points that nobody has hide what is in common.
        var hidden = try IntersectionPair(identifiers(0..<6), identifiers(3..<9))
        _ = try hidden[.first].evaluate(hidden[.second].blinded)
        let answer = try #require(try hidden[.second].evaluate(hidden[.first].blinded))
        let random = (0..<6).map { _ in point() }.reduce(Data(), +)
        #expect(try hidden[.first].conclude(answer.with(points: random)) == .identifiers([]))
    }

    @Test("Junk in stored states and in messages gives errors and does not trap")
    func junk() throws {
        var pair = try IntersectionPair(identifiers(0..<4), identifiers(2..<7))
        var stages = [pair[.first]]
        _ = try pair[.first].evaluate(pair[.second].blinded)
        stages.append(pair[.first])
        let answer = try #require(try pair[.second].evaluate(pair[.first].blinded))
        var (read, refused) = (0, 0)
        for (place, stage) in stages.enumerated() {
            for data in mutations(try JSONEncoder().encode(stage), seed: UInt64(place)) {
                guard var party = try? JSONDecoder().decode(IntersectionParty.self, from: data) else {
                    refused += 1
                    continue
                }
                read += 1
                _ = try? party.evaluate(pair[.second].blinded)
                _ = try? party.conclude(answer)
            }
        }
        for data in mutations(try JSONEncoder().encode(pair[.second].blinded), seed: 9) {
            guard let list = try? JSONDecoder().decode(BlindedList.self, from: data) else { continue }
            var party = stages[0]
            _ = try? party.evaluate(list)
        }
        for data in mutations(try JSONEncoder().encode(answer), seed: 10) {
            guard let junk = try? JSONDecoder().decode(EvaluatedList.self, from: data) else { continue }
            var party = stages[1]
            _ = try? party.conclude(junk)
        }
        #expect(read > 50 && refused > 50, "\(read) read, \(refused) refused")
    }

    private func mutations(_ data: Data, seed: UInt64) -> [Data] {
        var random = SeededGenerator(seed: 100 + seed)
        let junk = ["-1", "9223372036854775807", "4294967295", "1e400", "null", "[]", "{}", #""""#, #""AAAA""#, "[0]"]
        return (0..<1500).map { _ in
            var changed = data
            let place = random.below(changed.count)
            switch random.below(3) {
            case 0: changed[place] = UInt8(random.below(256))
            case 1: changed.removeSubrange(place..<min(place + 1 + random.below(8), changed.count))
            default:
                let text = String(decoding: changed, as: UTF8.self)
                let found = text.matches(of: random.below(2) == 0 ? /:-?\d+/ : /:"[^"]*"/)
                if !found.isEmpty {
                    let match = found[random.below(found.count)]
                    changed = Data(
                        text.replacingCharacters(in: match.range, with: ":" + junk[random.below(junk.count)]).utf8)
                }
            }
            return changed
        }
    }

    @Test("Each refusal says what is wrong in words of its own")
    func words() {
        let errors: [IntersectionError] = [
            .parameter("capacity", expected: "1"), .identifierLength(place: 3),
            .tooManyIdentifiers(count: 2, capacity: 1),
            .order("conclude", expected: "evaluate"), .sessionRepeated(peer: "b"), .sessionsUsedUp(peer: "b", limit: 1),
            .guessesUsedUp(peer: "b", asked: 2, left: 1), .anotherSession(.blinded), .notFromTheOther(.blinded),
            .anotherMessage(.blinded), .anotherList, .truncated(.blinded, bytes: 1),
            .wrongCount(.blinded, count: 1, expected: 2...2), .wrongCount(.blinded, count: 1, expected: 2...3),
            .notOnCurve(.blinded, place: 1), .repeatedPoint(.blinded, place: 1), .reflectedPoint(place: 1),
        ]
        let words = errors.map(\.description)
        #expect(Set(words).count == errors.count && words.allSatisfy { $0.count > 20 || $0.contains("expected") })
        #expect(!words.contains("an intersection was refused"))
    }

    @Test("States that no party could be in are not read")
    func changedStates() throws {
        let pair = try IntersectionPair(identifiers(0..<4), identifiers(2..<7))
        let text = String(decoding: try JSONEncoder().encode(pair[.first]), as: UTF8.self)
        for (old, new) in [
            (#""role":"first""#, #""role":"second""#), (#""places":["#, #""places":[0,"#),
            (#""name":"clinic""#, #""name":"clinik""#), (#""output":"identifiers""#, #""output":"size""#),
        ] {
            let changed = text.replacingOccurrences(of: old, with: new)
            #expect(changed != text)
            #expect(throws: IntersectionError.self) {
                try JSONDecoder().decode(IntersectionParty.self, from: Data(changed.utf8))
            }
        }
    }
}
