/// Decodes a page's values that are bytes, one after the other: each is valid only while it is looked at.
struct BytesDecoder {
    private enum Form {
        case plain
        case fixed(Int)
        case lengths
        case prefixed
        case split(width: Int, count: Int)
        case dictionary
    }

    private let form: Form
    private let bytes: UnsafeRawBufferPointer
    /// Where the next value is, or how many are done where all have one width.
    private var place = 0
    private var lengths: DeltaDecoder?
    private var prefixes: DeltaDecoder?
    /// The last value, whose beginning the next one may repeat; and how many bytes such values took together.
    private var last: [UInt8] = []
    private var made = 0
    private var hybrid: HybridDecoder
    private let dictionary: ParquetDictionary
    private let indices = Scratch<UInt32>()
    /// The most bytes of all values of a page together. Values that repeat the beginning of the one before can take
    /// more than their page.
    static let largestValues = 256 << 20

    /// `width`: of values that all have it; nil: of any length.
    init(
        _ bytes: UnsafeRawBufferPointer, _ encoding: ParquetEncoding, width: Int?, count: Int,
        dictionary: ParquetDictionary
    ) throws(ParquetError) {
        self.dictionary = dictionary
        var (content, bits) = (bytes, 0)
        switch encoding {
        case .plain: form = width.map(Form.fixed) ?? .plain
        case .deltaLengths where width == nil:
            form = .lengths
            if count > 0 {
                let delta = try DeltaDecoder(bytes)
                (lengths, place) = (delta, try delta.end())
            }
        case .deltaBytes:
            form = .prefixed
            if count > 0 {
                let delta = try DeltaDecoder(bytes)
                let start = try delta.end()
                let suffixes = try DeltaDecoder(UnsafeRawBufferPointer(rebasing: bytes[start...]))
                (prefixes, lengths, place) = (delta, suffixes, start + (try suffixes.end()))
            }
        case .split where width != nil:
            guard let width, bytes.count == count.multipliedReportingOverflow(by: width).partialValue else {
                throw .endsEarly
            }
            form = .split(width: width, count: count)
            last = Array(repeating: 0, count: width)
        case .dictionary:
            (content, bits) = try ParquetEncoding.indices(bytes, count: count)
            form = .dictionary
        default: throw encoding.unknown
        }
        hybrid = HybridDecoder(content, width: bits)
        self.bytes = content
    }

    /// Calls `body` with the next values, and with each value's number in the dictionary, if it comes from one.
    mutating func next(
        _ count: Int, _ body: (UnsafeRawBufferPointer, _ number: Int?) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        if case .dictionary = form {
            indices.reserve(count)
            try hybrid.next(count, into: indices.start)
            for i in 0..<count {
                let index = Int(indices.start[i])
                try body(try dictionary.value(index), index)
            }
            return
        }
        for _ in 0..<count {
            switch form {
            case .plain:
                guard bytes.count - place >= 4 else { throw .endsEarly }
                let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                place += 4
                try body(try take(Int(length)), nil)
            case .fixed(let width): try body(try take(width), nil)
            case .lengths:
                guard let length = try lengths?.next() else { throw .endsEarly }
                try body(try take(Int(length)), nil)
            case .prefixed:
                try nextPrefixed()
                try Self.look(at: last, body)
            case .split(let width, let all):
                guard place < all else { throw .endsEarly }
                for byte in 0..<width { last[byte] = bytes[byte * all + place] }
                place += 1
                try Self.look(at: last, body)
            case .dictionary: break
            }
        }
    }

