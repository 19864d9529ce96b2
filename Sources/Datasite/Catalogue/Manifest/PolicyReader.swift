import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Tables
import Yams

/// Reads a policy.
enum PolicyReader {
    /// A document that is a policy, or has one under the key `policy`.
    ///
    /// - Parameter engines: The kinds of work that it may name; nil: any. What is stored is read so, since a later version of
    ///   the datasite may have more.
    static func document(_ text: String, engines: EngineNames? = nil) throws -> Policy {
        let root = try YAMLValue.document(text)
        try root.refuseUnset()
        var value = root
        if let inner = root.node.mapping?["policy"] {
            _ = try root.mapping(["policy"])
            value = YAMLValue(node: inner, path: "policy")
        }
        let policy = try policy(value, engines: engines)
        let problems = policy.problems()
        guard problems.isEmpty else {
            throw ManifestError.problem(problems.map { "`\($0.path)`: \($0.message)" }.joined(separator: "; "))
        }
        return policy
    }

    static func policy(_ value: YAMLValue, engines: EngineNames? = nil) throws -> Policy {
        let keys = try value.mapping([
            "loss", "delta", "total", "per-researcher", "researcher-limits", "per-question", "least-share", "windows",
            "aggregates",
            "approval", "researchers", "engines", "purpose",
        ])
        guard let lossKey = keys["loss"] else {
            throw value.problem("the key `loss` is missing", hint: "say `loss: zcdp`, `loss: renyi` or `loss: pure`")
        }
        guard let kind = PrivacyLossKind(rawValue: try lossKey.text("zcdp, renyi or pure")) else {
            throw lossKey.problem("expected zcdp, renyi or pure")
        }
        guard let totalKey = keys["total"] else { throw value.problem("the key `total` is missing") }
        let deltas = try deltas(keys["delta"], kind, at: value)
        let limits = LimitReader(kind: kind, conversionDelta: deltas.conversion, selectionDelta: deltas.selectionUnits)
        let total = try limits.limit(totalKey)
        var policy = Policy(
            regime: LossRegime(
                kind: kind, conversionDelta: deltas.conversion, selectionDelta: deltas.selection,
                total: Double(total.largestRho) * PrivacyLoss.amountUnit),
            total: total, perResearcher: try keys["per-researcher"].map(limits.limit),
            perQuestion: try keys["per-question"].map(limits.limit))
        policy.researcherLimits = try keys["researcher-limits"].map { try named($0, limits) } ?? [:]
        if let share = keys["least-share"] { policy.leastShare = try leastShare(share) }
        policy.windows = try keys["windows"].map { try $0.sequence().map(limits.window) } ?? []
        if let aggregates = keys["aggregates"] { policy.allowedAggregates = try self.aggregates(aggregates) }
        if let approval = keys["approval"] { policy.approval = try self.approval(approval) }
        policy.researchers = try keys["researchers"].flatMap(researchers)
        policy.engines = try keys["engines"].map { try rules($0, of: engines, kind) }
        policy.requiresPurpose = try keys["purpose"].map(purpose) ?? false
        return policy
    }

    /// `{ada: {epsilon: 1}, bea: {epsilon: 3}}`.
    private static func named(_ value: YAMLValue, _ limits: LimitReader) throws -> [String: PrivacyLoss] {
        try value.members("researchers' names, each with her limit").reduce(into: [:]) { named, member in
            named[member.key] = try limits.limit(member.value)
        }
    }

    /// Half for conversion, half for selection (docs/privacy.md, rule 6).
    private static func deltas(
        _ value: YAMLValue?, _ kind: PrivacyLossKind, at policy: YAMLValue
    ) throws -> (conversion: Double, selection: Double, selectionUnits: Int64) {
        switch (kind, value) {
        case (.pure, nil): return (0, 0, 0)
        case (.pure, .some(let value)): throw value.problem("a pure policy has no delta")
        case (.zeroConcentrated, nil), (.renyi, nil):
            throw policy.problem("the key `delta` is missing", hint: "well below one over the number of units: 1e-6")
        case (.zeroConcentrated, .some(let value)), (.renyi, .some(let value)):
            let delta = try value.number("a number between 0 and 1")
            guard delta > 0, delta < 1 else { throw value.problem("expected a number between 0 and 1") }
            return (delta / 2, delta / 2, try value.units(digits: 18) / 2)
        }
    }

    /// 0 is allowed: the owner is warned of it.
    private static func leastShare(_ value: YAMLValue) throws -> Int64 {
        let share = try value.number("a number from 0 to 1")
        guard (0...1).contains(share) else { throw value.problem("expected a number from 0 to 1") }
        return share == 0 ? 0 : try value.units(digits: 12)
    }

