/// Windows that move over planes.
struct Pooling: Sendable, Equatable {
    let height: Int
    let width: Int
    let window: Int
    let stride: Int
    let padding: Int

    var outputHeight: Int { (height + 2 * padding - window) / stride + 1 }
    var outputWidth: Int { (width + 2 * padding - window) / stride + 1 }

    /// Calls `body` for each window of a plane with its number and what it covers within the plane.
    @inline(__always)
    private func eachWindow(_ body: (_ output: Int, _ rows: Range<Int>, _ columns: Range<Int>) -> Void) {
        for row in 0..<outputHeight {
            let top = row * stride - padding
            for column in 0..<outputWidth {
                let left = column * stride - padding
                body(
                    row * outputWidth + column, max(0, top)..<min(height, top + window),
                    max(0, left)..<min(width, left + window))
            }
        }
    }

    /// Writes the largest value of each window and returns where in its plane it stands: the first of equals. What is no number is
    /// larger than any number, so that it is not lost.
    func largest(
        planes: Int, _ input: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
    ) -> [Int32] {
        let outputs = outputHeight * outputWidth
        var places = [Int32](repeating: 0, count: planes * outputs)
        for plane in 0..<planes {
            let values = input + plane * height * width
            eachWindow { output, rows, columns in
                var best = rows.lowerBound * width + columns.lowerBound
                for row in rows {
                    for index in row * width + columns.lowerBound..<row * width + columns.upperBound
                    where values[index] > values[best] || values[index].isNaN && !values[best].isNaN { best = index }
                }
                target[plane * outputs + output] = values[best]
                places[plane * outputs + output] = Int32(best)
            }
        }
        return places
    }

    /// Writes the gradient of the input, given that of the output and the places that ``largest(planes:_:into:)`` gave.
    func largestGradient(
        planes: Int, _ gradients: UnsafePointer<Float>, _ places: [Int32], into target: UnsafeMutablePointer<Float>
    ) {
        let (inputs, outputs) = (height * width, outputHeight * outputWidth)
        for index in 0..<planes * inputs { target[index] = 0 }
        for plane in 0..<planes {
            for index in plane * outputs..<(plane + 1) * outputs {
                target[plane * inputs + Int(places[index])] += gradients[index]
            }
        }
    }

    /// Writes the sum of each window divided by its area; what lies in the padding counts as zero.
    func average(planes: Int, _ input: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        let outputs = outputHeight * outputWidth
        let factor = 1 / Float(window * window)
        for plane in 0..<planes {
            let values = input + plane * height * width
            eachWindow { output, rows, columns in
                var sum: Float = 0
                for row in rows { for column in columns { sum += values[row * width + column] } }
                target[plane * outputs + output] = sum * factor
            }
        }
    }

    /// Writes the gradient of the input, given that of the output.
    func averageGradient(planes: Int, _ gradients: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        let (inputs, outputs) = (height * width, outputHeight * outputWidth)
        let factor = 1 / Float(window * window)
        for index in 0..<planes * inputs { target[index] = 0 }
        for plane in 0..<planes {
            let values = target + plane * inputs
            eachWindow { output, rows, columns in
                let part = gradients[plane * outputs + output] * factor
                for row in rows { for column in columns { values[row * width + column] += part } }
            }
        }
    }
}
