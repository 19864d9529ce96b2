/// Why a parameter, a measurement, a message or a report was refused: by public sizes and places, never by a measurement,
/// a share or a key.
public enum Prio3Error: Error, Sendable, Hashable, CustomStringConvertible {
    /// A parameter out of range: which, and what it should be.
    case parameter(String, expected: String)
    /// The client's own measurement is not valid: what it should be.
    case measurement(expected: String)
    /// Bytes that are no message of this kind: which, and what they should be.
    case malformed(String, expected: String)
    /// The measurement is not valid, or the client's proof of it is not: the report is dropped.
    case invalidProof
    /// The client or an aggregator used other randomness than what follows from the shares: the report is dropped.
    case wrongJointRandomness
    /// The query would show something of the measurement; one report in 2^58 is so, and is dropped.
    case unverifiable
    /// Something of another task, that is of other parameters or another context, or of another aggregator.
    case another(String, expected: String)
    /// The sum is not one of so many measurements: the aggregators did not sum the same reports, or one of them lied.
    case impossibleSum(count: Int)

    /// What was wrong and what would be right.
    public var description: String {
        switch self {
        case .parameter(let name, let expected): return "\(name): expected \(expected)"
        case .measurement(let expected): return "measurement: expected \(expected)"
        case .malformed(let name, let expected): return "\(name): expected \(expected)"
        case .invalidProof: return "the report's proof does not verify: expected a valid measurement with its proof"
        case .wrongJointRandomness:
            return "the report's joint randomness is not that of its shares: expected the parts that follow from them"
        case .unverifiable:
            return "the report cannot be verified without a risk to its privacy: expected one with another nonce"
        case .another(let name, let expected): return "\(name) of something else: expected \(expected)"
        case .impossibleSum(let count):
            return "the aggregate shares do not add up to a sum of \(count) measurements: expected shares of the same "
                + "\(count) reports from each aggregator"
        }
    }
}
