import DifferentialPrivacy
import Statistics
import Tables

/// What a statistic answers: a table that follows from noisy integers alone.
extension StatisticPlan {
    /// The answer's columns, as far as they are known beforehand.
    var columns: [PlannedColumn] {
        let keys = keys.map { PlannedColumn(name: $0.name, type: $0.type, isKey: true) }
        let words = words
        func counted(_ name: String, _ type: ValueType, isWhole: Bool = false) -> PlannedColumn {
            self.counted(name, type, words, isWhole: isWhole)
        }
        switch kind {
        case .survival(let task, _, _):
            return keys + [
                PlannedColumn(name: "time", type: .real, isKey: true), counted("at_risk", .real),
                counted("events", .integer, isWhole: true), counted("survival", .real), counted("median", .real),
            ] + (task.groups > 1 ? [counted("log_rank_p", .real)] : [])
        case .table:
            return keys + [
                counted("count", .integer, isWhole: true), counted("chi_square", .real),
                counted("degrees_of_freedom", .real), counted("p_value", .real),
            ]
        case .tTest:
            let key = self.keys[0]
            return [
                PlannedColumn(name: "\(key.name)_1", type: key.type, isKey: true),
                PlannedColumn(name: "\(key.name)_2", type: key.type, isKey: true), counted("mean_1", .real),
                counted("mean_2", .real), counted("difference", .real), counted("t", .real),
                counted("degrees_of_freedom", .real), counted("p_value", .real),
            ]
        case .anova:
            return keys + [
                counted("count", .real), counted("mean", .real), counted("deviation", .real), counted("f", .real),
                counted("degrees_of_freedom", .real), counted("p_value", .real),
            ]
        case .regression(let plan): return plan.columns(plan.words)
        case .hazards:
            return [
                PlannedColumn(name: "term", type: .text, isKey: true), counted("hazard_ratio", .real),
                counted("log_ratio", .real), counted("standard_error", .real),
            ]
        }
    }

    /// - Parameter isWhole: Whether the column is one of the noisy integers.
    private func counted(_ name: String, _ type: ValueType, _ words: String, isWhole: Bool) -> PlannedColumn {
        var column = PlannedColumn(name: name, type: type, isKey: false, mechanism: words)
        guard isWhole, let noise = try? noise() else { return column }
        column.standardDeviation = noise.variance.squareRoot()
        column.expectedError = Double(noise.halfWidth(confidence: 0.95))
        return column
    }

    private var words: String {
        guard let noise = try? noise() else { return "" }
        let family = noise.law == .laplace ? "Laplace" : "Gaussian"
        let numbers =
            switch kind {
            case .survival, .hazards: "each number of events and of censorings"
            case .table: "each number of rows"
            case .regression: "the model's sums"
            case .tTest, .anova: "each group's count, sum and sum of squares, in steps of their grid"
            }
        return
            "discrete \(family) noise of standard deviation \(Channel.digits(noise.variance.squareRoot())) on \(numbers)"
    }

    /// What must be known of the answer.
    var notes: [String] {
        switch kind {
        case .survival(let task, let width, let hasEnd):
            let last = task.edges[task.bins]
            return [
                "Kaplan and Meier's curve of times in \(task.bins) bins of \(Channel.digits(width)); \(task.censoring == .end ? "censored at the end of their bin" : "who is censored in a bin counts as at risk for half of it").",
                hasEnd
                    ? "Who is seen until \(Channel.digits(last)) or longer is at risk through all bins, and has no event."
                    : "Times reach to the declared bound: what was clipped to it is in the last bin.",
                "Intervals are 95 % and hold the noise and who was sampled, rows taken as independent; not what bounding leaves out. Where the noise hides how many are at risk there is none.",
            ]
                + (task.groups > 1
                    ? ["log_rank_p is of the test that all groups have one curve, the noise in its law."] : [])
        case .table:
            return [
                "Intervals of counts are 95 % and hold the noise alone. The test is of independence, the noise in its law; values with hardly any rows are left out of it.",
                "Noisy counts are reported as they are: small ones can be negative.",
            ]
        case .tTest:
            return [
                "Welch's t test; p-value and interval (95 %) hold the noise and who was sampled, rows taken as independent, of values within their bounds.",
                "Numbers are null where the noise does not tell a group from an empty one.",
            ]
        case .anova:
            return [
                "One-way analysis of variance, the noise in the test's law; rows are taken as independent, values as they are within their bounds.",
                "Numbers are null where the noise does not tell a group from an empty one.",
            ]
        case .regression(let plan): return plan.notes
        case .hazards(let task, let width):
            return [
                "Proportional hazards over \(task.table.bins) bins of time of \(Channel.digits(width)) (Prentice and Gloeckler's); a category is compared with the first of its column, numbers are held to bins, a ratio is for one unit more.",
                "Times reach to the declared bound: what was clipped to it is in the last bin.",
                "Intervals are 95 % and hold the noise and who was sampled, rows taken as independent. Where the noise leaves none that would hold, there is none; standard_error is of the logarithm.",
            ]
        }
    }

