import DifferentialPrivacy
import Statistics
import Tables

/// A statistic as it is planned: which entry of its vector each group of the scan goes to, and the noise on all of them.
///
/// **Privacy.** The scan's integers are those of an ordinary question with these groups, so that one unit changes at most `rows` of them in `groups` groups (`Contribution`); a row adds at most the task's row norms to the vector. Noise
/// of these sensitivities is put on the vector whole (`IntegerNoise`); what follows is computed from noisy integers alone.
struct StatisticPlan: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// `hasEnd`: who is seen beyond the last edge is counted too.
        case survival(SurvivalTask, width: Double, hasEnd: Bool)
        case table(TableTask)
        case tTest(MeansTask)
        case anova(MeansTask)
        case regression(RegressionPlan)
        case hazards(HazardTask, width: Double)
    }

    /// What the researcher groups by.
    struct Key: Sendable, Hashable {
        var name: String
        var type: ValueType
        /// All that it can be, but null.
        var values: [Value]

        /// One of its values beside its name.
        static func term(_ name: String, _ value: Value) -> String {
            switch value {
            case .text(let text): "\(name) = \(text)"
            case .boolean(let isTrue): "\(name) = \(isTrue)"
            default: "\(name) = \(value)"
            }
        }
    }

    let kind: Kind
    let keys: [Key]
    /// What a group's integers are multiplied by, measure for measure.
    let factors: [Int64]
    /// How much one unit changes the vector at most.
    let l1: UInt128
    let l2Squared: UInt128
    let loss: PrivacyLoss

    /// Of the vector.
    var length: Int {
        switch kind {
        case .survival(let task, _, _): task.length
        case .table(let task): task.length
        case .tTest(let task), .anova(let task): task.length
        case .regression(let plan): plan.terms.count
        case .hazards(let task, _): task.table.length
        }
    }

    /// The number of groups that the researcher asks for.
    var groups: Int { keys.reduce(1) { $0 * $1.values.count } }

    func noise() throws(MechanismError) -> IntegerNoise {
        try IntegerNoise(l1Sensitivity: l1, l2SensitivitySquared: l2Squared, loss: loss)
    }

    /// What happens.
    func event() throws(MechanismError) -> PrivacyEvent {
        if case .regression(let plan) = kind { return try plan.model().event }
        return try noise().event
    }

    // MARK: the vector

    /// The exact vector: it leaves no other function than ``Plan/measure(_:lookups:using:)``, and tests.
    func exact(_ aggregates: borrowing ExactAggregates) -> [Int64] {
        var vector = [Int64](repeating: 0, count: length)
        let places = keys.map { key in
            Dictionary(key.values.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        }
        let measures = factors.indices.map { aggregates.integers($0) }
        for group in 0..<aggregates.groupCount {
            guard let entry = entry(of: aggregates.keys(of: group), places) else { continue }
            for (measure, factor) in factors.enumerated() {
                let (product, overflow) = measures[measure][group].multipliedReportingOverflow(by: factor)
                // Neighbours are brought no further apart.
                let limit: Int64 = 1 << 62
                vector[entry + measure] =
                    overflow
                    ? (measures[measure][group] < 0 ? -limit : limit) : Swift.min(Swift.max(product, -limit), limit)
            }
        }
        return vector
    }

    private func entry(of values: [Value], _ places: [[Value: Int]]) -> Int? {
        var group = 0
        for (place, indices) in places.enumerated() {
            guard var index = indices[values[place]] else { return nil }
            var count = keys[place].values.count
            if case .hazards(let task, _) = kind, case .number(let bins) = task.covariates[place] {
                // Where WHERE leaves some of the bins, they keep their places.
                (index, count) = (Int(values[place].number ?? 0), bins.count)
            }
            group = group * count + index
        }
        switch kind {
        case .table, .regression: return group
        case .tTest, .anova: return group * factors.count
        case .hazards(let task, let width): return entry(group, values, task.table, width: width, hasEnd: false)
        case .survival(let task, let width, let hasEnd):
            return entry(group, values, task, width: width, hasEnd: hasEnd)
        }
    }

    /// - Parameter hasEnd: Whether who is seen beyond the last bin is counted; such rows have no event (`StatisticCall`).
    private func entry(
        _ group: Int, _ values: [Value], _ task: SurvivalTask, width: Double, hasEnd: Bool
    ) -> Int? {
        guard case .boolean(let isEvent) = values[keys.count], let time = values[keys.count + 1].number else {
            return nil
        }
        let bin = Int((time / width).rounded())
        guard bin < task.bins || (hasEnd && !isEvent) else { return nil }
        return task.entry(group: group, bin: bin, isEvent: isEvent)
    }

    // MARK: the bound

    /// The most work behind the scan: noise, estimates and cells.
    var work: Work {
        var work = Work()
        if case .regression(let plan) = kind { return plan.work }
        work[.noise] += Double(length)
        work[.cell] += Double(rows * columns.count)
        switch kind {
        case .survival(let task, _, _):
            let compared = Double(Swift.min(task.groups, NoisySurvival.comparedGroups))
            work[.item] += 0.1 * Double(length) + 0.02 * Double(task.bins) * compared * compared * compared
        case .table(let task):
            let (r, c) = (Double(Swift.min(task.rows, 128)), Double(Swift.min(task.columns, 128)))
            work[.item] += 0.1 * Double(length) + 0.05 * (r * r * r + c * c * c)
            // Laplace noise has no closed law in tests of several numbers: draws, as many as `NoisyTable` takes.
            let draws = Swift.min(10_000, Swift.max(500, 0x1p24 / (r * c * (r + c))))
            if loss.kind == .pure { work[.item] += 0.005 * draws * r * c * (r + c + 20) }
        case .tTest: work[.item] += 0x1p15
        case .anova(let task):
            let groups = Double(task.groups)
            work[.item] += 0.1 * Double(length)
            let draws = Swift.min(20_000, Swift.max(1_000, 0x1p22 / (3 * groups)))
            if loss.kind == .pure { work[.item] += 0.2 * draws * 3 * groups }
        case .hazards(let task, _):
            let size = Double(task.coefficientCount + 1)
            work[.item] += Double(length) * (1 + 0.3 * size * size) + 0x1p10
        case .regression: break
        }
        return work
    }

    /// In bytes.
    var memory: Double {
        let rows = 64 * Double(length) + 400 * Double(rows * columns.count)
        if case .regression(let plan) = kind { return rows + plan.memory }
        return rows
    }

    /// Of the answer.
    private var rows: Int {
        switch kind {
        case .survival(let task, _, _): task.groups * task.bins
        case .table(let task): task.length
        case .tTest: 1
        case .anova(let task): task.groups
        case .regression(let plan): plan.terms.count
        case .hazards(let task, _): task.coefficientCount
        }
    }
}

extension StatisticPlan {
    /// What follows from the scan: noise first, then what is noisy alone.
    func answer<Generator: RandomNumberGenerator>(
        of exact: borrowing ExactAggregates, by plan: Plan, using generator: inout Generator
    ) -> NoisyAnswer {
        var answer = NoisyAnswer(
            columns: plan.columns.map { AnswerColumn(name: $0.name, type: $0.type, isKey: $0.isKey) }, rows: [],
            notes: plan.notes)
        if case .regression(let regression) = kind {
            let estimate = try? regression.model().release(units: regression.units(exact), using: &generator)
            answer.rows = estimate.map(regression.rows) ?? regression.emptyRows
            answer.notes += estimate?.withheld.map { [regression.words(of: $0)] } ?? []
            return answer
        }
        var vector = self.exact(exact)
        // A law that the plan checked always has its sampler; without one nothing exact may pass.
        if let noise = try? noise() {
            noise.add(to: &vector, using: &generator)
            answer.rows = rows(vector, noise)
        }
        return answer
    }
}
