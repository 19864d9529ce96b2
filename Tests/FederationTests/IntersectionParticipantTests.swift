import Crypto
import Foundation
import Testing

@testable import Federation
@testable import MultipartyComputation

@Suite("Two sites intersect their lists by way of a relay that nobody trusts")
struct IntersectionParticipantTests {
    typealias Role = IntersectionSession.Role

    /// Two sites and who relays, without a network.
    struct Pair {
        let keys = [Curve25519.Signing.PrivateKey(), .init()]
        var run = Data(repeating: 7, count: 16)
        var output = IntersectionSession.Output.identifiers
        var recipients = IntersectionSession.Recipients.both
        var parts = [IntersectionPart(capacity: 8, isPadded: true), .init(capacity: 6, isPadded: true)]
        var mostGuesses = 10
        var agreements = [Data(repeating: 1, count: 32), Data(repeating: 1, count: 32)]
        var lists = [["ada", "bea", "eve", "ida"], ["bea", "zoe", "ida", "una", "eve"]]

        func terms(_ place: Int) throws -> IntersectionTerms {
            try IntersectionTerms(
                run: run, agreement: agreements[place], roster: keys.map(\.publicKey.rawRepresentation),
                role: try #require(Role(place: place)), output: output, recipients: recipients, part: parts[place],
                mostGuesses: mostGuesses)
        }

        func site(_ place: Int, _ state: IntersectionParticipant.State? = nil) throws -> IntersectionParticipant {
            try IntersectionParticipant(terms(place), identity: keys[place], state: state)
        }

        var relay: IntersectionRelay { IntersectionRelay(capacities: parts.map(\.capacity), recipients: recipients) }

        func identifiers(_ place: Int) -> [Data] { lists[place].map { Data($0.utf8) } }

        /// Plays until both have what they need.
        ///
        /// - Parameters:
        ///   - kills: Whether each site is stored and read again behind each message.
        ///   - seen: Told of each message.
        /// - Returns: What each learned.
        func play(
            kills: Bool = false, seen: (Int, IntersectionMessage) -> Void = { _, _ in }
        ) throws -> [IntersectionResult?] {
            var (relay, sites) = (relay, [try site(0), try site(1)])
            for turn in 0..<60 {
                let place = turn % 2
                guard !sites[place].isFinished else { continue }
                let message = try #require(sites[place].next())
                seen(place, message)
                let reply = try relay.answer(try IntersectionMessage(reading: message.bytes), from: place)
                _ = try sites[place].take(try IntersectionReply(reading: reply.bytes)) { identifiers(place) }
                if kills, sites[place].result == nil, !sites[place].isFinished {
                    let stored = try JSONEncoder().encode(sites[place].state)
                    sites[place] = try site(
                        place, try JSONDecoder().decode(IntersectionParticipant.State.self, from: stored))
                }
            }
            #expect(sites.allSatisfy(\.isFinished) && relay.isComplete)
            #expect(sites[0].agreed?.digest == sites[1].agreed?.digest && sites[0].agreed != nil)
            return sites.map(\.result)
        }
    }

    @Test(
        "Recipients learn what is agreed, and nobody else anything", arguments: IntersectionSession.Output.allCases,
        IntersectionSession.Recipients.allCases)
    func results(output: IntersectionSession.Output, recipients: IntersectionSession.Recipients) throws {
        for isPadded in [true, false] {
            var pair = Pair()
            (pair.output, pair.recipients) = (output, recipients)
            pair.parts = pair.parts.map { .init(capacity: $0.capacity, isPadded: isPadded) }
            let results = try pair.play(kills: isPadded)
            let expected: [IntersectionResult] =
                output == .size ? [.size(3), .size(3)] : [.identifiers([1, 2, 3]), .identifiers([0, 2, 4])]
            for role in Role.allCases {
                #expect(results[role.place] == (recipients.contains(role) ? expected[role.place] : nil))
            }
        }
    }

