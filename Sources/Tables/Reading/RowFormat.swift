/// How a file's bytes become rows of a plan's columns.
public enum RowFormat: Sendable {
    /// Separated values.
    case csv(CSVLayout)
    /// One JSON object a line.
    case ndjson(NDJSONLayout)
}