    private static func aggregates(_ value: YAMLValue) throws -> Set<AggregateFunction> {
        if !value.isSequence {
            guard try value.text("a list, or the word all") == "all" else {
                throw value.problem("expected a list, or all")
            }
            return Set(AggregateFunction.allCases)
        }
        return Set(
            try value.sequence().map { item in
                let word = try item.text("an aggregate").lowercased().replacing("-", with: "_")
                guard let function = AggregateFunction(rawValue: word) else {
                    throw item.problem(
                        "there is no aggregate `\(word)`",
                        hint: AggregateFunction.allCases.map(\.rawValue).joined(separator: ", "))
                }
                return function
            })
    }

    private static func approval(_ value: YAMLValue) throws -> Policy.Approval {
        if value.isMapping {
            guard let owners = try value.mapping(["owners"])["owners"] else {
                throw value.problem("expected automatic, or {owners: N}")
            }
            return .owners(try owners.integer("the number of owners who must approve"))
        }
        switch try value.text("automatic or owner") {
        case "automatic": return .automatic
        case "owner": return .owners(1)
        default: throw value.problem("expected automatic, owner, or {owners: N}")
        }
    }

    /// `{questions: {}, predictions: {approval: owner, uses: 1000, uses-per-researcher: 100}}`.
    private static func rules(
        _ value: YAMLValue, of engines: EngineNames?, _ loss: PrivacyLossKind
    ) throws -> [EngineName: EngineRule] {
        var rules: [EngineName: EngineRule] = [:]
        for (name, rule) in try value.members("the kinds of work that are allowed, each with its rule") {
            guard name.wholeMatch(of: #/[a-z][a-z0-9-]{0,63}/#) != nil else {
                throw rule.problem(
                    "the name of a kind of work has small letters, digits and hyphens", hint: engines?.hint(for: name))
            }
            let engine = EngineName(rawValue: name)
            if let engines, !engines.all.contains(engine) {
                let absent = engines.absent(engine)
                throw rule.problem(absent.detail, hint: absent.hint)
            }
            let own = own(engine)
            let keys = try rule.mapping(own.union(["approval", "uses", "uses-per-researcher"]))
            let (isIntersection, isOpening) = (engine == IntersectionRule.engine, engine == OpenedRowsRule.engine)
            let (isPrediction, isComputation) = (engine == PredictionRule.engine, engine == ComputationRule.engine)
            let computation = isComputation ? try ComputationRuleReader.rule(rule, keys) : nil
            let read = EngineRule(
                // What becomes known without differential privacy an owner decides on, unless she says otherwise here.
                approval: try keys["approval"].map(approval)
                    ?? (isIntersection || isOpening || isPrediction || computation?.allowsExact == true
                        ? .owners(1) : nil),
                uses: try keys["uses"].map { Int64(try $0.integer("a number of uses")) },
                usesPerResearcher: try keys["uses-per-researcher"].map { Int64(try $0.integer("a number of uses")) },
                training: engine == TrainingRule.engine
                    ? TrainingRule(
                        noise: try keys["noise"].map(range), clip: try keys["clip"].map(range),
                        audits: try keys["audit"].map(audits) ?? false) : nil,
                federation: FederationRuleReader.keys(engine) == nil ? nil : try FederationRuleReader.rule(rule, keys),
                intersection: isIntersection ? try IntersectionRuleReader.rule(rule, keys) : nil,
                evaluation: EvaluationRuleReader.keys(engine) == nil ? nil : try EvaluationRuleReader.rule(keys),
                openedRows: isOpening ? try OpenedRowsRuleReader.rule(rule, keys) : nil,
                prediction: isPrediction ? try PredictionRuleReader.rule(rule, keys) : nil,
                computation: computation)
            // What was accepted before is not refused now.
            if let engines {
                try EvaluationRuleReader.check(read, of: engine, at: rule)
                try OpenedRowsRuleReader.check(read, at: rule)
                try PredictionRuleReader.check(read, at: rule)
                try FederationRuleReader.check(read, of: engine, loss, site: engines.site, at: rule, keys)
            }
            rules[engine] = read
        }
        return rules
    }

    /// The keys of one kind of work alone.
    private static func own(_ engine: EngineName) -> Set<String> {
        switch engine {
        case TrainingRule.engine: ["noise", "clip", "audit"]
        case OpenedRowsRule.engine: OpenedRowsRuleReader.keys
        case PredictionRule.engine: PredictionRuleReader.keys
        default: FederationRuleReader.keys(engine) ?? EvaluationRuleReader.keys(engine) ?? []
        }
    }

    private static func audits(_ value: YAMLValue) throws -> Bool {
        let expected = "one of canaries, none"
        switch try value.text(expected) {
        case "canaries": return true
        case "none": return false
        default: throw value.problem("expected \(expected)")
        }
    }

