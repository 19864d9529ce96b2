/// Aggregates as a policy names them.
public enum AggregateFunction: String, Sendable, Hashable, Codable, CaseIterable {
    /// `COUNT(*)` and `COUNT(x)`.
    case count
    /// `COUNT(DISTINCT unit)`.
    case countDistinct = "count_distinct"
    /// `SUM`.
    case sum
    /// `AVG`, `MEAN`.
    case average = "avg"
    /// `VARIANCE`, `VAR_POP`.
    case variance
    /// `STDDEV`, `STDDEV_POP`.
    case standardDeviation = "stddev"
    /// `MEDIAN`.
    case median
    /// `QUANTILE`.
    case quantile
    /// `MIN`: a quantile near the lower end.
    case minimum = "min"
    /// `MAX`: a quantile near the upper end.
    case maximum = "max"
    /// `HISTOGRAM`.
    case histogram
}
