public import Learning
public import SecureComputation

/// Why a model, terms or rows were refused: by names, places and sizes that are public, never by a weight or a value of a row.
public enum PredictionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A layer that has no form on shares here: which, and what would be right.
    case unsupported(layer: String, instead: String)
    /// A layer behind which numbers could pass the ring's bounds: which, and the bits that it would need, of which there are 62.
    case overflow(layer: String, bits: Int)
    /// A parameter out of range.
    case parameter(String, expected: String)
    /// Terms that are not what they should be.
    case malformed(String, expected: String)
    /// Rows, weights or results of a wrong size, or a value that is no number: its place, never the value.
    case input(String, expected: String)
    /// The model cannot be built, or its weights do not fit it.
    case model(ModelError)
    /// The program was refused.
    case computation(ComputationError)

    /// What was wrong, where, and what would be right.
    public var description: String {
        switch self {
        case .unsupported(let layer, let instead): "layer \(layer) cannot be computed on shares: \(instead)"
        case .overflow(let layer, let bits):
            "layer \(layer) could need \(bits) bits, and there are 62: calibrate on public rows, fewer bits behind the point, or a smaller bound of inputs"
        case .parameter(let name, let expected), .malformed(let name, let expected), .input(let name, let expected):
            "\(name): expected \(expected)"
        case .model(let error): "\(error)"
        case .computation(let error): "\(error)"
        }
    }
}

/// Runs what throws a computation's error.
func computing<Result>(
    _ title: String, _ body: () throws(ComputationError) -> Result
) throws(PredictionError) -> Result {
    do { return try body() } catch {
        if case .overflow(_, let bits) = error { throw .overflow(layer: title, bits: bits) }
        throw .computation(error)
    }
}
