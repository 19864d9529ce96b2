/// Reads one column of a row group into a worker's batch, page after page.
final class ParquetColumnReader {
    private let column: ParquetColumn
    private let memory: ParquetMemory
    private var conversion: ParquetConversion
    private var pages: ParquetPages
    /// Values of the column, nulls included, in pages that were not read yet; and values of this page that are still to
    /// come.
    private var valuesLeft: Int
    private var left = 0
    /// Owns the memory that the decoders read.
    private var page: ParquetPages.Page?
    private var levels: HybridDecoder?
    private var words: WordDecoder?
    private var bytes: BytesDecoder?
    private var wordDictionary: [Int64] = []
    private var dictionary = ParquetDictionary()
    /// The words of the dictionary's texts that were met, if nothing is to be counted for them; -1 for others.
    private var known: [Int64] = []
    private var hasDictionary = false
    private let isThere = Scratch<UInt32>()
    private let values = Scratch<Int64>()

    init(
        _ column: ParquetColumn, kind: ParquetKind, chunk: ParquetMetadata.Chunk, file: ParquetFile, rows: Int,
        intake: ColumnIntake, memory: ParquetMemory
    ) throws(ParquetError) {
        self.column = column
        self.memory = memory
        conversion = ParquetConversion(kind, intake)
        guard chunk.physical == column.physical.rawValue else {
            throw ParquetError("its type differs from the schema's", column: column.name)
        }
        guard chunk.values == rows else {
            throw ParquetError("it has \(chunk.values) values for \(rows) rows", column: column.name)
        }
        valuesLeft = chunk.values
        isThere.reserve(RowBatch.capacity)
        values.reserve(RowBatch.capacity)
        do throws(ParquetError) {
            pages = try ParquetPages(file, chunk, memory)
        } catch {
            throw ParquetError(error.problem, column: column.name)
        }
    }

    /// Reads the next rows' words, at most a batch's; adds the wrong ones' places, from 0.
    func read(_ count: Int, into target: UnsafeMutablePointer<Int64>, wrong: inout [Int]) throws {
        do {
            var done = 0
            while done < count {
                if left == 0 { try nextPage() }
                let run = Swift.min(left, count - done)
                try readRun(run, target + done, from: done, &wrong)
                done += run
                left -= run
            }
        } catch var error as ParquetError {
            error.column = column.name
            error.page = pages.number > 0 ? pages.number : nil
            throw error
        }
    }

    private func readRun(
        _ count: Int, _ target: UnsafeMutablePointer<Int64>, from first: Int, _ wrong: inout [Int]
    ) throws(ParquetError) {
        let flags = isThere.start
        if levels == nil {
            flags.update(repeating: 1, count: count)
        } else {
            try levels?.next(count, into: flags)
        }
        var there = 0
        for row in 0..<count { there += Int(flags[row]) }
        let null = conversion.intake.null()
        func store(_ word: Int64?, _ row: Int) {
            target[row] = word ?? ColumnEncoding.null
            if word == nil { wrong.append(first + row) }
        }
        if words != nil {
            try words?.next(there, into: values.start)
            var next = 0
            for row in 0..<count {
                guard flags[row] == 1 else {
                    store(null, row)
                    continue
                }
                store(conversion.accept(values.start[next]), row)
                next += 1
            }
        } else {
            var row = 0
            try bytes?.next(there) { (value, number) throws(ParquetError) in
                while flags[row] == 0 {
                    store(null, row)
                    row += 1
                }
                store(try word(value, number), row)
                row += 1
            }
            while row < count {
                store(null, row)
                row += 1
            }
        }
    }

    /// The word of a value that is bytes. What the intake makes of a text is remembered by its number in the dictionary.
    private func word(_ value: UnsafeRawBufferPointer, _ number: Int?) throws(ParquetError) -> Int64? {
        if let number, number < known.count, known[number] >= 0 { return known[number] }
        try memory.countText(value.count)
        let word = conversion.accept(value)
        if let word, let number, number < known.count, let interner = conversion.intake.interner,
            let entry = interner.number(of: value), interner.entry(entry).isPlain
        {
            known[number] = word
        }
        return word
    }

    // MARK: Pages

