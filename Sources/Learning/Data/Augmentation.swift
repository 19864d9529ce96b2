import Secrets

/// Changes an image while it is trained on, by itself: what happens to a row follows from its own key alone, so that it is the
/// same whichever rows are beside it.
public enum Augmentation: Sendable, Equatable {
    /// Left and right exchanged, for half of the rows.
    case flip
    /// Moved by up to so many pixels each way, independently across and down: a random crop of the image with such a border.
    /// What comes in from outside is `fill`.
    case shift(pixels: Int, fill: Float)

    /// Of the row's key, apart from what layers draw from it.
    private static let stream: UInt64 = 0x6175_676D

    /// - Throws: Rows that are no images of channels, height and width; a number out of range.
    public func check(rowShape: [Int]) throws(ModelError) {
        guard rowShape.count == 3 else {
            throw .data("augmentation of rows of \(rowShape.extents)", expected: "images of channels x height x width")
        }
        if case .shift(let pixels, let fill) = self {
            guard pixels >= 1, pixels < min(rowShape[1], rowShape[2]), fill.isFinite else {
                throw .data("a shift of \(pixels) pixels", expected: "from 1 to below the image's height and width")
            }
        }
    }

    /// Changes rows in place, in the order of the list.
    ///
    /// - Parameters:
    ///   - rows: [rows, channels, height, width].
    ///   - keys: One a row.
    static func apply(_ list: [Augmentation], to rows: inout Tensor, keys: [UInt64]) {
        guard !list.isEmpty else { return }
        let size = rows.rowShape.product
        let (height, width) = (rows.shape[2], rows.shape[3])
        for (row, key) in keys.enumerated() {
            var generator = SeededGenerator(key: (key, 0, 0, 0), stream: stream)
            for change in list {
                guard let move = change.move(using: &generator) else { continue }
                for plane in stride(from: row * size, to: (row + 1) * size, by: height * width) {
                    let source = Array(rows.values[plane..<plane + height * width])
                    for y in 0..<height {
                        for x in 0..<width {
                            rows.values[plane + y * width + x] = move.value(
                                source, (x, y), width: width, height: height)
                        }
                    }
                }
            }
        }
    }

    /// Where each pixel of the changed image comes from.
    private struct Move {
        var isFlipped = false
        var right = 0
        var down = 0
        var fill: Float = 0

        func value(_ source: [Float], _ place: (x: Int, y: Int), width: Int, height: Int) -> Float {
            let x = (isFlipped ? width - 1 - place.x : place.x) - right
            let y = place.y - down
            return (0..<width).contains(x) && (0..<height).contains(y) ? source[y * width + x] : fill
        }
    }

    /// nil: the row stays as it is. As many draws either way.
    private func move(using generator: inout SeededGenerator) -> Move? {
        switch self {
        case .flip: return generator.next() & 1 == 0 ? nil : Move(isFlipped: true)
        case .shift(let pixels, let fill):
            let (right, down) = (
                generator.index(below: 2 * pixels + 1) - pixels, generator.index(below: 2 * pixels + 1) - pixels
            )
            return right == 0 && down == 0 ? nil : Move(right: right, down: down, fill: fill)
        }
    }
}
