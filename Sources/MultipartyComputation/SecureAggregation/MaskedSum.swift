internal import Foundation

/// The sum of masked vectors, kept by the coordinator: one vector in memory, to which others are added chunk after chunk.
///
/// A participant counts when its whole vector was added. **The caller spools**: it begins to add a vector when all of it has arrived and was checked
/// (``AggregationSession/check(_:chunk:)``), since what was added is not taken out again: a vector that was begun and cannot be finished leaves a sum to throw
/// away and to make again from the spool.
public struct MaskedSum: Sendable, Codable {
    /// The session's digest: a sum is of one session.
    private let digest: Data
    private(set) var values: [UInt64]
    /// Whose whole vectors are in it, ascending.
    public private(set) var members: [Int] = []
    private var adding: Progress?

    private struct Progress: Sendable, Codable {
        let participant: Int
        var chunk: Int
    }

    /// Nothing yet.
    public init(_ session: AggregationSession) {
        digest = session.digest
        values = [UInt64](repeating: 0, count: session.length)
    }

    /// Adds the next chunk of a participant's masked vector, from 0 on. Throws `notInRoster`, `parameter` (another session, a wrong size, an entry beyond the
    /// modulus), `conflicting` for a participant that is in it already, `order` for another chunk than the next, or another participant before one is done.
    public mutating func add(
        _ chunk: [UInt64], number: Int, from participant: Int, session: AggregationSession
    ) throws(AggregationError) {
        try session.checkPlace(participant)
        guard isOf(session) else {
            throw .parameter("session", expected: "the one that the sum was begun for")
        }
        guard !members.contains(participant) else { throw .conflicting(participant: participant, round: .mask) }
        guard adding.map({ $0.participant == participant }) ?? true else {
            throw .order(
                "add", expected: "the rest of participant \(adding?.participant ?? participant)'s vector first")
        }
        let expected = adding?.chunk ?? 0
        guard number == expected else {
            throw .order("add", expected: "chunk \(expected) of participant \(participant)")
        }
        try session.check(chunk, chunk: number)
        let range = session.chunk(number)
        let mask = session.modulusMask
        values.withUnsafeMutableBufferPointer { values in
            chunk.withUnsafeBufferPointer { chunk in
                for index in chunk.indices {
                    values[range.lowerBound + index] = (values[range.lowerBound + index] &+ chunk[index]) & mask
                }
            }
        }
        adding = Progress(participant: participant, chunk: number + 1)
        if number + 1 == session.chunkCount {
            adding = nil
            members.insert(participant, at: members.firstIndex { $0 > participant } ?? members.count)
        }
    }

    /// Adds a participant's whole masked vector. Throws as the other, before anything was added.
    public mutating func add(
        _ vector: [UInt64], from participant: Int, session: AggregationSession
    ) throws(AggregationError) {
        guard vector.count == session.length else {
            throw .malformed(participant: participant, round: .mask, expected: "\(session.length) entries")
        }
        guard vector.reduce(0, |) & ~session.modulusMask == 0 else {
            throw .malformed(participant: participant, round: .mask, expected: "entries below 2^\(session.modulusBits)")
        }
        for chunk in 0..<session.chunkCount {
            try add(Array(vector[session.chunk(chunk)]), number: chunk, from: participant, session: session)
        }
    }

    func isOf(_ session: AggregationSession) -> Bool { digest == session.digest && values.count == session.length }

    /// Whether no vector is half added.
    var isWhole: Bool { adding == nil }

    mutating func remove(_ streams: [MaskStream], mask: UInt64, threads: Int) {
        MaskStream.addAll(streams, to: &values, offset: 0, modulusMask: mask, threads: threads)
    }
}