    private func nextPage() throws {
        while left == 0 {
            if let page { memory.giveBack(page.taken) }
            (page, levels, words, bytes) = (nil, nil, nil, nil)
            guard valuesLeft > 0 else { throw ParquetError("it has fewer values than rows") }
            let next = try pages.next()
            if next.header.kind == .dictionary {
                try readDictionary(next)
            } else {
                page = next
                try begin(next)
            }
        }
    }

    private func readDictionary(_ page: ParquetPages.Page) throws(ParquetError) {
        let count = page.header.values
        guard !hasDictionary, pages.number == 1 else { throw ParquetError("it is a second dictionary") }
        guard [.plain, .dictionary].contains(page.header.encoding) else { throw page.header.encoding.unknown }
        guard column.physical != .boolean else { throw ParquetError("truth values have no dictionary") }
        hasDictionary = true
        // A page cannot claim more values than its bytes hold: checked before room is made for them.
        let width = valueWidth
        guard count <= page.values.count / (width ?? 4) else { throw .endsEarly }
        try memory.take(16 * count)
        if isBytes {
            dictionary = try ParquetDictionary(page.values, width: width, count: count)
            if column.kind == .text, conversion.intake.schema.type == .text {
                known = Array(repeating: -1, count: count)
            }
        } else {
            let target = Scratch<Int64>()
            target.reserve(count)
            try page.values.withBytes { bytes throws(ParquetError) in
                var decoder = try WordDecoder(bytes, .plain, column.physical, count: count, dictionary: [])
                try decoder.next(count, into: target.start)
            }
            wordDictionary = Array(UnsafeBufferPointer(start: target.start, count: count))
        }
    }

    private var isBytes: Bool { [.bytes, .fixed, .int96].contains(column.physical) }

    /// The bytes of a value in a plain page; nil where each says its own.
    private var valueWidth: Int? {
        switch column.physical {
        case .bytes: nil
        case .fixed, .int96: column.length
        case .int32, .float: 4
        case .boolean, .int64, .double: 8
        }
    }

    private func begin(_ page: ParquetPages.Page) throws(ParquetError) {
        let header = page.header
        guard header.values <= valuesLeft else { throw ParquetError("it has more values than its column") }
        if header.encoding == .dictionary, !hasDictionary { throw ParquetError("its dictionary is missing") }
        // The page is this object's as long as the decoders are.
        let all = UnsafeRawBufferPointer(start: page.values.start, count: page.values.count)
        var start = 0
        if column.isOptional {
            if header.kind == .data2 {
                let all = UnsafeRawBufferPointer(start: page.levels?.start, count: page.levels?.count ?? 0)
                levels = HybridDecoder(
                    UnsafeRawBufferPointer(rebasing: all.dropFirst(header.repetitionBytes)), width: 1)
            } else {
                guard header.levelEncoding == 3 else {
                    throw ParquetError("levels are not read in the withdrawn encoding BIT_PACKED")
                }
                guard all.count >= 4 || header.values == 0 else { throw .endsEarly }
                let length = all.count < 4 ? 0 : Int(UInt32(littleEndian: all.loadUnaligned(as: UInt32.self)))
                guard length <= Swift.max(0, all.count - 4) else { throw .endsEarly }
                start = Swift.min(4, all.count) + length
                levels = HybridDecoder(UnsafeRawBufferPointer(rebasing: all[..<start].dropFirst(4)), width: 1)
            }
        }
        let count = try valueCount(header.values)
        let content = UnsafeRawBufferPointer(rebasing: all[start...])
        if isBytes {
            bytes = try BytesDecoder(
                content, header.encoding, width: valueWidth, count: count, dictionary: dictionary)
        } else {
            words = try WordDecoder(
                content, header.encoding, column.physical, count: count, dictionary: wordDictionary)
        }
        left = header.values
        valuesLeft -= header.values
    }

    /// How many of a page's values are not null.
    private func valueCount(_ all: Int) throws(ParquetError) -> Int {
        guard var levels else { return all }
        var (count, left) = (0, all)
        while left > 0 {
            let run = Swift.min(left, RowBatch.capacity)
            try levels.next(run, into: isThere.start)
            for row in 0..<run { count += Int(isThere.start[row]) }
            left -= run
        }
        return count
    }
}
