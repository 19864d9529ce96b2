/// What a Parquet file's footer says, as far as it is needed (parquet.thrift of apache/parquet-format; so are the numbers
/// of fields below).
struct ParquetMetadata {
    /// How values lie in a page.
    enum Physical: Int, Sendable {
        case boolean
        case int32
        case int64
        case int96
        case float
        case double
        case bytes
        case fixed
    }

    /// What values mean.
    enum Logical: Sendable, Hashable {
        case text
        case decimal(scale: Int, precision: Int)
        case date
        case timestamp(ticksPerSecond: Int64)
        case integer(bits: Int, isSigned: Bool)
        case uuid
        case half
        /// By its name.
        case other(String)
    }

    struct Element {
        var name = ""
        var physical: Int?
        var length = 0
        /// 0 required, 1 optional, 2 repeated.
        var repetition = 0
        var children = 0
        var logical: Logical?
        var converted: Int?
        var scale = 0
        var precision = 0
    }

    struct Chunk {
        var physical = -1
        var codec = -1
        var values = 0
        var start = 0
        var byteCount = 0
    }

    struct RowGroup {
        var rows = 0
        var chunks: [Chunk] = []
    }

    var elements: [Element] = []
    var rows = 0
    var rowGroups: [RowGroup] = []

    static let largestElements = 100_000

    init(_ footer: UnsafeRawBufferPointer) throws(ParquetError) {
        var reader = ThriftReader(footer)
        var isEncrypted = false
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 2:
                try reader.list(kind, of: .structure) { (reader) throws(ParquetError) in
                    guard elements.count < Self.largestElements else {
                        throw ParquetError("it has more than \(Self.largestElements) columns")
                    }
                    elements.append(try Element(&reader))
                }
            case 3: rows = try reader.integer(kind)
            case 4:
                try reader.list(kind, of: .structure) { (reader) throws(ParquetError) in
                    rowGroups.append(try RowGroup(&reader))
                }
            case 8:
                isEncrypted = true
                return false
            default: return false
            }
            return true
        }
        guard !isEncrypted else { throw Self.encrypted }
    }

    static let encrypted = ParquetError("it is encrypted: decrypt it first")
}

extension ParquetMetadata.Element {
    init(_ reader: inout ThriftReader) throws(ParquetError) {
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1: physical = try reader.integer(kind)
            case 2: length = try reader.integer(kind)
            case 3: repetition = try reader.integer(kind)
            case 4: name = try reader.string(kind)
            case 5: children = try reader.integer(kind)
            case 6: converted = try reader.integer(kind)
            case 7: scale = try reader.integer(kind)
            case 8: precision = try reader.integer(kind)
            case 10:
                guard kind == .structure else { return false }
                logical = try ParquetMetadata.Logical(&reader)
            default: return false
            }
            return true
        }
        logical = logical ?? converted.flatMap(convertedMeaning)
    }

    /// The meaning in files that are older than logical types.
    private func convertedMeaning(_ type: Int) -> ParquetMetadata.Logical? {
        switch type {
        case 0, 4, 19: .text
        case 5: .decimal(scale: scale, precision: precision)
        case 6: .date
        case 7, 8: .other("TIME")
        case 9: .timestamp(ticksPerSecond: 1_000)
        case 10: .timestamp(ticksPerSecond: 1_000_000)
        case 11...14: .integer(bits: 8 << (type - 11), isSigned: false)
        case 15...18: .integer(bits: 8 << (type - 15), isSigned: true)
        case 20: .other("BSON")
        case 21: .other("INTERVAL")
        default: nil
        }
    }
}

extension ParquetMetadata.Logical {
    init(_ reader: inout ThriftReader) throws(ParquetError) {
        var meaning: Self?
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            guard kind == .structure else { return false }
            switch number {
            case 1, 4, 12: meaning = .text
            case 5:
                let numbers = try Self.numbers(&reader)
                meaning = .decimal(scale: numbers.first, precision: numbers.second)
                return true
            case 6: meaning = .date
            case 8:
                meaning = .timestamp(ticksPerSecond: try Self.ticksPerSecond(&reader))
                return true
            case 10:
                let numbers = try Self.numbers(&reader)
                meaning = .integer(bits: numbers.first, isSigned: numbers.second == 1)
                return true
            case 14: meaning = .uuid
            case 15: meaning = .half
            default:
                let names = [
                    2: "MAP", 3: "LIST", 7: "TIME", 11: "UNKNOWN", 13: "BSON", 16: "VARIANT", 17: "GEOMETRY",
                    18: "GEOGRAPHY",
                ]
                meaning = .other(names[number] ?? "number \(number)")
            }
            return false
        }
        self = meaning ?? .other("without a name")
    }

    /// Two fields that are numbers, or a truth value.
    private static func numbers(_ reader: inout ThriftReader) throws(ParquetError) -> (first: Int, second: Int) {
        var result = (first: 0, second: 0)
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            guard number == 1 || number == 2 else { return false }
            let isTruth = kind == .yes || kind == .no
            let value = isTruth ? try reader.boolean(kind) ? 1 : 0 : try reader.integer(kind)
            if number == 1 { result.first = value } else { result.second = value }
            return true
        }
        return result
    }

    private static func ticksPerSecond(_ reader: inout ThriftReader) throws(ParquetError) -> Int64 {
        var ticks: Int64?
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            guard number == 2, kind == .structure else { return false }
            try reader.fields { (unit, _, _) throws(ParquetError) in
                ticks = [1: 1_000, 2: 1_000_000, 3: 1_000_000_000][unit]
                return false
            }
            return true
        }
        guard let ticks else { throw ParquetError("a timestamp's unit is none of millis, micros and nanos") }
        return ticks
    }
}

extension ParquetMetadata.RowGroup {
    init(_ reader: inout ThriftReader) throws(ParquetError) {
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1:
                try reader.list(kind, of: .structure) { (reader) throws(ParquetError) in
                    chunks.append(try ParquetMetadata.Chunk(&reader))
                }
            case 3: rows = try reader.integer(kind)
            default: return false
            }
            return true
        }
    }
}

extension ParquetMetadata.Chunk {
    init(_ reader: inout ThriftReader) throws(ParquetError) {
        var dictionary: Int?
        var hasMetadata = false
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1: throw ParquetError("its columns are in other files: only whole files are read")
            case 3 where kind == .structure:
                hasMetadata = true
                try reader.fields { (number, kind, reader) throws(ParquetError) in
                    switch number {
                    case 1: physical = try reader.integer(kind)
                    case 4: codec = try reader.integer(kind)
                    case 5: values = try reader.integer(kind)
                    case 7: byteCount = try reader.integer(kind)
                    case 9: start = try reader.integer(kind)
                    case 11: dictionary = try reader.integer(kind)
                    default: return false
                    }
                    return true
                }
            case 8, 9: throw ParquetMetadata.encrypted
            default: return false
            }
            return true
        }
        guard hasMetadata else { throw ParquetError("a column's metadata are missing") }
        // Some writers say 0 for none.
        if let dictionary, dictionary > 0, dictionary < start { start = dictionary }
    }
}
