import Tables

/// The names that SQL text gives to types and date parts.
enum TypeName {
    static func type(_ name: String) -> ValueType? {
        switch name.uppercased() {
        case "INTEGER", "INT", "BIGINT", "SMALLINT", "TINYINT", "INT2", "INT4", "INT8", "SIGNED": .integer
        case "REAL", "DOUBLE", "FLOAT", "FLOAT4", "FLOAT8", "NUMERIC", "DECIMAL": .real
        case "TEXT", "VARCHAR", "CHAR", "STRING", "CHARACTER": .text
        case "BOOLEAN", "BOOL": .boolean
        case "DATE": .date
        case "TIMESTAMP", "DATETIME": .timestamp
        default: nil
        }
    }

    static func datePart(_ name: String) -> DatePart? {
        switch name.uppercased() {
        case "YEAR": .year
        case "QUARTER": .quarter
        case "MONTH": .month
        case "WEEK": .week
        case "DAY", "DAYOFMONTH": .day
        case "DOW", "ISODOW", "DAYOFWEEK", "DAY_OF_WEEK": .dayOfWeek
        case "DOY", "DAYOFYEAR", "DAY_OF_YEAR": .dayOfYear
        case "HOUR": .hour
        case "MINUTE": .minute
        case "SECOND": .second
        default: nil
        }
    }

    static func words(_ type: ValueType) -> String {
        switch type {
        case .integer: "an integer"
        case .real: "a number"
        case .text: "text"
        case .boolean: "a boolean"
        case .date: "a date"
        case .timestamp: "a timestamp"
        }
    }
}
