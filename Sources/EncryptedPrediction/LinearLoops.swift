// The loops of all analyses on real numbers.
extension PlannedLinear {
    /// Calls `body` for each weight and each run of outputs that it reaches: the weight's place, the first output, the first input, from one input to the next, and how many.
    @inline(__always)
    func eachRun(_ body: (_ weight: Int, _ output: Int, _ input: Int, _ step: Int, _ count: Int) -> Void) {
        guard case .convolution(let windows) = form else { return }
        let (kernel, stride, padding) = (windows.kernel, windows.stride, windows.padding)
        let (height, width) = (windows.outputHeight, windows.outputWidth)
        for output in 0..<windows.outputs {
            for channel in 0..<windows.channels {
                for tap in 0..<kernel * kernel {
                    let weight = (output * windows.channels + channel) * kernel * kernel + tap
                    let (y, x) = (tap / kernel - padding, tap % kernel - padding)
                    let first = x >= 0 ? 0 : (stride - 1 - x) / stride
                    let last = windows.width - 1 - x < 0 ? -1 : min(width - 1, (windows.width - 1 - x) / stride)
                    guard first <= last else { continue }
                    for row in 0..<height {
                        let top = row * stride + y
                        guard top >= 0, top < windows.height else { continue }
                        body(
                            weight, (output * height + row) * width + first,
                            (channel * windows.height + top) * windows.width + first * stride + x, stride,
                            last - first + 1)
                    }
                }
            }
        }
    }

    /// How many results follow each other for one output: pixels of a convolution.
    var pixels: Int {
        if case .convolution(let windows) = form { windows.outputHeight * windows.outputWidth } else { 1 }
    }

    /// The output that a result belongs to.
    func output(of place: Int) -> Int {
        if case .dense = form { place % outputs } else { place / pixels }
    }

    /// What weights make of numbers.
    func applied(_ weights: [Double], to input: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: outputShape.reduce(1, *))
        result.withUnsafeMutableBufferPointer { result in
            input.withUnsafeBufferPointer { input in
                weights.withUnsafeBufferPointer { weights in
                    guard case .dense(let positions, let inputs, let outputs) = form else {
                        eachRun { w, o, i, step, count in
                            let weight = weights[w]
                            if step == 1 {
                                for p in 0..<count { result[o + p] += weight * input[i + p] }
                            } else {
                                for p in 0..<count { result[o + p] += weight * input[i + p * step] }
                            }
                        }
                        return
                    }
                    for position in 0..<positions {
                        for i in 0..<inputs {
                            let (value, w, o) = (input[position * inputs + i], i * outputs, position * outputs)
                            for output in 0..<outputs { result[o + output] += weights[w + output] * value }
                        }
                    }
                }
            }
        }
        return result
    }
}
