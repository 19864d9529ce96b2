/// The gradient of a table of which each position of a row looks one line up: that line's is the position's gradient.
///
/// A line that a unit looks up several times has the sum of these gradients, and only then counts for the norm: the sum of their
/// squared norms would be too small where they point the same way.
struct Lookup: Contribution {
    /// [rows x positions, width].
    private var gradients: Tensor
    /// One for each position; below 0 where the position names no line.
    private let lines: [Int32]
    private let lineCount: Int
    private let positions: Int

    /// - Parameters:
    ///   - gradients: [rows x positions, width].
    ///   - lines: One for each position; below 0 where it names no line: such a unit's norm is no number.
    ///   - count: The table's lines.
    init(gradients: Tensor, lines: [Int32], count: Int, rows: Int) {
        self.gradients = gradients
        self.lines = lines
        lineCount = count
        positions = rows == 0 ? 1 : lines.count / rows
    }

    private var width: Int { gradients.shape[1] }
    var size: Int { lineCount * width }

    func addAll(to sum: inout [Float], scales: [Float]?) {
        sum.withUnsafeMutableBufferPointer { sum in
            guard let target = sum.baseAddress else { return }
            add(positions: 0..<lines.count, scales: scales, to: target)
        }
    }

    func add(rows: Range<Int>, to target: UnsafeMutablePointer<Float>) {
        add(positions: rows.lowerBound * positions..<rows.upperBound * positions, scales: nil, to: target)
    }

    private func add(positions range: Range<Int>, scales: [Float]?, to target: UnsafeMutablePointer<Float>) {
        let width = width
        gradients.withValues { gradients in
            for position in range {
                // What names no line spoils the first one, so that an exact gradient's norm is no number either.
                let isLine = lines[position] >= 0
                let line = isLine ? Int(lines[position]) : 0
                let scale = scales?[position / positions] ?? 1
                if !isLine {
                    if scale != 0 { target[0] = .nan }
                } else {
                    Dense.addScaled(gradients + position * width, scale, to: target + line * width, count: width)
                }
            }
        }
    }

    /// Lines are added up in the order of the positions, as the gradient itself is; more where what one line is given cancels
    /// (``Cancellation``).
    func squaredNorm(rows: Range<Int>) -> Double {
        let width = width
        var size = 0.0
        let range = rows.lowerBound * positions..<rows.upperBound * positions
        guard range.allSatisfy({ lines[$0] >= 0 }) else { return .nan }
        let order = range.sorted { (lines[$0], $0) < (lines[$1], $1) }
        var (total, line) = (0.0, [Float](repeating: 0, count: width))
        gradients.withValues { gradients in
            line.withUnsafeMutableBufferPointer { buffer in
                guard let line = buffer.baseAddress else { return }
                for (index, position) in order.enumerated() {
                    size += Dense.squaredNorm(gradients + position * width, count: width).squareRoot()
                    Dense.addScaled(gradients + position * width, 1, to: line, count: width)
                    if index + 1 < order.count, lines[order[index + 1]] == lines[position] { continue }
                    total += Dense.squaredNorm(line, count: width)
                    buffer.update(repeating: 0)
                }
            }
        }
        return Cancellation.squaredNorm(total, size: size, terms: range.count)
    }

    func normCost(rows: Int) -> Double { 2 * gradientCost(rows: rows) }
    func gradientCost(rows: Int) -> Double { Double(rows * positions * width) }

    mutating func clear(rows: Range<Int>) {
        gradients.clear(rows: rows.lowerBound * positions..<rows.upperBound * positions)
    }
}
