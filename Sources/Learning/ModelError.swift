/// A model that cannot be built, or data that do not fit it.
public enum ModelError: Error, Equatable, Sendable {
    /// What a layer is given does not fit it: which layer, what arrived, what would be right.
    case shape(layer: String, arrived: [Int], expected: String)
    /// A layer's own number or name is wrong: which layer, which of its fields, what would be right.
    case field(layer: String, field: String, expected: String)
    /// A parameter is missing, has another shape, or is of no layer.
    case parameter(name: String, expected: String)
    /// A layer that lets one row's output depend on other rows, where each unit's gradient must be its own.
    case couplesRows(layer: String, instead: String)
    /// What is learned from does not fit the model or the loss: what, and what would be right.
    case data(String, expected: String)
    /// The loss is no number: at which step, and behind which layer that was seen first.
    case notANumber(step: Int, layer: String)
}

extension ModelError: CustomStringConvertible {
    /// In words.
    public var description: String {
        switch self {
        case .shape(let layer, let arrived, let expected):
            "layer \(layer): rows of \(arrived.extents) arrive; it takes \(expected)"
        case .field(let layer, let field, let expected): "layer \(layer): '\(field)' must be \(expected)"
        case .parameter(let name, let expected): "parameter '\(name)': \(expected)"
        case .couplesRows(let layer, let instead):
            "layer \(layer) makes the output of one row depend on others, so that no unit's gradient is its own: "
                + "use \(instead) where training is private"
        case .data(let what, let expected): "\(what): \(expected)"
        case .notANumber(let step, let layer):
            "the loss is no number at step \(step), first seen behind layer \(layer): "
                + "a smaller learning rate, or values scaled to a smaller range, keep it finite"
        }
    }
}
