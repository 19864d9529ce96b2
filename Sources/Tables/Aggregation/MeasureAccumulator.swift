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
    /// gridValues: group << 32 | index of each occupied point, and how many values it has.
    private var points = WordTable()
    private var pointCounts: [Int64] = []
    private let quantized: UnsafeMutablePointer<Int64>
    /// Of rows that were kept, in their order.
    private var values: [Double] = []
    private var unitNumbers: [UInt32] = []

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

    var cellsPerGroup: Int {
        switch kind {
        case .histogram(_, let edges): Swift.max(edges.count - 1, 0)
        case .gridValues, .units, .values, .unitNumbers: 0
        default: 1
        }
    }

    /// Makes room for that many groups.
    func reserve(groups: Int) {
        guard groups > capacity else { return }
        totals.append(contentsOf: repeatElement(0, count: (groups - capacity) * cellsPerGroup))
        capacity = groups
    }

    /// Adds the kept rows of a chunk.
    func add(_ kept: KeptRows, of chunk: RowChunk, _ meter: WorkMeter) {
        let count = chunk.count
        switch kind {
        case .rows: countRows(kept)
        case .units: return
        case .nonNull: countNonNull(kept)
        case .sum(_, let grid):
            quantize(grid, count)
            meter.add(.real, Double(count))
            addWords(kept) { $0 }
        case .sumOfSquares(_, let grid):
            quantize(grid, count)
            meter.add(.real, Double(count))
            addWords(kept) { $0 &* $0 }
        case .histogram(_, let edges): addBins(kept, edges)
        case .gridValues(_, let lower, let step, let points):
            return addPoints(kept, lower: lower, step: step, count: points, meter)
        case .values:
            guard let node else { return }
            for i in 0..<kept.count { values.append(node.reals[Int(kept.rows[i])]) }
        case .unitNumbers: for i in 0..<kept.count { unitNumbers.append(chunk.units[Int(kept.rows[i])]) }
        }
        meter.add(.addition, Double(kept.count) * additions)
    }

    /// How many additions one kept row costs: of a histogram, the search for its bin.
    private var additions: Double {
        guard case .histogram(_, let edges) = kind else { return 1 }
        return 1 + Double(Int.bitWidth - edges.count.leadingZeroBitCount)
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
    private func quantize(_ grid: FixedPointGrid, _ count: Int) {
        guard let node else { return }
        let values = node.reals
        guard grid.largest < 1 << 51 else {
            for i in 0..<count { quantized[i] = values[i].isNaN ? 0 : grid.quantize(values[i]) }
            return
        }
        let (lower, upper, center, step) = (grid.lower, grid.upper, grid.center, grid.step)
        let magic = 0x1.8p52
        let magicBits = Int64(bitPattern: magic.bitPattern)
        for i in 0..<count {
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

    private func addPoints(_ kept: KeptRows, lower: Double, step: Double, count: Int, _ meter: WorkMeter) {
        guard let node, count > 0 else { return }
        var added = 0
        defer {
            meter.add(.addition, Double(kept.count))
            meter.add(.point, Double(added))
        }
        let largest = Double(count - 1)
        for i in 0..<kept.count where kept.occurrences[i] < rowLimit {
            let value = node.reals[Int(kept.rows[i])]
            guard !value.isNaN else { continue }
            let place = ((value - lower) / step).rounded(.toNearestOrEven)
            let index = UInt64(Swift.min(Swift.max(place, 0), largest))
            let point = points.insert(Int64(kept.groups[i]) << 32 | Int64(index))
            if Int(point) == pointCounts.count { pointCounts.append(0) }
            pointCounts[Int(point)] &+= 1
            added += 1
        }
    }

    /// The results of the groups, in the order of `groups`.
    func result(_ groups: [Int], units: [Int64]) -> MeasureResult {
        switch kind {
        case .units: return .integers(groups.map { units[$0] })
        case .histogram:
            let bins = cellsPerGroup
            return .histogram(groups.map { Array(totals[$0 * bins..<($0 + 1) * bins]) })
        case .gridValues: return .grid(gridResult(groups))
        case .values: return .values(values)
        case .unitNumbers: return .unitNumbers(unitNumbers)
        default: return .integers(groups.map { totals[$0] })
        }
    }

    private func gridResult(_ groups: [Int]) -> [(indices: [Int32], counts: [Int64])] {
        var places = [Int32](repeating: -1, count: capacity)
        for (position, group) in groups.enumerated() { places[group] = Int32(truncatingIfNeeded: position) }
        var result = [(indices: [Int32], counts: [Int64])](repeating: ([], []), count: groups.count)
        for point in points.words.indices.sorted(by: { points.words[$0] < points.words[$1] }) {
            let word = points.words[point]
            let position = Int(places[Int(word >> 32)])
            guard position >= 0 else { continue }
            result[position].indices.append(Int32(truncatingIfNeeded: word & 0xffff_ffff))
            result[position].counts.append(pointCounts[point])
        }
        return result
    }

    // MARK: - What it costs at most

    /// The most work for so many rows. `contributions`: the most pairs of a unit and a group in which it has rows.
    func largestWork(rows: Double, contributions: Double) -> Work {
        switch kind {
        case .units: Work()
        case .gridValues: Work([.point: largestPoints(rows: rows, contributions: contributions), .addition: rows])
        case .sum, .sumOfSquares: Work([.real: rows, .addition: rows])
        default: Work([.addition: rows * additions])
        }
    }

    /// How many values of a quantile there can be.
    private func largestPoints(rows: Double, contributions: Double) -> Double {
        Swift.min(rows, contributions * Double(rowLimit))
    }

    /// Bytes for so many groups, the results included.
    func largestMemory(rows: Double, groups: Double, contributions: Double) -> Double {
        let cells = Double(cellsPerGroup)
        let fixed = Double(RowChunk.capacity * 8) + 4_096
        if case .gridValues(_, _, _, let count) = kind {
            let points = Swift.min(largestPoints(rows: rows, contributions: contributions), groups * Double(count))
            // Sorted places, and of each point an index and a count that grow in the group's own arrays.
            return fixed + points * (WordTable.bytesPerWord + 3 * 8 + 8 + 3 * 12) + groups * (4 + 16 + 2 * 64)
        }
        switch kind {
        // They grow by doubling, and so for a moment take three times.
        case .values: return fixed + rows * 3 * 8
        case .unitNumbers: return fixed + rows * 3 * 4
        default: break
        }
        if case .histogram = kind { return fixed + groups * (3 * 8 * cells + 8 * cells + 40) }
        return fixed + groups * (3 * 8 * cells + 8)
    }

    var heldBytes: Double {
        Double(RowChunk.capacity * 8 + totals.capacity * 8 + pointCounts.capacity * 8) + points.heldBytes
            + Double(values.capacity * 8 + unitNumbers.capacity * 4)
    }
}
