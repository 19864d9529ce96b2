/// The least size that a unit's gradient is taken for, where it is computed without being made.
///
/// The terms of a unit's gradient may cancel, and then its norm is small or zero, while the terms themselves are added to a sum that holds
/// other units: in float32 a large term takes the last digits of what is there, or all of it, with it when it is subtracted again.
/// So a unit's terms, after scaling, must not be much larger than the clipping norm, and no value so large that what it multiplies
/// falls below float32's range.
enum Cancellation {
    /// The squared norm, but at least the squared size of the terms over 64 times their number, which is 64 or more: scaled terms
    /// are then in all at most 64 times the clipping norm for 64 terms, and 8 times its root for more. Terms of random
    /// directions, whose sum is about their size over the root of their number, are far above that.
    ///
    /// - Parameters:
    ///   - square: Of the sum of the terms.
    ///   - size: The sum of the terms' own norms.
    static func squaredNorm(_ square: Double, size: Double, terms: Int) -> Double {
        // Not max(): it would make a number of what is none.
        let least = size * size / Double(64 * max(64, terms))
        return square < least ? least : square
    }

    /// Up to which squared norm a row's values serve as a factor.
    static let largestSquare = 0x1p128
}