    /// `[0.8, 10]`: from the least to the most.
    static func range(_ value: YAMLValue) throws -> ClosedRange<Double> {
        let both = try value.sequence().map { try $0.number() }
        guard both.count == 2, both[0] > 0, both[0] <= both[1] else {
            throw value.problem("expected [least, most], above 0")
        }
        return both[0]...both[1]
    }

    private static func purpose(_ value: YAMLValue) throws -> Bool {
        switch try value.text("required or optional") {
        case "required": return true
        case "optional": return false
        default: throw value.problem("expected required or optional")
        }
    }

    private static func researchers(_ value: YAMLValue) throws -> Set<String>? {
        if value.isSequence { return Set(try value.sequence().map { try $0.text("a researcher's name") }) }
        guard try value.text("a list of names, or the word all") == "all" else {
            throw value.problem("expected a list of names, or the word all")
        }
        return nil
    }
}

extension YAMLValue {
    /// A decimal number as whole units of 10^-`digits`, exactly and rounded down: 0.3 is 300,000,000,000 units of 1e-12,
    /// which no binary fraction says.
    func units(digits: Int) throws -> Int64 {
        let text = try text("a number above 0").replacing("_", with: "")
        guard let number = YAMLValue.double(text), number > 0, number <= 1_000_000,
            var decimal = Decimal(string: text, locale: Locale(identifier: "en_US_POSIX"))
        else { throw problem("expected a number above 0 and at most 1000000") }
        decimal *= Decimal(sign: .plus, exponent: digits, significand: 1)
        guard decimal < Decimal(Int64.max) else { throw problem("is too large") }
        var rounded = Decimal()
        NSDecimalRound(&rounded, &decimal, 0, .down)
        let units = NSDecimalNumber(decimal: rounded).int64Value
        guard units > 0 else { throw problem("is too small") }
        return units
    }
}

/// Reads limits. What is no whole number of units is rounded down: a limit is never widened.
struct LimitReader {
    var kind: PrivacyLossKind
    var conversionDelta: Double
    /// In units of `PrivacyLoss.deltaUnit`.
    var selectionDelta: Int64

    /// `{epsilon: E}`; under zCDP also `{rho: R}`, and E means the largest rho that converts to at most E. Under Rényi E
    /// means the bounds at all orders that convert to at most E.
    func limit(_ value: YAMLValue) throws -> PrivacyLoss {
        let known: [PrivacyLossKind: Set<String>] = [
            .pure: ["epsilon"], .renyi: ["epsilon", "selection-delta"],
            .zeroConcentrated: ["epsilon", "rho", "selection-delta"],
        ]
        let keys = try value.mapping(known[kind] ?? [])
        let delta = try keys["selection-delta"].map { given -> Int64 in
            let delta = try given.units(digits: 18)
            guard delta <= selectionDelta else { throw given.problem("must be at most half of the policy's delta") }
            return delta
        }
        switch (keys["epsilon"], keys["rho"]) {
        case (.some(let epsilon), nil): return try limit(epsilon, delta: delta ?? selectionDelta)
        case (nil, .some(let rho)):
            return PrivacyLoss(
                kind: kind, amount: try rho.units(digits: 12), delta: delta ?? selectionDelta)
        default:
            let isRho = kind == .zeroConcentrated
            throw value.problem(isRho ? "expected {epsilon: E} or {rho: R}" : "expected {epsilon: E}")
        }
    }

    private func limit(_ epsilon: YAMLValue, delta: Int64) throws -> PrivacyLoss {
        let units = try epsilon.units(digits: 12)
        let value = Double(units) * PrivacyLoss.amountUnit
        switch kind {
        case .pure: return PrivacyLoss(kind: .pure, amount: units)
        case .zeroConcentrated:
            let rho = Conversion.rho(epsilon: value, delta: conversionDelta)
            return PrivacyLoss(
                kind: kind, amount: Int64((rho / PrivacyLoss.amountUnit).rounded(.down)), delta: delta)
        case .renyi:
            do throws(MechanismError) {
                return try PrivacyLoss(renyiEpsilon: value, delta: conversionDelta, selectionDelta: delta)
            } catch { throw epsilon.problem("\(error)") }
        }
    }

    func window(_ value: YAMLValue) throws -> Policy.Window {
        let keys = try value.mapping(["days", "hours", "limit"])
        guard let limitKey = keys["limit"] else { throw value.problem("the key `limit` is missing") }
        let seconds: Int
        switch (keys["days"], keys["hours"]) {
        case (.some(let days), nil): seconds = min(try days.integer("a number of days"), 1 << 20) * 86_400
        case (nil, .some(let hours)): seconds = min(try hours.integer("a number of hours"), 1 << 20) * 3_600
        default: throw value.problem("expected {days: N, limit: ...} or {hours: N, limit: ...}")
        }
        return Policy.Window(seconds: Int64(seconds), limit: try limit(limitKey))
    }
}
