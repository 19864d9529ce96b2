import Tables

extension ColumnSchema {
    /// What would make one value two: refused in new manifests.
    func contradictions() -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func refuse(_ key: String, _ message: String) {
            found.append(ManifestProblem(path: "columns.\(name).\(key)", message: message))
        }
        if type != .real, let resolution, resolution != resolution.rounded() {
            refuse("resolution", "must be a whole number: the column's values are")
        }
        if let lowerBound, let upperBound, type != .real, lowerBound < upperBound,
            lowerBound.rounded(.up) > upperBound.rounded(.down)
        {
            refuse("bounds", "no value of the column's type lies within")
        }
        if let domain, domain.contains(where: { bounded($0) != $0 }) {
            refuse(
                "domain", "each value must lie within the bounds, and on the resolution, that the column declares too")
        }
        return found
    }

    /// What is wrong with one column's declaration.
    func problems() -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func refuse(_ key: String, _ message: String) {
            found.append(ManifestProblem(path: "columns.\(name)" + (key.isEmpty ? "" : ".\(key)"), message: message))
        }
        if name.isEmpty || name.utf8.count > Manifest.Limits.columnNameBytes {
            refuse("name", "must have 1 to \(Manifest.Limits.columnNameBytes) bytes")
        }
        let isOrdered = [.integer, .real, .date, .timestamp].contains(type)
        if (lowerBound == nil) != (upperBound == nil) { refuse("bounds", "give both ends: [lower, upper]") }
        if let lowerBound, let upperBound {
            if !isOrdered { refuse("bounds", "only numbers, dates and timestamps have bounds") }
            if !lowerBound.isFinite || !upperBound.isFinite { refuse("bounds", "must be finite") }
            if !(lowerBound < upperBound) { refuse("bounds", "the lower bound must lie below the upper") }
            if type != .real, max(abs(lowerBound), abs(upperBound)) > 9_007_199_254_740_992 {
                refuse("bounds", "must lie within -2^53 and 2^53")
            }
        }
        if outsideIsNull {
            if lowerBound == nil { refuse("outside", "needs bounds") }
            if !isNullable { refuse("outside", "the column is not nullable: say `nullable: true`, or leave it out") }
        }
        if let resolution, !(resolution > 0 && resolution.isFinite) { refuse("resolution", "must be above 0") }
        if resolution != nil, !isOrdered { refuse("resolution", "only numbers, dates and timestamps have one") }
        if !(1...65_536).contains(maximumBytes) { refuse("max-bytes", "must be between 1 and 65536") }
        if let domain {
            if domain.isEmpty { refuse("domain", "name at least one value") }
            if domain.count > Manifest.Limits.domainValues {
                refuse("domain", "name at most \(Manifest.Limits.domainValues) values")
            }
            if Set(domain).count != domain.count { refuse("domain", "a value is named twice") }
            if domain.contains(.null) { refuse("domain", "null is not a value: say `nullable: true`") }
        }
        if let other {
            if domain == nil { refuse("other", "needs a domain") }
            if domain?.contains(other) == false { refuse("other", "must be one of the domain's values") }
        }
        return found
    }
}
