import Synchronization

/// The scattering transform of images (Mallat 2012; Oyallon and Mallat 2015): moduli of Morlet wavelets at two scales and eight
/// angles, in up to two layers, averaged. It learns nothing, so it costs no privacy, and a linear model behind it is a good one
/// for small private training (Tramèr and Boneh 2021, "Differentially private learning needs better features").
///
/// Rows [channels, height, width] become [81 channels, height / 4, width / 4], with the coefficients in the order of Kymatio
/// (Andreux et al. 2020), whose filters and padding these are.
public struct Scattering: Layer {
    public static let kind = "scattering"
    public private(set) var name: String?

    /// - Parameter name: In errors; nil: its place.
    public init(name: String? = nil) { self.name = name }

    public init(_ fields: inout LayerFields) throws(ModelError) { self.init(name: fields.name) }
    public var fields: [LayerField] { [] }

    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        guard input.count == 3, input[1] >= 12, input[2] >= 12, input[1] % 4 == 0, input[2] % 4 == 0 else {
            throw mismatch(
                input, "images [channels, height, width] whose height and width are multiples of 4, from 12 on")
        }
        guard outline.declarations.isEmpty else {
            throw .field(
                layer: title, field: "place", expected: "before all layers that learn: no gradient goes through it")
        }
        // Fourier transforms of as many planes, and as many products with filters.
        outline.costs(50 * ScatteringFilters.coefficients, input.product)
        return [input[0] * ScatteringFilters.coefficients, input[1] / 4, input[2] / 4]
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let filters = ScatteringFilters.of(height: input.shape[2], width: input.shape[3])
        let (planeSize, outputSize) = (filters.height * filters.width, filters.outputSize)
        let planes = input.shape[0] * input.shape[1]
        return Tensor(
            shape: [
                input.shape[0], input.shape[1] * ScatteringFilters.coefficients, filters.height / 4, filters.width / 4,
            ]
        ) { target in
            input.withValues { values in
                for plane in 0..<planes {
                    filters.transform(
                        values + plane * planeSize, into: target + plane * ScatteringFilters.coefficients * outputSize)
                }
            }
        }
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? { nil }
}

/// Filters for images of one size, in the frequency domain.
struct ScatteringFilters: Sendable {
    static let coefficients = 81
    private static let angles = 8

    let height: Int
    let width: Int
    /// With reflected borders: by kymatio's rule, the next multiple of 4 behind the image and 4 more.
    private let padded: (height: Int, width: Int)
    /// The transforms at full and half resolution.
    private let fourier: [(rows: FourierMatrix, columns: FourierMatrix)]
    /// For scale 0 and 1 and each angle: real, of the padded image's frequencies.
    private let wavelets: [[[Float]]]
    /// For full, half and no resolution of rows and columns: averages and keeps every 4th, 2nd: [outputs, padded].
    private let averages: [(rows: [Float], columns: [Float])]

    var outputSize: Int { height / 4 * (width / 4) }

    private static let known = Mutex<[[Int]: ScatteringFilters]>([:])

    static func of(height: Int, width: Int) -> ScatteringFilters {
        if let filters = known.withLock({ $0[[height, width]] }) { return filters }
        let filters = ScatteringFilters(height: height, width: width)
        known.withLock { $0[[height, width]] = filters }
        return filters
    }

    private init(height: Int, width: Int) {
        self.height = height
        self.width = width
        let padded = (height: height + 8, width: width + 8)
        self.padded = padded
        fourier = [1, 2].map { (FourierMatrix(padded.height / $0), FourierMatrix(padded.width / $0)) }
        wavelets = (0..<2).map { scale in
            (0..<Self.angles).map { angle in
                Self.wavelet(padded, scale: scale, angle: Double(3 - angle) * .pi / Double(Self.angles))
            }
        }
        averages = [0, 1].map { level in
            (
                Self.average(padded.height, level: level, outputs: height / 4),
                Self.average(padded.width, level: level, outputs: width / 4)
            )
        }
    }

    /// The coefficients of one image, in the order: the average; each first wavelet's; each first's with each coarser second.
    func transform(_ image: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        var place = target
        func keep(_ values: [Float], _ level: Int) {
            average(values, level, into: place)
            place += outputSize
        }
        let image = reflected(image)
        keep(image, 0)
        let spectrum = ComplexPlane(real: image).transformed(fourier[0])
        var second: [[Float]] = []
        var first: [[Float]] = []
        for wavelet in wavelets[0] {
            first.append(spectrum.times(wavelet).inverse(fourier[0]).moduli())
        }
        for wavelet in wavelets[1] {
            second.append(spectrum.times(wavelet).folded(padded).inverse(fourier[1]).moduli())
        }
        // Kymatio's order: first wavelets, then pairs; `place` goes through both in turn.
        for values in first { keep(values, 0) }
        for values in second { keep(values, 1) }
        for values in first {
            let spectrum = ComplexPlane(real: values).transformed(fourier[0])
            for wavelet in wavelets[1] {
                keep(spectrum.times(wavelet).folded(padded).inverse(fourier[1]).moduli(), 1)
            }
        }
    }

