/// How a file's bytes become rows of a plan's columns.
public enum RowFormat: Sendable {
    case csv(CSVLayout)
    case ndjson(NDJSONLayout)
}
