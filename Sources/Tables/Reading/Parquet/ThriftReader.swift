/// Reads the compact protocol of Apache Thrift, in which a Parquet file has its footer and the headers of its pages.
///
/// Whatever the bytes are, it reads no more than there are, nests no deeper than `largestDepth` and believes no length
/// that goes beyond the end.
struct ThriftReader {
    enum Kind: UInt8 {
        case yes = 1
        case no
        case byte
        case short
        case int
        case long
        case double
        case binary
        case list
        case set
        case map
        case structure
        case uuid
    }

    private let bytes: UnsafeRawBufferPointer
    private(set) var place = 0
    private var depth = 0
    static let largestDepth = 24

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Goes through a structure's fields; `body` reads the field with that number and kind and says so, or it is skipped.
    mutating func fields(
        _ body: (Int, Kind, inout ThriftReader) throws(ParquetError) -> Bool
    ) throws(ParquetError) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.largestDepth else { throw ParquetError("its metadata are nested too deeply") }
        var number = 0
        while true {
            let head = try byte()
            if head == 0 { return }
            guard let kind = Kind(rawValue: head & 0x0f) else { throw Self.damaged }
            number = head >> 4 == 0 ? Int(truncatingIfNeeded: try zigzag()) : number + Int(head >> 4)
            guard (0...Int(Int16.max)).contains(number) else { throw Self.damaged }
            if !(try body(number, kind, &self)) { try skip(kind) }
        }
    }

    /// Goes through a list's elements, which must be of that kind.
    mutating func list(
        _ kind: Kind, of wanted: Kind, _ body: (inout ThriftReader) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        guard kind == .list || kind == .set else { throw Self.damaged }
        let (count, element) = try listHead()
        guard count > 0 else { return }
        guard element == wanted else { throw Self.damaged }
        for _ in 0..<count { try body(&self) }
    }

    mutating func integer(_ kind: Kind) throws(ParquetError) -> Int {
        switch kind {
        case .byte: return Int(Int8(bitPattern: try byte()))
        case .short, .int, .long: return Int(truncatingIfNeeded: try zigzag())
        default: throw Self.damaged
        }
    }

    func boolean(_ kind: Kind) throws(ParquetError) -> Bool {
        guard kind == .yes || kind == .no else { throw Self.damaged }
        return kind == .yes
    }

    mutating func string(_ kind: Kind) throws(ParquetError) -> String {
        guard kind == .binary else { throw Self.damaged }
        let count = try length()
        let text = String(decoding: bytes[place..<place + count], as: UTF8.self)
        place += count
        return text
    }

    // MARK: -

    private static let damaged = ParquetError("its metadata are damaged")

    private mutating func byte() throws(ParquetError) -> UInt8 {
        guard place < bytes.count else { throw .endsEarly }
        place += 1
        return bytes[place - 1]
    }

    private mutating func varint() throws(ParquetError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let next = try byte()
            value |= UInt64(next & 0x7f) &<< shift
            if next < 0x80 { return value }
        }
        throw Self.damaged
    }

    private mutating func zigzag() throws(ParquetError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A length in bytes, all of which are there.
    private mutating func length() throws(ParquetError) -> Int {
        let count = try varint()
        guard count <= UInt64(bytes.count - place) else { throw .endsEarly }
        return Int(count)
    }

    /// The number of a list's elements, each of which takes a byte at least, and their kind.
    private mutating func listHead() throws(ParquetError) -> (count: Int, element: Kind) {
        let head = try byte()
        guard let element = Kind(rawValue: head & 0x0f) else { throw Self.damaged }
        guard head >> 4 == 15 else { return (Int(head >> 4), element) }
        return (try length(), element)
    }

    private mutating func skip(_ kind: Kind) throws(ParquetError) {
        switch kind {
        case .yes, .no: break
        case .byte: _ = try byte()
        case .short, .int, .long: _ = try varint()
        case .double: try skip(bytes: 8)
        case .uuid: try skip(bytes: 16)
        case .binary: place += try length()
        case .structure: try fields { (_, _, _) throws(ParquetError) in false }
        case .list, .set:
            let (count, element) = try listHead()
            try skip(elements: count, [element])
        case .map:
            let count = try length()
            guard count > 0 else { return }
            let kinds = try byte()
            guard let key = Kind(rawValue: kinds >> 4), let value = Kind(rawValue: kinds & 0x0f) else {
                throw Self.damaged
            }
            try skip(elements: count, [key, value])
        }
    }

    private mutating func skip(elements count: Int, _ kinds: [Kind]) throws(ParquetError) {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.largestDepth else { throw ParquetError("its metadata are nested too deeply") }
        for _ in 0..<count {
            // A truth value takes a byte here, and none as a field.
            for kind in kinds { try skip(kind == .yes || kind == .no ? .byte : kind) }
        }
    }

    private mutating func skip(bytes count: Int) throws(ParquetError) {
        guard count <= bytes.count - place else { throw .endsEarly }
        place += count
    }
}
