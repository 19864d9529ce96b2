internal import Foundation

/// A message's points: read, checked, multiplied, written.
struct PointList: Sendable {
    let coordinates: [P256Coordinate]

    init(_ coordinates: [P256Coordinate]) { self.coordinates = coordinates }

    /// Throws `truncated` and `wrongCount` before it does anything that grows with the message, then `repeatedPoint`: a point that comes twice could be
    /// found again in an answer, whatever its order, and would mark what it stands for.
    init(
        _ bytes: Data, _ message: IntersectionError.Message, count expected: ClosedRange<Int>
    ) throws(IntersectionError) {
        let count = bytes.count / P256Coordinate.byteCount
        guard bytes.count == count * P256Coordinate.byteCount else { throw .truncated(message, bytes: bytes.count) }
        guard expected.contains(count) else { throw .wrongCount(message, count: count, expected: expected) }
        coordinates = bytes.withUnsafeBytes { bytes in
            (0..<count).map { P256Coordinate(bytes, offset: $0 * P256Coordinate.byteCount) }
        }
        var seen = Set<P256Coordinate>(minimumCapacity: count)
        for (place, coordinate) in coordinates.enumerated() where !seen.insert(coordinate).inserted {
            throw .repeatedPoint(message, place: place)
        }
    }

    var bytes: Data {
        var data = Data(count: coordinates.count * P256Coordinate.byteCount)
        data.withUnsafeMutableBytes { bytes in
            for (place, coordinate) in coordinates.enumerated() {
                coordinate.write(to: bytes, offset: place * P256Coordinate.byteCount)
            }
        }
        return data
    }

    /// Each point times the scalar, where there is one; the points are checked either way. Throws `notOnCurve`.
    func multiplied(
        by scalar: SecretScalar?, _ message: IntersectionError.Message, threads: Int
    ) throws(IntersectionError) -> PointList {
        let multiplication = scalar.map { ScalarMultiplication($0) }
        let all = Self.inBatches(coordinates.count, threads: threads) { range -> Result<[P256Coordinate], Wrong> in
            var points: [P256Point] = []
            points.reserveCapacity(range.count)
            for place in range {
                guard let point = P256Point(coordinates[place]) else { return .failure(Wrong(place: place)) }
                points.append(point)
            }
            return .success(multiplication?.coordinates(points) ?? [])
        }
        var result: [P256Coordinate] = []
        for part in all {
            switch part {
            case .success(let part): result += part
            case .failure(let wrong): throw .notOnCurve(message, place: wrong.place)
            }
        }
        return PointList(result)
    }

    private struct Wrong: Error { let place: Int }

    /// The messages' hashes times the scalar, in their order.
    static func blinded(
        _ messages: [Data], prefix: [UInt8], with blinding: (hash: HashToCurve, scalar: SecretScalar), threads: Int
    ) -> PointList {
        let (hash, multiplication) = (blinding.hash, ScalarMultiplication(blinding.scalar))
        return PointList(
            inBatches(messages.count, threads: threads) { range in
                multiplication.coordinates(hash.points(of: messages[range], prefix: prefix))
            }.flatMap { $0 })
    }

    private static func inBatches<Part: Sendable>(
        _ count: Int, threads: Int, _ work: @Sendable (Range<Int>) -> Part
    ) -> [Part] {
        let length = ScalarMultiplication.batchLength
        return inParallel((count + length - 1) / length, threads: threads) {
            work($0 * length..<min(($0 + 1) * length, count))
        }
    }
}
