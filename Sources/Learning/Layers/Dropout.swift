/// In training, each value becomes zero with a probability, and what stays is scaled up so that the mean stays (Srivastava et al.
/// 2014). Rows without keys drop nothing.
public struct Dropout: Layer {
    public static let kind = "dropout"
    public private(set) var name: String?
    /// The probability that a value becomes zero.
    public let rate: Float

    /// - Parameter rate: The probability that a value becomes zero: from 0 to below 1.
    public init(_ rate: Float, name: String? = nil) {
        self.rate = rate
        self.name = name
    }

    public init(_ fields: inout LayerFields) throws(ModelError) {
        try self.init(fields.number("rate"), name: fields.name)
    }

    public var fields: [LayerField] { [.init("rate", .number(rate))] }
    public mutating func place(_ name: String) { self.name = self.name ?? name }

    public func outline(_ input: [Int], _ outline: inout Outline) throws(ModelError) -> [Int] {
        try require(rate >= 0 && rate < 1, "rate", "from 0 to below 1")
        return input
    }

    public func forward(_ input: Tensor, _ pass: inout ForwardPass) -> Tensor {
        let draw = pass.nextDraw()
        guard pass.isTraining, rate > 0, pass.rowKeys.count == input.rows else {
            pass.save(.floats([]))
            return input
        }
        let size = input.rowShape.product
        var mask = [Float](repeating: 1 / (1 - rate), count: input.count)
        for (row, key) in pass.rowKeys.enumerated() {
            var draws = RowDraws(key: key, draw: draw)
            for index in row * size..<(row + 1) * size where draws.next() < rate { mask[index] = 0 }
        }
        pass.save(.floats(mask))
        return input.masked(mask)
    }

    public func backward(_ gradient: Tensor, _ pass: inout BackwardPass) -> Tensor? {
        let mask = pass.floats()
        guard pass.wantsInputGradient else { return nil }
        return mask.isEmpty ? gradient : gradient.masked(mask)
    }
}

/// SplitMix64 (Steele et al. 2014) from a row's key and the number of the layer's draw, so that a row's mask depends on no other row.
/// For masks alone: it protects nothing.
struct RowDraws {
    private var state: UInt64

    init(key: UInt64, draw: UInt64) {
        state = key ^ Self.mixed(draw &+ 0xD1B5_4A32_D192_ED03)
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    mutating func next() -> Float {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Float(Self.mixed(state) >> 40) * 0x1p-24
    }

    private static func mixed(_ state: UInt64) -> UInt64 {
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

extension Tensor {
    /// Each value times its factor; a factor of 0 gives 0 of a number, and no number of none.
    fileprivate func masked(_ mask: [Float]) -> Tensor {
        Tensor(shape: shape) { target in
            withValues { values in for index in 0..<count { target[index] = values[index] * mask[index] } }
        }
    }
}
