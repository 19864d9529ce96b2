/// The least integer of the range for which a condition holds that, once true, stays true; the last one if none.
func leastInteger(in range: ClosedRange<Int64>, where holds: (Int64) -> Bool) -> Int64 {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
        let middle = low + (high - low) / 2
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    return low
}
