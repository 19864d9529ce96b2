/// The type of a column or expression.
public enum ValueType: String, Sendable, Hashable, Codable, CaseIterable {
    case integer
    case real
    case text
    case boolean
    /// Days since 1970-01-01 (proleptic Gregorian calendar).
    case date
    /// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
    case timestamp
}

/// One typed value. Rows of private tables are never made of these: they are for literals, public domains, keys of a
/// release and mock data.
public enum Value: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case boolean(Bool)
    case date(Int64)
    case timestamp(Int64)
}
