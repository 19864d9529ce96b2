/// Rows of a chunk that were kept, with the group and the place in it that each has.
struct KeptRows {
    let rows: UnsafeMutablePointer<Int32>
    let groups: UnsafeMutablePointer<Int32>
    /// How many rows of the same unit and group were kept before.
    let occurrences: UnsafeMutablePointer<Int32>
    var count = 0

    init() {
        rows = .allocate(capacity: RowChunk.capacity)
        groups = .allocate(capacity: RowChunk.capacity)
        occurrences = .allocate(capacity: RowChunk.capacity)
    }

    func deallocate() {
        rows.deallocate()
        groups.deallocate()
        occurrences.deallocate()
    }
}

/// Adds up one measure over the kept rows.
final class MeasureAccumulator {
    private let kind: Measure.Kind
    private let node: ExpressionNode?
    /// Rows of a unit in a group that count; `Int32.max`: all that were kept.
    private let rowLimit: Int32
    /// Whether no sum over the source's rows can overflow: else sums saturate.
    private let cannotOverflow: Bool
    private var totals: [Int64] = []
    private var capacity = 0
    /// gridValues: group << 32 | index, until there are many, then compacted into `compacted`.
    private var points: [UInt64] = []
    private var compacted: [UInt64: Int64] = [:]
    private let quantized: UnsafeMutablePointer<Int64>

    init(_ measure: Measure, _ node: ExpressionNode?, rowCount: Int) {
        kind = measure.kind
        self.node = node
        rowLimit = measure.rowsPerGroup.map { Int32(clamping: $0) } ?? Int32.max
        quantized = .allocate(capacity: RowChunk.capacity)
        switch measure.kind {
        case .sum(_, let grid): cannotOverflow = !grid.largest.multipliedReportingOverflow(by: Int64(rowCount)).overflow
        case .sumOfSquares(_, let grid):
            let square = grid.largest.multipliedReportingOverflow(by: grid.largest)
            cannotOverflow =
                !square.overflow && !square.partialValue.multipliedReportingOverflow(by: Int64(rowCount)).overflow
        default: cannotOverflow = true
        }
    }

    deinit {
        quantized.deallocate()
    }

    private var cellsPerGroup: Int {
        switch kind {
        case .histogram(_, let edges): Swift.max(edges.count - 1, 0)
        case .gridValues, .units: 0
        default: 1
        }
    }

    /// Makes room for that many groups.
    func reserve(groups: Int) {
        guard groups > capacity else { return }
        totals.append(contentsOf: repeatElement(0, count: (groups - capacity) * cellsPerGroup))
        capacity = groups
    }

    func add(_ kept: KeptRows) {
        switch kind {
        case .rows: countRows(kept)
        case .units: break
        case .nonNull: countNonNull(kept)
        case .sum(_, let grid):
            quantize(grid)
            addWords(kept) { $0 }
        case .sumOfSquares(_, let grid):
            quantize(grid)
            addWords(kept) { $0 &* $0 }
        case .histogram(_, let edges): addBins(kept, edges)
        case .gridValues(_, let lower, let step, let points): addPoints(kept, lower, step, points)
        }
    }

    private func countRows(_ kept: KeptRows) {
        totals.withUnsafeMutableBufferPointer { totals in
            for i in 0..<kept.count where kept.occurrences[i] < rowLimit { totals[Int(kept.groups[i])] &+= 1 }
        }
    }

    private func countNonNull(_ kept: KeptRows) {
        guard let node else { return }
        let isReal = node.type == .real
        totals.withUnsafeMutableBufferPointer { totals in
            for i in 0..<kept.count where kept.occurrences[i] < rowLimit {
                let row = Int(kept.rows[i])
                let isNull = isReal ? node.reals[row].isNaN : node.words[row] == ColumnEncoding.null
                totals[Int(kept.groups[i])] &+= isNull ? 0 : 1
            }
        }
    }

