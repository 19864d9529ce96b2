import DatasiteProtocol
import DifferentialPrivacy
import Governance
import Tables

/// What a policy says differently from the one before it, for the journal: key by key, as the file names them, with the old
/// value and the new. It names researchers, so only owners and auditors read it.
struct PolicyChange {
    let old: Policy
    let new: Policy

    /// So many names are told of one key.
    private static let namesTold = 20

    /// Whether both say the same.
    var isNothing: Bool { ofLimits.isEmpty && ofDataset.isEmpty }

    /// All of it.
    var words: String { Self.sentence(ofLimits + ofDataset) }

    /// What belongs to the population.
    var limitWords: String { Self.sentence(ofLimits) }

    private static func sentence(_ changes: [String]) -> String {
        changes.isEmpty ? "nothing became different" : changes.joined(separator: "; ")
    }

    private var ofLimits: [String] {
        let measure = [
            change("loss", { $0.regime.kind.rawValue }) { kind, _ in kind },
            change("delta", { $0.regime.conversionDelta + $0.regime.selectionDelta }) { delta, _ in
                delta > 0 ? ShortNumber.text(delta) : "none"
            },
        ]
        let whole = [
            change("total", { $0.total }, Self.limit), change("per-researcher", { $0.perResearcher }, Self.limit),
        ]
        let others = [
            change("least-share", { $0.leastShare }) { share, _ in
                ShortNumber.text(Double(share) * Policy.leastShareUnit)
            },
            change("windows", { Set($0.windows) }, Self.windows),
        ]
        return (measure + whole).compactMap(\.self) + named + others.compactMap(\.self)
    }

    private var ofDataset: [String] {
        let changes = [
            change("per-question", { $0.perQuestion }, Self.limit),
            change("aggregates", { Set($0.allowedAggregates.map(\.rawValue)) }) { names, _ in Self.list(names.sorted())
            },
            change("approval", { Self.approval($0.approval) }) { words, _ in words }, researchers,
            change("engines", { $0.engines }, Self.engines),
            change("purpose", { $0.requiresPurpose }) { isRequired, _ in isRequired ? "required" : "optional" },
        ]
        return changes.compactMap(\.self)
    }

    /// nil where both say the same.
    private func change<Value: Equatable>(
        _ key: String, _ value: (Policy) -> Value, _ words: (Value, Policy) -> String
    ) -> String? {
        let (before, after) = (value(old), value(new))
        return before == after ? nil : "\(key) \(words(before, old)) became \(words(after, new))"
    }

    /// Limits by name: those that differ.
    private var named: [String] {
        let names = Set(old.researcherLimits.keys).union(new.researcherLimits.keys).sorted()
        let changes = names.compactMap { name in
            change("researcher-limits.\(name)", { $0.researcherLimits[name] }, Self.limit)
        }
        let more = changes.count - Self.namesTold
        return Array(changes.prefix(Self.namesTold)) + (more > 0 ? ["\(more) more of researcher-limits"] : [])
    }

    /// Who may ask: of two lists who left, and who came.
    private var researchers: String? {
        guard let before = old.researchers, let after = new.researchers else {
            return change("researchers", { $0.researchers }) { names, _ in names.map { Self.list($0.sorted()) } ?? "all"
            }
        }
        let parts = [("without", before.subtracting(after)), ("with", after.subtracting(before))]
            .filter { !$0.1.isEmpty }.map { "\($0) \(Self.list($1.sorted()))" }
        return parts.isEmpty ? nil : "researchers now \(parts.joined(separator: " and "))"
    }

    // MARK: values

    private static func limit(_ limit: PrivacyLoss?, _ policy: Policy) -> String {
        limit.map { LossWords.limit($0, conversionDelta: policy.regime.conversionDelta) } ?? "none"
    }

    private static func windows(_ windows: Set<Policy.Window>, _ policy: Policy) -> String {
        list(
            windows.sorted { $0.seconds < $1.seconds }
                .map { "\(BudgetScope.window(seconds: $0.seconds).words) \(limit($0.limit, policy))" })
    }

    private static func approval(_ approval: Policy.Approval) -> String {
        switch approval {
        case .automatic: "automatic"
        case .owners(let count): "\(count) owner\(count == 1 ? "" : "s")"
        }
    }

    private static func engines(_ engines: [EngineName: EngineRule]?, _ policy: Policy) -> String {
        guard let engines else { return "unsaid" }
        let rules = engines.map { name, rule in
            let parts =
                [
                    rule.approval.map { "approval \(approval($0))" }, rule.uses.map { "uses \($0)" },
                    rule.usesPerResearcher.map { "uses-per-researcher \($0)" },
                ].compactMap(\.self) + rule.words + (rule.openedRows?.ownersWords ?? [])
            return name.rawValue + (parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))")
        }
        return list(rules.sorted())
    }

    /// The first names of many.
    private static func list(_ names: [String]) -> String {
        guard !names.isEmpty else { return "none" }
        let shown = names.prefix(namesTold).joined(separator: ", ")
        return names.count > namesTold ? "\(shown) and \(names.count - namesTold) more" : shown
    }
}
