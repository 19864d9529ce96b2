import Synchronization

/// Who may be connected: so many in all, and of each network at several widths.
///
/// Only who is admitted counts. Where places are short, the newcomer gets the place of someone who does not need it:
/// who has shown no valid token first, then who has no question under way; of these, whose networks hold the most, and
/// then who has been still for the longest. So one address holds nobody's place for ever, however it fills its own. Who is
/// known and waits for an answer is never sent away.
final class Admission: Sendable {
    enum Verdict: Equatable {
        case admitted
        /// No place: the peer is told so, and lingers without counting.
        case refused
        /// No place, and as many as may are being told so already.
        case dropped
    }

    /// Where there is no place left.
    private enum Shortage {
        case of(Network)
        case overall

        func concerns(_ guest: Guest) -> Bool {
            guard case .of(let network) = self else { return true }
            return guest.networks.contains(network)
        }
    }

    private struct Guest {
        let networks: [Network]
        let evict: @Sendable () -> Void
        /// The last request came with a valid token.
        var isKnown = false
        /// A whole request has come, and its answer has not been given.
        var isWaiting = false
        /// When it did something last, on a clock that only counts.
        var active: UInt64

        var canGo: Bool { !(isKnown && isWaiting) }
    }

    private struct State {
        var guests: [ObjectIdentifier: Guest] = [:]
        var counts: [Network: Int] = [:]
        var lingering: Set<ObjectIdentifier> = []
        var time: UInt64 = 0

        mutating func tick() -> UInt64 {
            time += 1
            return time
        }

        mutating func add(_ id: ObjectIdentifier, _ guest: Guest) {
            guests[id] = guest
            for network in guest.networks { counts[network, default: 0] += 1 }
        }

        @discardableResult
        mutating func remove(_ id: ObjectIdentifier) -> Guest? {
            guard let guest = guests.removeValue(forKey: id) else { return nil }
            for network in guest.networks {
                let left = counts[network, default: 1] - 1
                counts[network] = left > 0 ? left : nil
            }
            return guest
        }

        /// Who goes first of those that it concerns; nil: nobody can.
        func leastNeeded(_ shortage: Shortage) -> ObjectIdentifier? {
            guests.filter { $0.value.canGo && shortage.concerns($0.value) }
                .min { goesBefore($0.value, $1.value) }?.key
        }

        private func goesBefore(_ one: Guest, _ other: Guest) -> Bool {
            if one.isKnown != other.isKnown { return !one.isKnown }
            let (weight, otherWeight) = (weight(one), weight(other))
            if weight != otherWeight { return otherWeight.lexicographicallyPrecedes(weight) }
            return one.active < other.active
        }

        /// How many places its networks hold, the narrowest last.
        private func weight(_ guest: Guest) -> [Int] {
            let held = guest.networks.map { counts[$0] ?? 0 }
            // IPv4 has no third width: its widest stands for it.
            return Array(repeating: held.first ?? 0, count: max(0, Network.Width.allCases.count - held.count)) + held
        }
    }

    private let limits: ServerLimits
    private let state = Mutex(State())

    init(limits: ServerLimits) { self.limits = limits }

    /// How many are admitted.
    var count: Int { state.withLock { $0.guests.count } }

    /// Asks for a place.
    ///
    /// - Parameter evict: Ends the connection; called, at most once, when its place is given to another.
    func enter(
        _ id: ObjectIdentifier, from networks: [Network], evict: @escaping @Sendable () -> Void
    ) -> Verdict {
        let (verdict, evicted) = state.withLock { state -> (Verdict, Guest?) in
            var evicted: Guest?
            if let shortage = shortage(for: networks, state) {
                guard let other = state.leastNeeded(shortage) else {
                    guard state.lingering.count < limits.refusalsAtOnce else { return (.dropped, nil) }
                    state.lingering.insert(id)
                    return (.refused, nil)
                }
                evicted = state.remove(other)
            }
            state.add(id, Guest(networks: networks, evict: evict, active: state.tick()))
            return (.admitted, evicted)
        }
        evicted?.evict()
        return verdict
    }

    /// The connection has ended.
    func leave(_ id: ObjectIdentifier) {
        state.withLock { state in
            state.lingering.remove(id)
            state.remove(id)
        }
    }

    /// Whether its last request came with a valid token.
    func recognise(_ id: ObjectIdentifier, _ isKnown: Bool) {
        state.withLock { $0.guests[id]?.isKnown = isKnown }
    }

    /// Whether a whole request of it waits for its answer.
    func note(_ id: ObjectIdentifier, isWaiting: Bool) {
        state.withLock { state in
            let time = state.tick()
            state.guests[id]?.isWaiting = isWaiting
            state.guests[id]?.active = time
        }
    }

    /// The narrowest first: a place given up there is one in all that are wider.
    private func shortage(for networks: [Network], _ state: State) -> Shortage? {
        let full = networks.last { state.counts[$0, default: 0] >= limits.connections(of: $0.width) }
        return full.map { .of($0) } ?? (state.guests.count >= limits.connections ? .overall : nil)
    }
}

extension ServerLimits {
    /// The most connections from one network of that width.
    func connections(of width: Network.Width) -> Int {
        switch width {
        case .address: connectionsPerAddress
        case .subnet: connectionsPerSubnet
        case .site: connectionsPerSite
        }
    }
}
