/// A number of a metric or a contribution, in whole billionths, so that everybody who computes with it gets the same.
public struct Score: Sendable, Hashable, Comparable {
    /// The largest magnitude, in billionths: a million. Differences of scores, and sums of a task's, fit into 64 bits.
    public static let mostBillionths: Int64 = 1_000_000_000_000_000
    /// Zero.
    public static let zero = Score(unchecked: 0)

    /// The number times 10^9.
    public let billionths: Int64

    private init(unchecked billionths: Int64) { self.billionths = billionths }

    /// A number of billionths; nil where its magnitude is above ``mostBillionths``.
    public init?(billionths: Int64) {
        guard (-Self.mostBillionths...Self.mostBillionths).contains(billionths) else { return nil }
        self.billionths = billionths
    }

    /// The nearest billionth, ties to even; nil where the number is not finite or its magnitude is above a million.
    public init?(_ value: Double) {
        let scaled = (value * 1e9).rounded(.toNearestOrEven)
        guard scaled.isFinite, abs(scaled) <= Double(Self.mostBillionths) else { return nil }
        billionths = Int64(scaled)
    }

    /// The number.
    public var value: Double { Double(billionths) / 1e9 }

    /// By size.
    public static func < (a: Score, b: Score) -> Bool { a.billionths < b.billionths }
}

extension Score: Codable, CustomStringConvertible {
    /// In decimals, without an exponent and without trailing zeros.
    public var description: String {
        let magnitude = String(billionths.magnitude)
        let padded = String(repeating: "0", count: max(0, 10 - magnitude.count)) + magnitude
        var decimals = padded.suffix(9)
        while decimals.last == "0" { decimals.removeLast() }
        return (billionths < 0 ? "-" : "") + padded.dropLast(9) + (decimals.isEmpty ? "" : "." + decimals)
    }

    /// Reads whole billionths; throws `DecodingError` where they are out of range.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let score = Score(billionths: try container.decode(Int64.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected billionths of at most 10^15 in magnitude")
        }
        self = score
    }

    /// Writes whole billionths.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(billionths)
    }
}

/// Whether more of a metric is better.
public enum Direction: String, Sendable, Codable, CaseIterable {
    /// As of accuracy.
    case higherIsBetter
    /// As of a loss.
    case lowerIsBetter

    /// By how much the second is better than the first, in billionths; below zero where it is worse.
    public func gain(from first: Score, to second: Score) -> Int64 {
        let difference = second.billionths - first.billionths
        return self == .higherIsBetter ? difference : -difference
    }
}

/// What an owner's data brought, by a valuation.
public struct Contribution: Sendable, Hashable, Codable {
    /// Whose.
    public let owner: PartyName
    /// Below zero where it did harm.
    public let score: Score
    /// Its standard error, not below zero.
    public let error: Score

    /// The contribution.
    public init(owner: PartyName, score: Score, error: Score) {
        self.owner = owner
        self.score = score
        self.error = error
    }
}
