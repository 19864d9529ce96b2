import DatasiteProtocol
import Synchronization

/// Whose frames are being read: so many bytes in all, of which a frame takes as many as it says that it has.
///
/// Who sends a frame is known only when it is whole, so that a place is anybody's. Where there is no room a newcomer gets that of whoever needs it least, unless that is the newcomer: strangers go before those from whose network a
/// frame was verified before; of these, whose networks hold the most places (``Network``, at several widths, as for connections); and then whoever is furthest behind the pace at which the body would be whole at its deadline.
/// Who keeps that pace is not sent away for a newcomer whose networks hold as many. So strangers keep a site out only by sending as fast as all places together would need it, from as many networks as there are places, and not
/// even so one whose frames were verified from where it is.
final class FramePlaces: Sendable {
    private struct Guest {
        let networks: [Network]
        /// A frame from its network was verified before.
        let isKnown: Bool
        let bytes: Int
        var received: Int
        let began: Duration
        let displace: @Sendable () -> Void
    }

    private struct State {
        var guests: [Int: Guest] = [:]
        var counts: [Network: Int] = [:]
        var taken = 0
        /// Who was verified from there last, on a clock that only counts.
        var known: [Network: Int] = [:]
        var time = 0

        mutating func add(_ guest: Guest) -> Int {
            time += 1
            guests[time] = guest
            taken += guest.bytes
            for network in guest.networks { counts[network, default: 0] += 1 }
            return time
        }

        mutating func remove(_ id: Int) -> Guest? {
            guard let guest = guests.removeValue(forKey: id) else { return nil }
            taken -= guest.bytes
            for network in guest.networks {
                let left = counts[network, default: 1] - 1
                counts[network] = left > 0 ? left : nil
            }
            return guest
        }

        /// How many places its networks hold, the narrowest last. IPv4 has no third width: its widest stands for it.
        func weight(_ guest: Guest) -> [Int] {
            let held = guest.networks.map { counts[$0] ?? 0 }
            return Array(repeating: held.first ?? 0, count: max(0, Network.Width.allCases.count - held.count)) + held
        }
    }

    private let all: Int
    private let deadline: Duration
    private let now: @Sendable () -> Duration
    private let state = Mutex(State())
    /// So many networks are remembered from which frames were verified.
    private static let mostKnown = 4_096

    /// - Parameters:
    ///   - bytes: That are held at a time: several of the largest frames.
    ///   - deadline: In which a body must be whole.
    ///   - now: On a clock that never goes back; nil: the system's.
    init(bytes: Int, deadline: Duration, now: (@Sendable () -> Duration)? = nil) {
        (all, self.deadline) = (bytes, deadline)
        let start = ContinuousClock.now
        self.now = now ?? { ContinuousClock.now - start }
    }

    /// A place among them, for as long as it is held.
    final class Place: Sendable {
        private let places: FramePlaces
        private let id: Int

        fileprivate init(_ places: FramePlaces, _ id: Int) { (self.places, self.id) = (places, id) }

        /// So many bytes of the body have come.
        func note(received: Int) { places.state.withLock { $0.guests[id]?.received = received } }

        deinit { places.state.withLock { _ = $0.remove(id) } }
    }

    /// How many frames are being read.
    var count: Int { state.withLock { $0.guests.count } }

    /// Asks for a place.
    ///
    /// - Parameters:
    ///   - bytes: That the frame says that it has.
    ///   - received: Of these that have come.
    ///   - networks: Where it comes from, the widest first.
    ///   - displace: Ends its reading; called, at most once, when its place is given to another.
    /// - Throws: `busy`: nobody needs a place less.
    func enter(
        bytes: Int, received: Int, from networks: [Network], displace: @escaping @Sendable () -> Void
    ) throws(Problem) -> Place {
        let now = now()
        let (id, displaced) = state.withLock { state -> (Int?, [Guest]) in
            let isKnown = networks.last.map { state.known[$0] != nil } ?? false
            var next = state
            let id = next.add(
                Guest(
                    networks: networks, isKnown: isKnown, bytes: bytes, received: received, began: now,
                    displace: displace))
            var displaced: [Guest] = []
            while next.taken > all {
                guard let least = leastNeeded(next, newest: id, now), least != id, let guest = next.remove(least) else {
                    return (nil, [])
                }
                displaced.append(guest)
            }
            state = next
            return (id, displaced)
        }
        for guest in displaced { guest.displace() }
        guard let id else { throw .tooManyFrames }
        return Place(self, id)
    }

    /// A frame that came from there was verified.
    func recognise(_ networks: [Network]) {
        guard let network = networks.last else { return }
        state.withLock { state in
            state.time += 1
            state.known[network] = state.time
            guard state.known.count > Self.mostKnown, let oldest = state.known.min(by: { $0.value < $1.value }) else {
                return
            }
            state.known[oldest.key] = nil
        }
    }

    private func leastNeeded(_ state: State, newest: Int, _ now: Duration) -> Int? {
        let ranked = state.guests.map { (id: $0.key, guest: $0.value, weight: state.weight($0.value)) }
        return ranked.min { one, other in
            if one.guest.isKnown != other.guest.isKnown { return !one.guest.isKnown }
            if one.weight != other.weight { return other.weight.lexicographicallyPrecedes(one.weight) }
            let (late, otherLate) = (lateness(one.guest, now), lateness(other.guest, now))
            // Whoever is not late has a place before the newcomer.
            return late == otherLate ? one.id == newest : late > otherLate
        }?.id
    }

    /// By how many seconds it is behind the pace at which its body is whole at its deadline; nobody is ahead of it by anything that counts.
    private func lateness(_ guest: Guest, _ now: Duration) -> Double {
        let share = Double(guest.received) / Double(max(1, guest.bytes))
        return max(0, (now - guest.began) / .seconds(1) - share * (deadline / .seconds(1)))
    }
}
