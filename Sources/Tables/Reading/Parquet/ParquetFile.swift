/// A Parquet file whose footer was read: its columns and where their values are.
///
/// Flat columns are read (see `ParquetKind`), in all encodings but the withdrawn bit-packed levels; what else a file may
/// have is refused by name.
public struct ParquetFile: Sendable {
    /// The top level, in order.
    public let columns: [ParquetColumn]
    let source: ParquetSource
    let rowGroups: [ParquetMetadata.RowGroup]
    /// Where the footer begins: pages are before it.
    let pagesEnd: Int

    /// The number of row groups.
    public var rowGroupCount: Int { rowGroups.count }

    /// Private: for the owner only.
    public var rowCount: Int { rowGroups.reduce(0) { $0 + $1.rows } }

    /// The bytes with which a file begins and ends.
    public static let magic: [UInt8] = Array("PAR1".utf8)
    /// The bytes with which a file ends whose footer is encrypted.
    private static let encryptedMagic: [UInt8] = Array("PARE".utf8)
    /// A longer footer is refused.
    static let largestFooter = 64 << 20
    /// The most rows that a file may claim for each of its bytes; and the most that it may claim however small it is.
    /// What repeats takes next to no bytes in the file, but rows take memory once they are read.
    static let largestRatio = 200
    static let harmlessRows = 1 << 25

    /// Whether a file that begins, and ends, so is a Parquet file, whole or cut. A page's header never begins as text goes
    /// on, so that the name of a first column may begin with the magic.
    public static func isParquet(start: [UInt8], end: [UInt8] = []) -> Bool {
        guard start.starts(with: magic) || start.starts(with: encryptedMagic) else { return false }
        if end == magic || end == encryptedMagic { return true }
        guard let next = start.dropFirst(magic.count).first else { return true }
        return next < 0x20 && ![0x09, 0x0a, 0x0d].contains(next)
    }

    /// Reads the footer.
    public init(_ source: ParquetSource) throws {
        let count = source.byteCount
        guard count >= 12 else { throw ParquetError.endsEarly }
        let start = try source.read(0..<4).withBytes { Array($0) }
        let end = try source.read(count - 8..<count).withBytes { Array($0) }
        guard start == Self.magic || start == Self.encryptedMagic else {
            throw ParquetError("it does not begin with PAR1, as Parquet files do")
        }
        if end.suffix(4) == Self.encryptedMagic { throw ParquetMetadata.encrypted }
        guard end.suffix(4) == Self.magic else {
            throw ParquetError("it ends early: a whole Parquet file ends with PAR1")
        }
        let length = end.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= count - 12 else { throw ParquetError.endsEarly }
        guard length <= Self.largestFooter else {
            throw ParquetError("its footer has more than \(Self.largestFooter >> 20) MB")
        }
        let metadata = try source.read(count - 8 - length..<count - 8).withBytes { bytes throws(ParquetError) in
            try ParquetMetadata(bytes)
        }
        let (columns, leaves) = try ParquetColumn.columns(of: metadata.elements)
        try Self.check(metadata, leaves: leaves, byteCount: count)
        (self.source, self.columns, rowGroups) = (source, columns, metadata.rowGroups)
        pagesEnd = count - 8 - length
    }

    private static func check(
        _ metadata: ParquetMetadata, leaves: Int, byteCount: Int
    ) throws(ParquetError) {
        let largest = Swift.max(harmlessRows, byteCount.multipliedReportingOverflow(by: largestRatio).partialValue)
        var rows = 0
        for (number, group) in metadata.rowGroups.enumerated() {
            guard group.chunks.count == leaves, group.rows >= 0, group.rows <= Int.max - rows else {
                var error = ParquetError("its metadata are damaged")
                error.rowGroup = number + 1
                throw error
            }
            rows += group.rows
        }
        // Some writers leave the sum out.
        guard rows == metadata.rows || metadata.rows == 0 else {
            throw ParquetError("its row groups have \(rows) rows, and its footer says \(metadata.rows)")
        }
        guard rows <= largest else {
            throw ParquetError(
                "it has more than \(largestRatio) rows for each of its bytes: it is damaged, or made to fill the disk")
        }
    }
}

/// Where a plan's columns are in a Parquet file, and what becomes of their values.
public struct ParquetLayout: Sendable {
    /// The file that is read.
    public let file: ParquetFile
    /// By the schema's columns.
    let columns: [ParquetColumn]

    /// Finds the schema's columns by name, as in a header of a CSV file.
    public init(_ file: ParquetFile, schema: Schema) throws(ParquetError) {
        self.file = file
        var taken: Set<Int> = []
        var columns: [ParquetColumn] = []
        for declared in schema.columns {
            let names = file.columns.map(\.name)
            let place =
                names.firstIndex(of: declared.name)
                ?? names.firstIndex { $0.lowercased() == declared.name.lowercased() }
            guard let place, taken.insert(place).inserted else {
                throw ParquetError("it has no such column", column: declared.name)
            }
            guard !names[(place + 1)...].contains(names[place]) else {
                throw ParquetError("its name occurs twice", column: declared.name)
            }
            let column = file.columns[place]
            guard let kind = column.kind else {
                throw ParquetError(
                    "it holds \(column.words), which is not read: leave it out of the manifest, or write it as a plain column",
                    column: declared.name)
            }
            // A number since 1970 is a time where the manifest says so.
            let isEpoch =
                declared.type == .timestamp && declared.form.epochTicks != nil && kind.types.contains(.integer)
            guard kind.types.contains(declared.type) || isEpoch else {
                throw ParquetError(
                    "it holds \(column.words), which is never \(declared.type.rawValue) as the manifest declares",
                    column: declared.name)
            }
            columns.append(column)
        }
        self.columns = columns
    }
}
