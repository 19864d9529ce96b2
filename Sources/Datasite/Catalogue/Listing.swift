public import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Tables

extension Datasite {
    /// Changes whenever users, datasets or policies do, by this process or another: what was made from the catalogue
    /// holds for as long as this stays the same.
    public func catalogueVersion() throws -> Int64 { try catalogue().version }

    /// The catalogue: public.
    public func datasets() throws -> [DatasetSummary] {
        try catalogue().datasets.values.map(\.summary).sorted { $0.name < $1.name }
    }

    /// A dataset's dictionary, policy and mock rows: public, but for the limit of a researcher whom the policy names, which
    /// is told to her.
    public func dataset(_ name: String, as identity: Identity? = nil) throws -> DatasetDetail {
        let catalogue = try catalogue()
        guard let entry = catalogue.datasets[name] else { throw catalogue.absent(name) }
        guard entry.isLookup else {
            var detail = entry.detail
            detail.ownLimit = entry.ownLimit(of: identity).map {
                LossWords.wire(limit: $0, conversionDelta: entry.policy?.regime.conversionDelta ?? 0)
            }
            return detail
        }
        // A public table is shown, not made up.
        let table = try lookupTable(entry)
        var detail = entry.detail
        detail.mockRows = (0..<min(table.rowCount, SyntheticMock.previewRows)).map { row in
            table.values(ofRow: row).map(AnswerEncoding.scalar)
        }
        detail.mockSource =
            "the table itself, which is public: the first \(detail.mockRows.count) of \(table.rowCount) rows"
        return detail
    }

    /// Whether ``dataset(_:as:)`` tells this user something that it tells nobody else.
    public func hasOwnLimit(_ identity: Identity, in name: String) throws -> Bool {
        try catalogue().datasets[name]?.ownLimit(of: identity) != nil
    }
}

extension Catalogue.Entry {
    /// What the policy allows a researcher by name; nil: what it allows each.
    fileprivate func ownLimit(of identity: Identity?) -> PrivacyLoss? {
        identity.flatMap { $0.role == .researcher ? policy?.researcherLimits[$0.name] : nil }
    }

    var summary: DatasetSummary {
        DatasetSummary(
            name: manifest.name, title: manifest.title, version: version, columns: manifest.schema.columns.count,
            unit: isLookup ? "none" : unitWords, population: manifest.population, kind: isLookup ? "lookup" : "private")
    }

    var detail: DatasetDetail {
        let conversion = policy?.regime.conversionDelta ?? 0
        func wire(_ loss: PrivacyLoss?) -> Loss? { loss.map { LossWords.wire(limit: $0, conversionDelta: conversion) } }
        return DatasetDetail(
            summary: summary, description: manifest.description,
            columns: manifest.schema.columns.enumerated().map { column($1, role: role($0)) },
            arrays: manifest.schema.arrays.isEmpty ? nil : manifest.schema.arrays.map(Self.array),
            rowsPerUnit: manifest.unit.rowsPerUnit, groupsPerUnit: manifest.unit.groupsPerUnit,
            capacityRows: isLookup ? 0 : manifest.capacityRows, capacityUnits: isLookup ? 0 : manifest.capacityUnits,
            total: wire(policy?.total), meaning: meaning, perResearcher: wire(policy?.perResearcher),
            perQuestion: wire(policy?.perQuestion),
            leastCharge: policy.map { LossWords.wire(least: $0.leastCharge, conversionDelta: conversion) },
            windows: (policy?.windows ?? []).map {
                "\(BudgetScope.window(seconds: $0.seconds).words): \(LossWords.limit($0.limit, conversionDelta: conversion))"
            },
            allowedAggregates: (policy?.allowedAggregates ?? []).map(\.rawValue).sorted(), approval: approvalWords,
            work: workWords,
            mockRows: synthetic?.preview
                ?? MockData(manifest).rows(atMost: SyntheticMock.previewRows).map { $0.map(AnswerEncoding.scalar) },
            mockSource: synthetic.map { $0.source(conversionDelta: conversion) })
    }

    /// What the total means in questions, whatever is spent of it.
    private var meaning: BudgetMeaning? {
        guard let policy else { return nil }
        return try? QuestionSize(regime: policy.regime).meaning(of: policy.total, in: policy.total)
    }

    private func role(_ index: Int) -> String? {
        if index == manifest.lookupKey { return "key" }
        guard !isLookup else { return nil }
        if index == manifest.unit.column { return "unit" }
        return index == manifest.weightColumn ? "weight" : nil
    }

    private func column(_ column: ColumnSchema, role: String?) -> DatasetDetail.Column {
        var detail = DatasetDetail.Column(
            name: column.name, type: column.type.rawValue, description: column.description,
            nullable: column.isNullable, resolution: column.resolution,
            domain: column.domain?.map(AnswerEncoding.scalar), other: column.other.map(AnswerEncoding.scalar),
            role: role)
        detail.declared = column.declared
        detail.computed = column.computed.map { .init(statistic: $0.kind.rawValue, array: $0.array) }
        switch column.type {
        case .date, .timestamp:
            let isDate = column.type == .date
            detail.earliest = column.lowerBound.map { DisplayedTime.text($0, isDate: isDate) }
            detail.latest = column.upperBound.map { DisplayedTime.text($0, isDate: isDate) }
        default: (detail.lower, detail.upper) = (column.lowerBound, column.upperBound)
        }
        return detail
    }

    private static func array(_ array: ArraySchema) -> DatasetDetail.Array {
        DatasetDetail.Array(
            name: array.name, type: array.element.rawValue, shape: array.shape, lower: array.lowerBound,
            upper: array.upperBound, description: array.description)
    }

    private var approvalWords: String {
        approvers + (policy?.requiresPurpose == true ? "; each request says what it is for" : "")
    }

    private var workWords: [String]? {
        guard let policy, let engines = policy.engines else { return nil }
        return engines.sorted { $0.key.rawValue < $1.key.rawValue }.map { name, rule in
            var words = [Self.words(policy.approval(of: name))]
            if let uses = rule.uses { words.append("at most \(uses) uses by all") }
            if let uses = rule.usesPerResearcher { words.append("at most \(uses) by one") }
            func range(_ key: String, _ range: ClosedRange<Double>?) {
                guard let range else { return }
                words.append(
                    "\(key) from \(ShortNumber.text(range.lowerBound)) to \(ShortNumber.text(range.upperBound))")
            }
            range("noise", rule.training?.noise)
            range("clip", rule.training?.clip)
            if rule.training?.audits == true { words.append("audited with canaries before it leaves") }
            words += rule.words
            return "\(name.rawValue): \(words.joined(separator: "; "))"
        }
    }

    private var approvers: String { policy.map { Self.words($0.approval) } ?? "none: the table is public" }

    private static func words(_ approval: Policy.Approval) -> String {
        switch approval {
        case .automatic: "automatic within budget"
        case .owners(1): "each request waits for an owner"
        case .owners(let count): "each request waits for \(count) owners"
        }
    }
}
