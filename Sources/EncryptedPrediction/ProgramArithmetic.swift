internal import ModularArithmetic
internal import SecureComputation

/// A plan's steps as steps of a program, of so many rows.
struct ProgramArithmetic: PlanArithmetic {
    let rows: Int
    let layers: [LayerTerms]
    let limits: [Int?]
    var builder: ProgramBuilder

    init(rows: Int, layers: [LayerTerms], limits: [Int?], comparison: ComparisonForm) {
        (self.rows, self.layers, self.limits) = (rows, layers, limits)
        builder = ProgramBuilder()
        builder.comparisons = comparison
    }

    private func integer(_ exponent: Int) -> Int64 { 1 << Int64(min(max(exponent, 0), 62)) }

    mutating func linear(
        _ value: Value, _ step: PlannedLinear, divisor: Int
    ) throws(PredictionError) -> (value: Value, bits: Int) {
        let terms = layers[step.number]
        let shape = [rows] + step.outputShape
        let result = try computing(step.title) { () throws(ComputationError) in
            let weights = try builder.weights(
                step.name, of: .second, shape: step.weightShape, bound: integer(terms.bound),
                sumBound: integer(terms.sum))
            let product: Value
            switch step.form {
            case .dense(let positions, let inputs, _):
                let flat =
                    value.shape.count == 2 ? value : try builder.reshaped(value, to: [rows * positions, inputs])
                product = try builder.matrixProduct(flat, weights)
            case .convolution(let windows):
                product = try builder.convolution(value, weights, stride: windows.stride, padding: windows.padding)
            }
            guard let bias = terms.bias else { return try formed(product, shape) }
            // What is added is the second party's: a product with 1, of which one word is opened.
            let one = try builder.constant(Self.one)
            let added = try builder.weights(
                "\(step.name).bias", of: .second, shape: [1, step.outputs], bound: integer(bias),
                sumBound: integer(bias))
            let row = try builder.matrixProduct(one, added)
            let plane = product.count / (rows * step.outputs)
            let places = (0..<product.count).map { place in
                if case .convolution = step.form { place / plane % step.outputs } else { place % step.outputs }
            }
            let all = try builder.gathered(row, places: places, shape: product.shape)
            return try formed(try builder.sum(product, all), shape)
        }
        return (result, terms.bits)
    }

    private static let one: RingTensor = {
        guard let one = try? RingTensor(shape: [1, 1], words: [1]) else { preconditionFailure("One word is one.") }
        return one
    }()

    private mutating func formed(_ value: Value, _ shape: [Int]) throws(ComputationError) -> Value {
        value.shape == shape ? value : try builder.reshaped(value, to: shape)
    }

    mutating func relu(_ value: Value, number: Int, _ scaling: Scaling) throws(PredictionError) -> Value {
        try computing(scaling.title) { () throws(ComputationError) in
            switch (limits[number].map(integer), scaling.bits) {
            case (nil, 0): try builder.relu(value)
            case (nil, let bits): try builder.relu(value, truncatedBy: bits)
            case (let limit?, 0): try builder.relu(value, upTo: limit)
            case (let limit?, let bits): try builder.relu(value, truncatedBy: bits, upTo: limit)
            }
        }
    }

    mutating func truncated(_ value: Value, exactly: Bool, _ scaling: Scaling) throws(PredictionError) -> Value {
        try computing(scaling.title) { () throws(ComputationError) in
            try builder.truncated(value, by: scaling.bits, exactly: exactly)
        }
    }

    mutating func maximum(_ value: Value, _ windows: PlannedWindows) throws(PredictionError) -> Value {
        try computing(windows.title) { () throws(ComputationError) in
            try reduced(value, windows) { (builder, elements) throws(ComputationError) in
                // Two by two.
                var left = elements
                while left.count > 1 {
                    var next: [Value] = []
                    for pair in 0..<left.count / 2 {
                        next.append(try builder.maximum(left[2 * pair], left[2 * pair + 1]))
                    }
                    left = next + (left.count % 2 == 1 ? left.suffix(1) : [])
                }
                return left[0]
            }
        }
    }

    mutating func sum(_ value: Value, _ windows: PlannedWindows) throws(PredictionError) -> Value {
        try computing(windows.title) { () throws(ComputationError) in
            guard windows.outputShape.count > 1 else {
                let flat = try builder.reshaped(value, to: [rows] + windows.outputShape + [windows.area])
                return try builder.summed(flat)
            }
            return try reduced(value, windows) { (builder, elements) throws(ComputationError) in
                try builder.combined(elements.map { ($0, 1) })
            }
        }
    }

    /// Windows along rows, and then along columns: of a window of 3 x 3, four comparisons a place at most and not eight, in as many rounds. What lies outside counts as zero.
    ///
    /// - Parameter reduce: Makes one value of several.
    private mutating func reduced(
        _ value: Value, _ windows: PlannedWindows,
        _ reduce: (inout ProgramBuilder, [Value]) throws(ComputationError) -> Value
    ) throws(ComputationError) -> Value {
        let (channels, height, width) = (windows.shape[0], windows.shape[1], windows.shape[2])
        let (lines, columns) = (windows.outputHeight, windows.outputWidth)
        let planes = rows * channels
        /// The elements of each plane at places that follow from the place in the result.
        func elements(of value: Value, plane: Int, shape: [Int], _ place: (Int) -> Int?) throws(ComputationError)
            -> Value
        {
            let own = (0..<shape[2] * shape[3]).map(place)
            let all = (0..<planes).flatMap { number in own.map { $0.map { number * plane + $0 } ?? -1 } }
            return try builder.gathered(value, places: all, shape: shape)
        }
        var parts: [Value] = []
        for x in 0..<windows.width {
            parts.append(
                try elements(of: value, plane: height * width, shape: [rows, channels, height, columns]) { place in
                    let column = place % columns * windows.stride + x - windows.padding
                    return (0..<width).contains(column) ? place / columns * width + column : nil
                })
        }
        let narrow = try reduce(&builder, parts)
        parts = []
        for y in 0..<windows.height {
            parts.append(
                try elements(of: narrow, plane: height * columns, shape: [rows, channels, lines, columns]) { place in
                    let line = place / columns * windows.stride + y - windows.padding
                    return (0..<height).contains(line) ? line * columns + place % columns : nil
                })
        }
        return try reduce(&builder, parts)
    }

    mutating func shaped(_ value: Value, _ shape: [Int]) throws(PredictionError) -> Value {
        try computing("a shape") { () throws(ComputationError) in try formed(value, [rows] + shape) }
    }

    mutating func added(
        _ a: (value: Value, shift: Int), _ b: (value: Value, shift: Int), title: String
    ) throws(PredictionError) -> Value {
        try computing(title) { () throws(ComputationError) in
            try builder.combined([(a.value, 1 << Int64(a.shift)), (b.value, 1 << Int64(b.shift))])
        }
    }
}
