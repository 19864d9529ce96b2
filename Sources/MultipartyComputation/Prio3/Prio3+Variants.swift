/// How many of the measurements are true. Entries are over the field of 64 bits.
public typealias Prio3Count = Prio3<Bool, Int64>
/// The sum of integers from 0 to a maximum. Entries are over the field of 64 bits.
public typealias Prio3Sum = Prio3<UInt64, Int64>
/// The sums, entry by entry, of vectors of integers from 0 to a maximum. Entries are over the field of 128 bits.
public typealias Prio3SumVec = Prio3<[UInt64], [Int64]>
/// How many measurements are in each of several buckets, numbered from 0. Entries are over the field of 128 bits.
public typealias Prio3Histogram = Prio3<Int, [Int64]>
/// How many measurements are true, entry by entry, of vectors of which a bounded number of entries are true. Entries are over
/// the field of 128 bits.
public typealias Prio3MultihotCountVec = Prio3<[Bool], [Int64]>

/// Limits on parameters, so that the time and memory of a report are bounded.
enum Prio3Limits {
    /// Elements of an encoded measurement.
    static let longestMeasurement = 1 << 20
    /// The largest integer of a measurement.
    static let largestMaximum: UInt64 = 1 << 62

    static func check(length: Int, maximum: UInt64 = 1) throws(Prio3Error) {
        guard maximum >= 1, maximum <= largestMaximum else { throw .parameter("maximum", expected: "1 to 2^62") }
        let bits = UInt64.bitWidth - maximum.leadingZeroBitCount
        guard length >= 1, length <= longestMeasurement / bits else {
            throw .parameter("length", expected: "1 to \(longestMeasurement / bits)")
        }
    }

    /// The chunk length for so many elements: the given one, or else one with which a proof is shortest. A proof has 2 c
    /// wire seeds and 2 p - 1 values, where p is a power of two and at most p - 1 chunks of length c are needed.
    static func chunkLength(_ given: Int?, for length: Int) throws(Prio3Error) -> Int {
        if let given {
            guard given >= 1, given <= length else { throw .parameter("chunkLength", expected: "1 to \(length)") }
            return given
        }
        var (best, shortest, power) = (length, Int.max, 2)
        while power <= 2 * length {
            let chunk = (length + power - 2) / (power - 1)
            if 2 * chunk + 2 * power < shortest { (best, shortest) = (chunk, 2 * chunk + 2 * power) }
            power *= 2
        }
        return best
    }
}

extension Prio3 where Measurement == Bool, Aggregate == Int64 {
    /// Prio3Count (draft, section 7.4.1).
    ///
    /// Throws `parameter` for shares that are not 2 to 255 and a context of more than 65,527 bytes.
    public init(shares: Int = 2, context: [UInt8]) throws(Prio3Error) {
        try self.init(CountCircuit(), algorithm: 1, among: shares, context: context)
    }
}

extension Prio3 where Measurement == UInt64, Aggregate == Int64 {
    /// Prio3Sum (draft, section 7.4.2) of integers from 0 to `maximum`, which is from 1 to 2^62.
    ///
    /// Throws `parameter` for another maximum, shares that are not 2 to 255 and a context of more than 65,527 bytes.
    public init(maximum: UInt64, shares: Int = 2, context: [UInt8]) throws(Prio3Error) {
        try Prio3Limits.check(length: 1, maximum: maximum)
        try self.init(SumCircuit(maximum: maximum), algorithm: 2, among: shares, context: context)
    }
}

extension Prio3 where Measurement == [UInt64], Aggregate == [Int64] {
    /// Prio3SumVec (draft, section 7.4.3) of vectors of `length` integers from 0 to `maximum`, which is from 1 to 2^62. With the
    /// b bits of the maximum, `length` b is at most 2^20.
    ///
    /// - Parameter chunkLength: Elements that are checked together, from 1 to `length` b; it trades the size and time of a
    ///   proof, and all parties must have the same. By default one with which a report is smallest.
    /// - Throws: `parameter` for one out of range, shares that are not 2 to 255 and a context of more than 65,527 bytes.
    public init(
        length: Int, maximum: UInt64, chunkLength: Int? = nil, shares: Int = 2, context: [UInt8]
    ) throws(Prio3Error) {
        try Prio3Limits.check(length: length, maximum: maximum)
        let bits = UInt64.bitWidth - maximum.leadingZeroBitCount
        let chunkLength = try Prio3Limits.chunkLength(chunkLength, for: length * bits)
        let circuit = SumVecCircuit(length: length, maximum: maximum, chunkLength: chunkLength)
        try self.init(circuit, algorithm: 3, among: shares, context: context)
    }
}

extension Prio3 where Measurement == Int, Aggregate == [Int64] {
    /// Prio3Histogram (draft, section 7.4.4) of `length` buckets, which are at most 2^20.
    ///
    /// - Parameter chunkLength: Buckets that are checked together, from 1 to `length`; it trades the size and time of a proof,
    ///   and all parties must have the same. By default one with which a report is smallest.
    /// - Throws: `parameter` for one out of range, shares that are not 2 to 255 and a context of more than 65,527 bytes.
    public init(length: Int, chunkLength: Int? = nil, shares: Int = 2, context: [UInt8]) throws(Prio3Error) {
        try Prio3Limits.check(length: length)
        let chunkLength = try Prio3Limits.chunkLength(chunkLength, for: length)
        let circuit = HistogramCircuit(length: length, chunkLength: chunkLength)
        try self.init(circuit, algorithm: 4, among: shares, context: context)
    }
}

extension Prio3 where Measurement == [Bool], Aggregate == [Int64] {
    /// Prio3MultihotCountVec (draft, section 7.4.5) of vectors of `length` entries, fewer than 2^20, of which at most
    /// `maximumWeight` are true.
    ///
    /// - Parameter chunkLength: Elements that are checked together, from 1 to `length` and the bits of the weight; it trades the
    ///   size and time of a proof, and all parties must have the same. By default one with which a report is smallest.
    /// - Throws: `parameter` for one out of range, shares that are not 2 to 255 and a context of more than 65,527 bytes.
    public init(
        length: Int, maximumWeight: Int, chunkLength: Int? = nil, shares: Int = 2, context: [UInt8]
    ) throws(Prio3Error) {
        guard length >= 1, length < Prio3Limits.longestMeasurement - 20 else {
            throw .parameter("length", expected: "1 to \(Prio3Limits.longestMeasurement - 21)")
        }
        guard maximumWeight >= 1, maximumWeight <= length else {
            throw .parameter("maximumWeight", expected: "1 to \(length)")
        }
        let bits = Int.bitWidth - maximumWeight.leadingZeroBitCount
        let chunkLength = try Prio3Limits.chunkLength(chunkLength, for: length + bits)
        let circuit = MultihotCountVecCircuit(length: length, maximumWeight: maximumWeight, chunkLength: chunkLength)
        try self.init(circuit, algorithm: 5, among: shares, context: context)
    }
}
