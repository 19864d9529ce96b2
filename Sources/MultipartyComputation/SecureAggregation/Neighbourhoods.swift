internal import Crypto
internal import Foundation

/// Who is whose neighbour, given all advertisements.
struct Neighbourhoods: Sendable {
    /// The participants on the circle; empty for the complete graph.
    private let order: [Int]
    /// The place of each on the circle.
    private let places: [Int]
    private let reach: Int
    /// Those who advertised, ascending.
    let advertised: [Int]
    private let isAdvertised: [Bool]

    /// The order is that of a hash for each participant, of a digest over the session and all advertisements: a random oracle's order is uniform.
    init(_ session: AggregationSession, _ advertisements: [Advertisement]) {
        let sorted = advertisements.filter { session.contains($0.sender) }.sorted { $0.sender < $1.sender }
        advertised = sorted.map(\.sender)
        var marks = [Bool](repeating: false, count: session.participants)
        for sender in advertised { marks[sender] = true }
        isAdvertised = marks
        guard case .sparse(let degree, _) = session.graph else {
            (order, places, reach) = ([], [], 0)
            return
        }
        var bytes = CanonicalBytes("graph")
        bytes.append(session.digest)
        bytes.append(sorted.count)
        for advertisement in sorted { bytes.append(advertisement.signedBytes(session).data) }
        let seed = bytes.digest
        let hashes = session.roster.indices.map { participant in
            var bytes = CanonicalBytes("place")
            bytes.append(seed)
            bytes.append(participant)
            return [UInt8](bytes.digest)
        }
        let order = session.roster.indices.sorted { hashes[$0].lexicographicallyPrecedes(hashes[$1]) }
        var places = [Int](repeating: 0, count: order.count)
        for (place, participant) in order.enumerated() { places[participant] = place }
        (self.order, self.places, reach) = (order, places, degree / 2)
    }

    /// The neighbours that advertised, ascending, without the participant itself.
    func neighbours(of participant: Int) -> [Int] {
        if order.isEmpty { return advertised.filter { $0 != participant } }
        guard places.indices.contains(participant) else { return [] }
        var result: [Int] = []
        for step in 1...reach {
            for shift in [step, order.count - step] {
                let other = order[(places[participant] + shift) % order.count]
                if isAdvertised[other] { result.append(other) }
            }
        }
        return result.sorted()
    }

    func areNeighbours(_ a: Int, _ b: Int) -> Bool {
        guard a != b, isAdvertised.indices.contains(a), isAdvertised.indices.contains(b), isAdvertised[a],
            isAdvertised[b]
        else { return false }
        if order.isEmpty { return true }
        let apart = abs(places[a] - places[b])
        return min(apart, order.count - apart) <= reach
    }
}
