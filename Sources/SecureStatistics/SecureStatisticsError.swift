public import DifferentialPrivacy
public import SecureComputation

/// Why a task, a party's part or a result was refused: by names, sizes and places that are public, never by a value.
public enum SecureStatisticsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A task that says something impossible: what, and what would be right.
    case task(String, expected: String)
    /// An owner's part or an output of a wrong form.
    case rows(String, expected: String)
    /// What the computation refuses: an overflow names the step and the bits that it would need.
    case computation(ComputationError)
    /// Noise that cannot be had.
    case noise(MechanismError)

    /// What was wrong, and what would be right.
    public var description: String {
        switch self {
        case .task(let what, let expected), .rows(let what, let expected): "\(what): expected \(expected)"
        case .computation(let error): "\(error)"
        case .noise(let error): "\(error)"
        }
    }
}

/// The result of work on programs, with its errors as a task's.
func computing<Result>(_ work: () throws(ComputationError) -> Result) throws(SecureStatisticsError) -> Result {
    do throws(ComputationError) { return try work() } catch { throw .computation(error) }
}

/// The result of work on noise, with its errors as a task's.
func noising<Result>(_ work: () throws(MechanismError) -> Result) throws(SecureStatisticsError) -> Result {
    do throws(MechanismError) { return try work() } catch { throw .noise(error) }
}