    // MARK: rows

    func rows(_ noisy: [Int64], _ noise: IntegerNoise) -> [[AnswerCell]] {
        let half = Double(noise.halfWidth(confidence: 0.95))
        let added = AddedNoise(noise)
        switch kind {
        case .survival(let task, _, _):
            return (try? task.estimate(noisy, noise: added)).map { survival($0, half) } ?? []
        case .table(let task): return (try? task.estimate(noisy, noise: added)).map { table($0, half) } ?? []
        case .tTest(let task): return (try? task.estimate(noisy, noise: added)).map(tTest) ?? []
        case .anova(let task): return (try? task.estimate(noisy, noise: added)).map(anova) ?? []
        case .hazards(let task, _):
            return hazards((try? task.estimate(noisy, noise: added)).flatMap { try? $0.ratios() })
        case .regression: return []
        }
    }

    private static func whole(_ number: Int64, _ half: Double) -> AnswerCell {
        AnswerCell(value: .integer(number), lower: Double(number) - half, upper: Double(number) + half)
    }

    /// The keys of each group, the last one fastest.
    private var groupCells: [[AnswerCell]] {
        keys.reduce([[]]) { heads, key in
            heads.flatMap { head in key.values.map { head + [AnswerCell(value: $0)] } }
        }
    }

    private func survival(_ noisy: NoisySurvival, _ half: Double) -> [[AnswerCell]] {
        let test: [AnswerCell] = noisy.task.groups > 1 ? [.number(noisy.logRank()?.pValue)] : []
        return groupCells.enumerated().flatMap { group, keys -> [[AnswerCell]] in
            guard let curve = try? noisy.curve(group: group) else { return [] }
            return curve.points.map { point in
                keys + [
                    AnswerCell(value: .real(point.end)), .number(point.atRisk), Self.whole(point.events, half),
                    .number(point.survival, point.interval), .number(curve.median, curve.medianInterval),
                ] + test
            }
        }
    }

    /// nil: the noise leaves no solution; the rows are the same.
    private func hazards(_ ratios: [HazardRatio]?) -> [[AnswerCell]] {
        guard case .hazards(let task, _) = kind else { return [] }
        let terms = task.covariates.enumerated().flatMap { place, covariate -> [String] in
            guard case .levels = covariate else { return [keys[place].name] }
            return keys[place].values.dropFirst().map { Key.term(keys[place].name, $0) }
        }
        return terms.enumerated().map { place, term in
            let ratio = ratios?[place]
            let error = ratio.map {
                ($0.samplingDeviation * $0.samplingDeviation + $0.noiseDeviation * $0.noiseDeviation).squareRoot()
            }
            return [
                AnswerCell(value: .text(term)), .number(ratio?.ratio, ratio?.interval), .number(ratio?.coefficient),
                .number(error),
            ]
        }
    }

    private func table(_ noisy: NoisyTable, _ half: Double) -> [[AnswerCell]] {
        let test = noisy.independence()
        let ends: [AnswerCell] = [
            .number(test?.statistic), .number(test?.degreesOfFreedom.first), .number(test?.pValue),
        ]
        return groupCells.enumerated().map { place, keys in
            keys + [Self.whole(noisy.noisy[place], half)] + ends
        }
    }

    private func tTest(_ noisy: NoisyMeans) -> [[AnswerCell]] {
        let found = (try? noisy.difference(0, 1)).flatMap { $0 }
        return [
            keys[0].values.map { AnswerCell(value: $0) } + [
                .number(noisy.mean(group: 0)), .number(noisy.mean(group: 1)),
                .number(found?.difference, found?.interval), .number(found?.test.statistic),
                .number(found?.test.degreesOfFreedom.first), .number(found?.test.pValue),
            ]
        ]
    }

    private func anova(_ noisy: NoisyMeans) -> [[AnswerCell]] {
        let test = noisy.varianceAnalysis()
        let ends: [AnswerCell] = [
            .number(test?.statistic), .number(test?.degreesOfFreedom.last), .number(test?.pValue),
        ]
        return groupCells.enumerated().map { group, keys in
            keys + [
                .number(noisy.count(group: group)), .number(noisy.mean(group: group)),
                .number(noisy.variance(group: group).map { $0.squareRoot() }),
            ] + ends
        }
    }
}
