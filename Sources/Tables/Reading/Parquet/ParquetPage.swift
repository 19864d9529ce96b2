/// A page's header.
struct ParquetPageHeader {
    enum Kind {
        case data
        case dictionary
        case data2
        /// An index, which is skipped.
        case index
    }

    var kind = Kind.index
    var size = -1
    var storedSize = -1
    /// The CRC-32 of what is stored, where the writer noted it.
    var checksum: UInt32?
    var values = -1
    var encoding = ParquetEncoding.other(-1)
    /// In a page of version 1.
    var levelEncoding = 3
    /// In a page of version 2: the bytes of levels before the values, which alone are compressed.
    var repetitionBytes = 0
    var definitionBytes = 0
    var isCompressed = true

    /// A larger page is refused, and so is a longer header.
    static let largestPage = 256 << 20
    static let largestHeader = 16 << 20

    /// What the header itself takes.
    private(set) var byteCount = 0

    /// Reads the header that is at the start of the bytes.
    init(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        var reader = ThriftReader(bytes)
        var type = -1
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1: type = try reader.integer(kind)
            case 2: size = try reader.integer(kind)
            case 3: storedSize = try reader.integer(kind)
            case 4: checksum = UInt32(truncatingIfNeeded: try reader.integer(kind))
            case 5 where kind == .structure: try readData(&reader)
            case 7 where kind == .structure: try readDictionary(&reader)
            case 8 where kind == .structure: try readData2(&reader)
            default: return false
            }
            return true
        }
        byteCount = reader.place
        switch type {
        case 0: kind = .data
        case 1: kind = .index
        case 2: kind = .dictionary
        case 3: kind = .data2
        default: throw ParquetError("it is of no known kind")
        }
        guard size >= 0, storedSize >= 0, size <= Self.largestPage, storedSize <= Self.largestPage else {
            throw ParquetError(
                "it is larger than \(Self.largestPage >> 20) MB, or damaged: write it with smaller pages")
        }
        guard type == 1 || values >= 0, repetitionBytes >= 0, definitionBytes >= 0,
            repetitionBytes <= size, definitionBytes <= size - repetitionBytes
        else { throw ParquetError("its header is damaged") }
    }

    private mutating func readData(_ reader: inout ThriftReader) throws(ParquetError) {
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1: values = try reader.integer(kind)
            case 2: encoding = ParquetEncoding(try reader.integer(kind))
            case 3: levelEncoding = try reader.integer(kind)
            default: return false
            }
            return true
        }
    }

    private mutating func readDictionary(_ reader: inout ThriftReader) throws(ParquetError) {
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1: values = try reader.integer(kind)
            case 2: encoding = ParquetEncoding(try reader.integer(kind))
            default: return false
            }
            return true
        }
    }

    private mutating func readData2(_ reader: inout ThriftReader) throws(ParquetError) {
        try reader.fields { (number, kind, reader) throws(ParquetError) in
            switch number {
            case 1: values = try reader.integer(kind)
            case 4: encoding = ParquetEncoding(try reader.integer(kind))
            case 5: definitionBytes = try reader.integer(kind)
            case 6: repetitionBytes = try reader.integer(kind)
            case 7: isCompressed = try reader.boolean(kind)
            default: return false
            }
            return true
        }
    }
}

/// What a row group's pages and dictionaries take in memory, all columns together: more than `largest` is refused, whatever
/// their headers say.
final class ParquetMemory {
    private var held = 0
    /// Bytes of texts since the last rows were done with.
    var texts = 0
    static let largest = 512 << 20

    func take(_ bytes: Int) throws(ParquetError) {
        held += bytes
        guard held <= Self.largest else {
            throw ParquetError(
                "the pages of its columns that are read together take more than \(Self.largest >> 20) MB: write it with smaller pages"
            )
        }
    }

    func giveBack(_ bytes: Int) {
        held -= bytes
    }

    func countText(_ bytes: Int) throws(ParquetError) {
        texts += bytes
        guard texts <= Self.largest else {
            throw ParquetError("its texts of \(RowBatch.capacity) rows take more than \(Self.largest >> 20) MB")
        }
    }
}

