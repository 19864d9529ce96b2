import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Secrets
import Tables

/// What each bound would cut of a file's rows, and cost in noise: for the owner alone, before she adds it. Choices that are made from it
/// are made from the rows, and outside the guarantee.
public struct Advice: Sendable, Hashable, Codable {
    /// One bound that could be declared.
    public struct Candidate: Sendable, Hashable, Codable {
        /// The bound; of numbers, the lower and the upper one.
        public var bounds: [Double]
        /// The share of rows, of a unit's groups, or of values that it would cut or clip.
        public var cut: Double
        /// What cutting moves in a group of `groupSize` rows: relative to the group for rows, groups and weights, in the column's unit for
        /// the mean of numbers.
        public var bias: Double
        /// The half-width of the 95 % interval in such a group, in the same unit as `bias`.
        public var noise: Double
        /// Bias and half-width together: what is least for the one that is suggested.
        public var error: Double { (bias * bias + noise * noise).squareRoot() }
    }

    /// What could be declared in one place of the manifest.
    public struct Choice: Sendable, Hashable, Codable {
        /// What is bounded.
        public enum Kind: String, Sendable, Hashable, Codable {
            /// The rows of a unit: the error is that of `COUNT(*)`.
            case rows
            /// The groups of a unit where one groups by the column: the error is that of `COUNT(DISTINCT unit)`.
            case groups
            /// A column's values: the error is that of `AVG(column)`.
            case numbers
            /// Survey weights: the error is that of `COUNT(*) WEIGHTED`.
            case weights
        }

        /// What is bounded.
        public var kind: Kind
        /// The column; nil for the rows of a unit.
        public var column: String?
        /// The values at the ranks of `Advice.ranks`: rows or groups of a unit, or the column's own.
        public var quantiles: [Double]
        /// What the manifest declares now, where it does.
        public var declared: Candidate?
        /// Bounds that could be declared, from the tightest to those that cut nothing.
        public var candidates: [Candidate]
        /// The place in `candidates` of the one with the least error.
        public var suggested: Int
    }

    /// Half, 90 %, 99 % and 99.9 % of units or values are at most the quantile, and all.
    public static let ranks = [0.5, 0.9, 0.99, 0.999, 1]

    /// The rows of the file that name a unit and are as declared.
    public var rows: Int
    /// The units; as many as rows where each row is one.
    public var units: Int
    /// The rows of the group for which errors are told.
    public var groupSize: Int
    /// The epsilon of the question for which they are told.
    public var epsilon: Double
    /// The rows that a unit is taken to have in one group, for the noise of numbers and weights.
    public var unitRows: Int
    /// Whether the manifest declares them; otherwise 99 % of the file's units have at most so many.
    public var isUnitRowsDeclared: Bool
    /// What could be declared, in the order of the manifest.
    public var choices: [Choice]
    /// The exact share of values outside a column's declared domain, by column.
    public var outsideDomain: [String: Double]
}

extension Datasite {
    /// Reads a file as a manifest says, of which bounds, domains, capacity and policy need not be set yet, and weighs what bounds would
    /// cut against what they cost. The rows lie in a folder of the system's temporary ones while this runs, readable to this
    /// user alone.
    ///
    /// - Parameters:
    ///   - groupSize: The rows of the group for which errors are told; nil: a twentieth of all rows.
    ///   - epsilon: The epsilon of the question for which they are told, in (0, 100].
    ///   - progress: Told how far reading is; what it throws ends it.
    public static func advise(
        on file: String, manifestText: String, groupSize: Int? = nil, epsilon: Double = 1, onError: OnError = .refuse,
        progress: @Sendable (_ fraction: Double) throws -> Void = { _ in }
    ) throws -> Advice {
        try reportingProblems {
            let draft = try UnboundedManifest(manifestText)
            try FileColumns.check(file, against: draft.document)
            let folder = FileManager.default.temporaryDirectory.appending(path: "parley-advise-\(UUID().uuidString)")
                .path
            guard mkdir(folder, 0o700) == 0 else {
                throw IngestError.unwritable(path: folder, reason: systemError())
            }
            defer { try? FileManager.default.removeItem(atPath: folder) }
            var options = IngestOptions()
            options.form = draft.document.form
            options.onError = onError.policy
            var manifest = draft.document.manifest
            // They have no bounds of contribution, and stand in files of their own.
            manifest.schema.arrays = []
            let key = ClusteringKey(siteSecret: SecureRandom.bytes(32), population: manifest.population)
            let report: IngestReport
            do {
                report = try ingest(
                    file: file, manifest: manifest, key: key, into: folder + "/table", options: options
                ) { try progress($0.share) }
            } catch let error as IngestError {
                throw Problem.invalidData("\(error)", hint: error.hint)
            }
            let table = try TableFiles(directory: folder + "/table").open(schema: manifest.schema)
            guard table.rowCount > 0 else {
                throw Problem.invalidData("the file holds no rows: there is nothing to weigh")
            }
            return Weighing(table: table, draft: draft, groupSize: groupSize, epsilon: epsilon).advice(report)
        }
    }
}