    private func reflected(_ image: UnsafePointer<Float>) -> [Float] {
        func mirror(_ index: Int, _ count: Int) -> Int {
            index < 0 ? -index : index >= count ? 2 * count - 2 - index : index
        }
        var values: [Float] = []
        values.reserveCapacity(padded.height * padded.width)
        for y in -4..<height + 4 {
            for x in -4..<width + 4 { values.append(image[mirror(y, height) * width + mirror(x, width)]) }
        }
        return values
    }

    /// rows x values x columns^T.
    private func average(_ values: [Float], _ level: Int, into target: UnsafeMutablePointer<Float>) {
        let (h, w) = (padded.height >> level, padded.width >> level)
        var half = [Float](repeating: 0, count: height / 4 * w)
        values.withUnsafeBufferPointer { values in
            averages[level].rows.withUnsafeBufferPointer { rows in
                averages[level].columns.withUnsafeBufferPointer { columns in
                    half.withUnsafeMutableBufferPointer { half in
                        guard let v = values.baseAddress, let r = rows.baseAddress, let c = columns.baseAddress,
                            let middle = half.baseAddress
                        else { return }
                        Dense.multiply(Dense.Matrix(r, height / 4, h), Dense.Matrix(v, h, w), into: middle)
                        Dense.multiply(
                            Dense.Matrix(middle, height / 4, w), Dense.Matrix(c, width / 4, w).transposed, into: target)
                    }
                }
            }
        }
    }

    // MARK: Filters, as kymatio 0.3 makes them

    /// A Morlet wavelet's frequencies, which are real.
    private static func wavelet(_ size: (height: Int, width: Int), scale: Int, angle: Double) -> [Float] {
        let sigma = 0.8 * Double(1 << scale)
        let frequency = 0.75 * .pi / Double(1 << scale)
        let slant = 4.0 / Double(angles)
        let waves = gabor(size, sigma: sigma, angle: angle, frequency: frequency, slant: slant)
        let envelope = gabor(size, sigma: sigma, angle: angle, frequency: 0, slant: slant)
        let total = envelope.reduce(0) { $0 + $1.0 }
        let share = waves.reduce((0, 0)) { ($0.0 + $1.0 / total, $0.1 + $1.1 / total) }
        let morlet = zip(waves, envelope).map { ($0.0 - share.0 * $1.0, $0.1 - share.1 * $1.0) }
        var plane = ComplexPlane(
            real: morlet.map { Float($0.0) }, imaginary: morlet.map { Float($0.1) })
        plane = plane.transformed((FourierMatrix(size.height), FourierMatrix(size.width)))
        return plane.real
    }

    /// A Gaussian times a wave, summed over periods.
    private static func gabor(
        _ size: (height: Int, width: Int), sigma: Double, angle: Double, frequency: Double, slant: Double
    ) -> [(Double, Double)] {
        let (cosine, sine) = (Trigonometry.cosine(angle), Trigonometry.sine(angle))
        let (across, scale) = (slant * slant, 2 * sigma * sigma)
        let xx = (cosine * cosine + across * sine * sine) / scale
        let xy = 2 * cosine * sine * (1 - across) / scale
        let yy = (sine * sine + across * cosine * cosine) / scale
        // Kymatio's own value of pi.
        let norm = 2 * 3.1415 * sigma * sigma / slant
        return (0..<size.height * size.width).map { index in
            var sum = (0.0, 0.0)
            for periodX in -2...2 {
                for periodY in -2...2 {
                    let x = Double(index / size.width + periodX * size.height)
                    let y = Double(index % size.width + periodY * size.width)
                    let decay = Exponential.value(-(xx * x * x + xy * x * y + yy * y * y)) / norm
                    let phase = frequency * (x * cosine + y * sine)
                    sum = (sum.0 + decay * Trigonometry.cosine(phase), sum.1 + decay * Trigonometry.sine(phase))
                }
            }
            return sum
        }
    }

    /// The average of one dimension: a Gaussian, at a resolution that is halved so many times, of which every so-manieth is kept
    /// that the outputs are 4 apart in the image; without the first and the last of them, which lie in the border.
    private static func average(_ padded: Int, level: Int, outputs: Int) -> [Float] {
        let sigma = 1.6
        let norm = (2 * 3.1415).squareRoot() * sigma
        let gaussian = (0..<padded).map { index in
            (-2...2).reduce(0.0) { sum, period in
                let x = Double(index + period * padded)
                return sum + Exponential.value(-x * x / (2 * sigma * sigma)) / norm
            }
        }
        // Its frequencies, which are real; at half resolution the upper half of them is left out, as kymatio does.
        let count = padded >> level
        let frequencies = (0..<count).map { k -> Double in
            let full = k < count / 2 || level == 0 ? k : padded - count + k
            return gaussian.enumerated().reduce(0.0) {
                $0 + $1.element * Trigonometry.cosine(2 * .pi * Double(full * $1.offset) / Double(padded))
            }
        }
        let kept = 4 >> level
        return (0..<outputs).flatMap { output in
            (0..<count).map { place in
                let distance = (output + 1) * kept - place
                let sum = frequencies.enumerated().reduce(0.0) {
                    $0 + $1.element * Trigonometry.cosine(2 * .pi * Double($1.offset * distance) / Double(count))
                }
                return Float(sum / Double(count))
            }
        }
    }
}