/// Goes through the pages of a row group's column.
struct ParquetPages {
    private let file: ParquetFile
    private let codec: ParquetCodec
    private let memory: ParquetMemory
    private var place: Int
    private let end: Int
    /// Old writers left a dictionary's header out of the size of a column (PARQUET-816).
    private static let forgottenBytes = 100
    /// The number of the page that was read last, from 1.
    private(set) var number = 0

    init(_ file: ParquetFile, _ chunk: ParquetMetadata.Chunk, _ memory: ParquetMemory) throws(ParquetError) {
        guard chunk.start >= ParquetFile.magic.count, chunk.byteCount >= 0, chunk.start <= file.pagesEnd,
            chunk.byteCount <= file.pagesEnd - chunk.start
        else { throw ParquetError("its pages are not within the file") }
        self.file = file
        self.memory = memory
        codec = try ParquetCodec(chunk.codec)
        (place, end) = (chunk.start, Swift.min(chunk.start + chunk.byteCount + Self.forgottenBytes, file.pagesEnd))
    }

    /// The next page and what is in it: its levels as they are, its values inflated.
    struct Page {
        var header: ParquetPageHeader
        /// Levels of a page of version 2, repetition levels first.
        var levels: ColumnBytes?
        var values: ColumnBytes
        /// The bytes that the page takes, to be given back to `ParquetMemory`.
        var taken: Int
    }

    mutating func next() throws -> Page {
        while true {
            let header = try readHeader()
            guard header.storedSize <= end - place else { throw ParquetError.endsEarly }
            let start = place
            place += header.storedSize
            if header.kind == .index { continue }
            let taken = header.size + header.storedSize
            try memory.take(taken)
            let levelBytes = header.kind == .data2 ? header.repetitionBytes + header.definitionBytes : 0
            guard levelBytes <= header.storedSize else { throw ParquetError("its header is damaged") }
            let levels = levelBytes > 0 ? try file.source.read(start..<start + levelBytes) : nil
            let stored = try file.source.read(start + levelBytes..<place)
            try check(header, levels, stored)
            let values = try inflate(stored, size: header.size - levelBytes, isCompressed: header.isCompressed)
            return Page(header: header, levels: levels, values: values, taken: taken)
        }
    }

    /// How long a header is shows only when it is read: where the bytes at hand end inside it, more are read.
    private mutating func readHeader() throws -> ParquetPageHeader {
        guard place < end else { throw ParquetError.endsEarly }
        number += 1
        var window = 1 << 9
        while true {
            let last = Swift.min(end, place + window)
            let bytes = try file.source.read(place..<last)
            let (header, failure) = Self.header(bytes)
            if let header {
                place += header.byteCount
                return header
            }
            guard failure == .endsEarly, last < end, window < ParquetPageHeader.largestHeader else {
                throw failure ?? .endsEarly
            }
            window *= 32
        }
    }

    private static func header(_ bytes: ColumnBytes) -> (ParquetPageHeader?, ParquetError?) {
        bytes.withBytes { bytes in
            do throws(ParquetError) { return (try ParquetPageHeader(bytes), nil) } catch { return (nil, error) }
        }
    }

    private func check(
        _ header: ParquetPageHeader, _ levels: ColumnBytes?, _ values: ColumnBytes
    ) throws(ParquetError) {
        guard let noted = header.checksum else { return }
        let first = levels?.withBytes { file.source.checksum(0, $0) } ?? 0
        guard values.withBytes({ file.source.checksum(first, $0) }) == noted else {
            throw ParquetError("its checksum differs: it is damaged")
        }
    }

    private func inflate(_ stored: ColumnBytes, size: Int, isCompressed: Bool) throws(ParquetError) -> ColumnBytes {
        guard codec != .none, isCompressed else {
            guard stored.count == size else { throw ParquetError("its size differs from what its header says") }
            return stored
        }
        // Some writers do not compress a page without values.
        guard size > 0 || stored.count > 0 else { return stored }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Swift.max(size, 1), alignment: 64)
        let values = ColumnBytes(owning: memory, count: size)
        let target = UnsafeMutableRawBufferPointer(start: memory, count: size)
        let isWhole = stored.withBytes { bytes in
            switch codec {
            case .none: false
            case .snappy: Snappy.inflate(bytes, into: target)
            case .library(let compression): file.source.inflate(compression, bytes, target)
            }
        }
        guard isWhole else { throw ParquetError("its compressed data are damaged") }
        return values
    }
}