extension OnError {
    var policy: ErrorPolicy {
        switch self {
        case .refuse: .refuse
        case .null: .null
        case .skipUnit: .skipUnit
        }
    }
}

/// Weighs what bounds cut against the noise that they need.
private struct Weighing {
    let table: Table
    let draft: UnboundedManifest
    let groupSize: Int
    let epsilon: Double
    /// The half-width of the interval of a count that one unit changes by 1.
    private let halfWidth: Double
    /// A unit's rows in one group, as the manifest bounds them, or as nearly all units in the file have them.
    private let rowsAtOnce: Int
    /// Whether it is the manifest that says them.
    private let isDeclared: Bool

    init(table: Table, draft: UnboundedManifest, groupSize: Int?, epsilon: Double) {
        self.table = table
        self.draft = draft
        self.groupSize = groupSize ?? max(1, table.rowCount / 20)
        self.epsilon = epsilon
        let declared = table.unitColumn == nil ? 1 : draft.rowsPerGroup ?? draft.rowsPerUnit
        isDeclared = declared != nil
        rowsAtOnce = declared ?? Int(table.unitsByRows().values(at: [0.99])[0])
        halfWidth = draft.regime.countHalfWidth(epsilon: epsilon)
    }

    func advice(_ report: IngestReport) -> Advice {
        let schema = table.schema
        var choices: [Advice.Choice] = []
        if let unit = table.unitColumn {
            choices.append(counts(.rows, nil, table.unitsByRows(), declared: draft.rowsPerUnit) { $0 })
            for index in schema.columns.indices where index != unit && table.isKey(index) {
                let units = table.unitsByGroups(column: index)
                guard let most = units.keys.max(), most > 1 else { continue }
                choices.append(
                    counts(.groups, schema.columns[index].name, units, declared: draft.groupsPerUnit) {
                        $0.squareRoot()
                    })
            }
        }
        for index in schema.columns.indices where index != table.unitColumn && isNumber(schema.columns[index]) {
            let survey = table.numberSurvey(column: index)
            if survey.count > 0 { choices.append(numbers(schema.columns[index].name, survey)) }
        }
        let outside = zip(report.columns, schema.columns).filter { $0.0.outsideDomain > 0 }
        return Advice(
            rows: table.rowCount, units: table.unitCount, groupSize: groupSize, epsilon: epsilon,
            unitRows: rowsAtOnce, isUnitRowsDeclared: isDeclared, choices: choices,
            outsideDomain: Dictionary(
                outside.map { ($1.name, Double($0.outsideDomain) / Double(max(1, report.rowsRead))) },
                uniquingKeysWith: { first, _ in first }))
    }

    private func isNumber(_ column: ColumnSchema) -> Bool {
        column.domain == nil && (column.type == .integer || column.type == .real)
    }

    // MARK: rows and groups of a unit

    /// `sensitivity`: what one unit changes a count by, for a bound.
    private func counts(
        _ kind: Advice.Choice.Kind, _ column: String?, _ units: [Int: Int], declared: Int?,
        sensitivity: (Double) -> Double
    ) -> Advice.Choice {
        let total = units.reduce(0.0) { $0 + Double($1.key) * Double($1.value) }
        func candidate(_ bound: Int) -> Advice.Candidate {
            let lost = units.reduce(0.0) { $0 + Double(max(0, $1.key - bound)) * Double($1.value) }
            let cut = total > 0 ? lost / total : 0
            return Advice.Candidate(
                bounds: [Double(bound)], cut: cut, bias: cut,
                noise: halfWidth * sensitivity(Double(bound)) / Double(groupSize))
        }
        let ranked = units.values(at: Advice.ranks)
        let most = units.keys.max() ?? 1
        let tight = ranked.first.map { Int($0) } ?? 1
        let bounds = RoundNumbers.between(1, most).filter { $0 >= max(1, tight / 2) }
        let candidates = bounds.map(candidate)
        return Advice.Choice(
            kind: kind, column: column, quantiles: ranked, declared: declared.map(candidate), candidates: candidates,
            suggested: Self.least(candidates))
    }

    // MARK: numbers and weights

