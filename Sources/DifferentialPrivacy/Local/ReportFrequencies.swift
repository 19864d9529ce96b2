/// The probabilities that a report names a category where it is the device's, and where it is not; and from the numbers
/// of reports, unbiased estimates of the numbers of devices (Wang, Blocki, Li and Jha 2017, "pure" protocols).
public struct ReportFrequencies: Sendable, Hashable {
    /// p: that the report names the device's own category.
    public let ofTruth: Double
    /// q: that it names some other one.
    public let ofOther: Double
    /// The number of categories.
    public let categories: Int

    /// The estimated number of devices in each category: `(c - n q) / (p - q)` for c of n reports. Unbiased, so that it
    /// may be negative or exceed n; estimates of all categories of `RandomizedResponse` add up to n. Post-processing.
    /// Throws unless `counts` has an entry for each category, from 0 to `reports`.
    public func estimate(counts: [Int], reports: Int) throws(MechanismError) -> [Double] {
        guard counts.count == categories, counts.allSatisfy({ (0...max(0, reports)).contains($0) }) else {
            throw .parameter("counts", expected: "a number from 0 to that of reports for each category")
        }
        return counts.map { (Double($0) - Double(reports) * ofOther) / (ofTruth - ofOther) }
    }

    /// The variance of the estimate for a category of `devices` among `reports` reports: of randomisation alone, the
    /// devices taken as given: `(d p (1 - p) + (n - d) q (1 - q)) / (p - q)^2`.
    public func variance(devices: Double, reports: Int) -> Double {
        let own = devices * ofTruth * (1 - ofTruth)
        let others = (Double(reports) - devices) * ofOther * (1 - ofOther)
        let difference = ofTruth - ofOther
        return (own + others) / (difference * difference)
    }
}