    private static func look(
        at value: [UInt8], _ body: (UnsafeRawBufferPointer, _ number: Int?) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        let result = value.withUnsafeBytes { bytes -> Result<Void, ParquetError> in
            do throws(ParquetError) {
                return .success(try body(bytes, nil))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private mutating func take(_ length: Int) throws(ParquetError) -> UnsafeRawBufferPointer {
        guard length >= 0, length <= bytes.count - place else { throw .endsEarly }
        place += length
        return UnsafeRawBufferPointer(rebasing: bytes[place - length..<place])
    }

    private mutating func nextPrefixed() throws(ParquetError) {
        guard let prefix = try prefixes?.next(), let length = try lengths?.next() else { throw .endsEarly }
        guard prefix >= 0, prefix <= Int64(last.count) else { throw ParquetError("its DELTA_BYTE_ARRAY is damaged") }
        let suffix = try take(Int(length))
        last.removeLast(last.count - Int(prefix))
        last.append(contentsOf: suffix)
        made += last.count
        guard made <= Self.largestValues else {
            throw ParquetError("its texts take more than \(Self.largestValues >> 20) MB")
        }
    }
}

/// A dictionary page's values that are bytes.
struct ParquetDictionary {
    private let page: ColumnBytes
    /// Where each value begins and ends.
    private let places: [(start: Int32, end: Int32)]

    var count: Int { places.count }

    init() {
        (page, places) = (ColumnBytes([]), [])
    }

    /// `width`: of values that all have it.
    init(_ page: ColumnBytes, width: Int?, count: Int) throws(ParquetError) {
        self.page = page
        places = try page.withBytes { bytes throws(ParquetError) in
            var places: [(start: Int32, end: Int32)] = []
            // Each takes four bytes, or its width, which is more than nothing.
            guard count >= 0, count <= bytes.count / (width ?? 4) else { throw .endsEarly }
            places.reserveCapacity(count)
            var place = 0
            for _ in 0..<count {
                var length = width ?? 0
                if width == nil {
                    guard bytes.count - place >= 4 else { throw .endsEarly }
                    length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
                    place += 4
                }
                guard length <= bytes.count - place else { throw .endsEarly }
                places.append((Int32(place), Int32(place + length)))
                place += length
            }
            return places
        }
    }

    @inline(__always)
    func value(_ index: Int) throws(ParquetError) -> UnsafeRawBufferPointer {
        guard index < places.count else { throw ParquetEncoding.beyondDictionary }
        let (start, end) = places[index]
        return UnsafeRawBufferPointer(start: page.start + Int(start), count: Int(end - start))
    }
}

/// How values are written in a page.
enum ParquetEncoding: Equatable {
    case plain
    case hybrid
    case dictionary
    case delta
    case deltaLengths
    case deltaBytes
    case split
    case other(Int)

    init(_ number: Int) {
        switch number {
        case 0: self = .plain
        case 2, 8: self = .dictionary
        case 3: self = .hybrid
        case 5: self = .delta
        case 6: self = .deltaLengths
        case 7: self = .deltaBytes
        case 9: self = .split
        default: self = .other(number)
        }
    }

    /// The error for a type that is not read in this encoding.
    var unknown: ParquetError {
        let name =
            switch self {
            case .plain: "PLAIN"
            case .hybrid: "RLE"
            case .dictionary: "RLE_DICTIONARY"
            case .delta: "DELTA_BINARY_PACKED"
            case .deltaLengths: "DELTA_LENGTH_BYTE_ARRAY"
            case .deltaBytes: "DELTA_BYTE_ARRAY"
            case .split: "BYTE_STREAM_SPLIT"
            case .other(let number): number == 4 ? "BIT_PACKED" : "number \(number)"
            }
        return ParquetError("values of its type are not read in the encoding \(name)")
    }

    static let beyondDictionary = ParquetError("a value is not in its dictionary")

    /// A page's indices of a dictionary behind their width, which is a byte.
    static func indices(
        _ bytes: UnsafeRawBufferPointer, count: Int
    ) throws(ParquetError) -> (UnsafeRawBufferPointer, width: Int) {
        guard let width = bytes.first else {
            if count > 0 { throw .endsEarly }
            return (bytes, 0)
        }
        guard width <= 32 else { throw ParquetError("the width of its dictionary's indices is damaged") }
        return (UnsafeRawBufferPointer(rebasing: bytes.dropFirst()), Int(width))
    }
}
