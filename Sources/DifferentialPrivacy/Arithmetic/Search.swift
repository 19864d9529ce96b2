/// The least integer of the range for which a condition holds that, once true, stays true; the last one if none.
func leastInteger(in range: ClosedRange<Int64>, where holds: (Int64) -> Bool) -> Int64 {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
        let middle = low + (high - low) / 2
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    return low
}

/// The place where a function with one valley is least, by golden section: a starting point, as near as the steps bring
/// it. Functions of several valleys get one of them.
func leastPlace(from low: Double, to high: Double, steps: Int, _ value: (Double) -> Double) -> Double {
    let ratio = (5.0.squareRoot() - 1) / 2
    var (low, high) = (low, high)
    var (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
    var (atLeft, atRight) = (value(left), value(right))
    for _ in 0..<steps {
        if atLeft <= atRight {
            (high, right, atRight) = (right, left, atLeft)
            left = high - ratio * (high - low)
            atLeft = value(left)
        } else {
            (low, left, atLeft) = (left, right, atRight)
            right = low + ratio * (high - low)
            atRight = value(right)
        }
    }
    return atLeft <= atRight ? left : right
}
