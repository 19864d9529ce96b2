import DatasiteProtocol
import DifferentialPrivacy
import GRDB

/// How losses are stored: one amount as an integer, several as text, `1 2 3`.
extension PrivacyLoss {
    /// The amounts, for a column.
    var storedAmounts: DatabaseValue {
        amounts.count == 1 ? amount.databaseValue : amounts.map { String($0) }.joined(separator: " ").databaseValue
    }

    /// The loss as it was stored. Where nothing is spent, the kind may have changed since: zero is zero of any kind.
    ///
    /// - Throws: A `Problem` where the columns hold no loss of that kind.
    init(stored amounts: DatabaseValue, delta: Int64, kind: PrivacyLossKind) throws {
        let numbers: [Int64?] =
            switch amounts.storage {
            case .int64(let number): [number]
            case .string(let text): text.split(separator: " ", omittingEmptySubsequences: false).map { Int64($0) }
            default: []
            }
        if numbers.allSatisfy({ $0 == 0 }), !numbers.isEmpty {
            self.init(kind: kind, amount: 0, delta: delta)
        } else if let loss = PrivacyLoss(kind: kind, amounts: numbers.compactMap(\.self), delta: delta),
            numbers.count == kind.amountCount
        {
            self = loss
        } else {
            throw Problem.unavailable("the ledger holds what is no loss of the kind \(kind.rawValue)")
        }
    }
}

extension Row {
    /// The loss of that kind in two columns.
    ///
    /// - Parameter prefix: Of the columns' names: `limit` for `limit_amount` and `limit_delta`.
    func loss(_ kind: PrivacyLossKind, _ prefix: String? = nil) throws -> PrivacyLoss {
        let start = prefix.map { $0 + "_" } ?? ""
        return try PrivacyLoss(stored: self[start + "amount"], delta: self[start + "delta"] ?? 0, kind: kind)
    }
}