    /// The whole chunk's values on the grid; null contributes 0.
    ///
    /// Adding 1.5 * 2^52 rounds to nearest, ties to even, in one operation where the magnitude is below 2^51: the same as
    /// `FixedPointGrid.quantize` to the bit, and it needs no call.
    private func quantize(_ grid: FixedPointGrid) {
        guard let node else { return }
        let values = node.reals
        guard grid.largest < 1 << 51 else {
            for i in 0..<RowChunk.capacity { quantized[i] = values[i].isNaN ? 0 : grid.quantize(values[i]) }
            return
        }
        let (lower, upper, center, step) = (grid.lower, grid.upper, grid.center, grid.step)
        let magic = 0x1.8p52
        let magicBits = Int64(bitPattern: magic.bitPattern)
        for i in 0..<RowChunk.capacity {
            let value = values[i]
            let clipped = value < lower ? lower : value > upper ? upper : value
            let word = Int64(bitPattern: ((clipped - center) / step + magic).bitPattern) &- magicBits
            quantized[i] = value == value ? word : 0
        }
    }

    @inline(__always)
    private func addWords(_ kept: KeptRows, _ transform: (Int64) -> Int64) {
        totals.withUnsafeMutableBufferPointer { totals in
            if cannotOverflow {
                for i in 0..<kept.count where kept.occurrences[i] < rowLimit {
                    totals[Int(kept.groups[i])] &+= transform(quantized[Int(kept.rows[i])])
                }
            } else {
                for i in 0..<kept.count where kept.occurrences[i] < rowLimit {
                    addSaturating(&totals[Int(kept.groups[i])], quantized[Int(kept.rows[i])])
                }
            }
        }
    }

    /// Never reached by a plan that was checked: the planner bounds `largest` times the declared capacity.
    private func addSaturating(_ total: inout Int64, _ word: Int64) {
        var term = word
        if case .sumOfSquares = kind {
            let square = word.multipliedReportingOverflow(by: word)
            term = square.overflow ? Int64.max : square.partialValue
        }
        let sum = total.addingReportingOverflow(term)
        total = sum.overflow ? (term < 0 ? -Int64.max : Int64.max) : sum.partialValue
    }

    private func addBins(_ kept: KeptRows, _ edges: [Double]) {
        guard let node, let first = edges.first, let last = edges.last, edges.count > 1 else { return }
        let bins = edges.count - 1
        for i in 0..<kept.count where kept.occurrences[i] < rowLimit {
            let value = node.reals[Int(kept.rows[i])]
            guard value >= first, value <= last else { continue }
            var low = 0
            var high = bins
            while high - low > 1 {
                let middle = (low + high) / 2
                if value >= edges[middle] { low = middle } else { high = middle }
            }
            totals[Int(kept.groups[i]) * bins + low] &+= 1
        }
    }

    private func addPoints(_ kept: KeptRows, _ lower: Double, _ step: Double, _ count: Int) {
        guard let node, count > 0 else { return }
        let largest = Double(count - 1)
        for i in 0..<kept.count where kept.occurrences[i] < rowLimit {
            let value = node.reals[Int(kept.rows[i])]
            guard !value.isNaN else { continue }
            let place = ((value - lower) / step).rounded(.toNearestOrEven)
            let index = UInt64(Swift.min(Swift.max(place, 0), largest))
            points.append(UInt64(UInt32(bitPattern: kept.groups[i])) << 32 | index)
        }
        if points.count >= 1 << 20 { compact() }
    }

    private func compact() {
        points.sort()
        var start = 0
        while start < points.count {
            var end = start + 1
            while end < points.count, points[end] == points[start] { end += 1 }
            compacted[points[start], default: 0] += Int64(end - start)
            start = end
        }
        points.removeAll(keepingCapacity: true)
    }

    /// The results of the groups, in the order of `groups`.
    func result(_ groups: [Int], units: [Int64]) -> MeasureResult {
        switch kind {
        case .units: return .integers(groups.map { units[$0] })
        case .histogram:
            let bins = cellsPerGroup
            return .histogram(groups.map { Array(totals[$0 * bins..<($0 + 1) * bins]) })
        case .gridValues: return .grid(gridResult(groups))
        default: return .integers(groups.map { totals[$0] })
        }
    }

    private func gridResult(_ groups: [Int]) -> [(indices: [Int32], counts: [Int64])] {
        compact()
        var place: [Int: Int] = [:]
        for (position, group) in groups.enumerated() { place[group] = position }
        var result = [(indices: [Int32], counts: [Int64])](repeating: ([], []), count: groups.count)
        for point in compacted.keys.sorted() {
            guard let position = place[Int(point >> 32)] else { continue }
            result[position].indices.append(Int32(truncatingIfNeeded: point & 0xffff_ffff))
            result[position].counts.append(compacted[point] ?? 0)
        }
        return result
    }
}
