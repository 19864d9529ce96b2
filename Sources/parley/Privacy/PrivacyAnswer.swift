import DifferentialPrivacy
import Foundation

/// An accountant's answer, as a line of JSON: the bounds on epsilon, null where none is proved.
struct PrivacyAnswer: Encodable {
    private let bounds: PrivacyBounds
    private let accountant: AccountantChoice

    init(_ proof: PrivacyProof) {
        bounds = proof.bounds
        accountant = proof.upperBy
    }

    private enum CodingKeys: String, CodingKey {
        case accountant
        case lower = "epsilon_lower"
        case upper = "epsilon_upper"
        case order
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(accountant.rawValue, forKey: .accountant)
        // JSON has no infinity. A lower bound may be infinite too, where no epsilon holds at that delta.
        let numbers: [(Double?, CodingKeys)] = [
            (bounds.lower, .lower), (bounds.upper, .upper), (bounds.order, .order),
        ]
        for (value, key) in numbers {
            try container.encode(value.flatMap { $0.isFinite ? $0 : nil }, forKey: key)
        }
    }

    /// One line, with members in a fixed order.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension NumberText {
    /// Six significant digits, of which the last is rounded up or down: a bound stays one.
    static func bound(_ value: Double, roundingUp: Bool) -> String {
        guard value.isFinite, value > 0 else { return value == 0 ? "0" : value > 0 ? "∞" : "\(value)" }
        let unit = pow(10, (log10(value)).rounded(.down) - 5)
        let scaled = value / unit
        // A value that has no more than six digits is not moved.
        let nearest = scaled.rounded()
        let rounded =
            abs(scaled - nearest) < 1e-9 * nearest ? nearest : scaled.rounded(roundingUp ? .up : .down)
        return significant(rounded * unit, digits: 6)
    }
}
