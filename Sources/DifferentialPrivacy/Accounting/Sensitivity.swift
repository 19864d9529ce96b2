/// The largest change that one unit makes to a vector of group totals: exact worst cases.
///
/// A unit has at most R rows, in at most k groups, at most m in each; each row adds a magnitude of at most v to its
/// group's total. So the change is a vector of at most k entries, each at most m v, that sum to at most R v. Its L1
/// norm is largest for min(R, k m) rows; its L2 norm, being convex, at a corner: as many groups filled with m rows as
/// there are rows for, and the rest in one more.
///
/// Also for histograms: a row counts in one bin of its group, and in the worst case a group's rows share a bin.
public enum Sensitivity {
    /// The largest L1 norm. Zero or negative bounds give 0.
    public static func l1(groups: Int, rowsPerGroup: Int, rowsPerUnit: Int, largest: Int64 = 1) -> Double {
        let rows = keptRows(groups, rowsPerGroup, rowsPerUnit)
        return roundedUp(Natural(rows) * largest.magnitude)
    }

    /// The largest squared L2 norm.
    public static func l2Squared(groups: Int, rowsPerGroup: Int, rowsPerUnit: Int, largest: Int64 = 1) -> Double {
        let rows = keptRows(groups, rowsPerGroup, rowsPerUnit)
        guard rows > 0 else { return 0 }
        let full = rows / UInt128(rowsPerGroup)
        let rest = rows % UInt128(rowsPerGroup)
        let perGroup = Natural(UInt128(rowsPerGroup) * UInt128(rowsPerGroup))
        let square = Natural(full) * perGroup + Natural(rest * rest)
        return roundedUp(square * largest.magnitude * largest.magnitude)
    }

    private static func keptRows(_ groups: Int, _ rowsPerGroup: Int, _ rowsPerUnit: Int) -> UInt128 {
        guard groups > 0 && rowsPerGroup > 0 && rowsPerUnit > 0 else { return 0 }
        return min(UInt128(rowsPerUnit), UInt128(groups) * UInt128(rowsPerGroup))
    }

    /// The least `Double` that is not below: exact up to 2^53.
    private static func roundedUp(_ value: Natural) -> Double {
        let excess = value.bitWidth - 53
        guard excess > 0 else { return Double(value.word ?? 0) }
        let top = value >> excess
        let significand = (top << excess) < value ? top + Natural(1 as UInt64) : top
        return Double(sign: .plus, exponent: excess, significand: Double(significand.word ?? 0))
    }
}

extension Sensitivity {
    /// The largest squared L2 change, in steps of the grid, of a vector of so many entries that is rounded to integers, where
    /// one unit changes it by at most `clip` steps before. Rounding moves each entry by at most half a step on either
    /// neighbour to the nearest integer, or by less than one, of the unit's own vector, to one of two at random: so by
    /// `clip + sqrt(dimension)` in L2 norm. Its square is a whole number.
    ///
    /// Throws unless the clip is finite and not negative and the dimension positive.
    public static func roundedL2Squared(clip: Double, dimension: Int) throws(MechanismError) -> Double {
        guard clip >= 0 && clip <= 0x1p60 else { throw .parameter("clip", expected: "a number from 0 to 2^60") }
        guard dimension >= 1 else { throw .parameter("dimension", expected: "a positive number") }
        let norm = clip + Double(dimension).squareRoot()
        return OutwardRounding.up(norm * norm).rounded(.down)
    }

    /// The largest L1 norm of an integer vector of so many entries and that squared L2 norm: `sqrt(dimension)` times the L2
    /// norm at most (Cauchy and Schwarz), and no more than its square, since |x| <= x^2 for integers.
    public static func l1(l2Squared: Double, dimension: Int) -> Double {
        min(l2Squared, OutwardRounding.up((Double(dimension) * l2Squared).squareRoot()).rounded(.down))
    }
}
