/// A Rényi loss on a fixed set of orders, in integers, so that ledgers add exactly.
public struct RenyiLoss: Sendable, Hashable, Codable {
    /// Ascending, all above 1.
    public let orders: [Double]
    /// The divergence at each order, in units of 1e-12.
    public let amounts: [Int64]
    /// The delta beside the divergences, in units of 1e-18.
    public let delta: Int64

    /// No loss. Throws unless the orders are finite, above 1 and ascending.
    public init(orders: [Double]) throws(MechanismError) {
        let ascends = zip(orders, orders.dropFirst()).allSatisfy { $0 < $1 }
        guard !orders.isEmpty, ascends, orders.allSatisfy({ $0 > 1 && $0.isFinite }) else {
            throw .parameter("orders", expected: "ascending finite numbers above 1")
        }
        self.init(orders: orders, amounts: [Int64](repeating: 0, count: orders.count), delta: 0)
    }

    /// What the event costs at each order, rounded up to the unit. Throws for events that have no Rényi curve, and where
    /// a divergence exceeds what a ledger can hold.
    public init(
        _ event: PrivacyEvent, orders: [Double], neighbours: NeighbourRelation = .addOrRemove
    ) throws(MechanismError) {
        let none = try RenyiLoss(orders: orders)
        var accountant = try RenyiAccountant(orders: orders, neighbours: neighbours)
        try accountant.compose(event)
        var amounts: [Int64] = []
        for order in none.orders {
            amounts.append(try Self.units(accountant.divergence(order: order), 1e12, rounding: .up))
        }
        self.init(
            orders: none.orders, amounts: amounts, delta: try Self.units(accountant.delta, 1e18, rounding: .up))
    }

    /// The most that a filter may admit so that all of it together is (epsilon, delta)-differentially private: at every
    /// order the largest divergence that converts to epsilon at half of delta; the other half is for events' own deltas.
    /// Throws unless there is a positive one at each order.
    public init(limitForEpsilon epsilon: Double, delta: Double, orders: [Double]) throws(MechanismError) {
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive finite number") }
        guard delta > 0 && delta < 1 else { throw .parameter("delta", expected: "a number between 0 and 1") }
        let none = try RenyiLoss(orders: orders)
        var amounts: [Int64] = []
        for order in none.orders {
            let cost = RenyiConversion.improved.epsilon(order: order, divergence: 0, delta: delta / 2)
            let slack = (epsilon + abs(cost)) * 0x1p-44
            guard epsilon - cost - slack > 0 else {
                throw .parameter("orders", expected: "orders at which (epsilon, delta) leave something to spend")
            }
            amounts.append(try Self.units(epsilon - cost - slack, 1e12, rounding: .down))
        }
        self.init(orders: none.orders, amounts: amounts, delta: try Self.units(delta / 2, 1e18, rounding: .down))
    }

    private enum CodingKeys: String, CodingKey {
        case orders, amounts, delta
    }

    /// Throws for what no other initialiser makes: a negative loss would give back what was spent.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let none = try RenyiLoss(orders: container.decode([Double].self, forKey: .orders))
        let amounts = try container.decode([Int64].self, forKey: .amounts)
        let delta = try container.decode(Int64.self, forKey: .delta)
        guard amounts.count == none.orders.count, amounts.allSatisfy({ $0 >= 0 }), delta >= 0 else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath,
                    debugDescription: "a Rényi loss has an amount for each order, and none below 0"))
        }
        self.init(orders: none.orders, amounts: amounts, delta: delta)
    }

    private init(orders: [Double], amounts: [Int64], delta: Int64) {
        self.orders = orders
        self.amounts = amounts
        self.delta = delta
    }

    private static func units(
        _ value: Double, _ scale: Double, rounding: FloatingPointRoundingRule
    ) throws(MechanismError) -> Int64 {
        let product = value * scale
        let moved = rounding == .up ? OutwardRounding.up(product) : OutwardRounding.down(product)
        if product == 0 { return 0 }
        guard let units = Int64(exactly: moved.rounded(rounding)) else { throw .overflow }
        return max(0, units)
    }

    /// The sum; throws for different orders, and beyond what integers hold.
    public static func + (a: RenyiLoss, b: RenyiLoss) throws(MechanismError) -> RenyiLoss {
        guard a.orders == b.orders else { throw .mixedKinds }
        var amounts = a.amounts
        for index in amounts.indices {
            let (sum, overflow) = amounts[index].addingReportingOverflow(b.amounts[index])
            guard !overflow else { throw .overflow }
            amounts[index] = sum
        }
        let (delta, overflow) = a.delta.addingReportingOverflow(b.delta)
        guard !overflow else { throw .overflow }
        return RenyiLoss(orders: a.orders, amounts: amounts, delta: delta)
    }

    /// Whether every order's amount, and delta, are within the limit's.
    public func fits(in limit: RenyiLoss) -> Bool {
        orders == limit.orders && delta <= limit.delta && zip(amounts, limit.amounts).allSatisfy { $0 <= $1 }
    }
}

/// Admits Rényi losses as long as their sum stays within a limit at every order of a fixed set (docs/privacy.md, rule 6).
///
/// Privacy: at any one order, fixed beforehand, what is admitted has together at most that order's limit as divergence,
/// also where each mechanism is chosen after seeing earlier outputs (Feldman and Zrnic 2021, theorem 3.1); deltas beside
/// it add. Since the sum is held at every order, the choice of an order to convert at costs nothing. A decision takes
/// time in the number of orders alone.
public struct RenyiFilter: Sendable, Hashable {
    /// The most that may be admitted in all, at every order.
    public let limit: RenyiLoss
    /// The sum of what was admitted, at most the limit at every order.
    public private(set) var spent: RenyiLoss

    /// `spent`: what was admitted before. Throws unless it has the limit's orders.
    public init(limit: RenyiLoss, spent: RenyiLoss? = nil) throws(MechanismError) {
        self.limit = limit
        if let spent {
            guard spent.orders == limit.orders else { throw .mixedKinds }
            self.spent = spent
        } else {
            self.spent = try RenyiLoss(orders: limit.orders)
        }
    }

    /// Whether the loss was admitted, and thereby spent. One on other orders never is.
    public mutating func admit(_ loss: RenyiLoss) -> Bool {
        guard let sum = try? spent + loss, sum.fits(in: limit) else { return false }
        spent = sum
        return true
    }
}
