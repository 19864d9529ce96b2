/// Each coordinate's values of all participants in order, sixteen coordinates side by side.
///
/// A network sorts (Batcher's merge exchange, Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M):
/// which values are compared does not depend on them, so that sixteen columns take each comparison at once.
struct SortedColumns {
    private typealias Lanes = SIMD16<Float>

    private let vectors: [[Float]]
    private let comparisons: [(lower: Int, upper: Int)]

    /// - Parameter vectors: At least one, all of one length, of finite entries.
    init(_ vectors: [[Float]]) {
        self.vectors = vectors
        comparisons = Self.network(vectors.count)
    }

    /// Each coordinate's mean without its `trim` least and `trim` largest values: the median where one or two are left.
    func mean(trim: Int) -> [Float] {
        let length = vectors[0].count
        var result = [Float](repeating: 0, count: length)
        var rows = [Lanes](repeating: Lanes(), count: vectors.count)
        for start in stride(from: 0, to: length, by: Lanes.scalarCount) {
            let width = min(Lanes.scalarCount, length - start)
            load(&rows, start: start, width: width)
            sort(&rows)
            var sum = SIMD16<Double>()
            for row in trim..<rows.count - trim { sum += SIMD16<Double>(rows[row]) }
            sum /= Double(rows.count - 2 * trim)
            // Sums begin at 0, so that none is -0, which the order of equal values could leave.
            for lane in 0..<width { result[start + lane] = Float(sum[lane]) }
        }
        return result
    }

    private func load(_ rows: inout [Lanes], start: Int, width: Int) {
        for (index, vector) in vectors.enumerated() {
            if width == Lanes.scalarCount {
                rows[index] = vector.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: start * MemoryLayout<Float>.stride, as: Lanes.self)
                }
            } else {
                for lane in 0..<width { rows[index][lane] = vector[start + lane] }
            }
        }
    }

    private func sort(_ rows: inout [Lanes]) {
        rows.withUnsafeMutableBufferPointer { rows in
            comparisons.withUnsafeBufferPointer { comparisons in
                for comparison in comparisons {
                    let (a, b) = (rows[comparison.lower], rows[comparison.upper])
                    let isWrong = b .< a
                    rows[comparison.lower] = a.replacing(with: b, where: isWrong)
                    rows[comparison.upper] = b.replacing(with: a, where: isWrong)
                }
            }
        }
    }

    /// The comparisons that sort so many values.
    static func network(_ count: Int) -> [(lower: Int, upper: Int)] {
        guard count > 1 else { return [] }
        var comparisons: [(lower: Int, upper: Int)] = []
        let top = 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount - 1)
        var p = top
        while p > 0 {
            var (q, r, distance) = (top, 0, p)
            while true {
                for index in 0..<count - distance where index & p == r {
                    comparisons.append((index, index + distance))
                }
                if q == p { break }
                (distance, q, r) = (q - p, q / 2, p)
            }
            p /= 2
        }
        return comparisons
    }
}
