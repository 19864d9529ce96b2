/// One partition's records turned back into columns of words.
final class DecodedRows {
    private let context: ClusteringContext
    private let isText: [Bool]
    private let valueScratch: [Scratch<Int64>]
    private let contentScratch: [Scratch<UInt64>]
    private(set) var count = 0
    /// Of each column, the rows' words; texts by their place in the sorted dictionary.
    private(set) var values: [UnsafeMutablePointer<Int64>] = []
    /// Of each text column, the rows' texts as words of their contents; nil for other columns, whose words are contents.
    private var contents: [UnsafeMutablePointer<UInt64>?] = []

    init(_ context: ClusteringContext) {
        self.context = context
        isText = context.plan.schema.columns.map { $0.type == .text }
        valueScratch = isText.map { _ in Scratch() }
        contentScratch = isText.map { _ in Scratch() }
    }

    func decode(_ workers: [(layouts: [RecordLayout], records: [RecordSpan])]) {
        count = 0
        for worker in workers {
            for span in worker.records { count += span.bytes.count / Swift.max(worker.layouts[span.layout].stride, 1) }
        }
        for column in isText.indices {
            valueScratch[column].reserve(count)
            if isText[column] { contentScratch[column].reserve(count) }
        }
        values = valueScratch.map(\.start)
        contents = zip(isText, contentScratch).map { $0 ? $1.start : nil }
        var row = 0
        for (number, worker) in workers.enumerated() {
            for span in worker.records { row += decode(span, worker.layouts[span.layout], number, at: row) }
        }
        for column in isText.indices where isText[column] { fillContents(column) }
    }

    /// Calls `body` with the columns' contents: words that depend on a row's values alone.
    @inline(__always)
    func withContents<Result>(_ body: (UnsafeBufferPointer<UnsafePointer<UInt64>>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: UnsafePointer<UInt64>.self, capacity: isText.count) { pointers in
            for column in isText.indices {
                let words = UnsafeRawPointer(values[column]).assumingMemoryBound(to: UInt64.self)
                pointers[column] = contents[column].map { UnsafePointer($0) } ?? words
            }
            return body(UnsafeBufferPointer(pointers))
        }
    }

    private func fillContents(_ column: Int) {
        guard let target = contents[column] else { return }
        let words = values[column]
        context.textContents[column].withUnsafeBufferPointer { texts in
            for row in 0..<count {
                let word = words[row]
                target[row] = word == ColumnEncoding.null ? UInt64(bitPattern: word) : texts[Int(word)]
            }
        }
    }

    private func decode(_ span: RecordSpan, _ layout: RecordLayout, _ worker: Int, at row: Int) -> Int {
        let stride = layout.stride
        guard stride > 0 else { return 0 }
        let rows = span.bytes.count / stride
        var source = span.bytes.start
        for (column, width) in layout.widths.enumerated() {
            let target = values[column] + row
            switch width {
            case 1:
                for i in 0..<rows {
                    let code = source.load(fromByteOffset: i * stride, as: UInt8.self)
                    target[i] = code == 255 ? ColumnEncoding.null : Int64(code)
                }
            case 4 where isText[column]:
                context.textPlaces[worker][column].withUnsafeBufferPointer { places in
                    for i in 0..<rows {
                        let code = source.loadUnaligned(fromByteOffset: i * stride, as: Int32.self)
                        target[i] = code == Int32.min ? ColumnEncoding.null : Int64(places[Int(code)])
                    }
                }
            case 4:
                for i in 0..<rows {
                    let code = source.loadUnaligned(fromByteOffset: i * stride, as: Int32.self)
                    target[i] = code == Int32.min ? ColumnEncoding.null : Int64(code)
                }
            default:
                for i in 0..<rows { target[i] = source.loadUnaligned(fromByteOffset: i * stride, as: Int64.self) }
            }
            source += width
        }
        return rows
    }
}
