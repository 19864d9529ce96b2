import DifferentialPrivacy

extension Policy {
    /// What is wrong with the policy's numbers; empty for a valid one.
    public func problems() -> [ManifestProblem] {
        var found: [ManifestProblem] = []
        func refuse(_ path: String, _ message: String) {
            found.append(ManifestProblem(path: "policy.\(path)", message: message))
        }
        if total.kind != regime.kind { refuse("total", "must be in the policy's unit of loss") }
        if !total.amounts.contains(where: { $0 > 0 }) { refuse("total", "must be above 0") }
        switch regime.kind {
        case .pure:
            if regime.conversionDelta != 0 || regime.selectionDelta != 0 || total.delta != 0 {
                refuse("delta", "a pure policy has no delta")
            }
        case .zeroConcentrated, .renyi:
            let delta = regime.conversionDelta + regime.selectionDelta
            if !(regime.conversionDelta > 0 && regime.selectionDelta >= 0 && delta < 1) {
                refuse("delta", "must lie between 0 and 1")
            }
        }
        if let perResearcher, !perResearcher.isLimit(of: regime.kind) { refuse("per-researcher", "must be above 0") }
        if researcherLimits.count > Self.largestResearcherLimits {
            refuse("researcher-limits", "name at most \(Self.largestResearcherLimits)")
        }
        for (name, limit) in researcherLimits.sorted(by: { $0.key < $1.key }) {
            if !Manifest.isName(name) { refuse("researcher-limits", "a name " + Manifest.nameRule) }
            if !limit.isLimit(of: regime.kind) { refuse("researcher-limits.\(name)", "must be above 0") }
        }
        if let perQuestion, !perQuestion.isLimit(of: regime.kind) { refuse("per-question", "must be above 0") }
        if !(0...Self.wholeShare).contains(leastShare) { refuse("least-share", "must be between 0 and 1") }
        if windows.count > 16 { refuse("windows", "declare at most 16") }
        if Set(windows.map(\.seconds)).count != windows.count { refuse("windows", "two have the same length") }
        for window in windows where window.seconds < 60 || window.seconds > 100 * 366 * 86_400 {
            refuse("windows", "a window is at least a minute and at most 100 years long")
        }
        for window in windows where !window.limit.isLimit(of: regime.kind) {
            refuse("windows", "a limit must be above 0")
        }
        if engines?.isEmpty == true { refuse("engines", "allow at least one kind of work") }
        if allowedAggregates.isEmpty { refuse("aggregates", "allow at least one") }
        if case .owners(let count) = approval, !(1...100).contains(count) {
            refuse("approval.owners", "must be between 1 and 100")
        }
        for (name, rule) in engines ?? [:] {
            let path = "engines.\(name.rawValue)"
            if case .owners(let count) = rule.approval, !(1...100).contains(count) {
                refuse("\(path).approval.owners", "must be between 1 and 100")
            }
            for (key, uses) in [("uses", rule.uses), ("uses-per-researcher", rule.usesPerResearcher)] {
                if let uses, !(1...Self.largestUses).contains(uses) {
                    refuse("\(path).\(key)", "must be between 1 and \(Self.largestUses)")
                }
            }
        }
        return found
    }

    /// The most researchers whom a policy may give limits of their own.
    public static let largestResearcherLimits = 1_000

    /// The most uses that a policy may allow.
    public static let largestUses: Int64 = 1 << 40
}

extension PrivacyLoss {
    fileprivate func isLimit(of kind: PrivacyLossKind) -> Bool {
        self.kind == kind && amounts.contains { $0 > 0 } && delta >= 0
    }
}
