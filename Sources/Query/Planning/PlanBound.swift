import DifferentialPrivacy
import Foundation
public import Tables

/// The most work and memory that a plan's answer takes (docs/privacy.md, rule 26): of the scan, and of noise, selection and
/// output behind it. It follows from the plan and what is declared, so whoever knows the question knows it.
public struct PlanBound: Sendable, Hashable {
    /// The most work of each kind: of the scan, the noise, and what follows it.
    public let work: Work
    /// Bytes.
    public let memory: Double
    /// What the question's operations cost, by its parts.
    public let shares: [WorkBound.Share]

    /// A bound that another engine than SQL's states.
    ///
    /// - Parameter memory: In bytes.
    public init(work: Work, memory: Double) { self.init(work: work, memory: memory, shares: []) }

    private init(work: Work, memory: Double, shares: [WorkBound.Share]) {
        (self.work, self.memory, self.shares) = (work, memory, shares)
    }

    /// With what follows the scan beside the groups.
    func adding(_ more: Work, memory bytes: Double) -> PlanBound {
        PlanBound(work: work + more, memory: memory + bytes, shares: shares)
    }

    init(_ specification: AggregationSpecification, _ output: OutputPlan, _ question: BoundQuestion) {
        let scan = WorkBound(specification, Self.shape(question.scope))
        let listed = Self.listed(scan.groups, output, contributions: scan.contributions)
        work =
            scan.work
            + Self.work(
                output, groups: scan.groups, listed: listed, contributions: scan.contributions)
        memory = scan.memory + Self.memory(output, groups: scan.groups, listed: listed)
        shares = scan.shares
    }

    private static func shape(_ scope: Scope) -> SourceShape {
        let rows = scope.datasets.map { Double($0.capacityRows) }
        return SourceShape(
            columns: scope.datasets.flatMap(\.schema.columns), rows: Double(Planner.capacity(scope)),
            tableRows: rows.max() ?? 0, units: scope.datasets.reduce(0) { $0 + Double($1.largestUnits) },
            lookups: scope.lookups.map {
                SourceShape.Lookup(
                    schema: $0.schema, keyColumn: $0.keyColumn, rowsPerKey: $0.rowsPerKey, rows: Double($0.capacityRows)
                )
            })
    }

    /// How many groups come out at most. Where keys are selected, a group of n units comes out with a probability of at most p(n), the
    /// chance that noise reaches the threshold from there, and the groups' units are no more than the scan's contributions N: however they
    /// are divided, at most N times the largest p(n) / n come out on average. Noise is drawn for each by itself, so that twelve standard
    /// deviations and 200 more than that are practically impossible (Bernstein: below e^-70).
    private static func listed(_ groups: Double, _ output: OutputPlan, contributions: Double) -> Double {
        if let top = output.top { return Swift.min(groups, Double(top.request.count)) }
        guard let selection = output.selection else { return groups }
        let mean = contributions * Self.largestShare(selection)
        return Swift.min(groups, mean + 12 * mean.squareRoot() + 200)
    }

    /// The largest p(n) / n: of a group, over the units that it takes.
    private static func largestShare(_ selection: KeyThreshold) -> Double {
        // The tail of discrete Gaussian noise is at most a Gaussian's, one further in (Canonne, Kamath and Steinke 2020, corollary 9).
        func reaches(_ distance: Double) -> Double {
            let standard = Swift.max(0, distance - 1) / selection.sigma
            return distance <= 0 ? 1 : exp(-standard * standard / 2)
        }
        let threshold = Double(Swift.max(1, selection.threshold))
        // Sizes in steps, each with the chance of its largest and the units of its least; beyond the threshold the chance is 1 at most.
        let step = (threshold / 1_024).rounded(.up)
        return stride(from: 1, through: threshold, by: step).reduce(1 / threshold) { share, units in
            Swift.max(share, reaches(threshold - (units + step - 1)) / units)
        }
    }

    private static func work(
        _ output: OutputPlan, groups: Double, listed: Double, contributions: Double
    ) -> Work {
        var work = Work()
        // A selected key's noisy count, and the keys that come out, sorted.
        if output.selection != nil { work[.noise] += groups }
        // Each choice goes through all candidates, and may weigh them anew.
        if let top = output.top { work[.item] += groups * (1 + 2 * Double(top.request.count)) }
        let keys = Double(output.keys.count)
        work[.value] += listed * keys * (1 + log2(listed + 2))
        for channel in output.channels {
            switch channel.quantity {
            case .quantile where output.isShared:
                // Noise on each point, and three times through them.
                let points = listed * Double(channel.quantile?.points ?? 0)
                work[.noise] += channel.counts == nil ? points : 0
                work[.item] += 4 * points
            case .quantile:
                // Three choices, each over the occupied points and the gaps behind them, which together are no more than
                // the grids have points.
                let points = listed * Double(channel.quantile?.points ?? 0)
                work[.item] += 3 * (Swift.min(2 * contributions, points) + 10 * listed)
            case .histogram(_, let edges): work[.noise] += listed * Double(edges.count)
            default: work[.noise] += channel.slot == nil ? 0 : listed
            }
        }
        work[.noise] += 2 * Double(output.bounding.count)
        work[.value] += listed * nodes(output)
        // Every cell that is shown is written with its interval, which takes far longer than drawing its noise.
        work[.cell] += Swift.min(listed, Double(output.limit ?? .max)) * Double(output.items.count)
        return work
    }

    /// Nodes that are evaluated for one group: its cells with their intervals, HAVING and ORDER BY.
    private static func nodes(_ output: OutputPlan) -> Double {
        var nodes = Double(output.forms.count)
        // An interval that is not of 95 %, or of a number that was selected, is searched.
        if output.selection != nil
            || output.channels.contains(where: { $0.error.confidence != Planner.usualConfidence })
        {
            nodes += 40 * Double(output.items.count)
        }
        for item in output.items {
            if case .scalar(let expression, _) = item { nodes += 3 * size(expression) } else { nodes += 1 }
        }
        for expression in [output.having].compactMap(\.self) + output.orders.map(\.expression) {
            nodes += size(expression)
        }
        return nodes
    }

    private static func size(_ expression: Tables.Expression) -> Double {
        Double(expression.size(upTo: QuestionLimits.expressionNodes))
    }

    /// Noisy numbers, values and the answer's bytes.
    private static func memory(_ output: OutputPlan, groups: Double, listed: Double) -> Double {
        let cells = output.channels.reduce(Double(output.items.count + output.keys.count)) { total, channel in
            switch channel.quantity {
            case .histogram(_, let edges): total + Double(edges.count)
            case .quantile where output.isShared: total + Double(channel.quantile?.points ?? 0)
            default: total + 1
            }
        }
        // Candidates with their weights, before and after.
        let choosing = output.top == nil ? 0 : groups * 160
        return groups * 16 + choosing + listed * (200 + 400 * cells)
    }
}
