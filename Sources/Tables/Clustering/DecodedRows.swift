/// One partition's records turned back into columns of words, each row at a given place.
final class DecodedRows {
    private let context: ClusteringContext
    private let isText: [Bool]
    private let valueScratch: [Scratch<Int64>]
    private let contentScratch: [Scratch<UInt64>]
    private var workers: [(layouts: [RecordLayout], records: [RecordSpan])] = []
    private(set) var count = 0

    init(_ context: ClusteringContext) {
        self.context = context
        isText = context.plan.schema.columns.map { $0.type == .text }
        valueScratch = isText.map { _ in Scratch() }
        contentScratch = isText.map { _ in Scratch() }
    }

    /// Takes the next partition: for each worker, its layouts and its records.
    func take(_ workers: [(layouts: [RecordLayout], records: [RecordSpan])]) {
        self.workers = workers
        count = 0
        for worker in workers {
            for span in worker.records { count += span.bytes.count / Swift.max(worker.layouts[span.layout].stride, 1) }
        }
        for column in isText.indices {
            // Hashing reads whole vectors.
            valueScratch[column].reserve(count + MessageHashing.slack)
            if isText[column] { contentScratch[column].reserve(count + MessageHashing.slack) }
        }
    }

    /// Gives the records' memory back, once everything is decoded.
    func letGo() {
        workers = []
    }

    /// A column's words; texts by their place in the sorted dictionary.
    func values(_ column: Int) -> UnsafeMutablePointer<Int64> { valueScratch[column].start }

    /// Decodes one column, each row at its place in the records.
    func decodeInOrder(_ column: Int, into target: UnsafeMutablePointer<Int64>) {
        decode(column) { target[$0] = $1 }
    }

    /// Decodes all columns, row i of the records at `places[i]`.
    func decode(at places: UnsafePointer<Int32>) {
        for column in isText.indices {
            let target = values(column)
            decode(column) { target[Int(places[$0])] = $1 }
            if isText[column] { fillContents(column) }
        }
    }

    /// Calls `body` with the columns' contents: words that depend on a row's values alone.
    func withContents<Result>(_ body: (UnsafeBufferPointer<UnsafePointer<UInt64>>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: UnsafePointer<UInt64>.self, capacity: isText.count) { pointers in
            for column in isText.indices {
                let words = UnsafeRawPointer(values(column)).assumingMemoryBound(to: UInt64.self)
                pointers[column] = isText[column] ? UnsafePointer(contentScratch[column].start) : words
            }
            return body(UnsafeBufferPointer(pointers))
        }
    }

    private func fillContents(_ column: Int) {
        let (words, target) = (values(column), contentScratch[column].start)
        context.textContents[column].withUnsafeBufferPointer { texts in
            for row in 0..<count {
                let word = words[row]
                target[row] = word == ColumnEncoding.null ? UInt64(bitPattern: word) : texts[Int(word)]
            }
        }
    }

    @inline(__always)
    private func decode(_ column: Int, _ store: (Int, Int64) -> Void) {
        var row = 0
        for (number, worker) in workers.enumerated() {
            for span in worker.records {
                let layout = worker.layouts[span.layout]
                let stride = Swift.max(layout.stride, 1)
                let source = span.bytes.start + layout.offset(of: column)
                let rows = span.bytes.count / stride
                switch layout.widths[column] {
                case 1:
                    for i in 0..<rows {
                        let code = source.load(fromByteOffset: i * stride, as: UInt8.self)
                        store(row + i, code == 255 ? ColumnEncoding.null : Int64(code))
                    }
                case 4 where isText[column]:
                    context.textPlaces[number][column].withUnsafeBufferPointer { places in
                        for i in 0..<rows {
                            let code = source.loadUnaligned(fromByteOffset: i * stride, as: Int32.self)
                            store(row + i, code == Int32.min ? ColumnEncoding.null : Int64(places[Int(code)]))
                        }
                    }
                case 4:
                    for i in 0..<rows {
                        let code = source.loadUnaligned(fromByteOffset: i * stride, as: Int32.self)
                        store(row + i, code == Int32.min ? ColumnEncoding.null : Int64(code))
                    }
                default:
                    for i in 0..<rows {
                        store(row + i, source.loadUnaligned(fromByteOffset: i * stride, as: Int64.self))
                    }
                }
                row += rows
            }
        }
    }
}
