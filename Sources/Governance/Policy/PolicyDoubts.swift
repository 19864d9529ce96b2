import DifferentialPrivacy
import Tables

/// What is valid, and protects nobody or cannot be meant: owners are asked whether it is, before it holds.
extension Manifest {
    /// The doubts that its columns raise, and its policy.
    ///
    /// - Parameter site: The key of the site that it is at; nil: not known.
    public func doubts(site: [UInt8]? = nil) -> [ManifestProblem] {
        schema.columns.compactMap(\.doubt) + (policy?.doubts(units: capacityUnits, site: site) ?? [])
            + (policy?.engines?[IntersectionRule.engine]?.intersection?.doubts(of: self) ?? [])
            + (policy?.engines?[OpenedRowsRule.engine]?.openedRows?.doubts(of: self) ?? [])
            + (policy?.engines?[ComputationRule.engine]?.computation?.doubts(of: self) ?? [])
    }
}

extension Policy {
    /// An epsilon above this lets one answer tell nearly all of what it is asked about one person: odds of e^20 are half a
    /// billion to one.
    public static let largestUsualEpsilon = 20.0

    /// - Parameters:
    ///   - units: The most units that the table may hold, as declared.
    ///   - site: The key of the site whose policy it is; nil: not known.
    public func doubts(units: Int, site: [UInt8]? = nil) -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func doubt(_ path: String, _ message: String) {
            found.append(ManifestProblem(path: "policy.\(path)", message: message))
        }
        let delta = regime.conversionDelta + regime.selectionDelta
        if delta * Double(units) > 1 {
            doubt(
                "delta",
                "is above 1 / \(units), one over the units that the table may hold: a mechanism that hands out one person's "
                    + "row, drawn by lot, would be allowed")
        }
        let epsilon = wholeEpsilon
        if epsilon > Self.largestUsualEpsilon * (1 + 1e-9) {
            doubt(
                "total",
                "an epsilon above \(Int(Self.largestUsualEpsilon)) protects nobody who is asked about often enough")
        }
        for (path, limit) in limitsInside where !limit.isWithin(total) {
            doubt(path, "lies above the total, which binds before it does: it limits nothing")
        }
        for (path, limit) in limitsInside where limit.largestRho < leastPlanned {
            doubt(
                path,
                "lies below what a question is charged at least, `least-share` of the total (1/10,000 unless said): nothing could "
                    + "be asked under it")
        }
        if let rule = engines?[FederationRule.engine], let federation = rule.federation {
            for way in federation.aggregations.sorted(by: { $0.rawValue < $1.rawValue }) {
                guard
                    let obstacle = federation.obstacle(
                        to: way, uses: rule.uses, loss: regime.kind,
                        engine: FederationRule.engine, site: site)
                else { continue }
                doubt(
                    "engines.\(FederationRule.engine.rawValue).\(obstacle.key)",
                    "\(obstacle.message): no run with `\(way.rawValue)` is ever allowed")
            }
        }
        return found
    }

    /// What all of the total comes to.
    private var wholeEpsilon: Double {
        switch regime.kind {
        case .pure: total.value
        case .zeroConcentrated: Conversion.epsilon(rho: total.value, delta: regime.conversionDelta)
        case .renyi: RenyiOrders.epsilon(amounts: total.amounts, delta: regime.conversionDelta)
        }
    }

    private var limitsInside: [(path: String, limit: PrivacyLoss)] {
        let named = researcherLimits.sorted { $0.key < $1.key }.map { ("researcher-limits.\($0.key)", $0.value) }
        let single = [("per-researcher", perResearcher), ("per-question", perQuestion)]
        return single.compactMap { path, limit in limit.map { (path, $0) } } + named
            + windows.map { ("windows", $0.limit) }
    }
}

extension PrivacyLoss {
    /// Whether no amount is larger; what selecting keys may use, which is the policy's unless said, is not compared.
    fileprivate func isWithin(_ total: PrivacyLoss) -> Bool { total.reaches(self) }
}

extension ColumnSchema {
    /// Bounds that no declared value comes near cost noise and hold nothing.
    fileprivate var doubt: ManifestProblem? {
        guard let lowerBound, let upperBound, let numbers = domain?.compactMap(\.magnitude), let least = numbers.min(),
            let most = numbers.max(), lowerBound < least || upperBound > most
        else { return nil }
        return ManifestProblem(
            path: "columns.\(name).bounds",
            message: "reach beyond every value of the declared domain: noise is made for values that cannot be there")
    }
}

extension Value {
    /// As bounds compare it; nil for what has no bounds.
    fileprivate var magnitude: Double? {
        switch self {
        case .integer(let number), .date(let number), .timestamp(let number): Double(number)
        case .real(let number): number
        default: nil
        }
    }
}
