/// What a column of a Parquet file holds.
enum ParquetKind: Sendable, Hashable {
    case boolean
    case integer
    /// Of 32 or 64 bits.
    case unsigned(bits: Int)
    case single
    case double
    case half
    case decimal(scale: Int)
    case text
    case uuid
    case date
    case timestamp(ticksPerSecond: Int64)
    /// The Julian day and the nanoseconds of the day, in 12 bytes.
    case timestamp96

    /// The largest decimal: what 256 bits hold.
    static let largestPrecision = 76

    /// nil where it is not read.
    fileprivate init?(_ element: ParquetMetadata.Element, _ physical: ParquetMetadata.Physical) {
        switch (physical, element.logical) {
        case (.boolean, nil): self = .boolean
        case (.int32, nil), (.int64, nil): self = .integer
        case (.int32, .integer(let bits, let isSigned)) where bits <= 32:
            self = isSigned ? .integer : .unsigned(bits: 32)
        case (.int64, .integer(_, let isSigned)): self = isSigned ? .integer : .unsigned(bits: 64)
        case (.float, nil): self = .single
        case (.double, nil): self = .double
        case (.fixed, .half) where element.length == 2: self = .half
        case (.bytes, nil), (.bytes, .text): self = .text
        case (.fixed, .uuid) where element.length == 16: self = .uuid
        case (.int32, .date): self = .date
        case (.int64, .timestamp(let ticks)): self = .timestamp(ticksPerSecond: ticks)
        case (.int96, _): self = .timestamp96
        case (.int32, .decimal(let scale, let precision)), (.int64, .decimal(let scale, let precision)),
            (.bytes, .decimal(let scale, let precision)), (.fixed, .decimal(let scale, let precision)):
            guard scale >= 0, scale <= precision, precision <= Self.largestPrecision,
                physical != .fixed || element.length <= BigDecimal.largestBytes
            else { return nil }
            self = .decimal(scale: scale)
        default: return nil
        }
    }

    /// The type that a draft declares.
    fileprivate func type(_ element: ParquetMetadata.Element) -> ValueType {
        switch self {
        case .boolean: return .boolean
        case .integer, .unsigned: return .integer
        case .single, .double, .half: return .real
        case .decimal:
            if case .decimal(0, let precision) = element.logical, precision <= 18 { return .integer }
            return .real
        case .text, .uuid: return .text
        case .date: return .date
        case .timestamp, .timestamp96: return .timestamp
        }
    }

    /// The types as which a manifest may declare it.
    var types: Set<ValueType> {
        switch self {
        case .boolean: [.boolean, .text]
        case .integer, .unsigned, .decimal: [.integer, .real, .boolean, .text]
        case .single, .double, .half: [.real, .integer, .boolean]
        case .text: Set(ValueType.allCases)
        case .uuid: [.text]
        case .date, .timestamp, .timestamp96: self == .date ? [.date, .timestamp, .text] : [.timestamp, .date]
        }
    }
}

/// A column of a Parquet file: what is public of it, without a row.
public struct ParquetColumn: Sendable, Hashable {
    /// Its name in the file.
    public let name: String
    /// The type as which a draft declares it; nil where it is not read.
    public let type: ValueType?
    /// What it holds in the file's own words, for errors.
    public let words: String
    /// Its place among the columns that hold values.
    let leaf: Int
    let kind: ParquetKind?
    let physical: ParquetMetadata.Physical
    let length: Int
    let isOptional: Bool

    /// A column without columns below it.
    fileprivate init(_ element: ParquetMetadata.Element, leaf: Int) throws(ParquetError) {
        guard let physical = element.physical.flatMap(ParquetMetadata.Physical.init) else {
            throw ParquetError("its schema is damaged", column: element.name)
        }
        guard physical != .fixed || element.length > 0 else {
            throw ParquetError("its schema is damaged", column: element.name)
        }
        name = element.name
        self.leaf = leaf
        self.physical = physical
        length = physical == .int96 ? 12 : element.length
        isOptional = element.repetition != 0
        kind = element.repetition == 2 ? nil : ParquetKind(element, physical)
        type = kind?.type(element)
        words = element.repetition == 2 ? "repeated values" : Self.words(element, physical)
    }

    /// A column of columns: not read.
    fileprivate init(nested name: String, leaf: Int) {
        (self.name, self.leaf, length, isOptional) = (name, leaf, 0, true)
        (kind, type, physical) = (nil, nil, .bytes)
        words = "nested columns"
    }

    private static func words(_ element: ParquetMetadata.Element, _ physical: ParquetMetadata.Physical) -> String {
        let plain = ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"]
        switch element.logical {
        case nil: return plain[physical.rawValue]
        case .text: return "STRING"
        case .decimal(let scale, let precision): return "DECIMAL(\(precision), \(scale))"
        case .date: return "DATE"
        case .timestamp: return "TIMESTAMP"
        case .integer(let bits, let isSigned): return (isSigned ? "INT_" : "UINT_") + "\(bits)"
        case .uuid: return "UUID"
        case .half: return "FLOAT16"
        case .other(let name): return name
        }
    }

    /// The top level of a schema, and how many columns hold values. The elements are a tree in prefix order.
    static func columns(
        of elements: [ParquetMetadata.Element]
    ) throws(ParquetError) -> (columns: [ParquetColumn], leaves: Int) {
        guard let root = elements.first, root.children >= 0 else { throw ParquetError("its schema is missing") }
        var columns: [ParquetColumn] = []
        var (place, leaves) = (1, 0)
        for _ in 0..<Swift.min(root.children, elements.count) {
            guard place < elements.count else { break }
            let element = elements[place]
            if element.children == 0, element.physical != nil {
                columns.append(try ParquetColumn(element, leaf: leaves))
                place += 1
                leaves += 1
            } else {
                columns.append(ParquetColumn(nested: element.name, leaf: leaves))
                let end = try subtreeEnd(elements, place)
                leaves += elements[place..<end].count { $0.children == 0 && $0.physical != nil }
                place = end
            }
        }
        guard columns.count == root.children, place == elements.count, leaves > 0 else {
            throw ParquetError("its schema is damaged, or without columns")
        }
        return (columns, leaves)
    }

    private static func subtreeEnd(
        _ elements: [ParquetMetadata.Element], _ start: Int
    ) throws(ParquetError) -> Int {
        var place = start
        var open = 1
        while open > 0 {
            guard place < elements.count else { throw ParquetError("its schema is damaged") }
            let children = elements[place].children
            guard (0...elements.count).contains(children) else { throw ParquetError("its schema is damaged") }
            open += children - 1
            place += 1
        }
        return place
    }
}
