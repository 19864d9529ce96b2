/// The discrete Fourier transform of short vectors, as matrices: [count, count], symmetric.
struct FourierMatrix: Sendable {
    let count: Int
    fileprivate let cosines: [Float]
    fileprivate let sines: [Float]

    init(_ count: Int) {
        self.count = count
        let angles = (0..<count * count).map { 2 * .pi * Double($0 / count * ($0 % count) % count) / Double(count) }
        cosines = angles.map { Float(Trigonometry.cosine($0)) }
        sines = angles.map { Float(Trigonometry.sine($0)) }
    }
}

/// A matrix of complex numbers.
struct ComplexPlane {
    private(set) var real: [Float]
    private(set) var imaginary: [Float]

    init(real: [Float]) {
        self.real = real
        imaginary = [Float](repeating: 0, count: real.count)
    }

    init(real: [Float], imaginary: [Float]) {
        self.real = real
        self.imaginary = imaginary
    }

    /// The discrete Fourier transform in both dimensions.
    func transformed(_ matrices: (rows: FourierMatrix, columns: FourierMatrix)) -> ComplexPlane {
        through(matrices, sign: -1)
    }

    /// The inverse of ``transformed(_:)``.
    func inverse(_ matrices: (rows: FourierMatrix, columns: FourierMatrix)) -> ComplexPlane {
        var result = through(matrices, sign: 1)
        let factor = 1 / Float(real.count)
        result.real = result.real.scaled(factor)
        result.imaginary = result.imaginary.scaled(factor)
        return result
    }

    private func through(_ matrices: (rows: FourierMatrix, columns: FourierMatrix), sign: Float) -> ComplexPlane {
        let (h, w) = (matrices.rows.count, matrices.columns.count)
        // (C + i s S)(a + i b) = (C a - s S b) + i (C b + s S a), once from the left and once from the right.
        func times(_ a: [Float], _ b: [Float], _ left: Bool) -> [Float] {
            var result = [Float](repeating: 0, count: h * w)
            a.withUnsafeBufferPointer { a in
                b.withUnsafeBufferPointer { b in
                    result.withUnsafeMutableBufferPointer { result in
                        guard let a = a.baseAddress, let b = b.baseAddress, let target = result.baseAddress else {
                            return
                        }
                        Dense.multiply(
                            Dense.Matrix(a, h, left ? h : w), Dense.Matrix(b, left ? h : w, w), into: target)
                    }
                }
            }
            return result
        }
        func combined(_ a: [Float], _ b: [Float], _ factor: Float) -> [Float] {
            zip(a, b).map { $0 + factor * $1 }
        }
        let (c, s) = (matrices.rows.cosines, matrices.rows.sines)
        let x = combined(times(c, real, true), times(s, imaginary, true), -sign)
        let y = combined(times(c, imaginary, true), times(s, real, true), sign)
        let (d, t) = (matrices.columns.cosines, matrices.columns.sines)
        return ComplexPlane(
            real: combined(times(x, d, false), times(y, t, false), -sign),
            imaginary: combined(times(y, d, false), times(x, t, false), sign))
    }

    /// Each number times a real one.
    func times(_ factors: [Float]) -> ComplexPlane {
        ComplexPlane(
            real: zip(real, factors).map { $0 * $1 }, imaginary: zip(imaginary, factors).map { $0 * $1 })
    }

    /// The frequencies of every second row and column, from the frequencies of all: the mean of those that fall together.
    func folded(_ size: (height: Int, width: Int)) -> ComplexPlane {
        let (h, w) = (size.height / 2, size.width / 2)
        func fold(_ values: [Float]) -> [Float] {
            (0..<h * w).map { index in
                let place = index / w * size.width + index % w
                let below = place + h * size.width
                return (values[place] + values[place + w] + values[below] + values[below + w]) / 4
            }
        }
        return ComplexPlane(real: fold(real), imaginary: fold(imaginary))
    }

    /// The absolute value of each number.
    func moduli() -> [Float] { zip(real, imaginary).map { ($0 * $0 + $1 * $1).squareRoot() } }
}
