import Crypto
import Foundation
import Synchronization
import Testing

@testable import Federation

/// Vectors that lie in a dictionary in place of files, and how much of one was ever held at once.
final class Shelf: Sendable {
    private let bytes = Mutex<[Int: Data]>([:])
    private let largest = Mutex(0)

    /// The longest piece that was read or written, in bytes.
    var largestPiece: Int { largest.withLock { $0 } }
    var count: Int { bytes.withLock { $0.count } }

    struct Missing: Error {}

    func place(largestInMemory: Int = 0) -> VectorPlace {
        VectorPlace(largestInMemory: largestInMemory) { [self] fill in
            var made = Data()
            try fill { piece in
                largest.withLock { $0 = max($0, piece.count) }
                made += piece
            }
            return keep(made)
        }
    }

    func keep(_ made: Data) -> StoredVector {
        let number = bytes.withLock { bytes in
            bytes[bytes.count] = made
            return bytes.count - 1
        }
        return vector(number, made)
    }

    private func vector(_ number: Int, _ made: Data) -> StoredVector {
        StoredVector(number: number, count: made.count, digest: Data(SHA256.hash(data: made))) { [self] start, target in
            largest.withLock { $0 = max($0, target.count) }
            guard let bytes = bytes.withLock({ $0[number] }) else { throw Missing() }
            bytes.dropFirst(start).prefix(target.count).withUnsafeBytes { target.copyMemory(from: $0) }
        }
    }

    var reading: VectorReading {
        VectorReading { [self] name in
            guard let made = bytes.withLock({ $0[name.number] }) else { throw Missing() }
            return .stored(vector(name.number, made))
        }
    }

    func forget() { bytes.withLock { $0 = [:] } }
}

@Suite("Vectors that lie elsewhere than in memory")
struct StoredVectorTests {
    /// Three chunks, the last of them not whole.
    private static let length = 2 * VectorPlace.chunk + 1_001
    private static let participants = 4

    private static func plan(_ strategy: Strategy = .fedAvg, rounds: Int = 2, least: Int = participants) throws
        -> FederatedPlan
    {
        FederatedPlan(
            name: "large", strategy: strategy, aggregation: .plain, rounds: rounds, spareRounds: 1, least: least,
            parameterCount: length, grid: try UpdateGrid(range: 16), work: Data(repeating: 1, count: 32),
            weights: strategy.isRobust ? nil : [3, 1, 2, 5], leastSeconds: 20)
    }

    private static func coordinator(_ plan: FederatedPlan) throws -> Coordinator {
        try Coordinator(
            plan: plan, roster: (0..<UInt8(participants)).map { Data(repeating: $0, count: 32) },
            run: Data(repeating: 1, count: 16), weights: (0..<length).map { Float($0 % 1_013) / 1_024 })
    }

    private static func update(_ place: Int, _ round: Int, of plan: FederatedPlan) -> [Int64] {
        (0..<plan.length).map { entry in
            let value = (entry &* 2_654_435_761 &+ place &* 977 &+ round &* 31) & 0x1fff_ffff
            return Int64(value - 0x1000_0000) * Int64(plan.weight(place))
        }
    }

    private static func begin(_ coordinator: inout Coordinator) {
        for place in 0..<participants { _ = coordinator.answer(.heartbeat(holds: 0), from: place, at: 0) }
    }

