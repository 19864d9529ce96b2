/// How reputation decides who is admitted and what they deposit. It never decides what is paid out.
///
/// **Why whitewashing gains nothing.** A fraud brings its gain g with probability 1 - p, and is found with probability p before anything is paid, which costs the
/// deposit d: on average (1 - p) g - p d. A newcomer deposits d = g, one fraud's gain: with p of at least 1/2 that is at most 0, so that a new account for every fraud does
/// not pay. The best reputation brings the deposit down to g (1 - p) / p and no lower, so that a fraud after a long good time does not pay either. A worse reputation than
/// a newcomer's costs more, and below a bound nobody is admitted: whoever fell so far can come back with a new account, and pays what a newcomer pays.
public struct DepositPolicy: Sendable, Hashable, Codable {
    /// With which probability a fraud is found before it is paid, in millionths: 500,000 to 1,000,000.
    public let detectionMillionths: Int64
    /// Below which expectation a party is not admitted, in millionths: 0 to 500,000, so that newcomers are.
    public let leastExpectation: Int64

    /// The policy; nil where a number is out of its range.
    public init?(detectionMillionths: Int64, leastExpectation: Int64) {
        guard (500_000...1_000_000).contains(detectionMillionths), (0...500_000).contains(leastExpectation) else {
            return nil
        }
        self.detectionMillionths = detectionMillionths
        self.leastExpectation = leastExpectation
    }

    /// What a party deposits where a fraud brings the gain, rounded up; nil: it is not admitted.
    ///
    /// - Parameter gain: In minor units, 0 to 2 ``TaskTerms/Limit/amount``.
    public func deposit(for gain: Int64, reputation: Reputation) -> Int64? {
        guard reputation.expectation >= leastExpectation else { return nil }
        let share = Int128(multiple(at: reputation.expectation))
        return Int64(clamping: (Int128(gain) * share + 999_999) / 1_000_000)
    }

    /// The deposit's multiple of the gain, in millionths: 1 for a newcomer, down to (1 - p) / p on a straight line for an expectation of 1, and up to 2
    /// for one of 0.
    func multiple(at expectation: Int64) -> Int64 {
        let distance = expectation - 500_000
        guard distance > 0 else { return 1_000_000 - 2 * distance }
        // Rounded up, so that no rounding takes the deposit below what deters.
        let floor = ((1_000_000 - detectionMillionths) * 1_000_000 + detectionMillionths - 1) / detectionMillionths
        return 1_000_000 - (1_000_000 - floor) * 2 * distance / 1_000_000
    }
}
