/// How many bits a modulus needs so that a sum of signed integers does not wrap, and the integers as residues.
///
/// A value v is sent as v modulo 2^k, and a sum read as the residue of least magnitude: right as long as its magnitude stays below 2^(k - 1).
public struct SignedSum: Sendable, Hashable {
    /// The modulus is 2 to this power: 1 to 64.
    public let modulusBits: Int

    /// Residues modulo 2 to this power. Throws `parameter` unless it is from 1 to 64.
    public init(modulusBits: Int) throws(AggregationError) {
        guard (1...64).contains(modulusBits) else { throw .parameter("modulus bits", expected: "1 to 64") }
        self.modulusBits = modulusBits
    }

    /// The least modulus for a sum of so many participants' values of at most this magnitude, each with noise of at most that magnitude added. Throws
    /// `parameter` for negative numbers, or where 64 bits do not do.
    public static func least(participants: Int, magnitude: Int64, noise: Int64 = 0) throws(AggregationError)
        -> SignedSum
    {
        guard participants >= 1 && magnitude >= 0 && noise >= 0 else {
            throw .parameter(
                "participants, magnitude and noise", expected: "a positive number and two that are not negative")
        }
        let (one, first) = magnitude.addingReportingOverflow(noise)
        let (all, second) = one.multipliedReportingOverflow(by: Int64(participants))
        guard !first && !second else {
            throw .parameter("magnitude and noise", expected: "a sum over all participants of at most 2^63 - 1")
        }
        // -2^(k - 1) <= -all and all <= 2^(k - 1) - 1.
        return try SignedSum(modulusBits: 65 - all.leadingZeroBitCount)
    }

    /// The value's residue.
    public func residue(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value) & (UInt64.max >> UInt64(64 - modulusBits))
    }

    /// The integer of least magnitude with this residue; of both at half the modulus, the negative one. Higher bits are ignored.
    public func value(_ residue: UInt64) -> Int64 {
        let shift = UInt64(64 - modulusBits)
        return Int64(bitPattern: residue << shift) >> Int64(shift)
    }
}