    private func numbers(_ column: String, _ survey: NumberSurvey) -> Advice.Choice {
        let isWeight = draft.weight == column
        let mean = survey.mean ?? 0
        func candidate(_ lower: Double, _ upper: Double) -> Advice.Candidate {
            let clipped = survey.clipped(to: lower, upper)
            // A sum beside its count is taken around the middle of the bounds; a total of weights is not.
            let largest = isWeight ? max(abs(lower), abs(upper)) : (upper - lower) / 2
            let scale = isWeight && mean != 0 ? abs(mean) : 1
            return Advice.Candidate(
                bounds: [lower, upper], cut: clipped.share, bias: clipped.moved / scale,
                noise: halfWidth * Double(rowsAtOnce) * largest / Double(groupSize) / scale)
        }
        let candidates = ends(survey, of: column, isWeight: isWeight).map { candidate($0.lower, $0.upper) }
        let declared = draft.bounds[column].map { candidate($0[0], $0[1]) }
        return Advice.Choice(
            kind: isWeight ? .weights : .numbers, column: column,
            quantiles: Advice.ranks.compactMap { survey.quantile($0) }, declared: declared, candidates: candidates,
            suggested: Self.least(candidates))
    }

    /// Pairs of bounds from tight ones to those that clip nothing. A weight is never raised.
    private func ends(_ survey: NumberSurvey, of column: String, isWeight: Bool) -> [(lower: Double, upper: Double)] {
        let (least, largest) = (survey.quantile(0) ?? 0, survey.quantile(1) ?? 0)
        // Years and grades are declared as they are: 1998 to 2009, not 1800 to 2500.
        let isShort = survey.isWhole && largest - least <= 100
        func lower(_ rank: Double) -> Double {
            let value = isWeight ? least : survey.quantile(rank) ?? 0
            return isShort ? value : RoundNumbers.below(value)
        }
        func upper(_ rank: Double) -> Double {
            let value = survey.quantile(rank) ?? 0
            return isShort ? value : RoundNumbers.above(value)
        }
        var pairs: [(lower: Double, upper: Double)] = []
        for (low, high) in zip(Self.lowerRanks, Self.upperRanks) {
            let pair = (lower: lower(low), upper: upper(high))
            if pair.lower < pair.upper, pairs.last.map({ $0 != pair }) ?? true { pairs.append(pair) }
        }
        return pairs.isEmpty ? [(least, Swift.max(largest, least + 1))] : pairs
    }

    private static let upperRanks = [0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 1]
    private static let lowerRanks = [0.1, 0.05, 0.02, 0.01, 0.005, 0.001, 0.0001, 0]

    private static func least(_ candidates: [Advice.Candidate]) -> Int {
        candidates.indices.min { candidates[$0].error < candidates[$1].error } ?? 0
    }
}

extension [Int: Int] {
    /// Of how many units have so many rows, or groups: what units at those ranks have at most.
    func values(at ranks: [Double]) -> [Double] {
        let sorted = sorted { $0.key < $1.key }
        let all = Double(values.reduce(0, +))
        return ranks.map { rank in
            var seen = 0.0
            for (count, units) in sorted {
                seen += Double(units)
                if seen >= rank * all { return Double(count) }
            }
            return Double(sorted.last?.key ?? 0)
        }
    }
}

/// Numbers that people would declare: whole ones up to a hundred, else 1, 1.2, 1.5, 2 and so on times a power of ten.
enum RoundNumbers {
    private static let steps = [1.0, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10]

    /// The least that is not below the value.
    static func above(_ value: Double) -> Double {
        guard value.isFinite, value > 0 else { return value.isFinite && value < 0 ? -below(-value) : value }
        if value <= 100, value == value.rounded() { return value }
        let power = pow(10, log10(value).rounded(.down))
        return steps.lazy.map { exact($0, power) }.first { $0 >= value } ?? exact(20, power)
    }

    /// The largest that is not above the value.
    static func below(_ value: Double) -> Double {
        guard value.isFinite, value > 0 else { return value.isFinite && value < 0 ? -above(-value) : value }
        if value <= 100, value == value.rounded() { return value }
        let power = pow(10, log10(value).rounded(.down))
        return steps.lazy.map { exact($0, power) }.last { $0 <= value } ?? exact(0.5, power)
    }

    /// Without the last bits that a product by a power below 1 leaves.
    private static func exact(_ step: Double, _ power: Double) -> Double {
        power < 1 ? step / (1 / power).rounded() : step * power
    }

    /// The whole ones from `first` to the first that is at least `last`.
    static func between(_ first: Int, _ last: Int) -> [Int] {
        var numbers: [Int] = []
        var power = 1.0
        while true {
            for step in steps.dropLast() where (step * power).rounded() == step * power {
                let number = Int(step * power)
                if number >= first { numbers.append(number) }
                if number >= last { return numbers }
            }
            power *= 10
        }
    }
}
