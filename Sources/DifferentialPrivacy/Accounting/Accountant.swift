/// Which datasets are neighbours (docs/privacy.md, rule 1).
public enum NeighbourRelation: String, Sendable, Hashable, Codable, CaseIterable {
    /// They differ in one privacy unit, with all its rows: the relation of a datasite.
    case addOrRemove = "add-or-remove"
    /// They are of one public size, and differ in what one unit contributes.
    case replaceOne = "replace-one"
}

/// What is proved about a true value, an epsilon or a delta: it is at least `lower` (0 where nothing better is known) and
/// at most `upper`.
///
/// The true value is the least that holds for the events as they are described, for adaptive choices of each. An event
/// that stands for any mechanism of a kind, such as `.pure`, is the worst of its kind.
public struct PrivacyBounds: Sendable, Hashable {
    /// The true value is at least this; 0 where nothing better is known.
    public var lower: Double
    /// The true value is at most this; infinite where no finite bound is proved.
    public var upper: Double
    /// The order of Rényi divergence that gave `upper`, where there is one.
    public var order: Double?

    /// Bounds that were proved elsewhere.
    public init(lower: Double, upper: Double, order: Double? = nil) {
        self.lower = lower
        self.upper = upper
        self.order = order
    }
}

/// Bounds what a sequence of events reveals, each event chosen adaptively after the outputs of earlier ones.
///
/// An event that an accountant has no theorem for is refused, and so is one whose neighbour relation is another than the
/// accountant's; an accountant that has thrown is as it was before. Results are rounded to the safe side: they include
/// the error of the floating-point arithmetic that computes them.
public protocol Accountant: Sendable {
    /// The relation that sensitivities and multipliers are about, and the guarantee.
    var neighbours: NeighbourRelation { get }

    /// Adds the event, `times` times. Throws for parameters out of range and for unsupported events.
    mutating func compose(_ event: PrivacyEvent, times: Int) throws(MechanismError)

    /// Bounds on the least epsilon such that all that was composed is (epsilon, delta)-differentially private. Throws
    /// unless delta is from 0 to 1. `upper` is infinite where no finite epsilon is proved.
    func epsilon(delta: Double) throws(MechanismError) -> PrivacyBounds

    /// Bounds on the least delta at epsilon. Throws unless epsilon is a number that is not negative.
    func delta(epsilon: Double) throws(MechanismError) -> PrivacyBounds
}

extension Accountant {
    /// Adds the event, once.
    public mutating func compose(_ event: PrivacyEvent) throws(MechanismError) {
        try compose(event, times: 1)
    }
}

/// The ranges of what accountants are asked.
enum AccountantArgument {
    static func check(delta: Double) throws(MechanismError) {
        guard delta >= 0 && delta <= 1 else { throw .parameter("delta", expected: "a number from 0 to 1") }
    }

    static func check(epsilon: Double) throws(MechanismError) {
        guard epsilon >= 0 else { throw .parameter("epsilon", expected: "a number that is not negative") }
    }
}