    @Test(
        "Wherever vectors lie a run comes to the same weights, to the bit, as if its integers were added up in one place",
        arguments: [
            Strategy.fedAvg, .fedSGD(rate: 0.3), .fedProx(mu: 1), .fedAvgM(rate: 0.5, momentum: 0.9),
            .fedAdam(AdaptiveStep(rate: 0.1)), .scaffold(rate: 1), .coordinateMedian,
        ])
    func same(_ strategy: Strategy) throws {
        let plan = try Self.plan(strategy)
        let shelf = Shelf()
        // In memory, elsewhere, and some of either kind.
        var runs = try (0..<3).map { _ in try Self.coordinator(plan) }
        for index in 1..<3 { try runs[index].keep(in: shelf.place()) }
        for round in 0..<plan.rounds {
            for index in runs.indices { Self.begin(&runs[index]) }
            // Others come first in each.
            for (index, order) in [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]].enumerated() {
                for place in order {
                    let integers = Packed(Self.update(place, round, of: plan))
                    let lies =
                        index == 0 || index == 2 && place % 2 == 0
                        ? integers : try #require(Packed<Int64>(stored: shelf.keep(integers.bytes)))
                    _ = runs[index].answer(.update(attempt: round, integers: lies), from: place, at: 1)
                }
            }
            #expect(runs.allSatisfy { $0.model.round == round + 1 && $0.events.isEmpty })
            #expect(Set(runs.map(\.model.digest)).count == 1 && Set(runs.map(\.last)).count == 1)
        }
        #expect(runs[0].model.packed.stored == nil && runs[1].model.packed.stored != nil)
        #expect(runs[0].model.weights == runs[1].model.weights && runs[0].model.server == runs[2].model.server)
        guard strategy == .fedAvg else { return }
        // By hand, entry by entry.
        for entry in [0, VectorPlace.chunk - 1, VectorPlace.chunk, Self.length - 1] {
            var weight = Float(entry % 1_013) / 1_024
            for round in 0..<plan.rounds {
                let sum = (0..<4).reduce(Int64(0)) { $0 + Self.update($1, round, of: plan)[entry] }
                weight = Float(Double(weight) + Double(Float(Double(sum) * (0x1p-26 / 11))))
            }
            #expect(runs[0].model.weights[entry] == weight)
        }
    }

    @Test(
        "A round holds two chunks of a vector at a time, however many participants there are", arguments: [false, true])
    func held(isRate: Bool) throws {
        let plan = try Self.plan(isRate ? .fedSGD(rate: 2) : .fedAvg, rounds: 1)
        let shelf = Shelf()
        var coordinator = try Self.coordinator(plan)
        try coordinator.keep(in: shelf.place())
        Self.begin(&coordinator)
        for place in 0..<Self.participants {
            let integers = try #require(
                Packed<Int64>(stored: shelf.keep(Packed(Self.update(place, 0, of: plan)).bytes)))
            _ = coordinator.answer(.update(attempt: 0, integers: integers), from: place, at: 1)
        }
        #expect(coordinator.phase == .finished)
        // Eight bytes a number of a chunk, and no vector as a whole.
        #expect(shelf.largestPiece == 8 * VectorPlace.chunk)
        // The first weights, the updates, the sum, the weights behind it.
        #expect(shelf.count == 1 + Self.participants + 2)
    }

    @Test(
        "An update with a wrong entry in whatever chunk, or of another length, adds nothing of itself",
        arguments: [0, VectorPlace.chunk + 5, 2 * VectorPlace.chunk + 1_000, -1])
    func wrong(_ entry: Int) throws {
        let plan = try Self.plan(rounds: 1, least: 3)
        let shelf = Shelf()
        var (found, expected) = (try Self.coordinator(plan), try Self.coordinator(plan))
        try found.keep(in: shelf.place())
        Self.begin(&found)
        Self.begin(&expected)
        for place in 0..<Self.participants {
            for isFound in [false, true] {
                var integers = Self.update(place, 0, of: plan)
                if place == 1, entry < 0 { integers.removeLast() }
                if place == 1, entry >= 0 { integers[entry] = (1 << 30) * Int64(plan.weight(1)) + 1 }
                let message = ParticipantMessage.update(
                    attempt: 0,
                    integers: isFound
                        ? try #require(Packed(stored: shelf.keep(Packed(integers).bytes))) : Packed(integers))
                if isFound {
                    _ = found.answer(message, from: place, at: 1)
                } else {
                    // One that never came.
                    _ = expected.answer(
                        place == 1 ? .leaves(attempt: 0, reason: "away") : message, from: place, at: 1)
                }
            }
        }
        #expect(found.phase == .finished && found.model == expected.model && found.last == expected.last)
        #expect(found.last?.participants == [0, 2, 3])
        let event = try #require(found.events.first)
        #expect(event.participant == 1 && event.words.contains("\(Self.length) integers from -"))
    }

    @Test("A coordinator that is stored in the middle of a round names what lies elsewhere, and goes on from there")
    func stored() throws {
        let plan = try Self.plan()
        let shelf = Shelf()
        var (coordinator, undisturbed) = (try Self.coordinator(plan), try Self.coordinator(plan))
        try coordinator.keep(in: shelf.place())
        for round in 0..<plan.rounds {
            Self.begin(&coordinator)
            Self.begin(&undisturbed)
            for place in 0..<Self.participants {
                let integers = Packed(Self.update(place, round, of: plan))
                _ = undisturbed.answer(.update(attempt: round, integers: integers), from: place, at: 1)
                let lies = try #require(Packed<Int64>(stored: shelf.keep(integers.bytes)))
                _ = coordinator.answer(.update(attempt: round, integers: lies), from: place, at: 1)
                let writing = VectorWriting()
                let json = try writing.encode(coordinator)
                #expect(json.count < 10_000 && !writing.named.isEmpty)
                coordinator = try shelf.reading.decode(Coordinator.self, from: json)
                try coordinator.keep(in: shelf.place())
            }
        }
        #expect(coordinator.model == undisturbed.model && coordinator.phase == .finished)
        // Without a place for them they are in the JSON, as ever.
        let whole = try JSONDecoder().decode(Coordinator.self, from: JSONEncoder().encode(coordinator))
        #expect(whole.model == undisturbed.model && whole.model.packed.stored == nil)
        let named = try VectorWriting().encode(coordinator)
        shelf.forget()
        #expect(throws: Shelf.Missing.self) { try shelf.reading.decode(Coordinator.self, from: named) }
        #expect(throws: (any Error).self) { try JSONDecoder().decode(Coordinator.self, from: named) }
    }

    @Test("Weights that a step would make infinite leave the model as it is, and the entry is named, in whatever chunk")
    func infinite() throws {
        let plan = try Self.plan(.fedSGD(rate: 1e12), rounds: 1)
        let entry = VectorPlace.chunk + 7
        var weights = [Float](repeating: 0, count: Self.length)
        weights[entry] = -.greatestFiniteMagnitude
        var model = RunModel(
            round: 0, weights: weights, server: try ServerState(plan.strategy, parameters: Self.length))
        let before = model.digest
        var sum = [Int64](repeating: 0, count: Self.length)
        sum[entry] = 1 << 40
        let header = RoundHeader(
            run: Data(), plan: plan.digest, round: 0, attempt: 0, model: before, asked: [0, 1, 2, 3])
        let opened = OpenedRound(header: header, participants: [0, 1, 2, 3], result: .sum(integers: Packed(sum)))
        sum[entry] = .max
        let large = OpenedRound(header: header, participants: [0, 1, 2, 3], result: .sum(integers: Packed(sum)))
        var other = plan
        other.grid = try UpdateGrid(range: 0x1p60, bits: 1)
        for place in [VectorPlace.memory, Shelf().place()] {
            #expect(throws: StrategyError.nonFinite("new weights", position: entry)) {
                try model.take(large, other, participants: 4, in: place)
            }
            #expect(model.digest == before)
        }
        try model.take(opened, plan, participants: 4)
        #expect(model.round == 1)
    }

    @Test("Vectors are the same wherever they lie; those on the way to others are computed in chunks, to the bit")
    func equal() throws {
        let shelf = Shelf()
        let values = (0..<Self.length).map { Float($0) / 7 }
        let (memory, other) = (Packed(values), Packed(values.map { 1 - $0 }))
        let stored = try memory.lying(in: shelf.place())
        #expect(stored.stored != nil && stored == memory && memory == stored && stored.hashValue == memory.hashValue)
        #expect(
            stored != other && stored.values == values && stored.bytes == memory.bytes && stored.count == Self.length)
        #expect(try memory.lying(in: shelf.place(largestInMemory: 4 * Self.length)).stored == nil)
        let (one, two) = (
            try memory.moved(towards: other, by: 0.3, in: .memory),
            try stored.moved(towards: other, by: 0.3, in: shelf.place())
        )
        #expect(two.stored != nil && one == two)
        #expect(one.values == values.map { $0 + 0.3 * ((1 - $0) - $0) })
        #expect(Packed<Int64>(stored: shelf.keep(Data(count: 12))) == nil)
        #expect(try Packed<Float>([]).lying(in: shelf.place()).count == 0)
    }

    // MARK: frames

    @Test(
        "A large vector stands behind its frame's text, which is signed with its digest; whatever is changed, the frame is not taken"
    )
    func frames() throws {
        let keys = Runs.identities(2)
        let roster = keys.map(\.publicKey.rawRepresentation)
        let integers = Packed([Int64](0..<Int64(SignedMessage.largestInText / 8 + 1)))
        let message = ParticipantMessage.update(attempt: 3, integers: Packed(integers.values))
        let signed = try SignedMessage(message, run: Data(repeating: 7, count: 16), sender: 1, number: 5, key: keys[1])
        let frame = signed.bytes
        let first = try #require(SignedMessage.lengthBeforeVectors(frame.prefix(SignedMessage.headLength)))
        #expect(frame.count == first + integers.bytes.count && first < 500)
        let read = try SignedMessage(reading: frame)
        #expect(try read == signed && read.bytes == frame && read.verified(roster: roster) == message)
        func isTaken(_ frame: Data) -> Bool { (try? SignedMessage(reading: frame).verified(roster: roster)) != nil }
        #expect(isTaken(frame) && isTaken((Data([0]) + frame).dropFirst()))
        let places: [Int] = [Int](0..<(first + 20)) + [first + 500_000, frame.count - 1]
        for place in places {
            var other = frame
            other[place] ^= 1 << (place % 8)
            #expect(!isTaken(other), "byte \(place)")
        }
        let lengths: [Int] = [Int](0..<(first + 3)) + [frame.count - 1]
        for length in lengths { #expect(!isTaken(frame.prefix(length))) }
        #expect(!isTaken(frame + Data([0])))
        // Names that reach beyond what is there, or where it does not fit.
        let name = try #require(String(data: read.message, encoding: .utf8))
        #expect(name.contains("\"number\":0"))
        for number in ["1", "-1", "9223372036854775807"] {
            let text = Data(name.replacingOccurrences(of: "\"number\":0", with: "\"number\":\(number)").utf8)
            #expect(throws: (any Error).self) {
                try VectorsBehind(frame.dropFirst(first)).decode(ParticipantMessage.self, from: text)
            }
        }
        // Read before its vectors are there.
        let early = try SignedMessage(reading: frame.prefix(first))
        let announced = try early.verified(roster: roster, reading: VectorReading { .memory(Data(count: $0.bytes)) })
        #expect(announced == .update(attempt: 3, integers: Packed([Int64](repeating: 0, count: integers.count))))

        let coordinator = Curve25519.Signing.PrivateKey()
        let key = coordinator.publicKey.rawRepresentation
        let model = RunModel(
            round: 1, weights: (0...SignedMessage.largestInText / 4).map { Float($0) },
            server: try ServerState(.fedAvg, parameters: 1))
        let reply = try SignedReply(.model(model: model), to: signed, key: coordinator)
        let bytes = reply.bytes
        #expect(bytes.count == reply.count && reply.vectors.count == 1 && reply.head.count < 1_000)
        #expect(try SignedReply.verified(bytes, to: signed, coordinator: key) == .model(model: model))
        let inReply: [Int] = [Int](0..<(reply.head.count + 20)) + [bytes.count - 1]
        for place in inReply {
            var other = bytes
            other[place] ^= 1 << (place % 8)
            #expect(throws: FrameError.self) { try SignedReply.verified(other, to: signed, coordinator: key) }
        }
        let ofReply: [Int] = [Int](0..<(reply.head.count + 3)) + [bytes.count - 1]
        for length in ofReply {
            #expect(throws: FrameError.self) {
                try SignedReply.verified(bytes.prefix(length), to: signed, coordinator: key)
            }
        }
    }
}
