/// The type of a column or expression.
public enum ValueType: String, Sendable, Hashable, Codable, CaseIterable {
    /// A whole number from -(2^63 - 1) to 2^63 - 1.
    case integer
    /// An IEEE 754 number of 64 bits; finite.
    case real
    /// Unicode text in normalisation form C.
    case text
    /// True or false.
    case boolean
    /// Days since 1970-01-01 (proleptic Gregorian calendar).
    case date
    /// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
    case timestamp
}

/// One typed value. Rows of private tables are never made of these: they are for literals, public domains, keys of a
/// release and mock data.
public enum Value: Sendable, Hashable {
    /// No value.
    case null
    /// A whole number from -(2^63 - 1) to 2^63 - 1.
    case integer(Int64)
    /// A finite number.
    case real(Double)
    /// Unicode text.
    case text(String)
    /// True or false.
    case boolean(Bool)
    /// Days since 1970-01-01.
    case date(Int64)
    /// Seconds since 1970-01-01T00:00:00Z.
    case timestamp(Int64)
}
