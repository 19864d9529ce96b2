internal import Crypto
internal import Foundation
internal import Secrets

extension IntersectionParty {
    /// Takes the other party's list, multiplies it, and erases the scalar. Gives what is sent back, or nil where the other party is no recipient.
    ///
    /// A second call with the same list gives the same. The work is about 35 microseconds of a core for each point.
    ///
    /// - Throws: `anotherSession`, `notFromTheOther`; `anotherMessage` for a second, different list; `truncated`; `wrongCount` for more points than the
    ///   other party's capacity, or fewer where it pads; `repeatedPoint`; `reflectedPoint`; `notOnCurve`. Nothing is changed then.
    public mutating func evaluate(_ list: BlindedList, threads: Int = 1) throws(IntersectionError) -> EvaluatedList? {
        var random = SecureRandom()
        return try evaluate(list, threads: threads, using: &random)
    }

    mutating func evaluate<R: RandomNumberGenerator>(
        _ list: BlindedList, threads: Int, using generator: inout R
    ) throws(IntersectionError) -> EvaluatedList? {
        guard list.session == session.digest else { throw .anotherSession(.blinded) }
        guard list.sender == role.other else { throw .notFromTheOther(.blinded) }
        if let evaluated = state.evaluated {
            guard evaluated.digest == list.digest else { throw .anotherMessage(.blinded) }
            return reply(evaluated)
        }
        guard let scalar = state.scalar else { throw .order("evaluate", expected: "a state that holds its scalar") }
        let other = session.party(role.other)
        let received = try PointList(
            list.points, .blinded, count: other.isPadded ? other.capacity...other.capacity : 0...other.capacity)
        try refuseReflections(received)
        var points = try received.multiplied(by: scalar, .blinded, threads: threads).coordinates
        if session.output == .size { points.shuffle(using: &generator) }
        let evaluated = Evaluated(digest: list.digest, points: PointList(points).bytes)
        (state.evaluated, state.scalar) = (evaluated, nil)
        return reply(evaluated)
    }

    /// What ``evaluate(_:threads:)`` gave, to be sent again; nil before it, and where the other party is no recipient.
    public var evaluated: EvaluatedList? { state.evaluated.flatMap(reply) }

    /// Whether the other party's list was multiplied.
    public var hasEvaluated: Bool { state.evaluated != nil }

    private func reply(_ evaluated: Evaluated) -> EvaluatedList? {
        guard session.recipients.contains(role.other) else { return nil }
        return EvaluatedList(session: session.digest, sender: role, list: evaluated.digest, points: evaluated.points)
    }

    /// Two lists under two scalars have no point in common: one that has was copied from ours, to have our own points multiplied again.
    private func refuseReflections(_ received: PointList) throws(IntersectionError) {
        let own = Set(Self.coordinates(blinded.points))
        for (place, point) in received.coordinates.enumerated() where own.contains(point) {
            throw .reflectedPoint(place: place)
        }
    }

    /// Takes what the other party made of this one's list, and gives what both have in common.
    ///
    /// A second call with the same answer gives the same.
    ///
    /// - Throws: `order` where this party is no recipient, or before ``evaluate(_:threads:)``; `anotherSession`, `notFromTheOther`; `anotherList`;
    ///   `anotherMessage` for a second, different answer; `truncated`; `wrongCount` for other than as many points as were sent; `repeatedPoint`;
    ///   `notOnCurve`. Nothing is changed then.
    public mutating func conclude(
        _ answer: EvaluatedList, threads: Int = 1
    ) throws(IntersectionError) -> IntersectionResult {
        guard session.recipients.contains(role) else {
            throw .order("conclude", expected: "a party that the session names as a recipient")
        }
        guard let evaluated = state.evaluated else {
            throw .order("conclude", expected: "the other party's list, by evaluate, before it")
        }
        guard answer.session == session.digest else { throw .anotherSession(.evaluated) }
        guard answer.sender == role.other else { throw .notFromTheOther(.evaluated) }
        guard answer.list == blinded.digest else { throw .anotherList }
        let digest = Data(SHA256.hash(data: answer.points))
        guard state.concluded == nil || state.concluded == digest else { throw .anotherMessage(.evaluated) }
        let count = blinded.points.count / P256Coordinate.byteCount
        let own = try PointList(answer.points, .evaluated, count: count...count)
        _ = try own.multiplied(by: nil, .evaluated, threads: threads)
        state.concluded = digest
        return result(own, Set(Self.coordinates(evaluated.points)))
    }

    private func result(_ own: PointList, _ other: Set<P256Coordinate>) -> IntersectionResult {
        switch session.output {
        case .size: return .size(own.coordinates.count { other.contains($0) })
        case .identifiers:
            let common = own.coordinates.indices.filter {
                state.places[$0] != Self.padding && other.contains(own.coordinates[$0])
            }
            return .identifiers(common.map { Int(state.places[$0]) }.sorted())
        }
    }

    private static func coordinates(_ points: Data) -> [P256Coordinate] {
        points.withUnsafeBytes { bytes in
            (0..<bytes.count / P256Coordinate.byteCount).map {
                P256Coordinate(bytes, offset: $0 * P256Coordinate.byteCount)
            }
        }
    }
}
