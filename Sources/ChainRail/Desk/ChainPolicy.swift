/// How a desk deals with its chain.
public struct ChainPolicy: Sendable, Hashable, Codable {
    /// A transaction is done when its block is this deep, its own included: a reorganisation that is deeper is not thought of.
    public var confirmations: UInt64
    /// The most that a unit of gas may cost, in wei: nothing is signed for more.
    public var mostFee: UInt64
    /// Of that, for whoever includes it, at first, in wei.
    public var tip: UInt64
    /// Seconds from one look at the chain to the next, and until an answer is no longer waited for.
    public var interval: Int64, patience: Int64
    /// After how many seconds a transaction that is not included is signed again with higher fees.
    public var replaceAfter: Int64
    /// How many transactions may be on their way at once, and how often one is signed.
    public var mostAtOnce: Int, mostSignatures: Int

    /// The policy; what is out of range is brought into it.
    public init(
        confirmations: UInt64 = 12, mostFee: UInt64 = 200_000_000_000, tip: UInt64 = 1_000_000_000,
        interval: Int64 = 12,
        patience: Int64 = 60, replaceAfter: Int64 = 120, mostAtOnce: Int = 16, mostSignatures: Int = 32
    ) {
        self.confirmations = min(max(1, confirmations), 1 << 20)
        // A thousandth of a coin for a unit of gas is far above anything that was ever paid.
        self.mostFee = min(max(1, mostFee), 1_000_000_000_000_000)
        self.tip = min(max(1, tip), self.mostFee)
        self.interval = min(max(0, interval), 1 << 32)
        self.patience = min(max(1, patience), 1 << 32)
        self.replaceAfter = min(max(0, replaceAfter), 1 << 32)
        self.mostAtOnce = min(max(1, mostAtOnce), 256)
        self.mostSignatures = min(max(1, mostSignatures), 256)
    }

    struct Fees: Hashable {
        var maximum: UInt64
        var priority: UInt64
    }

    /// The fees for a block's base fee: it can double until they no longer do. Nil where the base fee is too high already.
    func fees(base: UInt64) -> Fees? {
        guard base <= mostFee, tip <= mostFee - base else { return nil }
        return Fees(maximum: min(2 * base + tip, mostFee), priority: tip)
    }

    /// The fees of a replacement, an eighth and 1 wei above: nodes ask for a tenth. Nil where that is too high.
    func raised(_ fees: Fees, base: UInt64) -> Fees? {
        let asked = self.fees(base: base) ?? fees
        let raised = Fees(
            maximum: max(fees.maximum + fees.maximum / 8 + 1, asked.maximum),
            priority: max(fees.priority + fees.priority / 8 + 1, asked.priority))
        return raised.maximum <= mostFee ? raised : nil
    }
}