    @Test("Frames are as long as the declared capacities make them, whatever is in the lists, and sealed")
    func lengths() throws {
        var seen: [Set<[Int]>] = []
        for lists in [[["ada"], ["bea"]], [["a", "b", "c", "d", "e", "f", "g"], ["a", "b", "c", "d", "e"]]] {
            for isPadded in [true, false] {
                var pair = Pair(lists: lists)
                pair.parts = pair.parts.map { .init(capacity: $0.capacity, isPadded: isPadded) }
                var frames: Set<[Int]> = []
                _ = try pair.play { place, message in
                    guard let frame = message.frame else { return }
                    frames.insert([place, Int(frame.kind.rawValue), frame.bytes.count])
                }
                seen.append(frames)
            }
        }
        #expect(Set(seen).count == 1 && seen[0].count == 6, "\(seen)")
        // The same list, sealed twice, has nothing in common.
        let pair = Pair()
        var (relay, site) = (pair.relay, try pair.site(0))
        let hello = try #require(try pair.site(1).next())
        _ = try relay.answer(hello, from: 1)
        _ = try site.take(try relay.answer(try #require(site.next()), from: 0)) { pair.identifiers(0) }
        let twice = try [site, site].map { try #require($0.next()?.frame?.bytes) }
        #expect(twice[0] != twice[1] && twice[0].count == twice[1].count)
    }

    @Test(
        "Whatever byte of a frame the relay changes, and whatever frame it gives instead, the site takes none and waits"
    )
    func lyingRelay() throws {
        let pair = Pair()
        var relay = pair.relay
        var sites = [try pair.site(0), try pair.site(1)]
        func send(_ place: Int) throws { _ = try relay.answer(try #require(sites[place].next()), from: place) }
        func wanted(_ place: Int) throws -> IntersectionReply {
            try relay.answer(.init(frame: nil, wants: try #require(sites[place].next()?.wants)), from: place)
        }
        // Frames of another run of the same two, which a relay has seen.
        var others: [IntersectionFrame: Data] = [:]
        var elsewhere = pair
        elsewhere.run = Data(repeating: 8, count: 16)
        _ = try elsewhere.play { place, message in
            if place == 1, let frame = message.frame { others[frame.kind] = frame.bytes }
        }
        // And of the same run, begun anew.
        var again: [IntersectionFrame: Data] = [:]
        _ = try pair.play { place, message in
            if place == 1, let frame = message.frame { again[frame.kind] = frame.bytes }
        }
        for kind in IntersectionFrame.allCases {
            try send(0)
            try send(1)
            let true0 = try wanted(0)
            #expect(true0.kind == kind)
            var lies = [Data(), true0.frame.dropLast(), true0.frame + Data([0]), others[kind] ?? Data()]
            if kind != .hello { lies.append(again[kind] ?? Data()) }
            // One's own, sent back.
            lies.append(sites[0].next()?.frame?.bytes ?? Data())
            for place in stride(from: 0, to: true0.frame.count, by: kind == .hello ? 1 : 37) {
                var changed = true0.frame
                changed[place] ^= 1 << (place % 8)
                lies.append(changed)
            }
            for lie in lies {
                let before = try JSONEncoder().encode(sites[0].state)
                #expect(throws: IntersectionObstacle.notFromTheOther(kind)) {
                    try sites[0].take(.init(held: [], frame: (kind, Data(lie)))) { pair.identifiers(0) }
                }
                #expect(try JSONEncoder().encode(sites[0].state).count == before.count && sites[0].result == nil)
            }
            // A frame of another kind than is waited for is looked at by nobody.
            for other in IntersectionFrame.allCases where other != kind {
                #expect(
                    try sites[0].take(.init(held: [], frame: (other, true0.frame))) { pair.identifiers(0) } == nil)
            }
            for place in 0..<2 { _ = try sites[place].take(try wanted(place)) { pair.identifiers(place) } }
        }
        #expect(sites[0].result == .identifiers([1, 2, 3]) && sites[1].result == .identifiers([0, 2, 4]))
    }

    @Test("Sites that were told different things refuse each other's greeting")
    func disagreement() throws {
        var pair = Pair()
        pair.agreements[1] = Data(repeating: 2, count: 32)
        #expect(throws: IntersectionObstacle.notFromTheOther(.hello)) { try pair.play() }
        let (first, second) = (Pair(), Pair())
        #expect(throws: IntersectionObstacle.notFromTheOther(.hello)) {
            var site = try first.site(0)
            let hello = try #require(second.site(1).next()?.frame)
            _ = try site.take(.init(held: [], frame: hello)) { [] }
        }
    }

    @Test("A run that is asked twice is another session each time, under other scalars")
    func fresh() throws {
        let pair = Pair()
        var digests: Set<Data> = []
        var points: Set<Data> = []
        for _ in 0..<3 {
            var (relay, site) = (pair.relay, try pair.site(0))
            _ = try relay.answer(try #require(pair.site(1).next()), from: 1)
            _ = try site.take(try relay.answer(try #require(site.next()), from: 0)) { pair.identifiers(0) }
            digests.insert(try #require(site.agreed?.digest))
            points.insert(try #require(site.state.blinded))
        }
        #expect(digests.count == 3 && points.count == 3)
    }

    @Test("A site that is stored and read again sends the same points, and answers the same list alike")
    func durable() throws {
        let pair = Pair(output: .size)
        var relay = pair.relay
        var (site, other) = (try pair.site(0), try pair.site(1))
        func restored() throws -> IntersectionParticipant {
            try pair.site(
                0,
                JSONDecoder().decode(IntersectionParticipant.State.self, from: JSONEncoder().encode(site.state)))
        }
        for _ in 0..<2 {
            _ = try relay.answer(try #require(other.next()), from: 1)
            _ = try other.take(try relay.answer(try #require(other.next()), from: 1)) { pair.identifiers(1) }
            _ = try site.take(try relay.answer(try #require(site.next()), from: 0)) { pair.identifiers(0) }
            #expect(try restored().state.blinded == site.state.blinded)
            _ = try other.take(try relay.answer(try #require(other.next()), from: 1)) { pair.identifiers(1) }
        }
        let answer = try #require(site.state.answer)
        #expect(try restored().state.answer == answer)
        // Another list, though the other site sealed it itself, is not answered any more: nothing is left to multiply it by.
        var again = try restored()
        let second = try relay.answer(.init(frame: nil, wants: .blinded), from: 0)
        #expect(try again.take(second) { [] } == nil && again.state.answer == answer)
        // A state of other terms is not gone on with.
        var elsewhere = pair
        elsewhere.run = Data(repeating: 9, count: 16)
        #expect(throws: IntersectionObstacle.self) { try elsewhere.site(0, site.state) }
    }

    /// A site that means to learn, or to harm: it holds its key, and sends what it likes.
    struct Liar {
        let pair: Pair
        let key = Curve25519.KeyAgreement.PrivateKey()
        var part = IntersectionPart(capacity: 6, isPadded: true)
        var publicKey: Data { key.publicKey.rawRepresentation }

        func hello(key: Data? = nil) throws -> IntersectionMessage {
            let hello = IntersectionHello(key: key ?? publicKey, part: part)
            return IntersectionMessage(
                frame: (.hello, try #require(hello.signed(pair.terms(1), by: pair.keys[1]))), wants: .hello)
        }

        func seal(
            _ points: Data, _ kind: IntersectionFrame, for site: IntersectionParticipant, key other: Data,
            list: Data = Data()
        ) throws -> IntersectionReply {
            let session = try #require(site.agreed?.digest)
            let sealing = try #require(SealedPoints(key, with: other, session: session))
            let bytes = try #require(
                sealing.seal(points, list: list, kind, from: .second, capacity: max(8, points.count / 32)))
            return IntersectionReply(held: [.hello, .blinded], frame: (kind, bytes))
        }
    }

    @Test("What a lying site sends is refused in public words, and the scalar is not used")
    func lyingSite() throws {
        let pair = Pair()
        let liar = Liar(pair: pair)
        var site = try pair.site(0)
        let own = try #require(site.next()?.frame?.bytes.prefix(32))
        _ = try site.take(.init(held: [], frame: liar.hello().frame)) { pair.identifiers(0) }
        let blinded = try #require(site.state.blinded)
        let valid = Data(blinded.prefix(32 * 6))
        let off = Data(repeating: 0xff, count: 32)
        var random: [Data] = []
        // Points that are on the curve, and nobody's here.
        var other = Pair()
        other.parts[0] = .init(capacity: 20, isPadded: true)
        var elsewhere = try other.site(0)
        _ = try elsewhere.take(.init(held: [], frame: Liar(pair: other).hello().frame)) { [] }
        let points = try #require(elsewhere.state.blinded)
        for place in 0..<20 { random.append(points.subdata(in: 32 * place..<32 * place + 32)) }
        func first(_ count: Int) -> Data { points.prefix(32 * count) }
        let lists: [(Data, String)] = [
            (valid, "has a point of the own list"), (first(5) + off, "is not on the curve"),
            (first(5) + random[0], "has a point twice"),
            (first(7), "has another number of points"),
            (first(5), "has another number of points"), (Data(), "has another number of points"),
        ]
        for (list, words) in lists {
            let frame = try liar.seal(list, .blinded, for: site, key: own)
            do throws(IntersectionObstacle) {
                _ = try site.take(frame) { [] }
                Issue.record("taken: \(words)")
            } catch {
                // How many there are whoever asked is not to learn.
                #expect("\(error)".contains(words) && !"\(error)".contains(where: \.isNumber), "\(error)")
                if case .other = error {} else { Issue.record("\(error)") }
            }
            #expect(site.state.answer == nil)
        }
        _ = try site.take(liar.seal(first(6), .blinded, for: site, key: own)) { [] }
        let digest = Data(SHA256.hash(data: blinded))
        let answers: [(Data, Data, String)] = [
            (first(8), Data(count: 32), "another list"),
            (first(7), digest, "has another number of points"),
            (first(7) + off, digest, "is not on the curve"),
            (first(7) + random[0], digest, "has a point twice"),
        ]
        for (list, of, words) in answers {
            let frame = try liar.seal(list, .evaluated, for: site, key: own, list: of)
            do throws(IntersectionObstacle) {
                _ = try site.take(frame) { [] }
                Issue.record("taken: \(words)")
            } catch {
                #expect("\(error)".contains(words) && !"\(error)".contains(where: \.isNumber), "\(error)")
            }
            #expect(site.result == nil)
        }
    }

    @Test(
        "Who would guess more than is allowed, or greets with a key that hides nothing, is refused before a row is read"
    )
    func greetings() throws {
        let pair = Pair()
        var many = Liar(pair: pair)
        many.part = .init(capacity: 11, isPadded: true)
        for (hello, words) in [
            (try many.hello(), "would bring 11 identifiers, and this one's owner allows 10"),
            (try Liar(pair: pair).hello(key: Data(count: 32)), "one that gives a secret"),
        ] {
            var (site, reads) = (try pair.site(0), 0)
            do throws(IntersectionObstacle) {
                _ = try site.take(.init(held: [], frame: hello.frame)) {
                    reads += 1
                    return []
                }
                Issue.record("taken")
            } catch { #expect("\(error)".contains(words), "\(error)") }
            #expect(reads == 0 && site.agreed == nil)
        }
    }

    @Test("A relay takes frames of their lengths alone, of each kind the first, and none that nobody is to have")
    func relay() throws {
        var pair = Pair()
        pair.recipients = .first
        var relay = pair.relay
        func hand(_ kind: IntersectionFrame, _ count: Int, _ byte: UInt8 = 0, from place: Int) throws {
            _ = try relay.answer(.init(frame: (kind, Data(repeating: byte, count: count)), wants: nil), from: place)
        }
        for (kind, place, right) in [
            (IntersectionFrame.hello, 0, 101), (.blinded, 0, 32 + 32 * 8), (.blinded, 1, 32 + 32 * 6),
            (.evaluated, 1, 64 + 32 * 8),
        ] {
            for count in [0, right - 1, right + 1, 1 << 20] {
                #expect(throws: FrameError.message) { try hand(kind, count, from: place) }
            }
            try hand(kind, right, from: place)
            try hand(kind, right, 1, from: place)
            let reply = try relay.answer(.init(frame: nil, wants: kind), from: 1 - place)
            #expect(reply.kind == kind && reply.frame == Data(count: right))
        }
        // The second site learns nothing: there is no answer to its list.
        #expect(throws: FrameError.message) { try hand(.evaluated, 64 + 32 * 6, from: 0) }
        for place in [-1, 2] {
            #expect(throws: FrameError.sender) { try relay.answer(.init(frame: nil, wants: nil), from: place) }
        }
        for bytes in [[], [255], [3, 255], [255, 3], [255, 255, 0], [0, 255]] as [[UInt8]] {
            #expect(throws: FrameError.message) { try IntersectionMessage(reading: Data(bytes)) }
        }
        for bytes in [[], [8, 255], [0, 3], [0, 255, 1], [0, 1]] as [[UInt8]] {
            #expect(throws: FrameError.message) { try IntersectionReply(reading: Data(bytes)) }
        }
    }

    @Test("Nothing that is printed shows a list, a scalar or what both have")
    func prints() throws {
        let pair = Pair()
        var (relay, site) = (pair.relay, try pair.site(0))
        _ = try relay.answer(try #require(pair.site(1).next()), from: 1)
        _ = try site.take(try relay.answer(try #require(site.next()), from: 0)) { pair.identifiers(0) }
        #expect("\(site)" == "IntersectionParticipant(first)")
        #expect(Mirror(reflecting: site.state).children.isEmpty && Mirror(reflecting: site).children.isEmpty)
    }
}

extension IntersectionParticipant.State {
    /// The points of the own list, as they are sent.
    fileprivate var blinded: Data? { stored?.blinded.points }
    /// Those of the answer to the other's.
    fileprivate var answer: Data? { stored?.evaluated?.points }

    private struct Part: Decodable { let party: IntersectionParty? }

    private var stored: IntersectionParty? {
        (try? JSONEncoder().encode(self)).flatMap { try? JSONDecoder().decode(Part.self, from: $0).party }
    }
}
