/// Why a number or a shape was refused: by public sizes and places, never by a value.
public enum ArithmeticError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// A number beyond the declared bound, or NaN: its place.
    case outOfBounds(place: Int)
    /// Operands whose sizes do not fit.
    case sizes(String, expected: String)

    /// What was wrong, where, and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected), .sizes(let name, let expected): "\(name): expected \(expected)"
        case .outOfBounds(let place):
            "number \(place) is not within the declared bound: clamp it, or declare a larger bound"
        }
    }
}
