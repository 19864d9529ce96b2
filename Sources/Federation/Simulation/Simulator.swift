public import Crypto
internal import Foundation
internal import Secrets

/// A whole run in one process, in simulated time: the coordinator and the participants are the ones that run over a network.
///
/// Seeded: latency, losses and crashes follow from the seed. Who is killed goes on from what it stored, encoded and decoded; what it had done since is lost,
/// whatever it had drawn.
public struct Simulator<Work: LocalWork> {
    /// As it stands.
    public private(set) var coordinator: Coordinator
    /// As they stand.
    public private(set) var participants: [Participant]
    /// Seconds since the beginning.
    public private(set) var now = 0.0
    /// Messages that reached the coordinator.
    public private(set) var messages = 0
    /// Messages and replies that were lost, and how often somebody was killed.
    public private(set) var (lost, killed) = (0, 0)
    /// Whose messages say something else than they should, and what; nil: nobody.
    public var tampering: ((ParticipantMessage, Int) -> ParticipantMessage)?
    /// What each participant's coordinator says instead of the reply, and to whom; nil: the reply.
    public var lying: ((CoordinatorReply, Int) -> CoordinatorReply)?
    /// What participants found wrong, by their places.
    public private(set) var errors: [(participant: Int, error: FederationError)] = []
    private var works: [Work]
    private let conditions: Conditions
    private var random: SeededGenerator
    private var queue = EventQueue()
    /// Who ended for good.
    public private(set) var gone: Set<Int> = []
    private let seconds: [Double]
    private var coordinatorIsBack = 0.0

    /// - Parameters:
    ///   - works: One a participant.
    ///   - identities: Likewise.
    /// - Throws: `plan`, `policy`.
    public init(
        plan: FederatedPlan, policy: FederationPolicy, identities: [Curve25519.Signing.PrivateKey], works: [Work],
        weights: [Float], conditions: Conditions = Conditions(), seed: UInt64
    ) throws(FederationError) {
        guard works.count == identities.count else {
            throw .plan("\(works.count) participants' work", expected: "\(identities.count), one an identity")
        }
        let roster = identities.map { $0.publicKey.rawRepresentation }
        var random = SeededGenerator(seed: seed)
        var run = Data()
        for _ in 0..<2 { withUnsafeBytes(of: random.next().littleEndian) { run.append(contentsOf: $0) } }
        coordinator = try Coordinator(plan: plan, roster: roster, run: run, weights: weights)
        participants = []
        for (index, identity) in identities.enumerated() {
            participants.append(
                try Participant(
                    plan: plan, policy: policy, roster: roster, index: index, run: run, identity: identity))
        }
        seconds = identities.indices.map { _ in
            let own = Self.uniform(conditions.work, &random)
            return Self.chance(conditions.stragglers, &random) ? own * conditions.stragglerFactor : own
        }
        (self.works, self.conditions, self.random) = (works, conditions, random)
        for participant in identities.indices {
            wake(participant, after: Self.uniform(conditions.latency, &self.random))
        }
    }

    private static func uniform(_ range: ClosedRange<Double>, _ random: inout SeededGenerator) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * Double(random.next() >> 11) * 0x1p-53
    }

    private static func chance(_ probability: Double, _ random: inout SeededGenerator) -> Bool {
        probability > 0 && Double(random.next() >> 11) * 0x1p-53 < probability
    }

    private mutating func wake(_ participant: Int, after seconds: Double) {
        queue.add(participant, at: now + seconds)
    }

    /// Goes on until the run is over and everybody who is left knows it, or until the simulated time is over.
    ///
    /// - Parameters:
    ///   - everybody: Whether to wait until everybody knows it.
    ///   - rounds: Or until so many rounds changed the model.
    ///   - turns: Or until so many messages were sent.
    /// - Returns: Whether it is over.
    @discardableResult
    public mutating func run(until end: Double = 1e9, everybody: Bool = true, rounds: Int = .max, turns: Int = .max)
        -> Bool
    {
        var left = turns
        while everybody || !coordinator.isOver, coordinator.model.round < rounds, left > 0,
            let (participant, time) = queue.first
        {
            guard time <= end else { return false }
            queue.removeFirst()
            now = max(now, time)
            left -= 1
            turn(participant)
        }
        return coordinator.isOver
    }

    /// Whether nobody acts any more.
    public var isSilent: Bool { queue.isEmpty }

    /// A participant's message, the reply, and what it does with it.
    private mutating func turn(_ place: Int) {
        guard !gone.contains(place), participants[place].state.end == nil else { return }
        if Self.chance(conditions.dropOut, &random) {
            gone.insert(place)
            return
        }
        let message = tampering?(participants[place].next(), place) ?? participants[place].next()
        let there = Self.uniform(conditions.latency, &random)
        let back = Self.uniform(conditions.latency, &random)
        guard !Self.chance(conditions.loss, &random), let reply = answer(message, from: place, at: now + there),
            !Self.chance(conditions.loss, &random)
        else {
            lost += 1
            return wake(place, after: conditions.patience)
        }
        let done = take(lying?(reply, place) ?? reply, place)
        wake(place, after: there + back + done)
    }

    private mutating func answer(
        _ message: ParticipantMessage, from place: Int, at time: Double
    ) -> CoordinatorReply? {
        guard time >= coordinatorIsBack else { return nil }
        messages += 1
        guard Self.chance(conditions.coordinatorCrash, &random) else {
            return coordinator.answer(message, from: place, at: time)
        }
        killed += 1
        var next = coordinator
        _ = next.answer(message, from: place, at: time)
        let stored = Self.chance(0.5, &random) ? next : coordinator
        coordinator = Self.decoded(stored)
        coordinatorIsBack = time + Self.uniform(conditions.away, &random)
        coordinator.resume(at: coordinatorIsBack)
        return nil
    }

    /// - Returns: How long it takes.
    private mutating func take(_ reply: CoordinatorReply, _ place: Int) -> Double {
        var next = participants[place]
        var seconds = 0.0
        do throws(FederationError) {
            seconds = try next.take(reply, work: &works[place])
        } catch {
            errors.append((place, error))
            seconds = 1
        }
        switch reply {
        case .begin where coordinator.plan.aggregation.way == .plain: seconds += self.seconds[place]
        case .shares: seconds += self.seconds[place]
        default: break
        }
        guard Self.chance(conditions.participantCrash, &random) else {
            participants[place] = next
            return seconds
        }
        killed += 1
        let stored = Self.chance(0.5, &random) ? next : participants[place]
        participants[place] = stored.resumed(from: Self.decoded(stored.state))
        return seconds + Self.uniform(conditions.away, &random)
    }

    /// What is stored, as it is read again.
    private static func decoded<Value: Codable>(_ value: Value) -> Value {
        guard let bytes = try? JSONEncoder().encode(value),
            let read = try? JSONDecoder().decode(Value.self, from: bytes)
        else {
            preconditionFailure("what is stored can be read")
        }
        return read
    }
}

/// Who acts next: by time, and at the same time in the order in which they were added.
struct EventQueue {
    private var heap: [(time: Double, number: Int, participant: Int)] = []
    private var added = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(_ participant: Int, at time: Double) {
        heap.append((time, added, participant))
        added += 1
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    var first: (participant: Int, time: Double)? { heap.first.map { ($0.participant, $0.time) } }

    mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        (heap[one].time, heap[one].number) < (heap[other].time, heap[other].number)
    }
}
